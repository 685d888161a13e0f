//! When snapshots are saved, by whom, and what became of them.
//!
//! SAVE writes the file while everybody waits. BGSAVE forks: the child has memory as it was and writes it while the
//! parent goes on; the price is the fork itself and a copy of every page that either writes to meanwhile. Save points
//! start one by themselves.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::core::Core;
use super::replication::primary::Parts;
use super::stopwatch::{Stopwatch, Ticks};
use crate::config::REDIS_VERSION;
use crate::config::Settings;
use crate::config::choice::MaxmemoryPolicy;
use crate::host::{Exit, Host, Pipe, Progress};
use crate::keyspace::Keyspace;
use crate::keyspace::database::Moment;
use crate::keyspace::evict::is_lfu;
use crate::persistence::rdb::Version;
use crate::persistence::rdb::encode::Options;
use crate::persistence::rdb::writer::FileOptions;
use crate::persistence::snapshot::{self, Facts};
use crate::scripting::functions::Functions;
use crate::timer::Millis;
use crate::{log, memory};

/// How long to wait after a background save that failed before a save point starts the next, in ms.
const RETRY_DELAY: i64 = 5000;

/// Bytes that a child hands over at a time.
const PIPE_BLOCK: usize = 64 * 1024;

/// A snapshot that a child is writing.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub started: Millis,
    /// Changes that it holds.
    dirty: u64,
    /// Keys it will have written in the end.
    pub keys: u64,
    pub progress: Progress,
    /// When the child last told of itself.
    pub told: Millis,
}

/// What is known of snapshots.
#[derive(Debug)]
pub struct Snapshots {
    /// When the last one was whole.
    pub last_save: Millis,
    /// When the last background save began.
    last_try: Millis,
    /// Whether the last background save succeeded.
    pub is_ok: bool,
    /// How long it took, in ms.
    pub last_duration: Option<i64>,
    pub running: Option<Running>,
    /// Whether one is to start as soon as there is no other child.
    pub is_scheduled: bool,
    /// Whether the one that runs is for replicas too, and whether it goes to them and to no file.
    pub is_for_replicas: bool,
    pub(super) is_piped: bool,
    /// Snapshots saved.
    pub saves: u64,
    /// Bytes that the last child did not share with its parent in the end, and the most any had.
    pub last_copied: u64,
    pub most_copied: u64,
    pub forks: u64,
    /// How long the last fork took, in us.
    pub fork_micros: u64,
}

impl Snapshots {
    pub fn new(now: Millis) -> Self {
        Snapshots {
            last_save: now,
            last_try: Millis(0),
            is_ok: true,
            last_duration: None,
            running: None,
            is_scheduled: false,
            is_for_replicas: false,
            is_piped: false,
            saves: 0,
            last_copied: 0,
            most_copied: 0,
            forks: 0,
            fork_micros: 0,
        }
    }
}

impl Core {
    pub fn snapshot_path(&self) -> PathBuf {
        self.settings.dbfilename.as_path().to_owned()
    }

    /// Saves a snapshot while everybody waits. O(bytes of all keys).
    ///
    /// # Errors
    /// What the disk says, which is logged.
    pub fn save(&mut self) -> io::Result<()> {
        let path = self.snapshot_path();
        let history = self.history();
        let mut facts = Facts {
            interrupt: self.interrupt.as_deref(),
            ..facts(
                &self.settings,
                &self.moment,
                self.functions.as_deref(),
                &self.keyspace,
                false,
            )
        };
        facts.aux.extend(history);
        let saved = snapshot::save(&mut *self.host, &path, &self.keyspace, &facts, &mut |_| {});
        if let Err(error) = saved {
            log::warning(&format!("Error saving the DB on disk ({}): {error}", path.display()));
            return Err(error);
        }
        log::notice("DB saved on disk");
        self.snapshots.last_save = self.moment.now;
        self.snapshots.is_ok = true;
        self.note_hampering();
        self.snapshots.saves += 1;
        self.dirty = 0;
        Ok(())
    }

    /// Whether a child is at work, or is about to be: there is one at a time.
    pub fn has_child(&self) -> bool {
        self.host.child().is_some() || self.append_only.rewriting.is_some()
    }

