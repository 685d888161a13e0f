//! The listpack: small collections as one run of bytes.
//!
//! A small list, hash, set or sorted set is read whole anyway, so pointers between its elements would cost more
//! memory and more cache misses than they save. A listpack puts the elements next to each other:
//!
//! ```text
//! total bytes: u32 | element count: u16 | element … element | FF
//! ```
//!
//! Everything is little-endian. A count of 65535 means "more than fits, walk to find out". Elements carry their
//! length at both ends (see [`Element`]'s module), so the run can be walked both ways, and an edit moves only the
//! bytes behind it: unlike its predecessor, the ziplist, no element stores its neighbour's length, so no edit can
//! ripple. The bytes are Redis's on-disk form (the format is specified in antirez/listpack), which makes saving and
//! loading a copy.
//!
//! Reading goes through the view [`Listpack`]; writing through functions on any [`PackedBuf`]. Both trust their
//! bytes and panic, rather than read astray, when a bug has broken them; bytes from outside pass [`validate`] first.

mod element;
#[cfg(test)]
mod tests;

pub use element::{Element, Entries, Entry, Needle, digits10};

use super::packed::PackedBuf;
use crate::hashing::hash_bytes;
use std::collections::HashSet;
use std::ops::Range;

/// Bytes before the first element.
pub const HEADER: usize = 6;
/// The end mark.
const END: u8 = 0xFF;
/// The stored count that stands for "walk to find out".
const COUNT_UNKNOWN: u16 = u16::MAX;
/// Bytes of a listpack no command may grow it beyond.
const MAX_BYTES: usize = 1 << 30;

/// The listpack without elements.
pub const EMPTY: [u8; HEADER + 1] = [HEADER as u8 + 1, 0, 0, 0, 0, 0, END];

/// Reading view of a listpack.
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'a> {
    bytes: &'a [u8],
}

impl<'a> Listpack<'a> {
    /// A view of bytes written by this module or passed by [`validate`].
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.len() > HEADER && bytes[bytes.len() - 1] == END);
        Listpack { bytes }
    }

    /// Size of the whole listpack.
    pub fn byte_len(self) -> usize {
        self.bytes.len()
    }

    /// Number of elements. O(1) below 65535, a walk above.
    #[inline]
    pub fn len(self) -> usize {
        match stored_count(self.bytes) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.end() == HEADER
    }

    /// Offset of the end mark: where an appended element goes.
    #[inline]
    pub fn end(self) -> usize {
        self.bytes.len() - 1
    }

    /// The elements with their offsets; also from behind with `rev`.
    #[inline]
    pub fn iter(self) -> Entries<'a> {
        Entries::between(self.bytes, HEADER, self.end())
    }

    /// The elements from the one at offset `at` on.
    #[inline]
    pub fn iter_from(self, at: usize) -> Entries<'a> {
        Entries::between(self.bytes, at, self.end())
    }

    /// The elements before offset `at`; walk them with `rev` to go back from there.
    #[inline]
    pub fn iter_before(self, at: usize) -> Entries<'a> {
        Entries::between(self.bytes, HEADER, at)
    }

    pub fn first(self) -> Option<Entry<'a>> {
        self.iter().next()
    }

    pub fn last(self) -> Option<Entry<'a>> {
        self.iter().next_back()
    }

    /// The entry that starts at offset `at`; `None` at the end mark.
    pub fn at(self, at: usize) -> Option<Entry<'a>> {
        self.iter_from(at).next()
    }

    /// The element with an index from the front (0 is the first) or, when negative, from the back (-1 is the last).
    /// Walks from the nearer end.
    pub fn get(self, index: i64) -> Option<Entry<'a>> {
        let distance = usize::try_from(index.unsigned_abs()).ok()?;
        if index < 0 {
            return self.iter().nth_back(distance - 1);
        }
        let count = stored_count(self.bytes);
        if count == COUNT_UNKNOWN {
            return self.iter().nth(distance);
        }
        let from_back = usize::from(count).checked_sub(distance + 1)?;
        if distance <= from_back {
            self.iter().nth(distance)
        } else {
            self.iter().nth_back(from_back)
        }
    }

    /// The first element with this text. O(length).
    pub fn find(self, needle: &Needle) -> Option<Entry<'a>> {
        self.iter().find(needle, 1)
    }

    /// The bytes of the elements alone, without header and end mark.
    pub fn elements(self) -> &'a [u8] {
        &self.bytes[HEADER..self.end()]
    }

    /// Whether `extra` more bytes keep the listpack within the gigabyte no command may grow it beyond.
    pub fn has_room_for(self, extra: usize) -> bool {
        may_grow_to(self.bytes.len().saturating_add(extra))
    }
}

