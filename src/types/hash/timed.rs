//! The large form of a hash whose fields may have deadlines: the table of [`super::Hash`], whose cells have room for a
//! deadline, and the deadlines in their order.
//!
//! The order holds a deadline and the field's hash, 16 bytes, and the table finds the field by these; only fields that do
//! expire are in it. Fields past their deadlines stay until somebody removes a bounded number of them
//! ([`TimedHash::expire`]), so what reads sees the hash through a [`TimedTable`], which knows the time.
//! Should two fields have the same hash and the same deadline, one item stands for both.

use std::collections::BTreeSet;

use super::Hash;
use super::timed_packed::TimedPack;
use crate::hashing::hash_bytes;
use crate::table::Lines;
use crate::timer::Millis;
use crate::types::cells::CellTable;
use crate::types::listpack::Listpack;

/// A hash in a table, some fields of which may have deadlines.
#[derive(Clone)]
pub struct TimedHash {
    table: CellTable<true>,
    order: BTreeSet<(Millis, u64)>,
}

/// Bytes that an item of the order costs: sixteen, in nodes that are two thirds full.
const ITEM: usize = 24;

impl Default for TimedHash {
    fn default() -> Self {
        TimedHash::from_table(Hash::new())
    }
}

impl TimedHash {
    /// The same fields, none of which has a deadline yet. O(1).
    pub fn from_table(hash: Hash) -> Self {
        TimedHash {
            table: hash.table,
            order: BTreeSet::new(),
        }
    }

    /// A table of the fields of a listpack of triples.
    pub fn from_listpack(pack: Listpack<'_>) -> Self {
        let mut hash = TimedHash::default();
        let (mut field_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        for triple in TimedPack::new(pack, Millis::MIN).iter() {
            let (field, value) = (triple.field, triple.value.element);
            hash.insert(
                field.text(&mut field_digits),
                value.text(&mut value_digits),
                triple.deadline,
            );
        }
        hash
    }

    /// The table, to prefetch fields that will be looked up.
    #[inline]
    pub fn lines(&self) -> Lines<'_> {
        self.table.lines()
    }

    /// Fields in all, also those that have expired.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The earliest deadline. O(log n).
    pub fn first_due(&self) -> Option<Millis> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// Whether every field has a deadline and none of these is after `now`. O(log n).
    pub fn all_due(&self, now: Millis) -> bool {
        self.order.len() == self.table.len() && self.order.last().is_some_and(|(deadline, _)| *deadline <= now)
    }

    /// Adds a field that is not there; false if it is. O(log n).
    pub fn insert(&mut self, field: &[u8], value: &[u8], deadline: Option<Millis>) -> bool {
        let new = self.table.insert(field, value);
        self.set_deadline(field, deadline);
        new
    }

    /// Sets a field; true when it is new or was past its deadline. One that was there loses its deadline unless `keep`.
    /// O(log n).
    pub fn set(&mut self, field: &[u8], value: &[u8], keep: bool, now: Millis) -> bool {
        let deadline = self.table.get_timed(field).map(|(_, deadline)| deadline);
        let live = deadline.is_some_and(|deadline| is_live(deadline, now));
        if deadline.flatten().is_some() && !(keep && live) {
            self.set_deadline(field, None);
        }
        self.table.insert(field, value);
        !live
    }

