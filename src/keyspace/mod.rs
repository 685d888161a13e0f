//! The keyspace: sixteen tables of entries, when they expire, and which go first when memory runs out.
//!
//! It knows values only as opaque, sized things. Nothing here asks a clock or tells a client anything: time comes in
//! as an argument, and what expired or was evicted goes out as data.

pub mod clock;
pub mod database;
pub mod entry;
pub mod evict;
pub mod expiry;
pub mod graveyard;
#[cfg(test)]
mod tests;

use crate::timer::Millis;
pub use clock::{AccessClock, ClockMode};
use database::Moment;
pub use database::{Database, Deadline, Key};
pub use entry::{EntryRef, Kind, NewValue, STRING_INLINE_MAX, Type, ValueRef};
pub use graveyard::Graveyard;

/// All databases of a server.
pub struct Keyspace {
    databases: Vec<Database>,
    /// The databases from here on have never held anything: every tick has questions to those before only.
    used: usize,
    /// Values too large to free at once.
    pub graveyard: Graveyard,
}

impl Keyspace {
    pub fn new(databases: usize) -> Self {
        Keyspace {
            databases: (0..databases).map(|_| Database::default()).collect(),
            used: 0,
            graveyard: Graveyard::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.databases.len()
    }

    /// How many databases, counted from the first, may hold something or have held it.
    pub fn used(&self) -> usize {
        self.used
    }

    #[inline]
    fn note_use(&mut self, index: usize) {
        self.used = self.used.max(index + 1);
    }

    pub fn is_empty(&self) -> bool {
        self.databases.iter().all(|db| db.len() == 0)
    }

    #[inline]
    pub fn db(&self, index: usize) -> &Database {
        &self.databases[index]
    }

    #[inline]
    pub fn db_mut(&mut self, index: usize) -> &mut Database {
        self.note_use(index);
        &mut self.databases[index]
    }

    /// The database and the graveyard, for writes that may let a value go.
    #[inline]
    pub fn write(&mut self, index: usize) -> (&mut Database, &mut Graveyard) {
        self.note_use(index);
        (&mut self.databases[index], &mut self.graveyard)
    }

    pub fn databases(&self) -> impl Iterator<Item = (usize, &Database)> {
        self.databases.iter().enumerate()
    }

    /// Moves a key between two databases, to where it must be absent. False if it is not there to be moved. O(1).
    pub fn move_key(&mut self, key: Key<'_>, from: usize, to: usize, now: Millis) -> bool {
        self.note_use(to);
        match self.databases.get_disjoint_mut([from, to]) {
            Ok([from, to]) => from.move_to(key, to, now),
            Err(_) => false,
        }
    }

    /// Copies a key with its deadline to another key, of any database, which must be absent. False if there is nothing
    /// to copy. O(elements).
    pub fn copy(&mut self, (from, source): (usize, Key<'_>), (to, target): (usize, Key<'_>), moment: &Moment) -> bool {
        let Some(entry) = self.databases[from].copy_entry(source, target, moment) else {
            return false;
        };
        self.note_use(to);
        self.databases[to].adopt(entry, target.hash, moment.now);
        true
    }

    pub fn swap(&mut self, a: usize, b: usize) {
        self.note_use(a.max(b));
        self.databases.swap(a, b);
    }

    /// Empties a database at once; its memory is freed in slices later.
    pub fn flush(&mut self, index: usize) -> usize {
        let old = std::mem::take(&mut self.databases[index]);
        let keys = old.len();
        self.graveyard.bury_database(old);
        keys
    }

    /// Takes another keyspace's data in the place of its own, whose memory is freed in slices.
    pub fn replace(&mut self, mut other: Keyspace) {
        assert_eq!(self.databases.len(), other.databases.len());
        std::mem::swap(&mut self.databases, &mut other.databases);
        self.used = self.used.max(other.used);
        self.bury(other);
    }

    /// Lets another keyspace go, in slices.
    pub fn bury(&mut self, other: Keyspace) {
        let databases = other.databases.into_iter();
        databases.for_each(|database| self.graveyard.bury_database(database));
    }

    /// When some key may expire next.
    pub fn next_due(&self) -> Option<Millis> {
        self.databases[..self.used].iter().filter_map(Database::next_due).min()
    }
}