/// Whether a command may grow a listpack to so many bytes.
pub fn may_grow_to(bytes: usize) -> bool {
    bytes <= MAX_BYTES
}

#[inline]
fn stored_count(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[4], bytes[5]])
}

/// What [`validate`] found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// Too short for a header, or the header's size is not the size of the bytes, or no end mark.
    Frame,
    /// An element with an unknown header, over the end, or with a backlen that is not its length.
    Element,
    /// The header counts other than there are.
    Count,
}

/// Checks bytes from outside, every element of them; afterwards reading and editing cannot go wrong. O(length).
pub fn validate(bytes: &[u8]) -> Result<Listpack<'_>, Corrupt> {
    validate_frame(bytes)?;
    let end = bytes.len() - 1;
    let (mut at, mut count) = (HEADER, 0);
    while at < end {
        at = element::checked_end(bytes, at, end).ok_or(Corrupt::Element)?;
        count += 1;
    }
    match stored_count(bytes) {
        COUNT_UNKNOWN => Ok(Listpack { bytes }),
        stored if usize::from(stored) == count => Ok(Listpack { bytes }),
        _ => Err(Corrupt::Count),
    }
}

/// Checks of bytes from outside that they have a listpack's header and end, and leaves the elements unseen. O(1).
pub fn validate_frame(bytes: &[u8]) -> Result<(), Corrupt> {
    let total = bytes.first_chunk().map(|size| u32::from_le_bytes(*size) as usize);
    if bytes.len() <= HEADER || total != Some(bytes.len()) || bytes.last() != Some(&END) {
        return Err(Corrupt::Frame);
    }
    Ok(())
}

/// The entry that starts at `at` of a listpack of which only the frame has been checked; `None` unless a well-formed one
/// does.
pub fn checked_entry(bytes: &[u8], at: usize) -> Option<Entry<'_>> {
    let end = bytes.len().checked_sub(1)?;
    element::checked_end(bytes, at, end)?;
    Some(Entry::starting(bytes, at))
}

/// Whether two elements of a listpack from outside, looking at every `stride`-th one, have the same text. O(n log n).
pub fn has_duplicates(pack: Listpack, stride: usize) -> bool {
    let texts = || pack.iter().step_by(stride).map(|entry| entry.element);
    let mut hashes: Vec<u64> = texts()
        .map(|element| hash_bytes(element.text(&mut itoa::Buffer::new())))
        .collect();
    hashes.sort_unstable();
    if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
        return false;
    }
    let mut seen = HashSet::new();
    !texts().all(|element| seen.insert(element.to_vec()))
}

/// A listpack of these elements in a buffer of its own.
pub fn from_elements<'e>(elements: impl IntoIterator<Item = Element<'e>>) -> Vec<u8> {
    build(EMPTY.len(), elements)
}

/// The same, which will probably take `room` bytes.
pub fn build<'e>(room: usize, elements: impl IntoIterator<Item = Element<'e>>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(&EMPTY[..HEADER]);
    let mut count = 0;
    for element in elements {
        let at = bytes.len();
        bytes.resize(at + element.encoded_len(), 0);
        element.encode(&mut bytes[at..]);
        count += 1;
    }
    bytes.push(END);
    write_header(&mut bytes, count);
    bytes
}

/// A listpack around a run of `count` encoded elements.
pub fn from_run(run: &[u8], count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(EMPTY.len() + run.len());
    bytes.extend_from_slice(&EMPTY[..HEADER]);
    bytes.extend_from_slice(run);
    bytes.push(END);
    write_header(&mut bytes, count);
    bytes
}

/// Adds an element at the end. O(1) beside the buffer's own growth.
#[inline]
pub fn push_back(buf: &mut impl PackedBuf, element: Element) {
    let end = buf.bytes().len() - 1;
    insert(buf, end, element);
}

/// Adds an element at the front. O(bytes).
pub fn push_front(buf: &mut impl PackedBuf, element: Element) {
    insert(buf, HEADER, element);
}

