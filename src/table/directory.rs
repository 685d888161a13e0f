//! The directory: which segment is in charge of a hash.
//!
//! 2^`bits` words, indexed by as many leading bits of the hash. A segment with a prefix of `depth` bits stands in
//! 2^(`bits` - `depth`) neighbouring words, its aliases. One word says all that a lookup needs,
//!
//! ```text
//! bits 0..6    depth
//! bits 6..48   address of the segment's bucket array, a multiple of 64
//! bits 48..64  number of buckets
//! ```
//!
//! so a lookup loads a word of the directory, which stays in the near caches (a million entries need 32 to 64 kB),
//! and then the bucket. What only changes need, count and window, is kept beside, at the first alias.
//!
//! Doubling and halving copy the directory as a whole, 1/200 of the table: a few microseconds at a million entries.
//! Halving waits until the upper half of the doubled directory is unused twice over, so that no pair of
//! segments on the border can make it double and halve by turns.
//!
//! This module owns the bucket arrays and all the unsafe code that takes.
//! Invariant: every word holds the address and length of a live boxed slice of buckets, and two words hold the same
//! address only if they are aliases of one segment.
#![allow(unsafe_code)]

use std::ops::Range;
use std::ptr;

use super::bucket::Bucket;
use super::segment::{Frame, HOME_BITS, Segment, SegmentView, home_bucket};

/// Longest prefix: keeps directory indexes in 32 bits and home bits within the 48 bits of a scan position.
const MAX_BITS: u32 = 30;
const DEPTH_MASK: u64 = 0x3f;
const ADDRESS_MASK: u64 = 0xffff_ffff_ffc0;
const SIZE_SHIFT: u32 = 48;
/// Entries per directory word below which the directory does not double: about half of what well-mixed
/// hashes need. Hashes with long equal beginnings would otherwise buy a huge directory and win nothing.
const MIN_ENTRIES_PER_WORD: usize = 64;

/// One word of the directory.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    /// Takes the array over; it lives until [`Word::release`].
    fn new(buckets: Box<[Bucket]>, depth: u32) -> Word {
        let size = buckets.len() as u64;
        let address = Box::into_raw(buckets).cast::<Bucket>().expose_provenance() as u64;
        debug_assert!(address & !ADDRESS_MASK == 0 && depth <= MAX_BITS && size != 0 && size >> 16 == 0);
        Word(u64::from(depth) | address | size << SIZE_SHIFT)
    }

    #[inline]
    fn depth(self) -> u32 {
        (self.0 & DEPTH_MASK) as u32
    }

    #[inline]
    fn size(self) -> usize {
        (self.0 >> SIZE_SHIFT) as usize
    }

    #[inline]
    fn address(self) -> usize {
        (self.0 & ADDRESS_MASK) as usize
    }

    /// Home bucket of a hash with this segment's prefix.
    #[inline]
    fn home(self, hash: u64) -> usize {
        home_bucket((hash << self.depth()) >> (64 - HOME_BITS), self.size())
    }

    #[inline]
    fn array(self) -> *mut [Bucket] {
        ptr::slice_from_raw_parts_mut(ptr::with_exposed_provenance_mut(self.address()), self.size())
    }

    /// Frees the array.
    ///
    /// # Safety
    /// No word with this array is used again.
    unsafe fn release(self) {
        // SAFETY: `Word::new` made address and size from a box of this type, and the caller ends their use here.
        drop(unsafe { Box::from_raw(self.array()) });
    }
}

/// What only changes need to know of a segment.
#[derive(Clone, Copy, Default)]
struct Info {
    count: u32,
    window_start: u32,
}

/// The directory, which owns the segments. Indexes may name any alias of a segment unless said otherwise.
pub(super) struct Directory {
    words: Vec<Word>,
    /// Beside `words`; only those at a first alias mean anything.
    infos: Vec<Info>,
    /// The directory has 2^bits words, or none.
    bits: u32,
    /// Segments whose depth is `bits` or `bits` - 1: while there are any, the directory does not halve.
    deep: usize,
    /// Buckets of all segments.
    buckets: usize,
    /// At least the bucket count of the largest segment.
    widest: usize,
}

