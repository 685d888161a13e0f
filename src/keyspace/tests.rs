//! The keyspace against a plain map that does the same things, and what the timer wheel and the graveyard promise.

use std::collections::{HashMap, HashSet};

use super::database::Moment;
use super::entry::Kind;
use super::expiry::Expired;
use super::{AccessClock, ClockMode, Database, Deadline, Graveyard, Key, Keyspace, NewValue, ValueRef};
use crate::timer::Millis;
use crate::types::hash::Hash;
use crate::types::packed::PackedBuf;
use crate::types::set::Set;
use crate::types::testing::Rng;
use crate::types::zset::Zset;

const START: i64 = 1_700_000_000_000;
const DATABASES: usize = 3;
const KEYS: usize = 1500;
const OPERATIONS: usize = 1_000_000;
/// Leftovers the wheel may hold: see [`super::expiry`].
const LEFTOVERS: usize = 4096;

/// A value as the model keeps it.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Int(i64),
    /// In the entry; whether it was edited there.
    Text(Vec<u8>, bool),
    Heap(Vec<u8>),
}

impl Plain {
    fn random(rng: &mut Rng) -> Self {
        match rng.below(8) {
            0 | 1 => Plain::Int(rng.integer()),
            2 => Plain::Heap(bytes(rng, 400)),
            // Around the length at which an entry changes to its long form.
            3 => Plain::Text(vec![b'v'; 250 + rng.below(10)], false),
            _ => Plain::Text(bytes(rng, 60), false),
        }
    }

    fn new_value(&self) -> NewValue<'_> {
        match self {
            Plain::Int(value) => NewValue::Int(*value),
            Plain::Text(text, false) => NewValue::Str(text),
            Plain::Text(text, true) => NewValue::Inline(Kind::StrEdited, text),
            Plain::Heap(text) => NewValue::boxed(Box::new(text.clone())),
        }
    }

    fn is(&self, kind: Kind, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (Plain::Int(want), ValueRef::Int(got)) => *want == got,
            (Plain::Text(want, false), ValueRef::Str(got)) => kind == Kind::Str && want == got,
            (Plain::Text(want, true), ValueRef::Str(got)) => kind == Kind::StrEdited && want == got,
            (Plain::Heap(want), ValueRef::Str(got)) => kind == Kind::StrHeap && want == got,
            _ => false,
        }
    }
}

fn bytes(rng: &mut Rng, max: usize) -> Vec<u8> {
    let len = rng.below(max);
    (0..len).map(|_| rng.next() as u8).collect()
}

#[derive(Clone, Debug)]
struct Known {
    value: Plain,
    deadline: Option<Millis>,
}

