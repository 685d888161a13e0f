//! A hash table that owns its entries: the members of a large set, or the fields and values of a large hash.
//!
//! An entry is one *cell*, one thin allocation: lengths as varints, then the bytes. A member of 13 bytes takes 14, so a
//! class of 16; with a length word and a reference count, or with a pointer each to field and value, it would
//! take three times that. The table keeps eight bytes and a tag for each ([`Table`]).
//!
//! ```text
//! set:   | varint length             | member |
//! hash:  | varint length << 2 | flags | varint length | field | value |
//!        | varint length << 2 | flags | pointer, length | field |       value > 256 bytes: on its own
//! ```
//!
//! Flag 2 says that the value stands in an allocation of its own, so that rewriting a long value does not rewrite the
//! field and the other way round. Flag 1 is kept for a deadline of the field, which would stand before its bytes.
//!
//! Cells are allocated in whole size classes of the allocator; the class follows from the lengths, so freeing needs no
//! stored capacity, and a value may change its length within the class without moving the cell.
//!
//! All unsafe code of sets and hashes is here. What makes it sound: a cell is reachable only from the one table that
//! made it, is read through borrows of that table, and is freed only when taken out through `&mut`.
#![allow(unsafe_code)]

use crate::hashing::hash_bytes;
use crate::memory::size_class;
use crate::table::{Pointer, Slot, Table};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::slice;

/// The longest value kept in its field's cell.
const INLINE_VALUE: usize = 256;
/// The flag of a value in an allocation of its own.
const SEPARATE: usize = 2;
/// Bits of a hash cell's first varint that are flags.
const FLAG_BITS: u32 = 2;
/// A fat pointer to such a value.
const POINTER: usize = size_of::<*mut [u8]>();
/// Most bytes of a varint that holds a length.
const VARINT: usize = 10;

/// A pointer to a cell. `VALUED` cells have a value beside the key.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell<const VALUED: bool>(NonNull<u8>);

// SAFETY: the bits are the cell's address, which is not null; user addresses end below 2^48. The provenance is
// exposed on the way in, so the way back gives a pointer to the same allocation as long as that lives.
unsafe impl<const VALUED: bool> Pointer for Cell<VALUED> {
    #[inline]
    fn to_bits(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    #[inline]
    unsafe fn from_bits(bits: u64) -> Self {
        // SAFETY: the caller passes bits that `to_bits` gave, which are not 0.
        Cell(unsafe { NonNull::new_unchecked(std::ptr::with_exposed_provenance_mut(bits as usize)) })
    }
}

/// Where the parts of a cell are.
#[derive(Clone, Copy)]
struct Shape {
    /// Offset and length of the key.
    key_at: usize,
    key_len: usize,
    /// Length of a value in the cell.
    value_len: usize,
    /// Whether the value is in an allocation of its own; its pointer stands before the key then.
    separate: bool,
}

impl Shape {
    /// The shape a cell for these lengths gets.
    fn of<const VALUED: bool>(key_len: usize, value_len: usize) -> Self {
        if !VALUED {
            return Shape {
                key_at: varint_size(key_len),
                key_len,
                value_len: 0,
                separate: false,
            };
        }
        let separate = value_len > INLINE_VALUE;
        let head = varint_size(key_len << FLAG_BITS);
        let before_key = if separate { POINTER } else { varint_size(value_len) };
        Shape {
            key_at: head + before_key,
            key_len,
            value_len: if separate { 0 } else { value_len },
            separate,
        }
    }

    fn size(self) -> usize {
        self.key_at + self.key_len + self.value_len
    }

