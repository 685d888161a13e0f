//! Scripts that run: what they may do, and what others may meanwhile.
//!
//! A script is driven like a client of its own. It *asks* for a command ([`crate::scripting`] says how it waits for the
//! answer), the command passes the checks for scripts and runs like any other, on a session of the script's. What comes of
//! it belongs to the client that has called the script: keys that are read are tracked for it, its own changes are its own.
//! All commands together are one unit of what is recorded.
//!
//! A script that has not ended after a slice of time becomes *the* running script: the server goes on with its loop, and
//! each tick gives the script another slice. It still has the data to itself. Other clients' commands are held back, and
//! after `busy-reply-threshold` answered with BUSY, but for the few that are allowed then; no key expires or is evicted, no
//! snapshot starts, the primary's stream waits, and the script's clock stands still. If the script was called by a
//! transaction, the rest of that runs when the script has ended.
//!
//! Invariant: while a script runs, between ticks, its unit is set aside, so that what else is recorded stands alone.

use std::collections::HashMap;
use std::rc::Rc;

use sha1::{Digest as _, Sha1};

use super::context::Context;
use super::core::{Core, error_code};
use super::failure::Failure;
use super::owned::OwnedRequest;
use super::propagation::{Audience, Unit};
use super::session::{Blocked, ClientId, ReplyMode, Session, SessionIndex};
use super::stopwatch::{Stopwatch, Ticks};
use super::{call::Call, failure};
use crate::acl::log::Place;
use crate::commands::table::flags::Flag;
use crate::commands::table::{self, CommandSpec, errors, errors::Unresolved};
use crate::commands::transactions::Queue;
use crate::keyspace::database::Moment;
use crate::log;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::Args;
use crate::scripting::engine::{Answer, Engine, Event, FunctionId, Invocation, Style};
use crate::scripting::shebang::{self, Flags};
use crate::scripting::{Kind, REPL_AOF, REPL_REPLICA, hex};
use crate::timer::Millis;

/// A digest of a script.
pub type Digest = [u8; 20];

/// A script that was loaded.
pub struct Script {
    pub function: FunctionId,
    pub flags: Flags,
    /// Its digest in digits.
    pub name: Rc<str>,
    pub source: Box<[u8]>,
}

/// Scripts and the engines they run on.
#[derive(Default)]
pub struct Scripts {
    /// One for scripts and one for functions, which share nothing. Made when they are first needed.
    engines: [Option<Box<Engine>>; 2],
    cache: HashMap<Digest, Script>,
    cached_bytes: usize,
    /// The script that has not ended in its slice.
    running: Option<Box<Run>>,
    /// Whose commands run: the script's own session, and the client that called it, if that is there still.
    acting: Option<(SessionIndex, Option<SessionIndex>)>,
    /// Whether the error that the last script has ended with was counted when it happened.
    pub(super) is_error_counted: bool,
    /// What `lua-enable-deprecated-api` said at the start.
    pub(super) has_deprecated: bool,
    /// DEBUG SET-DISABLE-DENY-SCRIPTS 1 lets scripts call any command.
    pub denies_nothing: bool,
    /// The system's time for the script that runs, once it has asked or been stopped.
    micros: Option<i64>,
    /// What the last script ran as, for the next.
    spare: Option<Box<Session>>,
}

/// How a script is to be run.
pub struct Start<'a> {
    pub kind: Kind,
    pub function: FunctionId,
    /// What errors call it.
    pub name: &'a str,
    pub flags: Flags,
    /// Called by a command that lets nothing be changed.
    pub is_read_only: bool,
    pub keys: Args<'a>,
    pub args: Args<'a>,
}

/// A script that runs.
pub struct Run {
    kind: Kind,
    name: Box<str>,
    is_read_only: bool,
    allows_oom: bool,
    /// Sent by the primary, or by a log: nothing may be refused.
    is_obeyed: bool,
    /// Memory was short when it began.
    is_short_of_room: bool,
    has_written: bool,
    is_killed: bool,
    /// It stands in a log that is being played, and goes on when that does.
    is_replayed: bool,
    /// Who called it, and as what it is counted.
    caller: Option<(SessionIndex, ClientId)>,
    /// As whom its commands run. `None` while they do.
    session: Option<Box<Session>>,
    /// What it takes the time for.
    moment: Moment,
    micros: Option<i64>,
    /// When it began on the monotonic clock.
    begun: Millis,
    /// Others are answered that the server is busy.
    is_slow: bool,
    /// Set once it has not ended in its slice.
    rest: Option<Rest>,
}

