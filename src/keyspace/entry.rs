//! One key and its value in one allocation.
//!
//! ```text
//! +------+------+------+-------+-------+----------+-----------+-----+---------------+
//! | kind | klen | vlen | clock | armed | deadline | long lens | key | value         |
//! | 1    | 1    | 1    | 3     | 2     | 0 or 8   | 0 or 8    |     | bytes, int or |
//! |      |      |      |       |       |          |           |     | pointer       |
//! +------+------+------+-------+-------+----------+-----------+-----+---------------+
//! ```
//!
//! A small key costs its bytes, its value's bytes and a header of eight: with a pointer per object, as Redis has it, the
//! same key costs three allocations' worth of rounding and two more cache misses a read. Small lists, hashes, sets and
//! sorted sets live in the same allocation as packed bytes; larger values stand behind a pointer.
//!
//! - `kind`: a [`Kind`] in the low bits, and two flags: a deadline follows, long lengths follow.
//! - `klen`, `vlen`: lengths up to 254; past that both stand in the long lengths, as two 32-bit numbers.
//! - `clock`: the 24-bit LRU or LFU clock, as `maxmemory-policy` has it.
//! - `armed`: where on the timer wheel this key's item stands (see [`super::expiry`]), and in which round of the wheel's
//!   sweep it was last seen there.
//!
//! Nothing is aligned behind the header, so every number is read with an unaligned load.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;

use crate::memory::size_class;
use crate::table::{Lines, Pointer};
use crate::timer::{Millis, Place};
use crate::types::hash::{TimedHash, timed_packed};
use crate::types::listpack::Listpack;

/// What an entry's value is: the type and how it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Bytes in the entry.
    Str,
    /// Bytes in the entry that were edited in place (APPEND, SETRANGE), which `OBJECT ENCODING` calls raw at any length.
    StrEdited,
    /// A signed 64-bit integer in the entry.
    Int,
    /// Bytes in a buffer of their own, which grows without moving the entry.
    StrHeap,
    ListPacked,
    List,
    SetInts,
    SetPacked,
    Set,
    /// The pairs of [`crate::types::hash::packed`]; where other collections are packed they are as in files.
    HashPacked,
    Hash,
    /// A hash some fields of which may have deadlines.
    HashTimedPacked,
    HashTimed,
    ZsetPacked,
    Zset,
    Stream,
    VectorSet,
}

const KINDS: [Kind; 17] = [
    Kind::Str,
    Kind::StrEdited,
    Kind::Int,
    Kind::StrHeap,
    Kind::ListPacked,
    Kind::List,
    Kind::SetInts,
    Kind::SetPacked,
    Kind::Set,
    Kind::HashPacked,
    Kind::Hash,
    Kind::HashTimedPacked,
    Kind::HashTimed,
    Kind::ZsetPacked,
    Kind::Zset,
    Kind::Stream,
    Kind::VectorSet,
];

/// The type of a value, as `TYPE` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    String,
    List,
    Set,
    Hash,
    Zset,
    Stream,
    VectorSet,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::Hash => "hash",
            Type::Zset => "zset",
            Type::Stream => "stream",
            Type::VectorSet => "vectorset",
        }
    }
}

impl Kind {
    pub fn value_type(self) -> Type {
        match self {
            Kind::Str | Kind::StrEdited | Kind::Int | Kind::StrHeap => Type::String,
            Kind::ListPacked | Kind::List => Type::List,
            Kind::SetInts | Kind::SetPacked | Kind::Set => Type::Set,
            Kind::HashPacked | Kind::Hash | Kind::HashTimedPacked | Kind::HashTimed => Type::Hash,
            Kind::ZsetPacked | Kind::Zset => Type::Zset,
            Kind::Stream => Type::Stream,
            Kind::VectorSet => Type::VectorSet,
        }
    }

    /// Whether this is a hash whose fields may have deadlines.
    #[inline]
    pub fn has_field_deadlines(self) -> bool {
        matches!(self, Kind::HashTimedPacked | Kind::HashTimed)
    }

    /// Whether the value stands behind a pointer.
    pub fn is_boxed(self) -> bool {
        match self {
            Kind::StrHeap
            | Kind::List
            | Kind::Set
            | Kind::Hash
            | Kind::HashTimed
            | Kind::Zset
            | Kind::Stream
            | Kind::VectorSet => true,
            Kind::Str
            | Kind::StrEdited
            | Kind::Int
            | Kind::ListPacked
            | Kind::SetInts
            | Kind::SetPacked
            | Kind::HashPacked
            | Kind::HashTimedPacked
            | Kind::ZsetPacked => false,
        }
    }
}

