//! MIGRATE: keys on their way to another server.
//!
//! The keys are sent as RESTOREs and deleted here as the target confirms them. Redis stops for all that time. Here the
//! client waits like one of BLPOP, and everybody else is served, but for writes to keys that are on their way
//! ([`Core::is_migrating`]): those are held back, since what they change would be lost with the key.
//!
//! The core speaks through a *channel*, a connection to another server that the reactor opens, writes and reads
//! ([`Order`]); channels have numbers, which are never used twice. What comes of one is told by [`Core::channel_opened`],
//! [`Core::channel_written`], [`Core::channel_heard`] and [`Core::channel_lost`]. When all replies are there, or cannot
//! come any more, the command runs again and finds the [`Outcome`].
//!
//! A channel that has served stays open for a while, for the next MIGRATE to the same place. The target may have closed
//! it meanwhile, so a failure before the first reply is tried once more over a new one.

use std::collections::BTreeMap;

use super::core::{Core, Effect};
use super::session::SessionIndex;
use crate::commands::table::CommandSpec;
use crate::commands::table::flags::Flag;
use crate::commands::table::keys::keys_into;
use crate::resp::request::Args;
use crate::timer::Millis;

/// How long a channel is kept that nobody uses, in ms.
const KEPT: i64 = 10_000;
/// Channels kept at most.
const KEPT_MAX: usize = 64;
/// Bytes of a reply at most. A target has only `+OK` and errors to say.
const REPLY_MAX: usize = 4096;

/// A connection to another server, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub usize);

/// What the reactor is to do with a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Open it to this host and port.
    Dial(String, u16),
    /// Write this, behind what was to be written before.
    Send(Vec<u8>),
    Close,
}

/// Where keys go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub host: String,
    pub port: u16,
}

/// What is to be sent, and how its replies are to be taken.
pub struct Cargo {
    pub target: Target,
    /// Of the target.
    pub database: i64,
    /// AUTH with its arguments, encoded; empty if none is needed.
    pub auth: Vec<u8>,
    /// SELECT, encoded.
    pub select: Vec<u8>,
    /// A RESTORE for each of `keys`, encoded.
    pub restores: Vec<u8>,
    pub keys: Vec<Box<[u8]>>,
    /// How long the target may be silent, in ms.
    pub patience: i64,
}

/// How a migration has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Keys that the target has.
    pub arrived: Vec<Box<[u8]>>,
    pub failure: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The target's first error, without its sign.
    Refused(Vec<u8>),
    /// There was no connection in time.
    Connecting,
    Writing,
    Reading,
}

/// One that goes on.
struct Migration {
    channel: ChannelId,
    source: usize,
    cargo: Cargo,
    is_open: bool,
    is_written: bool,
    /// Whether the channel had served before and there was no reply yet.
    may_retry: bool,
    /// Replies still to come to AUTH and SELECT, and to RESTOREs so far.
    preface: usize,
    replies: usize,
    /// The beginning of a reply.
    line: Vec<u8>,
    /// Whether AUTH or SELECT has failed: no RESTORE counts then.
    is_refused: bool,
    outcome: Outcome,
    /// On the monotonic clock.
    deadline: Millis,
}

/// A channel that nobody uses.
struct Kept {
    channel: ChannelId,
    /// The database it has selected, if that is known.
    database: Option<i64>,
    since: Millis,
}

#[derive(Default)]
pub struct Migrations {
    running: BTreeMap<SessionIndex, Migration>,
    ended: BTreeMap<SessionIndex, Outcome>,
    kept: BTreeMap<Target, Kept>,
    last_channel: usize,
}

impl Migrations {
    /// Whether no key is on its way.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether some have ended whose clients were not told.
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Channels that nobody uses (`migrate_cached_sockets`).
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    pub fn take_outcome(&mut self, index: SessionIndex) -> Option<Outcome> {
        self.ended.remove(&index)
    }

    /// When the first target has been silent for too long.
    pub fn next_due(&self) -> Option<Millis> {
        self.running.values().map(|migration| migration.deadline).min()
    }

    fn has(&self, database: usize, key: &[u8]) -> bool {
        let mut running = self.running.values();
        running.any(|migration| migration.source == database && migration.cargo.keys.iter().any(|k| **k == *key))
    }

    fn of_channel(&mut self, channel: ChannelId) -> Option<(SessionIndex, &mut Migration)> {
        let mut running = self.running.iter_mut();
        let found = running.find(|(_, migration)| migration.channel == channel);
        found.map(|(index, migration)| (*index, migration))
    }
}

