use std::collections::HashMap;

use super::bucket::{SLOTS, tag_of};
use super::segment::{MAX_SIZE, SPLIT_SIZE, capacity, fitting_size, home_bucket, next_bucket, next_size, window_of};
use super::{Pointer, Table, Wanted};

/// A stand-in for an entry: a number that is its own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Id(u64);

// SAFETY: the tests use numbers from 1 to 2^47, and there is nothing behind them.
#[allow(unsafe_code)]
unsafe impl Pointer for Id {
    fn to_bits(self) -> u64 {
        self.0
    }

    unsafe fn from_bits(bits: u64) -> Id {
        Id(bits)
    }
}

/// Sebastiano Vigna's SplitMix64: a generator with one word of state, whose last step is also a good hash.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A table of numbers with their hash function and a model to compare with.
struct Harness {
    table: Table<Id>,
    hash: fn(u64) -> u64,
    /// What ought to be in the table, and where in `ids` it stands.
    model: HashMap<u64, usize>,
    ids: Vec<u64>,
}

impl Harness {
    fn new(hash: fn(u64) -> u64) -> Harness {
        Harness {
            table: Table::new(),
            hash,
            model: HashMap::new(),
            ids: Vec::new(),
        }
    }

    fn filled(hash: fn(u64) -> u64, ids: impl IntoIterator<Item = u64>) -> Harness {
        let mut harness = Harness::new(hash);
        ids.into_iter().for_each(|id| harness.insert(id));
        harness
    }

    fn contains(&self, id: u64) -> bool {
        self.table.find((self.hash)(id), |other| other.0 == id).is_some()
    }

    fn insert(&mut self, id: u64) {
        assert!(!self.contains(id));
        let slot = self.table.insert((self.hash)(id), Id(id), |other| (self.hash)(other.0));
        assert_eq!(self.table.at(slot), Id(id));
        self.model.insert(id, self.ids.len());
        self.ids.push(id);
    }

    fn remove(&mut self, id: u64) {
        let slot = self
            .table
            .find((self.hash)(id), |other| other.0 == id)
            .expect("present");
        assert_eq!(self.table.remove(slot), Id(id));
        self.forget(id);
    }

    fn forget(&mut self, id: u64) {
        let at = self.model.remove(&id).expect("known to the model");
        self.ids.swap_remove(at);
        if let Some(moved) = self.ids.get(at) {
            self.model.insert(*moved, at);
        }
    }

    /// Checks everything that ought to hold between two operations. O(table).
    fn check(&self) {
        let directory = &self.table.directory;
        assert_eq!(self.table.len(), self.model.len());
        let (mut entries, mut buckets, mut next, mut deep) = (0, 0, 0, 0);
        for index in directory.first_indexes() {
            let aliases = directory.aliases(index);
            assert_eq!(aliases.start, next);
            next = aliases.end;
            for alias in aliases {
                assert_eq!(directory.buckets(alias).as_ptr(), directory.buckets(index).as_ptr());
                assert_eq!(directory.frame(alias).depth, directory.frame(index).depth);
            }
            entries += self.check_segment(index);
            buckets += directory.size(index);
            deep += usize::from((1 << (directory.frame(index).depth + 1)) >= directory.len());
            assert!(directory.size(index) <= directory.widest());
        }
        assert_eq!(next, directory.len());
        assert_eq!(buckets, directory.bucket_count());
        assert_eq!(entries, self.table.len());
        assert_eq!(self.table.is_empty(), directory.is_empty());
        assert_eq!(deep, directory.deep());
        assert!(self.table.is_empty() || deep > 0, "the directory ought to have halved");
    }