impl Directory {
    /// No segment at all.
    pub(super) const fn new() -> Directory {
        Directory {
            words: Vec::new(),
            infos: Vec::new(),
            bits: 0,
            deep: 0,
            buckets: 0,
            widest: 0,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Words, a power of two unless empty.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Buckets of all segments.
    pub(super) fn bucket_count(&self) -> usize {
        self.buckets
    }

    /// A bound on the bucket count of every segment, tight except after shrinking.
    pub(super) fn widest(&self) -> usize {
        self.widest
    }

    #[cfg(test)]
    pub(super) fn deep(&self) -> usize {
        self.deep
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        self.words.capacity() * size_of::<Word>()
            + self.infos.capacity() * size_of::<Info>()
            + self.buckets * size_of::<Bucket>()
    }

    /// Index of the word for a hash. It exists unless the directory is empty.
    #[inline]
    pub(super) fn index_of(&self, hash: u64) -> usize {
        ((hash >> 1) >> (63 - self.bits)) as usize
    }

    /// Buckets and home bucket for a hash, if there is any segment: the way of every lookup.
    #[inline]
    pub(super) fn locate(&self, hash: u64) -> Option<(usize, &[Bucket], usize)> {
        let index = self.index_of(hash);
        let word = *self.words.get(index)?;
        Some((index, self.array(word), word.home(hash)))
    }

    /// Where the home bucket of a hash lies, if there is any segment.
    #[inline]
    pub(super) fn home_address(&self, hash: u64) -> Option<usize> {
        let word = self.words.get(self.index_of(hash))?;
        Some(word.address() + word.home(hash) * size_of::<Bucket>())
    }

    #[inline]
    fn array(&self, word: Word) -> &[Bucket] {
        // SAFETY: `word` is one of `self.words`, whose arrays live (the invariant); the shared borrow of the directory
        // keeps every method away that would free or write to an array.
        unsafe { &*word.array() }
    }

    /// The buckets of the segment at `index`.
    #[inline]
    pub(super) fn buckets(&self, index: usize) -> &[Bucket] {
        self.array(self.words[index])
    }

    /// The buckets of the segment at `index`, for writing.
    #[inline]
    pub(super) fn buckets_mut(&mut self, index: usize) -> &mut [Bucket] {
        let word = self.words[index];
        // SAFETY: the array lives (the invariant), and the exclusive borrow of the directory, which owns it, keeps
        // every other reference to it away; aliases are reached through the directory only.
        unsafe { &mut *word.array() }
    }

    /// Home bucket of a hash in the segment at `index`, whose prefix it has.
    #[inline]
    pub(super) fn home(&self, index: usize, hash: u64) -> usize {
        self.words[index].home(hash)
    }

    /// Bucket count of the segment at `index`.
    #[inline]
    pub(super) fn size(&self, index: usize) -> usize {
        self.words[index].size()
    }

    /// The words of the segment at `index`.
    #[inline]
    pub(super) fn aliases(&self, index: usize) -> Range<usize> {
        let width = 1 << (self.bits - self.words[index].depth());
        let first = index & !(width - 1);
        first..first + width
    }

    /// How to read the hashes of the segment at `index`.
    #[inline]
    pub(super) fn frame(&self, index: usize) -> Frame {
        let first = self.aliases(index).start;
        // In two steps, for a directory of one word has nothing to shift out.
        let prefix = ((first as u64) << (63 - self.bits)) << 1;
        Frame {
            depth: self.words[index].depth(),
            prefix,
            window_start: self.infos[first].window_start,
        }
    }

    /// The segment at `index`.
    pub(super) fn segment(&self, index: usize) -> SegmentView<'_> {
        SegmentView {
            buckets: self.buckets(index),
            frame: self.frame(index),
            count: self.count(index),
        }
    }

    /// Entries in the segment at `index`.
    #[inline]
    pub(super) fn count(&self, index: usize) -> usize {
        self.infos[self.aliases(index).start].count as usize
    }

    /// Counts an entry that is about to enter the segment at `index`, and gives what it takes to put it there: the
    /// buckets, its home bucket, and where its window starts.
    #[inline]
    pub(super) fn admit(&mut self, index: usize, hash: u64) -> (&mut [Bucket], usize, u32) {
        let first = self.aliases(index).start;
        let info = &mut self.infos[first];
        info.count += 1;
        let window_start = info.window_start;
        let home = self.words[index].home(hash);
        (self.buckets_mut(index), home, window_start)
    }

    /// Counts an entry taken out of the segment at `index`.
    pub(super) fn count_remove(&mut self, index: usize) {
        let first = self.aliases(index).start;
        self.infos[first].count -= 1;
    }

    /// First indexes of all segments, in hash order.
    pub(super) fn first_indexes(&self) -> impl Iterator<Item = usize> + '_ {
        let bound = |at: usize| Some(at).filter(|&at| at < self.words.len());
        std::iter::successors(bound(0), move |&at| bound(self.aliases(at).end))
    }

    /// First index of the sibling of the segment at `index`: the segment whose prefix differs in the last bit only.
    pub(super) fn sibling(&self, index: usize) -> Option<usize> {
        let aliases = self.aliases(index);
        let depth = self.words[index].depth();
        if depth == 0 {
            return None;
        }
        let sibling = aliases.start ^ aliases.len();
        (self.words[sibling].depth() == depth).then_some(sibling)
    }

