//! Entry IDs: milliseconds and a sequence number within the millisecond, and the ways commands write them.

use std::fmt;

/// An entry's ID. Ordered by milliseconds, then by sequence number; `0-0` is never an entry's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds of the Unix epoch, by convention.
    pub ms: u64,
    pub seq: u64,
}

/// Bytes of the longest ID as text: two 20-digit numbers and a dash.
pub const ID_TEXT_MAX: usize = 41;
/// Redis reads an ID into a buffer of 128 bytes and refuses what does not fit.
const ID_ARGUMENT_MAX: usize = 127;

/// The text is no ID: "Invalid stream ID specified as stream command argument".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidId;

/// What is wrong with the end of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidBound {
    Id,
    /// Exclusive, and there is no ID on the other side: `(18446744073709551615-18446744073709551615` as a start,
    /// `(0-0` as an end.
    Empty,
}

/// The ID argument of XADD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: the clock's milliseconds.
    Auto,
    /// `ms-*`: the next free sequence number of that millisecond.
    AutoSeq(u64),
    Explicit(StreamId),
}

impl StreamId {
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    pub const fn new(ms: u64, seq: u64) -> Self {
        StreamId { ms, seq }
    }

    /// The ID just above, `None` at the last.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId {
                ms: self.ms.checked_add(1)?,
                seq: 0,
            }),
        }
    }

    /// The ID just below, `None` at `0-0`.
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId {
                ms: self.ms.checked_sub(1)?,
                seq: u64::MAX,
            }),
        }
    }

    /// Reads `ms-seq`, or `ms` alone with `missing_seq` for the rest.
    pub fn parse(text: &[u8], missing_seq: u64) -> Result<Self, InvalidId> {
        match split(text)? {
            (ms, None) => Ok(StreamId {
                ms: parse_u64(ms)?,
                seq: missing_seq,
            }),
            (ms, Some(seq)) => Ok(StreamId {
                ms: parse_u64(ms)?,
                seq: parse_u64(seq)?,
            }),
        }
    }

    /// As [`StreamId::parse`], with `-` for the lowest ID and `+` for the highest.
    pub fn parse_or_edge(text: &[u8], missing_seq: u64) -> Result<Self, InvalidId> {
        match text {
            b"-" => Ok(StreamId::MIN),
            b"+" => Ok(StreamId::MAX),
            _ => StreamId::parse(text, missing_seq),
        }
    }

    /// The start of an interval, made inclusive: `-`, `+`, `ms` (from its first ID), `ms-seq`, or `(` and an ID.
    pub fn parse_start(text: &[u8]) -> Result<Self, InvalidBound> {
        parse_bound(text, 0, StreamId::next)
    }

    /// The end of an interval, made inclusive: as for the start, but `ms` stands for its last ID.
    pub fn parse_end(text: &[u8]) -> Result<Self, InvalidBound> {
        parse_bound(text, u64::MAX, StreamId::prev)
    }

    /// Writes `ms-seq` into `out` and returns the text.
    pub fn format(self, out: &mut [u8; ID_TEXT_MAX]) -> &[u8] {
        let mut digits = itoa::Buffer::new();
        let ms = digits.format(self.ms).as_bytes();
        let dash = ms.len();
        out[..dash].copy_from_slice(ms);
        out[dash] = b'-';
        let seq = digits.format(self.seq).as_bytes();
        let end = dash + 1 + seq.len();
        out[dash + 1..end].copy_from_slice(seq);
        &out[..end]
    }

    /// As radix-tree keys and RDB files hold it: both halves big-endian.
    pub fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub fn from_be_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        StreamId {
            ms: (both >> 64) as u64,
            seq: both as u64,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl NewId {
    /// Reads XADD's argument. An explicit `0-0` is left to the caller to refuse.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidId> {
        if text == b"*" {
            return Ok(NewId::Auto);
        }
        match split(text)? {
            (ms, Some(b"*")) => Ok(NewId::AutoSeq(parse_u64(ms)?)),
            _ => StreamId::parse(text, 0).map(NewId::Explicit),
        }
    }
}

fn parse_bound(
    text: &[u8],
    missing_seq: u64,
    inward: fn(StreamId) -> Option<StreamId>,
) -> Result<StreamId, InvalidBound> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = StreamId::parse(id, missing_seq).map_err(|InvalidId| InvalidBound::Id)?;
            inward(id).ok_or(InvalidBound::Empty)
        }
        _ => StreamId::parse_or_edge(text, missing_seq).map_err(|InvalidId| InvalidBound::Id),
    }
}

