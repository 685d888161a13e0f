//! The server without its sockets: keyspace, sessions, and what they cost.
//!
//! The core does no I/O of its own and asks no clock. Time comes in with [`Core::begin_tick`], requests with
//! [`super::dispatch`]; what is to be done outside (closing a client, shutting down) goes out as [`Effect`]s, and files and
//! children are behind [`Host`].
//! So the same core runs under the reactor, under a unit test, and under a simulated network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::append_only::AppendOnly;
use super::blocking::WaitingRoom;
use super::command_log::CommandLogs;
use super::latency::LatencyMonitor;
use super::loading::{LastLoad, Loading};
use super::migration::{ChannelId, Migrations, Order};
use super::notify::Class;
use super::own_deadlines::OwnDeadlines;
use super::pause::{Pause, Pauses};
use super::propagation::Propagation;
use super::pubsub::PubSub;
use super::replication::Replication;
use super::scripts::Scripts;
use super::session::{ClientId, Session, SessionIndex};
use super::shutdown::Shutdown;
use super::snapshots::Snapshots;
use super::stats::{CommandStats, Rate, Stats};
use super::stopwatch::Stopwatch;
use super::tracking::Tracking;
use super::transaction::WatchTable;
use super::upkeep::{EXPIRE_FIRST, Gone};
use crate::acl::Acl;
use crate::commands::handlers::Handlers;
use crate::commands::table::flags::Flag;
use crate::commands::table::{CommandId, CommandSpec};
use crate::config::Settings;
use crate::config::compound::PrimaryAddress;
use crate::host::Host;
use crate::keyspace::database::Moment;
use crate::keyspace::evict::{EvictionPool, is_lfu};
use crate::keyspace::expiry::Expired;
use crate::keyspace::{AccessClock, ClockMode, Database, EntryRef, Key, Keyspace};
use crate::keyspace::{database::EntryMut, graveyard::Graveyard};
use crate::scripting::functions::Functions;
use crate::timer::Millis;

/// Expired fields that are removed by a command that looks at their hash, at most. Few in unit tests, so that these meet
/// fields that were left.
const FIELDS_IN_PASSING: usize = if cfg!(test) { 2 } else { 64 };

/// Codes of errors that are counted apart; those that scripts make up beyond are counted as one.
const ERROR_CODES: usize = 128;

/// The code under which an error is counted, given the line without its dash: the first word, unless that is no short one with
/// something behind it.
pub fn error_code(line: &[u8]) -> &[u8] {
    let end = line.iter().take(31).position(|&byte| byte == b' ');
    end.map_or(b"ERR", |end| &line[..end])
}

/// Something the core wants done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run the commands this session had to hold back.
    Resume(SessionIndex),
    /// Call [`Core::pump_pipe`] whenever this descriptor has something to read.
    Watch(i32),
    /// Go on with the primary's stream: first these bytes, which were read early, then the session's socket.
    Stream(SessionIndex, Vec<u8>),
    /// Connect to a primary, and tell [`Core::primary_answered`] or [`Core::primary_unreachable`].
    Dial(PrimaryAddress),
    /// See [`super::migration`].
    Channel(ChannelId, Order),
    /// Close the session's connection, once its replies are written unless it is doomed.
    Close(SessionIndex),
    /// These settings have changed and concern sockets, files or the process.
    Reconfigure(Vec<&'static str>),
    Shutdown,
    /// The server must not go on, for this reason.
    Abort(String),
}

/// Facts of the process that INFO tells and the core cannot know.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    pub executable: String,
    pub config_file: String,
    pub run_id: String,
    pub multiplexing: &'static str,
    pub started: Millis,
    pub startup_bytes: usize,
    /// What rewrites the configuration file (`CONFIG REWRITE` needs the path it came from).
    pub config_path: Option<std::path::PathBuf>,
}

