//! Snapshots: the whole keyspace as one file that is either there whole or not at all.
//!
//! A snapshot is written to a temporary file, synced, and given its name in one step, so that a crash at any moment
//! leaves the old file or the new one. What is left of a server that crashed is a temporary file with its process number
//! in its name, which the next start removes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::rdb::writer::{FileOptions, LastUse, Writer};
use crate::host::{Host, Output};
use crate::keyspace::{AccessClock, ClockMode, EntryRef, Keyspace};
use crate::timer::Millis;

/// Bytes written between two syncs: a disk that is given a gigabyte at the end is busy with it for seconds, and
/// everybody else's syncs wait.
const SYNC_STEP: usize = 32 << 20;

/// All that a snapshot says beside the keys and how they are written.
pub struct Facts<'a> {
    /// Names and values that stand at the front of the file.
    pub aux: Vec<(&'static str, Vec<u8>)>,
    /// Sources of the libraries of functions.
    pub functions: Vec<&'a [u8]>,
    /// Set if the policy wants to know when keys were last used.
    pub clock: Option<AccessClock>,
    pub options: FileOptions,
    /// `rdb-save-incremental-fsync` or `aof-rewrite-incremental-fsync`
    pub sync_often: bool,
    /// `rdb-key-save-delay`: how long to sleep after each key, or after this many keys if negative, in us. For tests.
    pub key_delay: i32,
    /// Ends the writing with an error when it becomes true.
    pub interrupt: Option<&'a AtomicBool>,
}

/// Writes all keys to `path`. `tell` hears how many keys are written, often.
///
/// # Errors
/// What the disk says. Nothing is left of the attempt then, and a file of that name is as it was.
pub fn save(
    host: &mut dyn Host,
    path: &Path,
    keyspace: &Keyspace,
    facts: &Facts<'_>,
    tell: &mut dyn FnMut(u64),
) -> io::Result<()> {
    // The base that a child of ours has written stands without a writer until the parent takes it over.
    remove_unused(host, is_temporary_snapshot);
    let temporary = temporary_path(host);
    let written = write(host, &temporary, keyspace, facts, tell).and_then(|()| host.rename(&temporary, path));
    if written.is_err() {
        // It may never have been made.
        let _ = host.remove(&temporary);
    }
    written
}

fn write(
    host: &mut dyn Host,
    path: &Path,
    keyspace: &Keyspace,
    facts: &Facts<'_>,
    tell: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let file = SyncedOften::new(host.create(path)?, facts.sync_often);
    write_to(file, Some(keyspace), facts, tell)?.finish()
}

/// Writes what the facts say to `out`, and all keys of a keyspace; gives it back.
pub fn write_to<W: io::Write>(
    out: W,
    keyspace: Option<&Keyspace>,
    facts: &Facts<'_>,
    tell: &mut dyn FnMut(u64),
) -> io::Result<W> {
    let mut writer = Writer::new(out, facts.options)?;
    for (name, value) in &facts.aux {
        writer.aux(name, value)?;
    }
    for source in &facts.functions {
        writer.function(source)?;
    }
    let mut done = 0;
    for (index, database) in keyspace.into_iter().flat_map(Keyspace::databases) {
        if database.is_empty() {
            continue;
        }
        writer.database(index, database.len(), database.volatile())?;
        for entry in database.iter() {
            writer.key(entry, last_use(entry, facts.clock.as_ref()))?;
            done += 1;
            tell(done);
            delay(facts.key_delay, done, facts.interrupt)?;
        }
    }
    writer.finish()
}

/// The longest that a delay sleeps without looking whether it is interrupted.
const NAP: Duration = Duration::from_millis(10);

/// Sleeps between keys as tests of slow snapshots ask for.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] once the writing is to end.
pub fn delay(micros: i32, done: u64, interrupt: Option<&AtomicBool>) -> io::Result<()> {
    let mut left = Duration::ZERO;
    if micros > 0 {
        left = Duration::from_micros(micros as u64);
    } else if micros < 0 && done.is_multiple_of(u64::from(micros.unsigned_abs())) {
        left = Duration::from_micros(1);
    }
    loop {
        if interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed)) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
        }
        if left.is_zero() {
            return Ok(());
        }
        let nap = left.min(NAP);
        std::thread::sleep(nap);
        left -= nap;
    }
}

fn last_use(entry: EntryRef<'_>, clock: Option<&AccessClock>) -> LastUse {
    match clock {
        None => LastUse::Unknown,
        Some(clock) if clock.mode == ClockMode::Lfu => {
            LastUse::Frequency(clock.frequency(entry.clock()).min(255) as u8)
        }
        Some(clock) => LastUse::Idle((clock.idle_ms(entry.clock()) / 1000).max(0) as u64),
    }
}

fn temporary_path(host: &dyn Host) -> PathBuf {
    format!("temp-{}.rdb", host.process_id()).into()
}

/// Whether some process gives this name to a snapshot until it is whole: `temp-PROCESS.rdb`.
fn is_temporary_snapshot(name: &str) -> bool {
    is_of_process(name, "temp-", ".rdb")
}

/// The same for the base of an append-only file: `temp-rewriteaof-PROCESS.aof` and `temp-rewriteaof-bg-PROCESS.aof`.
fn is_temporary_base(name: &str) -> bool {
    is_of_process(name, "temp-rewriteaof-", ".aof") || is_of_process(name, "temp-rewriteaof-bg-", ".aof")
}

fn is_of_process(name: &str, start: &str, end: &str) -> bool {
    let process = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    process.is_some_and(|process| process.parse::<u32>().is_ok())
}

/// Removes what the child `process` has left unfinished.
pub fn remove_temporary(host: &mut dyn Host, process: u32) {
    // It may not have begun, or have finished.
    let _ = host.remove(Path::new(&format!("temp-{process}.rdb")));
}

/// Removes temporary files that nobody is writing any more. For the start, when there is no child yet.
pub fn remove_leftovers(host: &mut dyn Host) {
    remove_unused(host, |name| is_temporary_snapshot(name) || is_temporary_base(name));
}

fn remove_unused(host: &mut dyn Host, is_temporary: impl Fn(&str) -> bool) {
    for name in host.list(Path::new("")).unwrap_or_default() {
        let path = Path::new(&name);
        if is_temporary(&name) && !host.is_in_use(path) && host.remove(path).is_ok() {
            crate::log::notice(&format!("Removed {name}, left behind by a process that is no more"));
        }
    }
}

/// A file that is synced every so many bytes.
pub struct SyncedOften {
    file: Box<dyn Output>,
    unsynced: usize,
    step: usize,
}

impl SyncedOften {
    pub fn new(file: Box<dyn Output>, often: bool) -> Self {
        SyncedOften {
            file,
            unsynced: 0,
            step: if often { SYNC_STEP } else { usize::MAX },
        }
    }

    /// Syncs to the last byte.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync()
    }
}

impl io::Write for SyncedOften {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= self.step {
            self.unsynced = 0;
            self.file.sync()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A moment as a file's head tells it, in seconds.
pub fn seconds_text(now: Millis) -> Vec<u8> {
    now.as_secs().to_string().into_bytes()
}
