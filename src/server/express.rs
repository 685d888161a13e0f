//! The short way to an ordinary command.
//!
//! A request has some twenty questions to answer before it runs, and some ten behind: is the client known, is data
//! being loaded, does anybody watch, is there a pause, a script, a transaction? For nearly all commands of nearly all
//! servers the answer is no, and it is the same for every request of a pipeline: an *ordinary* command (GET, INCR, LPUSH;
//! see `CommandSpec::is_ordinary`) cannot change any of them. So they are asked once for a session's requests of a batch,
//! see [`Core::is_clear`], and not again until something ran that might have changed them. What a command itself can bring
//! about is looked at each time: memory, clients that wait for the key it wrote, a long reply.
//!
//! Invariant: whatever is left out here is left out because `is_clear` has asked for it. Builds with debug assertions ask
//! before every command.

use super::call::Call;
use super::core::Core;
use super::dispatch::{Executor, Request};
use super::session::{ReplyMode, SessionIndex};
use super::stopwatch::Ticks;
use crate::commands::handlers::Handler;
use crate::commands::table::flags::Flag;
use crate::resp::reply::Reply;
use crate::resp::request::Args;

/// Whether a session's ordinary commands have anything to fear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To be found out.
    Unknown,
    Clear,
    Obstructed,
}

impl Executor<'_> {
    /// Whether this is the current session and its way is known to be clear.
    #[inline]
    pub fn is_clear_for(&self, index: SessionIndex) -> bool {
        self.current == Some(index) && self.way == Way::Clear
    }

    /// Runs a request of the current session, if it is an ordinary command and its way is clear; false if not.
    #[inline]
    pub(super) fn express(&mut self, request: &Request<'_>) -> bool {
        let Some(spec) = request.spec.filter(|spec| spec.is_ordinary && request.bigs.is_empty()) else {
            return false;
        };
        let index = request.session;
        if self.way == Way::Unknown {
            self.way = match self.core.is_clear(index) {
                true => Way::Clear,
                false => Way::Obstructed,
            };
        }
        if self.way != Way::Clear || !spec.accepts(request.spans.len()) || self.core.must_make_room() {
            return false;
        }
        let Some(handler) = self.core.handlers.get(spec) else {
            return false;
        };
        debug_assert!(self.core.is_clear(index), "before {}", spec.name);
        let call = Call {
            session: index,
            spec,
            args: Args::new(request.input, request.spans, &[]),
            hashes: request.hashes,
            big: None,
            started: self.last,
        };
        self.last = self.core.call_ordinary(call, handler, &mut self.reply);
        if self.core.waiting.has_ready() {
            self.core.serve_waiting();
            self.way = Way::Unknown;
        }
        if self.reply.bytes.len() >= self.block {
            self.core.set_aside(index, std::mem::take(&mut self.reply.bytes));
            self.way = Way::Unknown;
        }
        true
    }
}

impl Core {
    /// Whether nothing stands between the ordinary commands of a session and their handlers, and nobody but the session is
    /// to be told of them.
    pub(super) fn is_clear(&mut self, index: SessionIndex) -> bool {
        let is_quiet = !self.acl.restricts()
            && !self.must_authenticate(index)
            && !self.is_hampered
            && !self.is_replaying
            && !self.scripts.is_running()
            && self.pause.is_none()
            && self.migrations.is_idle()
            && self.monitors.is_empty()
            && self.tracking.is_off()
            && self.caller.is_none();
        let session = self.session(index);
        is_quiet
            && session.is_runnable()
            && session.reply_mode == ReplyMode::On
            && session.transaction.is_none()
            && session.subscriptions.is_none()
            && session.replica.is_none()
            && !session.monitor
            && !session.no_touch
            && !session.is_primary
    }

    /// Whether memory may have to be freed before the next command.
    #[inline]
    fn must_make_room(&self) -> bool {
        self.settings.maxmemory > 0 && (self.evicting || self.over_limit())
    }

    /// Calls an ordinary command of a session whose way is clear, as [`Core::call`] would.
    #[inline]
    fn call_ordinary(&mut self, call: Call<'_>, handler: Handler, reply: &mut Reply) -> Ticks {
        let (index, spec) = (call.session, call.spec);
        let session = self.session(index);
        session.last_command = Some(spec);
        let database = session.database as usize;
        (self.no_touch, self.writing) = (false, spec.flags.contains(Flag::Write));
        let (args, started, start_of_reply) = (call.args, call.started, reply.bytes.len());
        let dirty = self.begin_recording();
        self.caller = Some(index);
        let outcome = self.invoke(call, handler, database, reply);
        self.caller = None;
        debug_assert_eq!(self.session(index).blocked, None, "behind {}", spec.name);
        if self.propagation.is_on {
            self.record_call(spec, database, args, dirty);
            self.end_recording(spec, index);
        }
        self.account(index, spec, args, outcome, reply, start_of_reply, started)
    }
}
