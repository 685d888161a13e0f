//! A server of the simulation: the core as it is, and in the place of the reactor a loop over bytes in memory with the
//! same phases.

use std::collections::BTreeMap;

use aeolus::config::Settings;
use aeolus::config::choice::DisklessLoad;
use aeolus::config::compound::{BufferLimit, OutputBufferLimits};
use aeolus::host::memory::MemoryHost;
use aeolus::resp::pool::ReplyPool;
use aeolus::resp::request::{Limits, Parser, Step};
use aeolus::server::dispatch::{Executor, Request, look_up};
use aeolus::server::{Core, Effect, SessionIndex};
use aeolus::timer::Millis;

use crate::random::Random;

/// Bytes that a replica may lag behind before it is let go.
pub const LAG: u64 = 40_000;

/// What a tick has come to outside the server.
#[derive(Default)]
pub struct Outcome {
    /// Bytes for the other ends of sessions.
    pub sent: Vec<(usize, Vec<u8>)>,
    /// Sessions that are closed.
    pub closed: Vec<usize>,
    /// The port of a primary that is to be dialled.
    pub dialled: Option<u16>,
}

pub struct Node {
    pub core: Core,
    pool: ReplyPool,
    /// Bytes of each session that have not run.
    inputs: BTreeMap<usize, Vec<u8>>,
    next_second: i64,
    started: i64,
    busy: bool,
    /// Replicas whose wires are full.
    full: Vec<SessionIndex>,
}

impl Node {
    pub fn start(host: MemoryHost, port: u16, now: i64, random: &mut Random) -> Node {
        let settings = Settings {
            port,
            repl_diskless_sync: random.percent(50),
            repl_diskless_sync_delay: 0,
            repl_timeout: 5,
            repl_diskless_load: [DisklessLoad::Disabled, DisklessLoad::OnEmptyDb, DisklessLoad::Swapdb]
                [random.below(3)],
            repl_backlog_size: [20_000, 200_000, 1 << 20][random.below(3)],
            appendonly: random.percent(25),
            client_output_buffer_limit: OutputBufferLimits {
                replica: BufferLimit {
                    hard: LAG,
                    soft: LAG / 4,
                    soft_seconds: 2,
                },
                ..OutputBufferLimits::standard()
            },
            ..Settings::default()
        };
        let mut core = Core::new(settings, Millis(now), Box::new(host.clone()));
        core.random = fastrand_of(random);
        core.begin_loading().expect("the disk is sound");
        Node {
            core,
            pool: ReplyPool::default(),
            inputs: BTreeMap::new(),
            next_second: now,
            started: now,
            busy: false,
            full: Vec::new(),
        }
    }

    /// Opens a session at a free place.
    pub fn open(&mut self) -> usize {
        let mut place = 0;
        while self.core.find_session(SessionIndex(place)).is_some() {
            place += 1;
        }
        self.core.open(SessionIndex(place));
        self.inputs.insert(place, Vec::new());
        place
    }