    /// Starts a snapshot in a child.
    ///
    /// # Errors
    /// What the system says when it cannot fork, which is logged and counts as a failed save.
    pub fn save_in_background(&mut self) -> io::Result<()> {
        let path = self.snapshot_path();
        let started = Stopwatch::read();
        let history = self.history();
        let mut facts = facts(
            &self.settings,
            &self.moment,
            self.functions.as_deref(),
            &self.keyspace,
            false,
        );
        facts.aux.extend(history);
        let keyspace = &self.keyspace;
        let forked = self
            .host
            .fork(&mut |host, tell| save_as_child(host, &path, keyspace, &facts, tell));
        self.snapshots.last_try = self.moment.now;
        if let Err(error) = forked {
            self.snapshots.is_ok = false;
            self.note_hampering();
            log::warning(&format!("Can't save in background: fork: {error}"));
            return Err(error);
        }
        self.note_running(started);
        let child = self.host.child().unwrap_or_default();
        log::notice(&format!("Background saving started by pid {child}"));
        Ok(())
    }

    /// Starts a snapshot of these parts in a child that hands it over through a pipe.
    ///
    /// # Errors
    /// What the system says when it cannot fork.
    pub(super) fn snapshot_through_pipe(&mut self, parts: Parts) -> io::Result<Box<dyn Pipe>> {
        let started = Stopwatch::read();
        let history = self.history();
        let mut facts = facts(
            &self.settings,
            &self.moment,
            self.functions.as_deref(),
            &self.keyspace,
            false,
        );
        facts.aux.extend(history);
        if !parts.functions {
            facts.functions.clear();
        }
        let keyspace = parts.keys.then_some(&self.keyspace);
        let pipe = self.host.fork_piped(&mut |host, tell| {
            let out = io::BufWriter::with_capacity(PIPE_BLOCK, host.parent()?);
            snapshot::write_to(out, keyspace, &facts, tell)?.flush()
        })?;
        self.snapshots.is_piped = true;
        self.note_running(started);
        let child = self.host.child().unwrap_or_default();
        log::notice(&format!("Background RDB transfer started by pid {child}"));
        Ok(pipe)
    }

    fn note_running(&mut self, started: Ticks) {
        self.count_fork(started);
        let keys = self.keyspace.databases().map(|(_, db)| db.len() as u64).sum();
        self.snapshots.running = Some(Running {
            started: self.moment.now,
            dirty: self.dirty,
            keys,
            progress: Progress::default(),
            told: self.moment.now,
        });
    }

    pub(super) fn count_fork(&mut self, started: Ticks) {
        let nanos = self.stopwatch.nanos(Stopwatch::read().since(started));
        self.snapshots.forks += 1;
        self.snapshots.fork_micros = nanos / 1000;
        let threshold = self.settings.latency_monitor_threshold as u64;
        self.latency
            .note("fork", self.moment.now.as_secs(), nanos / 1_000_000, threshold);
    }

    /// Hears what the child has to tell, and notes its end.
    pub fn look_at_child(&mut self) {
        let news = self.host.child_news();
        let now = self.moment.now;
        if self.append_only.rewriting.is_some() {
            return self.hear_of_rewriter(news);
        }
        let Some(running) = &mut self.snapshots.running else {
            return;
        };
        if let Some(progress) = news.progress {
            (running.progress, running.told) = (progress, now);
            self.snapshots.most_copied = self.snapshots.most_copied.max(progress.copied);
        }
        let ended = *running;
        if let Some(exit) = news.exit {
            self.snapshots.running = None;
            self.snapshots.last_copied = ended.progress.copied;
            self.snapshots.last_duration = Some(now.since(ended.started));
            match std::mem::take(&mut self.snapshots.is_piped) {
                true => log::notice(match exit {
                    Exit::Done => "Background RDB transfer terminated with success",
                    _ => "Background transfer error",
                }),
                false => self.snapshot_ended(exit, ended),
            }
            self.snapshot_for_replicas_ended(exit == Exit::Done);
            self.note_hampering();
        }
    }

    fn snapshot_ended(&mut self, exit: Exit, running: Running) {
        match exit {
            Exit::Done => {
                log::notice("Background saving terminated with success");
                self.dirty = self.dirty.saturating_sub(running.dirty);
                self.snapshots.last_save = self.moment.now;
                self.snapshots.is_ok = true;
                self.snapshots.saves += 1;
            }
            Exit::Failed => {
                log::warning("Background saving error");
                self.snapshots.is_ok = false;
            }
            Exit::Stopped => log::warning("Background saving terminated by us"),
            Exit::Killed(signal) => {
                log::warning(&format!("Background saving terminated by signal {signal}"));
                self.snapshots.is_ok = false;
            }
        }
    }