    /// May the segment at `index` split in a table of `entries`?
    pub(super) fn may_split(&self, index: usize, entries: usize) -> bool {
        let free_bit = self.words[index].depth() < self.bits;
        free_bit || (self.bits < MAX_BITS && entries / MIN_ENTRIES_PER_WORD >= 2 << self.bits)
    }

    /// The first segment of an empty directory.
    pub(super) fn start(&mut self, segment: Segment) {
        debug_assert!(self.words.is_empty() && self.bits == 0);
        self.words = Vec::with_capacity(1);
        self.infos = Vec::with_capacity(1);
        (self.buckets, self.widest, self.deep) = (segment.buckets.len(), segment.buckets.len(), 1);
        self.infos.push(Info {
            count: segment.count as u32,
            window_start: segment.window_start,
        });
        self.words.push(Word::new(segment.buckets, 0));
    }

    /// Puts `new`, of the same entries, in the place of the segment at `index`. O(aliases).
    pub(super) fn replace(&mut self, index: usize, new: Segment) {
        let (aliases, old) = (self.aliases(index), self.words[index]);
        self.install(aliases, old.depth(), new);
        self.discard(old);
        if self.bits == 0 {
            self.widest = self.words[0].size();
        }
    }

    /// Puts two segments, lower first, in the place of the one at `index`. O(aliases), but for doubling the directory
    /// O(directory).
    pub(super) fn split(&mut self, mut index: usize, [lower, upper]: [Segment; 2]) {
        if self.words[index].depth() == self.bits {
            self.double();
            index *= 2;
        }
        let (aliases, old) = (self.aliases(index), self.words[index]);
        let middle = aliases.start + aliases.len() / 2;
        let depth = old.depth() + 1;
        self.install(aliases.start..middle, depth, lower);
        self.install(middle..aliases.end, depth, upper);
        self.discard(old);
        self.deep += 2 * self.is_deep(depth) - self.is_deep(depth - 1);
    }

    /// Puts one segment in the place of the one at `index` and its sibling; gives its first index. O(aliases),
    /// but for halving the directory O(directory).
    pub(super) fn merge(&mut self, index: usize, sibling: usize, both: Segment) -> usize {
        let (one, other) = (self.words[index], self.words[sibling]);
        let first = self.aliases(index).start.min(self.aliases(sibling).start);
        let width = self.aliases(index).len() * 2;
        let depth = one.depth() - 1;
        self.install(first..first + width, depth, both);
        self.discard(one);
        self.discard(other);
        self.deep = self.deep + self.is_deep(depth) - 2 * self.is_deep(depth + 1);
        if self.deep > 0 {
            return first;
        }
        self.halve();
        first / 2
    }

    /// 1 if a segment of this depth keeps the directory from halving.
    fn is_deep(&self, depth: u32) -> usize {
        usize::from(depth + 1 >= self.bits)
    }

    fn install(&mut self, aliases: Range<usize>, depth: u32, segment: Segment) {
        self.buckets += segment.buckets.len();
        self.widest = self.widest.max(segment.buckets.len());
        self.infos[aliases.start] = Info {
            count: segment.count as u32,
            window_start: segment.window_start,
        };
        self.words[aliases].fill(Word::new(segment.buckets, depth));
    }

    /// Frees the array of a word that has just been overwritten, with all its aliases.
    fn discard(&mut self, old: Word) {
        self.buckets -= old.size();
        // SAFETY: the callers, all in this module, overwrote every alias of `old` before and hold no reference to its
        // array.
        unsafe { old.release() };
    }

    fn double(&mut self) {
        let mut words = Vec::with_capacity(self.words.len() * 2);
        let mut infos = Vec::with_capacity(self.words.len() * 2);
        for (&word, &info) in self.words.iter().zip(&self.infos) {
            words.extend([word, word]);
            infos.extend([info, Info::default()]);
        }
        (self.words, self.infos, self.bits) = (words, infos, self.bits + 1);
        self.survey();
    }

    /// Drops every other word. Every segment has at least four.
    fn halve(&mut self) {
        self.words = self.words.iter().copied().step_by(2).collect();
        self.infos = self.infos.iter().copied().step_by(2).collect();
        self.bits -= 1;
        self.survey();
    }

    /// Finds `deep` and `widest` anew. O(directory).
    fn survey(&mut self) {
        let words_of_depth = |depth| self.words.iter().filter(|word| word.depth() == depth).count();
        // One word a segment of full depth, two for each of those a bit shorter.
        self.deep = words_of_depth(self.bits) + words_of_depth(self.bits - 1) / 2;
        self.widest = self.words.iter().map(|word| word.size()).max().unwrap_or(0);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let firsts: Vec<Word> = self.first_indexes().map(|at| self.words[at]).collect();
        self.words.clear();
        for word in firsts {
            // SAFETY: `firsts` has each segment once, and the words that named it are gone.
            unsafe { word.release() };
        }
    }
}