    /// Checks tags, windows, places and pass counts in a segment; gives the number of its entries.
    fn check_segment(&self, index: usize) -> usize {
        let segment = self.table.directory.segment(index);
        let (frame, size) = (segment.frame, segment.buckets.len());
        let mut passes = vec![0usize; size];
        let mut entries = 0;
        for (at, bucket) in segment.buckets.iter().enumerate() {
            for position in bucket.occupied() {
                let cell = bucket.cell(position);
                let Id(id) = cell.pointer();
                let hash = (self.hash)(id);
                assert!(self.model.contains_key(&id));
                assert_eq!(bucket.tag(position), tag_of(hash));
                assert_eq!(cell.window(), window_of(hash, frame.window_start));
                assert_eq!((hash ^ frame.prefix).checked_shr(64 - frame.depth).unwrap_or(0), 0);
                assert_eq!(frame.home(cell, size), self.table.directory.home(index, hash));
                assert!(frame.latest_hash(cell) >= hash);
                let mut passed = frame.home(cell, size);
                while passed != at {
                    passes[passed] += 1;
                    passed = next_bucket(passed, size);
                }
                entries += 1;
            }
        }
        for (bucket, passes) in segment.buckets.iter().zip(passes) {
            assert!(bucket.pass_count() == passes.min(255) || bucket.pass_count() == 255);
        }
        assert_eq!(entries, segment.count);
        assert!(entries <= capacity(size));
        entries
    }
}

/// Grows and shrinks a table in phases, by `operations` in all, at most to about `most` entries.
fn churn(hash: fn(u64) -> u64, operations: usize, most: usize, seed: u64) {
    let mut harness = Harness::new(hash);
    let mut rng = Rng(seed);
    let mut fresh = 0;
    let mut percent_inserts = 70;
    for operation in 0..operations {
        if operation % (operations / 40) == 0 {
            percent_inserts = [0, 30, 55, 70, 95, 100][rng.below(6)];
            harness.check();
        }
        let grow = rng.below(100) < percent_inserts && harness.ids.len() < most;
        match rng.below(8) {
            0 => {
                let id = rng.below(most * 2) as u64 + 1;
                assert_eq!(harness.contains(id), harness.model.contains_key(&id));
            }
            1 => {
                let Some(&id) = harness.ids.get(rng.below(harness.ids.len().max(1))) else {
                    continue;
                };
                let slot = harness.table.find(hash(id), |other| other.0 == id).expect("present");
                assert_eq!(
                    harness.table.get(hash(id), |other| other.0 == id),
                    Some(harness.table.at(slot))
                );
                assert_eq!(harness.table.replace(slot, Id(id)), Id(id));
            }
            _ if grow => {
                fresh += 1;
                harness.insert(fresh);
            }
            _ if !harness.ids.is_empty() => {
                let id = harness.ids[rng.below(harness.ids.len())];
                harness.remove(id);
            }
            _ => percent_inserts = 95,
        }
    }
    harness.check();
    while let Some(&id) = harness.ids.last() {
        harness.remove(id);
    }
    harness.check();
    assert_eq!(harness.table.memory(), 0);
}

#[test]
fn agrees_with_a_model_over_a_million_operations() {
    churn(mixed, 400_000, 1_000_000, 1);
    churn(mixed, 400_000, 20_000, 2);
    churn(mixed, 100_000, 2_000, 3);
    churn(mixed, 100_000, 40, 4);
}

#[test]
fn agrees_with_a_model_when_hashes_are_bad() {
    churn(|id| mixed(id) >> 12, 20_000, 4_000, 5);
    churn(|id| mixed(id) << 40, 20_000, 4_000, 6);
    churn(|id| mixed(id % 50), 20_000, 3_000, 7);
    churn(|id| if id % 3 == 0 { 0xdead_beef } else { mixed(id) }, 20_000, 3_000, 8);
}

#[test]
fn an_empty_table_answers_everything() {
    let table: Table<Id> = Table::default();
    let mut rng = Rng(1);
    assert!(table.find(7, |_| true).is_none());
    assert!(table.random(&mut || rng.next()).is_none());
    table.sample(&mut || rng.next(), 5, |_| panic!("nothing to sample"));
    let mut wanted = Wanted::default();
    table.lines().prefetch(7);
    table.lines().want_bucket(7, &mut wanted);
    table.lines().want_matches(7, &mut wanted);
    wanted.ask();
    assert_eq!(table.iter().count(), 0);
    assert_eq!(table.scan(0, |_| panic!("nothing to scan")), 0);
    assert_eq!((table.memory(), table.stats().longest_probe), (0, 0));
}

