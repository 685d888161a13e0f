//! Going through a table: whole, in slices that survive changes, and at random.

use std::iter::FusedIterator;

use super::Table;
use super::bucket::{Positions, SLOTS};
use super::pointer::Pointer;
use super::segment::{HOME_BITS, next_bucket};

/// Bits of a scan position. Hash order has more, but clients written in JavaScript read numbers as
/// doubles, which are exact up to 2^53, and home buckets need no more.
const SCAN_BITS: u32 = 48;
/// Tries of [`Table::random`] before it settles for a neighbour. A well-hashed table needs three to ten.
const RANDOM_TRIES: usize = 1000;

/// What `DEBUG HTSTATS` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TableStats {
    pub entries: usize,
    /// Buckets of seven entries.
    pub buckets: usize,
    /// Bucket arrays that grow and split on their own.
    pub segments: usize,
    /// Words of the directory.
    pub directory: usize,
    /// Entries per place for one, 0 to 1.
    pub load: f64,
    /// Buckets that the search of an entry reads on average.
    pub mean_probe: f64,
    /// Buckets that the longest search of an entry reads.
    pub longest_probe: usize,
    /// Bytes on the heap.
    pub memory: usize,
}

impl<P: Pointer> Table<P> {
    /// Calls `f` for the entries of the bucket at `cursor` and gives the cursor for the next call, 0 after the last.
    ///
    /// The cursor is a place in hash order, the first 48 bits of a hash, and buckets stand in that order whatever the
    /// table's shape. A call covers all hashes from `cursor` to the next cursor, so of the entries that
    /// are there from the first call (with 0) to the last, every one is given at least once, however the table grows
    /// and shrinks in between. An entry is given twice only if its bucket was redrawn around the cursor and its hash
    /// is too near the cursor to tell. A cursor that no call gave is a place in hash order too, or the end.
    ///
    /// O(1): mostly some six entries.
    pub fn scan(&self, cursor: u64, mut f: impl FnMut(P)) -> u64 {
        if cursor >> SCAN_BITS != 0 || self.is_empty() {
            return 0;
        }
        let from = cursor << (64 - SCAN_BITS);
        let index = self.directory.index_of(from);
        let segment = self.directory.segment(index);
        let (frame, size) = (segment.frame, segment.buckets.len());
        let home = self.directory.home(index, from);
        let mut at = home;
        for _ in 0..size {
            let bucket = &segment.buckets[at];
            for cell in bucket.occupied().map(|position| bucket.cell(position)) {
                if frame.home(cell, size) == home && frame.latest_hash(cell) >= from {
                    f(cell.pointer());
                }
            }
            if !bucket.passed() {
                break;
            }
            at = next_bucket(at, size);
        }
        // The first ten bits behind the prefix that lead to a later bucket. They are 1024 behind the last bucket, which
        // carries into the prefix and makes it the next segment's, and 0 after the last segment.
        let ten = (((home as u64 + 1) << HOME_BITS).div_ceil(size as u64)) << (64 - HOME_BITS - frame.depth);
        frame.prefix.wrapping_add(ten) >> (64 - SCAN_BITS)
    }

    /// An entry chosen so that each has the same chance; `None` if there is none. `rng` gives uniform 64-bit numbers.
    ///
    /// Think of all segments as padded to the width of the widest: a field of directory words times buckets times
    /// positions, where every entry has one place (at the first word of its segment). A place drawn
    /// at random is drawn again until an entry is there: three to ten draws, of which only those that hit a
    /// real bucket touch one. Tables of badly mixed hashes may have too few entries for their field; then, after
    /// a thousand draws, some entry is chosen from a random place on, without the promise.
    pub fn random(&self, rng: &mut impl FnMut() -> u64) -> Option<P> {
        if self.is_empty() {
            return None;
        }
        let width = self.directory.widest() * SLOTS;
        for _ in 0..RANDOM_TRIES {
            let place = below(rng(), self.directory.len() * width);
            let (index, slot) = (place / width, place % width);
            if slot >= self.directory.size(index) * SLOTS || self.directory.aliases(index).start != index {
                continue;
            }
            let (bucket, position) = (&self.directory.buckets(index)[slot / SLOTS], slot % SLOTS + 1);
            if bucket.tag(position) != 0 {
                return Some(bucket.cell(position).pointer());
            }
        }
        let mut chosen = None;
        self.sample(rng, 1, |pointer| chosen = Some(pointer));
        chosen
    }