impl Core {
    /// Sends keys for a client, which must then wait.
    pub fn begin_migration(&mut self, index: SessionIndex, source: usize, cargo: Cargo) {
        let kept = self.migrations.kept.remove(&cargo.target);
        let migration = self.depart(source, cargo, kept);
        self.migrations.running.insert(index, migration);
    }

    fn depart(&mut self, source: usize, cargo: Cargo, kept: Option<Kept>) -> Migration {
        let may_retry = kept.is_some();
        let (channel, selected) = match kept {
            Some(kept) => (kept.channel, kept.database),
            None => (self.dial_channel(&cargo.target), None),
        };
        let must_select = selected != Some(cargo.database);
        let select: &[u8] = if must_select { &cargo.select } else { &[] };
        let bytes = [&cargo.auth, select, &cargo.restores].concat();
        self.order(channel, Order::Send(bytes));
        Migration {
            channel,
            source,
            is_open: may_retry,
            is_written: false,
            may_retry,
            preface: usize::from(!cargo.auth.is_empty()) + usize::from(must_select),
            replies: 0,
            line: Vec::new(),
            is_refused: false,
            outcome: Outcome::default(),
            deadline: self.monotonic.saturating_add(cargo.patience),
            cargo,
        }
    }

    fn dial_channel(&mut self, target: &Target) -> ChannelId {
        self.migrations.last_channel += 1;
        let channel = ChannelId(self.migrations.last_channel);
        self.order(channel, Order::Dial(target.host.clone(), target.port));
        channel
    }

    fn order(&mut self, channel: ChannelId, order: Order) {
        self.effects.push(Effect::Channel(channel, order));
    }

    /// The channel is connected.
    pub fn channel_opened(&mut self, channel: ChannelId) {
        let now = self.monotonic;
        if let Some((_, migration)) = self.migrations.of_channel(channel) {
            migration.is_open = true;
            migration.deadline = now.saturating_add(migration.cargo.patience);
        }
    }

    /// Some of what was to be sent has been, or all of it.
    pub fn channel_written(&mut self, channel: ChannelId, all: bool) {
        let now = self.monotonic;
        if let Some((_, migration)) = self.migrations.of_channel(channel) {
            migration.is_written = all;
            migration.deadline = now.saturating_add(migration.cargo.patience);
        }
    }

    /// The other server has said this.
    pub fn channel_heard(&mut self, channel: ChannelId, bytes: &[u8]) {
        let now = self.monotonic;
        let Some((index, migration)) = self.migrations.of_channel(channel) else {
            // Nothing was asked: what it says would be taken for a later reply.
            return self.channel_lost(channel, false);
        };
        migration.deadline = now.saturating_add(migration.cargo.patience);
        match migration.take(bytes) {
            Progress::GoesOn => {}
            Progress::Whole => self.keep_channel(index),
            Progress::Nonsense => self.end_migration(index, Some(Failure::Reading)),
        }
    }

    /// The channel is closed, or could not be opened; `is_nowhere` if there is no such place.
    pub fn channel_lost(&mut self, channel: ChannelId, is_nowhere: bool) {
        self.order(channel, Order::Close);
        self.migrations.kept.retain(|_, kept| kept.channel != channel);
        let Some((index, migration)) = self.migrations.of_channel(channel) else {
            return;
        };
        // A connection that is refused is found out by whoever writes.
        let failure = match (is_nowhere, migration.is_written) {
            (true, _) => Failure::Connecting,
            (false, true) => Failure::Reading,
            (false, false) => Failure::Writing,
        };
        if !migration.may_retry {
            return self.end_migration(index, Some(failure));
        }
        if let Some(former) = self.migrations.running.remove(&index) {
            let again = self.depart(former.source, former.cargo, None);
            self.migrations.running.insert(index, again);
        }
    }

    /// All replies have come: the channel is free for others.
    fn keep_channel(&mut self, index: SessionIndex) {
        let now = self.monotonic;
        let Some(migration) = self.migrations.running.get(&index) else {
            return;
        };
        let kept = Kept {
            channel: migration.channel,
            database: migration.outcome.failure.is_none().then_some(migration.cargo.database),
            since: now,
        };
        let target = migration.cargo.target.clone();
        let surplus = match self.migrations.kept.len() < KEPT_MAX {
            true => self.migrations.kept.insert(target, kept),
            false => Some(kept),
        };
        if let Some(surplus) = surplus {
            self.order(surplus.channel, Order::Close);
        }
        self.end_migration(index, None);
    }