#[test]
fn prefetching_is_only_a_hint() {
    let harness = Harness::filled(mixed, 1..=3000);
    let mut wanted = Wanted::default();
    for id in 1..=6000 {
        harness.table.lines().prefetch(mixed(id));
        harness.table.lines().want_bucket(mixed(id), &mut wanted);
        harness.table.lines().want_matches(mixed(id), &mut wanted);
    }
    wanted.ask();
    harness.check();
}

#[test]
#[should_panic(expected = "an empty slot")]
fn an_empty_slot_is_refused() {
    let mut harness = Harness::filled(mixed, 1..=3);
    let slot = harness.table.find(mixed(2), |id| id.0 == 2).expect("present");
    harness.table.remove(slot);
    harness.table.at(slot);
}

#[test]
#[should_panic]
fn a_slot_of_an_emptied_table_is_refused() {
    let mut harness = Harness::filled(mixed, 1..=1);
    let slot = harness.table.find(mixed(1), |_| true).expect("present");
    harness.table.remove(slot);
    harness.table.remove(slot);
}

/// Bytes of table for each entry at every size, and how far that lets searches go.
#[test]
fn memory_per_entry_stays_within_bounds() {
    let mut harness = Harness::new(mixed);
    let mut table = Table::new();
    let mut next_look = 1000;
    for id in 1..=2_000_000u64 {
        table.insert(mixed(id), Id(id), |other| mixed(other.0));
        if id == next_look {
            next_look += next_look / 40;
            let per_entry = table.memory() as f64 / id as f64;
            assert!((10.15..13.0).contains(&per_entry), "{per_entry} bytes at {id}");
        }
    }
    let stats = table.stats();
    assert!(stats.mean_probe < 1.4 && stats.longest_probe < 40, "{stats:?}");
    std::mem::swap(&mut harness.table, &mut table);
    harness.model.extend((1..=2_000_000).map(|id| (id, 0)));
    harness.check();
}

/// After shrinking, loads are lower, but the memory is given back.
#[test]
fn memory_follows_a_shrinking_table() {
    let mut harness = Harness::filled(mixed, 1..=100_000);
    for id in (1001..=100_000).rev() {
        harness.remove(id);
        if id % 1000 == 0 {
            let per_entry = harness.table.memory() as f64 / id as f64;
            assert!(per_entry < 25.0, "{per_entry} bytes at {id}");
        }
    }
    harness.check();
}

/// Entries moved or looked at by any one insertion or removal.
#[test]
fn no_operation_rebuilds_more_than_a_segment() {
    let mut table = Table::new();
    for id in 1..=300_000u64 {
        let asked = std::cell::Cell::new(0);
        table.insert(mixed(id), Id(id), |other| {
            asked.set(asked.get() + 1);
            mixed(other.0)
        });
        assert!(asked.get() <= capacity(SPLIT_SIZE));
    }
    let largest = table
        .directory
        .first_indexes()
        .map(|index| table.directory.count(index))
        .max();
    assert!(largest <= Some(capacity(SPLIT_SIZE)));
}

#[test]
fn bucket_counts_step_gently() {
    assert_eq!((capacity(1), capacity(32), capacity(56)), (7, 208, 364));
    assert_eq!(
        (fitting_size(0), fitting_size(6), fitting_size(7), fitting_size(177)),
        (1, 1, 2, 32)
    );
    let mut size = 8;
    while size < MAX_SIZE {
        assert!(next_size(size) > size && next_size(size) <= size + size / 2);
        assert!(fitting_size(size * 6) == size && capacity(size) > size * 6);
        size = next_size(size);
    }
}

#[test]
fn home_buckets_are_in_hash_order() {
    for size in [1, 2, 3, 12, 20, 56, 84, 1000, 1024, 5000] {
        let homes: Vec<usize> = (0..1024).map(|ten| home_bucket(ten, size)).collect();
        assert!(homes.is_sorted() && homes[0] == 0 && homes[1023] < size);
    }
}

