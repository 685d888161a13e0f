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

use crate::timer::Millis;
pub use clock::{AccessClock, ClockMode};
pub use database::{Database, Deadline, Key};
pub use entry::{EntryRef, Kind, NewValue, Type, ValueRef};
pub use graveyard::Graveyard;

/// All databases of a server.
pub struct Keyspace {
    databases: Vec<Database>,
    /// Values too large to free at once.
    pub graveyard: Graveyard,
}

impl Keyspace {
    pub fn new(databases: usize) -> Self {
        Keyspace {
            databases: (0..databases).map(|_| Database::default()).collect(),
            graveyard: Graveyard::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.databases.len()
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
        &mut self.databases[index]
    }

    /// The database and the graveyard, for writes that may let a value go.
    #[inline]
    pub fn write(&mut self, index: usize) -> (&mut Database, &mut Graveyard) {
        (&mut self.databases[index], &mut self.graveyard)
    }

    pub fn databases(&self) -> impl Iterator<Item = (usize, &Database)> {
        self.databases.iter().enumerate()
    }

    pub fn swap(&mut self, a: usize, b: usize) {
        self.databases.swap(a, b);
    }

    /// Empties a database at once; its memory is freed in slices later.
    pub fn flush(&mut self, index: usize) -> usize {
        let old = std::mem::take(&mut self.databases[index]);
        let keys = old.len();
        self.graveyard.bury_database(old);
        keys
    }

    /// When some key may expire next.
    pub fn next_due(&self) -> Option<Millis> {
        self.databases.iter().filter_map(Database::next_due).min()
    }
}
