//! One tick: the whole life of a request, top to bottom.
//!
//! ```text
//! wait        epoll: a look or some, then asleep, no longer than the next deadline
//! read        every ready socket, once, into the arena
//! execute     parse into batches; prefetch their keys and elements; run the commands in order
//! advance     keys that expire now, CLIENT PAUSE's end, the once-a-second round
//! propagate   what has changed, to the append-only file and to replicas
//! flush       one write per connection that has something to say
//! housekeep   a bounded slice of freeing, evicting and sweeping the wheels
//! ```
//!
//! Everything is read before anything runs, and everything runs before anything is written. That gives a client the
//! chance to batch, and the batch the chance to hide one key's cache misses behind another's. One `read` and one
//! `write` a request is the budget: mio's events are edges, and a read shorter than its buffer has drained the socket,
//! so nothing is asked twice.
//!
//! What is not a request's life stands beside: [`doors`] opens connections, [`links`] has those to other servers, [`ending`]
//! the signals.
//!
//! The system's own code runs between two ticks and leaves little of ours in the processor's cache of instructions: what a
//! tick of one small request costs is mostly the fetching of its instructions. So what happens rarely is kept out of
//! line (`#[cold]`, `#[inline(never)]`), and the way that every tick goes stays dense.
//!
//! Every loop here is bounded: by the events of one poll, by the arena, or by time in the core's slices.

mod doors;
mod ending;
mod links;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use super::alarm::Alarm;
use super::batch::{Arrival, Batch, Source};
use super::channel::Channels;
use super::connection::{Connection, Partial, ReadOutcome};
use super::dialer::Dialer;
use super::listener::Listener;
use super::patience::Patience;
use super::process::{Signals, unix_now, until};
use crate::resp::pool::ReplyPool;
use crate::resp::request::{Limits, Step};
use crate::server::core::{Core, Effect};
use crate::server::dispatch::{Executor, Request, Verdict};
use crate::server::session::{ReplyMode, SessionIndex};
use crate::server::stopwatch::Stopwatch;
use crate::server::upkeep::SETTLE_STEP;
use crate::timer::Millis;
use crate::tls::Tls;

/// Bytes read in one tick, from all sockets together. It fits the second-level cache with the keys' lines beside it.
const ARENA: usize = 1 << 20;
/// Bytes read from one socket in one tick.
const READ: usize = 64 * 1024;

/// Connections in one tick that go on with agreeing on keys for TLS: each may take more than a millisecond, for which all
/// others wait. A tick costs next to nothing beside that, so more would be no faster.
const HANDSHAKES: usize = 1;

/// How long to wait for a sync of the append-only file before it is asked again whether it has ended.
const HELD_STEP: Duration = Duration::from_millis(2);

/// Rounds in one tick for clients that go on because another has served them.
const RESUMES: usize = 8;

/// Bytes of a reply that a client has read in no time.
const SMALL_REPLY: u64 = 256;

const SIGNALS: Token = Token(0);
const FIRST_LISTENER: usize = 1;
const ALARM: Token = Token(1020);
const PIPE: Token = Token(1021);
const RESOLVED: Token = Token(1022);
const DIALLED: Token = Token(1023);
const FIRST_CONNECTION: usize = 1024;
/// Far beyond as many connections as a system has descriptors.
const FIRST_CHANNEL: usize = usize::MAX / 2;

/// What arrived on a connection this tick.
struct Received {
    connection: usize,
    source: Source,
    /// The bytes' place in the arena; nothing for a connection's own buffer, which is taken as a whole.
    start: usize,
    end: usize,
    /// Where the first request that may not run yet begins.
    held: Option<usize>,
}

impl Received {
    /// A connection whose own buffer is to be looked at.
    fn own(connection: usize) -> Self {
        Received {
            connection,
            source: Source::Own,
            start: 0,
            end: 0,
            held: None,
        }
    }
}

