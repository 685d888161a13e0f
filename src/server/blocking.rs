//! Clients that wait for a key: BLPOP, BZPOPMIN, XREAD BLOCK and their like.
//!
//! A blocking command first tries to be served. If there is nothing for it, it asks to wait ([`Context::wait`]): its
//! arguments are copied, and its client stands in a queue for each of its keys. Whatever changes a key
//! ([`Core::touched`]) marks its queue as ready; after the command that did so, the core runs the waiting commands
//! again, in the order in which their clients began to wait. To a command, being woken and being called are the same
//! thing, so each is written once. A command that still finds nothing keeps its place. Before it is run again its client's
//! user is asked once more, as before any command.
//!
//! Waiting costs nothing: no polling, one wheel item for a deadline, none without. The wheel is hierarchical like that
//! of the keys and counts the monotonic clock, so setting the system's time neither wakes nor forgets anybody. Items
//! are turns, which are never used twice; one whose client no longer waits is a leftover and vanishes when visited, or
//! when the wheel is swept.
//!
//! Invariant: a client whose session is `Blocked::Waiting` stands in the queues of all its keys and in `turns`; any other
//! in none.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::call::Call;
use super::context::Context;
use super::core::{Core, Effect};
use super::failure::{Failure, Outcome};
use super::owned::OwnedRequest;
use super::session::{Blocked, ReplyMode, SessionIndex};
use super::stopwatch::Stopwatch;
use crate::acl;
use crate::commands::table::CommandSpec;
use crate::keyspace::{Key, Type};
use crate::resp::reply::Reply;
use crate::timer::{Millis, TimerWheel, Verdict};

/// Wheel items visited in one go, and swept in one go.
const TIMEOUT_SLICE: usize = 256;
/// Leftovers tolerated on the wheel beyond twice the clients that wait.
const LEFTOVERS_MIN: usize = 4096;

/// What a command waits for.
pub struct Wait {
    /// Woken when any of these gets a value of `for_type`. Without any it is woken when a write has become safe, or never
    /// if the end of the server is waited for.
    pub keys: Vec<Box<[u8]>>,
    pub for_type: Type,
    /// How long from now, in ms; `None`: for ever.
    pub timeout: Option<Millis>,
    /// Also woken when a key goes, or gets a value of another type.
    pub when_gone: bool,
    /// What a timeout answers.
    pub on_timeout: Nothing,
    /// What to run again instead of the original arguments.
    pub argv: Option<Vec<Vec<u8>>>,
}

impl Wait {
    /// Waits for any of `keys` to get a value of a type; a timeout answers a null array, as of most commands that block.
    pub fn for_value(keys: Vec<Box<[u8]>>, for_type: Type, timeout: Option<Millis>) -> Self {
        Wait {
            keys,
            for_type,
            timeout,
            when_gone: false,
            on_timeout: Nothing::NullArray,
            argv: None,
        }
    }

    /// Waits until whoever the command waits for runs it again.
    pub fn elsewhere() -> Self {
        Wait {
            on_timeout: Nothing::Elsewhere,
            ..Wait::for_value(Vec::new(), Type::String, None)
        }
    }
}

/// The forms of a reply that says there was nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    Null,
    NullArray,
    /// The number of replicas that have acknowledged (WAIT).
    Replicas,
    /// Whether the write is safe here, and on how many replicas (WAITAOF).
    SafePlaces,
    /// There is no timeout, and no key: the end of the server is waited for (SHUTDOWN).
    Never,
    /// Nor are there here: another server is waited for (MIGRATE), the end of a load (DEBUG LOADAOF), or the disk
    /// (BGREWRITEAOF).
    Elsewhere,
}

impl Nothing {
    pub fn write(self, reply: &mut Reply, safety: Safety) {
        match self {
            Nothing::Null => reply.null(),
            Nothing::NullArray => reply.null_array(),
            Nothing::Never | Nothing::Elsewhere => {}
            Nothing::Replicas => reply.len(safety.replicas),
            Nothing::SafePlaces => {
                reply.array(2);
                reply.int(i64::from(safety.is_local));
                reply.len(safety.synced_replicas);
            }
        }
    }
}

/// Where what a client wrote last is safe.
#[derive(Clone, Copy, Debug, Default)]
pub struct Safety {
    /// On this server's disk.
    pub is_local: bool,
    /// Replicas that have it, and replicas whose disks have.
    pub replicas: usize,
    pub synced_replicas: usize,
}

