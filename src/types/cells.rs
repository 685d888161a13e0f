//! A hash table that owns its entries: the members of a large set, or the fields and values of a large hash.
//!
//! An entry is one *cell*, one thin allocation: lengths as varints, then the bytes. A member of 13 bytes takes 14, so a
//! class of 16; with a length word and a reference count, or with a pointer each to field and value, it would
//! take three times that. The table keeps eight bytes and a tag for each ([`Table`]).
//!
//! ```text
//! set:   | varint length             | member |
//! hash:  | varint length << 2 | flags | varint length | deadline | field | value |
//!        | varint length << 2 | flags | pointer, length | deadline | field |       value > 256 bytes: on its own
//! ```
//!
//! Flag 2 says that the value stands in an allocation of its own, so that rewriting a long value does not rewrite the
//! field and the other way round. Flag 1 says that the field has a deadline: six bytes of Unix time in milliseconds before
//! its own bytes. A field without one has no room for it either.
//!
//! Cells are allocated in whole size classes of the allocator; the class follows from the lengths, so freeing needs no
//! stored capacity, and a value may change its length within the class without moving the cell.
//!
//! All unsafe code of sets and hashes is here. What makes it sound: a cell is reachable only from the one table that
//! made it, is read through borrows of that table, and is freed only when taken out through `&mut`.
#![allow(unsafe_code)]

use crate::hashing::hash_bytes;
use crate::memory::size_class;
use crate::table::{Lines, Pointer, Slot, Table};
use crate::timer::Millis;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::slice;

/// The longest value kept in its field's cell.
const INLINE_VALUE: usize = 256;
/// The flag of a field with a deadline.
const TIMED: usize = 1;
/// The flag of a value in an allocation of its own.
const SEPARATE: usize = 2;
/// Bytes of a deadline: enough for the next 8900 years.
const DEADLINE: usize = 6;
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
    /// Whether the value is in an allocation of its own; its pointer stands before the key and its deadline then.
    separate: bool,
    /// Whether a deadline stands right before the key.
    timed: bool,
}

impl Shape {
    /// The shape a cell for these lengths gets.
    fn of<const VALUED: bool>(key_len: usize, value_len: usize, timed: bool) -> Self {
        if !VALUED {
            return Shape {
                key_at: varint_size(key_len),
                key_len,
                value_len: 0,
                separate: false,
                timed: false,
            };
        }
        let separate = value_len > INLINE_VALUE;
        let head = varint_size(key_len << FLAG_BITS);
        let before_key = if separate { POINTER } else { varint_size(value_len) };
        Shape {
            key_at: head + before_key + DEADLINE * usize::from(timed),
            key_len,
            value_len: if separate { 0 } else { value_len },
            separate,
            timed,
        }
    }

    /// Offset of the deadline, or where one would be: where the value's length or pointer ends.
    fn deadline_at(self) -> usize {
        self.key_at - DEADLINE * usize::from(self.timed)
    }

