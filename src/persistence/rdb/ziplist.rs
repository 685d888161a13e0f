//! The ziplist: what small lists, hashes and sorted sets were before there were listpacks (Redis up to 6.2).
//!
//! ```text
//! total bytes: u32 | offset of the last entry: u32 | entry count: u16 | entry … entry | FF
//! entry   length of the entry before: 1 byte, or FE and u32 | header | payload
//! header  00llllll, 01llllll llllllll, 10000000 and 4 bytes   text, lengths big-endian
//!         C0, D0, E0, F0, FE                                  integer of 2, 4, 8, 3, 1 bytes, little-endian
//!         F1 to FD                                            integer 0 to 12
//! ```
//!
//! A count of 65535 means "walk to find out". Ziplists are only read, and all of it is checked on the way.

use crate::types::listpack::Element;

const HEADER: usize = 10;
const END: u8 = 0xFF;
/// Announces a length of four bytes.
const LONG_LENGTH: u8 = 0xFE;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The elements of a ziplist, every byte of which has been checked; `None` if it is not sound. O(bytes).
pub fn elements(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let total = u32::from_le_bytes(*bytes.first_chunk()?);
    let last_at = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let count = u16::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
    if total as usize != bytes.len() || bytes.len() <= HEADER || bytes.last() != Some(&END) {
        return None;
    }
    let run = &bytes[..bytes.len() - 1];
    let (mut at, mut before, mut elements) = (HEADER, 0, Vec::new());
    let mut start_of_last = HEADER;
    while at < run.len() {
        let (element, len) = entry(&run[at..], before)?;
        elements.push(element);
        (start_of_last, before) = (at, len);
        at += len;
    }
    let counted = count == COUNT_UNKNOWN || usize::from(count) == elements.len();
    (counted && start_of_last == last_at as usize).then_some(elements)
}

/// The entry that starts `bytes`, and the bytes it takes. The one before took `before`.
fn entry(bytes: &[u8], before: usize) -> Option<(Element<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (stated, rest) = match first {
        LONG_LENGTH => {
            let (length, rest) = rest.split_first_chunk()?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        END => return None,
        short => (usize::from(short), rest),
    };
    if stated != before {
        return None;
    }
    let (element, rest) = payload(rest)?;
    Some((element, bytes.len() - rest.len()))
}

fn payload(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    match head {
        0x00..=0x3F => split_text(rest, usize::from(head)),
        0x40..=0x7F => {
            let (&low, rest) = rest.split_first()?;
            split_text(rest, usize::from(head & 0x3F) << 8 | usize::from(low))
        }
        0x80..=0xBF => {
            let (len, rest) = rest.split_first_chunk()?;
            split_text(rest, u32::from_be_bytes(*len) as usize)
        }
        0xC0 => split_integer(rest, 2),
        0xD0 => split_integer(rest, 4),
        0xE0 => split_integer(rest, 8),
        0xF0 => split_integer(rest, 3),
        0xFE => split_integer(rest, 1),
        0xF1..=0xFD => Some((Element::Int(i64::from(head & 0x0F) - 1), rest)),
        _ => None,
    }
}

fn split_text(bytes: &[u8], len: usize) -> Option<(Element<'_>, &[u8])> {
    let (text, rest) = bytes.split_at_checked(len)?;
    Some((Element::of(text), rest))
}

/// A little-endian two's complement integer.
fn split_integer(bytes: &[u8], width: usize) -> Option<(Element<'_>, &[u8])> {
    let (payload, rest) = bytes.split_at_checked(width)?;
    let mut wide = [0; 8];
    wide[8 - width..].copy_from_slice(payload);
    Some((Element::Int(i64::from_le_bytes(wide) >> (64 - 8 * width)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;

    /// Every header there is: texts of 6, 14 and 32 bits of length, integers of all widths.
    fn sample() -> Vec<u8> {
        let (medium, long) = (vec![b'm'; 300], vec![b'l'; 20_000]);
        let mut entries: Vec<Vec<u8>> = vec![
            [&[2u8][..], b"ab"].concat(),
            [&[0x41, 0x2C][..], &medium].concat(),
            [&[0x80, 0, 0, 0x4E, 0x20][..], &long].concat(),
            vec![0xC0, 0xFE, 0xFF],
            vec![0xF0, 0, 0, 0x80],
            vec![0xD0, 1, 0, 0, 0x80],
            vec![0xE0, 0, 0, 0, 0, 0, 0, 0, 0x80],
            vec![0xFE, 0x80],
            vec![0xF1],
            vec![0xFD],
        ];
        let (mut bytes, mut before, mut last_at) = (vec![0; HEADER], 0, 0);
        for entry in &mut entries {
            let mut whole = if before < 254 {
                vec![before as u8]
            } else {
                [&[LONG_LENGTH][..], &(before as u32).to_le_bytes()].concat()
            };
            whole.append(entry);
            (before, last_at) = (whole.len(), bytes.len());
            bytes.extend(whole);
        }
        bytes.push(END);
        let total = bytes.len() as u32;
        bytes[..4].copy_from_slice(&total.to_le_bytes());
        bytes[4..8].copy_from_slice(&(last_at as u32).to_le_bytes());
        bytes[8..10].copy_from_slice(&10u16.to_le_bytes());
        bytes
    }

    #[test]
    fn all_headers_are_read() {
        let bytes = sample();
        let read = elements(&bytes).expect("sound");
        let texts: Vec<String> = read
            .iter()
            .map(|element| String::from_utf8_lossy(&element.to_vec()).into_owned())
            .collect();
        assert_eq!((texts[1].len(), texts[2].len()), (300, 20_000));
        let short = |index: &usize| *index != 1 && *index != 2;
        let short: Vec<&str> = (0..10).filter(short).map(|index| texts[index].as_str()).collect();
        let expected = [
            "ab",
            "-2",
            "-8388608",
            "-2147483647",
            "-9223372036854775808",
            "-128",
            "0",
            "12",
        ];
        assert_eq!(short, expected);
        assert_eq!(elements(&[11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0xFF]).expect("empty"), []);
    }

    #[test]
    fn broken_bytes_are_refused() {
        let good = sample();
        let mut rng = Rng::new(8);
        for cut in [0, 5, 9, 10, 11, good.len() - 1] {
            assert!(elements(&good[..cut]).is_none());
        }
        // Sizes, offset and count, the length of the entry before, and the end.
        for at in [0, 4, 8, 10, 14, good.len() - 1] {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            assert!(elements(&bytes).is_none(), "{at}");
        }
        for _ in 0..20_000 {
            let mut bytes = good[..60].to_vec();
            bytes[..4].copy_from_slice(&60u32.to_le_bytes());
            bytes[59] = END;
            for _ in 0..rng.below(4) {
                let at = rng.below(60);
                bytes[at] = rng.next() as u8;
            }
            let _ = elements(&bytes);
        }
    }
}