    /// Whether the server wants its next tick although nothing has arrived.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    pub fn offset(&self) -> u64 {
        self.core.propagation.offset
    }

    /// One tick. `arrived` are bytes by session, `gone` sessions whose other end has closed; `room` says how much the wire
    /// of a session takes.
    pub fn tick(
        &mut self,
        now: i64,
        arrived: Vec<(usize, Vec<u8>)>,
        gone: &[usize],
        room: impl Fn(usize) -> usize,
    ) -> Outcome {
        self.core.begin_tick(Millis(now), Millis(now - self.started));
        self.core.look_at_child();
        for (session, bytes) in arrived {
            self.receive(session, &bytes);
        }
        for &session in gone {
            self.core.ask_close(SessionIndex(session), true);
        }
        self.advance(now);
        self.core.propagate().expect("the disk takes all");
        let mut outcome = Outcome::default();
        for index in std::mem::take(&mut self.full) {
            if self.core.find_session(index).is_some() {
                self.core.mark_outgoing(index);
            }
        }
        self.flush(&mut outcome, room);
        self.apply_effects(&mut outcome);
        self.busy |= self.core.housekeep();
        outcome
    }

    fn receive(&mut self, session: usize, bytes: &[u8]) {
        let index = SessionIndex(session);
        if !self.core.replication.is_primary(index) {
            if let Some(input) = self.inputs.get_mut(&session) {
                input.extend_from_slice(bytes);
            }
            return self.run(session);
        }
        let taken = self.core.take_from_primary(bytes);
        if let Some(input) = self.inputs.get_mut(&session) {
            input.extend_from_slice(&bytes[taken..]);
        }
        self.run_primary(session);
    }

    /// Whether bytes for this session must wait in the socket.
    pub fn must_wait(&mut self, session: usize) -> bool {
        self.core.must_not_read(SessionIndex(session))
    }

    fn run_primary(&mut self, session: usize) {
        if !self.core.replication.is_primary(SessionIndex(session)) {
            return;
        }
        self.run(session);
        let left = self.inputs.get(&session).map_or(0, Vec::len);
        self.core.primary_stream_ran(left);
    }

    /// Runs the whole requests of a session, as far as it may.
    fn run(&mut self, session: usize) {
        let index = SessionIndex(session);
        let Some(mut input) = self.inputs.remove(&session) else {
            return;
        };
        let (mut parser, mut at, mut begin) = (Parser::default(), 0, 0);
        let limits = Limits {
            bulk_len: 1 << 29,
            unauthenticated: false,
        };
        loop {
            let is_runnable = self
                .core
                .find_session(index)
                .is_some_and(|session| session.is_runnable());
            let mut spans = Vec::new();
            let step = match is_runnable {
                true => parser.step(&mut input, &mut at, &mut spans, None, limits),
                false => break,
            };
            match step.expect("servers speak the protocol") {
                Step::Incomplete | Step::Big => break,
                Step::Request if spans.is_empty() => {}
                Step::Request => {
                    let name = input_word(&input, &spans);
                    let spec = look_up(&name);
                    if self.core.replication.is_primary(index) && name.eq_ignore_ascii_case(b"multi") {
                        self.core.note_primary_multi(input.len() - begin);
                    }
                    let mut executor = Executor::new(&mut self.core, &mut self.pool);
                    executor.run(Request {
                        session: index,
                        input: &input,
                        spans: &spans,
                        spec,
                        hashes: &[],
                        bigs: &mut Vec::new(),
                    });
                    executor.finish();
                }
            }
            begin = at;
        }
        input.drain(..begin);
        self.inputs.insert(session, input);
    }

    fn advance(&mut self, now: i64) {
        let mut busy = self.core.expire_due();
        if self.core.loading.is_some() {
            busy |= self.core.load_slice().expect("what is loaded is sound");
        }
        busy |= self.core.end_late_waits();
        if self.core.pause.is_some_and(|pause| pause.until <= self.core.monotonic) {
            self.core.unpause();
        }
        self.core.hear_acks();
        self.core.tend_failover();
        if self.core.awaits_replication() {
            self.core.store_snapshot();
            busy |= self.core.loading.is_some();
        }
        if self.core.waiting.has_ready() {
            self.core.serve_waiting();
        }
        if now >= self.next_second {
            self.next_second = now + 1000;
            self.core.each_second();
        }
        self.busy = busy || !self.core.effects.is_empty();
    }

    fn flush(&mut self, outcome: &mut Outcome, room: impl Fn(usize) -> usize) {
        for index in std::mem::take(&mut self.core.outgoing) {
            let Some(session) = self.core.find_session(index) else {
                continue;
            };
            session.has_output = false;
            if session.doomed {
                continue;
            }
            let mut bytes: Vec<u8> = std::mem::take(&mut session.blocks).concat();
            bytes.append(&mut session.reply.bytes);
            if session.closing {
                self.core.effects.push(Effect::Close(index));
            } else if session.replica.is_some() {
                let most = room(index.0);
                while let Some(more) = self.core.next_for_replica(index) {
                    let count = more.len().min(most.saturating_sub(bytes.len()));
                    if count < more.len() {
                        self.full.push(index);
                    }
                    bytes.extend_from_slice(&more[..count]);
                    if count == 0 {
                        break;
                    }
                    self.core.replica_took(index, count);
                }
            }
            outcome.sent.push((index.0, bytes));
        }
    }

    fn apply_effects(&mut self, outcome: &mut Outcome) {
        for effect in std::mem::take(&mut self.core.effects) {
            match effect {
                Effect::Resume(SessionIndex(session)) => self.run(session),
                Effect::Close(index) => {
                    if self.core.find_session(index).is_some() {
                        self.core.close(index);
                        self.inputs.remove(&index.0);
                        outcome.closed.push(index.0);
                    }
                }
                Effect::Stream(SessionIndex(session), early) => {
                    if !early.is_empty() {
                        self.inputs.insert(session, early);
                    }
                    self.run_primary(session);
                }
                Effect::Dial(address) => outcome.dialled = Some(address.port),
                Effect::Watch(_) | Effect::Reconfigure(_) => {}
                Effect::Shutdown | Effect::Channel(..) => unreachable!("nobody asks for it"),
                Effect::Abort(reason) => panic!("{reason}"),
            }
        }
        // A pipe in memory tells nobody that it has something.
        self.core.pump_pipe();
        self.busy |= !self.core.outgoing.is_empty() || !self.core.effects.is_empty();
    }

    /// Runs a command for a session of a client that is here, and gives its reply.
    pub fn ask(&mut self, session: usize, line: &str) -> String {
        let mut request = format!("*{}\r\n", line.split(' ').count());
        for word in line.split(' ') {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        if let Some(input) = self.inputs.get_mut(&session) {
            input.extend_from_slice(request.as_bytes());
        }
        self.run(session);
        self.take_reply(session)
    }

    /// What a client that is here was answered since it last looked.
    pub fn take_reply(&mut self, session: usize) -> String {
        let Some(session) = self.core.find_session(SessionIndex(session)) else {
            return String::new();
        };
        String::from_utf8_lossy(&std::mem::take(&mut session.reply.bytes)).into_owned()
    }
}

fn input_word(input: &[u8], spans: &[aeolus::resp::request::Span]) -> Vec<u8> {
    aeolus::resp::request::Args::new(input, spans, &[]).at(0).to_vec()
}

fn fastrand_of(random: &mut Random) -> fastrand::Rng {
    fastrand::Rng::with_seed(random.next())
}
