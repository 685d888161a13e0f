//! Keys expire when they are due, not when somebody happens to look.
//!
//! Each database has a timer wheel whose items are bare 64-bit key hashes: eight bytes a volatile key. An item has no
//! deadline of its own; when the wheel visits it, the entry is looked up by its hash and says what its deadline is now.
//! So moving a deadline later costs nothing (the item, visited early, is armed again), and deleting a key leaves only a
//! hash behind that finds no entry.
//!
//! An entry remembers at which place of the wheel its item stands (`armed`). An item that finds its entry armed at
//! another place is a leftover and vanishes; that keeps one item per key, whatever is done to its deadline. A key that is
//! deleted and made again, over and over, may leave items at the same place; those the sweep tells by a mark that it puts
//! on the entry each round.
//! Invariant: a volatile entry's item is visited no later than its deadline.
//!
//! Fields of hashes have deadlines too. A hash has one item for all: it is armed for the earliest of its own deadline and
//! its fields' ([`EntryPointer::due`]). When that is a field's, the hash leaves the wheel for the list of those overdue until
//! all fields that are due have been removed, a bounded number at a time.
//!
//! Redis and Valkey sample random volatile keys instead, which needs no memory but expires late: with a million keys not
//! yet due beside them, keys that are due wait for tens of seconds.

use super::database::{Database, Key};
use super::entry::{EntryPointer, EntryRef};
use super::graveyard::Graveyard;
use crate::hashing::hash_bytes;
use crate::table::Slot;
use crate::timer::{Millis, Place, TimerWheel, Verdict};
use crate::types::hash::{TimedHash, timed_packed};

/// What has expired. It is told before a key goes, and after fields have gone.
#[derive(Debug)]
pub enum Expired<'k> {
    /// A key, and its deadline.
    Key(&'k [u8], Millis),
    Fields {
        key: &'k [u8],
        count: usize,
        /// Which they were, if that was asked for and they were not all.
        names: Vec<Box<[u8]>>,
        /// The earliest of their deadlines.
        deadline: Millis,
        /// Whether they were all, so that the key goes too.
        deleted: bool,
    },
}

/// Leftovers are tolerated up to this many beyond the volatile keys, then swept out.
const LEFTOVERS_MIN: usize = 4096;

impl Database {
    /// When some key may expire next, in Unix milliseconds.
    pub fn next_due(&self) -> Option<Millis> {
        if !self.overdue.is_empty() {
            return Some(Millis::MIN);
        }
        self.wheel.as_ref().and_then(|wheel| wheel.next_due())
    }

    /// Makes sure that an item is visited no later than `deadline` for the entry with this hash.
    pub(super) fn arm(&mut self, hash: u64, entry: EntryPointer, deadline: Millis, now: Millis) {
        let wheel = self.wheel.get_or_insert_with(|| Box::new(TimerWheel::new(now)));
        if !entry.armed().is_none() && wheel.fires_by(entry.armed(), deadline) {
            return;
        }
        entry.set_armed(wheel.arm(hash, deadline));
    }