    /// Calls `f` for `max` neighbouring entries from a random place on, or for all if there are not so many: less
    /// random than `max` calls of [`Table::random`], but with a fraction of the cache misses.
    pub fn sample(&self, rng: &mut impl FnMut() -> u64, max: usize, mut f: impl FnMut(P)) {
        if self.is_empty() {
            return;
        }
        let index = below(rng(), self.directory.len());
        let bucket = below(rng(), self.directory.size(index));
        let from_there = Iter::from_place(self, index, bucket, self.len);
        let count = max.min(self.len);
        // Not always from a bucket's first entry on: samples smaller than a bucket would never reach its last ones.
        let skipped = below(rng(), SLOTS).min(self.len - count);
        // The second walk starts at the front and so meets the rest, up to that place, before any entry again.
        from_there.chain(self.iter()).skip(skipped).take(count).for_each(&mut f);
    }

    /// All entries, in no order to rely on. O(entries + buckets).
    pub fn iter(&self) -> Iter<'_, P> {
        Iter::from_place(self, 0, 0, self.len)
    }

    /// Measures the table. O(entries).
    pub fn stats(&self) -> TableStats {
        let buckets = self.directory.bucket_count();
        let (mut segments, mut longest_probe, mut probes) = (0, 0, 0);
        for index in self.directory.first_indexes() {
            segments += 1;
            for probe in self.probes(index) {
                longest_probe = longest_probe.max(probe);
                probes += probe;
            }
        }
        TableStats {
            entries: self.len,
            buckets,
            segments,
            directory: self.directory.len(),
            load: self.len as f64 / (buckets * SLOTS).max(1) as f64,
            mean_probe: probes as f64 / self.len.max(1) as f64,
            longest_probe,
            memory: self.memory(),
        }
    }

    /// Buckets read by the searches of the entries in the segment at `index`, one number an entry.
    fn probes(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let segment = self.directory.segment(index);
        let size = segment.buckets.len();
        segment.buckets.iter().enumerate().flat_map(move |(at, bucket)| {
            let home = move |position| segment.frame.home(bucket.cell(position), size);
            bucket
                .occupied()
                .map(move |position| (at + size - home(position)) % size + 1)
        })
    }
}

impl<'a, P: Pointer> IntoIterator for &'a Table<P> {
    type Item = P;
    type IntoIter = Iter<'a, P>;

    fn into_iter(self) -> Iter<'a, P> {
        self.iter()
    }
}

/// The entries of a table, see [`Table::iter`].
pub struct Iter<'a, P> {
    table: &'a Table<P>,
    /// First index of the segment it is in; the directory's length behind the last.
    index: usize,
    bucket: usize,
    /// What is left of that bucket.
    positions: Positions,
    /// Entries still to come, at most.
    left: usize,
}

impl<'a, P: Pointer> Iter<'a, P> {
    /// All entries from a bucket of the segment at `index` on.
    fn from_place(table: &'a Table<P>, index: usize, bucket: usize, left: usize) -> Iter<'a, P> {
        if table.is_empty() {
            return Iter {
                table,
                index: 0,
                bucket: 0,
                positions: Positions::NONE,
                left: 0,
            };
        }
        let index = table.directory.aliases(index).start;
        let positions = table.directory.buckets(index)[bucket].occupied();
        Iter {
            table,
            index,
            bucket,
            positions,
            left,
        }
    }

    /// Goes to the next bucket, be it the next segment's; false behind the last.
    fn next_bucket(&mut self) -> bool {
        let directory = &self.table.directory;
        if self.index >= directory.len() {
            return false;
        }
        self.bucket += 1;
        if self.bucket == directory.size(self.index) {
            (self.index, self.bucket) = (directory.aliases(self.index).end, 0);
        }
        if self.index == directory.len() {
            return false;
        }
        self.positions = directory.buckets(self.index)[self.bucket].occupied();
        true
    }
}

impl<P: Pointer> Iterator for Iter<'_, P> {
    type Item = P;

    fn next(&mut self) -> Option<P> {
        while self.left > 0 {
            if let Some(position) = self.positions.next() {
                self.left -= 1;
                let bucket = &self.table.directory.buckets(self.index)[self.bucket];
                return Some(bucket.cell(position).pointer());
            }
            if !self.next_bucket() {
                self.left = 0;
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl<P: Pointer> FusedIterator for Iter<'_, P> {}

/// Scales a uniform 64-bit number to one below `limit`.
fn below(random: u64, limit: usize) -> usize {
    ((u128::from(random) * limit as u128) >> 64) as usize
}