    /// The same cell with or without a deadline.
    fn with_deadline(self, timed: bool) -> Self {
        Shape {
            key_at: self.deadline_at() + DEADLINE * usize::from(timed),
            timed,
            ..self
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
    /// An allocation for a cell of this shape, with nothing in it yet.
    fn allocate(shape: Shape) -> Self {
        let layout = shape.layout();
        // SAFETY: the layout's size is a size class, the least of which is 8.
        let pointer = unsafe { alloc(layout) };
        Cell(NonNull::new(pointer).unwrap_or_else(|| handle_alloc_error(layout)))
    }

    fn new(key: &[u8], value: &[u8], deadline: Option<Millis>) -> Self {
        let shape = Shape::of::<VALUED>(key.len(), value.len(), deadline.is_some());
        let cell = Cell::allocate(shape);
        let mut room = [0; VARINT];
        // SAFETY: the cell is new, nobody else has it, and `size()` bytes of it are there: the writes below are the
        // parts that `size()` is the sum of, at their offsets.
        unsafe {
            if VALUED {
                let flags = SEPARATE * usize::from(shape.separate) + TIMED * usize::from(shape.timed);
                let head = write_varint(key.len() << FLAG_BITS | flags, &mut room);
                cell.write(0, head);
                let behind_head = head.len();
                if shape.separate {
                    cell.write_separate(behind_head, value);
                } else {
                    cell.write(behind_head, write_varint(value.len(), &mut room));
                    cell.write(shape.key_at + key.len(), value);
                }
                if let Some(deadline) = deadline {
                    cell.write_deadline(shape, deadline);
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

    /// # Safety
    /// The cell is alive, not borrowed, and of this shape, which has a deadline.
    unsafe fn write_deadline(self, shape: Shape, deadline: Millis) {
        // SAFETY: such cells have six bytes for it right before the key.
        unsafe { self.write(shape.deadline_at(), &deadline.0.to_le_bytes()[..DEADLINE]) }
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
                timed: false,
            };
        }
        let (key_len, timed) = (head >> FLAG_BITS, head & TIMED != 0);
        let deadline = DEADLINE * usize::from(timed);
        if head & SEPARATE != 0 {
            return Shape {
                key_at: size + POINTER + deadline,
                key_len,
                value_len: 0,
                separate: true,
                timed,
            };
        }
        // SAFETY: with the flag clear, a second varint follows the first.
        let (value_len, value_size) = unsafe { self.varint(size) };
        Shape {
            key_at: size + value_size + deadline,
            key_len,
            value_len,
            separate: false,
            timed,
        }
    }

    /// # Safety
    /// The cell is alive.
    #[inline]
    unsafe fn deadline(self) -> Option<Millis> {
        // SAFETY: the cell is alive; a timed one has six bytes of deadline right before its key.
        unsafe {
            let shape = self.shape();
            if !shape.timed {
                return None;
            }
            let bytes: [u8; DEADLINE] = self.0.add(shape.deadline_at()).cast().read();
            let mut wide = [0; 8];
            wide[..DEADLINE].copy_from_slice(&bytes);
            Some(Millis(i64::from_le_bytes(wide)))
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
        // SAFETY: the cell is alive; its value follows the key, or is what the pointer before them points to, which
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
        // SAFETY: such cells have the value's pointer right before the key and its deadline.
        unsafe {
            self.0
                .add(shape.deadline_at() - POINTER)
                .cast::<*mut [u8]>()
                .read_unaligned()
        }
    }

    /// Puts `value` in the place of the old one without moving the cell, if it fits its shape.
    ///
    /// # Safety
    /// The cell is alive and not borrowed.
    unsafe fn overwrite(self, value: &[u8]) -> bool {
        // SAFETY: the cell is alive.
        let old = unsafe { self.shape() };
        if !old.separate && value.len() == old.value_len {
            // SAFETY: the cell is alive, nobody has a borrow of it, and the value's bytes stand behind the key.
            unsafe { self.write(old.key_at + old.key_len, value) };
            return true;
        }
        let new = Shape::of::<VALUED>(old.key_len, value.len(), old.timed);
        if old.separate != new.separate || old.key_at != new.key_at || old.layout() != new.layout() {
            return false;
        }
        let mut room = [0; VARINT];
        let length = write_varint(value.len(), &mut room);
        // SAFETY: the cell is alive and nobody has a borrow of it. Separate: the old pointer came from a box
        // and is replaced at once. Otherwise the new shape puts its parts where the old one did, within the
        // same allocation: the length's varint, of the same size as `key_at` is the same, before the key and its deadline.
        unsafe {
            if old.separate {
                drop(Box::from_raw(self.separate_value(old)));
                self.write_separate(old.deadline_at() - POINTER, value);
            } else {
                self.write(new.deadline_at() - length.len(), length);
                self.write(new.key_at + new.key_len, value);
            }
        }
        true
    }

    /// Sets or clears the deadline and gives the cell in its place, which is another if there was no room for a deadline
    /// or is no need for it any more; the value is not copied if it is on its own.
    ///
    /// # Safety
    /// The cell is alive, not borrowed, and used no more if the result is another.
    unsafe fn with_deadline(self, deadline: Option<Millis>) -> Self {
        // SAFETY: the cell is alive and nobody has a borrow of it. A cell of the new shape has the same parts with the same
        // lengths, the head included, as a flag does not change a varint's size; the old cell's allocation is given
        // back without its separate value, which the new one owns.
        unsafe {
            let old = self.shape();
            let new = old.with_deadline(deadline.is_some());
            let cell = match old.timed == new.timed {
                true => self,
                false => {
                    let cell = Cell::allocate(new);
                    cell.0.copy_from_nonoverlapping(self.0, old.deadline_at());
                    let head = cell.0.read();
                    cell.0.write(head ^ TIMED as u8);
                    let rest = old.key_len + old.value_len;
                    cell.0
                        .add(new.key_at)
                        .copy_from_nonoverlapping(self.0.add(old.key_at), rest);
                    dealloc(self.0.as_ptr(), old.layout());
                    cell
                }
            };
            if let Some(deadline) = deadline {
                cell.write_deadline(new, deadline);
            }
            cell
        }
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

    /// The table, to prefetch keys that will be looked up.
    #[inline]
    pub fn lines(&self) -> Lines<'_> {
        self.table.lines()
    }

    #[inline]
    fn slot(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        // SAFETY: cells in the table are alive, and `self` is borrowed meanwhile.
        self.table.find(hash, |cell| unsafe { cell.key() } == key)
    }

    /// The cell of a key.
    #[inline]
    fn cell(&self, key: &[u8]) -> Option<Cell<VALUED>> {
        // SAFETY: as in `slot`.
        self.table.get(hash_bytes(key), |cell| unsafe { cell.key() } == key)
    }

    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.cell(key).is_some()
    }

    /// The value of a key. O(1).
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.cell(key).map(|cell| self.entry(cell).1)
    }

    /// Key and value of a cell of this table.
    #[inline]
    fn entry(&self, cell: Cell<VALUED>) -> (&[u8], &[u8]) {
        // SAFETY: private, and called with cells of this table only. They are freed or changed only through `&mut self`,
        // which the borrows returned keep away.
        unsafe { (cell.key(), if VALUED { cell.value() } else { &[] }) }
    }

    /// Sets the value of a key, whose deadline stays; true when the key is new. O(1).
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> bool {
        let hash = hash_bytes(key);
        let Some(slot) = self.slot(hash, key) else {
            self.table.insert(hash, Cell::new(key, value, None), rehash);
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
        let deadline = self.deadline(self.table.at(slot));
        let old = self.table.replace(slot, Cell::new(key, value, deadline));
        // SAFETY: the cell is out of the table, and `&mut self` rules out borrows.
        unsafe { old.free() };
    }

    /// Removes a key; false when it was not there. O(1).
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some(slot) = self.slot(hash_bytes(key), key) else {
            return false;
        };
        self.remove_slot(slot);
        true
    }

    /// Frees the cell in a slot.
    fn remove_slot(&mut self, slot: Slot) {
        let cell = self.table.remove(slot);
        // SAFETY: the cell is out of the table, and `&mut self` rules out borrows.
        unsafe { cell.free() };
    }

    /// Removes a random entry, each as likely as another, once `f` has looked at its key. O(1).
    pub fn pop_with<R>(&mut self, rng: &mut impl FnMut() -> u64, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let chosen = self.table.random(rng)?;
        let slot = self.table.find(rehash(chosen), |cell| cell == chosen)?;
        let result = f(self.entry(chosen).0);
        self.remove_slot(slot);
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

/// Deadlines of fields. The table only keeps them; what they mean is up to its owner.
impl<const VALUED: bool> CellTable<VALUED> {
    /// The deadline of a cell of this table.
    #[inline]
    fn deadline(&self, cell: Cell<VALUED>) -> Option<Millis> {
        // SAFETY: private, and called with cells of this table only, which are alive.
        unsafe { cell.deadline() }
    }

    #[inline]
    fn timed_entry(&self, cell: Cell<VALUED>) -> (&[u8], &[u8], Option<Millis>) {
        let (key, value) = self.entry(cell);
        (key, value, self.deadline(cell))
    }

    /// The value of a key and its deadline. O(1).
    pub fn get_timed(&self, key: &[u8]) -> Option<(&[u8], Option<Millis>)> {
        let (_, value, deadline) = self.timed_entry(self.cell(key)?);
        Some((value, deadline))
    }

    /// Sets or clears the deadline of a key, which must be from 0 to 2^48 - 1; gives the one before, `None` if there is no such
    /// key. O(1).
    pub fn set_deadline(&mut self, key: &[u8], deadline: Option<Millis>) -> Option<Option<Millis>> {
        debug_assert!(deadline.is_none_or(|at| (0..1 << (8 * DEADLINE)).contains(&at.0)));
        let slot = self.slot(hash_bytes(key), key)?;
        let cell = self.table.at(slot);
        let old = self.deadline(cell);
        // SAFETY: cells in the table are alive, `&mut self` rules out borrows, and the table gets the new one at once.
        let new = unsafe { cell.with_deadline(deadline) };
        if new != cell {
            self.table.replace(slot, new);
        }
        Some(old)
    }

    fn timed_slot(&self, hash: u64, deadline: Millis) -> Option<Slot> {
        self.table.find(hash, |cell| {
            self.deadline(cell) == Some(deadline) && rehash(cell) == hash
        })
    }

    /// Whether a key with this hash has this deadline. O(1).
    pub fn has_timed(&self, hash: u64, deadline: Millis) -> bool {
        self.timed_slot(hash, deadline).is_some()
    }

    /// Removes a key with this hash and this deadline once `tell` has looked at it; false if there is none. O(1).
    pub fn remove_timed(&mut self, hash: u64, deadline: Millis, tell: impl FnOnce(&[u8])) -> bool {
        let Some(slot) = self.timed_slot(hash, deadline) else {
            return false;
        };
        tell(self.entry(self.table.at(slot)).0);
        self.remove_slot(slot);
        true
    }

    /// All entries with their deadlines, in no order to rely on.
    pub fn iter_timed(&self) -> impl Iterator<Item = (&[u8], &[u8], Option<Millis>)> {
        self.table.iter().map(|cell| self.timed_entry(cell))
    }

    /// [`CellTable::random`] with the deadline.
    pub fn random_timed(&self, rng: &mut impl FnMut() -> u64) -> Option<(&[u8], &[u8], Option<Millis>)> {
        Some(self.timed_entry(self.table.random(rng)?))
    }

    /// [`CellTable::scan`] with the deadlines.
    pub fn scan_timed(&self, cursor: u64, mut f: impl FnMut(&[u8], &[u8], Option<Millis>)) -> u64 {
        self.table.scan(cursor, |cell| {
            let (key, value, deadline) = self.timed_entry(cell);
            f(key, value, deadline);
        })
    }
}

impl<const VALUED: bool> Clone for CellTable<VALUED> {
    fn clone(&self) -> Self {
        let mut copy = CellTable::new();
        for (key, value, deadline) in self.iter_timed() {
            copy.table
                .insert(hash_bytes(key), Cell::new(key, value, deadline), rehash);
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
    fn deadlines_follow_a_map_and_leave_values_alone() {
        for seed in 0..4 {
            let mut rng = Rng::new(seed);
            let mut table = CellTable::<true>::new();
            let mut model = HashMap::<Vec<u8>, (Vec<u8>, Option<Millis>)>::new();
            for _ in 0..20_000 {
                let mut key = vec![b'k'; [0, 1, 40, 5000][rng.below(4)]];
                key.extend_from_slice(rng.below(60).to_string().as_bytes());
                let deadline = (!rng.chance(3)).then(|| Millis((rng.next() >> 16) as i64));
                match rng.below(6) {
                    0 => {
                        let known = model.remove(&key);
                        let deadline = table.get_timed(&key).map(|(_, deadline)| deadline);
                        assert_eq!(deadline, known.as_ref().map(|(_, deadline)| *deadline));
                        assert_eq!(table.remove(&key), known.is_some());
                    }
                    1 => {
                        if let Some((_, Some(deadline))) = model.get(&key) {
                            let (hash, deadline) = (hash_bytes(&key), *deadline);
                            assert!(!table.has_timed(hash, Millis(deadline.0 ^ 1)));
                            assert!(table.has_timed(hash, deadline));
                            assert!(table.remove_timed(hash, deadline, |told| assert_eq!(told, key)));
                            assert!(!table.has_timed(hash, deadline));
                            assert!(!table.remove_timed(hash, deadline, |_| panic!("there is none")));
                            model.remove(&key);
                        }
                    }
                    2 | 3 => {
                        let known = model.get_mut(&key);
                        let old = known.map(|(_, known)| std::mem::replace(known, deadline));
                        assert_eq!(table.set_deadline(&key, deadline), old);
                    }
                    _ => {
                        let value = vec![b'v'; [0, 1, 200, 256, 257, 3000][rng.below(6)] + rng.below(3)];
                        table.insert(&key, &value);
                        model.entry(key.clone()).or_default().0 = value;
                    }
                }
                let known = model.get(&key).map(|(value, deadline)| (value.as_slice(), *deadline));
                assert_eq!(table.get_timed(&key), known);
            }
            for table in [table.clone(), table] {
                assert_eq!(table.iter_timed().count(), model.len());
                for (key, value, deadline) in table.iter_timed() {
                    assert_eq!(model.get(key), Some(&(value.to_vec(), deadline)));
                }
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