/// Splits at the first dash. The text ends at a NUL byte, as it does for Redis, which reads a C string.
fn split(text: &[u8]) -> Result<(&[u8], Option<&[u8]>), InvalidId> {
    if text.len() > ID_ARGUMENT_MAX {
        return Err(InvalidId);
    }
    let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
    match text.iter().position(|&byte| byte == b'-') {
        Some(dash) => Ok((&text[..dash], Some(&text[dash + 1..]))),
        None => Ok((text, None)),
    }
}

/// Reads an unsigned number as C's `strtoull` does, which is what Redis falls back to: white space and a sign may
/// come first, zeros may lead, and a negative number wraps around, unless it is written canonically.
fn parse_u64(text: &[u8]) -> Result<u64, InvalidId> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let unsigned = &text[text.iter().take_while(|byte| is_space(byte)).count()..];
    let (negative, digits) = match unsigned {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || crate::format::number::parse_i64(text).is_some_and(|value| value < 0) {
        return Err(InvalidId);
    }
    let value = digits.iter().try_fold(0u64, |value, &digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    });
    let value = value.ok_or(InvalidId)?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId::new(ms, seq)
    }

    #[test]
    fn ids_read_in_all_their_forms() {
        assert_eq!(StreamId::parse(b"5-7", 0), Ok(id(5, 7)));
        assert_eq!(StreamId::parse(b"5", 9), Ok(id(5, 9)));
        assert_eq!(
            StreamId::parse(b"18446744073709551615-18446744073709551615", 0),
            Ok(StreamId::MAX)
        );
        for lenient in ["007-01", " 7-1", "+7-1", "7-+1", "7-\t1", "7-1\0junk"] {
            assert_eq!(StreamId::parse(lenient.as_bytes(), 0), Ok(id(7, 1)), "{lenient:?}");
        }
        assert_eq!(StreamId::parse(b"7--01", 0), Ok(id(7, u64::MAX)));
        for bad in [
            "",
            "-",
            "+",
            "-5",
            "5-",
            "5-x",
            "x",
            "5-1-1",
            "5-1 ",
            "5--1",
            "18446744073709551616-0",
            "5-*",
            "*",
            "\0",
        ] {
            assert_eq!(StreamId::parse(bad.as_bytes(), 0), Err(InvalidId), "{bad:?}");
        }
        assert_eq!(StreamId::parse(&[b'0'; 128], 0), Err(InvalidId));
        assert_eq!(StreamId::parse(&[b'0'; 127], 0), Ok(id(0, 0)));
    }

    #[test]
    fn bounds_become_inclusive() {
        assert_eq!(StreamId::parse_start(b"-"), Ok(StreamId::MIN));
        assert_eq!(StreamId::parse_start(b"+"), Ok(StreamId::MAX));
        assert_eq!(StreamId::parse_start(b"5"), Ok(id(5, 0)));
        assert_eq!(StreamId::parse_end(b"5"), Ok(id(5, u64::MAX)));
        assert_eq!(StreamId::parse_start(b"(5"), Ok(id(5, 1)));
        assert_eq!(StreamId::parse_end(b"(5-0"), Ok(id(4, u64::MAX)));
        assert_eq!(StreamId::parse_end(b"(0-0"), Err(InvalidBound::Empty));
        assert_eq!(
            StreamId::parse_start(b"(18446744073709551615-18446744073709551615"),
            Err(InvalidBound::Empty)
        );
        for bad in [b"(".as_slice(), b"(-", b"(+", b"((1"] {
            assert_eq!(StreamId::parse_start(bad), Err(InvalidBound::Id));
        }
    }

    #[test]
    fn new_ids_read_in_all_their_forms() {
        assert_eq!(NewId::parse(b"*"), Ok(NewId::Auto));
        assert_eq!(NewId::parse(b"5-*"), Ok(NewId::AutoSeq(5)));
        assert_eq!(NewId::parse(b"5"), Ok(NewId::Explicit(id(5, 0))));
        for bad in [b"*-1".as_slice(), b"5-**", b"-*", b"-", b"+"] {
            assert_eq!(NewId::parse(bad), Err(InvalidId));
        }
    }

    #[test]
    fn neighbours_and_text() {
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(id(2, 0).prev(), Some(id(1, u64::MAX)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.prev()), (None, None));
        assert_eq!(
            StreamId::MAX.format(&mut [0; ID_TEXT_MAX]),
            StreamId::MAX.to_string().as_bytes()
        );
        assert_eq!(id(12, 3).format(&mut [0; ID_TEXT_MAX]), b"12-3");
        assert_eq!(StreamId::from_be_bytes(id(1, 2).to_be_bytes()), id(1, 2));
        assert_eq!(id(1, 2).to_be_bytes()[7], 1);
    }
}