/// A keyspace and what it should hold.
struct Rig {
    keyspace: Keyspace,
    model: Vec<HashMap<Vec<u8>, Known>>,
    names: Vec<Vec<u8>>,
    moment: Moment,
    rng: Rng,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let names = (0..KEYS)
            .map(|n| {
                let mut name = format!("key:{n}").into_bytes();
                // Some names are long enough for the long form, and one is empty.
                let padding = if rng.chance(20) {
                    240 + rng.below(20)
                } else {
                    rng.below(20)
                };
                name.resize(name.len() + padding, b'.');
                if n == 0 { Vec::new() } else { name }
            })
            .collect();
        let now = Millis(START);
        Rig {
            keyspace: Keyspace::new(DATABASES),
            model: vec![HashMap::new(); DATABASES],
            names,
            moment: Moment {
                now,
                expired_by: now,
                clock: AccessClock::new(ClockMode::Lru, now, 10, 1),
            },
            rng,
        }
    }

    fn name(&mut self) -> Vec<u8> {
        let at = self.rng.below(self.names.len());
        self.names[at].clone()
    }

    fn database(&mut self) -> usize {
        self.rng.below(DATABASES)
    }

    /// A deadline near or far, with all orders of magnitude alike; now and then in the past or at the end of time.
    fn deadline(&mut self) -> Millis {
        let now = self.moment.now;
        match self.rng.below(40) {
            0 => Millis::MAX,
            1 => now.saturating_sub(self.rng.below(100_000) as i64),
            2 => now,
            _ => {
                let width = self.rng.below(42);
                now.saturating_add(self.rng.below(1 << width) as i64 + 1)
            }
        }
    }

    /// One random change to both.
    fn step(&mut self) {
        let (db, name) = (self.database(), self.name());
        match self.rng.below(100) {
            0..=34 => self.set(db, &name),
            35..=49 => self.set_deadline(db, &name),
            50..=61 => {
                let (database, graveyard) = self.keyspace.write(db);
                let gone = database.remove(Key::new(&name), graveyard);
                assert_eq!(gone, self.model[db].remove(&name).is_some());
            }
            62..=67 => self.rename(db, &name),
            68..=72 => self.move_away(db, &name),
            73..=75 => self.copy(db, &name),
            76..=89 => self.edit(db, &name),
            90..=97 => self.advance(),
            98 => {
                self.keyspace.graveyard.step(self.rng.below(20));
            }
            _ => self.rarely(db),
        }
    }

    fn set(&mut self, db: usize, name: &[u8]) {
        let value = Plain::random(&mut self.rng);
        let deadline = match self.rng.below(3) {
            0 => Deadline::Clear,
            1 => Deadline::Keep,
            _ => Deadline::At(self.deadline()),
        };
        let moment = self.moment;
        let (database, graveyard) = self.keyspace.write(db);
        database.set(Key::new(name), value.new_value(), deadline, &moment, graveyard);
        let before = self.model[db].get(name).and_then(|known| known.deadline);
        let deadline = match deadline {
            Deadline::Clear => None,
            Deadline::Keep => before,
            Deadline::At(at) => Some(at),
        };
        self.model[db].insert(name.to_vec(), Known { value, deadline });
    }

    fn set_deadline(&mut self, db: usize, name: &[u8]) {
        let deadline = (!self.rng.chance(3)).then(|| self.deadline());
        let now = self.moment.now;
        let found = self.keyspace.db_mut(db).set_deadline(Key::new(name), deadline, now);
        let known = self.model[db].get_mut(name);
        assert_eq!(found, known.is_some());
        if let Some(known) = known {
            known.deadline = deadline;
        }
    }

    fn rename(&mut self, db: usize, name: &[u8]) {
        let to = self.name();
        if self.model[db].contains_key(&to) {
            return;
        }
        let now = self.moment.now;
        let moved = self.keyspace.db_mut(db).rename(Key::new(name), Key::new(&to), now);
        let known = self.model[db].remove(name);
        assert_eq!(moved, known.is_some());
        self.model[db].extend(known.map(|known| (to, known)));
    }

    fn move_away(&mut self, db: usize, name: &[u8]) {
        let to = self.database();
        if self.model[to].contains_key(name) {
            return;
        }
        let moved = self.keyspace.move_key(Key::new(name), db, to, self.moment.now);
        if db == to {
            assert!(!moved);
            return;
        }
        let known = self.model[db].remove(name);
        assert_eq!(moved, known.is_some());
        self.model[to].extend(known.map(|known| (name.to_vec(), known)));
    }

    fn copy(&mut self, db: usize, name: &[u8]) {
        let (to, target) = (self.database(), self.name());
        if self.model[to].contains_key(&target) {
            return;
        }
        let copied = self
            .keyspace
            .copy((db, Key::new(name)), (to, Key::new(&target)), &self.moment);
        let known = self.model[db].get(name).cloned();
        assert_eq!(copied, known.is_some());
        self.model[to].extend(known.map(|known| (target, known)));
    }

    /// Changes a value where it stands.
    fn edit(&mut self, db: usize, name: &[u8]) {
        let entry = self.keyspace.db_mut(db).find_mut(Key::new(name));
        let known = self.model[db].get_mut(name);
        assert_eq!(entry.is_some(), known.is_some());
        let (Some(mut entry), Some(known)) = (entry, known) else {
            return;
        };
        let rng = &mut self.rng;
        if rng.chance(4) {
            known.value = Plain::random(rng);
            entry.convert(known.value.new_value());
            return;
        }
        match &mut known.value {
            Plain::Int(value) => {
                *value = rng.integer();
                entry.set_int(*value);
            }
            Plain::Heap(text) => {
                let more = bytes(rng, 50);
                text.extend_from_slice(&more);
                let heap = entry.into_boxed::<Vec<u8>>().expect("the model knows the kind");
                heap.extend_from_slice(&more);
            }
            Plain::Text(text, edited) => {
                let start = rng.below(text.len() + 1);
                let end = start + rng.below(text.len() - start + 1);
                let with = bytes(rng, 80);
                text.splice(start..end, with.iter().copied());
                if rng.chance(2) {
                    *edited = true;
                    entry.splice_as(Kind::StrEdited, start..end, &with);
                } else {
                    entry.splice(start..end, &with);
                }
                if let Some(byte) = text.first_mut() {
                    *byte = byte.wrapping_add(1);
                    entry.bytes_mut()[0] = *byte;
                }
            }
        }
    }

    /// Lets time pass, by any order of magnitude up to a day, and expires with a budget that may be too small.
    fn advance(&mut self) {
        let width = if self.rng.chance(50) { 27 } else { self.rng.below(14) };
        self.moment.now = self.moment.now.saturating_add(self.rng.below(1 << width) as i64);
        self.moment.clock.set_now(self.moment.now);
        let budget = if self.rng.chance(2) {
            usize::MAX
        } else {
            self.rng.below(20)
        };
        for db in 0..DATABASES {
            self.expire(db, budget);
        }
    }

    fn expire(&mut self, db: usize, budget: usize) {
        let (now, model) = (self.moment.now, &mut self.model[db]);
        let (database, graveyard) = self.keyspace.write(db);
        let visited = database.advance(now, budget, false, graveyard, |expired| {
            let Expired::Key(key, deadline) = expired else {
                panic!("there are no hashes here")
            };
            let known = model.remove(key).expect("only keys that are there expire");
            assert_eq!(known.deadline, Some(deadline));
            assert!(deadline <= now, "{deadline} has not come at {now}");
        });
        assert!(visited <= budget);
        if visited < budget {
            assert!(database.next_due().is_none_or(|due| due > now));
            let overdue = model
                .values()
                .filter(|known| known.deadline.is_some_and(|at| at <= now));
            assert_eq!(
                overdue.count(),
                0,
                "everything due is gone when the budget has not run out"
            );
        }
    }

    fn rarely(&mut self, db: usize) {
        if !self.rng.chance(100) {
            return;
        }
        if self.rng.chance(2) {
            let keys = self.keyspace.flush(db);
            assert_eq!(keys, self.model[db].len());
            self.model[db].clear();
        } else {
            let other = self.database();
            self.keyspace.swap(db, other);
            self.model.swap(db, other);
        }
    }

    /// Compares everything that can be seen.
    fn check(&mut self) {
        for (db, model) in self.model.iter().enumerate() {
            let database = self.keyspace.db(db);
            assert_eq!(database.len(), model.len());
            let deadlines: Vec<i128> = model
                .values()
                .filter_map(|k| k.deadline)
                .map(|at| at.0.into())
                .collect();
            assert_eq!(database.volatile(), deadlines.len());
            let average = match deadlines.len() {
                0 => 0,
                count => deadlines.iter().sum::<i128>() / count as i128 - i128::from(self.moment.now.0),
            };
            assert_eq!(
                i128::from(database.average_ttl(self.moment.now)),
                average.clamp(0, i64::MAX.into())
            );
            for (name, known) in model {
                let entry = database.find(Key::new(name)).expect("the model has it");
                assert_eq!(entry.key(), name);
                assert_eq!(entry.deadline(), known.deadline);
                assert!(known.value.is(entry.kind(), entry.value()), "{name:?}");
            }
            assert_eq!(scanned(database), model.keys().cloned().collect());
            let due = model.values().filter_map(|known| known.deadline).min();
            assert!(database.next_due().unwrap_or(Millis::MAX) <= due.unwrap_or(Millis::MAX).max(self.moment.now));
        }
    }

    /// After two rounds of sweeping, one item is left for each key.
    fn sweep_all(&mut self) {
        for db in 0..DATABASES {
            let database = self.keyspace.db_mut(db);
            let items = database.wheel.as_ref().map_or(0, |wheel| wheel.items());
            let mut left = 2 * items;
            while left > 0 {
                let slice = (self.rng.below(500) + 1).min(left);
                left -= slice;
                database.sweep(slice);
            }
            let items = database.wheel.as_ref().map_or(0, |wheel| wheel.items());
            assert_eq!(items, database.volatile());
        }
    }
}