/// Scans while the table changes in between; every entry that stays has to come.
fn scan_across_changes(hash: fn(u64) -> u64, staying: u64, seed: u64, mut change: impl FnMut(&mut Harness, &mut Rng)) {
    let mut harness = Harness::filled(hash, 1..=staying);
    let mut rng = Rng(seed);
    for _ in 0..4 {
        let mut seen = vec![false; staying as usize + 1];
        let mut cursor = 0;
        loop {
            let next = harness.table.scan(cursor, |Id(id)| {
                if id <= staying {
                    seen[id as usize] = true;
                }
            });
            if next == 0 {
                break;
            }
            assert!(next > cursor && next < 1 << 48);
            cursor = next;
            change(&mut harness, &mut rng);
        }
        assert!(seen[1..].iter().all(|&seen| seen));
    }
    harness.check();
}

/// Grows to `most` and shrinks to what stays, by turns, some `step` entries a call.
fn swing(staying: u64, most: usize, step: usize) -> impl FnMut(&mut Harness, &mut Rng) {
    let mut fresh = staying;
    let mut growing = true;
    move |harness, rng| {
        for _ in 0..rng.below(step) {
            if growing {
                fresh += 1;
                harness.insert(fresh);
            } else if let Some(id) = harness.ids.last().copied().filter(|&id| id > staying) {
                harness.remove(id);
            }
        }
        if harness.ids.len() >= most {
            growing = false;
            // What stays goes to the front, the rest in random order behind.
            let volatile: Vec<u64> = harness.ids.iter().copied().filter(|&id| id > staying).collect();
            harness.ids = (1..=staying).chain(volatile).collect();
            for at in (staying as usize + 1..harness.ids.len()).rev() {
                let other = staying as usize + rng.below(at + 1 - staying as usize);
                harness.ids.swap(at, other);
            }
            harness.model = harness.ids.iter().copied().zip(0..).collect();
        } else if harness.ids.len() <= staying as usize {
            growing = true;
        }
    }
}

#[test]
fn scan_gives_everything_that_stays() {
    scan_across_changes(mixed, 3000, 1, |_, _| {});
    scan_across_changes(mixed, 3000, 2, swing(3000, 60_000, 400));
    scan_across_changes(mixed, 300, 3, swing(300, 20_000, 1000));
    scan_across_changes(mixed, 10, 4, swing(10, 5000, 1000));
    scan_across_changes(|id| mixed(id) >> 8, 500, 5, swing(500, 3000, 50));
    scan_across_changes(|id| mixed(id % 100), 300, 6, swing(300, 2000, 50));
}

#[test]
fn scan_of_a_table_at_rest_gives_everything_once() {
    for count in [1, 6, 7, 8, 100, 353, 354, 5000, 70_000] {
        let harness = Harness::filled(mixed, 1..=count);
        let (mut seen, mut cursor, mut longest) = (Vec::new(), 0, 0);
        loop {
            let before = seen.len();
            cursor = harness.table.scan(cursor, |id| seen.push(id.0));
            longest = longest.max(seen.len() - before);
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..=count));
        assert!(longest < 40);
    }
}

#[test]
fn scan_takes_any_cursor() {
    let harness = Harness::filled(mixed, 1..=3000);
    let mut rng = Rng(9);
    for _ in 0..2000 {
        let cursor = rng.next() >> rng.below(20);
        let not_before = |Id(id)| assert!(mixed(id) >> 48 >= cursor >> 32);
        let next = harness.table.scan(cursor, not_before);
        assert!(next == 0 || next > cursor);
    }
    assert_eq!(harness.table.scan(u64::MAX, |_| panic!("past the end")), 0);
    assert_eq!(harness.table.scan(1 << 48, |_| panic!("past the end")), 0);
}

