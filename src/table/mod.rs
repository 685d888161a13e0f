//! The hash table: of keys in a database, and of the members and fields of large sets, hashes and sorted sets.
//!
//! It is laid out for one thing: the time of a lookup is the time of its cache misses, and there shall be two, one
//! in the table and one at the entry. So the table keeps *pointers* to entries it does not own, in buckets of
//! a cache line, each pointer with a byte of its hash that nearly always tells a wrong entry without looking at it
//! (`bucket.rs`).
//!
//! Around the buckets it is *extendible hashing* (R. Fagin, J. Nievergelt, N. Pippenger and H. R. Strong, "Extendible
//! Hashing: A Fast Access Method for Dynamic Files", ACM TODS 4, 1979): a directory indexed by the leading bits of
//! the hash points to segments of at most some 350 entries, and a segment that is full splits in two. The usual
//! table doubles instead, which leaves three ways to go, all bad for a server: stop the world while a
//! million entries move; keep two tables and look into both for as long as the move lasts, with the memory of both;
//! or stay at half load for good. Here an insert or removal moves a segment's worth of entries at most, and since
//! segments also grow by a quarter or less at a time (`segment.rs`), a growing table is 72 to 90 percent full at any
//! size from a thousand entries up: 10 to 13 bytes for each.
//!
//! The price is the directory (`directory.rs`), a word in the near caches that every lookup reads first, and
//! that hashes have to be good: the top bits choose the place and the lowest eight the tag, so all of
//! them must be well mixed. Hashes that agree too far to be told apart end up in one segment that
//! grows beyond its usual size, and are searched linearly: slow, but safe.
//!
//! Buckets stand in hash order, whatever their number, so a place in that order is a cursor that growth and shrinking
//! cannot invalidate: see [`Table::scan`].

mod bucket;
mod directory;
mod pointer;
mod segment;
#[cfg(test)]
mod tests;
mod walk;

use std::marker::PhantomData;

use bucket::{Bucket, tag_of};
use directory::Directory;
use pointer::Cell;
pub use pointer::{Number, Pointer, Wanted};
use segment::{Segment, next_bucket, window_of};
pub use walk::{Iter, TableStats};

use crate::processor::prefetch;

/// A hash table of pointers, see the module's comment.
///
/// Callers bring the 64-bit hash of what they look for and say what it is equal to; the table knows no keys.
/// It does not own the entries: dropping it frees its buckets only.
pub struct Table<P> {
    directory: Directory,
    len: usize,
    pointers: PhantomData<P>,
}

/// Where an entry stands, until the next insertion or removal.
///
/// A slot used later names some other entry or none; the table then gives that other one or panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Directory index.
    index: u32,
    /// Bucket in the segment.
    bucket: u16,
    /// Position in the bucket, from 1.
    position: u8,
}

impl<P: Pointer> Table<P> {
    /// An empty table, which takes no memory beyond itself.
    pub const fn new() -> Table<P> {
        Table {
            directory: Directory::new(),
            len: 0,
            pointers: PhantomData,
        }
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes on the heap, without the entries.
    pub fn memory(&self) -> usize {
        self.directory.memory()
    }

    /// Finds the entry of this hash for which `eq` says yes. O(1), mostly one bucket and one call of `eq`.
    #[inline]
    pub fn find(&self, hash: u64, eq: impl FnMut(P) -> bool) -> Option<Slot> {
        self.search(hash, eq).map(|(slot, _)| slot)
    }

    /// Like [`Table::find`], for those who want the pointer only.
    #[inline]
    pub fn get(&self, hash: u64, eq: impl FnMut(P) -> bool) -> Option<P> {
        self.search(hash, eq).map(|(_, pointer)| pointer)
    }

    /// Both: the slot and the pointer in it.
    #[inline]
    pub fn search(&self, hash: u64, mut eq: impl FnMut(P) -> bool) -> Option<(Slot, P)> {
        let (index, buckets, home) = self.directory.locate(hash)?;
        let tag = tag_of(hash);
        let mut at = home;
        for _ in 0..buckets.len() {
            let bucket = &buckets[at];
            for position in bucket.matches(tag) {
                let pointer = bucket.cell(position).pointer();
                if eq(pointer) {
                    return Some((
                        Slot {
                            index: index as u32,
                            bucket: at as u16,
                            position: position as u8,
                        },
                        pointer,
                    ));
                }
            }
            if !bucket.passed() {
                return None;
            }
            at = next_bucket(at, buckets.len());
        }
        None
    }

    /// The table as whoever prefetches for a batch of lookups wants it.
    #[inline]
    pub fn lines(&self) -> Lines<'_> {
        Lines(&self.directory)
    }