/// Why a client stops waiting without being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    Timeout,
    /// CLIENT UNBLOCK id ERROR.
    Error,
    /// The server has become a replica.
    RoleChange,
    /// The same, and the client goes to the primary.
    Redirected,
    /// The server goes on.
    ShutdownFailed,
}

/// A client's place among those that wait: lower turns are served first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

/// What a session keeps while its client waits.
pub struct Waiting {
    request: OwnedRequest,
    turn: Turn,
    database: usize,
    keys: Vec<Box<[u8]>>,
    for_type: Type,
    when_gone: bool,
    on_timeout: Nothing,
    /// On the monotonic clock: when it is past, not when it is reached, so that no client waits less than it asked for.
    deadline: Option<Millis>,
    /// The reply mode the command came under.
    silent: bool,
}

impl Waiting {
    /// The command that waits.
    pub(super) fn spec(&self) -> &'static CommandSpec {
        self.request.spec
    }
}

/// Those who wait for one key.
#[derive(Default)]
struct Queue {
    waiters: BTreeMap<Turn, SessionIndex>,
    /// How many of them also want to know when the key goes.
    when_gone: usize,
    /// Whether it stands in the list of keys to be looked at.
    ready: bool,
}

type Place = (usize, Box<[u8]>);

/// Whether a waiting command is being run again, and what it said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Retry {
    #[default]
    No,
    Trying,
    /// It found nothing again.
    WaitsOn,
}

/// All who wait.
#[derive(Default)]
pub struct WaitingRoom {
    /// By database and key.
    queues: Vec<HashMap<Box<[u8]>, Queue>>,
    turns: BTreeMap<Turn, (SessionIndex, Option<Millis>)>,
    /// Those who wait for no key but for a write to become safe.
    for_safety: BTreeMap<Turn, SessionIndex>,
    /// Those who wait for the server to end.
    for_shutdown: BTreeMap<Turn, SessionIndex>,
    last_turn: Turn,
    /// Keys that changed while somebody waited for them.
    ready: VecDeque<Place>,
    wheel: Option<Box<TimerWheel>>,
    retry: Retry,
}

impl WaitingRoom {
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether a waiting command is being run again.
    pub fn is_retrying(&self) -> bool {
        self.retry != Retry::No
    }

    /// Clients that wait (`blocked_clients`).
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Keys that somebody waits for (`total_blocking_keys`), and those of them whose going is awaited too
    /// (`total_blocking_keys_on_nokey`). O(keys).
    pub fn key_counts(&self) -> (usize, usize) {
        let queues = || self.queues.iter().flat_map(HashMap::values);
        (queues().count(), queues().filter(|queue| queue.when_gone > 0).count())
    }

    /// When some client's time is up, on the monotonic clock.
    pub fn next_due(&self) -> Option<Millis> {
        self.wheel.as_ref().and_then(|wheel| wheel.next_due())
    }

    /// Whether anybody waits with a timeout.
    pub fn has_deadlines(&self) -> bool {
        self.wheel.is_some()
    }