pub struct Reactor {
    poll: Poll,
    events: Events,
    signals: Signals,
    listeners: Vec<Listener>,
    /// What connections under TLS need, if there are any.
    tls: Option<Tls>,
    connections: Slab<Connection>,
    pub core: Core,
    /// Connections with something to read, or to run again.
    ready: VecDeque<usize>,
    arena: Vec<u8>,
    received: Vec<Received>,
    batch: Batch,
    /// What a request from the arena has instead of big arguments.
    no_bigs: Vec<Vec<u8>>,
    /// Reply buffers not in use.
    pool: ReplyPool,
    /// Listeners that stopped accepting with connections still waiting.
    accept_again: Vec<usize>,
    /// Whether the core has work left that cannot wait for an event.
    busy: bool,
    patience: Patience,
    alarm: Alarm,
    dialer: Dialer,
    channels: Channels,
    /// What the last flush wrote to whom, emptied: the next takes its room.
    flushed: Vec<SessionIndex>,
    /// Whether the last tick was for clients that may be back at once.
    is_brisk: bool,
    started: Instant,
    /// When this tick began, behind the wait, and when the last one ended, both since the start. Each is read once, and
    /// used by all that ask.
    began: Duration,
    ended: Duration,
    next_second: Millis,
    shutting_down: bool,
    /// Why the loop must end.
    failure: Option<String>,
}