fn scanned(database: &Database) -> HashSet<Vec<u8>> {
    let (mut seen, mut cursor) = (HashSet::new(), 0);
    loop {
        cursor = database.scan(cursor, |entry| {
            seen.insert(entry.key().to_vec());
        });
        if cursor == 0 {
            return seen;
        }
    }
}

#[test]
fn a_million_random_operations_agree_with_a_plain_map() {
    let mut rig = Rig::new(11);
    for done in 0..OPERATIONS {
        rig.step();
        if done % 20_000 == 0 {
            rig.check();
        }
        for db in 0..DATABASES {
            let mut slices = 0;
            while rig.keyspace.db(db).wants_sweep() {
                rig.keyspace.db_mut(db).sweep(256);
                slices += 1;
                assert!(slices < 1000, "sweeping does not help");
            }
        }
        if done % 100_000 == 99_999 {
            rig.sweep_all();
        }
    }
    rig.check();
    rig.sweep_all();
    // To the end of time: all that is volatile goes, the rest stays.
    rig.moment.now = Millis::MAX;
    for db in 0..DATABASES {
        rig.expire(db, usize::MAX);
        assert_eq!(
            (rig.keyspace.db(db).volatile(), rig.keyspace.db(db).next_due()),
            (0, None)
        );
    }
    rig.check();
    for db in 0..DATABASES {
        rig.keyspace.flush(db);
    }
    while !rig.keyspace.graveyard.step(1000) {}
    assert_eq!((rig.keyspace.graveyard.pending(), rig.keyspace.is_empty()), (0, true));
}

