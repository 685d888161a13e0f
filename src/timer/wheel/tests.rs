//! The wheel against a model: a map of deadlines that is searched from the front.

use super::*;
use std::collections::{BTreeSet, HashMap};

/// A small generator of random numbers (xorshift64*), so that failures can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A span of time of a random order of magnitude below 2^`bits` ms.
    fn span(&mut self, bits: u64) -> i64 {
        let bits = self.below(bits + 1);
        self.below(1 << bits) as i64
    }
}

/// What an owner remembers of a thing with a deadline.
struct Timer {
    deadline: Millis,
    place: Place,
    /// The deadline for which its item was last given a place: never later than `deadline`, unless fires_by said so.
    armed_for: Millis,
}

struct Owner {
    wheel: TimerWheel,
    now: Millis,
    timers: HashMap<u64, Timer>,
    by_deadline: BTreeSet<(Millis, u64)>,
    fired: u64,
}

impl Owner {
    fn new(now: Millis) -> Self {
        Owner {
            wheel: TimerWheel::new(now),
            now,
            timers: HashMap::new(),
            by_deadline: BTreeSet::new(),
            fired: 0,
        }
    }

    fn set(&mut self, item: u64, deadline: Millis) {
        let old = self.timers.remove(&item);
        let mut timer = Timer {
            deadline,
            place: Place::NONE,
            armed_for: deadline,
        };
        if let Some(old) = old {
            self.by_deadline.remove(&(old.deadline, item));
            timer.place = old.place;
            timer.armed_for = old.armed_for;
            if deadline >= old.deadline {
                assert!(
                    self.wheel.fires_by(old.place, deadline),
                    "a later deadline needs no new item"
                );
            }
        }
        if !self.wheel.fires_by(timer.place, deadline) {
            let expected = self.wheel.place_for(deadline);
            timer.place = self.wheel.arm(item, deadline);
            timer.armed_for = deadline;
            assert_eq!(timer.place, expected);
            assert!(self.wheel.fires_by(timer.place, deadline));
        }
        self.timers.insert(item, timer);
        self.by_deadline.insert((deadline, item));
    }

    fn cancel(&mut self, item: u64) {
        if let Some(timer) = self.timers.remove(&item) {
            self.by_deadline.remove(&(timer.deadline, item));
        }
    }

    /// Advances and checks that nothing is early and that nothing due is left if the budget sufficed.
    fn advance(&mut self, now: Millis, budget: usize) {
        self.now = self.now.max(now);
        let Owner {
            wheel,
            timers,
            by_deadline,
            fired,
            ..
        } = self;
        let mut last = wheel.time();
        let visited = wheel.advance(now, budget, |item, visit| {
            assert!(
                visit.time() >= last && visit.time() <= now,
                "slots come in the order of time"
            );
            last = visit.time();
            let Some(timer) = timers.get_mut(&item).filter(|timer| timer.place == visit.at()) else {
                return Verdict::Gone;
            };
            if visit.at().level() == 0 {
                assert!(timer.armed_for <= visit.time(), "visited early at level 0");
            }
            if timer.deadline <= visit.time() {
                by_deadline.remove(&(timer.deadline, item));
                timers.remove(&item);
                *fired += 1;
                return Verdict::Gone;
            }
            timer.armed_for = timer.deadline;
            timer.place = visit.place_for(timer.deadline);
            Verdict::At(timer.place)
        });
        assert!(visited <= budget);
        let first = by_deadline.first().map(|(deadline, _)| *deadline);
        if visited < budget {
            assert!(first.is_none_or(|first| first > now), "late: {first:?} at {now:?}");
            assert!(!wheel.is_behind(now));
            assert_eq!(wheel.time(), last.max(now));
        }
        if let Some(first) = first {
            let due = wheel.next_due().expect("something is armed");
            assert!(due <= first.max(wheel.time()), "next_due must not oversleep");
        }
    }

    fn sweep(&mut self, budget: usize) -> usize {
        let timers = &self.timers;
        self.wheel.sweep(budget, |item, at, _| {
            timers.get(&item).is_some_and(|timer| timer.place == at)
        })
    }
}

fn run(seed: u64, operations: u64, deadline_bits: u64, step_bits: u64) {
    let mut random = Random(seed);
    let start = Millis(random.span(42) - (1 << 40));
    let mut owner = Owner::new(start);
    for _ in 0..operations {
        let item = random.below(3000);
        match random.below(100) {
            0..60 => {
                let delta = random.span(deadline_bits) - 3;
                owner.set(item, owner.now.saturating_add(delta));
            }
            60..75 => owner.cancel(item),
            75..80 => {
                let budget = random.below(200) as usize;
                assert!(owner.sweep(budget) <= budget);
            }
            80..98 => {
                let (now, budget) = (
                    owner.now.saturating_add(random.span(step_bits)),
                    random.below(100) as usize,
                );
                owner.advance(now, budget);
            }
            _ => {
                let now = owner.wheel.next_due().unwrap_or(owner.now).max(owner.now);
                let behind = owner.wheel.is_behind(now);
                owner.advance(now, usize::MAX);
                assert!(owner.wheel.items() == 0 || behind || owner.wheel.next_due() > Some(now));
            }
        }
        assert!(owner.wheel.items() >= owner.timers.len());
    }
    assert!(owner.fired > operations / 50, "{} fired", owner.fired);
    let items = owner.wheel.items();
    assert_eq!(owner.sweep(items), items);
    owner.sweep(items);
    assert_eq!(
        owner.wheel.items(),
        owner.timers.len(),
        "a sweep leaves nothing but live items"
    );
    owner.advance(Millis::MAX.saturating_sub(1), usize::MAX);
    assert!(owner.timers.is_empty() && owner.wheel.is_empty());
    assert!(owner.wheel.memory() < 10_000);
}

