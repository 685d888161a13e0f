//! A segment: a few dozen buckets that grow, split, shrink and merge as one.
//!
//! All hashes in a segment begin with the same `depth` bits, its *prefix*. The ten bits behind the prefix choose the
//! home bucket, scaled to however many buckets there are: `(bits * count) >> 10`. That keeps buckets in hash
//! order, so each is the home of one interval of hashes, whatever the count. Growing by a quarter, splitting, shrinking
//! and merging only draw the interval borders anew, which is why a `SCAN` cursor, a place in hash order,
//! outlives all of them. A full bucket overflows into the next, the last one into the first.
//!
//! Bucket counts step by a fifth or so instead of doubling; a doubling table is three quarters full on average
//! but half empty just after it grew. A segment at its largest splits into two that are over three quarters full.
//!
//! Rebuilding asks no entry for its hash: each cell carries the 16 bits from `window_start` on, chosen when hashes were
//! last computed. As a segment splits, its ten bits move right through the window; only when they would leave it, on
//! every seventh split, are the entries asked again.

use super::bucket::{Bucket, SLOTS, tag_of};
use super::pointer::Cell;

/// Hash bits behind the prefix that choose the home bucket.
pub(super) const HOME_BITS: u32 = 10;
/// Hash bits kept in a cell.
pub(super) const WINDOW_BITS: u32 = 16;
/// How far the prefix may outgrow the start of the window.
const MAX_DRIFT: u32 = WINDOW_BITS - HOME_BITS;

/// Bucket counts of growing segments. Times 64 bytes, each is a size class of jemalloc: nothing is lost to rounding.
const SIZES: [usize; 15] = [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56];
/// The bucket count from which a segment that is full splits.
pub(super) const SPLIT_SIZE: usize = SIZES[SIZES.len() - 1];
/// The most buckets a segment can have: hashes that no split can part make it grow this far.
pub(super) const MAX_SIZE: usize = u16::MAX as usize;
/// Two sibling segments that hold no more than this together become one: half of what makes one split, so that
/// a table on the border does not split and merge by turns.
pub(super) const MERGE_COUNT: usize = SPLIT_SIZE * SLOTS * 9 / 20;

/// Entries a segment of `size` buckets may hold before it grows: thirteen in fourteen cells.
pub(super) fn capacity(size: usize) -> usize {
    let cells = size * SLOTS;
    if size == MAX_SIZE { cells } else { cells - cells / 14 }
}

/// The bucket count that a full segment of `size` buckets grows to, when it does not split.
pub(super) fn next_size(size: usize) -> usize {
    let larger = SIZES.iter().copied().find(|&candidate| candidate > size);
    larger.unwrap_or(size + size / 2).min(MAX_SIZE)
}

/// The least bucket count that holds `count` entries with some room: six to a bucket.
pub(super) fn fitting_size(count: usize) -> usize {
    let mut size = SIZES[0];
    while size < MAX_SIZE && size * (SLOTS - 1) < count {
        size = next_size(size);
    }
    size
}

/// Is a segment of `size` buckets less than four tenths full?
pub(super) fn is_sparse(count: usize, size: usize) -> bool {
    count * 10 < size * SLOTS * 4
}

/// The home bucket for `ten` home bits among `size` buckets.
#[inline]
pub(super) fn home_bucket(ten: u64, size: usize) -> usize {
    ((ten * size as u64) >> HOME_BITS) as usize
}

/// The sixteen bits of `hash` from bit `start` on, counted from the top.
#[inline]
pub(super) fn window_of(hash: u64, start: u32) -> u16 {
    ((hash << start) >> (64 - WINDOW_BITS)) as u16
}

/// The bucket after `bucket` of `size`, the first after the last.
#[inline]
pub(super) fn next_bucket(bucket: usize, size: usize) -> usize {
    if bucket + 1 == size { 0 } else { bucket + 1 }
}

/// Puts a cell into the first bucket from `home` on that has room; gives bucket and position. The array has room.
pub(super) fn place(buckets: &mut [Bucket], home: usize, tag: u8, cell: Cell) -> (usize, usize) {
    let mut at = home;
    loop {
        let bucket = &mut buckets[at];
        if let Some(position) = bucket.vacant().next() {
            bucket.fill(position, tag, cell);
            return (at, position);
        }
        bucket.pass();
        at = next_bucket(at, buckets.len());
    }
}

/// Takes out the cell at `position` of bucket `at` and takes back its passes from `home` on.
pub(super) fn displace(buckets: &mut [Bucket], home: usize, at: usize, position: usize) {
    buckets[at].vacate(position);
    let mut passed = home;
    while passed != at {
        buckets[passed].unpass();
        passed = next_bucket(passed, buckets.len());
    }
}

/// How the hashes of a segment are to be read.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Leading hash bits that all entries share.
    pub(super) depth: u32,
    /// Those bits, at the top; the rest is 0.
    pub(super) prefix: u64,
    /// The hash bit, counted from the top, at which the cells' windows start: at most `MAX_DRIFT` before `depth`.
    pub(super) window_start: u32,
}

impl Frame {
    /// The ten home bits of a cell: those a lookup would take from the full hash.
    #[inline]
    pub(super) fn home_bits(self, cell: Cell) -> u64 {
        u64::from((cell.window() << (self.depth - self.window_start)) >> MAX_DRIFT)
    }

