//! The append-only file as the core keeps it: what is written when, when it is rewritten, and what is refused while the
//! disk fails.
//!
//! What the commands of a tick have changed is written in one piece at the tick's end, before any of their replies leaves
//! ([`Core::propagate`]). Under `appendfsync always` it is synced there too, so a reply means that the change outlasts
//! a crash of the machine. Under `everysec` a thread syncs once a second; while it does, nothing is written, since a write
//! to a file being synced may wait for the disk and everybody with it.

mod rewriting;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::rewriting::{Rewriting, write_synced};
use super::core::{Core, Effect};
use super::session::{ClientId, SessionIndex};
use super::stopwatch::Stopwatch;
use crate::config::choice::AppendFsync;
use crate::format::reason;
use crate::host::{Host, Output};
use crate::keyspace::Keyspace;
use crate::log;
use crate::persistence::aof::Manifest;
use crate::persistence::aof::manifest::LogFile;
use crate::persistence::aof::rewrite;
use crate::persistence::snapshot::{self, Facts, SyncedOften};
use crate::timer::Millis;

/// How long writes may wait for a sync, in ms: then they are made all the same, and may wait for the disk.
const LONGEST_WAIT: i64 = 2000;
/// From how many failures in a row on automatic rewrites are put off, and by how much after the first of these, in ms.
const FAILURES_BEFORE_DELAY: u32 = 3;
const FIRST_DELAY: i64 = 60_000;
const LONGEST_DELAY: i64 = 60 * 60_000;

/// Whether changes are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Off,
    /// Switched on, but the log is of no use before its first base is written. Changes are recorded from when that is begun, to
    /// a file that no manifest names.
    Waiting,
    On,
}

/// A file that nothing is appended to any more.
struct Closing {
    file: Box<dyn Output>,
    is_unsynced: bool,
    is_syncing: bool,
}

impl Closing {
    /// Hears of the sync that goes on, and begins the one that is still needed.
    fn tend(&mut self) -> io::Result<()> {
        if self.is_syncing
            && let Some(outcome) = self.file.sync_outcome()
        {
            self.is_syncing = false;
            // One that failed is tried again in a second.
            self.is_unsynced |= outcome.is_err();
            outcome?;
        }
        if self.is_unsynced && !self.is_syncing {
            self.file.begin_sync()?;
            (self.is_syncing, self.is_unsynced) = (true, false);
        }
        Ok(())
    }
}

/// The log and what is known of it.
pub struct AppendOnly {
    pub state: State,
    /// Whether changes are recorded for it.
    pub is_recording: bool,
    manifest: Manifest,
    /// The increment that is appended to, where it is, and its bytes.
    file: Option<Box<dyn Output>>,
    path: PathBuf,
    file_size: u64,
    /// Increments that were appended to before and are not synced yet: they come first.
    closing: Vec<Closing>,
    /// Records that are not written yet.
    pub pending: Vec<u8>,
    /// Since when they wait for a sync, on the monotonic clock.
    waiting_since: Option<Millis>,
    /// Whether something was written since the last sync began, and whether one goes on.
    is_unsynced: bool,
    pub is_syncing: bool,
    /// Up to where among all records they are in `pending` or behind it, written, synced, and synced once the sync that
    /// goes on has ended.
    gathered: u64,
    written: u64,
    synced: u64,
    syncing: u64,
    /// Whether those who wait for a write to be safe are still to be told that something has changed.
    has_news: bool,
    /// Writes that were made although a sync went on.
    pub delayed: u64,
    /// How long to sleep before a write (DEBUG AOF-FLUSH-SLEEP), for tests of slow disks.
    pub write_delay: Duration,
    /// Why the last write failed, and the last sync aside. A write that succeeds says nothing about syncs.
    write_error: Option<String>,
    sync_error: Option<String>,
    /// Bytes of all files, and of all of them when the last base was written.
    pub size: u64,
    pub base_size: u64,
    pub rewriting: Option<Rewriting>,
    /// The client that has asked for the rewrite that is being prepared, and waits.
    asker: Option<(SessionIndex, ClientId)>,
    /// While its command is run again: whether the rewrite has begun.
    pub begun: Option<io::Result<()>>,
    pub is_scheduled: bool,
    pub is_rewrite_ok: bool,
    /// How long the last rewrite took, in ms.
    pub last_duration: Option<i64>,
    pub last_copied: u64,
    pub rewrites: u64,
    pub failures: u32,
    /// Until when no rewrite begins by itself, and how long that was to be, in ms.
    held_back_until: Option<Millis>,
    delay: i64,
    /// The second that the last annotation told.
    last_timestamp: i64,
}