#[test]
fn a_million_random_operations_agree_with_the_model() {
    run(1, 300_000, 9, 4);
    run(2, 300_000, 16, 10);
    run(3, 200_000, 30, 24);
    run(4, 100_000, 42, 36);
    run(5, 100_000, 62, 44);
}

#[test]
fn a_deadline_fires_in_its_very_millisecond() {
    let start = 1_700_000_000_000;
    for delta in [
        0,
        1,
        2,
        255,
        256,
        257,
        16_383,
        16_384,
        1_048_576,
        1_048_577,
        5_000_000_000,
    ] {
        let mut owner = Owner::new(Millis(start));
        let deadline = Millis(start + delta);
        owner.set(7, deadline);
        while owner.fired == 0 {
            let due = owner.wheel.next_due().expect("armed");
            assert!(due <= deadline);
            owner.advance(due.saturating_sub(1), 100);
            assert_eq!(owner.fired, 0, "early");
            owner.advance(due, 100);
        }
        assert_eq!(owner.now, deadline);
    }
}

#[test]
fn unfinished_work_is_carried_over_and_time_waits_for_it() {
    let mut owner = Owner::new(Millis(0));
    for item in 0..1000 {
        owner.set(item, Millis(10 + (item as i64 % 2)));
    }
    for calls in 1..=20 {
        owner.advance(Millis(500), 50);
        assert_eq!(owner.fired, calls * 50);
        let expected = if calls < 10 {
            10
        } else if calls < 20 {
            11
        } else {
            500
        };
        assert_eq!(
            owner.wheel.time().0.max(10 + i64::from(calls == 10)),
            expected,
            "after {calls} calls"
        );
    }
}

#[test]
fn a_deadline_in_the_past_is_due_at_once() {
    let mut owner = Owner::new(Millis(1000));
    owner.set(1, Millis(-5));
    assert!(owner.wheel.is_behind(Millis(1000)));
    owner.advance(Millis(1000), 1);
    assert_eq!(owner.fired, 1);
}

#[test]
fn an_item_that_is_not_let_go_fires_once_an_advance() {
    let mut wheel = TimerWheel::new(Millis(0));
    wheel.arm(1, Millis(5));
    let mut visits = 0;
    for now in [5, 5, 6, 1_000_000, 1_000_000, 1_000_001] {
        wheel.advance(Millis(now), 1000, |_, visit| {
            visits += usize::from(visit.at().level() == 0);
            Verdict::At(visit.place_for(Millis(5)))
        });
    }
    assert_eq!(visits, 4);
}

#[test]
fn the_clock_may_stand_still_or_go_back() {
    let mut owner = Owner::new(Millis(1000));
    owner.set(1, Millis(1500));
    owner.advance(Millis(1200), 10);
    owner.advance(Millis(900), 10);
    assert_eq!(owner.wheel.time(), Millis(1200));
    owner.advance(Millis(1500), 10);
    assert_eq!(owner.fired, 1);
}

#[test]
fn an_empty_wheel_and_an_idle_hour_cost_nothing() {
    let mut wheel = TimerWheel::new(Millis(0));
    assert_eq!(wheel.next_due(), None);
    wheel.arm(1, Millis(i64::MAX));
    let mut visits = 0;
    for hour in 1..100_000 {
        visits += wheel.advance(Millis(hour * 3_600_000), 10, |_, visit| {
            Verdict::At(visit.place_for(Millis(i64::MAX)))
        });
    }
    assert!(visits < 2);
    assert_eq!(wheel.time(), Millis(99_999 * 3_600_000));
}

#[test]
fn a_sweep_survives_everything_that_happens_between_its_calls() {
    let mut owner = Owner::new(Millis(0));
    for item in 0..10_000 {
        owner.set(item, Millis(1 + item as i64 % 300));
        if item % 3 != 0 {
            owner.cancel(item);
        }
    }
    for now in 0..300 {
        owner.sweep(40);
        owner.set(20_000 + now as u64, Millis(now + 20));
        owner.advance(Millis(now), if now % 2 == 0 { 5 } else { 1000 });
    }
    owner.advance(Millis(1000), usize::MAX);
    assert!(owner.wheel.is_empty() && owner.timers.is_empty());
}

#[test]
fn a_sweep_sees_every_item_once_a_round() {
    let mut wheel = TimerWheel::new(Millis(0));
    let mut random = Random(9);
    for item in 0..5000 {
        wheel.arm(item, Millis(random.span(40)));
    }
    let mut seen = vec![0; 5000];
    for _ in 0..50 {
        wheel.sweep(100, |item, _, _| {
            seen[item as usize] += 1;
            true
        });
    }
    assert!(seen.iter().all(|&times| times == 1));
}

#[test]
fn a_million_items_cost_little_more_than_eight_bytes_each() {
    let mut wheel = TimerWheel::new(Millis(1_700_000_000_000));
    assert!(wheel.memory() < 4096);
    wheel.arm(0, Millis(0));
    assert!(wheel.memory() < 8192);
    let mut random = Random(11);
    for item in 0..1_000_000 {
        wheel.arm(item, Millis(1_700_000_000_000 + 1000 * random.below(100_000) as i64));
    }
    let per_item = wheel.memory() as f64 / wheel.items() as f64;
    assert!(per_item <= 8.6, "{per_item}");
}
