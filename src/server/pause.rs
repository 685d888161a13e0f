//! Holding clients back.
//!
//! Three may want that: CLIENT PAUSE, for a time and reads as well if it says so; a shutdown and a failover, which hold
//! writes back until they are over. They overlap freely: what one of them ends, another may go on holding. A command that
//! is held back has not run; when nobody holds it any more it is tried again. The primary is a client like others: a replica
//! whose writes are held applies nothing of the stream, and its offset stands still.

use super::core::{Core, Effect};
use super::session::Blocked;
use crate::timer::Millis;

/// Until when clients are held back, on the monotonic clock, and whether reads wait too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub until: Millis,
    pub all: bool,
}

/// A pause as INFO shows it.
pub struct Paused {
    pub reason: &'static str,
    pub all: bool,
    /// How long it will last, if that is known, in ms.
    pub millis: i64,
}

impl Paused {
    fn without_end(reason: &'static str) -> Self {
        let (all, millis) = (false, 0);
        Paused { reason, all, millis }
    }
}

/// Who holds writes back without saying until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Shutdown,
    Failover,
}

/// Who holds clients back.
#[derive(Default)]
pub struct Pauses {
    by_client: Option<Pause>,
    by_shutdown: bool,
    by_failover: bool,
}

impl Pauses {
    fn holds_writes(&self) -> bool {
        self.by_shutdown || self.by_failover
    }

    /// What all of it comes to. CLIENT PAUSE always holds writes back, so while it lasts nothing can be stricter.
    fn sum(&self) -> Option<Pause> {
        let writes = Pause {
            until: Millis::MAX,
            all: false,
        };
        self.by_client.or_else(|| self.holds_writes().then_some(writes))
    }

    fn held_by(&mut self, holder: Holder) -> &mut bool {
        match holder {
            Holder::Shutdown => &mut self.by_shutdown,
            Holder::Failover => &mut self.by_failover,
        }
    }
}

impl Core {
    /// CLIENT PAUSE. A second pause may prolong the first or make it stricter, never the reverse.
    pub fn pause_clients(&mut self, pause: Pause) {
        let now = self.monotonic;
        let former = self.pauses.by_client.filter(|former| former.until > now);
        self.pauses.by_client = Some(Pause {
            until: former.map_or(pause.until, |former| former.until.max(pause.until)),
            all: pause.all || former.is_some_and(|former| former.all),
        });
        self.pause = self.pauses.sum();
    }

    /// Ends what CLIENT PAUSE has begun. O(clients).
    #[cold]
    pub fn unpause(&mut self) {
        self.pauses.by_client = None;
        self.let_held_go();
    }

    pub(super) fn hold_writes(&mut self, holder: Holder) {
        *self.pauses.held_by(holder) = true;
        self.pause = self.pauses.sum();
    }

    /// Ends what [`Core::hold_writes`] has begun, if it has. O(clients).
    pub(super) fn release_writes(&mut self, holder: Holder) {
        if std::mem::take(self.pauses.held_by(holder)) {
            self.let_held_go();
        }
    }

    /// Lets held commands run, or be held back again by who still wants that.
    pub(super) fn let_held_go(&mut self) {
        self.pause = self.pauses.sum();
        let mut held = Vec::new();
        for session in self.sessions_mut() {
            if session.blocked == Some(Blocked::Paused) {
                session.blocked = None;
                held.push(session.index);
            }
        }
        for index in held {
            self.effects.push(Effect::Resume(index));
            if self.replication.is_primary(index) {
                // Its socket may have been left alone meanwhile.
                self.effects.push(Effect::Stream(index, Vec::new()));
            }
        }
    }

    /// What INFO tells of a pause, if there is one.
    pub fn paused(&self) -> Option<Paused> {
        let pause = self.pause.filter(|_| self.is_paused())?;
        let by_client = self
            .pauses
            .by_client
            .filter(|by_client| by_client.until > self.monotonic);
        Some(match by_client {
            Some(by_client) => Paused {
                reason: "client_pause",
                all: pause.all,
                millis: by_client.until.since(self.monotonic),
            },
            None if self.pauses.by_shutdown => Paused::without_end("shutdown_in_progress"),
            None => Paused::without_end("failover_in_progress"),
        })
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pause.is_some_and(|pause| pause.until > self.monotonic)
    }
}