pub struct Core {
    pub settings: Settings,
    pub handlers: &'static Handlers,
    /// Users, and what they may do.
    pub acl: Acl,
    pub keyspace: Keyspace,
    pub(super) sessions: Vec<Option<Box<Session>>>,
    session_count: usize,
    next_id: u64,
    pub stats: Stats,
    /// By command id.
    pub command_stats: Vec<CommandStats>,
    /// Error replies by code.
    pub error_stats: BTreeMap<String, u64>,
    pub ops_rate: Rate,
    pub input_rate: Rate,
    pub output_rate: Rate,
    /// Ticks a second, and microseconds spent in them a second.
    pub cycle_rate: Rate,
    pub cycle_time_rate: Rate,
    sampled: Millis,
    /// The time of the present tick.
    pub moment: Moment,
    pub monotonic: Millis,
    pub stopwatch: Stopwatch,
    pub pubsub: PubSub,
    /// Clients that wait for keys.
    pub waiting: WaitingRoom,
    /// Keys on their way to other servers.
    pub migrations: Migrations,
    /// Keys that must not change before some client's EXEC.
    pub watched: WatchTable,
    /// Clients that cache what they read.
    pub tracking: Tracking,
    /// Clients that see every command.
    pub monitors: Vec<SessionIndex>,
    /// Whose command is running.
    pub caller: Option<SessionIndex>,
    /// Whether the present command is one of a transaction that EXEC runs.
    pub in_transaction: bool,
    pub command_logs: CommandLogs,
    pub latency: LatencyMonitor,
    pub random: fastrand::Rng,
    pub eviction: EvictionPool,
    /// Until when freed pages are still going back to the system, see [`Core::settle`].
    pub settling_until: Millis,
    pub(super) settled: Millis,
    /// Whether memory is above `maxmemory` and eviction goes on in the background.
    pub evicting: bool,
    /// Whether keys may have to be evicted when the present command is over.
    pub(super) wants_room: bool,
    /// Bytes of messages to clients about evictions since that began.
    pub(super) told_of_evictions: usize,
    pub memory_peak: usize,
    /// `maxmemory-clients` in bytes, 0 for no limit; and what all clients weigh, kept only while there is one.
    pub(super) client_limit: usize,
    pub(super) clients_weight: usize,
    /// What [`Pauses`] come to.
    pub pause: Option<Pause>,
    pub(super) pauses: Pauses,
    /// A shutdown that goes on.
    pub shutdown: Option<Box<Shutdown>>,
    pub effects: Vec<Effect>,
    /// Sessions with replies that wait for the flush.
    pub outgoing: Vec<SessionIndex>,
    /// Messages pushed to sessions so far; the executor sees by it whether a command pushed any.
    pub pushes: u64,
    /// Changes on their way out.
    pub propagation: Propagation,
    /// Changes to the keyspace since the last snapshot.
    pub dirty: u64,
    /// Whether the present command leaves access clocks alone (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// Whether the present command is a write.
    pub writing: bool,
    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION 1 lets values and files with wrong checksums pass.
    pub checksums_count: bool,
    /// DEBUG SET-ACTIVE-EXPIRE 0 leaves expired keys to whoever looks.
    pub active_expire: bool,
    /// How many items of the wheel the next slice of expiry visits.
    pub(super) expire_pace: usize,
    /// DEBUG PAUSE-CRON 1 stops the rounds of once a second.
    pub rounds_paused: bool,
    pub facts: ProcessFacts,
    /// Whether the disk or the role may forbid commands: data is being loaded, or cannot be saved, or is a primary's. One
    /// flag for the common case that nothing of the kind is so, see [`Core::note_hampering`].
    pub(super) is_hampered: bool,
    /// Files and children.
    pub host: Box<dyn Host>,
    pub snapshots: Snapshots,
    /// Cuts a save short when it becomes true.
    pub interrupt: Option<Arc<AtomicBool>>,
    pub append_only: AppendOnly,
    /// Whether the present command comes from the append-only file: what it does was done before.
    pub is_replaying: bool,
    /// The data being loaded, until which nobody gets any.
    pub loading: Option<Box<Loading>>,
    /// What came of DEBUG LOADAOF, while the command of the client that has waited for it is run again.
    pub(super) reloaded: Option<Result<(), String>>,
    pub last_load: LastLoad,
    /// The libraries of functions, once there are any.
    pub functions: Option<Box<Functions>>,
    pub replication: Replication,
    /// What expires here although this is a replica.
    pub own_deadlines: OwnDeadlines,
    pub scripts: Scripts,
    /// Whether memory was short before the present command, and no room could be made. Only kept under `maxmemory`.
    pub(super) is_out_of_room: bool,
}