    /// The entry in a slot. O(1).
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn at(&self, slot: Slot) -> P {
        let bucket = &self.directory.buckets(slot.index as usize)[usize::from(slot.bucket)];
        occupied_cell(bucket, slot).pointer()
    }

    /// Puts `pointer`, an entry of the same hash, into a slot and gives the one that was there: the entry moved. O(1).
    ///
    /// # Panics
    /// If the slot is empty.
    pub fn replace(&mut self, slot: Slot, pointer: P) -> P {
        let bucket = &mut self.directory.buckets_mut(slot.index as usize)[usize::from(slot.bucket)];
        let old = occupied_cell(bucket, slot);
        bucket.set_cell(usize::from(slot.position), Cell::new(pointer, old.window()));
        old.pointer()
    }

    /// Adds an entry, which the caller knows to be absent. `rehash` gives the hash of any entry of the table.
    ///
    /// O(1) on average, and never more than moving the entries of one segment, about 350 (4 microseconds when each
    /// has to be asked for its hash); doubling the directory aside, a copy of 1/200 of the table.
    ///
    /// # Panics
    /// If more than some 450,000 entries have hashes that cannot be told apart.
    pub fn insert(&mut self, hash: u64, pointer: P, rehash: impl Fn(P) -> u64) -> Slot {
        let index = self.make_room(hash, |cell| rehash(cell.pointer()));
        let (buckets, home, window_start) = self.directory.admit(index, hash);
        let cell = Cell::new(pointer, window_of(hash, window_start));
        let (bucket, position) = segment::place(buckets, home, tag_of(hash), cell);
        self.len += 1;
        Slot {
            index: index as u32,
            bucket: bucket as u16,
            position: position as u8,
        }
    }

    /// Grows or splits the segment for `hash` until it has room for one more; gives its index.
    fn make_room(&mut self, hash: u64, rehash: impl Fn(Cell) -> u64) -> usize {
        if self.directory.is_empty() {
            self.directory.start(Segment::new(1, 0));
        }
        loop {
            let index = self.directory.index_of(hash);
            let size = self.directory.size(index);
            if self.directory.count(index) < segment::capacity(size) {
                return index;
            }
            let full = self.directory.segment(index);
            if size >= segment::SPLIT_SIZE && self.directory.may_split(index, self.len) {
                let halves = segment::split(full, &rehash);
                self.directory.split(index, halves);
                continue;
            }
            assert!(size < segment::MAX_SIZE, "too many entries with one hash");
            let larger = segment::rebuild(full, segment::next_size(size));
            self.directory.replace(index, larger);
        }
    }

    /// Takes an entry out. O(1) on average, and never more than the entries of a segment for each bit that its prefix
    /// loses by merging; halving the directory aside, 1/200 of the table.
    ///
    /// # Panics
    /// If the slot is empty.
    pub fn remove(&mut self, slot: Slot) -> P {
        let pointer = self.take(slot);
        self.settle(slot.index as usize);
        pointer
    }

    /// Takes out about `max` entries at most, freeing memory on the way, and gives each to `f`; true if the
    /// table is empty then. For taking huge tables apart in slices; the table is a table like any other in between.
    pub fn drain_step(&mut self, max: usize, mut f: impl FnMut(P)) -> bool {
        let mut left = max;
        while left > 0 && self.len > 0 {
            left -= self.drain_last_segment(left, &mut f);
        }
        self.len == 0
    }