    /// Items on the wheel beyond the clients that wait.
    #[cfg(test)]
    pub fn leftovers(&self) -> usize {
        self.wheel
            .as_ref()
            .map_or(0, |wheel| wheel.items())
            .saturating_sub(self.turns.len())
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Notes that a key has changed. O(1).
    pub fn signal(&mut self, database: usize, key: &[u8]) {
        let Some(queue) = self.queues.get_mut(database).and_then(|queues| queues.get_mut(key)) else {
            return;
        };
        if !queue.ready {
            queue.ready = true;
            self.ready.push_back((database, key.into()));
        }
    }

    /// Notes that any key of a database may have changed. O(keys somebody waits for).
    pub fn signal_all(&mut self, database: usize) {
        let Some(queues) = self.queues.get_mut(database) else {
            return;
        };
        for (key, queue) in queues.iter_mut().filter(|(_, queue)| !queue.ready) {
            queue.ready = true;
            self.ready.push_back((database, key.clone()));
        }
    }

    /// Whether anybody waits for a write to become safe.
    pub fn is_safety_awaited(&self) -> bool {
        !self.for_safety.is_empty()
    }

    /// Those who wait for the server to end.
    pub fn for_shutdown(&self) -> Vec<SessionIndex> {
        self.for_shutdown.values().copied().collect()
    }

    fn enter(&mut self, index: SessionIndex, waiting: &Waiting, now: Millis) {
        match waiting.on_timeout {
            Nothing::Never => _ = self.for_shutdown.insert(waiting.turn, index),
            Nothing::Elsewhere => {}
            _ if waiting.keys.is_empty() => _ = self.for_safety.insert(waiting.turn, index),
            _ => {}
        }
        if self.queues.len() <= waiting.database {
            self.queues.resize_with(waiting.database + 1, HashMap::default);
        }
        self.turns.insert(waiting.turn, (index, waiting.deadline));
        for key in &waiting.keys {
            let queue = self.queues[waiting.database].entry(key.clone()).or_default();
            let is_new = queue.waiters.insert(waiting.turn, index).is_none();
            queue.when_gone += usize::from(is_new && waiting.when_gone);
        }
        if let Some(deadline) = waiting.deadline {
            let wheel = self.wheel.get_or_insert_with(|| Box::new(TimerWheel::new(now)));
            wheel.arm(waiting.turn.0, deadline);
        }
    }

    fn leave(&mut self, waiting: &Waiting) {
        self.turns.remove(&waiting.turn);
        self.for_safety.remove(&waiting.turn);
        self.for_shutdown.remove(&waiting.turn);
        for key in &waiting.keys {
            let Some(queue) = self.queues[waiting.database].get_mut(key) else {
                continue; // a key that was named twice
            };
            let was_there = queue.waiters.remove(&waiting.turn).is_some();
            queue.when_gone -= usize::from(was_there && waiting.when_gone);
            if queue.waiters.is_empty() {
                self.queues[waiting.database].remove(key);
            }
        }
    }

    /// The first of those behind `turn` who wait for a key.
    fn next_waiter(&self, place: &Place, turn: Turn) -> Option<(Turn, SessionIndex)> {
        let queue = self.queues.get(place.0)?.get(&place.1)?;
        let mut behind = queue.waiters.range(Turn(turn.0 + 1)..);
        behind.next().map(|(turn, index)| (*turn, *index))
    }

    /// Whether anybody wants to know that a key is gone.
    fn is_missed(&self, place: &Place) -> bool {
        let queue = self.queues.get(place.0).and_then(|queues| queues.get(&place.1));
        queue.is_some_and(|queue| queue.when_gone > 0)
    }

    /// Takes up to about `budget` clients whose time is up. True when that was all.
    fn take_late(&mut self, now: Millis, budget: usize, late: &mut Vec<SessionIndex>) -> bool {
        let Some(mut wheel) = self.wheel.take() else {
            return true;
        };
        let turns = &self.turns;
        wheel.advance(now, budget, |turn, visit| {
            let Some((index, deadline)) = turns.get(&Turn(turn)) else {
                return Verdict::Gone;
            };
            // Visited early on its way down the levels.
            if let Some(deadline) = deadline.filter(|deadline| *deadline > now) {
                return Verdict::At(visit.place_for(deadline));
            }
            late.push(*index);
            Verdict::Gone
        });
        let done = !wheel.is_behind(now);
        if !wheel.is_empty() {
            self.wheel = Some(wheel);
        }
        done
    }

    /// Drops a bounded number of leftovers from the wheel if there are many. True when more are left.
    fn sweep(&mut self) -> bool {
        let Some(wheel) = &mut self.wheel else { return false };
        if wheel.items() <= 2 * self.turns.len() + LEFTOVERS_MIN {
            return false;
        }
        let turns = &self.turns;
        wheel.sweep(TIMEOUT_SLICE, |turn, _, _| turns.contains_key(&Turn(turn)));
        true
    }
}

impl Context<'_> {
    /// Lets the client wait, to run the command again when one of the keys is ready. In a transaction nobody waits: it
    /// is as if the time were up at once.
    pub fn wait(&mut self, wait: Wait) -> Outcome {
        if self.core.in_transaction {
            let safety = self.core.safety_of(self.session);
            wait.on_timeout.write(self.reply, safety);
            return Ok(());
        }
        if self.core.waiting.retry != Retry::No {
            self.core.waiting.retry = Retry::WaitsOn;
            self.session().blocked = Some(Blocked::Waiting);
            return Ok(());
        }
        let request = match &wait.argv {
            Some(argv) => OwnedRequest::copy(self.spec, argv.iter().map(Vec::as_slice)),
            None => OwnedRequest::copy(self.spec, self.args.iter()),
        };
        self.core.begin_waiting(self.session, self.database, request, wait);
        Ok(())
    }
}