impl Default for AppendOnly {
    fn default() -> Self {
        AppendOnly {
            state: State::Off,
            is_recording: false,
            manifest: Manifest::default(),
            file: None,
            closing: Vec::new(),
            path: PathBuf::new(),
            file_size: 0,
            pending: Vec::new(),
            waiting_since: None,
            is_unsynced: false,
            is_syncing: false,
            gathered: 0,
            written: 0,
            synced: 0,
            has_news: false,
            syncing: 0,
            delayed: 0,
            write_delay: Duration::ZERO,
            write_error: None,
            sync_error: None,
            size: 0,
            base_size: 0,
            rewriting: None,
            asker: None,
            begun: None,
            is_scheduled: false,
            is_rewrite_ok: true,
            last_duration: None,
            last_copied: 0,
            rewrites: 0,
            failures: 0,
            held_back_until: None,
            delay: 0,
            last_timestamp: 0,
        }
    }
}

impl AppendOnly {
    /// Why writes of clients are refused, if they are: what they change could not be kept.
    pub fn error(&self) -> Option<&str> {
        self.write_error.as_deref().or(self.sync_error.as_deref())
    }
}

/// The temporary name of the manifest, which is written beside and renamed.
const TEMPORARY: &str = "temp-";

impl Core {
    /// Where a file of the log is.
    pub(super) fn log_path(&self, name: &str) -> PathBuf {
        self.settings.appenddirname.as_path().join(name)
    }

    pub(super) fn manifest_name(&self) -> String {
        format!("{}.manifest", self.settings.appendfilename)
    }

    /// Takes over the manifest from which the data was loaded, and begins to append. With no manifest yet a base is made
    /// of the data there is.
    ///
    /// # Errors
    /// What the disk says; the server must not go on as if changes were kept.
    pub fn open_log(&mut self, manifest: Manifest, size: u64) -> Result<(), String> {
        let told = |what: &str, error: &io::Error| format!("{what}: {}", reason(error));
        self.append_only.manifest = manifest;
        self.append_only.size = size;
        self.append_only.base_size = size;
        self.host
            .create_directory(self.settings.appenddirname.as_path())
            .map_err(|error| told("Can't open or create append-only dir", &error))?;
        self.remove_log_leftovers();
        if self.append_only.manifest.is_empty() {
            self.write_first_base()
                .map_err(|error| told("Can't write the first base of the append-only file", &error))?;
        }
        self.continue_increment()
            .map_err(|error| told("Can't open the append-only file", &error))?;
        self.remove_history();
        self.append_only.state = State::On;
        self.start_recording();
        Ok(())
    }

    /// Removes what a crash has left under a temporary name. A base or an increment that no manifest names stays until the
    /// next of its number takes its place: it may be all there is when the manifest is the wrong one.
    fn remove_log_leftovers(&mut self) {
        for name in [format!("{TEMPORARY}{}", self.manifest_name()), self.waiting_name()] {
            if self.host.remove(&self.log_path(&name)).is_ok() {
                log::notice(&format!("Removed {name}, left behind by a process that is no more"));
            }
        }
    }

    fn start_recording(&mut self) {
        self.append_only.is_recording = true;
        self.note_recording();
        self.propagation.forget_database();
    }

    /// How the settings want a base to be written.
    fn base_form(&self) -> Form {
        match self.settings.aof_use_rdb_preamble {
            true => Form::Snapshot,
            false => Form::Requests(self.settings.aof_timestamp_enabled.then_some(self.moment.now.as_secs())),
        }
    }