/// What is left to do when a script that has been running for ticks ends.
struct Rest {
    request: OwnedRequest,
    started: Ticks,
    is_silent: bool,
    unit: Unit,
    /// What EXEC has yet to run.
    queue: Option<Queue>,
}

impl Scripts {
    pub fn new(has_deprecated: bool) -> Self {
        Scripts {
            has_deprecated,
            ..Scripts::default()
        }
    }

    /// Whether a script has not ended in its slice.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The script or function that runs for ticks, and since when on the monotonic clock.
    pub fn running(&self) -> Option<&Run> {
        self.running.as_deref()
    }

    /// Scripts in the cache.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    pub fn find(&self, digest: &Digest) -> Option<&Script> {
        self.cache.get(digest)
    }

    /// Bytes that the interpreter of scripts, or of functions, uses.
    pub fn vm_memory(&self, kind: Kind) -> usize {
        self.engines[kind as usize].as_ref().map_or(0, |engine| engine.memory())
    }

    pub fn vm_total(&self) -> usize {
        self.vm_memory(Kind::Scripts) + self.vm_memory(Kind::Functions)
    }

    /// Bytes that the cache of scripts takes beside the interpreter.
    pub fn cache_memory(&self) -> usize {
        self.cache.capacity() * size_of::<(Digest, Script)>() + self.cached_bytes
    }

    /// The engine of that kind. Not to be asked for while a script runs.
    ///
    /// # Errors
    /// If there is no memory for one.
    pub fn engine(&mut self, kind: Kind) -> Result<&mut Engine, Failure> {
        let place = &mut self.engines[kind as usize];
        if place.is_none() {
            let engine =
                Engine::new(kind, self.has_deprecated).map_err(|error| Failure::from(format!("ERR {error}")))?;
            *place = Some(Box::new(engine));
        }
        place.as_deref_mut().ok_or_else(|| "ERR no engine".into())
    }

    /// Puts another engine in the place of the one for functions, none of which may be running.
    pub(super) fn set_functions_engine(&mut self, engine: Engine) {
        self.engines[Kind::Functions as usize] = Some(Box::new(engine));
    }

    /// Forgets an engine and all it has.
    pub fn reset(&mut self, kind: Kind) {
        self.engines[kind as usize] = None;
        if kind == Kind::Scripts {
            self.cache = HashMap::new();
            self.cached_bytes = 0;
        }
    }

    /// Puts a script into the cache, unless it is there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(&mut self, source: &[u8]) -> Result<Digest, Failure> {
        let digest: Digest = Sha1::digest(source).into();
        if self.cache.contains_key(&digest) {
            return Ok(digest);
        }
        let (flags, begin) = shebang::read(source).map_err(|error| Failure::from(format!("ERR {error}")))?;
        let compiled = self.engine(Kind::Scripts)?.compile(&source[begin..], "@user_script");
        let function =
            compiled.map_err(|error| Failure::from(format!("ERR Error compiling script (new function): {error}")))?;
        self.cached_bytes += source.len();
        let script = Script {
            function,
            flags,
            name: hex(&digest).into(),
            source: source.into(),
        };
        self.cache.insert(digest, script);
        Ok(digest)
    }

    /// The system's time, in microseconds. It stands still for scripts.
    pub fn unix_micros(&mut self) -> i64 {
        match self.acting {
            Some(_) => *self.micros.get_or_insert_with(super::os::unix_micros),
            None => super::os::unix_micros(),
        }
    }

    /// Whether `index` is a script's own session.
    pub fn is_script(&self, index: SessionIndex) -> bool {
        self.acting.is_some_and(|(script, _)| script == index)
    }

    /// Who a command belongs to that runs as `index`: to who has called the script, if it is one that runs it.
    pub(super) fn acting(&self, index: SessionIndex) -> SessionIndex {
        match self.acting {
            Some((script, Some(caller))) if script == index => caller,
            _ => index,
        }
    }
}

