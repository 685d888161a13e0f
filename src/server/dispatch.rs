//! From a request to its command: the checks every command passes, the call, and what the call is counted as.

use super::call::Call;
use super::client_line::client_line;
use super::command_log::MAX_ARGUMENT;
use super::core::{Core, error_code};
use super::express::Way;
use super::owned::OwnedRequest;
use super::session::{Blocked, REPLY_BLOCK, ReplyMode, SHORT_REPLY, SessionIndex};
use super::stopwatch::{Stopwatch, Ticks};
use crate::acl::log::Place;
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
    pub(super) current: Option<SessionIndex>,
    /// Whether ordinary commands of the current session may take the short way.
    pub(super) way: Way,
    pub(super) reply: Reply,
    /// Buffers for replies, used again from tick to tick.
    pool: &'a mut ReplyPool,
    /// From how many bytes on a reply is set aside.
    pub(super) block: usize,
    /// Where in `reply` the present command's own begins.
    reply_start: usize,
    /// When the last command ended: the next one's start, so that a command costs one reading of the counter.
    pub(super) last: Ticks,
}

impl<'a> Executor<'a> {
    pub fn new(core: &'a mut Core, pool: &'a mut ReplyPool) -> Self {
        let block = block_size(&core.settings.client_output_buffer_limit);
        Executor {
            core,
            current: None,
            way: Way::Unknown,
            reply: Reply::default(),
            pool,
            block,
            reply_start: 0,
            last: Stopwatch::read(),
        }
    }

    /// Runs one request.
    #[inline(always)] // only the decision: what it leads to is called
    pub fn run(&mut self, request: Request<'_>) -> Verdict {
        if self.current != Some(request.session) {
            self.switch(request.session);
        }
        match self.express(&request) {
            true => Verdict::Done,
            false => self.run_checked(request),
        }
    }

