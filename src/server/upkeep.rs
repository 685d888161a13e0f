//! What the core does between requests: expiry, freeing, eviction, and a look at the clients once a second. Every step
//! is bounded, and says whether more is to do.

use super::core::Core;
use super::notify::Class;
use super::session::Session;
use super::stopwatch::{Stopwatch, Ticks};
use crate::keyspace::expiry::Expired;
use crate::timer::Millis;

/// What has gone when something expires.
#[derive(Debug)]
pub(super) enum Gone {
    Key,
    /// Fields, but not the last. Their names are given if changes are recorded.
    Fields(Vec<Box<[u8]>>),
    AllFields,
}

impl Gone {
    pub(super) fn of(expired: Expired<'_>) -> Self {
        match expired {
            Expired::Key(..) => Gone::Key,
            Expired::Fields {
                deleted: false, names, ..
            } => Gone::Fields(names),
            Expired::Fields { deleted: true, .. } => Gone::AllFields,
        }
    }
}

/// Wheel items visited in one go; some hundred microseconds' worth at most.
const EXPIRE_SLICE: usize = 256;
/// The same in the tick that comes upon due keys, when the one before had left none. The next ticks double it. Whoever listens
/// for keys to expire reads the first events while the next keys are deleted, instead of waiting for a whole slice that
/// comes from cold memory.
pub(super) const EXPIRE_FIRST: usize = 32;
/// How often pages go back to the system while much is being freed, and for how long after, in ms.
pub const SETTLE_STEP: i64 = 2;
const SETTLE_TIME: i64 = 1000;
/// Elements freed in one go.
const FREE_SLICE: usize = 256;
/// Bytes that a client which has not given the password may leave unread.
const STRANGER_OWED: u64 = 1024;
/// Wheel items swept in one go.
const SWEEP_SLICE: usize = 256;
/// How long a tick may spend on expiry, on freeing, and on sweeping, in ns. Whoever sends a PING meanwhile waits that long.
const EXPIRE_TIME: u64 = 200_000;
const FREE_TIME: u64 = 150_000;
const SWEEP_TIME: u64 = 100_000;

impl Core {
    /// Deletes keys and fields of hashes whose time has come, in all databases. True when some are left for the next tick.
    ///
    /// Pages go back to the system first, and what that takes leaves less for expiry: who waits for this tick waits for
    /// the sum of both.
    pub fn expire_due(&mut self) -> bool {
        let is_due = self.next_due().is_some_and(|due| due <= self.moment.now);
        if !is_due && !self.is_settling() {
            self.expire_pace = EXPIRE_FIRST;
            return false;
        }
        self.expire(is_due)
    }

    #[inline(never)]
    fn expire(&mut self, is_due: bool) -> bool {
        let began = Stopwatch::read();
        self.settle();
        if !is_due {
            return false;
        }
        let started = Stopwatch::read();
        let is_left = self.expire_some(began);
        self.expire_pace = match is_left {
            true => (self.expire_pace * 2).min(EXPIRE_SLICE),
            false => EXPIRE_FIRST,
        };
        self.stats.expire_nanos += self.stopwatch.nanos(Stopwatch::read().since(started));
        is_left
    }

    fn expire_some(&mut self, started: Ticks) -> bool {
        let now = self.moment.now;
        if self.replication.is_replica() {
            while self.expire_own() {
                if self.stopwatch.nanos(Stopwatch::read().since(started)) > EXPIRE_TIME {
                    self.stats.expire_time_cap_reached += 1;
                    return true;
                }
            }
            return false;
        }
        for index in 0..self.keyspace.used() {
            while self.keyspace.db(index).next_due().is_some_and(|due| due <= now) {
                // Looked at before a slice and not after: a run that just finishes in time has left nothing. The first ticks have
                // their one small slice in any case.
                if self.expire_pace == EXPIRE_SLICE
                    && self.stopwatch.nanos(Stopwatch::read().since(started)) > EXPIRE_TIME
                {
                    self.stats.expire_time_cap_reached += 1;
                    return true;
                }
                self.expire_slice(index, now);
                if self.expire_pace < EXPIRE_SLICE {
                    return self.keyspace.next_due().is_some_and(|due| due <= now);
                }
            }
        }
        false
    }