    /// Sets or clears the deadline of a field, if it is there. O(log n).
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<Millis>) {
        let Some(old) = self.table.set_deadline(field, deadline) else {
            return;
        };
        let hash = hash_bytes(field);
        self.leave_order(hash, old);
        self.order.extend(deadline.map(|deadline| (deadline, hash)));
    }

    /// Takes an item out of the order, unless another field has it too.
    fn leave_order(&mut self, hash: u64, deadline: Option<Millis>) {
        if let Some(deadline) = deadline.filter(|deadline| !self.table.has_timed(hash, *deadline)) {
            self.order.remove(&(deadline, hash));
        }
    }

    /// Removes a field; false when it was not there or is past its deadline, and so left for those who tell of that.
    /// O(log n).
    pub fn remove(&mut self, field: &[u8], now: Millis) -> bool {
        self.remove_if(field, |deadline| is_live(deadline, now))
    }

    /// Removes a field that is past its deadline; false when there is none. O(log n).
    pub fn remove_expired(&mut self, field: &[u8], now: Millis) -> bool {
        self.remove_if(field, |deadline| !is_live(deadline, now))
    }

    fn remove_if(&mut self, field: &[u8], accept: impl FnOnce(Option<Millis>) -> bool) -> bool {
        let found = self.table.get_timed(field);
        let Some((_, deadline)) = found.filter(|(_, deadline)| accept(*deadline)) else {
            return false;
        };
        self.table.remove(field);
        self.leave_order(hash_bytes(field), deadline);
        true
    }

    /// Removes fields whose deadlines are not after `now`, the earliest first, about `most` of them, having told each;
    /// gives how many. O(log n) each.
    pub fn expire(&mut self, now: Millis, most: usize, mut tell: impl FnMut(&[u8])) -> usize {
        let mut removed = 0;
        while removed < most
            && let Some(&(deadline, hash)) = self.order.first()
            && deadline <= now
        {
            while self.table.remove_timed(hash, deadline, &mut tell) {
                removed += 1;
            }
            self.order.pop_first();
        }
        removed
    }

    /// All fields with their deadlines, also those that have expired, in no order to rely on.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], Option<Millis>)> {
        self.table.iter_timed()
    }

    /// Frees about `most` fields; true when the hash is empty.
    pub fn free_step(&mut self, most: usize) -> bool {
        for _ in 0..most {
            if self.order.pop_first().is_none() {
                return self.table.free_step(most);
            }
        }
        false
    }

    /// Bytes on the heap, estimated when large.
    pub fn memory(&self) -> usize {
        self.table.memory() + ITEM * self.order.len()
    }
}

fn is_live(deadline: Option<Millis>, now: Millis) -> bool {
    deadline.is_none_or(|at| at > now)
}

/// How often an expired field may be drawn before all fields are looked at for one that lives.
const DRAWS: usize = 64;

/// A [`TimedHash`] as it is at a moment: without the fields that have expired by then.
#[derive(Clone, Copy)]
pub struct TimedTable<'a> {
    hash: &'a TimedHash,
    now: Millis,
}

impl<'a> TimedTable<'a> {
    pub fn new(hash: &'a TimedHash, now: Millis) -> Self {
        TimedTable { hash, now }
    }

    /// Fields that live. O(1 + expired fields that are still there).
    pub fn len(self) -> usize {
        let expired = self.hash.order.range(..=(self.now, u64::MAX));
        self.hash.len() - expired.count()
    }

    /// O(log n).
    pub fn is_empty(self) -> bool {
        self.hash.is_empty() || self.hash.all_due(self.now)
    }

    /// The value of a field and its deadline. O(1).
    pub fn get(self, field: &[u8]) -> Option<(&'a [u8], Option<Millis>)> {
        let found = self.hash.table.get_timed(field);
        found.filter(|(_, deadline)| is_live(*deadline, self.now))
    }

    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8], Option<Millis>)> {
        let all = self.hash.iter();
        all.filter(move |(_, _, deadline)| is_live(*deadline, self.now))
    }

    /// A random field and its value, each as likely as another. O(1) unless most fields have expired.
    pub fn random(self, rng: &mut impl FnMut() -> u64) -> Option<(&'a [u8], &'a [u8])> {
        for _ in 0..DRAWS {
            let (field, value, deadline) = self.hash.table.random_timed(rng)?;
            if is_live(deadline, self.now) {
                return Some((field, value));
            }
        }
        let index = rng().checked_rem(self.len() as u64)?;
        let (field, value, _) = self.iter().nth(index as usize)?;
        Some((field, value))
    }

    /// A few fields and values at a time, with the guarantees of SCAN; gives the next cursor, 0 after the last.
    pub fn scan(self, cursor: u64, mut f: impl FnMut(&[u8], &[u8])) -> u64 {
        self.hash.table.scan_timed(cursor, |field, value, deadline| {
            if is_live(deadline, self.now) {
                f(field, value);
            }
        })
    }
}
