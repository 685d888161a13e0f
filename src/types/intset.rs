//! The intset: a small set of integers as one sorted array.
//!
//! A set whose members are all integers needs neither their texts nor a table: a sorted array of fixed-width
//! integers is found by bisection and takes two to eight bytes a member. All members share one width, the least
//! that holds them all; the first that does not fit widens the array ("upgrades" it), and nothing narrows it again.
//!
//! ```text
//! width in bytes: u32 (2, 4 or 8) | member count: u32 | members, ascending
//! ```
//!
//! Little-endian throughout: Redis's on-disk form, so saving and loading is a copy. Inserting costs a move of the
//! members behind, which is why the set stops being an intset at a few hundred of them.

use super::packed::PackedBuf;

/// Bytes before the first member.
pub const HEADER: usize = 8;
/// The intset without members.
pub const EMPTY: [u8; HEADER] = [2, 0, 0, 0, 0, 0, 0, 0];

/// Reading view of an intset.
#[derive(Clone, Copy, Debug)]
pub struct Intset<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Intset<'a> {
    /// A view of bytes written by this module or passed by [`validate`].
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Intset {
            bytes,
            width: usize::from(bytes[0]),
        }
    }

    #[inline]
    pub fn len(self) -> usize {
        (self.bytes.len() - HEADER) / self.width
    }

    pub fn is_empty(self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The member of rank `index`, ascending. O(1).
    #[inline]
    pub fn get(self, index: usize) -> Option<i64> {
        let start = HEADER + index.checked_mul(self.width)?;
        Some(match self.width {
            2 => i64::from(i16::from_le_bytes(*self.bytes.get(start..)?.first_chunk()?)),
            4 => i64::from(i32::from_le_bytes(*self.bytes.get(start..)?.first_chunk()?)),
            _ => i64::from_le_bytes(*self.bytes.get(start..)?.first_chunk()?),
        })
    }

    pub fn min(self) -> Option<i64> {
        self.get(0)
    }

    pub fn max(self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Whether `value` is a member. O(log n).
    pub fn contains(self, value: i64) -> bool {
        self.rank(value).is_ok()
    }

    /// The members, ascending.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + 'a {
        (0..self.len()).map(move |index| self.get(index).expect("rank within the set"))
    }

    /// A member by a random number, each as likely as another (to within one in 2^64 / n).
    pub fn random(self, random: u64) -> Option<i64> {
        let len = self.len() as u64;
        self.get(random.checked_rem(len)? as usize)
    }

    /// Where `value` is, or else where it belongs.
    fn rank(self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).expect("rank within the set").cmp(&value) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }
}

/// Adds a member; false when it was one already. O(n).
pub fn add(buf: &mut impl PackedBuf, value: i64) -> bool {
    let set = Intset::new(buf.bytes());
    let width = width_of(value);
    if width > set.width {
        upgrade(buf, width, value);
        return true;
    }
    let Err(rank) = set.rank(value) else { return false };
    let width = set.width;
    let at = HEADER + rank * width;
    buf.splice(at..at, &value.to_le_bytes()[..width]);
    write_header(buf.bytes_mut(), width);
    true
}

/// Removes a member; false when it was none. O(n). The width stays.
pub fn remove(buf: &mut impl PackedBuf, value: i64) -> bool {
    let set = Intset::new(buf.bytes());
    let Ok(rank) = set.rank(value) else { return false };
    let width = set.width;
    let at = HEADER + rank * width;
    buf.splice(at..at + width, &[]);
    write_header(buf.bytes_mut(), width);
    true
}

/// Rewrites all members `width` bytes wide and adds `value`, which no narrower width could hold: it lies outside
/// all the others, so it goes first or last.
fn upgrade(buf: &mut impl PackedBuf, width: usize, value: i64) {
    let set = Intset::new(buf.bytes());
    let mut wide = Vec::with_capacity((set.len() + 1) * width);
    let mut write = |member: i64| wide.extend_from_slice(&member.to_le_bytes()[..width]);
    if value < 0 {
        write(value);
    }
    set.iter().for_each(&mut write);
    if value >= 0 {
        write(value);
    }
    let old = HEADER..buf.bytes().len();
    buf.splice(old, &wide);
    write_header(buf.bytes_mut(), width);
}

fn write_header(bytes: &mut [u8], width: usize) {
    let count = (bytes.len() - HEADER) / width;
    let count = u32::try_from(count).expect("intset: over four billion members");
    bytes[..4].copy_from_slice(&(width as u32).to_le_bytes());
    bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
}

/// The least width in bytes that holds `value`.
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

/// Checks bytes from outside: a known width, as many members as counted (at least one is not required), strictly
/// ascending. O(n). `None` when anything is wrong.
pub fn validate(bytes: &[u8]) -> Option<Intset<'_>> {
    let (head, members) = bytes.split_first_chunk::<HEADER>()?;
    let [w0, w1, w2, w3, c0, c1, c2, c3] = *head;
    let width = u32::from_le_bytes([w0, w1, w2, w3]) as usize;
    let count = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
    if !matches!(width, 2 | 4 | 8) || Some(members.len()) != count.checked_mul(width) {
        return None;
    }
    let set = Intset { bytes, width };
    set.iter().is_sorted_by(|a, b| a < b).then_some(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn bytes_are_those_of_the_format() {
        let mut bytes = EMPTY.to_vec();
        for value in [5, -1, 5] {
            add(&mut bytes, value);
        }
        assert_eq!(bytes, [2, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0xFF, 5, 0]);
        add(&mut bytes, 70_000);
        assert_eq!(bytes[..8], [4, 0, 0, 0, 3, 0, 0, 0]);
    }

    #[test]
    fn edits_follow_an_ordered_set() {
        for seed in 0..40 {
            let mut rng = Rng::new(seed);
            let (mut bytes, mut model) = (EMPTY.to_vec(), BTreeSet::new());
            for step in 0..400 {
                let wide = step > 100 && rng.chance(20);
                let value = if wide {
                    rng.integer()
                } else {
                    rng.below(300) as i64 - 150
                };
                if rng.chance(3) {
                    assert_eq!(remove(&mut bytes, value), model.remove(&value));
                } else {
                    assert_eq!(add(&mut bytes, value), model.insert(value));
                }
                let set = validate(&bytes).expect("well formed");
                assert!(set.iter().eq(model.iter().copied()));
                assert_eq!((set.min(), set.max()), (model.first().copied(), model.last().copied()));
                assert_eq!(set.contains(value), model.contains(&value));
                assert_eq!(set.random(rng.next()).is_some(), !model.is_empty());
            }
        }
    }

    #[test]
    fn validation_refuses_broken_bytes() {
        let mut good = EMPTY.to_vec();
        assert!(validate(&good).is_some());
        (1..=3).for_each(|value| assert!(add(&mut good, value)));
        assert!(validate(&good).is_some());
        assert!(validate(&good[..good.len() - 1]).is_none());
        assert!(validate(&good[..5]).is_none());
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        for (at, byte) in [(0, 3), (0, 4), (4, 2), (8, 2), (8, 9), (3, 1)] {
            assert!(validate(&with(at, byte)).is_none(), "{at} {byte}");
        }
        let mut rng = Rng::new(3);
        for _ in 0..2_000 {
            let bytes: Vec<u8> = (0..rng.below(40)).map(|_| rng.below(4) as u8).collect();
            validate(&bytes);
        }
    }
}
