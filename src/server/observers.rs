//! Who must know when a key changes: transactions that watch it, clients that wait for it, clients that cache it, and a
//! replica whose own clients write.
//!
//! Everything that changes a key says so here, be it a command, expiry or eviction. While nobody observes anything,
//! which is most of the time, that costs four comparisons.

use super::core::Core;

impl Core {
    /// Notes that a key was changed, made or deleted. To be called when that is done.
    #[inline]
    pub fn touched(&mut self, database: usize, key: &[u8]) {
        if self.is_observed() {
            self.tell_observers(database, key);
        }
    }

    /// Whether anybody wants to know about any key.
    #[inline]
    pub fn is_observed(&self) -> bool {
        !self.watched.is_empty() || !self.waiting.is_empty() || !self.tracking.is_off() || self.is_writable_replica()
    }

    #[cold]
    fn tell_observers(&mut self, database: usize, key: &[u8]) {
        if !self.watched.is_empty() {
            self.disturb(database, key);
        }
        self.waiting.signal(database, key);
        if !self.tracking.is_off() {
            self.invalidate(key);
        }
        if self.is_writable_replica() {
            self.note_own_deadline(database, key);
        }
    }

    /// To be called before a database is emptied.
    /// Also before and after all of its data make way for others.
    pub fn before_flush(&mut self, database: usize) {
        self.disturb_all(database, None);
        self.waiting.signal_all(database);
    }

    /// To be called before two databases change places.
    pub fn before_swap(&mut self, a: usize, b: usize) {
        self.disturb_all(a, Some(b));
        self.disturb_all(b, Some(a));
        self.waiting.signal_all(a);
        self.waiting.signal_all(b);
    }
}