/// Chi-square against equal chances: mean `count`, standard deviation sqrt(2 `count`).
fn assert_uniform(harness: &Harness, seed: u64) {
    let count = harness.ids.len();
    let mut rng = Rng(seed);
    let mut drawn: HashMap<u64, u64> = harness.ids.iter().map(|&id| (id, 0)).collect();
    let expected = 100.0;
    for _ in 0..count * 100 {
        let Id(id) = harness.table.random(&mut || rng.next()).expect("not empty");
        *drawn.get_mut(&id).expect("present") += 1;
    }
    let chi_square: f64 = drawn
        .values()
        .map(|&times| (times as f64 - expected).powi(2) / expected)
        .sum();
    let spread = (2.0 * count as f64).sqrt();
    assert!(
        (chi_square - count as f64).abs() < 5.0 * spread,
        "{chi_square} for {count}"
    );
}

#[test]
fn random_gives_every_entry_the_same_chance() {
    for count in [2, 30, 200, 360, 900, 3000] {
        assert_uniform(&Harness::filled(mixed, 1..=count), count);
    }
    let mut shrunk = Harness::filled(mixed, 1..=6000);
    (501..=6000).for_each(|id| shrunk.remove(id));
    assert_uniform(&shrunk, 77);
    // Half of the entries agree in their leading bits, so segments of all depths and sizes stand side by side.
    assert_uniform(
        &Harness::filled(|id| if id % 2 == 0 { mixed(id) >> 5 } else { mixed(id) }, 1..=2000),
        78,
    );
}

#[test]
fn sample_gives_different_entries() {
    let mut rng = Rng(3);
    for count in [1, 5, 300, 5000] {
        let harness = Harness::filled(mixed, 1..=count);
        for max in [0, 1, 16, 1000, 10_000] {
            let mut drawn = Vec::new();
            harness.table.sample(&mut || rng.next(), max, |id| drawn.push(id.0));
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), max.min(count as usize));
        }
    }
}

#[test]
fn small_samples_reach_every_entry() {
    let mut rng = Rng(4);
    for max in [1, 5] {
        let harness = Harness::filled(mixed, 1..=1000);
        let mut drawn = vec![0u32; 1001];
        for _ in 0..200_000 / max {
            harness
                .table
                .sample(&mut || rng.next(), max, |id| drawn[id.0 as usize] += 1);
        }
        // 200 on average, but a sparse bucket's entries are drawn more often.
        let (least, most) = (drawn[1..].iter().min().unwrap(), drawn[1..].iter().max().unwrap());
        assert!(*least > 20 && *most < 1500, "samples of {max}: {least} to {most}");
    }
}

#[test]
fn iter_gives_everything_once() {
    for count in [1, 7, 8, 400, 5000] {
        let harness = Harness::filled(mixed, 1..=count);
        let mut ids: Vec<u64> = (&harness.table).into_iter().map(|id| id.0).collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(1..=count));
    }
}

#[test]
fn thousands_of_equal_hashes_are_slow_but_safe() {
    for hash in [|_| 0, |_| u64::MAX, |_| 0x0123_4567_89ab_cdef] {
        let mut harness = Harness::new(hash);
        for id in 1..=4000 {
            let slot = harness.table.insert(hash(id), Id(id), |other| hash(other.0));
            assert_eq!(harness.table.at(slot), Id(id));
            harness.model.insert(id, harness.ids.len());
            harness.ids.push(id);
        }
        harness.check();
        assert!(harness.table.directory.len() <= 64);
        assert!(harness.table.memory() < 4000 * 20);
        (1..=4000).step_by(37).for_each(|id| assert!(harness.contains(id)));
        let mut scanned = 0;
        assert_eq!(
            harness.table.scan((hash(0)) >> 16, |_| scanned += 1) == 0,
            hash(0) == u64::MAX
        );
        assert_eq!(scanned, 4000);
        let mut rng = Rng(4);
        assert!(harness.table.random(&mut || rng.next()).is_some());
        (1..=3900).for_each(|id| harness.remove(id));
        harness.check();
        assert!(harness.table.memory() < 8192);
    }
}

/// Equal hashes amid a well-hashed table do not make its directory explode.
#[test]
fn a_few_hundred_equal_hashes_in_a_large_table_stay_local() {
    let mut harness = Harness::filled(|id| if id > 100_000 { 42 } else { mixed(id) }, 1..=100_700);
    harness.check();
    assert!(harness.table.memory() < 100_700 * 13);
    (100_001..=100_700).for_each(|id| harness.remove(id));
    harness.check();
}