    fn expire_slice(&mut self, index: usize, now: Millis) {
        let items = self.expire_pace;
        // Names are kept only if somebody is to be told; deleting a million keys unheard copies nothing.
        let recording = self.propagation.is_on;
        let telling = recording
            || self.is_observed()
            || !self.settings.notify_keyspace_events.is_empty() && !self.pubsub.is_idle();
        let mut news: Vec<(Box<[u8]>, Gone)> = Vec::new();
        self.note_freeing();
        let stats = &mut self.stats;
        let (db, graveyard) = self.keyspace.write(index);
        db.advance(now, items, recording, graveyard, |expired| {
            let (key, deadline) = match &expired {
                Expired::Key(key, deadline) => {
                    let lag = now.since(*deadline).max(0) as u64;
                    stats.expired_keys += 1;
                    stats.expired_late_keys += u64::from(lag > 1);
                    stats.expire_lag_sum_ms += lag;
                    (key, deadline)
                }
                Expired::Fields {
                    key, count, deadline, ..
                } => {
                    stats.expired_subkeys += *count as u64;
                    (key, deadline)
                }
            };
            let lag = now.since(*deadline).max(0) as u64;
            stats.expire_lag_max_ms = stats.expire_lag_max_ms.max(lag);
            if telling {
                news.push(((*key).into(), Gone::of(expired)));
            }
        });
        for (key, gone) in news {
            self.tell_expired(index, &key, gone);
        }
    }

    /// Records that a key or fields of it have expired, and tells everybody concerned.
    pub(super) fn tell_expired(&mut self, index: usize, key: &[u8], gone: Gone) {
        match &gone {
            Gone::Key | Gone::AllFields => self.record_gone(index, key, self.settings.lazyfree_lazy_expire),
            Gone::Fields(names) => self.record_fields_gone(index, key, names),
        }
        self.touched(index, key);
        match gone {
            Gone::Key => self.notify(Class::EXPIRED, "expired", key, index),
            Gone::Fields(_) => self.notify(Class::HASH, "hexpired", key, index),
            Gone::AllFields => {
                self.notify(Class::HASH, "hexpired", key, index);
                self.notify(Class::GENERIC, "del", key, index);
            }
        }
    }

    /// Frees a bounded part of what was deleted, and evicts if memory is short. True when more is to do.
    pub fn housekeep(&mut self) -> bool {
        let may_evict = self.may_evict();
        if self.evicting && may_evict {
            self.make_room();
        }
        let unswept = self.sweep_wheels();
        let untold = !self.tracking.is_off() && self.limit_tracking();
        self.free_buried() || self.evicting && may_evict || unswept || untold
    }

    /// Drops a bounded part of what deleted volatile keys have left on the wheels, where it is too much. True when some
    /// is left.
    fn sweep_wheels(&mut self) -> bool {
        let wanting = |core: &Self| (0..core.keyspace.used()).find(|&index| core.keyspace.db(index).wants_sweep());
        match wanting(self) {
            None => false,
            Some(_) => self.sweep_while_time_is_left(wanting),
        }
    }

    #[inline(never)]
    fn sweep_while_time_is_left(&mut self, wanting: impl Fn(&Self) -> Option<usize>) -> bool {
        let started = Stopwatch::read();
        while let Some(index) = wanting(self) {
            self.keyspace.db_mut(index).sweep(SWEEP_SLICE);
            if self.stopwatch.nanos(Stopwatch::read().since(started)) > SWEEP_TIME {
                return true;
            }
        }
        false
    }

    /// Frees a bounded part of what was deleted. True when some is left.
    fn free_buried(&mut self) -> bool {
        !self.keyspace.graveyard.is_empty() && self.free_while_time_is_left()
    }

    #[inline(never)]
    fn free_while_time_is_left(&mut self) -> bool {
        let started = Stopwatch::read();
        self.note_freeing();
        while !self.keyspace.graveyard.step(FREE_SLICE) {
            if self.stopwatch.nanos(Stopwatch::read().since(started)) > FREE_TIME {
                return true;
            }
        }
        false
    }

    /// Pages become free now, and are to go back to the system.
    fn note_freeing(&mut self) {
        if !crate::memory::gives_back_aside() {
            self.settling_until = self.monotonic.saturating_add(SETTLE_TIME);
        }
    }