/// Inserts before the element at offset `at` (the end mark's offset appends). To insert after an entry pass its
/// `end`. O(bytes behind).
#[inline]
pub fn insert(buf: &mut impl PackedBuf, at: usize, element: Element) {
    let mut scratch = Scratch::new();
    scratch.push(element);
    splice_run(buf, at..at, 0, scratch.run(), 1);
}

/// Inserts several elements before offset `at`, moving what follows once.
pub fn insert_all<'e>(buf: &mut impl PackedBuf, at: usize, elements: impl IntoIterator<Item = Element<'e>>) {
    let mut scratch = Scratch::new();
    let mut added = 0;
    for element in elements {
        scratch.push(element);
        added += 1;
    }
    splice_run(buf, at..at, 0, scratch.run(), added);
}

/// Adds several elements at the end with one edit of the buffer.
pub fn append<'e>(buf: &mut impl PackedBuf, elements: impl IntoIterator<Item = Element<'e>>) {
    let end = buf.bytes().len() - 1;
    insert_all(buf, end, elements);
}

/// Puts `element` in the place of the one at offset `at`. O(1) when it takes as many bytes, else O(bytes behind).
pub fn replace(buf: &mut impl PackedBuf, at: usize, element: Element) {
    let old = Entry::starting(buf.bytes(), at);
    let range = old.at..old.end;
    if element.encoded_len() == range.len() {
        element.encode(&mut buf.bytes_mut()[range]);
        return;
    }
    let mut scratch = Scratch::new();
    scratch.push(element);
    splice_run(buf, range, 1, scratch.run(), 1);
}

/// Removes the element at offset `at`; the next one then starts there. O(bytes behind).
pub fn remove(buf: &mut impl PackedBuf, at: usize) {
    let old = Entry::starting(buf.bytes(), at);
    let range = old.at..old.end;
    splice_run(buf, range, 1, &[], 0);
}

/// Removes the `count` elements that span `range`, both ends of which are element borders. O(bytes behind).
pub fn remove_span(buf: &mut impl PackedBuf, range: Range<usize>, count: usize) {
    splice_run(buf, range, count, &[], 0);
}

/// Removes up to `count` elements from the one at `index` (negative from the back) on. Returns how many there were.
pub fn delete_range(buf: &mut impl PackedBuf, index: i64, count: usize) -> usize {
    let pack = Listpack::new(buf.bytes());
    let Some(first) = pack.get(index) else { return 0 };
    let (mut end, mut removed) = (first.at, 0);
    for entry in pack.iter_from(first.at).take(count) {
        end = entry.end;
        removed += 1;
    }
    splice_run(buf, first.at..end, removed, &[], 0);
    removed
}

/// The one edit all others are made of: `range`, which spans `removed` elements, gives way to `run` with `added`.
fn splice_run(buf: &mut impl PackedBuf, range: Range<usize>, removed: usize, run: &[u8], added: usize) {
    let stored = stored_count(buf.bytes());
    buf.splice(range, run);
    let count = match stored {
        COUNT_UNKNOWN => usize::from(COUNT_UNKNOWN),
        known => usize::from(known) - removed + added,
    };
    write_header(buf.bytes_mut(), count);
}

fn write_header(bytes: &mut [u8], count: usize) {
    let total = u32::try_from(bytes.len()).expect("listpack: over four gigabytes");
    let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
    bytes[..4].copy_from_slice(&total.to_le_bytes());
    bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
}

/// Encoded elements on their way into a buffer: on the stack while few and short, else on the heap.
struct Scratch {
    stack: [u8; Scratch::STACK],
    used: usize,
    heap: Vec<u8>,
}

impl Scratch {
    const STACK: usize = 128;

    #[inline]
    fn new() -> Self {
        Scratch {
            stack: [0; Self::STACK],
            used: 0,
            heap: Vec::new(),
        }
    }

    #[inline]
    fn push(&mut self, element: Element) {
        let size = element.encoded_len();
        if self.heap.is_empty() && self.used + size <= Self::STACK {
            element.encode(&mut self.stack[self.used..self.used + size]);
            self.used += size;
            return;
        }
        self.push_to_heap(element, size);
    }

    #[cold]
    fn push_to_heap(&mut self, element: Element, size: usize) {
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.stack[..self.used]);
        }
        let at = self.heap.len();
        self.heap.resize(at + size, 0);
        element.encode(&mut self.heap[at..]);
    }

    #[inline]
    fn run(&self) -> &[u8] {
        if self.heap.is_empty() {
            &self.stack[..self.used]
        } else {
            &self.heap
        }
    }
}
