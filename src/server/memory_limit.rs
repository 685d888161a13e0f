//! `maxmemory`: making room before a command, and what INFO calls used memory.

use super::core::Core;
use super::notify::Class;
use super::stopwatch::Stopwatch;
use crate::config::choice::MaxmemoryPolicy;
use crate::keyspace::Key;

/// How long one command may wait for evictions, in ns; the rest goes on between ticks. Without bound at the tenacity of
/// 100. Up to 10 it is 50 us a step, so 500 us unless said otherwise, and each step behind that gives 15 % more: two
/// minutes at 99. (Source: what redis.conf and its server say of `maxmemory-eviction-tenacity`.)
fn patience(tenacity: i32) -> u64 {
    match tenacity {
        ..=10 => 50_000 * tenacity.max(0) as u64,
        11..100 => (500_000.0 * 1.15f64.powi(tenacity - 10)) as u64,
        100.. => u64::MAX,
    }
}

impl Core {
    /// Bytes that count against `maxmemory`.
    pub fn used_memory(&self) -> usize {
        crate::memory::used()
    }

    /// Whether more is in use than `maxmemory` allows.
    pub fn over_limit(&self) -> bool {
        self.over_limit_without(0)
    }

    /// The same, `told` bytes of messages about evictions left out.
    fn over_limit_without(&self, told: usize) -> bool {
        let limit = self.settings.maxmemory as usize;
        // What is not counted is summed up only where it may matter.
        let counted = |used: usize| used.saturating_sub(self.uncounted_memory());
        limit > 0
            && self.used_memory() > limit.saturating_add(told)
            && counted(self.used_memory()) > limit.saturating_add(told)
    }

    /// Bytes in use that `maxmemory` does not count: what replicas have yet to take beyond the backlog, and records that wait
    /// for the append-only file. Telling replicas of an eviction takes such memory itself, and would cause the next.
    pub fn uncounted_memory(&self) -> usize {
        self.memory_owed_to_replicas() + self.append_only.pending.capacity()
    }

    /// Whether keys may be evicted now: not from under a script, nor from data that are still loaded, where what is read next
    /// may be about them; and not while writes are held back, since a replica that is to take over must not be left behind.
    pub(super) fn may_evict(&self) -> bool {
        !self.scripts.is_running() && !self.is_loading() && !self.is_paused()
    }

    /// Evicts until memory is below the limit, or a slice of time has passed. False when it stays above and nothing can
    /// be done about it.
    #[inline(never)]
    pub fn make_room(&mut self) -> bool {
        if !self.over_limit() {
            self.evicting = false;
            return true;
        }
        // Clients go before keys: the replies of this very tick may be what is too much.
        if self.weighs_clients() {
            self.weigh_outgoing();
            if !self.over_limit() {
                self.evicting = false;
                return true;
            }
        }
        let policy = self.settings.maxmemory_policy;
        if policy == MaxmemoryPolicy::Noeviction || self.is_importing() {
            self.evicting = false;
            return false;
        }
        let started = Stopwatch::read();
        let patience = patience(self.settings.maxmemory_eviction_tenacity);
        // Telling clients of evictions takes memory too. Were it counted, each would cause the next: also what was told
        // in the slices before.
        let mut told = if self.evicting { self.told_of_evictions } else { 0 };
        self.evicting = false;
        while self.over_limit_without(told) {
            if !self.keyspace.graveyard.is_empty() {
                // What was evicted or deleted still counts until it is freed.
                self.keyspace.graveyard.step(256);
            } else if let Some(bytes) = self.evict_one(policy) {
                told += bytes;
            } else {
                return false;
            }
            if self.stopwatch.nanos(Stopwatch::read().since(started)) > patience {
                self.evicting = self.over_limit_without(told);
                self.told_of_evictions = told;
                break;
            }
        }
        true
    }

    /// The same when the tick's commands are over, for a limit that has changed. It must not wait until replies are
    /// written: what clients are told of evictions would still take memory when the next command looks.
    pub fn make_room_soon(&mut self) {
        self.wants_room = true;
    }

    /// Does so.
    #[inline]
    pub fn make_wanted_room(&mut self) {
        if self.may_evict() && std::mem::take(&mut self.wants_room) {
            self.make_room();
        }
    }

    /// Evicts a key; gives the bytes it took to tell clients of it, or nothing if there is no key to evict.
    fn evict_one(&mut self, policy: MaxmemoryPolicy) -> Option<usize> {
        let samples = self.settings.maxmemory_samples as usize;
        let random = &mut self.random;
        let chosen = self
            .eviction
            .choose(&self.keyspace, policy, samples, &self.moment.clock, &mut || {
                random.u64(..)
            });
        let (database, key) = chosen?;
        let key = Key::new(&key);
        let (db, graveyard) = self.keyspace.write(database);
        if !db.remove(key, graveyard) {
            return None;
        }
        self.stats.evicted_keys += 1;
        let before = self.used_memory();
        self.record_gone(database, key.bytes, self.settings.lazyfree_lazy_eviction);
        self.touched(database, key.bytes);
        self.notify(Class::EVICTED, "evicted", key.bytes, database);
        Some(self.used_memory().saturating_sub(before))
    }
}
