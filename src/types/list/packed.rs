//! The small form of a list: one listpack. Pushes, pops and ranges are [`listpack`]'s own; here is the rest.

use super::{Beside, Direction};
use crate::types::listpack::{self, Element, Listpack, Needle};
use crate::types::packed::PackedBuf;

/// Puts `text` in the place of the element at `index` (negative from the back); false when there is none.
pub fn set(buf: &mut impl PackedBuf, index: i64, text: &[u8]) -> bool {
    let Some(at) = Listpack::new(buf.bytes()).get(index).map(|entry| entry.at) else {
        return false;
    };
    listpack::replace(buf, at, Element::of(text));
    true
}

/// Inserts `text` before or after the first element that is `pivot`; false when there is none.
pub fn insert_beside(buf: &mut impl PackedBuf, pivot: &[u8], side: Beside, text: &[u8]) -> bool {
    let Some(found) = Listpack::new(buf.bytes()).find(&Needle::new(pivot)) else {
        return false;
    };
    let at = match side {
        Beside::Before => found.at,
        Beside::After => found.end,
    };
    listpack::insert(buf, at, Element::of(text));
    true
}

/// Removes up to `most` elements that are `text`, the first ones going forward, the last ones going backward.
/// Returns how many there were. O(bytes) for each.
pub fn remove(buf: &mut impl PackedBuf, text: &[u8], most: usize, direction: Direction) -> usize {
    let needle = Needle::new(text);
    let mut resume = match direction {
        Direction::Forward => listpack::HEADER,
        Direction::Backward => Listpack::new(buf.bytes()).end(),
    };
    for removed in 0..most {
        let pack = Listpack::new(buf.bytes());
        let found = match direction {
            Direction::Forward => pack.iter_from(resume).find(&needle, 1),
            Direction::Backward => pack
                .iter_before(resume)
                .rev()
                .find(|entry| needle.matches(entry.element)),
        };
        let Some(at) = found.map(|entry| entry.at) else {
            return removed;
        };
        listpack::remove(buf, at);
        resume = at;
    }
    most
}

/// Keeps only the `count` elements from index `start` on.
pub fn trim(buf: &mut impl PackedBuf, start: usize, count: usize) {
    listpack::delete_range(buf, start.saturating_add(count) as i64, usize::MAX);
    listpack::delete_range(buf, 0, start);
}