impl Core {
    /// Where what a client wrote last is safe. O(replicas).
    pub fn safety_of(&mut self, index: SessionIndex) -> Safety {
        // A script asks about what its caller has written before.
        let index = self.scripts.acting(index);
        let offset = self.session(index).write_offset;
        Safety {
            is_local: self.is_written_safely(index),
            replicas: self.replicas_at(offset),
            synced_replicas: self.replicas_synced_to(offset),
        }
    }

    fn begin_waiting(&mut self, index: SessionIndex, database: usize, request: OwnedRequest, wait: Wait) {
        self.waiting.last_turn.0 += 1;
        let waiting = Waiting {
            request,
            turn: self.waiting.last_turn,
            database,
            keys: wait.keys,
            for_type: wait.for_type,
            when_gone: wait.when_gone,
            on_timeout: wait.on_timeout,
            // One more than asked for: the present millisecond is partly over.
            deadline: wait
                .timeout
                .map(|timeout| self.monotonic.saturating_add(timeout.0).saturating_add(1)),
            silent: self.session(index).reply_mode != ReplyMode::On,
        };
        self.waiting.enter(index, &waiting, self.monotonic);
        let session = self.session(index);
        session.blocked = Some(Blocked::Waiting);
        session.waiting = Some(Box::new(waiting));
    }

    /// Serves those who wait for keys that have changed, until nobody can be served any more. To follow every command
    /// and everything else that changes keys. O(clients that can be served, and those who wait for a key in vain).
    #[cold]
    pub fn serve_waiting(&mut self) {
        // What a script has changed so far, or what is loaded so far, is nobody's business yet.
        if self.scripts.is_running() || self.is_replaying || self.is_loading() {
            return;
        }
        while let Some(place) = self.waiting.ready.pop_front() {
            if let Some(queue) = self.waiting.queues[place.0].get_mut(&place.1) {
                queue.ready = false;
            }
            let mut turn = Turn(0);
            while let Some((next, index)) = self.waiting.next_waiter(&place, turn) {
                turn = next;
                let key = Key::new(&place.1);
                let found = self.peek(place.0, key).map(|entry| entry.value_type());
                if found.is_none() && !self.waiting.is_missed(&place) {
                    break;
                }
                let session = self.session(index);
                let wanted = session
                    .waiting
                    .as_ref()
                    .is_some_and(|waiting| waiting.when_gone || found == Some(waiting.for_type));
                if wanted {
                    self.run_again(index);
                }
            }
        }
    }

    /// Serves those who wait for a write to become safe, after one has. O(those who wait so).
    pub(super) fn serve_those_who_want_safety(&mut self) {
        let waiters: Vec<SessionIndex> = self.waiting.for_safety.values().copied().collect();
        for index in waiters {
            self.run_again(index);
        }
    }

    /// Runs a waiting command again, if its user still may; its client goes on unless the command asks to wait once more.
    pub(super) fn run_again(&mut self, index: SessionIndex) {
        let session = self.session(index);
        let Some(waiting) = session.waiting.take() else { return };
        session.blocked = None;
        let mut reply = std::mem::take(&mut session.reply);
        reply.protocol = session.protocol;
        let before = reply.bytes.len();
        let call = Call {
            session: index,
            spec: waiting.request.spec,
            args: waiting.request.args(),
            hashes: &[],
            big: None,
            started: Stopwatch::read(),
        };
        // Its user may have lost the right to what it waits for.
        let denied = match waiting.keys.is_empty() {
            true => None,
            false => self.denied(index, call.spec, call.args, acl::log::Place::TopLevel),
        };
        match denied {
            Some((_, text)) => {
                let text = [b"NOPERM ", &*text].concat();
                self.refuse(Some(index), Some(call.spec), &text, &mut reply);
            }
            None => {
                self.waiting.retry = Retry::Trying;
                self.call(call, &mut reply);
            }
        }
        if self.tracking.has_own() {
            self.tell_own(index);
        }
        let waits_on = std::mem::take(&mut self.waiting.retry) == Retry::WaitsOn;
        let session = self.session(index);
        if waiting.silent {
            reply.bytes.truncate(before);
        }
        // What the command pushed to its own client comes behind its reply.
        reply.bytes.append(&mut session.reply.bytes);
        session.reply = reply;
        if waits_on {
            session.waiting = Some(waiting);
            return;
        }
        self.waiting.leave(&waiting);
        self.go_on(index);
    }