    /// The home bucket of a cell among `size` buckets.
    #[inline]
    pub(super) fn home(self, cell: Cell, size: usize) -> usize {
        home_bucket(self.home_bits(cell), size)
    }

    /// The largest hash the cell's entry can have, as far as prefix and window tell.
    pub(super) fn latest_hash(self, cell: Cell) -> u64 {
        let shift = 64 - WINDOW_BITS - self.window_start;
        self.prefix | u64::from(cell.window()) << shift | ((1 << shift) - 1)
    }

    /// The cell with its window moved to start at `start`, which is no later than it did. The bits that come
    /// in are the prefix's; those that go out are lost.
    fn reframe(self, cell: Cell, start: u32) -> Cell {
        let by = self.window_start - start;
        let known = window_of(self.prefix, start) & !(u16::MAX >> by);
        cell.with_window(known | cell.window() >> by)
    }
}

/// A segment as it stands in the directory, for reading.
#[derive(Clone, Copy)]
pub(super) struct SegmentView<'a> {
    pub(super) buckets: &'a [Bucket],
    pub(super) frame: Frame,
    /// Entries in it.
    pub(super) count: usize,
}

impl<'a> SegmentView<'a> {
    /// All cells with their tags, roughly in hash order.
    pub(super) fn cells(self) -> impl Iterator<Item = (u8, Cell)> + 'a {
        self.buckets
            .iter()
            .flat_map(|bucket| bucket.occupied().map(|at| (bucket.tag(at), bucket.cell(at))))
    }
}

/// A segment that stands in no directory yet.
pub(super) struct Segment {
    pub(super) buckets: Box<[Bucket]>,
    pub(super) count: usize,
    pub(super) window_start: u32,
}

impl Segment {
    pub(super) fn new(size: usize, window_start: u32) -> Segment {
        Segment {
            buckets: Bucket::array(size),
            count: 0,
            window_start,
        }
    }

    #[inline]
    fn push(&mut self, ten: u64, tag: u8, cell: Cell) {
        let home = home_bucket(ten, self.buckets.len());
        place(&mut self.buckets, home, tag, cell);
        self.count += 1;
    }
}

/// The same entries in `size` buckets. O(entries), touches none of them.
pub(super) fn rebuild(old: SegmentView, size: usize) -> Segment {
    let mut new = Segment::new(size, old.frame.window_start);
    old.cells()
        .for_each(|(tag, cell)| new.push(old.frame.home_bits(cell), tag, cell));
    new
}

/// Parts a segment by the bit behind its prefix. O(entries); asks `rehash` for their hashes only when the window
/// does not reach far enough.
pub(super) fn split(old: SegmentView, rehash: impl Fn(Cell) -> u64) -> [Segment; 2] {
    let depth = old.frame.depth + 1;
    if depth - old.frame.window_start > MAX_DRIFT {
        return split_by_hash(old, rehash);
    }
    let frame = Frame { depth, ..old.frame };
    let upper = |cell: Cell| cell.window() >> (WINDOW_BITS - (depth - frame.window_start)) & 1 == 1;
    let ones = old.cells().filter(|&(_, cell)| upper(cell)).count();
    let mut halves = [old.count - ones, ones].map(|count| Segment::new(fitting_size(count), frame.window_start));
    old.cells()
        .for_each(|(tag, cell)| halves[usize::from(upper(cell))].push(frame.home_bits(cell), tag, cell));
    halves
}

/// The split that asks every entry for its hash and starts the windows anew behind the longer prefix.
fn split_by_hash(old: SegmentView, rehash: impl Fn(Cell) -> u64) -> [Segment; 2] {
    old.cells().for_each(|(_, cell)| cell.prefetch());
    let depth = old.frame.depth + 1;
    let hashes: Vec<(u64, Cell)> = old.cells().map(|(_, cell)| (rehash(cell), cell)).collect();
    let upper = |hash: u64| hash >> (64 - depth) & 1 == 1;
    let ones = hashes.iter().filter(|&&(hash, _)| upper(hash)).count();
    let mut halves = [old.count - ones, ones].map(|count| Segment::new(fitting_size(count), depth));
    for (hash, cell) in hashes {
        let window = window_of(hash, depth);
        let ten = u64::from(window >> MAX_DRIFT);
        halves[usize::from(upper(hash))].push(ten, tag_of(hash), cell.with_window(window));
    }
    halves
}

/// Joins two siblings, lower first, into one segment with a prefix shorter by a bit. O(entries), touches none of them.
pub(super) fn merge(siblings: [SegmentView; 2]) -> Segment {
    let [lower, upper] = siblings;
    let depth = lower.frame.depth - 1;
    let window_start = depth.min(lower.frame.window_start).min(upper.frame.window_start);
    let frame = Frame {
        depth,
        prefix: lower.frame.prefix,
        window_start,
    };
    let mut both = Segment::new(fitting_size(lower.count + upper.count), window_start);
    for sibling in siblings {
        sibling.cells().for_each(|(tag, cell)| {
            let cell = sibling.frame.reframe(cell, window_start);
            both.push(frame.home_bits(cell), tag, cell);
        });
    }
    both
}