    /// Starts what save points or BGSAVE SCHEDULE ask for. Asked once a second.
    pub fn save_when_due(&mut self) {
        if self.has_child() || self.loading.is_some() || self.scripts.is_running() {
            return;
        }
        let (now, state) = (self.moment.now, &self.snapshots);
        let may_try = state.is_ok || now.since(state.last_try) > RETRY_DELAY;
        if state.is_scheduled && may_try {
            if self.save_in_background().is_ok() {
                self.snapshots.is_scheduled = false;
            }
            return;
        }
        let age = now.since(state.last_save) / 1000;
        let due = self.settings.save.0.iter().find(|point| {
            let changes = u64::try_from(point.changes).unwrap_or(0);
            self.dirty >= changes && age > point.seconds
        });
        if let Some(point) = due.copied()
            && may_try
        {
            let (changes, seconds) = (point.changes, point.seconds);
            log::notice(&format!("{changes} changes in {seconds} seconds. Saving..."));
            // A failure is logged and counted; the next round tries again.
            let _ = self.save_in_background();
        }
    }

    /// Ends a background save, whose work would be in vain.
    pub fn stop_snapshot(&mut self) {
        if self.snapshots.running.is_none() {
            return;
        }
        if let Some(child) = self.host.child() {
            self.host.kill_child();
            snapshot::remove_temporary(&mut *self.host, child);
        }
    }

    /// Empties all databases at once; their memory is freed in slices later. Gives the keys there were.
    pub fn empty_keyspace(&mut self) -> usize {
        let mut keys = 0;
        for index in 0..self.keyspace.len() {
            self.before_flush(index);
            keys += self.keyspace.flush(index);
        }
        self.own_deadlines.clear();
        self.invalidate_all();
        keys
    }

    /// After FLUSHALL: a snapshot that still holds what was flushed must not outlive it, where snapshots are asked for.
    pub fn save_emptiness(&mut self) {
        self.stop_snapshot();
        if !self.settings.save.0.is_empty() {
            // A failure is logged; the keys are gone all the same.
            let _ = self.save();
        }
    }

    /// Whether writes are refused because snapshots, which the settings ask for, cannot be saved.
    #[inline]
    pub fn refuses_writes(&self) -> bool {
        !self.snapshots.is_ok && self.settings.stop_writes_on_bgsave_error && !self.settings.save.0.is_empty()
    }
}

/// What a snapshot taken now says beside the keys.
/// `is_base` says that it is the base of an append-only file.
pub(super) fn facts<'a>(
    settings: &Settings,
    moment: &Moment,
    functions: Option<&'a Functions>,
    keyspace: &Keyspace,
    is_base: bool,
) -> Facts<'a> {
    let version = Version(settings.rdb_version as u16);
    let aux = vec![
        ("redis-ver", REDIS_VERSION.into()),
        ("redis-bits", usize::BITS.to_string().into_bytes()),
        ("ctime", snapshot::seconds_text(moment.now)),
        ("used-mem", memory::used().to_string().into_bytes()),
        ("aof-base", u8::from(is_base).to_string().into_bytes()),
    ];
    Facts {
        aux,
        functions: super::functions::sources(functions),
        clock: keeps_clock(settings.maxmemory_policy).then_some(moment.clock),
        options: FileOptions {
            values: Options {
                compress: settings.rdbcompression,
                // Fields with deadlines have no older form, and a server that does not know them should say so at once.
                version: match keyspace.databases().any(|(_, db)| db.timed() > 0) {
                    true => version.max(Version::REDIS_7_4),
                    false => version,
                },
            },
            checksum: settings.rdbchecksum,
        },
        sync_often: match is_base {
            true => settings.aof_rewrite_incremental_fsync,
            false => settings.rdb_save_incremental_fsync,
        },
        key_delay: settings.rdb_key_save_delay,
        interrupt: None,
    }
}

fn keeps_clock(policy: MaxmemoryPolicy) -> bool {
    is_lfu(policy) || matches!(policy, MaxmemoryPolicy::AllkeysLru | MaxmemoryPolicy::VolatileLru)
}

/// What the child does: saves, and says what it cost.
fn save_as_child(
    host: &mut dyn Host,
    path: &Path,
    keyspace: &Keyspace,
    facts: &Facts<'_>,
    tell: &mut dyn FnMut(u64),
) -> io::Result<()> {
    snapshot::save(host, path, keyspace, facts, tell)?;
    log::notice("DB saved on disk");
    Ok(())
}