    /// Runs a request that has to pass all checks.
    #[inline(never)]
    fn run_checked(&mut self, request: Request<'_>) -> Verdict {
        let (index, started, argc, spec) = (request.session, self.last, request.spans.len(), request.spec);
        let session = self.core.session(index);
        if session.reply_mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::Skip;
        }
        self.reply_start = self.reply.bytes.len();
        let pushes = self.core.pushes;
        let verdict = self.checked(request, argc, spec, started);
        if self.way != Way::Obstructed || !spec.is_some_and(|spec| spec.is_ordinary) {
            self.way = Way::Unknown;
        }
        if !self.core.tracking.is_off() {
            self.after_tracked(index, spec);
        }
        let (before, pushed) = (self.reply_start, self.core.pushes > pushes);
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
        if pushed {
            self.core.take_pushed(index, &mut self.reply);
        }
        if !self.core.replication.replicas.is_empty() && self.reply.bytes.len() > before {
            self.silence_replica(index, spec, before);
        }
        if self.core.waiting.has_ready() {
            self.core.serve_waiting();
            // What those who were served tell this client.
            self.core.take_pushed(index, &mut self.reply);
        }
        if self.reply.bytes.len() >= self.block {
            self.core.set_aside(index, std::mem::take(&mut self.reply.bytes));
        }
        verdict
    }

    /// Takes back what a command of a replica's is answered, and lets the replica go: it would take the answer for a part of
    /// the stream.
    #[cold]
    fn silence_replica(&mut self, index: SessionIndex, spec: Option<&'static CommandSpec>, before: usize) {
        let is_asking = spec.is_some_and(|spec| matches!(spec.name, "psync" | "sync"));
        let now = self.core.moment.now;
        let session = self.core.session(index);
        if is_asking || !session.replica.as_ref().is_some_and(|replica| replica.is_bound()) {
            return;
        }
        // Which subcommand it was is known only since then.
        let command = spec.filter(|spec| !spec.is_container()).or(session.last_command);
        let name = command.map_or("<unknown>", |spec| spec.name);
        let client = client_line(session, now);
        let reply = &self.reply.bytes[before..];
        if let Some(error) = reply.strip_prefix(b"-") {
            self.core.tell_of_divergence("master", "replica", error, name);
        }
        log::warning(&format!(
            "Replica generated a reply to command '{name}', disconnecting it: {client}"
        ));
        self.reply.bytes.truncate(before);
        self.core.ask_close(index, true);
    }

    /// Tells a client that caches what it has changed itself, and forgets its CLIENT CACHING once that was for a command.
    #[cold]
    fn after_tracked(&mut self, index: SessionIndex, spec: Option<&'static CommandSpec>) {
        if self.core.tracking.has_own() {
            self.core.tell_own(index);
        }
        let session = self.core.session(index);
        let is_over = !session.is_queueing() && spec.is_none_or(|spec| spec.name != "client");
        if let Some(tracker) = &mut session.tracking {
            tracker.caching &= !is_over;
        }
    }

    fn switch(&mut self, to: SessionIndex) {
        let from = self.current;
        self.finish();
        if self.core.weighs_clients()
            && let Some(from) = from
        {
            // Whoever asks next must not see a client that its last reply has made too heavy.
            self.core.weigh(from);
            self.core.evict_clients();
        }
        let now = self.core.moment.now;
        self.core.note_what_is_gone(to);
        let session = self.core.session(to);
        self.reply = std::mem::take(&mut session.reply);
        self.reply.protocol = session.protocol;
        session.last_interaction = now;
        if self.reply.bytes.capacity() == 0 {
            self.reply.bytes = self.pool.take();
        }
        self.current = Some(to);
        self.way = Way::Unknown;
    }

    /// Gives the reply in hand back to its session. Must follow the last request of a tick.
    pub fn finish(&mut self) {
        let Some(index) = self.current.take() else { return };
        if !self.core.is_replaying {
            self.core.moment.expired_by = self.core.moment.now;
        }
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
        if self.core.handlers.get(spec).is_none() {
            // Not built; or a container without its subcommand, which resolving tells from that.
            let words = Args::new(input, spans, bigs).to_vec();
            let unresolved = errors::resolve(&words).err().unwrap_or(Unresolved::UnknownCommand);
            return self.reject_unresolved(unresolved, &words);
        }
        self.core.session(session).last_command = Some(spec);
        if !spec.accepts(argc) {
            return self.reject(Some(spec), errors::wrong_arity(spec.name));
        }
        // What a script declares stands in the place of what holds for all.
        let spec = match spec.flags.contains(Flag::SkipMonitor) {
            true => self.core.declared(spec, Args::new(input, spans, bigs)),
            false => spec,
        };
        if let Some(text) = self.identity_refusal(session, spec) {
            return self.reject(Some(spec), text);
        }
        let place = match self.core.session(session).is_queueing() {
            true => Place::Transaction,
            false => Place::TopLevel,
        };
        let args = Args::new(input, spans, bigs);
        if let Some((_, text)) = self.core.denied(session, spec, args, place) {
            return self.reject(Some(spec), [b"NOPERM ", &*text].concat());
        }
        if let Some(text) = self.refusal(session, spec) {
            return self.reject(Some(spec), text);
        }
        if self.core.scripts.is_running() && !spec.flags.contains(Flag::AllowBusy) {
            let Some(text) = self.core.busy_text(session) else {
                self.core.session(session).blocked = Some(Blocked::Paused);
                return Verdict::Held;
            };
            return self.reject(Some(spec), text);
        }
        if self.is_held_back(session, spec, Args::new(input, spans, bigs)) {
            self.core.session(session).blocked = Some(Blocked::Paused);
            return Verdict::Held;
        }
        let current = self.core.session(session);
        if current.transaction.is_some() && current.is_queueing() && !is_run_at_once(spec) {
            return self.queue(session, spec, input, spans, bigs);
        }
        // What is to be recorded or shown must still be among the arguments when the command has run.
        let big = match self.core.propagation.is_on || !self.core.monitors.is_empty() {
            true => None,
            false => take_big_value(spec, spans, bigs),
        };
        let call = Call {
            session,
            spec,
            args: Args::new(input, spans, bigs),
            hashes,
            big,
            started,
        };
        self.last = self.core.call(call, &mut self.reply);
        Verdict::Done
    }

    /// Keeps a command for EXEC.
    fn queue(
        &mut self,
        session: SessionIndex,
        spec: &'static CommandSpec,
        input: &[u8],
        spans: &[Span],
        bigs: &mut Vec<Vec<u8>>,
    ) -> Verdict {
        let request = OwnedRequest::take(spec, input, spans, bigs);
        if let Some(transaction) = &mut self.core.session(session).transaction {
            transaction.queue(request);
        }
        self.reply.simple("QUEUED");
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
        if let Some(index) = self.current {
            self.core.session(index).last_command = spec;
        }
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
        let aborted = self.abort_transaction(spec, text);
        let text = aborted.as_deref().unwrap_or(text);
        self.core.refuse(self.current, spec, text, &mut self.reply);
        self.last = Stopwatch::read();
        Verdict::Done
    }

    /// A refused command spoils the transaction it was to be queued in. EXEC itself, wherever it is refused, ends what
    /// there is to end, watched keys as well, and its error is another; but who is to go elsewhere is told just that.
    fn abort_transaction(&mut self, spec: Option<&'static CommandSpec>, text: &[u8]) -> Option<Vec<u8>> {
        let index = self.current?;
        if spec.is_none_or(|spec| spec.name != "exec") {
            self.core.refuse_transaction(index);
            return None;
        }
        self.core.end_transaction(index);
        if text.starts_with(b"REDIRECT ") {
            return None;
        }
        let text = text.strip_prefix(b"ERR ").unwrap_or(text);
        Some([b"EXECABORT Transaction discarded because of: ", text].concat())
    }

    /// Why nobody who stands where this session does may run this command, whatever its user may do.
    #[inline]
    fn identity_refusal(&mut self, index: SessionIndex, spec: &'static CommandSpec) -> Option<&'static str> {
        if spec.flags.contains(Flag::Admin)
            && let Some(text) = self.protected(index, spec)
        {
            return Some(text);
        }
        if self.core.must_authenticate(index) && !spec.flags.contains(Flag::NoAuth) {
            return Some("NOAUTH Authentication required.");
        }
        if spec.flags.contains(Flag::NoMulti) && self.core.session(index).is_queueing() {
            return Some("ERR Command not allowed inside a transaction");
        }
        None
    }

    /// Why this session may not run this command now.
    #[inline]
    fn refusal(&mut self, index: SessionIndex, spec: &'static CommandSpec) -> Option<String> {
        // What the primary has done is no question here.
        if self.core.is_hampered && self.core.replication.is_primary(index) {
            return None;
        }
        let session = self.core.session(index);
        let restricted = session.subscriptions.is_some() && session.is_subscriber();
        if restricted && session.protocol == crate::resp::reply::Protocol::Resp2 && !allowed_in_subscriber_mode(spec) {
            return Some(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                spec.name
            ));
        }
        let is_replica = session.replica.as_ref().is_some_and(|replica| replica.is_bound());
        if (session.monitor || is_replica) && (may_write(spec) || spec.flags.contains(Flag::ReadOnly)) {
            return Some("ERR Replica can't interact with the keyspace".into());
        }
        if self.core.settings.maxmemory > 0 && !self.core.is_replaying && !self.core.leaves_eviction() {
            let enough = !self.core.may_evict() || self.make_room(index);
            self.core.is_out_of_room = !enough;
            if !enough
                && self
                    .core
                    .runs_any(index, spec, |spec| spec.flags.contains(Flag::DenyOom))
            {
                return Some(super::failure::OUT_OF_MEMORY.into());
            }
        }
        if self.core.is_hampered {
            return self.refusal_for_disk(index, spec);
        }
        None
    }

    /// Why a command may not run while data is loaded, or cannot be saved.
    #[cold]
    fn refusal_for_disk(&mut self, index: SessionIndex, spec: &'static CommandSpec) -> Option<String> {
        if self.core.is_replaying {
            return None;
        }
        if let Some(text) = self.core.redirection(index, spec) {
            return Some(text);
        }
        let writes = |spec: &CommandSpec| spec.flags.contains(Flag::Write);
        if let Some(text) = self.core.disk_refusal()
            && (spec.name == "ping" || self.core.runs_any(index, spec, writes))
        {
            return Some(text);
        }
        if let Some(text) = self.core.refusal_for_role(index, spec) {
            return Some(text.to_owned());
        }
        let waits = |spec: &CommandSpec| !spec.flags.contains(Flag::Loading);
        let waits_aside = |spec: &CommandSpec| spec.flags.contains(Flag::NoAsyncLoading);
        let is_loading = match self.core.is_loading() {
            true => self.core.runs_any(index, spec, waits),
            false => self.core.is_loading_aside() && self.core.runs_any(index, spec, waits_aside),
        };
        is_loading.then(|| LOADING.to_owned())
    }

    /// Makes room under `maxmemory`. What that tells the client itself stands before the reply to its command, and does
    /// not belong to it.
    #[inline]
    fn make_room(&mut self, index: SessionIndex) -> bool {
        let pushes = self.core.pushes;
        let enough = self.core.make_room();
        if self.core.pushes > pushes {
            self.core.take_pushed(index, &mut self.reply);
            self.reply_start = self.reply.bytes.len();
        }
        enough
    }

    /// Why a command that the configuration must allow first is not allowed to this client.
    #[cold]
    fn protected(&mut self, session: SessionIndex, spec: &'static CommandSpec) -> Option<&'static str> {
        let settings = &self.core.settings;
        let (permission, text) = match spec.name {
            "debug" => (settings.enable_debug_command, DEBUG_NOT_ALLOWED),
            "module|load" | "module|loadex" | "module|unload" => (settings.enable_module_command, MODULE_NOT_ALLOWED),
            _ => return None,
        };
        let is_local = self.core.session(session).is_local();
        (!permission.allows(is_local)).then_some(text)
    }

    /// Whether this command may run, but not yet. Nobody would try one of a log again, and it was made long ago.
    #[inline]
    fn is_held_back(&mut self, session: SessionIndex, spec: &'static CommandSpec, args: Args<'_>) -> bool {
        let must_wait = self.must_wait(session, spec)
            || !self.core.migrations.is_idle() && self.core.is_migrating(session, spec, args)
            || self.core.is_hampered && self.core.loading.is_some() && self.core.replication.is_primary(session);
        must_wait && !self.core.is_replaying
    }

    /// Whether CLIENT PAUSE holds this command back.
    #[inline]
    fn must_wait(&mut self, session: SessionIndex, spec: &'static CommandSpec) -> bool {
        let Some(pause) = self.core.pause else { return false };
        if pause.until <= self.core.monotonic {
            self.core.unpause();
            return false;
        }
        pause.all || self.core.runs_any(session, spec, may_write)
    }
}