    /// Takes up to `max` entries out of the last segment that has any; gives how many.
    ///
    /// Segments emptied here merge with one another at once, so at most one for each prefix length stands behind.
    fn drain_last_segment(&mut self, max: usize, f: &mut impl FnMut(P)) -> usize {
        let mut index = self.directory.len() - 1;
        while self.directory.count(index) == 0 {
            index = self.directory.aliases(index).start - 1;
        }
        let mut taken = 0;
        'segment: for bucket in 0..self.directory.size(index) {
            for position in self.directory.buckets(index)[bucket].occupied() {
                if taken == max {
                    break 'segment;
                }
                f(self.take(Slot {
                    index: index as u32,
                    bucket: bucket as u16,
                    position: position as u8,
                }));
                taken += 1;
            }
        }
        self.settle(index);
        taken
    }

    /// Takes an entry out of its bucket and leaves the segment as it is.
    fn take(&mut self, slot: Slot) -> P {
        let (index, at) = (slot.index as usize, usize::from(slot.bucket));
        let frame = self.directory.frame(index);
        let buckets = self.directory.buckets_mut(index);
        let cell = occupied_cell(&buckets[at], slot);
        let home = frame.home(cell, buckets.len());
        segment::displace(buckets, home, at, usize::from(slot.position));
        self.directory.count_remove(index);
        self.len -= 1;
        cell.pointer()
    }

    /// Merges or shrinks the segment at `index` if it has become sparse. An empty table gives everything back.
    fn settle(&mut self, mut index: usize) {
        if self.len == 0 {
            self.directory = Directory::new();
            return;
        }
        loop {
            let (count, size) = (self.directory.count(index), self.directory.size(index));
            if !segment::is_sparse(count, size) {
                return;
            }
            let Some(sibling) = self.small_sibling(index, count) else {
                return self.shrink(index, count, size);
            };
            let (first, second) = (index.min(sibling), index.max(sibling));
            let both = segment::merge([self.directory.segment(first), self.directory.segment(second)]);
            index = self.directory.merge(index, sibling, both);
        }
    }

    /// The sibling of the segment at `index`, if both fit well in one.
    fn small_sibling(&self, index: usize, count: usize) -> Option<usize> {
        let sibling = self.directory.sibling(index)?;
        (count + self.directory.count(sibling) <= segment::MERGE_COUNT).then_some(sibling)
    }

    /// Rebuilds the segment at `index` with as many buckets as its `count` entries need, if that is less than `size`.
    fn shrink(&mut self, index: usize, count: usize, size: usize) {
        let fitting = segment::fitting_size(count);
        if fitting < size {
            let smaller = segment::rebuild(self.directory.segment(index), fitting);
            self.directory.replace(index, smaller);
        }
    }
}

/// A table of whatever pointers, of which nothing is wanted but that the processor fetches it ahead of lookups.
#[derive(Clone, Copy)]
pub struct Lines<'t>(&'t Directory);

impl Lines<'_> {
    /// Asks for the bucket where a search for `hash` starts, for those who have other work before they search.
    #[inline]
    pub fn prefetch(self, hash: u64) {
        self.0.home_address(hash).into_iter().for_each(prefetch);
    }

    /// Wants the bucket where a search for `hash` starts: the first half of a batch of lookups.
    #[inline]
    pub fn want_bucket(self, hash: u64, wanted: &mut Wanted) {
        if let Some(address) = self.0.home_address(hash) {
            wanted.line(address);
        }
    }

    /// Wants the entries that a search for `hash` will look at: the second half, when the buckets have come.
    #[inline]
    pub fn want_matches(self, hash: u64, wanted: &mut Wanted) {
        let Some((_, buckets, home)) = self.0.locate(hash) else {
            return;
        };
        let tag = tag_of(hash);
        let mut at = home;
        for _ in 0..buckets.len() {
            let bucket = &buckets[at];
            let matches = bucket.matches(tag);
            if !matches.is_empty() {
                // First, for this is what mostly happens: whether others passed here is as good as random.
                return matches.for_each(|position| wanted.entry(bucket.cell(position)));
            }
            if !bucket.passed() {
                return;
            }
            at = next_bucket(at, buckets.len());
        }
    }
}

impl<P: Pointer> Default for Table<P> {
    fn default() -> Table<P> {
        Table::new()
    }
}

/// The cell at a slot's position in its bucket.
#[inline]
fn occupied_cell(bucket: &Bucket, slot: Slot) -> Cell {
    let position = usize::from(slot.position);
    assert!(bucket.tag(position) != 0, "an empty slot");
    bucket.cell(position)
}