impl Run {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it stands in a log that is being played.
    pub(super) fn is_replayed(&self) -> bool {
        self.is_replayed
    }

    pub fn begun(&self) -> Millis {
        self.begun
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The command line it was called with.
    pub fn command(&self) -> Vec<&[u8]> {
        self.rest
            .as_ref()
            .map_or(Vec::new(), |rest| rest.request.args().to_vec())
    }
}

/// The digest that a client has written down.
pub fn parse_digest(text: &[u8]) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 40 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let digits = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(digest)
}

/// Calls a script or function for a client, and writes its reply. If it has not ended in its slice, the client is blocked.
///
/// # Errors
/// Why it may not run.
pub fn run(ctx: &mut Context<'_>, start: &Start<'_>) -> Result<(), Failure> {
    if !ctx.core.monitors.is_empty() {
        ctx.core
            .show_script_to_monitors(ctx.session, ctx.database, ctx.spec, ctx.args);
    }
    ctx.core.check_start(ctx.session, start)?;
    let mut run = ctx.core.new_run(ctx.session, start);
    let protocol = ctx.reply.protocol;
    let invocation = Invocation {
        function: start.function,
        style: match start.kind {
            Kind::Scripts => Style::Script,
            Kind::Functions => Style::Function,
        },
        name: start.name,
        protocol,
        keys: start.keys,
        args: start.args,
    };
    let begun = ctx.core.scripts.engine(start.kind)?.begin(&invocation);
    begun.map_err(|error| Failure::from(format!("ERR {error}")))?;
    if ctx.core.drive(&mut run, Answer::GoOn) {
        ctx.core.take_script_reply(run.kind, ctx.reply);
        return Ok(());
    }
    let is_silent = ctx.session().reply_mode != ReplyMode::On;
    run.rest = Some(Rest {
        request: OwnedRequest::copy(ctx.spec, ctx.args.iter()),
        started: Stopwatch::read(),
        is_silent,
        unit: Unit::default(),
        queue: None,
    });
    if !ctx.core.is_replaying {
        ctx.session().blocked = Some(Blocked::Running);
    }
    ctx.core.scripts.running = Some(Box::new(run));
    Ok(())
}

impl Core {
    /// Why a script may not begin. What declares nothing is checked command by command.
    fn check_start(&mut self, index: SessionIndex, start: &Start<'_>) -> Result<(), Failure> {
        let is_obeyed = self.is_obeyed(index);
        let is_stale = self.is_stale();
        if start.flags.is_undeclared {
            return match is_stale {
                true => Err(super::replication::roles::STALE.into()),
                false => Ok(()),
            };
        }
        if is_stale && !start.flags.allow_stale {
            return Err(STALE.into());
        }
        if !start.flags.no_writes {
            if !is_obeyed && self.is_read_only_replica() {
                return Err("READONLY Can not run script with write flag on readonly replica".into());
            }
            if !is_obeyed && let Some(text) = self.disk_refusal() {
                let end = "Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
                return Err(match text.starts_with(super::dispatch::CANNOT_SAVE) {
                    true => format!("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. {end}").into(),
                    false => {
                        let error = text.rsplit(": ").next().unwrap_or_default();
                        format!("MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. {end} AOF error: {error}").into()
                    }
                });
            }
            if start.is_read_only {
                return Err("ERR Can not execute a script with write flag using *_ro command.".into());
            }
            if let Some(text) = self.lacks_replicas() {
                return Err(text.into());
            }
        }
        let may_grow = !start.flags.no_writes && !start.flags.allow_oom;
        if may_grow && self.is_out_of_room && self.settings.maxmemory > 0 && !is_obeyed {
            return Err(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'".into(),
            );
        }
        Ok(())
    }

