//! Calling a command whose checks are passed, and what the call is counted as.
//!
//! Requests straight from a socket, commands queued by MULTI and commands of clients that waited all end here.

use super::context::Context;
use super::core::Core;
use super::failure::Outcome;
use super::session::{Blocked, SessionIndex};
use super::slowlog;
use super::stopwatch::{Stopwatch, Ticks};
use crate::commands::table::CommandSpec;
use crate::commands::table::flags::Flag;
use crate::crash;
use crate::resp::reply::Reply;
use crate::resp::request::Args;

/// A command about to run.
pub struct Call<'a> {
    pub session: SessionIndex,
    pub spec: &'static CommandSpec,
    pub args: Args<'a>,
    /// Hashes of its keys, if they are known.
    pub hashes: &'a [u64],
    /// The value of a SET in a buffer of its own.
    pub big: Option<Vec<u8>>,
    /// When its time began.
    pub started: Ticks,
}

impl Core {
    /// Runs a command, writes its reply behind what is in `reply`, and counts it. Gives when it ended.
    ///
    /// # Panics
    /// If the command has no handler, which the checks before have made sure of.
    #[inline]
    pub fn call(&mut self, call: Call<'_>, reply: &mut Reply) -> Ticks {
        let Call {
            session: index,
            spec,
            args,
            hashes,
            big,
            started,
        } = call;
        let handler = self.handlers.get(spec).expect("only built commands are called");
        let session = self.session(index);
        let (database, no_touch) = (session.database as usize, session.no_touch);
        self.no_touch = no_touch && spec.name != "touch";
        self.writing = spec.flags.contains(Flag::Write);
        crash::note_call(spec);
        let start_of_reply = reply.bytes.len();
        let dirty = self.begin_recording();
        let caller = self.caller.replace(self.scripts.acting(index));
        let mut context = Context {
            core: self,
            session: index,
            database,
            spec,
            reply: std::mem::take(reply),
            hashes,
            args,
            big,
        };
        let outcome = handler(&mut context, args);
        *reply = context.reply;
        self.caller = caller;
        let is_left = self.session(index).blocked == Some(Blocked::Running);
        if is_left {
            if caller.is_none() {
                self.set_running_unit_aside();
            }
            // It is counted when it has ended.
            return Stopwatch::read();
        }
        if self.propagation.is_on {
            self.record_call(spec, database, args, dirty);
            if caller.is_none() {
                self.end_recording(spec, index);
            }
        }
        if self.is_replaying {
            if let Err(failure) = &outcome {
                self.note_error(index, Some(spec), &failure.0);
            }
            return Stopwatch::read();
        }
        if !self.monitors.is_empty() && !self.waiting.is_retrying() {
            self.show_to_monitors(index, database, spec, args);
        }
        // Also one that waits now has read that nothing is there.
        // Not one that calls a script: what that reads is remembered when it does.
        if spec.flags.contains(Flag::ReadOnly) && !self.tracking.is_off() && !spec.flags.contains(Flag::SkipMonitor) {
            self.remember_read(self.scripts.acting(index), spec, args);
        }
        if self.session(index).blocked == Some(Blocked::Waiting) {
            // It has not done anything yet, and is counted when it has.
            return Stopwatch::read();
        }
        self.account(index, spec, args, outcome, reply, start_of_reply, started)
    }

    /// Counts a call: time, failures, slow log.
    #[inline]
    #[allow(clippy::too_many_arguments)] // each a fact of the one call, made in one place
    pub(super) fn account(
        &mut self,
        index: SessionIndex,
        spec: &'static CommandSpec,
        args: Args<'_>,
        outcome: Outcome,
        reply: &mut Reply,
        start_of_reply: usize,
        started: Ticks,
    ) -> Ticks {
        if let Err(failure) = &outcome {
            reply.error(&failure.0);
        }
        let is_counted = std::mem::take(&mut self.scripts.is_error_counted);
        if reply.bytes.get(start_of_reply) == Some(&b'-') && is_counted {
            self.stats_of(spec.id).failed += 1;
        } else if reply.bytes.get(start_of_reply) == Some(&b'-') {
            let line = &reply.bytes[start_of_reply + 1..];
            let code = line.split(|&b| b == b' ' || b == b'\r').next().unwrap_or(b"ERR");
            self.count_error(Some(spec), code, false);
            if self.session(index).is_primary {
                self.note_error(index, Some(spec), line);
            }
        }
        let ended = Stopwatch::read();
        let nanos = self.stopwatch.nanos(ended.since(started));
        self.stats.total_commands_processed += 1;
        let tracking = self.settings.latency_tracking;
        let stats = self.stats_of(spec.id);
        stats.calls += 1;
        stats.nanos += nanos;
        if tracking {
            stats.latency.get_or_insert_default().record(nanos);
        }
        if nanos >= 1_000_000 || self.settings.slowlog_log_slower_than < 1000 {
            self.note_slow(index, spec, nanos, args);
        }
        ended
    }

    /// What a command that took long, or any when the log wants all, leaves behind.
    #[cold]
    fn note_slow(&mut self, index: SessionIndex, spec: &'static CommandSpec, nanos: u64, args: Args<'_>) {
        let (second, micros) = (self.moment.now.as_secs(), nanos / 1000);
        let event = if spec.flags.contains(Flag::Fast) {
            "fast-command"
        } else {
            "command"
        };
        let threshold = self.settings.latency_monitor_threshold as u64;
        self.latency.note(event, second, micros / 1000, threshold);
        let limit = self.settings.slowlog_log_slower_than;
        if limit < 0 || (micros as i64) < limit || spec.flags.contains(Flag::SkipSlowlog) {
            return;
        }
        let Some((peer, name)) = self
            .find_session(self.scripts.acting(index))
            .map(|session| (session.peer().to_owned(), session.name().to_vec()))
        else {
            return;
        };
        let max = self.settings.slowlog_max_len as usize;
        let shown = slowlog::redacted(spec, args);
        self.slowlog.add(shown.into_iter(), second, micros, &peer, &name, max);
    }
}