    fn is_settling(&self) -> bool {
        self.monotonic < self.settling_until
    }

    /// Where the allocator has no thread for it, lets it give freed pages back in steps of milliseconds while many have been
    /// freed lately. Asked once a second only, it would hand back a hundred megabytes in one call, and everybody would wait
    /// for it.
    fn settle(&mut self) {
        if self.is_settling() && self.monotonic.since(self.settled) >= SETTLE_STEP {
            self.settled = self.monotonic;
            crate::memory::decay();
        }
    }

    /// When the core wants its next tick even if nothing arrives, in Unix time.
    pub fn next_due(&self) -> Option<Millis> {
        if !self.active_expire
            || self.is_paused()
            || self.is_importing()
            || self.loading.is_some()
            || self.scripts.is_running()
        {
            return None;
        }
        match self.replication.is_replica() {
            true => self.own_deadlines.first(),
            false => self.keyspace.next_due(),
        }
    }

    /// The once-a-second round: idle clients, soft output limits, the stopwatch's scale.
    #[cold]
    pub fn each_second(&mut self) {
        if self.rounds_paused {
            return;
        }
        self.stopwatch.calibrate();
        self.look_at_child();
        self.save_when_due();
        self.tend_log();
        self.tend_replication();
        self.tend_channels();
        if !crate::memory::gives_back_aside() {
            crate::memory::decay();
        }
        self.close_idle();
        let with_output: Vec<_> = self
            .sessions()
            .filter(|s| s.output_bytes() > 0)
            .map(|s| s.index)
            .collect();
        for index in with_output {
            self.check_output_limit(index);
        }
    }

    /// Closes clients that have been silent for too long, if any time is. O(sessions).
    fn close_idle(&mut self) {
        let (now, timeout) = (self.moment.now, i64::from(self.settings.timeout));
        if timeout == 0 {
            return;
        }
        let is_late = |session: &&Session| {
            let is_exempt = session.monitor || session.is_subscriber() || session.blocked.is_some();
            !is_exempt && now.since(session.last_interaction) / 1000 > timeout
        };
        let late: Vec<_> = self.sessions().filter(is_late).map(|session| session.index).collect();
        for index in late {
            self.ask_close(index, true);
        }
    }

    /// Takes a full reply buffer of a session, and closes the session if it is owed too much by now: one tick's pipeline
    /// may ask for more than there is memory.
    #[cold]
    pub fn set_aside(&mut self, index: super::SessionIndex, block: Vec<u8>) {
        self.session(index).blocks.push(block);
        self.mark_outgoing(index);
        self.check_output_limit(index);
    }

    /// Closes a session that is owed more than its class of client may be.
    pub fn check_output_limit(&mut self, index: super::SessionIndex) {
        let (now, unix_now) = (self.monotonic, self.moment.now);
        let limits = &self.settings.client_output_buffer_limit;
        let (normal, pubsub) = (limits.normal, limits.pubsub);
        let stranger = self.find_session(index).is_some() && self.must_authenticate(index);
        let Some(session) = self.find_session(index) else {
            return;
        };
        let limit = if session.is_subscriber() { pubsub } else { normal };
        let owed = session.output_bytes() as u64;
        let hard = limit.hard > 0 && owed >= limit.hard || stranger && owed > STRANGER_OWED;
        let mut soft = limit.soft > 0 && owed >= limit.soft;
        if soft {
            let since = *session.soft_limit_since.get_or_insert(now);
            soft = now.since(since) > i64::from(limit.soft_seconds) * 1000;
        } else {
            session.soft_limit_since = None;
        }
        if (hard || soft) && !session.doomed {
            let text = super::client_line::client_line(session, unix_now);
            self.stats.client_output_buffer_limit_disconnections += 1;
            crate::log::warning(&format!("Client {text} closed for overcoming of output buffer limits."));
            self.ask_close(index, true);
        }
    }

    /// Whether keys that are past their deadlines stay: while writes are paused or data imported, and on a replica, whose
    /// primary says when they go.
    pub(super) fn expiry_paused(&self) -> bool {
        self.replication.is_replica() || self.is_paused() || self.settings.import_mode
    }
}