#[test]
fn a_small_budget_expires_late_but_all() {
    let (mut db, mut graveyard) = (Database::default(), Graveyard::default());
    let moment = Moment {
        now: Millis(START),
        expired_by: Millis(START),
        clock: AccessClock::default(),
    };
    for n in 0..10_000i64 {
        let (name, deadline) = (format!("k{n}"), Some(Millis(START + n % 700)));
        db.insert(Key::new(name.as_bytes()), NewValue::Int(n), deadline, &moment);
    }
    let (now, mut gone, mut calls) = (Millis(START + 699), 0, 0);
    while db.next_due().is_some_and(|due| due <= now) {
        assert!(db.advance(now, 100, false, &mut graveyard, |_| gone += 1) <= 100);
        calls += 1;
    }
    assert_eq!((gone, db.len()), (10_000, 0));
    // Each key is visited once where it fires and at most twice on the way there.
    assert!(calls <= 300, "{calls}");
}

#[test]
fn keys_that_come_and_go_do_not_fill_the_wheel() {
    let (mut db, mut graveyard) = (Database::default(), Graveyard::default());
    let moment = Moment {
        now: Millis(START),
        expired_by: Millis(START),
        clock: AccessClock::default(),
    };
    let year = Millis(START + 365 * 86_400_000);
    let keys: Vec<String> = (0..1000).map(|n| format!("session:{n}")).collect();
    // Every item is put in the same slot, and its key is there whenever the sweep looks: only by counting can it tell a
    // leftover from the one that is needed.
    for _ in 0..100 {
        for name in &keys {
            let key = Key::new(name.as_bytes());
            db.remove(key, &mut graveyard);
            db.insert(key, NewValue::Int(1), Some(year), &moment);
        }
        for _ in 0..100 {
            if db.wants_sweep() {
                db.sweep(256);
            }
        }
    }
    let items = db.wheel.as_ref().map_or(0, |wheel| wheel.items());
    assert!(
        items <= 2 * keys.len() + LEFTOVERS,
        "{items} items for {} keys",
        keys.len()
    );
    let mut gone = 0;
    db.advance(year, usize::MAX, false, &mut graveyard, |_| gone += 1);
    assert_eq!(gone, keys.len());
}

fn expired_key(expired: &Expired<'_>) -> Option<Vec<u8>> {
    match expired {
        Expired::Key(key, _) => Some(key.to_vec()),
        Expired::Fields { .. } => None,
    }
}

#[test]
fn a_clock_set_back_expires_nothing_early() {
    let (mut db, mut graveyard) = (Database::default(), Graveyard::default());
    let moment = |ms| Moment {
        now: Millis(START + ms),
        expired_by: Millis(START + ms),
        clock: AccessClock::default(),
    };
    db.insert(
        Key::new(b"far"),
        NewValue::Int(1),
        Some(Millis(START + 100_000)),
        &moment(0),
    );
    db.advance(Millis(START + 50_000), 100, false, &mut graveyard, |_| {
        panic!("nothing is due")
    });
    // The clock is set back by half a minute, and a key comes that expires before the wheel's time.
    db.insert(
        Key::new(b"near"),
        NewValue::Int(2),
        Some(Millis(START + 21_000)),
        &moment(20_000),
    );
    db.advance(Millis(START + 20_999), 100, false, &mut graveyard, |_| {
        panic!("nothing is due")
    });
    let mut gone = Vec::new();
    db.advance(Millis(START + 50_000), 100, false, &mut graveyard, |expired| {
        gone.extend(expired_key(&expired))
    });
    assert_eq!(gone, [b"near"]);
    db.advance(Millis(START + 100_000), 100, false, &mut graveyard, |expired| {
        gone.extend(expired_key(&expired))
    });
    assert_eq!(gone, [&b"near"[..], b"far"]);
}