    /// The allocation of a cell of this shape.
    fn layout(self) -> Layout {
        Layout::from_size_align(size_class(self.size()), 1).expect("cell: no larger than two strings")
    }
}

fn varint_size(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// Seven bits a byte, least significant first; a set top bit says that more follow.
fn write_varint(mut value: usize, out: &mut [u8; VARINT]) -> &[u8] {
    let mut size = 0;
    while value >= 0x80 {
        out[size] = value as u8 | 0x80;
        value >>= 7;
        size += 1;
    }
    out[size] = value as u8;
    &out[..=size]
}

impl<const VALUED: bool> Cell<VALUED> {
    fn new(key: &[u8], value: &[u8]) -> Self {
        let shape = Shape::of::<VALUED>(key.len(), value.len());
        let layout = shape.layout();
        // SAFETY: the layout's size is a size class, the least of which is 8.
        let pointer = unsafe { alloc(layout) };
        let Some(pointer) = NonNull::new(pointer) else {
            handle_alloc_error(layout)
        };
        let cell = Cell(pointer);
        let mut room = [0; VARINT];
        // SAFETY: the cell is new, nobody else has it, and `size()` bytes of it are there: the writes below are the
        // parts that `size()` is the sum of, at their offsets.
        unsafe {
            if VALUED {
                let flags = if shape.separate { SEPARATE } else { 0 };
                let head = write_varint(key.len() << FLAG_BITS | flags, &mut room);
                cell.write(0, head);
                let behind_head = head.len();
                if shape.separate {
                    cell.write_separate(behind_head, value);
                } else {
                    cell.write(behind_head, write_varint(value.len(), &mut room));
                    cell.write(shape.key_at + key.len(), value);
                }
            } else {
                cell.write(0, write_varint(key.len(), &mut room));
            }
            cell.write(shape.key_at, key);
        }
        cell
    }

    /// # Safety
    /// The cell is alive, not borrowed, and at least `at + bytes.len()` long.
    #[inline]
    unsafe fn write(self, at: usize, bytes: &[u8]) {
        // SAFETY: within the allocation by the caller's promise; `bytes` is a borrow of something else.
        unsafe {
            self.0
                .add(at)
                .copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len())
        }
    }

    /// Puts a copy of `value` on the heap and its pointer at offset `at`.
    ///
    /// # Safety
    /// The cell is alive, not borrowed, and at least `at + POINTER` long.
    unsafe fn write_separate(self, at: usize, value: &[u8]) {
        let value: Box<[u8]> = value.into();
        // SAFETY: within the allocation by the caller's promise; unaligned writes need nothing else.
        unsafe { self.0.add(at).cast::<*mut [u8]>().write_unaligned(Box::into_raw(value)) }
    }

    /// The varint at offset `at`, and its size.
    ///
    /// # Safety
    /// The cell is alive and has a varint there.
    #[inline]
    unsafe fn varint(self, at: usize) -> (usize, usize) {
        let (mut value, mut size) = (0, 0);
        loop {
            // SAFETY: varints end with a byte whose top bit is clear, and this one has not ended yet.
            let byte = unsafe { self.0.add(at + size).read() };
            value |= usize::from(byte & 0x7F) << (7 * size);
            size += 1;
            if byte & 0x80 == 0 {
                return (value, size);
            }
        }
    }

    /// # Safety
    /// The cell is alive.
    #[inline]
    unsafe fn shape(self) -> Shape {
        // SAFETY: cells begin with a varint.
        let (head, size) = unsafe { self.varint(0) };
        if !VALUED {
            return Shape {
                key_at: size,
                key_len: head,
                value_len: 0,
                separate: false,
            };
        }
        let key_len = head >> FLAG_BITS;
        if head & SEPARATE != 0 {
            return Shape {
                key_at: size + POINTER,
                key_len,
                value_len: 0,
                separate: true,
            };
        }
        // SAFETY: with the flag clear, a second varint follows the first.
        let (value_len, value_size) = unsafe { self.varint(size) };
        Shape {
            key_at: size + value_size,
            key_len,
            value_len,
            separate: false,
        }
    }

    /// # Safety
    /// The cell stays alive and unchanged as long as `'a`.
    #[inline]
    unsafe fn key<'a>(self) -> &'a [u8] {
        // SAFETY: the cell is alive, and a key of this length stands at this offset since `new`.
        unsafe {
            let shape = self.shape();
            slice::from_raw_parts(self.0.as_ptr().add(shape.key_at), shape.key_len)
        }
    }

    /// # Safety
    /// The cell stays alive and unchanged as long as `'a`.
    #[inline]
    unsafe fn value<'a>(self) -> &'a [u8] {
        // SAFETY: the cell is alive; its value follows the key, or is what the pointer before the key points to, which
        // is freed with the cell or when rewritten, both of which the caller rules out.
        unsafe {
            let shape = self.shape();
            if shape.separate {
                return &*self.separate_value(shape);
            }
            slice::from_raw_parts(self.0.as_ptr().add(shape.key_at + shape.key_len), shape.value_len)
        }
    }

    /// # Safety
    /// The cell is alive and of this shape, which has a separate value.
    unsafe fn separate_value(self, shape: Shape) -> *mut [u8] {
        // SAFETY: such cells have the value's pointer right before the key.
        unsafe { self.0.add(shape.key_at - POINTER).cast::<*mut [u8]>().read_unaligned() }
    }

    /// Puts `value` in the place of the old one without moving the cell, if it fits its shape.
    ///
    /// # Safety
    /// The cell is alive and not borrowed.
    unsafe fn overwrite(self, value: &[u8]) -> bool {
        // SAFETY: the cell is alive.
        let old = unsafe { self.shape() };
        let new = Shape::of::<VALUED>(old.key_len, value.len());
        if old.separate != new.separate || old.key_at != new.key_at || old.layout() != new.layout() {
            return false;
        }
        let mut room = [0; VARINT];
        let length = write_varint(value.len(), &mut room);
        // SAFETY: the cell is alive and nobody has a borrow of it. Separate: the old pointer came from a box
        // and is replaced at once. Otherwise the new shape puts its parts where the old one did, within the
        // same allocation: the length's varint, of the same size as `key_at` is the same, right before the key.
        unsafe {
            if old.separate {
                drop(Box::from_raw(self.separate_value(old)));
                self.write_separate(old.key_at - POINTER, value);
            } else {
                self.write(new.key_at - length.len(), length);
                self.write(new.key_at + new.key_len, value);
            }
        }
        true
    }

    /// # Safety
    /// The cell is alive, not borrowed, and not used any more.
    unsafe fn free(self) {
        // SAFETY: the shape, hence the layout, is the one the cell was allocated with: values are overwritten only within
        // one layout. A separate value's pointer came from a box that nothing else frees.
        unsafe {
            let shape = self.shape();
            if shape.separate {
                drop(Box::from_raw(self.separate_value(shape)));
            }
            dealloc(self.0.as_ptr(), shape.layout());
        }
    }

    /// Bytes on the heap.
    ///
    /// # Safety
    /// The cell is alive.
    unsafe fn memory(self) -> usize {
        // SAFETY: the cell is alive, and so is its value.
        unsafe {
            let shape = self.shape();
            let separate = if shape.separate {
                size_class(self.value().len())
            } else {
                0
            };
            shape.layout().size() + separate
        }
    }
}

/// The hash of a cell of a table, for when the table moves it.
#[inline]
fn rehash<const VALUED: bool>(cell: Cell<VALUED>) -> u64 {
    // SAFETY: only a table's own cells are rehashed, within one of its methods, and those are alive.
    hash_bytes(unsafe { cell.key() })
}

/// Entries looked at to estimate the memory of all.
const MEMORY_SAMPLE: usize = 64;

/// A table of byte strings, with byte strings as values when `VALUED`. (Without, values are empty and not stored.)
pub struct CellTable<const VALUED: bool> {
    table: Table<Cell<VALUED>>,
}

impl<const VALUED: bool> CellTable<VALUED> {
    pub const fn new() -> Self {
        CellTable { table: Table::new() }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    #[inline]
    fn slot(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        // SAFETY: cells in the table are alive, and `self` is borrowed meanwhile.
        self.table.find(hash, |cell| unsafe { cell.key() } == key)
    }

    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.slot(hash_bytes(key), key).is_some()
    }

