//! Calling a command whose checks are passed, and what the call is counted as.
//!
//! Requests straight from a socket, commands queued by MULTI and commands of clients that waited all end here.

use super::command_log::{self, Kind};
use super::context::Context;
use super::core::{Core, error_code};
use super::failure::Outcome;
use super::session::{Blocked, ReplyMode, SessionIndex};
use super::stopwatch::{Stopwatch, Ticks};
use crate::commands::handlers::Handler;
use crate::commands::table::CommandSpec;
use crate::commands::table::flags::Flag;
use crate::crash;
use crate::resp::encode;
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
            started,
            ..
        } = call;
        let handler = self.handlers.get(spec).expect("only built commands are called");
        let session = self.session(index);
        let (database, no_touch) = (session.database as usize, session.no_touch);
        self.no_touch = no_touch && spec.name != "touch";
        self.writing = spec.flags.contains(Flag::Write);
        let start_of_reply = reply.bytes.len();
        let dirty = self.begin_recording();
        let caller = self.caller.replace(self.scripts.acting(index));
        let outcome = self.invoke(call, handler, database, reply);
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

    /// Hands a command to its handler.
    #[inline]
    pub(super) fn invoke(&mut self, call: Call<'_>, handler: Handler, database: usize, reply: &mut Reply) -> Outcome {
        crash::note_call(call.spec);
        let args = call.args;
        let mut context = Context {
            core: self,
            session: call.session,
            database,
            spec: call.spec,
            reply,
            hashes: call.hashes,
            args,
            big: call.big,
        };
        handler(&mut context, args)
    }

    /// Counts a call: time, failures, command logs.
    #[inline(always)] // ten arguments on the stack cost as much as the counting
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
        if reply.bytes.get(start_of_reply) == Some(&b'-') {
            self.count_failure(index, spec, &reply.bytes[start_of_reply + 1..]);
        }
        self.scripts.is_error_counted = false;
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
        // All but the largest requests cost two loads and a comparison. -1 is no limit, and more than any size.
        if args.size_at_most() as u64 >= self.settings.commandlog_request_larger_than as u64 {
            self.log_large_request(index, spec, args);
        }
        let replied = (reply.bytes.len() - start_of_reply) as u64;
        if replied >= self.settings.commandlog_reply_larger_than as u64 {
            self.log_large_reply(index, spec, replied, args);
        }
        ended
    }

    /// Counts a command that answered with the error `line`.
    #[cold]
    fn count_failure(&mut self, index: SessionIndex, spec: &'static CommandSpec, line: &[u8]) {
        if self.scripts.is_error_counted {
            self.stats_of(spec.id).failed += 1;
            return;
        }
        self.count_error(Some(spec), error_code(line), false);
        if self.session(index).is_primary {
            self.note_error(index, Some(spec), line);
        }
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
        if limit >= 0 && micros as i64 >= limit && !spec.flags.contains(Flag::SkipSlowlog) {
            self.log_command(index, Kind::Slow, micros, spec, args);
        }
    }

    /// Logs a request that may have reached the limit, if it has. What a script asks for has not come over the wire.
    #[cold]
    fn log_large_request(&mut self, index: SessionIndex, spec: &'static CommandSpec, args: Args<'_>) {
        let Ok(limit) = usize::try_from(self.settings.commandlog_request_larger_than) else {
            return;
        };
        if self.scripts.is_script(index) || spec.flags.contains(Flag::SkipSlowlog) {
            return;
        }
        let size = encode::size_of_request(args.lens());
        if size >= limit {
            self.log_command(index, Kind::LargeRequest, size as u64, spec, args);
        }
    }

    /// Logs a reply that has reached the limit, unless its client gets none.
    #[cold]
    fn log_large_reply(&mut self, index: SessionIndex, spec: &'static CommandSpec, size: u64, args: Args<'_>) {
        let is_told = self.session(index).reply_mode == ReplyMode::On;
        let has_limit = self.settings.commandlog_reply_larger_than >= 0;
        if is_told && has_limit && !spec.flags.contains(Flag::SkipSlowlog) {
            self.log_command(index, Kind::LargeReply, size, spec, args);
        }
    }

    /// Adds a command to a log, in the name of the client that has sent it.
    fn log_command(&mut self, index: SessionIndex, kind: Kind, amount: u64, spec: &CommandSpec, args: Args<'_>) {
        let max = match kind {
            Kind::Slow => self.settings.slowlog_max_len,
            Kind::LargeRequest => self.settings.commandlog_large_request_max_len,
            Kind::LargeReply => self.settings.commandlog_large_reply_max_len,
        };
        let Some((peer, name)) = self
            .find_session(self.scripts.acting(index))
            .map(|session| (session.peer().to_owned(), session.name().to_vec()))
        else {
            return;
        };
        let second = self.moment.now.as_secs();
        let log = self.command_logs.of_mut(kind);
        log.add(
            command_log::kept(spec, args),
            second,
            amount,
            &peer,
            &name,
            max as usize,
        );
    }
}