#[test]
fn a_scan_tells_every_key_that_stays_while_others_come_and_go() {
    let (mut db, mut graveyard) = (Database::default(), Graveyard::default());
    let (moment, mut rng) = (Moment::default(), Rng::new(5));
    let stay: HashSet<Vec<u8>> = (0..3000).map(|n| format!("stay:{n}").into_bytes()).collect();
    for name in &stay {
        db.insert(Key::new(name), NewValue::Int(0), None, &moment);
    }
    for round in 0..5 {
        let (mut seen, mut cursor) = (HashSet::new(), 0);
        loop {
            cursor = db.scan(cursor, |entry| {
                seen.insert(entry.key().to_vec());
            });
            if cursor == 0 {
                break;
            }
            for _ in 0..rng.below(200) {
                let name = format!("guest:{}", rng.below(30_000)).into_bytes();
                match round % 2 {
                    0 => db.set(
                        Key::new(&name),
                        NewValue::Int(0),
                        Deadline::Clear,
                        &moment,
                        &mut graveyard,
                    ),
                    _ => {
                        db.remove(Key::new(&name), &mut graveyard);
                    }
                }
            }
        }
        assert!(seen.is_superset(&stay), "round {round}");
    }
}

/// Buries a value of `elements` and counts the steps it takes to free it.
fn steps_to_free(value: NewValue<'_>, slice: usize) -> usize {
    let (mut db, mut graveyard) = (Database::default(), Graveyard::default());
    db.insert(Key::new(b"k"), value, None, &Moment::default());
    assert!(db.remove(Key::new(b"k"), &mut graveyard));
    assert_eq!(graveyard.pending(), 1);
    let mut steps = 1;
    while !graveyard.step(slice) {
        steps += 1;
    }
    assert_eq!((graveyard.pending(), graveyard.freed), (0, 1));
    steps
}

#[test]
fn large_values_are_freed_in_slices() {
    let (mut set, mut hash, mut zset) = (Set::default(), Hash::default(), Zset::new());
    const ELEMENTS: usize = 100_000;
    for n in 0..ELEMENTS {
        let name = format!("element:{n}").into_bytes();
        set.add(&name);
        hash.set(&name, &name);
        zset.insert(&name, n as f64);
    }
    for value in [
        NewValue::boxed(Box::new(set)),
        NewValue::boxed(Box::new(hash)),
        NewValue::boxed(Box::new(zset)),
    ] {
        let steps = steps_to_free(value, 256);
        // A step may run to the end of a bucket or a leaf, no further.
        assert!(steps >= ELEMENTS / 512, "{steps}");
        assert!(steps <= ELEMENTS / 32, "{steps}");
    }
}

#[test]
fn a_guess_finds_the_elements_to_fetch_ahead() {
    let (mut db, moment) = (Database::default(), Moment::default());
    let mut set = Set::new();
    set.add(b"member");
    let values = [
        (b"set", NewValue::boxed(Box::new(set))),
        (b"int", NewValue::Int(1)),
        (b"str", NewValue::Str(b"text")),
    ];
    for (name, value) in values {
        db.insert(Key::new(name), value, None, &moment);
        let guessed = db.guess(Key::new(name).hash).expect("it is there");
        assert_eq!(guessed.lines().is_some(), name == b"set");
    }
}

/// Every tick asks only the databases that have been used: whatever brings a key to another one must count as using it.
#[test]
fn keys_expire_in_whichever_database_they_get_to() {
    let (from, to, moment) = (Key::new(b"from"), Key::new(b"to"), Moment::default());
    let ways: [fn(&mut Keyspace, Key<'_>, Key<'_>, &Moment); 4] = [
        |keyspace, _, _, _| keyspace.swap(0, 9),
        |keyspace, from, _, _| assert!(keyspace.move_key(from, 0, 9, Millis(0))),
        |keyspace, from, to, moment| assert!(keyspace.copy((0, from), (9, to), moment)),
        |keyspace, _, _, _| {
            keyspace.swap(0, 9);
            let loaded = std::mem::replace(keyspace, Keyspace::new(16));
            keyspace.replace(loaded);
        },
    ];
    for way in ways {
        let mut keyspace = Keyspace::new(16);
        let (db, _) = keyspace.write(0);
        db.insert(from, NewValue::Int(1), Some(Millis(5)), &moment);
        way(&mut keyspace, from, to, &moment);
        keyspace.flush(0);
        assert_eq!(keyspace.used(), 10);
        assert!(keyspace.next_due().is_some());
    }
}