    /// The value of a key. O(1).
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let slot = self.slot(hash_bytes(key), key)?;
        Some(self.entry(self.table.at(slot)).1)
    }

    /// Key and value of a cell of this table.
    #[inline]
    fn entry(&self, cell: Cell<VALUED>) -> (&[u8], &[u8]) {
        // SAFETY: private, and called with cells of this table only. They are freed or changed only through `&mut self`,
        // which the borrows returned keep away.
        unsafe { (cell.key(), if VALUED { cell.value() } else { &[] }) }
    }

    /// Sets the value of a key; true when the key is new. O(1).
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> bool {
        let hash = hash_bytes(key);
        let Some(slot) = self.slot(hash, key) else {
            self.table.insert(hash, Cell::new(key, value), rehash);
            return true;
        };
        if VALUED {
            self.rewrite(slot, key, value);
        }
        false
    }

    fn rewrite(&mut self, slot: Slot, key: &[u8], value: &[u8]) {
        // SAFETY: cells in the table are alive, and `&mut self` rules out borrows.
        if unsafe { self.table.at(slot).overwrite(value) } {
            return;
        }
        let old = self.table.replace(slot, Cell::new(key, value));
        // SAFETY: the cell is out of the table, and `&mut self` rules out borrows.
        unsafe { old.free() };
    }

