//! A bucket: seven cells and their tags in one cache line.
//!
//! ```text
//! word 0   byte 0      how many entries passed over this bucket on their way to a later one
//!          byte 1..=7  the tags of words 1..=7; 0 says the word is empty
//! word 1..=7           a cell each: 48 bits of pointer, 16 bits of the entry's hash
//! ```
//!
//! A byte of the hash per cell, its *tag*, answers for all but one in 255 of the wrong entries that they are wrong, so
//! a lookup reads this line and then the right entry. All seven tags are compared at once inside one ordinary 64-bit
//! register; with so few of them vector instructions measured no faster, and every architecture runs this code.
//!
//! The passed-over count replaces tombstones: a lookup that does not find its entry here goes on to the next bucket
//! only if somebody did so before, and taking an entry out takes its passes back. The count sticks at its largest
//! value, for then nobody knows any more how many there were; a sticky count costs a wasted probe, never a lost entry,
//! and the next rebuild counts afresh.

use super::pointer::Cell;

/// Cells in one bucket.
pub(super) const SLOTS: usize = 7;

/// The lowest bit of every byte of a word.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
/// The seven lower bits of every byte of a word.
const LOWER_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
/// The highest bit of the seven tag bytes of a word.
const TAG_HIGH_BITS: u64 = 0x8080_8080_8080_8000;
/// The passed-over count beyond which nobody counts.
const STICKY: u64 = 0xff;

/// The tag of a hash: its lowest byte, made to differ from 0, which marks an empty cell.
#[inline]
pub(super) fn tag_of(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// Seven cells, their tags and the passed-over count, see the module's comment.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    words: [u64; SLOTS + 1],
}

impl Bucket {
    pub(super) const EMPTY: Bucket = Bucket { words: [0; SLOTS + 1] };

    /// `count` empty buckets in one allocation.
    pub(super) fn array(count: usize) -> Box<[Bucket]> {
        vec![Bucket::EMPTY; count].into_boxed_slice()
    }

    /// Positions whose tag is `tag`.
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> Positions {
        Positions(zero_tags(self.words[0] ^ (LOW_BITS * u64::from(tag))))
    }

    /// Positions that hold a cell.
    #[inline]
    pub(super) fn occupied(&self) -> Positions {
        Positions(zero_tags(self.words[0]) ^ TAG_HIGH_BITS)
    }

    /// Positions that hold none.
    #[inline]
    pub(super) fn vacant(&self) -> Positions {
        Positions(zero_tags(self.words[0]))
    }

    /// The tag at `position`, 0 if that is vacant. Positions are 1 to 7.
    #[inline]
    pub(super) fn tag(&self, position: usize) -> u8 {
        (self.words[0] >> (position * 8)) as u8
    }

    #[inline]
    pub(super) fn cell(&self, position: usize) -> Cell {
        Cell::from_word(self.words[position])
    }

    /// Overwrites the cell at an occupied `position`; its tag stays.
    pub(super) fn set_cell(&mut self, position: usize, cell: Cell) {
        self.words[position] = cell.word();
    }

    /// Puts a cell at a vacant `position`.
    #[inline]
    pub(super) fn fill(&mut self, position: usize, tag: u8, cell: Cell) {
        debug_assert!(self.tag(position) == 0 && tag != 0);
        self.words[0] |= u64::from(tag) << (position * 8);
        self.words[position] = cell.word();
    }

    /// Makes an occupied `position` vacant.
    pub(super) fn vacate(&mut self, position: usize) {
        self.words[0] &= !(0xff << (position * 8));
        self.words[position] = 0;
    }

    /// Did an entry whose home is here, or before, find this bucket full and go on?
    #[inline]
    pub(super) fn passed(&self) -> bool {
        self.words[0] & STICKY != 0
    }

    /// How many did so; exact below 255.
    #[cfg(test)]
    pub(super) fn pass_count(&self) -> usize {
        (self.words[0] & STICKY) as usize
    }

    /// Counts an entry that goes on to the next bucket.
    #[inline]
    pub(super) fn pass(&mut self) {
        self.words[0] += u64::from(self.words[0] & STICKY != STICKY);
    }

    /// Takes back one [`Bucket::pass`].
    #[inline]
    pub(super) fn unpass(&mut self) {
        debug_assert!(self.passed());
        self.words[0] -= u64::from(self.words[0] & STICKY != STICKY);
    }
}

/// Sets the highest bit of every tag byte that is zero and clears all others, exactly: no carry leaves its byte.
#[inline]
fn zero_tags(meta: u64) -> u64 {
    !(((meta & LOWER_SEVEN) + LOWER_SEVEN) | meta) & TAG_HIGH_BITS
}

/// Positions (1 to 7) in a bucket, in ascending order.
#[derive(Clone, Copy)]
pub(super) struct Positions(u64);

impl Positions {
    pub(super) const NONE: Positions = Positions(0);

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Positions {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let position = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(position)
    }
}