    /// Ends one, with its channel if that has failed.
    fn end_migration(&mut self, index: SessionIndex, failure: Option<Failure>) {
        let Some(mut migration) = self.migrations.running.remove(&index) else {
            return;
        };
        if failure.is_some() {
            self.order(migration.channel, Order::Close);
            migration.outcome.failure = failure;
        }
        self.migrations.ended.insert(index, migration.outcome);
    }

    /// Gives up what a client that waits no longer has sent. The target may have got some of it; here nothing is deleted.
    pub(super) fn abandon_migration(&mut self, index: SessionIndex) {
        if let Some(migration) = self.migrations.running.remove(&index) {
            self.order(migration.channel, Order::Close);
            self.let_held_go();
        }
        self.migrations.ended.remove(&index);
    }

    /// Tells clients what became of their keys, and ends what takes too long. O(migrations).
    #[cold]
    pub fn tend_migrations(&mut self) {
        let now = self.monotonic;
        let running = self.migrations.running.iter();
        let late: Vec<_> = running
            .filter(|(_, migration)| migration.deadline < now)
            .map(|(index, migration)| (*index, migration.stage()))
            .collect();
        for (index, stage) in late {
            self.end_migration(index, Some(stage));
        }
        // What arrived is deleted between scripts, not within one, and not from data that are still loaded.
        if !self.migrations.has_ended() || self.scripts.is_running() || self.is_loading() {
            return;
        }
        let ended: Vec<_> = self.migrations.ended.keys().copied().collect();
        for index in ended {
            self.run_again(index);
        }
        self.let_held_go();
    }

    /// Closes channels that were not used for long. Asked once a second.
    pub(super) fn tend_channels(&mut self) {
        let now = self.monotonic;
        let is_stale = |kept: &Kept| now.since(kept.since) > KEPT;
        let stale: Vec<_> = self.migrations.kept.values().filter(|kept| is_stale(kept)).collect();
        let stale: Vec<_> = stale.into_iter().map(|kept| kept.channel).collect();
        for channel in stale {
            self.channel_lost(channel, false);
        }
    }

    /// Whether a command would write to a key that is on its way, or may.
    #[cold]
    pub(super) fn is_migrating(&mut self, index: SessionIndex, spec: &'static CommandSpec, args: Args<'_>) -> bool {
        let may_write = |spec: &CommandSpec| spec.flags.contains(Flag::Write) || runs_others(spec);
        if self.replication.is_primary(index) || !self.runs_any(index, spec, may_write) {
            return false;
        }
        let mut found = Vec::new();
        let words = args.to_vec();
        let is_clear = !runs_others(spec) && spec.name != "exec" && keys_into(spec, &words, &mut found).is_ok();
        if !is_clear || found.is_empty() {
            return true;
        }
        let database = self.session(index).database as usize;
        found.iter().any(|key| self.migrations.has(database, words[key.index]))
    }

    /// Whether the session waits for another server.
    pub fn is_session_migrating(&self, index: SessionIndex) -> bool {
        self.migrations.running.contains_key(&index)
    }
}

/// Whether a command runs others, which may write what it does not name.
fn runs_others(spec: &CommandSpec) -> bool {
    matches!(spec.name, "eval" | "evalsha" | "fcall")
}

/// How far the replies have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    GoesOn,
    Whole,
    /// That was no reply to what was asked.
    Nonsense,
}

impl Migration {
    /// What a target that is silent has not done.
    fn stage(&self) -> Failure {
        match (self.is_open, self.is_written) {
            (false, _) => Failure::Connecting,
            (true, false) => Failure::Writing,
            (true, true) => Failure::Reading,
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Progress {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if self.replies == self.cargo.keys.len() || !self.take_line(line) {
                return Progress::Nonsense;
            }
        }
        self.line.extend_from_slice(bytes);
        match self.replies == self.cargo.keys.len() {
            true if self.line.is_empty() => Progress::Whole,
            false if self.line.len() <= REPLY_MAX => Progress::GoesOn,
            _ => Progress::Nonsense,
        }
    }

    /// Takes a reply; false if it is none.
    fn take_line(&mut self, line: &[u8]) -> bool {
        self.may_retry = false;
        let error = match line.split_first() {
            Some((b'+', _)) => None,
            Some((b'-', text)) => Some(text),
            _ => return false,
        };
        if let Some(text) = error
            && self.outcome.failure.is_none()
        {
            self.outcome.failure = Some(Failure::Refused(text.to_vec()));
        }
        if self.preface > 0 {
            self.preface -= 1;
            self.is_refused |= error.is_some();
            return true;
        }
        if error.is_none() && !self.is_refused {
            self.outcome.arrived.push(self.cargo.keys[self.replies].clone());
        }
        self.replies += 1;
        true
    }
}