/// Whether a pause of writes holds the command back: also those that are no writes by name but reach replicas, and scripts
/// that have not declared that they write nothing.
fn may_write(spec: &CommandSpec) -> bool {
    let is_silent = || matches!(spec.name, "publish" | "spublish" | "pfcount");
    let is_script = || matches!(spec.name, "eval" | "evalsha" | "fcall") && !table::declared::is_declared(spec);
    spec.flags.contains(Flag::Write) || is_silent() || is_script()
}

impl Core {
    /// Answers a command that is not run with an error, and counts it so.
    pub(super) fn refuse(
        &mut self,
        index: Option<SessionIndex>,
        spec: Option<&'static CommandSpec>,
        text: &[u8],
        reply: &mut Reply,
    ) {
        reply.error(text);
        self.count_error(spec, error_code(text), true);
        if let Some(index) = index {
            self.note_error(index, spec, text);
        }
    }

    /// Why nothing may be written while the disk does not take it.
    pub(super) fn disk_refusal(&self) -> Option<String> {
        match self.append_only.error() {
            _ if self.refuses_writes() => Some(CANNOT_SAVE.to_owned()),
            Some(error) => Some(format!("MISCONF Errors writing to the AOF file: {error}")),
            None => None,
        }
    }
}

/// What a client says about its transaction, or to be rid of it, is not queued.
fn is_run_at_once(spec: &CommandSpec) -> bool {
    matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
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

/// The value of a SET that arrived in a buffer of its own, for the keyspace to keep instead of a copy. As much of it stays
/// behind as a log may want to show.
fn take_big_value(spec: &CommandSpec, spans: &[Span], bigs: &mut [Vec<u8>]) -> Option<Vec<u8>> {
    if bigs.len() != 1 || spec.name != "set" || spans.get(2).is_none_or(|span| !span.is_big()) {
        return None;
    }
    let shown = bigs[0].len().min(MAX_ARGUMENT);
    let beginning = bigs[0][..shown].to_vec();
    Some(std::mem::replace(&mut bigs[0], beginning))
}

pub const LOADING: &str = "LOADING Redis is loading the dataset in memory";

pub(super) const CANNOT_SAVE: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

const DEBUG_NOT_ALLOWED: &str = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";

const MODULE_NOT_ALLOWED: &str = "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";

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
