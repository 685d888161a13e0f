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
//! Redis and Valkey sample random volatile keys instead, which needs no memory but expires late: with a million keys not
//! yet due beside them, keys that are due wait for tens of seconds.

use super::database::Database;
use super::entry::EntryPointer;
use super::graveyard::Graveyard;
use crate::hashing::hash_bytes;
use crate::timer::{Millis, TimerWheel, Verdict};

/// Leftovers are tolerated up to this many beyond the volatile keys, then swept out.
const LEFTOVERS_MIN: usize = 4096;

impl Database {
    /// When some key may expire next, in Unix milliseconds.
    pub fn next_due(&self) -> Option<Millis> {
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

    /// Deletes the keys that are due, visiting at most about `budget` items; tells each expired key and its deadline
    /// before it goes. Returns the items visited.
    pub fn advance(
        &mut self,
        now: Millis,
        budget: usize,
        graveyard: &mut Graveyard,
        mut expired: impl FnMut(&[u8], Millis),
    ) -> usize {
        let Some(mut wheel) = self.wheel.take() else { return 0 };
        let work = wheel.advance(now, budget, |hash, visit| {
            let Some(slot) = self.table.find(hash, |entry| {
                entry.armed() == visit.at() && hash_bytes(entry.key()) == hash
            }) else {
                return Verdict::Gone;
            };
            let entry = self.table.at(slot);
            let Some(deadline) = entry.deadline() else {
                return Verdict::Gone;
            };
            if deadline > now {
                let place = visit.place_for(deadline);
                entry.set_armed(place);
                return Verdict::At(place);
            }
            expired(entry.key(), deadline);
            self.unlink(slot, graveyard);
            Verdict::Gone
        });
        if !wheel.is_empty() {
            self.wheel = Some(wheel);
        }
        work
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
            .is_some_and(|wheel| wheel.items() > 2 * self.volatile + LEFTOVERS_MIN)
    }

    /// How far behind `now` the wheel is, in ms: 0 unless more keys are due than a tick may delete.
    pub fn lag(&self, now: Millis) -> i64 {
        self.next_due().map_or(0, |due| now.since(due).max(0))
    }
}
