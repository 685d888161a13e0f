//! What the table stores of an entry: a pointer of 48 bits beside 16 bits of the entry's hash.
//!
//! Every address a user process gets on x86-64 and AArch64 fits 48 bits unless it asks the kernel for more, so a
//! 64-bit word has room for a window of the hash. Whoever moves cells about (growth, split, shrink, merge) reads the
//! hash from there and leaves the entry alone, which is what keeps those moves cheap: a segment's cells
//! are 3.5 kB that lie together, its entries are 350 cache misses.
#![allow(unsafe_code)]

use crate::processor::prefetch;

/// A thin pointer (or any other word) that a [`Table`](super::Table) can keep for its owner.
///
/// # Safety
/// `to_bits` returns a value that is neither 0 nor 2^48 or more, and `from_bits` of that value returns a pointer to the
/// same entry. Whoever makes pointers of this type promises that what they point to stays valid for as long
/// as they are in a table.
pub unsafe trait Pointer: Copy {
    /// The pointer as a number below 2^48 that is not 0: best its address, which is what the table prefetches.
    fn to_bits(self) -> u64;

    /// The pointer again.
    ///
    /// # Safety
    /// `bits` came from `to_bits` of a pointer of this type whose entry is still alive.
    unsafe fn from_bits(bits: u64) -> Self;
}

/// A number in the place of a pointer, for tables of what stands elsewhere at a known place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u32);

// SAFETY: one is added, so the bits are from 1 to 2^32, and taken away again; nothing is pointed to.
unsafe impl Pointer for Number {
    #[inline]
    fn to_bits(self) -> u64 {
        u64::from(self.0) + 1
    }

    #[inline]
    unsafe fn from_bits(bits: u64) -> Self {
        Number((bits - 1) as u32)
    }
}

/// Bits of a word that hold the pointer.
const POINTER_BITS: u32 = 48;
const POINTER_MASK: u64 = (1 << POINTER_BITS) - 1;

/// A pointer and the window of its entry's hash, in one word.
#[derive(Clone, Copy)]
pub(super) struct Cell(u64);

impl Cell {
    #[inline]
    pub(super) fn new<P: Pointer>(pointer: P, window: u16) -> Cell {
        let bits = pointer.to_bits();
        debug_assert!(
            bits != 0 && bits <= POINTER_MASK,
            "a pointer outside its contract: {bits:#x}"
        );
        Cell(bits | u64::from(window) << POINTER_BITS)
    }

    #[inline]
    pub(super) fn from_word(word: u64) -> Cell {
        Cell(word)
    }

    #[inline]
    pub(super) fn word(self) -> u64 {
        self.0
    }

    /// Sixteen bits of the entry's hash; the segment knows which.
    #[inline]
    pub(super) fn window(self) -> u16 {
        (self.0 >> POINTER_BITS) as u16
    }

    #[inline]
    pub(super) fn with_window(self, window: u16) -> Cell {
        Cell(self.0 & POINTER_MASK | u64::from(window) << POINTER_BITS)
    }

    /// The pointer that [`Cell::new`] was given, which must have been of this type.
    #[inline]
    pub(super) fn pointer<P: Pointer>(self) -> P {
        // SAFETY: the table has one pointer type, stores only cells made by `Cell::new` and reads only occupied
        // positions, so these bits came from `P::to_bits`; that the entry lives until it is taken out is what its owner
        // promised by implementing `Pointer`.
        unsafe { P::from_bits(self.0 & POINTER_MASK) }
    }

    /// Asks the processor to fetch the entry.
    #[inline]
    pub(super) fn prefetch(self) {
        self.lines().for_each(prefetch);
    }

    /// The lines of the entry: two, since a small value ends in the second, and waiting for it would cost as much as the first.
    #[inline]
    fn lines(self) -> impl Iterator<Item = usize> {
        let address = (self.0 & POINTER_MASK) as usize;
        [address, address + 64].into_iter()
    }
}

/// Lines of memory that are gathered first and then asked for all together.
///
/// A prefetch is not free: the instruction is done when the page's address is known, and where the processor has forgotten
/// that it must walk the page tables, some hundred nanoseconds under a hypervisor. Several walks go on at once, but only of
/// those prefetches that it sees together, some two hundred instructions. With a key's hashing and its command's lookup
/// between two prefetches of buckets each cost 60 ns, as a profile of INCR showed; with nothing between them 20.
#[derive(Default)]
pub struct Wanted {
    addresses: Vec<usize>,
}

impl Wanted {
    #[inline]
    pub(super) fn line(&mut self, address: usize) {
        self.addresses.push(address);
    }

    #[inline]
    pub(super) fn entry(&mut self, cell: Cell) {
        self.addresses.extend(cell.lines());
    }

    /// Asks the processor to fetch what was gathered, and forgets it.
    #[inline]
    pub fn ask(&mut self) {
        for &address in &self.addresses {
            prefetch(address);
        }
        self.addresses.clear();
    }
}