    /// Deletes the keys and the fields that are due, at most about `budget` of them and of other items visited; tells what
    /// expires, and which fields if they are to be `named`. Returns how many that were.
    pub fn advance(
        &mut self,
        now: Millis,
        budget: usize,
        named: bool,
        graveyard: &mut Graveyard,
        mut tell: impl FnMut(Expired<'_>),
    ) -> usize {
        let mut work = self.advance_overdue(now, budget, named, graveyard, &mut tell);
        let Some(mut wheel) = self.wheel.take() else {
            return work;
        };
        work += wheel.advance(now, budget.saturating_sub(work), |hash, visit| {
            let Some(slot) = self.table.find(hash, |entry| {
                entry.armed() == visit.at() && hash_bytes(entry.key()) == hash
            }) else {
                return Verdict::Gone;
            };
            let entry = self.table.at(slot);
            match entry.due() {
                Some(due) if due > now => {
                    let place = visit.place_for(due);
                    entry.set_armed(place);
                    return Verdict::At(place);
                }
                None => entry.set_armed(Place::NONE),
                Some(_) if self.expire_key(slot, now, graveyard, &mut tell) => {}
                Some(_) => {
                    entry.set_armed(Place::NONE);
                    self.overdue.push(hash);
                }
            }
            Verdict::Gone
        });
        if !wheel.is_empty() {
            self.wheel = Some(wheel);
        }
        work
    }

    /// Deletes a key that is past its own deadline; false if it is not.
    fn expire_key(
        &mut self,
        slot: Slot,
        now: Millis,
        graveyard: &mut Graveyard,
        tell: &mut impl FnMut(Expired<'_>),
    ) -> bool {
        let entry = self.table.at(slot);
        let Some(deadline) = entry.deadline().filter(|deadline| *deadline <= now) else {
            return false;
        };
        tell(Expired::Key(entry.key(), deadline));
        self.unlink(slot, graveyard);
        true
    }

    /// Removes fields of the hashes that the wheel has found due, and puts those back that have none left to remove.
    ///
    /// They are not left on the wheel meanwhile, for its time would stand still at the first that is not finished, or, were
    /// they postponed, each of them would lose a millisecond for every slice.
    fn advance_overdue(
        &mut self,
        now: Millis,
        budget: usize,
        named: bool,
        graveyard: &mut Graveyard,
        tell: &mut impl FnMut(Expired<'_>),
    ) -> usize {
        let mut work = 0;
        while work < budget
            && let Some(hash) = self.overdue.pop()
        {
            work += 1;
            // One that a command has armed meanwhile stands on the wheel again, and one that is gone needs nothing. What
            // has lost its fields' deadlines meanwhile may still have one of its own, which has to go on the wheel.
            let Some(slot) = self.table.find(hash, |entry| {
                entry.armed().is_none() && entry.due().is_some() && hash_bytes(entry.key()) == hash
            }) else {
                continue;
            };
            if self.expire_key(slot, now, graveyard, tell) {
                continue;
            }
            let (removed, deleted) = self.expire_fields_at(slot, now, (budget - work).max(1), named, graveyard, tell);
            work += removed;
            if deleted {
                continue;
            }
            let entry = self.table.at(slot);
            match entry.due() {
                Some(due) if due <= now => self.overdue.push(hash),
                Some(due) => self.arm(hash, entry, due, now),
                None => {}
            }
        }
        work
    }

    /// Removes the fields of a hash that are due, in a large one about `most`; or the key, if all are. Gives how many it
    /// removed one by one, and whether the key has gone.
    fn expire_fields_at(
        &mut self,
        slot: Slot,
        now: Millis,
        most: usize,
        named: bool,
        graveyard: &mut Graveyard,
        tell: &mut impl FnMut(Expired<'_>),
    ) -> (usize, bool) {
        let entry = EntryRef::new(self.table.at(slot));
        let Some(deadline) = entry.field_due().filter(|due| *due <= now) else {
            return (0, false);
        };
        let deleted = entry.all_fields_due(now);
        if deleted {
            tell(Expired::Fields {
                key: entry.key(),
                count: entry.timed_fields(),
                names: Vec::new(),
                deadline,
                deleted,
            });
            self.unlink(slot, graveyard);
            return (0, true);
        }
        let mut entry = self.entry_mut(slot);
        let mut names = Vec::new();
        let mut name = |field: &[u8]| {
            if named {
                names.push(field.into());
            }
        };
        let count = match entry.boxed::<TimedHash>() {
            Some(hash) => hash.expire(now, most, &mut name),
            None => timed_packed::expire(&mut entry, now, &mut name),
        };
        entry.fields_rescheduled(Some(deadline), now);
        tell(Expired::Fields {
            key: entry.as_ref().key(),
            count,
            names,
            deadline,
            deleted,
        });
        (count, false)
    }

    /// The same for a key that a command is about to look at; it need not be a hash.
    pub fn expire_fields(
        &mut self,
        key: Key<'_>,
        now: Millis,
        most: usize,
        named: bool,
        graveyard: &mut Graveyard,
        mut tell: impl FnMut(Expired<'_>),
    ) {
        if let Some(slot) = self.slot(key) {
            self.expire_fields_at(slot, now, most, named, graveyard, &mut tell);
        }
    }

    /// Removes those of `fields` that are past their deadlines from a hash which also has others, and gives their names.
    pub fn expire_named<'f>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        fields: impl Iterator<Item = &'f [u8]>,
    ) -> Vec<Box<[u8]>> {
        let Some(mut entry) = self.find_mut(key) else {
            return Vec::new();
        };
        let before = entry.as_ref().field_due();
        // In a listpack what is due goes all at once.
        let Some(hash) = entry
            .boxed::<TimedHash>()
            .filter(|_| before.is_some_and(|due| due <= now))
        else {
            return Vec::new();
        };
        let expired = fields.filter(|field| hash.remove_expired(field, now));
        let names = expired.map(Box::from).collect();
        entry.fields_rescheduled(before, now);
        names
    }

    /// Looks at up to `budget` items of the wheel and drops those that no key needs.
    pub fn sweep(&mut self, budget: usize) {
        let Some(wheel) = &mut self.wheel else { return };
        let table = &self.table;
        wheel.sweep(budget, |hash, at, round| {
            let slot = table.find(hash, |entry| entry.armed() == at && hash_bytes(entry.key()) == hash);
            slot.is_some_and(|slot| table.at(slot).mark_swept(round))
        });
        if wheel.is_empty() {
            self.wheel = None;
        }
    }

    /// Whether leftovers of deleted volatile keys are to be swept out of the wheel.
    pub fn wants_sweep(&self) -> bool {
        self.wheel
            .as_ref()
            .is_some_and(|wheel| wheel.items() > 2 * (self.volatile + self.timed) + LEFTOVERS_MIN)
    }

    /// How far behind `now` the wheel is, in ms: 0 unless more keys are due than a tick may delete.
    pub fn lag(&self, now: Millis) -> i64 {
        let due = self.wheel.as_ref().and_then(|wheel| wheel.next_due());
        due.map_or(0, |due| now.since(due).max(0))
    }
}