    /// Removes a key; false when it was not there. O(1).
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some(slot) = self.slot(hash_bytes(key), key) else {
            return false;
        };
        let cell = self.table.remove(slot);
        // SAFETY: the cell is out of the table, and `&mut self` rules out borrows.
        unsafe { cell.free() };
        true
    }

    /// Removes a random entry, each as likely as another, once `f` has looked at its key. O(1).
    pub fn pop_with<R>(&mut self, rng: &mut impl FnMut() -> u64, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let chosen = self.table.random(rng)?;
        let slot = self.table.find(rehash(chosen), |cell| cell == chosen)?;
        let result = f(self.entry(chosen).0);
        let cell = self.table.remove(slot);
        // SAFETY: the cell is out of the table, and `&mut self` rules out borrows.
        unsafe { cell.free() };
        Some(result)
    }

    /// A random entry, each as likely as another. O(1).
    pub fn random(&self, rng: &mut impl FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        Some(self.entry(self.table.random(rng)?))
    }

    /// All entries, in no order to rely on.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.table.iter().map(|cell| self.entry(cell))
    }

    /// A few entries at a time, with the guarantees of SCAN: see [`Table::scan`].
    pub fn scan(&self, cursor: u64, mut f: impl FnMut(&[u8], &[u8])) -> u64 {
        self.table.scan(cursor, |cell| {
            let (key, value) = self.entry(cell);
            f(key, value);
        })
    }

    /// Frees about `most` entries; true when the table is empty. For taking large tables apart in slices.
    pub fn free_step(&mut self, most: usize) -> bool {
        // SAFETY: cells that `drain_step` gives are out of the table, and `&mut self` rules out borrows.
        self.table.drain_step(most, |cell| unsafe { cell.free() })
    }

    /// Bytes on the heap, the cells' estimated from some of them when there are many.
    pub fn memory(&self) -> usize {
        let sampled = self.len().min(MEMORY_SAMPLE);
        // SAFETY: cells in the table are alive.
        let bytes: usize = self
            .table
            .iter()
            .take(sampled)
            .map(|cell| unsafe { cell.memory() })
            .sum();
        self.table.memory() + bytes * self.len() / sampled.max(1)
    }
}

impl<const VALUED: bool> Clone for CellTable<VALUED> {
    fn clone(&self) -> Self {
        let mut copy = CellTable::new();
        for (key, value) in self.iter() {
            copy.table.insert(hash_bytes(key), Cell::new(key, value), rehash);
        }
        copy
    }
}

impl<const VALUED: bool> Drop for CellTable<VALUED> {
    fn drop(&mut self) {
        while !self.free_step(usize::MAX) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;
    use std::collections::HashMap;

    #[test]
    fn edits_follow_a_map() {
        for seed in 0..4 {
            let mut rng = Rng::new(seed);
            let (mut table, mut model) = (CellTable::<true>::new(), HashMap::<Vec<u8>, Vec<u8>>::new());
            for _ in 0..30_000 {
                let mut key = rng.text();
                key.extend_from_slice(rng.below(200).to_string().as_bytes());
                match rng.below(4) {
                    0 => assert_eq!(table.remove(&key), model.remove(&key).is_some()),
                    1 => assert_eq!(table.get(&key), model.get(&key).map(Vec::as_slice)),
                    _ => {
                        let value = if rng.chance(4) {
                            vec![b'v'; rng.below(600)]
                        } else {
                            rng.text()
                        };
                        assert_eq!(table.insert(&key, &value), model.insert(key, value).is_none());
                    }
                }
                assert_eq!(table.len(), model.len());
            }
            assert!(
                table
                    .iter()
                    .all(|(key, value)| model.get(key).is_some_and(|other| other == value))
            );
            assert_eq!(table.iter().count(), model.len());
            while !table.free_step(7) {}
            assert!(table.is_empty());
        }
    }

    #[test]
    fn a_value_of_any_length_replaces_one_of_any_other() {
        let mut table = CellTable::<true>::new();
        let lengths = [0, 1, 5, 126, 127, 128, 129, 255, 256, 257, 300, 5000];
        for from in lengths {
            for to in lengths {
                table.insert(b"field", &vec![b'a'; from]);
                assert!(!table.insert(b"field", &vec![b'b'; to]));
                assert_eq!(table.get(b"field"), Some(vec![b'b'; to].as_slice()));
            }
        }
    }

    #[test]
    fn keys_of_every_length_are_found() {
        let mut table = CellTable::<false>::new();
        let lengths = [0, 1, 31, 32, 127, 128, 4095, 4096, 16383, 16384, 100_000];
        lengths
            .iter()
            .for_each(|&length| assert!(table.insert(&vec![b'k'; length], b"")));
        lengths
            .iter()
            .for_each(|&length| assert!(table.contains(&vec![b'k'; length])));
        assert!(!table.contains(&[b'k'; 2]));
    }

    #[test]
    fn popping_takes_every_entry_once() {
        let mut rng = Rng::new(5);
        let mut table = CellTable::<false>::new();
        (0..1_000).for_each(|n| assert!(table.insert(format!("member:{n}").as_bytes(), b"")));
        let mut seen = std::collections::HashSet::new();
        while let Some(member) = table.pop_with(&mut || rng.next(), <[u8]>::to_vec) {
            assert!(seen.insert(member));
        }
        assert_eq!(seen.len(), 1_000);
        assert!(table.random(&mut || rng.next()).is_none());
    }

    #[test]
    fn small_entries_take_their_bytes_and_little_more() {
        let mut table = CellTable::<false>::new();
        (100_000..101_000).for_each(|n| assert!(table.insert(format!("member:{n}").as_bytes(), b"")));
        assert!(table.memory() <= 1_000 * (16 + 14), "{}", table.memory());
    }
}
