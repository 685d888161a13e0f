//! From a name on the wire to its command, once a request.
//!
//! Names are short (20 bytes at most), so a name is read as two machine words, its first and its last eight bytes,
//! which overlap for names under 16 bytes. Both are lower-cased in registers, eight letters at a time. With the length
//! they make the hash, and up to 16 bytes they also make the comparison: two names with equal words and lengths are
//! equal. The index is an open-addressed array filled while compiling; a slot holds the words, so a hit touches one
//! slot of the index and then the command itself: 5 to 7 nanoseconds. A general hash map would hash byte by byte with a
//! seeded, slower function (needless: the keys are ours), lower-case into a buffer, and chase a pointer to compare.

use super::{COMMAND_COUNT, CommandId, CommandSpec, TABLE, TOP_LEVEL_COUNT};

/// At most half full, so that probes stay short; a power of two, so that a mask wraps them.
const SLOTS: usize = (TOP_LEVEL_COUNT * 2).next_power_of_two();

/// The longest name that has a slot.
const MAX_NAME: usize = 32;

/// What is compared of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Words {
    head: u64,
    tail: u64,
    len: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    words: Words,
    id: CommandId,
}

/// No name is empty, so a length of zero marks a free slot.
const FREE: Slot = Slot {
    words: Words {
        head: 0,
        tail: 0,
        len: 0,
    },
    id: 0,
};

static INDEX: [Slot; SLOTS] = build();

/// The top-level command whose own name this is, whatever the case of its letters. O(1), no allocation.
#[inline]
pub fn lookup_own(name: &[u8]) -> Option<&'static CommandSpec> {
    let words = Words::of(name)?;
    let mut at = words.slot();
    loop {
        let slot = &INDEX[at];
        if slot.words == words {
            let spec = &TABLE[usize::from(slot.id)];
            // Two words cover 16 bytes; whatever lies between them in longer names is still to be compared.
            let same = words.len <= 16 || spec.name.as_bytes().eq_ignore_ascii_case(name);
            return same.then_some(spec);
        }
        if slot.words.len == 0 {
            return None;
        }
        at = (at + 1) % SLOTS;
    }
}

impl Words {
    /// None for names no command has: empty ones and long ones.
    #[inline]
    const fn of(name: &[u8]) -> Option<Words> {
        let len = name.len();
        if len == 0 || len > MAX_NAME {
            return None;
        }
        let (head, tail) = match (name.first_chunk(), name.last_chunk()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => Self::of_short(name),
        };
        Some(Words {
            head: lower(head),
            tail: lower(tail),
            len,
        })
    }

    /// One to seven bytes: the same with half words, or byte by byte.
    #[inline]
    const fn of_short(name: &[u8]) -> (u64, u64) {
        match (name.first_chunk(), name.last_chunk()) {
            (Some(head), Some(tail)) => (u32::from_le_bytes(*head) as u64, u32::from_le_bytes(*tail) as u64),
            _ => (
                name[0] as u64,
                (name[name.len() / 2] as u64) << 8 | name[name.len() - 1] as u64,
            ),
        }
    }

    /// Where to look first: a multiplicative hash, of which the upper half is the better mixed.
    #[inline]
    const fn slot(self) -> usize {
        let mixed = (self.head ^ (self.len as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.tail;
        (mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 40) as usize % SLOTS
    }
}

/// Lower-cases the ASCII letters among eight bytes.
///
/// Adding to the low seven bits of each byte carries into its top bit, without spilling into the next byte, exactly
/// if the byte is at or above a bound. Letters from A to Z are at or above one bound and not above the other.
#[inline]
const fn lower(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low_bits = bytes & (EACH * 0x7f);
    let from_a = low_bits + EACH * (0x80 - b'A' as u64);
    let above_z = low_bits + EACH * (0x7f - b'Z' as u64);
    let upper_case = (from_a ^ above_z) & !bytes & (EACH * 0x80);
    bytes | (upper_case >> 2)
}

const fn build() -> [Slot; SLOTS] {
    let mut index = [FREE; SLOTS];
    let mut id = 0;
    while id < TOP_LEVEL_COUNT {
        let Some(words) = Words::of(TABLE[id].name.as_bytes()) else {
            panic!("a name of no or too many bytes")
        };
        let mut at = words.slot();
        while index[at].words.len != 0 {
            at = (at + 1) % SLOTS;
        }
        index[at] = Slot {
            words,
            id: id as CommandId,
        };
        id += 1;
    }
    index
}

const _: () = assert!(COMMAND_COUNT <= CommandId::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_name_in_any_case_and_nothing_else() {
        for spec in crate::commands::table::top_level() {
            let name = spec.name.as_bytes();
            for spelling in [
                name.to_vec(),
                name.to_ascii_uppercase(),
                [&name[..1].to_ascii_uppercase(), &name[1..]].concat(),
            ] {
                assert_eq!(
                    lookup_own(&spelling).map(|found| found.id),
                    Some(spec.id),
                    "{}",
                    spec.name
                );
            }
            for i in 0..name.len() {
                let mut other = name.to_vec();
                other[i] ^= 0x80;
                assert!(lookup_own(&other).is_none());
                other[i] = b'#';
                assert!(lookup_own(&other).is_none());
            }
        }
        for stranger in [
            "",
            "ge",
            "gett",
            "nosuchcommand",
            "georadiusbymembex_ro",
            "config|get",
            "\0\0\0",
        ] {
            assert!(lookup_own(stranger.as_bytes()).is_none(), "{stranger}");
        }
        assert!(lookup_own(&[b'g'; 100]).is_none());
    }

    #[test]
    fn lower_changes_letters_only() {
        for byte in 0..=u8::MAX {
            let word = u64::from_le_bytes([byte; 8]);
            assert_eq!(
                lower(word),
                u64::from_le_bytes([byte.to_ascii_lowercase(); 8]),
                "{byte}"
            );
        }
    }

    #[test]
    fn probes_are_short() {
        let longest = (0..SLOTS)
            .filter(|&at| INDEX[at].words.len != 0)
            .map(|at| (at + SLOTS - INDEX[at].words.slot()) % SLOTS)
            .max();
        assert!(longest <= Some(8), "{longest:?}");
    }
}
