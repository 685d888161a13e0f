//! The zipmap: what small hashes were up to Redis 2.4.
//!
//! ```text
//! field count: u8 (254: walk to find out) | pair … pair | FF
//! pair    length | field | length | unused: u8 | value | unused bytes
//! length  1 byte up to 253, or FE and u32 little-endian
//! ```

const END: u8 = 0xFF;
const LONG_LENGTH: u8 = 0xFE;

/// Fields and their values.
pub type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The fields and values of a zipmap, every byte of which has been checked; `None` if it is not sound. O(bytes).
pub fn pairs(bytes: &[u8]) -> Option<Pairs<'_>> {
    let (&count, mut rest) = bytes.split_first()?;
    let mut pairs = Vec::new();
    while rest != [END] {
        let (field_len, behind) = length(rest)?;
        let (field, behind) = behind.split_at_checked(field_len)?;
        let (value_len, behind) = length(behind)?;
        let (&unused, behind) = behind.split_first()?;
        let (value, behind) = behind.split_at_checked(value_len)?;
        rest = behind.get(usize::from(unused)..)?;
        pairs.push((field, value));
    }
    (count >= LONG_LENGTH || usize::from(count) == pairs.len()).then_some(pairs)
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        END => None,
        LONG_LENGTH => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = u32::from_le_bytes(*len);
            // A short length in five bytes was never written: it is a sign of something else in its place.
            (len >= u32::from(LONG_LENGTH)).then_some((len as usize, rest))
        }
        short => Some((usize::from(short), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;

    #[test]
    fn pairs_are_read_and_unused_bytes_passed_over() {
        let bytes = b"\x02\x03foo\x03\x00bar\x05hello\x02\x03hi...\xff";
        let read = pairs(bytes).expect("sound");
        assert_eq!(read, [(&b"foo"[..], &b"bar"[..]), (b"hello", b"hi")]);
        let long = [&b"\x01\xfe\x2c\x01\x00\x00"[..], &[b'f'; 300], b"\x01\x00v\xff"].concat();
        assert_eq!(pairs(&long).expect("sound")[0].0.len(), 300);
        assert!(pairs(b"\x00\xff").expect("sound").is_empty());
    }

    #[test]
    fn broken_bytes_are_refused() {
        let good = b"\x02\x03foo\x03\x00bar\x05hello\x02\x03hi...\xff";
        for cut in 0..good.len() {
            assert!(pairs(&good[..cut]).is_none(), "{cut}");
        }
        assert!(pairs(&[&good[..], b"\xff"].concat()).is_none());
        assert!(pairs(b"\x01\xff").is_none());
        // Short lengths in the long form, of a field and of a value.
        assert!(pairs(b"\x01\xfe\x03\0\0\0foo\x03\0bar\xff").is_none());
        assert!(pairs(b"\x01\x03foo\xfe\x03\0\0\0\0bar\xff").is_none());
        let mut rng = Rng::new(9);
        for _ in 0..20_000 {
            let mut bytes = good.to_vec();
            let at = rng.below(bytes.len());
            bytes[at] = rng.next() as u8;
            let _ = pairs(&bytes);
        }
    }
}