/// A value that stands behind a pointer.
pub trait Boxed: 'static {
    const KIND: Kind;

    /// Elements still held: what freeing it will cost.
    fn elements(&self) -> usize;

    /// Frees about `max` elements; true when nothing is left.
    fn free_step(&mut self, max: usize) -> bool;

    /// Bytes held beside the structure itself.
    fn heap_bytes(&self) -> usize;
}

impl Boxed for Vec<u8> {
    const KIND: Kind = Kind::StrHeap;

    fn elements(&self) -> usize {
        1
    }

    fn free_step(&mut self, _max: usize) -> bool {
        true
    }

    fn heap_bytes(&self) -> usize {
        size_class(self.capacity())
    }
}

/// The types that stand behind a pointer once they are too large to be packed.
macro_rules! boxed_types {
    ($($type:ty => $kind:ident,)+) => {$(
        impl Boxed for $type {
            const KIND: Kind = Kind::$kind;

            fn elements(&self) -> usize {
                self.len() as usize
            }

            fn free_step(&mut self, max: usize) -> bool {
                self.free_step(max)
            }

            fn heap_bytes(&self) -> usize {
                self.memory()
            }
        }
    )+};
}

boxed_types! {
    crate::types::list::List => List,
    crate::types::set::Set => Set,
    crate::types::hash::Hash => Hash,
    TimedHash => HashTimed,
    crate::types::zset::Zset => Zset,
    crate::types::stream::Stream => Stream,
    crate::types::vector_set::VectorSet => VectorSet,
}

/// A boxed value of any type, on its way to be freed.
pub trait Condemned {
    fn elements(&self) -> usize;
    fn free_step(&mut self, max: usize) -> bool;
}

impl<T: Boxed> Condemned for T {
    fn elements(&self) -> usize {
        Boxed::elements(self)
    }

    fn free_step(&mut self, max: usize) -> bool {
        Boxed::free_step(self, max)
    }
}

/// Up to this many bytes a string lives in its key's entry; above, in a buffer of its own that grows by itself.
pub const STRING_INLINE_MAX: usize = 1024;
/// A consumer group goes without its stream when it is destroyed, and may have millions of entries pending.
impl Condemned for crate::types::stream::Group {
    fn elements(&self) -> usize {
        self.elements()
    }

    fn free_step(&mut self, max: usize) -> bool {
        self.free_step(max)
    }
}

const HEADER: usize = 8;
const HAS_DEADLINE: u8 = 1 << 6;
const LONG: u8 = 1 << 7;
const KIND_MASK: u8 = 0x1f;
const SHORT_MAX: usize = 254;
/// The bits of `armed` that hold the place, unless it is none; above them one of two marks, or neither.
const PLACE_MASK: u16 = (1 << 14) - 1;
const SWEPT_MARKS: [u16; 2] = [1 << 14, 1 << 15];

/// What a new entry holds.
pub enum NewValue<'a> {
    Int(i64),
    Str(&'a [u8]),
    /// A string or packed value of the given in-entry kind.
    Inline(Kind, &'a [u8]),
    Boxed(Kind, BoxedPointer),
}

/// A pointer made from a `Box<T: Boxed>`, on its way into an entry.
pub struct BoxedPointer(u64);

impl<'a> NewValue<'a> {
    pub fn boxed<T: Boxed>(value: Box<T>) -> NewValue<'a> {
        NewValue::Boxed(T::KIND, BoxedPointer(Box::into_raw(value) as u64))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            NewValue::Int(_) => Kind::Int,
            NewValue::Str(_) => Kind::Str,
            NewValue::Inline(kind, _) | NewValue::Boxed(kind, _) => *kind,
        }
    }

    fn len(&self) -> usize {
        match self {
            NewValue::Int(_) | NewValue::Boxed(..) => 8,
            NewValue::Str(bytes) | NewValue::Inline(_, bytes) => bytes.len(),
        }
    }
}

