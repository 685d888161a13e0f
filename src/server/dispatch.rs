//! From a request to its command: the checks every command passes, the call, and what the call is counted as.

use super::context::Context;
use super::core::Core;
use super::failure::Outcome;
use super::session::{Blocked, REPLY_BLOCK, ReplyMode, SHORT_REPLY, SessionIndex};
use super::slowlog;
use super::stopwatch::{Stopwatch, Ticks};
use crate::commands::handlers::Handlers;
use crate::commands::table::errors::Unresolved;
use crate::commands::table::flags::Flag;
use crate::commands::table::{self, CommandSpec, errors};
use crate::config::compound::OutputBufferLimits;
use crate::log;
use crate::resp::pool::ReplyPool;
use crate::resp::reply::Reply;
use crate::resp::request::{Args, Span};

/// One whole request, as the reactor hands it over.
pub struct Request<'a> {
    pub session: SessionIndex,
    pub input: &'a [u8],
    pub spans: &'a [Span],
    /// The command, if its name is known (looked up once, when the batch was gathered).
    pub spec: Option<&'static CommandSpec>,
    /// Hashes of its keys, if they are where the command table says.
    pub hashes: &'a [u64],
    pub bigs: &'a mut Vec<Vec<u8>>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// It has not run and must be handed over again once the session is resumed.
    Held,
}

/// Runs requests, holding one session's reply buffer in hand while they are the same session's.
pub struct Executor<'a> {
    pub core: &'a mut Core,
    pub handlers: &'a Handlers,
    current: Option<SessionIndex>,
    reply: Reply,
    /// Buffers for replies, used again from tick to tick.
    pool: &'a mut ReplyPool,
    /// From how many bytes on a reply is set aside.
    block: usize,
    /// When the last command ended: the next one's start, so that a command costs one reading of the counter.
    last: Ticks,
}

impl<'a> Executor<'a> {
    pub fn new(core: &'a mut Core, handlers: &'a Handlers, pool: &'a mut ReplyPool) -> Self {
        let block = block_size(&core.settings.client_output_buffer_limit);
        Executor {
            core,
            handlers,
            current: None,
            reply: Reply::default(),
            pool,
            block,
            last: Stopwatch::read(),
        }
    }