    fn write_first_base(&mut self) -> io::Result<()> {
        let form = self.base_form();
        let base = self.base_file(matches!(form, Form::Snapshot));
        log::notice(&format!("Creating AOF base file {} on server start", base.name));
        let (path, temporary) = (self.log_path(&base.name), snapshot_temporary(&*self.host));
        let facts = super::snapshots::facts(
            &self.settings,
            &self.moment,
            self.functions.as_deref(),
            &self.keyspace,
            true,
        );
        let written = write_base(&mut *self.host, &temporary, &self.keyspace, &facts, form, &mut |_| {});
        let renamed = written.and_then(|()| self.host.rename(&temporary, &path));
        if renamed.is_err() {
            // It may never have been made.
            let _ = self.host.remove(&temporary);
        }
        renamed?;
        let size = self.host.open(&path)?.len;
        self.append_only.manifest.base = Some(base);
        (self.append_only.size, self.append_only.base_size) = (size, size);
        Ok(())
    }

    /// The name of the next base.
    fn base_file(&self, as_snapshot: bool) -> LogFile {
        let sequence = self.append_only.manifest.base_sequence() + 1;
        let kind = if as_snapshot { "rdb" } else { "aof" };
        LogFile {
            name: format!("{}.{sequence}.base.{kind}", self.settings.appendfilename),
            sequence,
        }
    }