impl Reactor {
    pub fn new(core: Core, mut listeners: Vec<Listener>, tls: Option<Tls>, signals: Signals) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut signals = signals;
        let started = Instant::now();
        signals.register(poll.registry(), SIGNALS)?;
        for (at, listener) in listeners.iter_mut().enumerate() {
            listener.register(poll.registry(), Token(FIRST_LISTENER + at))?;
        }
        let waker = Arc::new(Waker::new(poll.registry(), RESOLVED)?);
        let dialer = Dialer::new(DIALLED, waker.clone());
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        Ok(Reactor {
            poll,
            events: Events::with_capacity(1024),
            signals,
            listeners,
            tls,
            connections: Slab::new(),
            core,
            ready: VecDeque::new(),
            arena: vec![0; ARENA],
            received: Vec::new(),
            batch: Batch::default(),
            no_bigs: Vec::new(),
            pool: ReplyPool::default(),
            accept_again: Vec::new(),
            busy: false,
            alarm,
            dialer,
            channels: Channels::new(FIRST_CHANNEL, waker),
            patience: Patience::default(),
            flushed: Vec::new(),
            is_brisk: false,
            started,
            began: Duration::ZERO,
            ended: Duration::ZERO,
            next_second: Millis(0),
            shutting_down: false,
            failure: None,
        })
    }

    /// Serves until a signal or SHUTDOWN ends it.
    ///
    /// # Errors
    /// What the poll says, or why the data cannot be loaded.
    pub fn run(&mut self) -> Result<(), String> {
        while !self.shutting_down {
            self.wait().map_err(|error| format!("The event loop failed: {error}"))?;
            let woke = Stopwatch::read();
            let (commands, written) = self.traffic();
            self.read();
            self.execute();
            self.advance()?;
            self.core.make_wanted_room();
            self.core.propagate()?;
            self.end_shutdown();
            self.flush();
            self.housekeep();
            if let Some(reason) = self.failure.take() {
                return Err(reason);
            }
            let (commands_now, written_now) = self.traffic();
            self.is_brisk = self.was_brisk(
                commands_now.saturating_sub(commands),
                written_now.saturating_sub(written),
            );
            self.core.stats.eventloop_cycles += 1;
            let took = self.core.stopwatch.nanos(Stopwatch::read().since(woke));
            self.ended = self.began + Duration::from_nanos(took);
            self.core.stats.eventloop_duration_usec += took / 1000;
        }
        self.flush();
        Ok(())
    }

    /// Commands run and bytes written so far. CONFIG RESETSTAT starts them anew.
    fn traffic(&self) -> (u64, u64) {
        let stats = &self.core.stats;
        (stats.total_commands_processed, stats.total_net_output_bytes)
    }

    /// Whether a tick was for clients that send one small request at a time: they may be back at once. Who sends a
    /// pipeline or has a large reply to digest will not be. And where every tick that changes something costs a write to the
    /// append-only file, it pays to let more requests come together.
    fn was_brisk(&self, commands: u64, written: u64) -> bool {
        let clients = self.received.len() as u64;
        let is_cheap = !self.core.propagation.is_on;
        is_cheap && clients > 0 && commands <= clients && written <= clients * SMALL_REPLY
    }

    // wait

    fn wait(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        if timeout.is_zero() || !self.is_brisk || !self.look()? {
            self.ask(timeout)?;
        }
        self.began = self.started.elapsed();
        self.core.begin_tick(unix_now(), in_millis(self.began));
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match event.token().0 {
                0 => self.take_signals(),
                token if token == ALARM.0 => self.alarm.rang(),
                token if token == PIPE.0 => self.core.pump_pipe(),
                token if token == RESOLVED.0 || token == DIALLED.0 => self.hear_of_dialling(),
                token if token < FIRST_CONNECTION => self.accept(token - FIRST_LISTENER),
                token if token >= FIRST_CHANNEL => self.channels.note(event.token()),
                token => self.note_ready(token - FIRST_CONNECTION, event),
            }
        }
        self.events = events;
        if !self.accept_again.is_empty() {
            for listener in std::mem::take(&mut self.accept_again) {
                self.accept(listener);
            }
        }
        Ok(())
    }

    /// Asks for events, and sleeps until one comes or the timeout ends.
    fn ask(&mut self, timeout: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks for events without sleeping, for as long as that has paid of late: whether some have come.
    fn look(&mut self) -> io::Result<bool> {
        let started = Stopwatch::read();
        loop {
            self.ask(Duration::ZERO)?;
            if !self.events.is_empty() {
                self.patience.rewarded();
                return Ok(true);
            }
            let looked = self.core.stopwatch.nanos(Stopwatch::read().since(started));
            if looked >= self.patience.nanos() {
                self.patience.disappointed();
                return Ok(false);
            }
        }
    }

    /// How long nothing can be due: not at all while work is left over, else until the next deadline.
    fn timeout(&mut self) -> Duration {
        let is_behind = !self.ready.is_empty() || !self.accept_again.is_empty() || self.channels.are_due();
        if self.busy || is_behind || !self.core.effects.is_empty() {
            return Duration::ZERO;
        }
        let monotonic = in_millis(self.ended);
        let core = &self.core;
        let deadlines = [
            Some(self.next_second),
            core.pause.map(|pause| pause.until),
            core.waiting.next_due(),
            // When it is past, not when it is reached.
            core.migrations.next_due().map(|due| due.saturating_add(1)),
            core.replication.failover.as_ref().and_then(|failover| failover.until()),
            (monotonic < core.settling_until).then(|| monotonic.saturating_add(SETTLE_STEP)),
        ];
        let next = deadlines.into_iter().flatten().min().unwrap_or(self.next_second);
        let timeout = match core.is_sync_awaited() {
            true => monotonic.until(next).min(HELD_STEP),
            false => monotonic.until(next),
        };
        self.until_expiry(timeout)
    }

    /// The same, unless a key expires before: then the alarm rings for it, or the timeout is shorter where there is none.
    fn until_expiry(&mut self, timeout: Duration) -> Duration {
        let Some(due) = self.core.next_due() else {
            return timeout;
        };
        let left = until(due);
        if left >= timeout || !left.is_zero() && self.alarm.set(due, left) {
            return timeout;
        }
        left
    }

    fn note_ready(&mut self, index: usize, event: &Event) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        connection.half_closed |= event.is_read_closed();
        let is_owing = connection.backlog.is_some() || connection.is_feeding || connection.stream.owes();
        if event.is_writable() && is_owing {
            connection.is_feeding = false;
            self.core.mark_outgoing(SessionIndex(index));
        }
        self.queue(index);
    }

    fn queue(&mut self, index: usize) {
        if let Some(connection) = self.connections.get_mut(index)
            && !connection.queued
        {
            connection.queued = true;
            self.ready.push_back(index);
        }
    }

    // read

    fn read(&mut self) {
        self.received.clear();
        let (mut used, mut handshakes) = (0, 0);
        for _ in 0..self.ready.len() {
            if ARENA - used < READ {
                break;
            }
            let Some(index) = self.ready.pop_front() else { break };
            let Some(connection) = self.connections.get_mut(index) else {
                continue;
            };
            if connection.stream.is_handshaking() {
                if handshakes == HANDSHAKES {
                    self.ready.push_back(index);
                    continue;
                }
                handshakes += 1;
            }
            connection.queued = false;
            used += self.read_one(index, used);
        }
    }

    /// Reads one connection's socket into the arena at `used`; gives the bytes that stay there.
    fn read_one(&mut self, index: usize, used: usize) -> usize {
        let connection = &mut self.connections[index];
        self.core.stats.total_reads_processed += 1;
        if self.core.replication.is_replica() && self.core.replication.is_primary(SessionIndex(index)) {
            return self.read_primary(index, used);
        }
        if connection
            .partial
            .as_ref()
            .is_some_and(|partial| partial.filling.is_some())
        {
            let outcome = connection.read_big();
            self.note_read(index, &outcome);
            self.received.push(Received::own(index));
            return 0;
        }
        let outcome = connection.read(&mut self.arena[used..used + READ]);
        let read = self.note_read(index, &outcome);
        self.receive(index, used..used + read)
    }

    /// Takes in what was read from a connection into the arena: it belongs to the request that has begun before, if one has.
    /// Gives how many bytes must stay in the arena until they have run.
    #[inline]
    fn receive(&mut self, index: usize, bytes: Range<usize>) -> usize {
        if let Some(partial) = &mut self.connections[index].partial {
            partial.input.extend_from_slice(&self.arena[bytes]);
            self.received.push(Received::own(index));
            return 0;
        }
        if !bytes.is_empty() {
            self.received.push(Received {
                connection: index,
                source: Source::Arena,
                start: bytes.start,
                end: bytes.end,
                held: None,
            });
        }
        bytes.len()
    }

    fn note_read(&mut self, index: usize, outcome: &ReadOutcome) -> usize {
        match *outcome {
            ReadOutcome::More(read) => {
                self.core.stats.total_net_input_bytes += read as u64;
                self.queue(index);
                read
            }
            ReadOutcome::Drained(read) => {
                self.core.stats.total_net_input_bytes += read as u64;
                if self.connections[index].half_closed {
                    self.queue(index);
                }
                read
            }
            ReadOutcome::Closed => {
                self.core.ask_close(SessionIndex(index), true);
                0
            }
        }
    }

    // execute

    fn execute(&mut self) {
        self.resume_held(0);
        self.execute_from(0);
        self.go_on();
    }

    /// What somebody sent behind a wait that ended just now belongs to this tick, before anybody hears of it. Those who go
    /// on may serve each other without end: the rest goes on in the next tick.
    fn go_on(&mut self) {
        for _ in 0..RESUMES {
            let from = self.received.len();
            self.resume_held(from);
            if self.received.len() == from {
                break;
            }
            self.execute_from(from);
        }
    }

    /// Runs what arrived, from one place in `received` on.
    fn execute_from(&mut self, from: usize) {
        for at in from..self.received.len() {
            if self.core.replication.is_replica() && self.run_primary_stream(at) {
                continue;
            }
            self.parse(at);
            if self.core.weighs_clients() {
                self.weigh_unfinished(at);
            }
        }
        self.run_batch();
        for at in from..self.received.len() {
            self.settle(at);
        }
    }

    /// While clients are evicted, one that holds an unfinished request is weighed before anything that arrived behind it
    /// runs: whoever asks then sees what became of it.
    #[cold]
    fn weigh_unfinished(&mut self, at: usize) {
        let Received {
            connection, start, end, ..
        } = self.received[at];
        let has_partial = self.connections.get(connection).is_some_and(|it| it.partial.is_some());
        if start == end && !has_partial {
            return;
        }
        self.run_batch();
        self.settle(at);
        // Settled for this tick: nothing is left to forget.
        self.received[at] = Received::own(connection);
        self.core.weigh(SessionIndex(connection));
        self.core.evict_clients();
    }

    /// Sessions whose commands were held back and may run now are treated as if their input had just arrived, unless it
    /// has: what stands in `received` from `from` on has yet to run.
    fn resume_held(&mut self, from: usize) {
        if self.core.effects.is_empty() {
            return;
        }
        let effects = std::mem::take(&mut self.core.effects);
        for effect in effects {
            match effect {
                Effect::Resume(SessionIndex(index)) if self.connections.contains(index) => {
                    if !self.received[from..]
                        .iter()
                        .any(|received| received.connection == index)
                    {
                        self.received.push(Received::own(index));
                    }
                }
                Effect::Resume(_) => {}
                other => self.core.effects.push(other),
            }
        }
    }

    /// Parses what one connection sent into batches, running each batch that fills up.
    fn parse(&mut self, at: usize) {
        match self.received[at].source {
            Source::Arena => self.parse_arena(at),
            Source::Own => self.parse_own(at),
        }
    }

    /// The common case: whole requests, straight from the arena.
    fn parse_arena(&mut self, at: usize) {
        let Received {
            connection: index,
            start,
            end,
            ..
        } = self.received[at];
        let mut arrival = Arrival {
            connection: index,
            received: at,
            source: Source::Arena,
            begin: start,
        };
        // What CLIENT LIST shows of a client that asks; `settle` tells what is left.
        self.core.session(SessionIndex(index)).input_len = end - start;
        while arrival.begin < end && self.may_run(at) {
            // What runs may let the client in, or have it select another database.
            let limits = self.limits(index);
            let database = self.core.database_of(SessionIndex(index));
            let keys = self.core.keyspace.db(database).lines();
            match self.batch.gather(&mut self.arena[..end], &mut arrival, limits, keys) {
                Ok(()) if self.batch.is_full() => self.run_batch(),
                // The rest moves to a buffer of the connection's own and is parsed there from the request's start.
                Ok(()) => break,
                Err(error) => {
                    self.protocol_error(index, &error);
                    arrival.begin = end;
                    break;
                }
            }
        }
        self.received[at].start = arrival.begin;
    }

    /// A connection with something left from earlier: its own buffer, and a parser that knows how far it got.
    fn parse_own(&mut self, at: usize) {
        let index = self.received[at].connection;
        let is_primary = self.core.replication.is_primary(SessionIndex(index));
        let mut begin = 0;
        while self.may_run(at) {
            let limits = self.limits(index);
            let Some(partial) = &mut self.connections[index].partial else {
                break;
            };
            if !partial.finish_big() {
                break;
            }
            let Partial {
                parser,
                input,
                bigs,
                spans,
                pos,
                filling,
                whole,
                ..
            } = &mut **partial;
            // Whole already: held back earlier, or its last argument was big and has just been filled.
            let step = if std::mem::take(whole) || parser.at_start() && !spans.is_empty() {
                Ok(Step::Request)
            } else {
                let known = bigs.len();
                let step = parser.step(input, pos, spans, (!is_primary).then_some(bigs), limits);
                *filling = (bigs.len() > known).then(|| spans.last().map_or(0, |span| span.len() + 2));
                step
            };
            match step {
                Ok(Step::Request) => {
                    let (first, next, has_bigs) = (self.batch.spans.len(), *pos, !bigs.is_empty());
                    self.batch.spans.append(spans);
                    self.gather(at, begin, first, has_bigs);
                    if has_bigs && !self.run_big(at, first) {
                        break;
                    }
                    begin = next;
                }
                Ok(Step::Big) => {
                    // Its first bytes were copied to where it will stay.
                    let copied = bigs.last().map_or(0, Vec::len);
                    input.truncate(input.len() - copied);
                    input.shrink_to_fit();
                    *pos = input.len();
                }
                Ok(Step::Incomplete) => break,
                Err(error) => {
                    self.protocol_error(index, &error);
                    self.connections[index].partial = None;
                    begin = 0;
                    break;
                }
            }
        }
        self.received[at].start = begin;
    }

    /// Whether the next request of this input may run: its client is not blocked, paused or about to be closed.
    fn may_run(&mut self, at: usize) -> bool {
        let Received { connection, held, .. } = self.received[at];
        held.is_none() && self.core.session(SessionIndex(connection)).is_runnable()
    }

    /// Puts a request that was parsed in its connection's own buffer into the batch, and runs the batch when it is full.
    fn gather(&mut self, at: usize, begin: usize, first_span: usize, has_bigs: bool) {
        let Received { connection, source, .. } = self.received[at];
        let arrival = Arrival {
            connection,
            received: at,
            source,
            begin,
        };
        let input = input_of(&self.arena, &self.connections, arrival);
        let database = self.core.database_of(SessionIndex(connection));
        let keys = self.core.keyspace.db(database).lines();
        self.batch.push(arrival, first_span, has_bigs, input, keys);
        if self.batch.is_full() && !has_bigs {
            self.run_batch();
        }
    }

    /// Runs a request with big arguments at once: they are its connection's only ones. False if it was held back; it is
    /// then kept as it is, since its bytes cannot be parsed again.
    fn run_big(&mut self, at: usize, first_span: usize) -> bool {
        let spans = self.batch.spans[first_span..].to_vec();
        self.run_batch();
        let index = self.received[at].connection;
        let Some(partial) = &mut self.connections[index].partial else {
            return false;
        };
        if self.received[at].held.take().is_some() {
            partial.spans = spans;
            partial.whole = true;
            return false;
        }
        partial.bigs = Vec::new();
        true
    }

    fn limits(&mut self, index: usize) -> Limits {
        let bulk_len = self.core.settings.proto_max_bulk_len as usize;
        let unauthenticated = self.core.must_authenticate(SessionIndex(index));
        Limits {
            bulk_len,
            unauthenticated,
        }
    }

    /// Answers a malformed request behind all that came before it, and closes.
    #[cold]
    fn protocol_error(&mut self, index: usize, error: &crate::resp::request::ProtocolError) {
        self.run_batch();
        if self.core.replication.is_primary(SessionIndex(index)) {
            return self.core.primary_broke_protocol(error);
        }
        let now = self.core.moment.now;
        let session = self.core.session(SessionIndex(index));
        if !session.is_runnable() {
            return;
        }
        if session.reply_mode == ReplyMode::On && error.is_told() {
            session.reply.error(format!("ERR Protocol error: {error}"));
        }
        let line = crate::server::client_line::client_line(session, now);
        crate::log::verbose(&format!("Protocol error ({error}) from client: {line}"));
        self.core.mark_outgoing(SessionIndex(index));
        self.core.ask_close(SessionIndex(index), false);
    }

    /// Runs the gathered requests in order.
    fn run_batch(&mut self) {
        if self.batch.requests.is_empty() {
            return;
        }
        let Reactor {
            batch,
            arena,
            connections,
            core,
            pool,
            received,
            no_bigs,
            ..
        } = self;
        batch.look_ahead(
            &core.keyspace,
            |request| input_of(arena, connections, request.arrival),
            |request| core.database_of(SessionIndex(request.arrival.connection)),
        );
        let mut executor = Executor::new(core, pool);
        for request in &batch.requests {
            let arrival = request.arrival;
            let received = &mut received[arrival.received];
            let index = SessionIndex(arrival.connection);
            if received.held.is_some() {
                continue;
            }
            if !executor.is_clear_for(index) {
                if !executor.core.session(index).is_runnable() {
                    received.held = Some(arrival.begin);
                    continue;
                }
                let is_multi = request.spec.is_some_and(|spec| spec.name == "multi");
                if is_multi && executor.core.replication.is_primary(index) {
                    let end = match arrival.source {
                        Source::Arena => received.end,
                        Source::Own => connections[arrival.connection]
                            .partial
                            .as_ref()
                            .map_or(0, |partial| partial.input.len()),
                    };
                    executor.core.note_primary_multi(end - arrival.begin);
                }
            }
            let (input, bigs): (&[u8], &mut Vec<Vec<u8>>) = match arrival.source {
                Source::Arena => (arena, no_bigs),
                Source::Own => match connections[arrival.connection].partial.as_deref_mut() {
                    Some(partial) => (&partial.input, &mut partial.bigs),
                    None => continue,
                },
            };
            let verdict = executor.run(Request {
                session: index,
                input,
                spans: batch.spans_of(request),
                spec: request.spec,
                hashes: batch.hashes_of(request),
                bigs,
            });
            if verdict == Verdict::Held {
                received.held = Some(arrival.begin);
            }
        }
        executor.finish();
        batch.clear();
    }

    /// Keeps what a connection sent but may not run yet, and forgets the rest.
    fn settle(&mut self, at: usize) {
        let Received {
            connection: index,
            source,
            start,
            end,
            held,
        } = self.received[at];
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        if source == Source::Arena {
            let from = held.unwrap_or(start);
            if from == end {
                if let Some(session) = self.core.find_session(SessionIndex(index)) {
                    session.input_len = 0;
                }
                return;
            }
            let input = self.arena[from..end].to_vec();
            connection.partial = Some(Box::new(Partial {
                input,
                ..Partial::default()
            }));
            if held.is_none() {
                // Parsed at once where it will stay: a big bulk so gets its place before the next read.
                self.received[at] = Received::own(index);
                self.parse_own(at);
                return self.settle(at);
            }
        } else if let Some(partial) = &mut connection.partial {
            match held {
                Some(from) => partial.rewind(from),
                None => partial.forget(start),
            }
            if partial.is_empty() {
                connection.partial = None;
            }
        }
        self.check_input(index);
    }

    fn check_input(&mut self, index: usize) {
        let (bytes, unparsed) = self.connections[index]
            .partial
            .as_ref()
            .map_or((0, 0), |partial| (partial.bytes(), partial.unparsed()));
        let limit = self.core.settings.client_query_buffer_limit as usize;
        let now = self.core.moment.now;
        let session = self.core.session(SessionIndex(index));
        session.input_bytes = bytes;
        session.input_len = unparsed;
        if bytes > limit && !session.is_primary {
            let line = crate::server::client_line::client_line(session, now);
            crate::log::warning(&format!(
                "Closing client that reached max query buffer length: {line} (qbuf: {bytes} bytes)"
            ));
            self.core.stats.client_query_buffer_limit_disconnections += 1;
            self.core.ask_close(SessionIndex(index), true);
        }
    }

    // advance

    fn advance(&mut self) -> Result<(), String> {
        let mut busy = self.core.expire_due();
        if self.core.loading.is_some() {
            busy |= self.core.load_slice()?;
        }
        if self.core.pause.is_some_and(|pause| pause.until <= self.core.monotonic) {
            self.core.unpause();
        }
        busy |= self.core.go_on_with_script();
        busy |= self.core.end_late_waits();
        if self.core.waiting.has_ready() {
            self.core.serve_waiting();
        }
        self.core.hear_acks();
        self.core.tend_failover();
        if self.channels.are_due() {
            self.channels
                .tend(self.poll.registry(), self.tls.as_ref(), &mut self.core);
        }
        if !self.core.migrations.is_idle() || self.core.migrations.has_ended() {
            self.core.tend_migrations();
        }
        if self.core.awaits_replication() {
            self.core.store_snapshot();
            busy |= self.core.loading.is_some();
        }
        self.go_on();
        self.core.broadcast_changes();
        if self.core.monotonic >= self.next_second {
            self.next_second = self.core.monotonic.saturating_add(1000);
            self.core.each_second();
        }
        busy |= !self.core.effects.is_empty();
        self.busy = busy;
        Ok(())
    }

    // flush

    fn flush(&mut self) {
        self.follow_settings();
        let room = std::mem::take(&mut self.flushed);
        let mut outgoing = std::mem::replace(&mut self.core.outgoing, room);
        for &SessionIndex(index) in &outgoing {
            self.flush_one(index);
        }
        if self.core.weighs_clients() {
            self.weigh_clients(&outgoing);
        }
        outgoing.clear();
        self.flushed = outgoing;
        if !self.core.effects.is_empty() {
            self.apply_effects();
        }
    }

    /// Does what changed settings mean outside the core before anybody hears that they are set: who reads the answer to
    /// CONFIG SET port may connect there at once.
    fn follow_settings(&mut self) {
        if self.core.effects.is_empty() {
            return;
        }
        let is_setting = |effect: &mut Effect| matches!(effect, Effect::Reconfigure(_));
        let changed: Vec<Effect> = self.core.effects.extract_if(.., is_setting).collect();
        for effect in changed {
            if let Effect::Reconfigure(names) = effect {
                self.reconfigure(&names);
            }
        }
    }

    /// Weighs the clients that were read from or written to in this tick, and lets the heaviest go if it is too much.
    #[cold]
    fn weigh_clients(&mut self, written: &[SessionIndex]) {
        for received in &self.received {
            self.core.weigh(SessionIndex(received.connection));
        }
        for &index in written {
            self.core.weigh(index);
        }
        self.core.evict_clients();
    }

    fn flush_one(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        let session = self.core.session(SessionIndex(index));
        session.has_output = false;
        if session.doomed {
            return;
        }
        let mut bytes = std::mem::take(&mut session.reply.bytes);
        if !session.blocks.is_empty() {
            for block in std::mem::take(&mut session.blocks) {
                connection.wait_behind(block);
            }
        }
        let sent = connection.send(&mut bytes);
        session.backlog_bytes = connection.backlog_bytes();
        // Where memory is short, nothing is kept that a key would have to make room for.
        if !self.core.over_limit() {
            self.pool.give(bytes);
        }
        match sent {
            Ok(sent) => {
                self.core.stats.total_writes_processed += 1;
                self.core.stats.total_net_output_bytes += sent.bytes as u64;
                if sent.again {
                    self.core.mark_outgoing(SessionIndex(index));
                    self.busy = true;
                }
                let session = self.core.session(SessionIndex(index));
                if session.backlog_bytes > 0 {
                    self.core.check_output_limit(SessionIndex(index));
                } else if session.replica.is_some() && !session.closing {
                    self.feed_replica(index);
                } else if session.closing {
                    self.core.effects.push(Effect::Close(SessionIndex(index)));
                }
            }
            Err(_) => self.core.ask_close(SessionIndex(index), true),
        }
    }

    #[inline(never)]
    fn apply_effects(&mut self) {
        for effect in std::mem::take(&mut self.core.effects) {
            match effect {
                Effect::Resume(_) => {
                    self.core.effects.push(effect);
                    self.busy = true;
                }
                Effect::Close(index) => self.close_when_done(index),
                Effect::Stream(SessionIndex(index), early) => self.go_on_with_stream(index, early),
                Effect::Dial(address) => self.dial(&address),
                Effect::Channel(id, order) => self.obey(id, order),
                Effect::Watch(descriptor) => self.watch(descriptor),
                Effect::Reconfigure(names) => self.reconfigure(&names),
                Effect::Shutdown => self.shutting_down = true,
                Effect::Abort(reason) => self.failure = Some(reason),
            }
        }
    }

    fn close_when_done(&mut self, index: SessionIndex) {
        let Some(session) = self.core.find_session(index) else {
            return;
        };
        let owed = session.output_bytes() > 0;
        if owed && !session.doomed {
            // Asked again by the flush that writes the last byte.
            self.core.mark_outgoing(index);
            return;
        }
        self.core.close(index);
        if let Some(mut connection) = self.connections.try_remove(index.0) {
            connection.stream.end();
            let _ = connection.stream.deregister(self.poll.registry());
        }
        self.ready.retain(|ready| *ready != index.0);
    }

    // housekeep

    fn housekeep(&mut self) {
        self.busy |= self.core.housekeep();
    }
}

fn in_millis(since_start: Duration) -> Millis {
    Millis(since_start.as_millis() as i64)
}

/// The bytes that a request is a part of.
#[inline]
fn input_of<'a>(arena: &'a [u8], connections: &'a Slab<Connection>, arrival: Arrival) -> &'a [u8] {
    match arrival.source {
        Source::Arena => arena,
        Source::Own => connections[arrival.connection]
            .partial
            .as_ref()
            .map_or(&[], |partial| &partial.input),
    }
}