    /// Runs one request.
    #[inline]
    pub fn run(&mut self, request: Request<'_>) -> Verdict {
        if self.current != Some(request.session) {
            self.switch(request.session);
        }
        let (index, started, argc, spec) = (request.session, self.last, request.spans.len(), request.spec);
        let session = self.core.session(index);
        if session.reply_mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::Skip;
        }
        let (before, pushes) = (self.reply.bytes.len(), self.core.pushes);
        let verdict = self.checked(request, argc, spec, started);
        let pushed = self.core.pushes > pushes;
        let session = self.core.session(index);
        match session.reply_mode {
            ReplyMode::On => {}
            // It has not run: the reply to skip is still to come.
            ReplyMode::Skip if verdict == Verdict::Held => session.reply_mode = ReplyMode::SkipNext,
            ReplyMode::Off | ReplyMode::SkipNext => self.reply.bytes.truncate(before),
            ReplyMode::Skip => {
                self.reply.bytes.truncate(before);
                session.reply_mode = ReplyMode::On;
            }
        }
        if pushed && !session.reply.bytes.is_empty() {
            // Pushed to the session by its own command: behind the command's reply.
            self.reply.bytes.append(&mut session.reply.bytes);
        }
        if self.reply.bytes.len() >= self.block {
            self.core.set_aside(index, std::mem::take(&mut self.reply.bytes));
        }
        verdict
    }

    fn switch(&mut self, to: SessionIndex) {
        self.finish();
        let now = self.core.moment.now;
        let session = self.core.session(to);
        self.reply = std::mem::take(&mut session.reply);
        self.reply.protocol = session.protocol;
        session.last_interaction = now;
        if self.reply.bytes.capacity() == 0 {
            self.reply.bytes = self.pool.take();
        }
        self.current = Some(to);
    }

    /// Gives the reply in hand back to its session. Must follow the last request of a tick.
    pub fn finish(&mut self) {
        let Some(index) = self.current.take() else { return };
        let mut reply = std::mem::take(&mut self.reply);
        if reply.bytes.is_empty() {
            self.pool.give(std::mem::take(&mut reply.bytes));
        }
        let Some(session) = self.core.find_session(index) else {
            return;
        };
        session.reply = reply;
        if !session.reply.bytes.is_empty() {
            self.core.mark_outgoing(index);
        }
    }

    fn checked(
        &mut self,
        request: Request<'_>,
        argc: usize,
        spec: Option<&'static CommandSpec>,
        started: Ticks,
    ) -> Verdict {
        let Request {
            session,
            input,
            spans,
            hashes,
            bigs,
            ..
        } = request;
        let resolved = match spec {
            Some(spec) if !spec.is_container() => Ok(spec),
            _ => {
                let words = Args::new(input, spans, bigs).to_vec();
                errors::resolve(&words).map_err(|unresolved| (unresolved, words))
            }
        };
        let spec = match resolved {
            Ok(spec) => spec,
            Err((unresolved, words)) => return self.reject_unresolved(unresolved, &words),
        };
        let Some(handler) = self.handlers.get(spec) else {
            // Not built; or a container without its subcommand, which resolving tells from that.
            let words = Args::new(input, spans, bigs).to_vec();
            let unresolved = errors::resolve(&words).err().unwrap_or(Unresolved::UnknownCommand);
            return self.reject_unresolved(unresolved, &words);
        };
        if !spec.accepts(argc) {
            return self.reject(Some(spec), errors::wrong_arity(spec.name));
        }
        if let Some(text) = self.refusal(session, spec) {
            return self.reject(Some(spec), text);
        }
        if self.must_wait(spec) {
            self.core.session(session).blocked = Some(Blocked::Paused);
            return Verdict::Held;
        }
        let current = self.core.session(session);
        current.last_command = Some(spec);
        let (database, no_touch) = (current.database as usize, current.no_touch);
        self.core.no_touch = no_touch && spec.name != "touch";
        let reply = std::mem::take(&mut self.reply);
        let big = take_big_value(spec, spans, bigs);
        let args = Args::new(input, spans, bigs);
        let mut context = Context {
            core: self.core,
            session,
            database,
            spec,
            reply,
            hashes,
            big,
        };
        let start_of_reply = context.reply.bytes.len();
        let outcome = handler(&mut context, args);
        self.reply = context.reply;
        self.account(spec, outcome, start_of_reply, started, args);
        Verdict::Done
    }

    fn reject_unresolved(&mut self, unresolved: Unresolved, words: &[&[u8]]) -> Verdict {
        let spec = match unresolved {
            Unresolved::WrongArity(spec) => Some(spec),
            Unresolved::UnknownCommand if is_http(words) => {
                return self.hang_up_on_http();
            }
            Unresolved::UnknownCommand | Unresolved::UnknownSubcommand => None,
        };
        self.reject(spec, unresolved.text(words))
    }

    /// Closes without a word: a web page may be making a browser send requests here, and what follows its header is
    /// whatever the page's author likes.
    #[cold]
    fn hang_up_on_http(&mut self) -> Verdict {
        if let Some(index) = self.current {
            log::warning(
                "Closing a connection that speaks HTTP: a web page may be misusing a browser to reach this server.",
            );
            self.core.ask_close(index, true);
        }
        Verdict::Done
    }

    fn reject(&mut self, spec: Option<&'static CommandSpec>, text: impl AsRef<[u8]>) -> Verdict {
        let text = text.as_ref();
        self.reply.error(text);
        let code = text.split(|&b| b == b' ').next().unwrap_or(b"ERR");
        self.core.count_error(spec, code, true);
        self.last = Stopwatch::read();
        Verdict::Done
    }

    /// Why this session may not run this command now.
    #[inline]
    fn refusal(&mut self, session: SessionIndex, spec: &'static CommandSpec) -> Option<String> {
        if spec.flags.contains(Flag::Admin)
            && let Some(text) = self.protected(session, spec)
        {
            return Some(text.into());
        }
        if self.core.must_authenticate(session) && !spec.flags.contains(Flag::NoAuth) {
            return Some("NOAUTH Authentication required.".into());
        }
        let session = self.core.session(session);
        let restricted = session.subscriptions.is_some() && session.is_subscriber();
        if restricted && session.protocol == crate::resp::reply::Protocol::Resp2 && !allowed_in_subscriber_mode(spec) {
            return Some(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                spec.name
            ));
        }
        if self.core.settings.maxmemory > 0 {
            let enough = self.core.make_room();
            if !enough && spec.flags.contains(Flag::DenyOom) {
                return Some(super::failure::OUT_OF_MEMORY.into());
            }
        }
        None
    }

    /// Why a command that the configuration must allow first is not allowed to this client.
    #[cold]
    fn protected(&mut self, session: SessionIndex, spec: &'static CommandSpec) -> Option<&'static str> {
        if spec.name != "debug" {
            return None;
        }
        let local = self.core.session(session).is_local();
        let allowed = self.core.settings.enable_debug_command.allows(local);
        (!allowed).then_some(DEBUG_NOT_ALLOWED)
    }

    /// Whether CLIENT PAUSE holds this command back.
    #[inline]
    fn must_wait(&mut self, spec: &'static CommandSpec) -> bool {
        let Some(pause) = self.core.pause else { return false };
        if pause.until <= self.core.monotonic {
            self.core.unpause();
            return false;
        }
        pause.all || spec.flags.contains(Flag::Write) || matches!(spec.name, "publish" | "spublish" | "pfcount")
    }

    /// Counts the call: time, failures, slow log.
    #[inline]
    fn account(
        &mut self,
        spec: &'static CommandSpec,
        outcome: Outcome,
        start_of_reply: usize,
        started: Ticks,
        args: Args<'_>,
    ) {
        let core = &mut *self.core;
        if let Err(failure) = &outcome {
            self.reply.error(&failure.0);
        }
        let failed = self.reply.bytes.get(start_of_reply) == Some(&b'-');
        if failed {
            let line = &self.reply.bytes[start_of_reply + 1..];
            let code = line
                .split(|&b| b == b' ' || b == b'\r')
                .next()
                .unwrap_or(b"ERR")
                .to_vec();
            core.count_error(Some(spec), &code, false);
        }
        let ended = Stopwatch::read();
        self.last = ended;
        let nanos = core.stopwatch.nanos(ended.since(started));
        core.stats.total_commands_processed += 1;
        let tracking = core.settings.latency_tracking;
        let stats = core.stats_of(spec.id);
        stats.calls += 1;
        stats.nanos += nanos;
        if tracking {
            stats.latency.get_or_insert_default().record(nanos);
        }
        if nanos >= 1_000_000 || core.settings.slowlog_log_slower_than < 1000 {
            slow(core, self.current, spec, nanos, args);
        }
    }
}