    fn new_run(&mut self, index: SessionIndex, start: &Start<'_>) -> Run {
        let is_obeyed = self.is_obeyed(index);
        let (moment, begun, is_replaying) = (self.moment, self.monotonic, self.is_replaying);
        let is_short_of_room = self.is_out_of_room && self.settings.maxmemory > 0;
        let spare = self.scripts.spare.take();
        let session = self.session(index);
        let user = session.user.clone();
        let mut own = spare.unwrap_or_else(|| {
            let mut own = Box::new(Session::new(session.id, SessionIndex(0), moment.now));
            own.addresses = "lua lua".into();
            own.authenticated = true;
            own
        });
        own.id = session.id;
        own.database = session.database;
        own.no_touch = session.no_touch;
        own.user = user;
        let caller = (!is_replaying).then_some((index, session.id));
        Run {
            kind: start.kind,
            name: start.name.into(),
            is_read_only: start.is_read_only || !start.flags.is_undeclared && start.flags.no_writes,
            allows_oom: !start.flags.is_undeclared && start.flags.allow_oom,
            is_obeyed,
            is_short_of_room,
            has_written: false,
            is_killed: false,
            is_replayed: is_replaying,
            caller,
            session: Some(own),
            moment,
            micros: None,
            begun,
            is_slow: false,
            rest: None,
        }
    }

    /// Lets a script run until it has ended, or its slice has. True if it has ended.
    fn drive(&mut self, run: &mut Run, mut answer: Answer) -> bool {
        let kind = run.kind as usize;
        let (Some(mut engine), Some(session)) = (self.scripts.engines[kind].take(), run.session.take()) else {
            return true;
        };
        let script = self.seat(session);
        let caller = run.caller.and_then(|caller| self.still_there(caller));
        self.scripts.acting = Some((script, caller));
        self.scripts.micros = run.micros;
        let moment = std::mem::replace(&mut self.moment, run.moment);
        let in_transaction = std::mem::replace(&mut self.in_transaction, true);
        let whose = self.caller.replace(caller.unwrap_or(script));
        let may_pause = !self.is_replaying || !in_transaction;
        let has_ended = loop {
            answer = match engine.resume(answer) {
                Event::Done => break true,
                Event::Call => {
                    let repl = engine.repl();
                    engine.serve(|words, reply| self.call_for_script(run, script, words, reply, repl));
                    Answer::Replied
                }
                Event::AccessCheck => {
                    engine.serve(|words, reply| self.check_for_script(script, words, reply));
                    Answer::Replied
                }
                Event::SliceOver if may_pause => break false,
                Event::SliceOver => Answer::GoOn,
            };
        };
        self.caller = whose;
        self.in_transaction = in_transaction;
        self.moment = moment;
        run.micros = self.scripts.micros.take();
        self.scripts.acting = None;
        run.session = self.unseat();
        if has_ended {
            self.scripts.spare = run.session.take().filter(|_| !self.scripts.denies_nothing);
        } else {
            run.micros = run.micros.or_else(|| Some(super::os::unix_micros()));
        }
        self.scripts.engines[kind] = Some(engine);
        has_ended
    }

    pub(super) fn still_there(&mut self, (index, id): (SessionIndex, ClientId)) -> Option<SessionIndex> {
        let session = self.find_session(index)?;
        (session.id == id).then_some(index)
    }

    /// Runs a command that a script has asked for, or says why it may not.
    fn call_for_script(&mut self, run: &mut Run, script: SessionIndex, words: Args<'_>, reply: &mut Reply, repl: u8) {
        let spec = match self.resolve_for_script(words) {
            Ok(spec) => spec,
            Err((spec, text)) => return self.refuse_script(spec, text, reply),
        };
        if let Some(text) = self.refusal_of_script(run, spec) {
            return self.refuse_script(Some(spec), text, reply);
        }
        if let Some((_, text)) = self.denied(script, spec, words, Place::Script) {
            let text = [b"ERR ACL failure in script: ", &*text].concat();
            return self.refuse_script(Some(spec), text, reply);
        }
        run.has_written |= spec.flags.contains(Flag::Write);
        self.session(script).protocol = reply.protocol;
        self.propagation.audience = match (repl & REPL_AOF > 0, repl & REPL_REPLICA > 0) {
            (true, true) => Audience::All,
            (true, false) => Audience::Log,
            (false, true) => Audience::Replicas,
            (false, false) => Audience::Nobody,
        };
        let call = Call {
            session: script,
            spec,
            args: words,
            hashes: &[],
            big: None,
            started: Stopwatch::read(),
        };
        self.call(call, reply);
        self.propagation.audience = Audience::All;
    }