impl Core {
    pub fn new(settings: Settings, now: Millis, host: Box<dyn Host>) -> Self {
        let databases = settings.databases as usize;
        let mut acl = Acl::default();
        acl.set_default_password(settings.requirepass.as_bytes());
        let mut core = Core {
            keyspace: Keyspace::new(databases),
            handlers: Handlers::shared(),
            acl,
            sessions: Vec::new(),
            session_count: 0,
            next_id: 1,
            stats: Stats::default(),
            command_stats: vec![CommandStats::default(); crate::commands::table::COMMAND_COUNT],
            error_stats: BTreeMap::new(),
            ops_rate: Rate::default(),
            input_rate: Rate::default(),
            output_rate: Rate::default(),
            cycle_rate: Rate::default(),
            cycle_time_rate: Rate::default(),
            sampled: now,
            moment: Moment::default(),
            monotonic: Millis::default(),
            stopwatch: Stopwatch::start(),
            pubsub: PubSub::default(),
            waiting: WaitingRoom::default(),
            migrations: Migrations::default(),
            watched: WatchTable::default(),
            tracking: Tracking::default(),
            monitors: Vec::new(),
            caller: None,
            in_transaction: false,
            command_logs: CommandLogs::default(),
            latency: LatencyMonitor::default(),
            random: fastrand::Rng::new(),
            eviction: EvictionPool::default(),
            settling_until: Millis(0),
            settled: Millis(0),
            evicting: false,
            wants_room: false,
            told_of_evictions: 0,
            memory_peak: 0,
            client_limit: 0,
            clients_weight: 0,
            pause: None,
            pauses: Pauses::default(),
            shutdown: None,
            effects: Vec::new(),
            outgoing: Vec::new(),
            pushes: 0,
            propagation: Propagation::default(),
            dirty: 0,
            no_touch: false,
            writing: false,
            checksums_count: true,
            active_expire: true,
            expire_pace: EXPIRE_FIRST,
            rounds_paused: false,
            facts: ProcessFacts {
                started: now,
                ..ProcessFacts::default()
            },
            is_hampered: false,
            host,
            snapshots: Snapshots::new(now),
            interrupt: None,
            append_only: AppendOnly::default(),
            is_replaying: false,
            loading: None,
            reloaded: None,
            last_load: LastLoad::default(),
            functions: None,
            replication: Replication::default(),
            own_deadlines: OwnDeadlines::default(),
            scripts: Scripts::new(settings.lua_enable_deprecated_api),
            is_out_of_room: false,
            settings,
        };
        core.replication.id = core.random_hex(40);
        core.facts.run_id = core.random_hex(40);
        core.facts.startup_bytes = crate::memory::used();
        core.apply_clock_settings();
        core.apply_client_limit();
        core.begin_tick(now, Millis(0));
        core.note_hampering();
        core
    }