    /// Lets a client that waited no longer read its reply, and run what it sent meanwhile.
    pub(super) fn go_on(&mut self, index: SessionIndex) {
        let session = self.session(index);
        session.blocked = None;
        if !session.reply.bytes.is_empty() {
            self.mark_outgoing(index);
        }
        self.effects.push(Effect::Resume(index));
    }

    /// Ends a client's waiting unserved; false if it does not wait.
    pub fn unblock(&mut self, index: SessionIndex, why: Unblock) -> bool {
        let Some(waiting) = self.stop_waiting(index) else {
            return false;
        };
        let spec = waiting.request.spec;
        self.stats.total_commands_processed += 1;
        self.stats_of(spec.id).calls += 1;
        match why {
            Unblock::Timeout => {}
            Unblock::ShutdownFailed => self.count_error(Some(spec), b"ERR", false),
            Unblock::Error | Unblock::RoleChange => self.count_error(Some(spec), b"UNBLOCKED", false),
            Unblock::Redirected => self.count_error(Some(spec), b"REDIRECT", false),
        }
        let redirection = match why {
            Unblock::Redirected => self.redirection(index, spec).unwrap_or_default(),
            _ => String::new(),
        };
        let safety = self.safety_of(index);
        let session = self.session(index);
        if !waiting.silent {
            session.reply.protocol = session.protocol;
            match why {
                Unblock::Timeout => waiting.on_timeout.write(&mut session.reply, safety),
                Unblock::RoleChange => session.reply.error(ROLE_CHANGE),
                Unblock::Redirected => session.reply.error(redirection),
                Unblock::ShutdownFailed => session.reply.error(SHUTDOWN_FAILED),
                Unblock::Error => session.reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
            }
        }
        self.go_on(index);
        true
    }

    /// Takes a client out of all queues, without a word.
    pub fn stop_waiting(&mut self, index: SessionIndex) -> Option<Box<Waiting>> {
        let session = self.find_session(index)?;
        let waiting = session.waiting.take()?;
        session.blocked = None;
        self.waiting.leave(&waiting);
        self.abandon_migration(index);
        Some(waiting)
    }

    /// Answers clients whose time is up, a bounded number of them. True when some are left for the next tick.
    #[inline]
    pub fn end_late_waits(&mut self) -> bool {
        self.waiting.has_deadlines() && self.end_some_late_waits()
    }

    #[inline(never)]
    fn end_some_late_waits(&mut self) -> bool {
        let mut late = Vec::new();
        let done = self.waiting.take_late(self.monotonic, TIMEOUT_SLICE, &mut late);
        for index in late {
            self.unblock(index, Unblock::Timeout);
        }
        !done || self.waiting.sweep()
    }
}

/// What SHUTDOWN answers when the server goes on.
pub const SHUTDOWN_FAILED: &str = "ERR Errors trying to SHUTDOWN. Check logs.";
const ROLE_CHANGE: &str =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
const OUT_OF_RANGE: &str = "ERR timeout is out of range";
const NEGATIVE: &str = "ERR timeout is negative";

/// A timeout in seconds, with fractions; `None` for 0, which is for ever. Rounded up to whole milliseconds.
pub fn timeout_seconds(text: &[u8], now: Millis) -> Result<Option<Millis>, Failure> {
    let Some(seconds) = crate::format::number::parse_double(text) else {
        return Err("ERR timeout is not a float or out of range".into());
    };
    let millis = seconds * 1000.0;
    if millis > i64::MAX as f64 {
        return Err(OUT_OF_RANGE.into());
    }
    timeout(millis.ceil() as i64, now)
}

/// A timeout in milliseconds; `None` for 0, which is for ever.
pub fn timeout_millis(text: &[u8], now: Millis) -> Result<Option<Millis>, Failure> {
    match crate::format::number::parse_i64(text) {
        Some(millis) => timeout(millis, now),
        None => Err("ERR timeout is not an integer or out of range".into()),
    }
}

fn timeout(millis: i64, now: Millis) -> Result<Option<Millis>, Failure> {
    match millis {
        ..0 => Err(NEGATIVE.into()),
        0 => Ok(None),
        _ if millis.checked_add(now.0).is_none() => Err(OUT_OF_RANGE.into()),
        _ => Ok(Some(Millis(millis))),
    }
}
