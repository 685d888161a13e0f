//! Deadlines that a writable replica's own clients have set.
//!
//! A replica leaves expiry to its primary, which says DEL. But of keys that clients have written here the primary knows
//! nothing: they would stay for ever. So a replica remembers where its clients have set deadlines, and lets those keys
//! expire by itself. What the primary writes afterwards is the primary's again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::core::Core;
use crate::keyspace::Key;
use crate::timer::Millis;

/// A key, by its database.
type Place = (usize, Arc<[u8]>);

/// When which key is due. Empty but on a writable replica.
#[derive(Default)]
pub struct OwnDeadlines {
    by_key: BTreeMap<Place, Millis>,
    by_time: BTreeSet<(Millis, Place)>,
}

impl OwnDeadlines {
    pub fn count(&self) -> usize {
        self.by_key.len()
    }

    fn note(&mut self, place: Place, due: Millis) {
        self.forget(&place);
        self.by_time.insert((due, place.clone()));
        self.by_key.insert(place, due);
    }

    fn forget(&mut self, place: &Place) {
        if let Some(due) = self.by_key.remove(place) {
            self.by_time.remove(&(due, place.clone()));
        }
    }

    pub(super) fn clear(&mut self) {
        *self = OwnDeadlines::default();
    }

    /// When the first is due.
    pub(super) fn first(&self) -> Option<Millis> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Takes out one that is due.
    fn take_due(&mut self, now: Millis) -> Option<Place> {
        let first = self.by_time.first().filter(|(due, _)| *due <= now)?;
        let place = first.1.clone();
        self.forget(&place);
        Some(place)
    }
}

impl Core {
    /// Whether somebody but the primary may write here, while there is one.
    #[inline]
    pub(super) fn is_writable_replica(&self) -> bool {
        self.replication.is_replica() && !self.settings.replica_read_only
    }

    /// A key was changed on a writable replica.
    pub(super) fn note_own_deadline(&mut self, database: usize, key: &[u8]) {
        // What expires by itself is nobody's write.
        let Some(caller) = self.caller else { return };
        let due = match self.replication.is_primary(caller) {
            true => None,
            false => self.due_of(database, key),
        };
        if due.is_none() && self.own_deadlines.count() == 0 {
            return;
        }
        let place = (database, Arc::from(key));
        match due {
            Some(due) => self.own_deadlines.note(place, due),
            None => self.own_deadlines.forget(&place),
        }
    }

    /// When a key or the first field of it is due.
    fn due_of(&self, database: usize, key: &[u8]) -> Option<Millis> {
        let entry = self.keyspace.db(database).find(Key::new(key))?;
        entry.deadline().into_iter().chain(entry.field_due()).min()
    }

    /// Lets one of these keys expire, if any is due: false if none is.
    pub(super) fn expire_own(&mut self) -> bool {
        let now = self.moment.now;
        let Some((database, key)) = self.own_deadlines.take_due(now) else {
            return false;
        };
        // It may have another deadline by now, or none.
        if self.due_of(database, &key).is_some_and(|due| due <= now) {
            self.expire_regardless(database, Key::new(&key));
        }
        if let Some(due) = self.due_of(database, &key) {
            self.own_deadlines.note((database, key), due);
        }
        true
    }
}