    /// `digits` random hexadecimal digits: run and replication ids.
    pub fn random_hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from(b"0123456789abcdef"[self.random.usize(0..16)]))
            .collect()
    }

    /// Takes the policy's clock over into the tick's.
    pub fn apply_clock_settings(&mut self) {
        let mode = if is_lfu(self.settings.maxmemory_policy) {
            ClockMode::Lfu
        } else {
            ClockMode::Lru
        };
        let (log_factor, decay) = (self.settings.lfu_log_factor as u32, self.settings.lfu_decay_time as u32);
        self.moment.clock = AccessClock::new(mode, self.moment.now, log_factor, decay);
    }

    /// Sets the time for everything the coming tick does. `now` is Unix time; `monotonic` never goes back.
    pub fn begin_tick(&mut self, now: Millis, monotonic: Millis) {
        (self.moment.now, self.moment.expired_by) = (now, now);
        self.moment.clock.set_now(now);
        self.monotonic = monotonic;
        self.memory_peak = self.memory_peak.max(crate::memory::used());
        if self.monotonic.since(self.sampled) >= 100 {
            self.sample_rates();
        }
    }

    pub fn sample_rates(&mut self) {
        self.sampled = self.monotonic;
        self.ops_rate
            .sample(self.stats.total_commands_processed, self.monotonic);
        self.input_rate.sample(self.stats.total_net_input_bytes, self.monotonic);
        self.output_rate
            .sample(self.stats.total_net_output_bytes, self.monotonic);
        self.cycle_rate.sample(self.stats.eventloop_cycles, self.monotonic);
        self.cycle_time_rate
            .sample(self.stats.eventloop_duration_usec, self.monotonic);
    }

    /// Starts counting anew (CONFIG RESETSTAT). The memory peak and the slow log are not counts and stay.
    pub fn reset_stats(&mut self) {
        self.stats.reset();
        self.command_stats.fill(CommandStats::default());
        self.error_stats.clear();
        self.keyspace.graveyard.freed = 0;
        for rate in [&mut self.ops_rate, &mut self.input_rate, &mut self.output_rate] {
            *rate = Rate::default();
            rate.sample(0, self.monotonic);
        }
    }

    pub fn now(&self) -> Millis {
        self.moment.now
    }

    // Sessions.

    /// Makes a session at `index`, which must be free.
    pub fn open(&mut self, index: SessionIndex) -> &mut Session {
        if self.sessions.len() <= index.0 {
            self.sessions.resize_with(index.0 + 1, || None);
        }
        assert!(
            self.sessions[index.0].is_none(),
            "a session index is used once at a time"
        );
        let id = ClientId(self.next_id);
        self.next_id += 1;
        self.session_count += 1;
        self.stats.total_connections_received += 1;
        let mut session = Box::new(Session::new(id, index, self.moment.now));
        session.user = Some(self.acl.beginner());
        session.authenticated = !self.acl.asks_password();
        self.sessions[index.0].insert(session)
    }

    /// Gives a session without a connection a place, until [`Core::unseat`]: no session may be opened meanwhile.
    pub(super) fn seat(&mut self, mut session: Box<Session>) -> SessionIndex {
        let index = SessionIndex(self.sessions.len());
        session.index = index;
        self.sessions.push(Some(session));
        index
    }

    /// Takes the session that was seated last out of its place.
    pub(super) fn unseat(&mut self) -> Option<Box<Session>> {
        self.sessions.pop().flatten()
    }

    /// Forgets a session and everything it was subscribed to.
    pub fn close(&mut self, index: SessionIndex) {
        self.let_go(index);
        if let Some(session) = self.sessions.get_mut(index.0).and_then(Option::take) {
            self.session_count -= 1;
            self.clients_weight -= session.weight;
        }
    }

    #[inline]
    pub fn session(&mut self, index: SessionIndex) -> &mut Session {
        self.sessions[index.0]
            .as_mut()
            .expect("the reactor runs commands of open sessions only")
    }

    pub fn find_session(&mut self, index: SessionIndex) -> Option<&mut Session> {
        self.sessions.get_mut(index.0).and_then(Option::as_deref_mut)
    }

    /// The database a session has selected.
    pub fn database_of(&self, index: SessionIndex) -> usize {
        self.sessions[index.0]
            .as_ref()
            .map_or(0, |session| session.database as usize)
    }

    pub fn session_count(&self) -> usize {
        self.session_count
    }

    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter_map(Option::as_deref)
    }

    pub fn sessions_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut().filter_map(Option::as_deref_mut)
    }

    /// Puts a session on the list of those to be flushed.
    #[inline]
    pub fn mark_outgoing(&mut self, index: SessionIndex) {
        let session = self.session(index);
        if !session.has_output {
            session.has_output = true;
            self.outgoing.push(index);
        }
    }

    /// Asks for a session's connection to be closed; at once if `doomed`, else behind its replies.
    pub fn ask_close(&mut self, index: SessionIndex, doomed: bool) {
        let Some(session) = self.find_session(index) else {
            return;
        };
        session.closing = true;
        session.doomed |= doomed;
        if doomed {
            // Its replies go with it; nobody else is to be evicted for them.
            session.reply.bytes = Vec::new();
            session.blocks = Vec::new();
            let weight = std::mem::take(&mut session.weight);
            self.clients_weight -= weight;
        }
        self.effects.push(Effect::Close(index));
        if doomed {
            self.let_go(index);
        }
    }

    /// Takes a session out of everything that would still reach it: nothing may be given to a client that is gone.
    fn let_go(&mut self, index: SessionIndex) {
        self.unsubscribe_all(index);
        self.stop_waiting(index);
        self.end_transaction(index);
        self.untrack(index);
        self.stop_monitoring(index);
        self.forget_replica(index);
        if self.replication.is_primary(index) {
            self.link_lost();
        }
    }

    /// Whether `what` holds for a command, or for any of those that it would run as EXEC.
    pub fn runs_any(&mut self, index: SessionIndex, spec: &CommandSpec, what: impl Fn(&CommandSpec) -> bool) -> bool {
        let transaction = &self.session(index).transaction;
        what(spec) || (spec.name == "exec" && transaction.as_ref().is_some_and(|transaction| transaction.any(what)))
    }

    /// Whether a session has to authenticate before it may run ordinary commands.
    #[inline]
    pub fn must_authenticate(&mut self, index: SessionIndex) -> bool {
        // A password may be taken back after a client came that never gave it.
        self.acl.asks_password() && !self.session(index).authenticated
    }

    /// Notes from which deadline on keys are gone to the session that runs. What the primary has not deleted yet was there
    /// when its next request was made; and who copies data here must find what the other server still has.
    #[inline]
    pub fn note_what_is_gone(&mut self, index: SessionIndex) {
        if self.is_replaying && !self.replication.is_primary(index) {
            return;
        }
        let is_all_there =
            self.replication.is_primary(index) || self.settings.import_mode && self.session(index).imports;
        self.moment.expired_by = if is_all_there { Millis::MIN } else { self.moment.now };
    }

    /// Whether nothing expires or is evicted here while another server's data are copied in, see `import-mode`.
    pub fn is_importing(&self) -> bool {
        self.settings.import_mode && !self.replication.is_replica()
    }

    /// From which deadline on a key goes as soon as it is given one. For whoever plays what another did nothing is past: the
    /// other says what goes, and when.
    pub fn gone_by(&self) -> Millis {
        if self.is_importing() {
            Millis::MIN
        } else {
            self.moment.expired_by
        }
    }

    /// To be called whenever one of those reasons comes or goes.
    pub fn note_hampering(&mut self) {
        let by_role = self.replication.is_replica() || self.settings.min_replicas_to_write > 0;
        self.is_hampered =
            by_role || self.loading.is_some() || !self.snapshots.is_ok || self.append_only.error().is_some();
    }

    // Lookups.

    /// The entry of `key` for a command that reads it: counted as a hit or miss, its access clock moved.
    #[inline]
    pub fn read(&mut self, database: usize, key: Key<'_>) -> Option<EntryRef<'_>> {
        if self.drop_if_expired(database, key) {
            self.stats.keyspace_misses += 1;
            self.notify(Class::KEY_MISS, "keymiss", key.bytes, database);
            return None;
        }
        if self.settings.notify_keyspace_events.contains(Class::KEY_MISS) {
            self.notify_if_missing(database, key);
        }
        let (moment, random) = (&self.moment, &mut self.random);
        let Some(entry) = self.keyspace.db(database).find(key) else {
            self.stats.keyspace_misses += 1;
            return None;
        };
        self.stats.keyspace_hits += 1;
        if !self.no_touch {
            Database::touch(entry, &moment.clock, || random.u32(..));
        }
        Some(entry)
    }

    /// Looks at an entry for a command that asks about the key, not for its value (EXISTS, TYPE, TTL): counted as a hit
    /// or miss, but no access.
    pub fn inspect<R>(&mut self, database: usize, key: Key<'_>, look: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        let seen = self.peek(database, key).map(look);
        self.count_lookup(seen.is_some());
        if seen.is_none() {
            self.notify(Class::KEY_MISS, "keymiss", key.bytes, database);
        }
        seen
    }

    /// Counts a lookup that was made with [`Core::peek`].
    pub fn count_lookup(&mut self, found: bool) {
        match found {
            true => self.stats.keyspace_hits += 1,
            false => self.stats.keyspace_misses += 1,
        }
    }

    #[cold]
    fn notify_if_missing(&mut self, database: usize, key: Key<'_>) {
        if self.keyspace.db(database).find(key).is_none() {
            self.notify(Class::KEY_MISS, "keymiss", key.bytes, database);
        }
    }

    /// The entry of `key` without a trace.
    pub fn peek(&mut self, database: usize, key: Key<'_>) -> Option<EntryRef<'_>> {
        if self.drop_if_expired(database, key) {
            return None;
        }
        self.keyspace.db(database).find(key)
    }

    /// The entry of `key` for a command that changes it.
    #[inline]
    pub fn write(&mut self, database: usize, key: Key<'_>) -> Option<EntryMut<'_>> {
        self.drop_if_expired(database, key);
        let (moment, random) = (&self.moment, &mut self.random);
        let entry = self.keyspace.db_mut(database).find_mut(key)?;
        if !self.no_touch {
            Database::touch(entry.as_ref(), &moment.clock, || random.u32(..));
        }
        Some(entry)
    }

    /// Whether `key` is there, unexpired.
    pub fn exists(&mut self, database: usize, key: Key<'_>) -> bool {
        self.peek(database, key).is_some()
    }

    /// Deletes a key whose time has come but which the wheel has not reached. The common case costs one lookup that the
    /// caller would make anyway, only when volatile keys exist at all. True if the key is past its deadline but has to
    /// stay, see [`Core::expire_now`]; to the command it is not there.
    #[inline]
    fn drop_if_expired(&mut self, database: usize, key: Key<'_>) -> bool {
        self.keyspace.db(database).has_deadlines() && self.drop_if_due(database, key)
    }

    #[inline(never)]
    fn drop_if_due(&mut self, database: usize, key: Key<'_>) -> bool {
        let expired_by = self.moment.expired_by;
        let Some(entry) = self.keyspace.db(database).find(key) else {
            return false;
        };
        if entry.deadline().is_some_and(|at| at <= expired_by) {
            return !self.expire_now(database, key);
        }
        entry.field_due().is_some_and(|at| at <= expired_by) && !self.expire_fields_now(database, key)
    }

    /// Removes a few fields that are past their deadlines from a hash that a command is about to look at, and the key if
    /// that was all. The others are hidden from the command by the view it gets. False if no field lives and yet they
    /// must stay, as in [`Core::expire_now`].
    #[cold]
    fn expire_fields_now(&mut self, database: usize, key: Key<'_>) -> bool {
        let now = self.moment.now;
        if self.expiry_paused() && !self.writing {
            let entry = self.keyspace.db(database).find(key);
            return !entry.is_some_and(|entry| entry.all_fields_due(now));
        }
        self.remove_due_fields(database, key);
        true
    }

    fn remove_due_fields(&mut self, database: usize, key: Key<'_>) {
        let now = self.moment.now;
        let named = self.propagation.is_on;
        let (db, graveyard) = self.keyspace.write(database);
        let (mut fields, mut gone) = (0, None);
        db.expire_fields(key, now, FIELDS_IN_PASSING, named, graveyard, |expired| {
            if let Expired::Fields { count, .. } = &expired {
                fields += count;
            }
            gone = Some(Gone::of(expired));
        });
        self.stats.expired_subkeys += fields as u64;
        if let Some(gone) = gone {
            self.tell_expired(database, key.bytes, gone);
        }
    }

    /// Removes those of `fields` that are past their deadlines, for a command that is about to write them. With more
    /// overdue than are removed in passing they may still be there, and the command's record would mean something else to
    /// whoever does not know the time.
    #[inline]
    pub fn expire_named<'f>(&mut self, database: usize, key: Key<'_>, fields: impl Iterator<Item = &'f [u8]>) {
        if self.keyspace.db(database).timed() > 0 && !self.drop_if_expired(database, key) {
            self.expire_named_now(database, key, fields);
        }
    }

    fn expire_named_now<'f>(&mut self, database: usize, key: Key<'_>, fields: impl Iterator<Item = &'f [u8]>) {
        let (db, _) = self.keyspace.write(database);
        let names = db.expire_named(key, self.moment.expired_by, fields);
        if !names.is_empty() {
            self.stats.expired_subkeys += names.len() as u64;
            self.tell_expired(database, key.bytes, Gone::Fields(names));
        }
    }

    /// Deletes a key that a command has found past its deadline before the wheel has. False if it stays: while writes are
    /// paused the data must not change, so only a command that writes (and was let through) lets keys expire.
    #[cold]
    pub fn expire_now(&mut self, database: usize, key: Key<'_>) -> bool {
        if self.expiry_paused() && !self.writing {
            return false;
        }
        self.expire_regardless(database, key);
        true
    }

    /// Deletes a key past its deadline, or a few fields that are past theirs.
    pub(super) fn expire_regardless(&mut self, database: usize, key: Key<'_>) {
        let entry = self.keyspace.db(database).find(key);
        if entry.is_some_and(|entry| entry.deadline().is_none_or(|at| at > self.moment.now)) {
            return self.remove_due_fields(database, key);
        }
        let (db, graveyard) = self.keyspace.write(database);
        db.remove(key, graveyard);
        self.stats.expired_keys += 1;
        self.tell_expired(database, key.bytes, Gone::Key);
    }

    /// The database, the graveyard and the moment, for a write.
    #[inline]
    pub fn writer(&mut self, database: usize) -> (&mut Database, &mut Graveyard, &Moment) {
        let (db, graveyard) = self.keyspace.write(database);
        (db, graveyard, &self.moment)
    }

    /// Deletes `key`; false if it was not there.
    pub fn delete(&mut self, database: usize, key: Key<'_>) -> bool {
        let (db, graveyard) = self.keyspace.write(database);
        db.remove(key, graveyard)
    }

    /// Deletes `key` for a command that counts deletions: a key past its deadline expires instead, and does not count.
    pub fn delete_live(&mut self, database: usize, key: Key<'_>) -> bool {
        self.drop_if_expired(database, key);
        self.delete(database, key)
    }

    /// Sets or clears a key's deadline; false if there is no such key.
    pub fn set_deadline(&mut self, database: usize, key: Key<'_>, deadline: Option<Millis>) -> bool {
        let (db, _, moment) = self.writer(database);
        db.set_deadline(key, deadline, moment.now)
    }

    /// A random 64-bit source for the keyspace.
    pub fn random_source(random: &mut fastrand::Rng) -> impl FnMut() -> u64 + '_ {
        || random.u64(..)
    }

    pub fn stats_of(&mut self, id: CommandId) -> &mut CommandStats {
        &mut self.command_stats[usize::from(id)]
    }

    /// Counts an error reply.
    pub fn count_error(&mut self, spec: Option<&'static CommandSpec>, code: &[u8], rejected: bool) {
        self.stats.total_error_replies += 1;
        let mut code = String::from_utf8_lossy(code);
        // Scripts make up codes of their own, and shall not fill the memory with them.
        let may_be_made_up = spec.is_some_and(|spec| spec.flags.contains(Flag::SkipMonitor));
        if may_be_made_up && self.error_stats.len() >= ERROR_CODES && !self.error_stats.contains_key(&*code) {
            code = "ERRORSTATS_OVERFLOW".into();
        }
        *self.error_stats.entry(code.into_owned()).or_default() += 1;
        let Some(spec) = spec else { return };
        let stats = self.stats_of(spec.id);
        match rejected {
            true => stats.rejected += 1,
            false => stats.failed += 1,
        }
    }
}