/// The earlier of two deadlines, each of which may be none.
#[inline]
pub(super) fn earliest(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A thin pointer to an entry, as the table stores it. Copying it does not copy the entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryPointer(NonNull<u8>);

// SAFETY: entries come from the allocator, so the address is not null; user-space addresses are below 2^48 on every
// platform this builds for, which `create` asserts.
unsafe impl Pointer for EntryPointer {
    fn to_bits(self) -> u64 {
        self.0.as_ptr() as u64
    }

    unsafe fn from_bits(bits: u64) -> Self {
        // SAFETY: the caller gives bits that `to_bits` made.
        EntryPointer(unsafe { NonNull::new_unchecked(bits as *mut u8) })
    }
}

/// How the parts of an entry lie, computed from its header.
#[derive(Clone, Copy)]
struct Parts {
    deadline: bool,
    long: bool,
    key_len: usize,
    value_len: usize,
}

impl Parts {
    fn new(deadline: bool, key_len: usize, value_len: usize) -> Self {
        Parts {
            deadline,
            long: key_len > SHORT_MAX || value_len > SHORT_MAX,
            key_len,
            value_len,
        }
    }

    fn lens_at(self) -> usize {
        HEADER + 8 * usize::from(self.deadline)
    }

    fn key_at(self) -> usize {
        self.lens_at() + 8 * usize::from(self.long)
    }

    fn value_at(self) -> usize {
        self.key_at() + self.key_len
    }

    fn size(self) -> usize {
        self.value_at() + self.value_len
    }

    fn layout(self) -> Layout {
        // Rounded to the class so that the same class means the same layout, and edits within it need no allocator.
        Layout::from_size_align(size_class(self.size()), 8).expect("an entry is far below isize::MAX")
    }
}

/// The methods below are safe to call on the pointer of a live entry only; this module hands out no other.
impl EntryPointer {
    fn byte(self, at: usize) -> u8 {
        // SAFETY: `at` is within the header or the parts it describes.
        unsafe { *self.0.as_ptr().add(at) }
    }

    fn put<T>(self, at: usize, value: T) {
        // SAFETY: `at` is within the entry's layout; the write is unaligned.
        unsafe { self.0.as_ptr().add(at).cast::<T>().write_unaligned(value) }
    }

    fn take<T: Copy>(self, at: usize) -> T {
        // SAFETY: `at` is within the entry's layout and holds a T written by `put`; the read is unaligned.
        unsafe { self.0.as_ptr().add(at).cast::<T>().read_unaligned() }
    }

    #[inline]
    fn parts(self) -> Parts {
        let header: [u8; 4] = self.take(0);
        let deadline = header[0] & HAS_DEADLINE != 0;
        if header[0] & LONG == 0 {
            return Parts {
                deadline,
                long: false,
                key_len: header[1].into(),
                value_len: header[2].into(),
            };
        }
        let at = HEADER + 8 * usize::from(deadline);
        let (key_len, value_len): (u32, u32) = (self.take(at), self.take(at + 4));
        Parts {
            deadline,
            long: true,
            key_len: key_len as usize,
            value_len: value_len as usize,
        }
    }

    fn slice<'a>(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: the range is within the entry's layout and initialised; the lifetime is bound by the callers.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(at), len) }
    }

    fn set_parts(self, kind: Kind, parts: Parts) {
        let flags = if parts.deadline { HAS_DEADLINE } else { 0 } | if parts.long { LONG } else { 0 };
        self.put(0, kind as u8 | flags);
        if parts.long {
            self.put(1, [255u8, 255]);
            self.put(parts.lens_at(), parts.key_len as u32);
            self.put(parts.lens_at() + 4, parts.value_len as u32);
        } else {
            self.put(1, [parts.key_len as u8, parts.value_len as u8]);
        }
    }

    /// Makes an entry. `clock` is the 24-bit LRU or LFU clock.
    pub fn create(key: &[u8], value: NewValue<'_>, deadline: Option<Millis>, clock: u32) -> EntryPointer {
        let parts = Parts::new(deadline.is_some(), key.len(), value.len());
        // SAFETY: the layout's size is not 0.
        let raw = unsafe { alloc(parts.layout()) };
        let Some(raw) = NonNull::new(raw) else {
            handle_alloc_error(parts.layout())
        };
        assert!((raw.as_ptr() as u64) < 1 << 48, "entries need addresses below 2^48");
        let entry = EntryPointer(raw);
        entry.set_parts(value.kind(), parts);
        entry.set_clock(clock);
        entry.set_armed(Place::NONE);
        if let Some(deadline) = deadline {
            entry.put(HEADER, deadline.0);
        }
        entry.write_bytes(parts.key_at(), key);
        entry.write_value(parts.value_at(), value);
        entry
    }

    fn write_bytes(self, at: usize, bytes: &[u8]) {
        // SAFETY: the range is within the layout, and `bytes` cannot overlap an entry that is being written.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_ptr().add(at), bytes.len()) }
    }

    fn write_value(self, at: usize, value: NewValue<'_>) {
        match value {
            NewValue::Int(value) => self.put(at, value),
            NewValue::Str(bytes) | NewValue::Inline(_, bytes) => self.write_bytes(at, bytes),
            NewValue::Boxed(_, pointer) => self.put(at, pointer.0),
        }
    }

    #[inline]
    pub(super) fn key<'a>(self) -> &'a [u8] {
        let parts = self.parts();
        self.slice(parts.key_at(), parts.key_len)
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        KINDS[usize::from(self.byte(0) & KIND_MASK)]
    }

    #[inline]
    pub(super) fn deadline(self) -> Option<Millis> {
        (self.byte(0) & HAS_DEADLINE != 0).then(|| Millis(self.take(HEADER)))
    }

    /// The earliest deadline of a field of a hash.
    #[inline]
    pub(super) fn field_due(self) -> Option<Millis> {
        let kind = self.byte(0) & KIND_MASK;
        match kind == Kind::HashTimedPacked as u8 || kind == Kind::HashTimed as u8 {
            true => self.first_field_due(),
            false => None,
        }
    }

    #[inline(never)]
    fn first_field_due(self) -> Option<Millis> {
        match self.boxed::<TimedHash>() {
            Some(hash) => hash.first_due(),
            None => timed_packed::first_due(Listpack::new(self.value_bytes())),
        }
    }

    /// When the entry next has to be looked at: at its deadline, or the first of its fields'.
    pub(super) fn due(self) -> Option<Millis> {
        earliest(self.deadline(), self.field_due())
    }

    /// Whether all fields of a hash are past their deadlines.
    fn all_fields_due(self, now: Millis) -> bool {
        match self.kind() {
            Kind::HashTimedPacked => timed_packed::all_due(Listpack::new(self.value_bytes()), now),
            Kind::HashTimed => self.boxed::<TimedHash>().is_some_and(|hash| hash.all_due(now)),
            _ => false,
        }
    }

    pub(super) fn clock(self) -> u32 {
        let bytes: [u8; 3] = self.take(3);
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
    }

    /// Writes only what changes: a read must not dirty the cache line of every key it looks at.
    #[inline]
    pub(super) fn set_clock(self, clock: u32) {
        let bytes = clock.to_le_bytes();
        self.put(3, [bytes[0], bytes[1], bytes[2]]);
    }

    pub(super) fn armed(self) -> Place {
        let bits: u16 = self.take(6);
        if bits == Place::NONE.to_bits() {
            Place::NONE
        } else {
            Place::from_bits(bits & PLACE_MASK)
        }
    }

    pub(super) fn set_armed(self, place: Place) {
        debug_assert!(place.is_none() || place.to_bits() <= PLACE_MASK);
        self.put(6, place.to_bits());
    }

    /// Notes that a sweep has seen this key's item; false if it had in the same round, so that the item seen now is a
    /// leftover that happens to stand at the same place. The key must be armed.
    pub(super) fn mark_swept(self, round: bool) -> bool {
        let (bits, mark): (u16, u16) = (self.take(6), SWEPT_MARKS[usize::from(round)]);
        debug_assert_ne!(bits, Place::NONE.to_bits());
        self.put(6, bits & PLACE_MASK | mark);
        bits & !PLACE_MASK != mark
    }

    /// Frees the entry, and gives its value if that stands behind a pointer.
    pub(super) fn free(self) -> Option<Box<dyn Condemned>> {
        let value = self.take_boxed();
        // SAFETY: the entry was made by `create` or resized with this layout, and nobody uses it any more.
        unsafe { dealloc(self.0.as_ptr(), self.parts().layout()) };
        value
    }

    fn take_boxed(self) -> Option<Box<dyn Condemned>> {
        let pointer: u64 = if self.kind().is_boxed() {
            self.take(self.parts().value_at())
        } else {
            return None;
        };
        /// SAFETY: `pointer` must come from `NewValue::boxed::<T>` and be taken once.
        unsafe fn unbox<T: Boxed>(pointer: u64) -> Box<dyn Condemned> {
            // SAFETY: the caller's promise.
            unsafe { Box::from_raw(pointer as *mut T) }
        }
        // SAFETY: each kind is written together with a pointer to exactly this type, and the entry gives it up here.
        unsafe {
            match self.kind() {
                Kind::StrHeap => Some(unbox::<Vec<u8>>(pointer)),
                Kind::List => Some(unbox::<crate::types::list::List>(pointer)),
                Kind::Set => Some(unbox::<crate::types::set::Set>(pointer)),
                Kind::Hash => Some(unbox::<crate::types::hash::Hash>(pointer)),
                Kind::HashTimed => Some(unbox::<TimedHash>(pointer)),
                Kind::Zset => Some(unbox::<crate::types::zset::Zset>(pointer)),
                Kind::Stream => Some(unbox::<crate::types::stream::Stream>(pointer)),
                Kind::VectorSet => Some(unbox::<crate::types::vector_set::VectorSet>(pointer)),
                Kind::Str
                | Kind::StrEdited
                | Kind::Int
                | Kind::ListPacked
                | Kind::SetInts
                | Kind::SetPacked
                | Kind::HashPacked
                | Kind::HashTimedPacked
                | Kind::ZsetPacked => None,
            }
        }
    }

    /// Gives the entry room for `new` parts; the bytes keep their offsets from the start.
    fn resized(self, old: Parts, new: Parts) -> EntryPointer {
        let (old, new) = (old.layout(), new.layout());
        if old.size() == new.size() {
            return self;
        }
        // SAFETY: the entry has layout `old`; the new size is not 0 and below isize::MAX.
        let raw = unsafe { realloc(self.0.as_ptr(), old, new.size()) };
        let Some(raw) = NonNull::new(raw) else {
            handle_alloc_error(new)
        };
        assert!((raw.as_ptr() as u64) < 1 << 48, "entries need addresses below 2^48");
        EntryPointer(raw)
    }

    fn shift(self, from: usize, to: usize, len: usize) {
        // SAFETY: both ranges are within the entry's present layout; `copy` allows overlap.
        unsafe { std::ptr::copy(self.0.as_ptr().add(from), self.0.as_ptr().add(to), len) }
    }

    /// Replaces `range` of the value's bytes by `with`. May move the entry.
    #[must_use]
    pub(super) fn spliced(self, kind: Kind, range: Range<usize>, with: &[u8]) -> EntryPointer {
        let old = self.parts();
        debug_assert!(!self.kind().is_boxed() && range.start <= range.end && range.end <= old.value_len);
        let value_len = old.value_len - range.len() + with.len();
        let new = Parts::new(old.deadline, old.key_len, value_len);
        let tail = old.value_len - range.end;
        let grown = if new.size() > old.size() {
            self.resized(old, new)
        } else {
            self
        };
        if new.key_at() != old.key_at() {
            // The long lengths appear or vanish: everything behind the header moves, piece by piece, outermost first.
            let (head, tail_from, tail_to) = (
                old.key_len + range.start,
                old.value_at() + range.end,
                new.value_at() + range.start + with.len(),
            );
            if new.key_at() > old.key_at() {
                grown.shift(tail_from, tail_to, tail);
                grown.shift(old.key_at(), new.key_at(), head);
            } else {
                grown.shift(old.key_at(), new.key_at(), head);
                grown.shift(tail_from, tail_to, tail);
            }
        } else {
            let at = old.value_at();
            grown.shift(at + range.end, at + range.start + with.len(), tail);
        }
        grown.write_bytes(new.value_at() + range.start, with);
        grown.set_parts(kind, new);
        if new.size() < old.size() {
            grown.resized(old, new)
        } else {
            grown
        }
    }

    /// Sets, changes or clears the deadline. May move the entry.
    #[must_use]
    pub(super) fn with_deadline(self, deadline: Option<Millis>) -> EntryPointer {
        let old = self.parts();
        let new = Parts {
            deadline: deadline.is_some(),
            ..old
        };
        let mut entry = self;
        if new.deadline != old.deadline {
            let body = old.size() - old.lens_at();
            if new.deadline {
                entry = entry.resized(old, new);
                entry.shift(old.lens_at(), new.lens_at(), body);
            } else {
                entry.shift(old.lens_at(), new.lens_at(), body);
                entry = entry.resized(old, new);
            }
            entry.set_parts(entry.kind(), new);
        }
        match deadline {
            Some(deadline) => entry.put(HEADER, deadline.0),
            None => entry.set_armed(Place::NONE),
        }
        entry
    }

    /// Replaces the value, keeping key, deadline and clock. May move the entry; gives the old boxed value.
    #[must_use]
    pub(super) fn with_value(self, value: NewValue<'_>) -> (EntryPointer, Option<Box<dyn Condemned>>) {
        let old_value = self.take_boxed();
        let (old, kind) = (self.parts(), value.kind());
        let new = Parts::new(old.deadline, old.key_len, value.len());
        let mut entry = self;
        if new.long != old.long {
            let key = self.key().to_vec();
            entry = self.resized(old, new);
            entry.set_parts(kind, new);
            entry.write_bytes(new.key_at(), &key);
        } else {
            entry = entry.resized(old, new);
            entry.set_parts(kind, new);
        }
        entry.write_value(new.value_at(), value);
        (entry, old_value)
    }

    /// The same entry under another key. Moves the entry.
    #[must_use]
    pub(super) fn renamed(self, key: &[u8]) -> EntryPointer {
        let kind = self.kind();
        let value = match kind.is_boxed() {
            true => NewValue::Boxed(kind, BoxedPointer(self.take(self.parts().value_at()))),
            false => NewValue::Inline(kind, self.value_bytes()),
        };
        let entry = EntryPointer::create(key, value, self.deadline(), self.clock());
        // SAFETY: the entry was made with this layout and is not used any more; its boxed value lives on in `entry`.
        unsafe { dealloc(self.0.as_ptr(), self.parts().layout()) };
        entry
    }

    /// A new entry with a copy of the value, whole and deep, and the same deadline. O(elements).
    pub(super) fn copied(self, key: &[u8], clock: u32) -> EntryPointer {
        EntryPointer::create(key, self.copied_value(), self.deadline(), clock)
    }

    fn copied_value<'a>(self) -> NewValue<'a> {
        fn copy<'a, T: Boxed + Clone>(entry: EntryPointer) -> NewValue<'a> {
            let value: &T = entry.boxed().expect("the kind has just been matched");
            NewValue::boxed(Box::new(value.clone()))
        }
        match self.kind() {
            Kind::StrHeap => copy::<Vec<u8>>(self),
            Kind::List => copy::<crate::types::list::List>(self),
            Kind::Set => copy::<crate::types::set::Set>(self),
            Kind::Hash => copy::<crate::types::hash::Hash>(self),
            Kind::HashTimed => copy::<TimedHash>(self),
            Kind::Zset => copy::<crate::types::zset::Zset>(self),
            Kind::Stream => copy::<crate::types::stream::Stream>(self),
            Kind::VectorSet => copy::<crate::types::vector_set::VectorSet>(self),
            inline @ (Kind::Str
            | Kind::StrEdited
            | Kind::Int
            | Kind::ListPacked
            | Kind::SetInts
            | Kind::SetPacked
            | Kind::HashPacked
            | Kind::HashTimedPacked
            | Kind::ZsetPacked) => NewValue::Inline(inline, self.value_bytes()),
        }
    }

    pub(super) fn value_bytes<'a>(self) -> &'a [u8] {
        let parts = self.parts();
        self.slice(parts.value_at(), parts.value_len)
    }

    pub(super) fn value_bytes_mut<'a>(self) -> &'a mut [u8] {
        let parts = self.parts();
        // SAFETY: the range is within the layout; the callers hold the table mutably, so no other view exists.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr().add(parts.value_at()), parts.value_len) }
    }

    pub(super) fn int(self) -> i64 {
        debug_assert_eq!(self.kind(), Kind::Int);
        self.take(self.parts().value_at())
    }

    pub(super) fn set_int(self, value: i64) {
        debug_assert_eq!(self.kind(), Kind::Int);
        self.put(self.parts().value_at(), value);
    }

    pub(super) fn boxed<'a, T: Boxed>(self) -> Option<&'a T> {
        if self.kind() != T::KIND {
            return None;
        }
        let pointer: u64 = self.take(self.parts().value_at());
        // SAFETY: an entry of this kind holds a pointer to a live T; the lifetime is bound by the callers.
        Some(unsafe { &*(pointer as *const T) })
    }

    pub(super) fn boxed_mut<'a, T: Boxed>(self) -> Option<&'a mut T> {
        if self.kind() != T::KIND {
            return None;
        }
        let pointer: u64 = self.take(self.parts().value_at());
        // SAFETY: as in `boxed`, and the callers hold the table mutably.
        Some(unsafe { &mut *(pointer as *mut T) })
    }

    /// Bytes of the entry itself, without what stands behind its pointer.
    pub(super) fn own_bytes(self) -> usize {
        self.parts().layout().size()
    }
}