#[test]
fn drain_step_takes_everything_in_slices() {
    for (count, max) in [
        (1, 1),
        (7, 3),
        (353, 10),
        (5000, 1),
        (5000, 100),
        (50_000, 1000),
        (3000, 1_000_000),
    ] {
        let mut harness = Harness::filled(mixed, 1..=count);
        let before = harness.table.memory();
        let mut calls = 0;
        loop {
            let (mut taken, mut ids) = (0, Vec::new());
            let done = harness.table.drain_step(max, |id| {
                taken += 1;
                ids.push(id.0);
            });
            ids.into_iter().for_each(|id| harness.forget(id));
            assert!(taken == max || done);
            calls += 1;
            if calls % 16 == 0 {
                harness.check();
            }
            if harness.ids.len() == count as usize / 2 && count > 1000 {
                assert!(harness.table.memory() < before * 6 / 10);
                assert!(harness.ids.iter().all(|&id| harness.contains(id)));
            }
            if done {
                break;
            }
        }
        harness.check();
        assert_eq!((harness.table.len(), harness.table.memory()), (0, 0));
        assert!(harness.table.drain_step(5, |_| panic!("empty")));
    }
}

#[test]
fn a_drained_table_can_be_used_in_between() {
    let mut harness = Harness::filled(mixed, 1..=20_000);
    let mut rng = Rng(6);
    let mut fresh = 20_000;
    while !harness.table.is_empty() {
        let mut gone = Vec::new();
        harness.table.drain_step(rng.below(700), |id| gone.push(id.0));
        gone.into_iter().for_each(|id| harness.forget(id));
        for _ in 0..rng.below(100) {
            fresh += 1;
            harness.insert(fresh);
        }
        harness.check();
    }
}

/// Real entries on the heap, so that a sanitizer sees every pointer that is followed.
#[test]
#[allow(unsafe_code)]
fn pointers_to_the_heap_come_back_whole() {
    #[derive(Clone, Copy)]
    struct Entry(*mut u64);

    // SAFETY: a pointer of a live box, which user space gets below 2^47 and not at 0.
    unsafe impl Pointer for Entry {
        fn to_bits(self) -> u64 {
            self.0.expose_provenance() as u64
        }

        unsafe fn from_bits(bits: u64) -> Entry {
            Entry(std::ptr::with_exposed_provenance_mut(bits as usize))
        }
    }

    // SAFETY: entries are freed only after they were taken out of the table.
    let key = |entry: Entry| unsafe { *entry.0 };
    // SAFETY: as above, and each is taken out once.
    let free = |entry: Entry| unsafe { drop(Box::from_raw(entry.0)) };
    let mut table = Table::new();
    for id in 0..30_000u64 {
        table.insert(mixed(id), Entry(Box::into_raw(Box::new(id))), |entry| mixed(key(entry)));
    }
    for id in 0..30_000 {
        let slot = table.find(mixed(id), |entry| key(entry) == id).expect("present");
        if id % 3 == 0 {
            let moved = Entry(Box::into_raw(Box::new(id)));
            free(table.replace(slot, moved));
        } else if id % 3 == 1 {
            free(table.remove(slot));
        }
    }
    assert_eq!(
        table.iter().map(key).sum::<u64>(),
        (0..30_000).filter(|id| id % 3 != 1).sum::<u64>()
    );
    while !table.drain_step(1000, free) {}
}

#[test]
fn stats_measure_the_table() {
    let harness = Harness::filled(mixed, 1..=10_000);
    let stats = harness.table.stats();
    assert_eq!((stats.entries, stats.memory), (10_000, harness.table.memory()));
    assert!(stats.segments <= stats.directory && stats.directory.is_power_of_two());
    assert!((0.7..0.94).contains(&stats.load) && stats.buckets * SLOTS >= 10_000);
    assert!((1..40).contains(&stats.longest_probe) && (1.0..1.4).contains(&stats.mean_probe));
}