    /// Answers whether the script's user may run a command; with an error if there is none of the name.
    fn check_for_script(&mut self, script: SessionIndex, words: Args<'_>, reply: &mut Reply) {
        let words = words.to_vec();
        let (Ok(spec) | Err(Unresolved::WrongArity(spec))) = errors::resolve(&words) else {
            return reply.error("ERR Unknown command");
        };
        let user = self.session(script).user.clone();
        let is_allowed = user.is_none_or(|user| self.acl.check(user.id, spec, &words).is_ok());
        reply.int(i64::from(is_allowed));
    }

    /// The command that the words name, or what is wrong with them.
    #[allow(clippy::type_complexity)] // the command, if it is known, and the text
    fn resolve_for_script(
        &self,
        words: Args<'_>,
    ) -> Result<&'static CommandSpec, (Option<&'static CommandSpec>, &'static str)> {
        let found = table::lookup(words.at(0)).filter(|spec| !spec.is_container());
        let resolved = match found {
            Some(spec) if spec.accepts(words.len()) && table::is_visible(spec) => Ok(spec),
            _ => errors::resolve(&words.to_vec()),
        };
        match resolved {
            Ok(spec) if self.handlers.get(spec).is_some() => Ok(spec),
            Err(Unresolved::WrongArity(spec)) => {
                Err((Some(spec), "ERR Wrong number of args calling Redis command from script"))
            }
            _ => Err((None, "ERR Unknown Redis command called from script")),
        }
    }

    fn refuse_script(&mut self, spec: Option<&'static CommandSpec>, text: impl AsRef<[u8]>, reply: &mut Reply) {
        let text = text.as_ref();
        reply.error(text);
        if !self.is_replaying {
            self.count_error(spec, error_code(text), true);
        }
    }

    /// Why a script may not run this command now.
    fn refusal_of_script(&mut self, run: &Run, spec: &'static CommandSpec) -> Option<String> {
        if spec.flags.contains(Flag::NoScript) && !self.scripts.denies_nothing {
            return Some("ERR This Redis command is not allowed from script".into());
        }
        if self.is_hampered && self.is_stale() && !spec.flags.contains(Flag::Stale) {
            return Some("ERR Can not execute the command on a stale replica".into());
        }
        let writes = spec.flags.contains(Flag::Write);
        let is_told = matches!(spec.name, "publish" | "spublish" | "pfcount");
        if run.is_read_only && (writes || is_told) {
            return Some("ERR Write commands are not allowed from read-only scripts.".into());
        }
        // What has begun to change the data cannot be stopped halfway.
        if writes && !run.has_written && !run.is_obeyed && self.is_hampered {
            if self.is_read_only_replica() {
                return Some(super::replication::roles::READ_ONLY.into());
            }
            if let Some(text) = self.disk_refusal() {
                return Some(text);
            }
            if let Some(text) = self.lacks_replicas() {
                return Some(text.into());
            }
        }
        let may_not_grow = run.is_short_of_room && !run.allows_oom && !run.is_obeyed && !run.has_written;
        (may_not_grow && spec.flags.contains(Flag::DenyOom)).then(|| failure::OUT_OF_MEMORY.into())
    }

    /// Whether what a client asks for must be done whatever the state of this server.
    pub fn is_obeyed(&mut self, index: SessionIndex) -> bool {
        self.is_replaying || self.replication.is_primary(index)
    }

    /// Moves a script's reply behind what is in `reply`.
    fn take_script_reply(&mut self, kind: Kind, reply: &mut Reply) {
        if let Some(engine) = &mut self.scripts.engines[kind as usize] {
            self.scripts.is_error_counted = engine.is_error_counted();
            let mut written = engine.reply_mut();
            if reply.bytes.is_empty() && written.bytes.len() > 4096 {
                std::mem::swap(&mut reply.bytes, &mut written.bytes);
            } else {
                reply.bytes.extend_from_slice(&written.bytes);
            }
            written.bytes.clear();
        }
    }

    /// Gives the running script its slice of the tick. True while it has not ended.
    pub fn go_on_with_script(&mut self) -> bool {
        let is_replaying = self.is_replaying;
        let is_due = |run: &mut Box<Run>| run.is_replayed == is_replaying;
        let Some(mut run) = self.scripts.running.take_if(is_due) else {
            return false;
        };
        if !run.is_slow && self.is_script_slow(&run) {
            run.is_slow = true;
            self.scripts.running = Some(run);
            // They are answered now.
            self.let_held_go();
            return true;
        }
        self.restore_unit(&mut run);
        let answer = match run.is_killed {
            true => Answer::Killed,
            false => Answer::GoOn,
        };
        if !self.drive(&mut run, answer) {
            self.set_unit_aside(&mut run);
            self.scripts.running = Some(run);
            return true;
        }
        self.end_running_script(*run);
        self.scripts.is_running()
    }

    fn is_script_slow(&self, run: &Run) -> bool {
        let elapsed = self.monotonic.since(run.begun);
        let limit = self.settings.busy_reply_threshold;
        if limit <= 0 || elapsed < limit {
            return false;
        }
        let kill = match run.kind {
            Kind::Scripts => "SCRIPT KILL",
            Kind::Functions => "FUNCTION KILL",
        };
        log::warning(&format!(
            "Slow script detected: still in execution after {elapsed} milliseconds. You can try killing the script using \
             the {kill} command. Script name is: {}.",
            run.name
        ));
        true
    }

    fn restore_unit(&mut self, run: &mut Run) {
        if let Some(rest) = &mut run.rest {
            self.propagation.restore(std::mem::take(&mut rest.unit));
        }
    }

    fn set_unit_aside(&mut self, run: &mut Run) {
        if let Some(rest) = &mut run.rest {
            rest.unit = self.propagation.set_aside();
        }
    }

    /// To be called where the outermost command returns whose script has not ended.
    pub(super) fn set_running_unit_aside(&mut self) {
        if let Some(mut run) = self.scripts.running.take() {
            self.set_unit_aside(&mut run);
            self.scripts.running = Some(run);
        }
    }

    /// Keeps what EXEC has yet to run until the script that it has begun ends.
    pub fn postpone(&mut self, queue: Queue) {
        if let Some(rest) = self.scripts.running.as_mut().and_then(|run| run.rest.as_mut()) {
            rest.queue = Some(queue);
        }
    }

    /// Does what is left to do after a script that has been running for ticks: its reply, its figures, the rest of the
    /// transaction, its records. Then everybody else may go on.
    fn end_running_script(&mut self, run: Run) {
        let Some(rest) = run.rest else { return };
        let caller = run.caller.and_then(|caller| self.still_there(caller));
        let Rest {
            request,
            started,
            is_silent,
            queue,
            ..
        } = rest;
        let mut reply = Reply::new(Protocol::Resp2);
        let Some(index) = caller else {
            self.take_script_reply(run.kind, &mut reply);
            self.propagation.end_unit();
            self.let_all_go_on();
            return;
        };
        let session = self.session(index);
        session.blocked = None;
        let mut reply = std::mem::take(&mut session.reply);
        reply.protocol = session.protocol;
        let before = reply.bytes.len();
        let whose = self.caller.replace(index);
        let mut script_reply = Reply::new(reply.protocol);
        self.take_script_reply(run.kind, &mut script_reply);
        let start_of_reply = reply.bytes.len();
        reply.bytes.append(&mut script_reply.bytes);
        let spec = request.spec;
        self.account(index, spec, request.args(), Ok(()), &mut reply, start_of_reply, started);
        let mut last = spec;
        let mut told = Vec::new();
        if let Some(queue) = queue {
            let (exec, started) = queue.call();
            last = exec;
            match queue.go_on(self, index, &mut reply) {
                Ok(messages) => {
                    told = messages;
                    let end = reply.bytes.len();
                    let none = Args::new(&[], &[], &[]);
                    self.account(index, exec, none, Ok(()), &mut reply, end, started);
                }
                Err(queue) => {
                    // Another script has begun.
                    self.caller = whose;
                    self.session(index).reply = reply;
                    self.postpone(queue);
                    self.set_running_unit_aside();
                    self.session(index).blocked = Some(Blocked::Running);
                    self.keep_silence(index, is_silent, before);
                    self.mark_outgoing(index);
                    return;
                }
            }
        }
        self.caller = whose;
        if self.propagation.is_on {
            self.end_recording(last, index);
        }
        let session = self.session(index);
        reply.bytes.append(&mut session.reply.bytes);
        reply.bytes.extend_from_slice(&told);
        session.reply = reply;
        self.keep_silence(index, is_silent, before);
        if self.tracking.has_own() {
            self.tell_own(index);
        }
        self.go_on(index);
        self.let_all_go_on();
    }

    fn keep_silence(&mut self, index: SessionIndex, is_silent: bool, before: usize) {
        if is_silent {
            self.session(index).reply.bytes.truncate(before);
        }
    }

    /// Ends the time in which a script had the data to itself.
    fn let_all_go_on(&mut self) {
        self.let_held_go();
        if self.waiting.has_ready() {
            self.serve_waiting();
        }
    }

    /// What is said to a command that comes while a script runs; `None` if it is only to wait.
    pub(super) fn busy_text(&mut self, index: SessionIndex) -> Option<&'static str> {
        let run = self.scripts.running()?;
        let (is_slow, kind) = (run.is_slow, run.kind);
        if !is_slow || self.replication.is_primary(index) {
            return None;
        }
        Some(match kind {
            Kind::Scripts => BUSY_SCRIPT,
            Kind::Functions => BUSY_FUNCTION,
        })
    }

    /// What SHUTDOWN is told that would save what a script has half done.
    pub fn busy_text_of_shutdown(&self) -> Option<&'static str> {
        self.scripts.running().map(|run| match run.kind {
            Kind::Scripts => BUSY_SCRIPT,
            Kind::Functions => BUSY_FUNCTION,
        })
    }

    /// SCRIPT KILL and FUNCTION KILL.
    ///
    /// # Errors
    /// Why the script cannot be killed.
    pub fn kill_script(&mut self, kind: Kind) -> Result<(), Failure> {
        let Some(run) = &mut self.scripts.running else {
            return Err("NOTBUSY No scripts in execution right now.".into());
        };
        if run.is_obeyed {
            return Err("UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.".into());
        }
        if run.has_written {
            return Err("UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.".into());
        }
        if run.kind != kind {
            return Err(match run.kind {
                Kind::Scripts => BUSY_SCRIPT.into(),
                Kind::Functions => BUSY_FUNCTION.into(),
            });
        }
        run.is_killed = true;
        Ok(())
    }

    /// The facts of a command that runs a script, with what the script has declared in the place of what is true of all.
    pub(super) fn declared(&self, spec: &'static CommandSpec, args: Args<'_>) -> &'static CommandSpec {
        let flags = match spec.name {
            "eval" | "eval_ro" => {
                let source = args.at(1);
                if !source.starts_with(b"#!") {
                    return spec;
                }
                shebang::read(source).map(|(flags, _)| flags).ok()
            }
            "evalsha" | "evalsha_ro" => {
                let digest = parse_digest(args.at(1));
                digest
                    .and_then(|digest| self.scripts.find(&digest))
                    .map(|script| script.flags)
            }
            "fcall" | "fcall_ro" => {
                let function = self.libraries().and_then(|libraries| libraries.function(args.at(1)));
                function.map(|function| function.flags)
            }
            _ => None,
        };
        match flags {
            Some(flags) if !flags.is_undeclared => {
                let may_grow = !flags.no_writes && !flags.allow_oom;
                table::declared::of(spec, !flags.no_writes, may_grow, flags.allow_stale)
            }
            _ => spec,
        }
    }
}

impl Script {
    pub fn size(&self) -> usize {
        self.source.len()
    }
}

const BUSY_SCRIPT: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const STALE: &str = "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.";