/// A key and its value, for reading. Lives as long as the borrow of its database.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    entry: EntryPointer,
    database: PhantomData<&'a ()>,
}

/// A value, for reading.
#[derive(Clone, Copy)]
pub enum ValueRef<'a> {
    Int(i64),
    Str(&'a [u8]),
    ListPacked(&'a [u8]),
    List(&'a crate::types::list::List),
    SetInts(&'a [u8]),
    SetPacked(&'a [u8]),
    Set(&'a crate::types::set::Set),
    HashPacked(&'a [u8]),
    Hash(&'a crate::types::hash::Hash),
    HashTimedPacked(&'a [u8]),
    HashTimed(&'a TimedHash),
    ZsetPacked(&'a [u8]),
    Zset(&'a crate::types::zset::Zset),
    Stream(&'a crate::types::stream::Stream),
    VectorSet(&'a crate::types::vector_set::VectorSet),
}

impl<'a> EntryRef<'a> {
    /// `entry` must be live for `'a`: the database's own methods see to that.
    pub(super) fn new(entry: EntryPointer) -> Self {
        EntryRef {
            entry,
            database: PhantomData,
        }
    }

    pub(super) fn pointer(self) -> EntryPointer {
        self.entry
    }

    pub fn key(self) -> &'a [u8] {
        self.entry.key()
    }

    pub fn kind(self) -> Kind {
        self.entry.kind()
    }

    pub fn value_type(self) -> Type {
        self.kind().value_type()
    }

    /// When the key expires, in Unix milliseconds.
    pub fn deadline(self) -> Option<Millis> {
        self.entry.deadline()
    }

    /// The earliest deadline of a field, if this is a hash that has any.
    #[inline]
    pub fn field_due(self) -> Option<Millis> {
        self.entry.field_due()
    }

    /// Fields of a hash that may have deadlines, all counted; 0 for any other value.
    pub fn timed_fields(self) -> usize {
        match self.value() {
            ValueRef::HashTimedPacked(bytes) => timed_packed::stored(Listpack::new(bytes)),
            ValueRef::HashTimed(hash) => hash.len(),
            _ => 0,
        }
    }

    /// Whether every field of a hash is past its deadline at `now`.
    pub fn all_fields_due(self, now: Millis) -> bool {
        self.entry.all_fields_due(now)
    }

    /// Whether nothing of this key is left at `now`, be it that its deadline has passed or that of each of its fields.
    pub fn has_expired(self, now: Millis) -> bool {
        self.deadline().is_some_and(|at| at <= now) || self.all_fields_due(now)
    }

    /// The 24-bit LRU or LFU clock.
    pub fn clock(self) -> u32 {
        self.entry.clock()
    }

    pub fn value(self) -> ValueRef<'a> {
        let bytes = || self.entry.value_bytes();
        match self.kind() {
            Kind::Int => ValueRef::Int(self.entry.int()),
            Kind::Str | Kind::StrEdited => ValueRef::Str(bytes()),
            Kind::StrHeap => ValueRef::Str(self.boxed::<Vec<u8>>()),
            Kind::ListPacked => ValueRef::ListPacked(bytes()),
            Kind::List => ValueRef::List(self.boxed()),
            Kind::SetInts => ValueRef::SetInts(bytes()),
            Kind::SetPacked => ValueRef::SetPacked(bytes()),
            Kind::Set => ValueRef::Set(self.boxed()),
            Kind::HashPacked => ValueRef::HashPacked(bytes()),
            Kind::Hash => ValueRef::Hash(self.boxed()),
            Kind::HashTimedPacked => ValueRef::HashTimedPacked(bytes()),
            Kind::HashTimed => ValueRef::HashTimed(self.boxed()),
            Kind::ZsetPacked => ValueRef::ZsetPacked(bytes()),
            Kind::Zset => ValueRef::Zset(self.boxed()),
            Kind::Stream => ValueRef::Stream(self.boxed()),
            Kind::VectorSet => ValueRef::VectorSet(self.boxed()),
        }
    }

    /// The table of a large collection's elements, to prefetch those that will be looked up.
    #[inline]
    pub fn lines(self) -> Option<Lines<'a>> {
        match self.kind() {
            Kind::Set => Some(self.boxed::<crate::types::set::Set>().lines()),
            Kind::Hash => Some(self.boxed::<crate::types::hash::Hash>().lines()),
            Kind::HashTimed => Some(self.boxed::<TimedHash>().lines()),
            Kind::Zset => Some(self.boxed::<crate::types::zset::Zset>().lines()),
            _ => None,
        }
    }

    fn boxed<T: Boxed>(self) -> &'a T {
        self.entry.boxed().expect("the kind has just been matched")
    }

    /// Bytes this key costs: its entry and what stands behind it.
    pub fn memory(self) -> usize {
        let behind = match self.value() {
            ValueRef::List(value) => size_class(std::mem::size_of_val(value)) + value.heap_bytes(),
            ValueRef::Set(value) => size_class(std::mem::size_of_val(value)) + value.heap_bytes(),
            ValueRef::Hash(value) => size_class(std::mem::size_of_val(value)) + value.heap_bytes(),
            ValueRef::HashTimed(value) => size_class(std::mem::size_of_val(value)) + value.heap_bytes(),
            ValueRef::Zset(value) => size_class(std::mem::size_of_val(value)) + value.heap_bytes(),
            ValueRef::Stream(value) => size_class(std::mem::size_of_val(value)) + value.heap_bytes(),
            ValueRef::VectorSet(value) => size_class(std::mem::size_of_val(value)) + value.heap_bytes(),
            ValueRef::Str(_) if self.kind() == Kind::StrHeap => {
                size_class(std::mem::size_of::<Vec<u8>>()) + self.boxed::<Vec<u8>>().heap_bytes()
            }
            _ => 0,
        };
        self.entry.own_bytes() + behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: EntryPointer, key: &[u8], kind: Kind, value: &[u8], deadline: Option<i64>) {
        assert_eq!((entry.key(), entry.kind(), entry.value_bytes()), (key, kind, value));
        assert_eq!(entry.deadline(), deadline.map(Millis));
    }

    #[test]
    fn a_small_key_is_one_small_allocation() {
        let entry = EntryPointer::create(&[b'k'; 16], NewValue::Str(&[b'v'; 8]), None, 0);
        assert_eq!(entry.own_bytes(), 32);
        assert!(entry.free().is_none());
    }

    #[test]
    fn edits_keep_everything_else() {
        // Random splices, deadlines and replacements against a plain model, across the short and long forms.
        let mut seed = 7u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % below
        };
        for key_len in [0, 1, 16, 254, 255, 300] {
            let key = vec![b'k'; key_len];
            let mut value: Vec<u8> = b"start".to_vec();
            let mut deadline = None;
            let mut entry = EntryPointer::create(&key, NewValue::Str(&value), None, 0xabcdef);
            for _ in 0..3000 {
                match random(6) {
                    0 => {
                        deadline = if random(2) == 0 {
                            None
                        } else {
                            Some(random(1 << 30) as i64)
                        };
                        entry = entry.with_deadline(deadline.map(Millis));
                    }
                    1 => {
                        value = (0..random(600)).map(|_| random(256) as u8).collect();
                        let (moved, old) = entry.with_value(NewValue::Str(&value));
                        assert!(old.is_none());
                        entry = moved;
                    }
                    _ => {
                        let start = random(value.len() + 1);
                        let end = start + random(value.len() - start + 1);
                        let with: Vec<u8> = (0..random(200)).map(|_| random(256) as u8).collect();
                        value.splice(start..end, with.iter().copied());
                        entry = entry.spliced(Kind::Str, start..end, &with);
                    }
                }
                check(entry, &key, Kind::Str, &value, deadline);
                assert_eq!(entry.clock(), 0xabcdef);
            }
            entry.free();
        }
    }

    #[test]
    fn boxed_values_come_back_when_replaced() {
        let entry = EntryPointer::create(b"k", NewValue::boxed(Box::new(vec![1u8; 100_000])), Some(Millis(5)), 1);
        assert_eq!(entry.boxed::<Vec<u8>>().map(Vec::len), Some(100_000));
        let (entry, old) = entry.with_value(NewValue::Int(-3));
        assert_eq!(
            (old.map(|v| v.elements()), entry.int(), entry.deadline()),
            (Some(1), -3, Some(Millis(5)))
        );
        entry.free();
    }
}