    /// Opens the last increment to append to it; makes the first if there is none.
    fn continue_increment(&mut self) -> io::Result<()> {
        let Some(last) = self.append_only.manifest.increments.last() else {
            self.begin_increment()?;
            return self.write_manifest();
        };
        let path = self.log_path(&last.name);
        self.append_only.file_size = match self.host.open(&path) {
            Ok(input) => input.len,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        self.append_only.file = Some(self.host.append(&path)?);
        self.append_only.path = path;
        Ok(())
    }

    /// Makes the first increment. The manifest on disk does not name it yet.
    fn begin_increment(&mut self) -> io::Result<()> {
        let increment = self.next_increment();
        let path = self.log_path(&increment.name);
        let file = self.make_increment(&path, "on server start")?;
        self.enter_increment(path, file);
        self.append_only.manifest.increments.push(increment);
        Ok(())
    }

    fn next_increment(&self) -> LogFile {
        let sequence = self.append_only.manifest.increment_sequence() + 1;
        LogFile {
            name: format!("{}.{sequence}.incr.aof", self.settings.appendfilename),
            sequence,
        }
    }

    /// Where changes go between switching the log on and its first base: no manifest names it, for without the base it is
    /// worth nothing.
    fn waiting_name(&self) -> String {
        format!("{TEMPORARY}{}.incr", self.settings.appendfilename)
    }

    /// Makes an empty file that changes can go to.
    fn make_increment(&mut self, path: &Path, when: &str) -> io::Result<Box<dyn Output>> {
        let name = path.file_name().unwrap_or_default().display();
        log::notice(&format!("Creating AOF incr file {name} {when}"));
        drop(self.host.create(path)?);
        // Opened anew to append: what is written after a failed write was cut off must go to where the file ends then.
        self.host.append(path)
    }

    /// Lets changes go to this file from now on.
    fn enter_increment(&mut self, path: PathBuf, file: Box<dyn Output>) {
        let log = &mut self.append_only;
        if let Some(old) = log.file.replace(file) {
            let is_wanted = self.settings.appendfsync != AppendFsync::No;
            log.closing.push(Closing {
                file: old,
                is_unsynced: log.is_unsynced && is_wanted,
                is_syncing: log.is_syncing,
            });
        }
        (log.file_size, log.is_unsynced, log.is_syncing) = (0, false, false);
        log.path = path;
        log.last_timestamp = 0;
        self.tend_closing();
        self.propagation.forget_database();
    }

    /// Syncs what was appended to before, aside, and lets go of what is synced.
    fn tend_closing(&mut self) {
        let log = &mut self.append_only;
        if log.closing.is_empty() {
            return;
        }
        let mut failed = None;
        for closing in &mut log.closing {
            if let Err(error) = closing.tend() {
                failed = Some(error);
            }
        }
        // A rewrite may have removed it by now: whoever closes it last gives back all its blocks.
        let done = log
            .closing
            .extract_if(.., |closing| !closing.is_syncing && !closing.is_unsynced);
        done.for_each(|closing| closing.file.close_aside());
        let is_all_synced = log.closing.is_empty() && !log.is_unsynced && !log.is_syncing;
        let (offset, is_closed) = (log.written, log.closing.is_empty());
        if is_all_synced && self.settings.appendfsync != AppendFsync::No {
            self.synced_up_to(offset);
        }
        match failed {
            Some(error) => self.note_sync_error(&error),
            None if is_closed => self.forget_sync_error(),
            None => {}
        }
    }

    fn write_manifest(&mut self) -> io::Result<()> {
        let name = self.manifest_name();
        let (path, temporary) = (self.log_path(&name), self.log_path(&format!("{TEMPORARY}{name}")));
        write_synced(&mut *self.host, &temporary, &self.append_only.manifest.format())?;
        self.host.rename(&temporary, &path)
    }

    /// Writes `manifest` as the log's.
    pub(super) fn append_only_manifest(&mut self, manifest: Manifest) -> io::Result<()> {
        self.append_only.manifest = manifest;
        self.write_manifest()
    }

    /// Removes what the manifest names as history, unless `aof-disable-auto-gc` keeps it.
    pub fn remove_history(&mut self) {
        // A rewrite is writing a manifest aside, and asks for the setting when it is done.
        if self.has_errand() {
            return;
        }
        let history = std::mem::take(&mut self.append_only.manifest.history);
        if history.is_empty() || self.settings.aof_disable_auto_gc {
            self.append_only.manifest.history = history;
            return;
        }
        for file in &history {
            log::notice(&format!("Removing the history file {}", file.name));
            self.host.remove_aside(&self.log_path(&file.name));
        }
        if let Err(error) = self.write_manifest() {
            log::warning(&format!("Fail to write the AOF manifest file: {}", reason(&error)));
        }
    }

    // Writing.

    /// Whether somebody waits for a sync to end, so that the reactor must look again soon.
    pub fn is_sync_awaited(&self) -> bool {
        self.awaits_replication()
            || self.has_errand()
            || self.append_only.is_syncing && (!self.append_only.pending.is_empty() || self.waiting.is_safety_awaited())
    }

    /// Whether all that a client has written would outlast a crash of the machine.
    pub fn is_written_safely(&mut self, index: SessionIndex) -> bool {
        let offset = self.session(index).write_offset;
        self.append_only.state == State::On && self.append_only.synced >= offset
    }

    fn synced_up_to(&mut self, offset: u64) {
        self.append_only.synced = offset;
        self.tell_of_safety();
    }

    /// Lets those who wait for a write to be safe look again, if need be once a transaction is over.
    fn tell_of_safety(&mut self) {
        self.append_only.has_news = self.in_transaction;
        if !self.in_transaction && self.waiting.is_safety_awaited() {
            self.serve_those_who_want_safety();
        }
    }

    /// Sends out what the tick has changed. To be called before replies leave.
    ///
    /// # Errors
    /// Under `appendfsync always`, why a change cannot be kept: then no reply may say that it was.
    pub fn propagate(&mut self) -> Result<(), String> {
        if self.append_only.is_syncing {
            self.hear_of_sync();
        }
        if self.append_only.has_news {
            self.tell_of_safety();
        }
        self.hear_of_errand();
        self.feed_stream();
        if !self.append_only.is_recording {
            self.propagation.clear_stream();
        }
        if self.propagation.stream.is_empty() && self.append_only.pending.is_empty() {
            return Ok(());
        }
        self.gather_records();
        self.flush_log(false)
    }

    fn gather_records(&mut self) {
        if self.propagation.stream.is_empty() {
            return;
        }
        let second = self.moment.now.as_secs();
        let log = &mut self.append_only;
        if self.settings.aof_timestamp_enabled && log.last_timestamp != second {
            log.last_timestamp = second;
            log.pending.extend_from_slice(rewrite::annotation(second).as_bytes());
        }
        self.propagation.take_stream(&mut log.pending);
        log.gathered = self.propagation.offset;
    }

    /// Writes what waits to be written, unless a sync goes on. `force` writes all the same.
    fn flush_log(&mut self, force: bool) -> Result<(), String> {
        let (policy, monotonic) = (self.settings.appendfsync, self.monotonic);
        let log = &mut self.append_only;
        if log.is_syncing && policy == AppendFsync::Everysec && !force {
            let since = *log.waiting_since.get_or_insert(monotonic);
            if monotonic.since(since) < LONGEST_WAIT {
                return Ok(());
            }
            log.delayed += 1;
            log::notice(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for \
                 fsync to complete, this may slow down the server.",
            );
        }
        log.waiting_since = None;
        match (self.write_pending(), policy) {
            (Ok(()), AppendFsync::Always) => self.sync_log(),
            (Ok(()), _) => Ok(()),
            (Err(_), AppendFsync::Always) => {
                Err("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...".to_owned())
            }
            // It is logged, refuses writes of clients, and is tried again.
            (Err(_), _) => Ok(()),
        }
    }

    /// Writes as much as the disk takes. What it takes in part is taken back, so that a later write goes on behind whole
    /// records.
    fn write_pending(&mut self) -> io::Result<()> {
        let started = Stopwatch::read();
        let log = &mut self.append_only;
        let Some(file) = &mut log.file else {
            // Switched on, but not begun yet.
            log.pending.clear();
            return Ok(());
        };
        if log.pending.is_empty() {
            return Ok(());
        }
        if !log.write_delay.is_zero() {
            std::thread::sleep(log.write_delay);
        }
        let mut written = 0;
        let outcome = loop {
            match file.write(&log.pending[written..]) {
                Ok(0) if written < log.pending.len() => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            if written == log.pending.len() {
                break Ok(());
            }
        };
        if let Err(error) = outcome {
            self.note_write_error(&error, written);
            self.take_back(written);
            return Err(error);
        }
        log.file_size += written as u64;
        log.size += written as u64;
        log.pending.clear();
        log.pending.shrink_to(1 << 20);
        log.is_unsynced = true;
        log.written = log.gathered;
        if log.write_error.take().is_some() {
            self.note_hampering();
            log::warning("AOF write error looks solved, Redis can write again.");
        }
        let millis = self.stopwatch.nanos(Stopwatch::read().since(started)) / 1_000_000;
        let threshold = self.settings.latency_monitor_threshold as u64;
        self.latency
            .note("aof-write", self.moment.now.as_secs(), millis, threshold);
        Ok(())
    }

    fn take_back(&mut self, written: usize) {
        let size = self.append_only.file_size;
        if written == 0 {
            return;
        }
        if let Err(failed) = self.host.truncate(&self.append_only.path, size) {
            log::warning(&format!(
                "Could not remove short write from the append-only file: {}. Redis may refuse to load the AOF the next time \
                 it starts.",
                reason(&failed)
            ));
            // What is there counts as written: the rest goes behind it.
            self.append_only.pending.drain(..written);
            self.append_only.file_size += written as u64;
            self.append_only.size += written as u64;
        }
    }

    /// Refuses writes of clients from now on. The log is told once of the same error.
    fn note_write_error(&mut self, error: &io::Error, written: usize) {
        let text = reason(error);
        if self.append_only.write_error.as_ref() != Some(&text) {
            log::warning(&match written {
                0 => format!("Error writing to the AOF file: {text}"),
                _ => format!(
                    "Short write while writing to the AOF file: (nwritten={written}, expected={})",
                    self.append_only.pending.len()
                ),
            });
        }
        self.append_only.write_error = Some(text);
        self.note_hampering();
    }

    fn note_sync_error(&mut self, error: &io::Error) {
        let text = reason(error);
        if self.append_only.sync_error.as_ref() != Some(&text) {
            log::warning(&format!("Fail to fsync the AOF file: {text}"));
        }
        self.append_only.sync_error = Some(text);
        self.note_hampering();
    }

    fn forget_sync_error(&mut self) {
        if self.append_only.sync_error.take().is_some() {
            self.note_hampering();
        }
    }

    /// Syncs while everybody waits.
    fn sync_log(&mut self) -> Result<(), String> {
        let started = Stopwatch::read();
        let log = &mut self.append_only;
        let Some(file) = log.file.as_mut().filter(|_| log.is_unsynced) else {
            return Ok(());
        };
        file.sync().map_err(|error| {
            format!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {}. Exiting...",
                reason(&error)
            )
        })?;
        log.is_unsynced = false;
        let offset = log.written;
        self.synced_up_to(offset);
        let millis = self.stopwatch.nanos(Stopwatch::read().since(started)) / 1_000_000;
        let threshold = self.settings.latency_monitor_threshold as u64;
        self.latency
            .note("aof-fsync-always", self.moment.now.as_secs(), millis, threshold);
        Ok(())
    }

    #[inline(never)]
    fn hear_of_sync(&mut self) {
        let log = &mut self.append_only;
        let Some(outcome) = log.file.as_mut().and_then(|file| file.sync_outcome()) else {
            return;
        };
        log.is_syncing = false;
        let offset = log.syncing;
        match outcome {
            Ok(()) => {
                self.forget_sync_error();
                self.synced_up_to(offset);
            }
            Err(error) => {
                // Tried again in a second.
                self.append_only.is_unsynced = true;
                self.note_sync_error(&error);
            }
        }
    }

    /// The round once a second: begins a sync, tries again what failed, and rewrites when the log has grown enough.
    pub fn tend_log(&mut self) {
        if self.append_only.state == State::Off {
            let is_idle = !self.has_child() && self.loading.is_none() && !self.scripts.is_running();
            if self.append_only.is_scheduled && is_idle {
                self.append_only.is_scheduled = false;
                // A failure is logged and counted.
                let _ = self.rewrite_log();
            }
            return;
        }
        if let Err(error) = self.flush_log(false) {
            self.effects.push(Effect::Abort(error));
        }
        self.tend_closing();
        self.sync_aside();
        if !self.scripts.is_running() {
            self.rewrite_when_due();
        }
    }

    fn sync_aside(&mut self) {
        let is_child_at_work = self.settings.no_appendfsync_on_rewrite && self.has_child();
        if self.settings.appendfsync != AppendFsync::Everysec {
            // Nobody will sync aside again and hear that it is over.
            self.forget_sync_error();
        }
        let log = &mut self.append_only;
        let wanted = self.settings.appendfsync == AppendFsync::Everysec && log.is_unsynced && !log.is_syncing;
        if !wanted || is_child_at_work || !log.closing.is_empty() {
            return;
        }
        log.syncing = log.written;
        let begun = log.file.as_mut().map(|file| file.begin_sync());
        match begun {
            Some(Ok(())) => (log.is_syncing, log.is_unsynced) = (true, false),
            Some(Err(error)) => self.note_sync_error(&error),
            None => {}
        }
    }

    /// Writes everything, whatever goes on.
    pub(super) fn write_log(&mut self) {
        if self.append_only.state == State::Off {
            return;
        }
        self.gather_records();
        if let Err(error) = self.flush_log(true) {
            log::warning(&error);
        }
    }

    /// Writes and syncs everything, for an exit.
    pub(super) fn finish_log(&mut self) {
        self.write_log();
        if let Err(error) = self.sync_log() {
            log::warning(&error);
        }
    }

    // Switching.

    /// Removes what was recorded for a base that will not come. The next attempt begins anew.
    fn drop_waiting_file(&mut self) {
        if self.append_only.state != State::Waiting || self.append_only.file.take().is_none() {
            return;
        }
        let name = self.waiting_name();
        log::notice(&format!("Removing the temp incr aof file {name} in the background"));
        self.host.remove_aside(&self.append_only.path);
        self.append_only.pending.clear();
        self.stop_recording();
    }

    /// Records nothing more for the log. What was recorded up to now belongs to replicas all the same.
    fn stop_recording(&mut self) {
        self.feed_stream();
        self.propagation.clear_stream();
        self.append_only.is_recording = false;
        self.note_recording();
    }

    /// Ends the log while all data are replaced by a primary's.
    pub(super) fn suspend_log(&mut self) {
        if self.append_only.state != State::Off {
            self.switch_off();
        }
    }

    /// Begins it again, with a base of the data that are there now.
    pub(super) fn resume_log(&mut self) {
        if self.settings.appendonly && self.append_only.state == State::Off && self.switch_on().is_err() {
            log::warning("Failed to enable the AOF after a synchronization with the primary; it stays off");
            self.settings.appendonly = false;
        }
    }

    /// The log begins, with a base of everything up to this replication offset.
    fn begin_with_base(&mut self, offset: u64) {
        let log = &mut self.append_only;
        log.state = State::On;
        log.gathered = log.gathered.max(offset);
        log.written = log.written.max(offset);
        let synced = log.synced.max(offset);
        self.synced_up_to(synced);
    }

    /// The replication offset up to which everything is on the disk; `None` without a log.
    pub fn synced_offset(&self) -> Option<u64> {
        (self.append_only.state == State::On).then_some(self.append_only.synced)
    }

    /// Follows a change of `appendonly`.
    ///
    /// # Errors
    /// When it was switched on and the log cannot be begun; it is off then.
    pub fn switch_log(&mut self) -> io::Result<()> {
        match (self.settings.appendonly, self.append_only.state) {
            (true, State::Off) => self.switch_on(),
            (false, State::Waiting | State::On) => {
                self.switch_off();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn switch_on(&mut self) -> io::Result<()> {
        self.know_old_log();
        let log = &mut self.append_only;
        log.state = State::Waiting;
        // What an earlier log had may have been counted from elsewhere: a primary that is none any more.
        (log.gathered, log.written, log.synced, log.syncing) = (0, 0, 0, 0);
        // A base that is begun amid a transaction would have half of it.
        if self.in_transaction || self.has_child() {
            self.append_only.is_scheduled = true;
            let when = match self.has_child() {
                true => "but there is already another background operation",
                false => "during a transaction",
            };
            log::warning(&format!(
                "AOF was enabled {when}. An AOF background was scheduled to start when possible."
            ));
            return Ok(());
        }
        let begun = self.try_rewrite();
        if begun.is_err() {
            self.switch_off();
        }
        begun
    }

    /// A log of earlier goes on in its numbers, and stays whole until the new base is.
    fn know_old_log(&mut self) {
        let path = self.log_path(&self.manifest_name());
        if self.append_only.manifest.is_empty()
            && let Ok(Some(manifest)) = self.read_manifest(&path)
        {
            self.append_only.manifest = manifest;
        }
    }

    fn switch_off(&mut self) {
        if self.append_only.state == State::On {
            self.write_log();
            // Whoever waits for the disk hears of this, and not of a last sync.
            self.append_only.state = State::Off;
            if let Err(error) = self.sync_log() {
                log::warning(&error);
            }
            self.append_only.has_news = true;
        }
        self.drop_waiting_file();
        self.stop_rewrite();
        self.stop_recording();
        let log = &mut self.append_only;
        log.state = State::Off;
        log.file = None;
        log.pending.clear();
        (log.write_error, log.sync_error) = (None, None);
        (log.is_scheduled, log.is_syncing, log.is_unsynced) = (false, false, false);
        log.manifest = Manifest::default();
        self.note_hampering();
    }
}

fn snapshot_temporary(host: &dyn Host) -> PathBuf {
    format!("temp-rewriteaof-{}.aof", host.process_id()).into()
}

/// How a base is written.
#[derive(Clone, Copy)]
enum Form {
    Snapshot,
    /// As requests, behind the second of their writing if the settings ask for that.
    Requests(Option<i64>),
}

/// Writes a base, to the last byte on the disk.
fn write_base(
    host: &mut dyn Host,
    path: &std::path::Path,
    keyspace: &Keyspace,
    facts: &Facts<'_>,
    form: Form,
    tell: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let mut file = SyncedOften::new(host.create(path)?, facts.sync_often);
    let Form::Requests(second) = form else {
        return snapshot::write_to(file, Some(keyspace), facts, tell)?.finish();
    };
    if let Some(second) = second {
        file.write_all(rewrite::annotation(second).as_bytes())?;
    }
    rewrite::write_to(&mut file, &facts.functions, keyspace, &mut |keys| {
        tell(keys);
        snapshot::delay(facts.key_delay, keys, facts.interrupt)
    })?;
    file.finish()
}
