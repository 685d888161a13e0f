//! One member of a sorted set: its score and its bytes in a single allocation behind a thin pointer.
//!
//! The hash table and the rank tree both point to the same allocation, so a member costs eight bytes in each
//! of them and its text exists once. A `Box<[u8]>` would be two words wide in both places, and a `String` with
//! a score beside it would round up to a larger allocation: `member:123456` fits in 24 bytes here.
//!
//! Layout: score as an `f64` (8 bytes), length as a base-128 varint (1 to 5 bytes), then the bytes.
//!
//! This is the only module of the sorted set with unsafe code. What keeps its safe functions sound: a `Member`
//! can only come from [`Member::new`], reading one is fine for as long as it is not freed, and [`Member::free`]
//! is unsafe and makes its caller promise that nobody looks again.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::processor::prefetch;
use crate::table::Pointer;

/// Bytes before the varint: the score.
const SCORE: usize = size_of::<f64>();

/// A handle to a member. Copying it copies the pointer; see the module comment for who frees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Member(NonNull<u8>);

impl Member {
    /// Allocates a member. It leaks unless [`Member::free`] is called.
    pub fn new(score: f64, bytes: &[u8]) -> Member {
        let len = u32::try_from(bytes.len()).expect("a member is at most 512 MB");
        let prefix = varint_len(len);
        let layout = layout(prefix + bytes.len());
        // SAFETY: the layout is never of size zero: the score alone takes eight bytes.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the allocation is `SCORE + prefix + len` bytes and aligned for an f64; the three writes fill
        // exactly that, and nobody else knows the pointer yet.
        unsafe {
            start.cast::<f64>().write(score);
            let text = write_varint(start.add(SCORE), len);
            text.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
        Member(start)
    }

    pub fn score(self) -> f64 {
        // SAFETY: not freed (contract of `free`), and `new` wrote a score there.
        unsafe { self.0.cast::<f64>().read() }
    }

    /// The owner of the tree keeps the order: whoever changes a score moves the member.
    pub fn set_score(self, score: f64) {
        // SAFETY: as in `score`; no reference to the score ever exists, so there is nothing to alias.
        unsafe { self.0.cast::<f64>().write(score) }
    }

    /// The member's text. The lifetime is the caller's choice; `free` makes its caller promise it has ended.
    #[inline]
    pub fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: not freed, and `new` wrote a varint and as many bytes as it says behind the score;
        // they are never written again.
        unsafe {
            let (len, text) = read_varint(self.0.add(SCORE));
            std::slice::from_raw_parts(text.as_ptr(), len as usize)
        }
    }

    /// Bytes asked of the allocator for this member.
    pub fn memory(self) -> usize {
        let len = self.bytes().len();
        SCORE + varint_len(len as u32) + len
    }

    /// Asks the processor to fetch the member's first cache line; a hint without effects.
    #[inline]
    pub fn prefetch(self) {
        prefetch(self.0.addr().get());
    }

    /// Gives the memory back.
    ///
    /// # Safety
    /// No copy of this handle, and no slice that came from one, is used afterwards.
    pub unsafe fn free(self) {
        let len = self.bytes().len();
        // SAFETY: `new` allocated with this same layout, and by the caller's promise this is the last use.
        unsafe { dealloc(self.0.as_ptr(), layout(varint_len(len as u32) + len)) }
    }
}

// SAFETY: the bits are the pointer, which is non-null and, being a user-space address, below 2^48; from_bits
// restores the provenance exposed by to_bits.
unsafe impl Pointer for Member {
    fn to_bits(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    unsafe fn from_bits(bits: u64) -> Self {
        let pointer = std::ptr::with_exposed_provenance_mut(bits as usize);
        // SAFETY: the caller passes what to_bits returned, which was not null.
        Member(unsafe { NonNull::new_unchecked(pointer) })
    }
}

fn layout(behind_score: usize) -> Layout {
    Layout::from_size_align(SCORE + behind_score, align_of::<f64>()).expect("a member is far below isize::MAX")
}

fn varint_len(value: u32) -> usize {
    (32 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Writes seven bits a byte, low first, the top bit saying that more follow. Returns where it stopped.
///
/// # Safety
/// `at` is valid for writing [`varint_len`]`(value)` bytes.
unsafe fn write_varint(mut at: NonNull<u8>, mut value: u32) -> NonNull<u8> {
    loop {
        let more = value >= 0x80;
        // SAFETY: this writes one byte for each seven bits of the value, which is what varint_len counts.
        unsafe {
            at.write(value as u8 & 0x7f | u8::from(more) << 7);
            at = at.add(1);
        }
        if !more {
            return at;
        }
        value >>= 7;
    }
}

/// Reads what [`write_varint`] wrote and returns where it stopped.
///
/// # Safety
/// `at` is where `write_varint` began.
#[inline]
unsafe fn read_varint(mut at: NonNull<u8>) -> (u32, NonNull<u8>) {
    let (mut value, mut shift) = (0, 0);
    loop {
        // SAFETY: the writer ended with a byte whose top bit is clear; reading stops there.
        let byte = unsafe { at.read() };
        // SAFETY: as above; one past the byte just read is still within or at the end of the allocation.
        at = unsafe { at.add(1) };
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (value, at);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_score_and_bytes_at_every_length_of_the_varint() {
        for len in [0, 1, 13, 127, 128, 16_383, 16_384, 3_000_000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let member = Member::new(1.5, &bytes);
            assert_eq!(member.bytes(), bytes);
            assert_eq!(member.score(), 1.5);
            member.set_score(f64::NEG_INFINITY);
            assert_eq!(member.score(), f64::NEG_INFINITY);
            assert_eq!(member.bytes(), bytes);
            // SAFETY: last use of the only handle.
            unsafe { member.free() };
        }
        assert_eq!(varint_len(127), 1);
        assert_eq!(varint_len(128), 2);
        assert_eq!(varint_len(u32::MAX), 5);
    }

    #[test]
    fn a_member_survives_the_trip_through_table_bits() {
        let member = Member::new(2.0, b"abc");
        // SAFETY: the bits come from to_bits.
        let back = unsafe { Member::from_bits(member.to_bits()) };
        assert_eq!(back, member);
        // SAFETY: last use of both copies.
        unsafe { back.free() };
    }
}
