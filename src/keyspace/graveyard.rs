//! Where large values wait to be freed, a slice a tick.
//!
//! Freeing a million-element value takes a tenth of a second; the client that deleted it and everybody else would wait.
//! Here it leaves the keyspace at once and its memory follows in bounded steps.

use std::collections::VecDeque;

use super::database::Database;
use super::entry::{Condemned, EntryPointer};

/// Up to this many elements a value is freed on the spot: queueing would cost more.
const AT_ONCE: usize = 64;

#[derive(Default)]
pub struct Graveyard {
    values: VecDeque<Box<dyn Condemned>>,
    databases: VecDeque<Database>,
    /// Keys and values freed in slices, as counted since the start or CONFIG RESETSTAT (`lazyfreed_objects`).
    pub freed: u64,
}

impl Graveyard {
    /// Takes a value out of the hands of whoever deleted it. O(1), or O(64) for small ones.
    pub fn bury(&mut self, value: Option<Box<dyn Condemned>>) {
        let Some(mut value) = value else { return };
        if value.elements() <= AT_ONCE {
            value.free_step(AT_ONCE);
            return;
        }
        self.values.push_back(value);
    }

    pub(super) fn bury_entry(&mut self, entry: EntryPointer) {
        let value = entry.free();
        self.bury(value);
    }

    pub fn bury_database(&mut self, database: Database) {
        if !database.is_empty() {
            self.databases.push_back(database);
        }
    }

    /// Objects waiting (`lazyfree_pending_objects`).
    pub fn pending(&self) -> usize {
        self.values.len() + self.databases.iter().map(Database::len).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.databases.is_empty()
    }

    /// Frees about `budget` elements. True when nothing is left to do.
    pub fn step(&mut self, budget: usize) -> bool {
        if let Some(value) = self.values.front_mut() {
            if value.free_step(budget) {
                self.values.pop_front();
                self.freed += 1;
            }
            return self.is_empty();
        }
        if let Some(mut database) = self.databases.pop_front() {
            let before = database.len();
            let done = database.drain_step(budget, self);
            self.freed += (before - database.len()) as u64;
            if !done {
                self.databases.push_front(database);
            }
        }
        self.is_empty()
    }
}