/// The length at which a reply is set aside and its client's limit looked at: early enough for the least hard limit, so
/// that a client that asks for more than it may be owed gets nothing of it. Short replies never count.
fn block_size(limits: &OutputBufferLimits) -> usize {
    let hard = [limits.normal.hard, limits.pubsub.hard]
        .into_iter()
        .filter(|&hard| hard > 0);
    let least = hard.min().map_or(REPLY_BLOCK, |hard| hard as usize);
    least.clamp(SHORT_REPLY, REPLY_BLOCK)
}

/// What a command that took long, or any when the log wants all, leaves behind.
#[cold]
fn slow(core: &mut Core, session: Option<SessionIndex>, spec: &'static CommandSpec, nanos: u64, args: Args<'_>) {
    let (second, micros) = (core.moment.now.as_secs(), nanos / 1000);
    let event = if spec.flags.contains(Flag::Fast) {
        "fast-command"
    } else {
        "command"
    };
    let threshold = core.settings.latency_monitor_threshold as u64;
    core.latency.note(event, second, micros / 1000, threshold);
    let limit = core.settings.slowlog_log_slower_than;
    if limit < 0 || (micros as i64) < limit || spec.flags.contains(Flag::SkipSlowlog) {
        return;
    }
    let Some((peer, name)) = session
        .and_then(|s| core.find_session(s))
        .map(|s| (s.peer().to_owned(), s.name().to_vec()))
    else {
        return;
    };
    let max = core.settings.slowlog_max_len as usize;
    let shown = slowlog::redacted(spec, args);
    core.slowlog.add(shown.into_iter(), second, micros, &peer, &name, max);
}

/// The value of a SET that arrived in a buffer of its own, for the keyspace to keep instead of a copy.
fn take_big_value(spec: &CommandSpec, spans: &[Span], bigs: &mut [Vec<u8>]) -> Option<Vec<u8>> {
    if bigs.len() != 1 || spec.name != "set" || spans.get(2).is_none_or(|span| !span.is_big()) {
        return None;
    }
    Some(std::mem::take(&mut bigs[0]))
}

const DEBUG_NOT_ALLOWED: &str = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";

/// Whether a request is the start or the header of an HTTP request with a body.
fn is_http(words: &[&[u8]]) -> bool {
    words
        .first()
        .is_some_and(|word| word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:"))
}

fn allowed_in_subscriber_mode(spec: &CommandSpec) -> bool {
    matches!(
        spec.name,
        "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "ping"
            | "quit"
            | "reset"
    )
}

/// Finds a request's command. Commands that are not built are unknown.
#[inline]
pub fn look_up(name: &[u8]) -> Option<&'static CommandSpec> {
    table::lookup(name)
}
