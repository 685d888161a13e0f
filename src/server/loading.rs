//! Loading the data at the start, or later from a primary or for DEBUG LOADAOF, while clients already ask.
//!
//! The file is read in slices between ticks: the port is open, whoever asks for data is told `-LOADING`, and INFO says
//! how far it is. DEBUG RELOAD loads in one go instead, and DEBUG LOADAOF where its client cannot wait.
//!
//! While the log is played for DEBUG LOADAOF everything else that changes data waits: clients that wait for keys, keys that
//! MIGRATE has sent, the primary's stream and its next snapshot.

use std::io;
use std::path::Path;

use super::core::Core;
use super::replay::Replay;
use super::replication::roles::stream_database;
use super::session::{ClientId, SessionIndex};
use super::stopwatch::Stopwatch;
use crate::commands::values::{Origin, load_limits};
use crate::host::Input;
use crate::keyspace::Keyspace;
use crate::log;
use crate::persistence::aof::Manifest;
use crate::persistence::loader::{Duplicates, LoadError, Loader, Target};
use crate::persistence::rdb::reader::Broken;
use crate::persistence::{rdb, snapshot};
use crate::timer::Millis;

/// How long a tick may spend on loading, in ns. Clients wait so long for their -LOADING.
const LOAD_TIME: u64 = 10_000_000;
/// Keys or requests of a log that are loaded between two looks at the clock, and the bytes of the file after which there
/// are no more.
const LOAD_SLICE: usize = 64;
pub(super) const LOAD_BYTES: u64 = 64 * 1024;
/// How many keys a part of a large value counts for.
const PART_WEIGHT: usize = 8;
/// How the log calls the append-only file that is loaded.
const LOG: &str = "the append-only file";
/// How often the log says how far it is, in ms.
const LOG_STEP: i64 = 5000;

/// Where data comes from.
enum Source {
    Snapshot(Loader),
    Log(Replay),
}

/// What becomes of the data that are there while a primary's snapshot is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// There are none any more.
    No,
    /// They stay until the new ones are whole, lest a broken snapshot leave nothing; nobody gets any of them, since they
    /// are of another history.
    KeepingOld,
    /// The same, and clients get them meanwhile.
    ServingOld,
}

/// What a load is for, which decides about its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The server's start. It must not go on without the data.
    Start,
    /// A primary's snapshot, whose failure is the link's.
    Primary,
    /// DEBUG LOADAOF of this client, which waits, or has gone meanwhile. Role, history and the log that is written stay as
    /// they are.
    Client(SessionIndex, ClientId),
}

/// A load that goes on between ticks.
pub struct Loading {
    source: Source,
    /// The data that are to replace those that are there.
    new: Option<Keyspace>,
    aside: Aside,
    purpose: Purpose,
    /// Whether the history that the file tells of is the server's already.
    has_history: bool,
    /// The file, as far as the log says it.
    path: String,
    pub started: Millis,
    /// On the monotonic clock.
    began: Millis,
    logged: Millis,
}

impl Loading {
    /// Whether clients get the data that were there before.
    pub fn serves_old_data(&self) -> bool {
        self.aside == Aside::ServingOld
    }

    /// Whether this client waits for its end.
    pub fn is_for(&self, id: ClientId) -> bool {
        matches!(self.purpose, Purpose::Client(_, client) if client == id)
    }

    /// What was loaded beside the old data so far.
    pub fn into_new(self) -> Option<Keyspace> {
        self.new
    }

    /// Bytes of the file.
    pub fn total(&self) -> u64 {
        match &self.source {
            Source::Snapshot(loader) => loader.total,
            Source::Log(replay) => replay.total,
        }
    }

    /// Bytes loaded.
    pub fn loaded(&self) -> u64 {
        match &self.source {
            Source::Snapshot(loader) => loader.position(),
            Source::Log(replay) => replay.position(),
        }
    }

    fn keys(&self) -> u64 {
        match &self.source {
            Source::Snapshot(loader) => loader.keys,
            Source::Log(replay) => replay.keys,
        }
    }

    /// Bytes of memory that the server which wrote the file had in use.
    pub fn memory_then(&self) -> u64 {
        let Source::Snapshot(loader) = &self.source else {
            return 0;
        };
        let used = loader.aux.iter().find(|(name, _)| name == b"used-mem");
        used.and_then(|(_, value)| crate::format::number::parse_i64(value))
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(0)
    }

    /// Seconds it has taken, and is likely to take still.
    pub fn seconds(&self, monotonic: Millis) -> (i64, i64) {
        let spent = monotonic.since(self.began) / 1000;
        let left = self.total().saturating_sub(self.loaded()) as i64;
        (spent, (spent + 1) * left / (self.loaded() as i64 + 1))
    }
}

/// What the last load found, for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastLoad {
    pub keys: u64,
    pub expired: u64,
}

impl Core {
    /// Begins to load the append-only file if it is wanted, else the snapshot; nothing is loaded where there is none.
    ///
    /// # Errors
    /// Why it cannot be loaded; the server must not go on without it.
    pub fn begin_loading(&mut self) -> Result<(), String> {
        snapshot::remove_leftovers(&mut *self.host);
        let found = match self.settings.appendonly {
            true => self.find_log()?.map(Source::Log),
            false => self.find_snapshot()?.map(Source::Snapshot),
        };
        let Some(source) = found else {
            return match self.settings.appendonly {
                true => self.open_log(Manifest::default(), 0),
                false => Ok(()),
            };
        };
        let path = match self.settings.appendonly {
            true => LOG.to_owned(),
            false => self.snapshot_path().display().to_string(),
        };
        self.start_loading(source, path, Purpose::Start, Aside::No);
        Ok(())
    }

    fn start_loading(&mut self, source: Source, path: String, purpose: Purpose, aside: Aside) {
        self.loading = Some(Box::new(Loading {
            source,
            new: (aside != Aside::No).then(|| Keyspace::new(self.keyspace.len())),
            aside,
            purpose,
            has_history: purpose != Purpose::Start,
            path,
            started: self.moment.now,
            began: self.monotonic,
            logged: self.monotonic,
        }));
        self.note_hampering();
    }

    /// Begins to load a primary's snapshot, into the empty keyspace or beside the data that are there.
    /// [`Core::primary_loaded`] hears how it ends.
    pub(super) fn begin_full_load(&mut self, loader: Loader, from: String, aside: Aside) {
        let path = format!("MASTER's snapshot {from}");
        self.start_loading(Source::Snapshot(loader), path, Purpose::Primary, aside);
    }

    /// Whether data are being loaded until which nobody gets any.
    #[inline]
    pub fn is_loading(&self) -> bool {
        self.loading.as_ref().is_some_and(|loading| !loading.serves_old_data())
    }

    /// Gives up a primary's snapshot that is being loaded. What was there before stays if it was kept for that.
    pub(super) fn give_load_up(&mut self) {
        let is_from_primary = |loading: &mut Box<Loading>| loading.purpose == Purpose::Primary;
        let Some(loading) = self.loading.take_if(is_from_primary) else {
            return;
        };
        match loading.into_new() {
            Some(new) => self.keyspace.bury(new),
            // What is there is half of it, and nobody's copy.
            None => drop(self.empty_keyspace()),
        }
        self.note_hampering();
    }

    fn find_snapshot(&mut self) -> Result<Option<Loader>, String> {
        let path = self.snapshot_path();
        self.open_snapshot(&path).map_err(|error| fatal(&path, 0, &error, None))
    }

    /// `None` if there is no file.
    fn open_snapshot(&mut self, path: &Path) -> Result<Option<Loader>, LoadError> {
        match self.host.open(path) {
            Ok(input) => self.loader_of(input).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LoadError::Rdb(rdb::Error::Io(error))),
        }
    }

    pub(super) fn loader_of(&self, input: Input) -> Result<Loader, LoadError> {
        let checksum = self.settings.rdbchecksum && self.checksums_count;
        Loader::new(input, load_limits(&self.settings, Origin::File), checksum)
    }

    /// Loads for as long as a tick may. True while there is more to load.
    ///
    /// # Errors
    /// Why the data cannot be loaded to its end; the server must not go on with a part of it.
    #[cold]
    pub fn load_slice(&mut self) -> Result<bool, String> {
        // A client's script is not to find other data from one command to the next.
        if self.scripts.running().is_some_and(|run| !run.is_replayed()) {
            return Ok(self.loading.is_some());
        }
        let Some(mut loading) = self.loading.take() else {
            return Ok(false);
        };
        let started = Stopwatch::read();
        loop {
            match self.load_some(&mut loading) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return self.load_failed(loading, error).map(|()| false),
            }
            if self.stopwatch.nanos(Stopwatch::read().since(started)) > LOAD_TIME {
                self.tell_of_loading(&mut loading);
                self.loading = Some(loading);
                return Ok(true);
            }
        }
        self.note_hampering();
        self.end_loading(loading)?;
        Ok(false)
    }

    /// Ends a load that cannot go on.
    fn load_failed(&mut self, loading: Box<Loading>, error: String) -> Result<(), String> {
        match loading.purpose {
            Purpose::Start => return Err(error),
            Purpose::Primary => {
                self.loading = Some(loading);
                self.give_load_up();
                self.primary_loaded(Err(error));
            }
            Purpose::Client(index, id) => {
                self.note_hampering();
                self.log_reloaded((index, id), Err(error));
            }
        }
        Ok(())
    }

    fn load_some(&mut self, loading: &mut Loading) -> Result<bool, String> {
        match &mut loading.source {
            Source::Snapshot(loader) => {
                // For as long as a slice takes, what is loaded aside stands where everything is loaded to.
                let mut swap = |core: &mut Core| {
                    if let Some(new) = &mut loading.new {
                        std::mem::swap(new, &mut core.keyspace);
                    }
                };
                swap(self);
                let more = self.load_keys(loader, LOAD_SLICE, Duplicates::Refuse);
                swap(self);
                let more =
                    more.map_err(|error| fatal(Path::new(&loading.path), loader.position(), &error, loader.broken()))?;
                if !loading.has_history && (loader.is_past_head() || !more) {
                    // Before any key is placed: replicas hear of those that have expired.
                    self.take_up_history(&loader.aux);
                    loading.has_history = true;
                }
                Ok(more)
            }
            Source::Log(replay) => self.play(replay, LOAD_SLICE),
        }
    }

    pub(super) fn load_keys(
        &mut self,
        loader: &mut Loader,
        count: usize,
        duplicates: Duplicates,
    ) -> Result<bool, LoadError> {
        let mut dropped = Vec::new();
        let more = self.load_some_keys(loader, count, duplicates, &mut dropped);
        let unlink = self.settings.lazyfree_lazy_expire;
        for (database, key) in dropped {
            self.record_gone(database, &key, unlink);
        }
        more
    }

    fn load_some_keys(
        &mut self,
        loader: &mut Loader,
        count: usize,
        duplicates: Duplicates,
        dropped: &mut Vec<(usize, Vec<u8>)>,
    ) -> Result<bool, LoadError> {
        let mut target = Target {
            keyspace: &mut self.keyspace,
            moment: &self.moment,
            // What a log says behind its base may have kept a key alive that was to expire by now. A replica leaves all
            // expiry to its primary.
            drop_expired: !self.is_replaying && self.settings.replicaof.0.is_none(),
            dropped: self.propagation.is_on.then_some(dropped),
            duplicates,
        };
        let (begin, mut done) = (loader.position(), 0);
        let is_in_head = !loader.is_past_head();
        while done < count {
            let keys = loader.keys;
            if !loader.step(&mut target)? {
                return Ok(false);
            }
            if is_in_head && loader.is_past_head() {
                break;
            }
            done = done.saturating_add(if loader.keys == keys { PART_WEIGHT } else { 1 });
            if loader.keys != keys {
                // Nothing interrupts a load.
                let _ = snapshot::delay(self.settings.key_load_delay, loader.keys, None);
            }
            if loader.position() - begin >= LOAD_BYTES {
                break;
            }
        }
        Ok(true)
    }

    fn tell_of_loading(&mut self, loading: &mut Loading) {
        if self.monotonic.since(loading.logged) < LOG_STEP {
            return;
        }
        loading.logged = self.monotonic;
        let percent = 100.0 * loading.loaded() as f64 / loading.total().max(1) as f64;
        let (_, left) = loading.seconds(self.monotonic);
        log::notice(&format!(
            "Loading {}: {percent:.1}%, {} keys, some {left} seconds to go",
            loading.path,
            loading.keys()
        ));
    }

    fn end_loading(&mut self, mut loading: Box<Loading>) -> Result<(), String> {
        let took = self.monotonic.since(loading.began) as f64 / 1000.0;
        if let Source::Snapshot(loader) = &mut loading.source {
            let sources = std::mem::take(&mut loader.functions);
            if let Err(error) = self.replace_functions(&sources) {
                return self.load_failed(loading, format!("Failed creating function: {error}"));
            }
        }
        match loading.source {
            Source::Snapshot(loader) => {
                let aux = self.note_loaded(loader);
                if loading.purpose == Purpose::Primary {
                    if let Some(new) = loading.new {
                        self.install(new);
                    }
                    self.dirty = 0;
                    self.primary_loaded(Ok(stream_database(&aux)));
                    return Ok(());
                }
                log::notice(&format!("DB loaded from disk: {took:.3} seconds"));
            }
            Source::Log(replay) => {
                self.last_load = LastLoad {
                    keys: replay.keys,
                    expired: replay.expired,
                };
                if let Purpose::Client(index, id) = loading.purpose {
                    self.log_reloaded((index, id), Ok(()));
                    return Ok(());
                }
                let size = replay.position();
                log::notice(&format!("DB loaded from append only file: {took:.3} seconds"));
                self.open_log(replay.manifest, size)?;
            }
        }
        self.dirty = 0;
        self.begin_service();
        Ok(())
    }

    /// Begins what waits for the data: the link to a primary, and clients.
    pub fn begin_service(&mut self) {
        self.begin_replication();
        let settings = &self.settings;
        let kinds = [
            ("tcp", settings.port != 0),
            ("unix", !settings.unixsocket.is_empty()),
            ("tls", settings.tls_port != 0),
        ];
        for (kind, _) in kinds.iter().filter(|(_, is_open)| *is_open) {
            log::notice(&format!("Ready to accept connections {kind}"));
        }
    }

    /// Notes what a snapshot has brought, and gives its remarks.
    fn note_loaded(&mut self, loader: Loader) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.last_load = LastLoad {
            keys: loader.keys,
            expired: loader.expired,
        };
        let empty = match loader.empty {
            0 => String::new(),
            empty => format!(", empty keys skipped: {empty}"),
        };
        log::notice(&format!(
            "Done loading RDB, keys loaded: {}, keys expired: {}{empty}.",
            loader.keys, loader.expired
        ));
        loader.aux
    }

    /// Plays the append-only file in the place of all data (DEBUG LOADAOF), in one go: for who cannot wait.
    ///
    /// # Errors
    /// Why not, which is logged. What was loaded before the error stays.
    pub fn reload_log(&mut self) -> Result<(), String> {
        let loaded = self.make_way_for_log().and_then(|replay| {
            let Some(mut replay) = replay else { return Ok(()) };
            while self.play(&mut replay, usize::MAX)? {}
            Ok(())
        });
        self.note_reloaded(&loaded);
        loaded
    }

    /// The same in slices, for a client that must wait: then its command is run again and finds [`Core::take_reloaded`].
    /// False if that was all, since there is nothing to play.
    ///
    /// # Errors
    /// Why it cannot begin, which is logged.
    pub fn begin_reload_log(&mut self, index: SessionIndex) -> Result<bool, String> {
        let found = self.make_way_for_log();
        if let Ok(Some(replay)) = found {
            let client = Purpose::Client(index, self.session(index).id);
            self.start_loading(Source::Log(replay), LOG.to_owned(), client, Aside::No);
            return Ok(true);
        }
        let loaded = found.map(drop);
        self.note_reloaded(&loaded);
        loaded.map(|()| false)
    }

    /// What has come of the load that the client of the present command has waited for.
    pub fn take_reloaded(&mut self) -> Option<Result<(), String>> {
        self.reloaded.take()
    }

    /// Empties everything for what the log says, if it can be read.
    fn make_way_for_log(&mut self) -> Result<Option<Replay>, String> {
        // Else what it writes aside would stand for another log than the one that is read.
        self.finish_errand();
        self.write_log();
        let replay = self.find_log()?;
        self.empty_keyspace();
        self.drop_functions();
        Ok(replay)
    }

    fn note_reloaded(&mut self, loaded: &Result<(), String>) {
        match loaded {
            Ok(()) => {
                self.dirty = 0;
                log::warning("Append Only File loaded by DEBUG LOADAOF");
            }
            Err(reason) => log::warning(reason),
        }
    }

    /// Tells the client that has waited for it, if it still does, and lets everybody else go on. O(clients).
    fn log_reloaded(&mut self, client: (SessionIndex, ClientId), loaded: Result<(), String>) {
        self.note_reloaded(&loaded);
        // Who watches keys, or waits for them, has something new to look at.
        for index in 0..self.keyspace.len() {
            self.before_flush(index);
        }
        if let Some(index) = self.still_there(client) {
            self.reloaded = Some(loaded);
            self.run_again(index);
            self.reloaded = None;
        }
        self.let_held_go();
        self.serve_waiting();
    }

    /// Loads the snapshot in one go (DEBUG RELOAD).
    ///
    /// # Errors
    /// Why not, which is logged. What was loaded before the error stays.
    pub fn reload(&mut self, duplicates: Duplicates) -> Result<(), LoadError> {
        let path = self.snapshot_path();
        let loaded = self.reload_from(&path, duplicates);
        if let Err(error) = &loaded {
            log::warning(&explain(&path, 0, error));
        }
        loaded
    }

    fn reload_from(&mut self, path: &Path, duplicates: Duplicates) -> Result<(), LoadError> {
        let missing = || LoadError::Rdb(rdb::Error::Io(io::ErrorKind::NotFound.into()));
        let mut loader = self.open_snapshot(path)?.ok_or_else(missing)?;
        while self.load_keys(&mut loader, usize::MAX, duplicates)? {}
        let loaded = self.load_functions(&loader.functions, duplicates);
        self.note_loaded(loader);
        loaded?;
        Ok(())
    }
}

/// The same with the key whose value it is, and that the server ends for it.
fn fatal(path: &Path, position: u64, error: &LoadError, broken: Option<&Broken>) -> String {
    let mut what = explain(path, position, error);
    if let Some(broken) = broken {
        what += &format!("\nIt was reading {broken}: {error}");
    }
    let end = match error {
        LoadError::Rdb(rdb::Error::Io(_) | rdb::Error::NotRdb | rdb::Error::UnknownVersion(_)) => {
            "Fatal error loading the DB, check server logs. Exiting."
        }
        _ => "Terminating server after rdb file reading failure.",
    };
    format!("{what}\n{end}")
}

/// What the log says of a file that cannot be loaded.
fn explain(path: &Path, position: u64, error: &LoadError) -> String {
    let what = match error {
        LoadError::Rdb(rdb::Error::Truncated) => {
            "Short read or OOM loading DB. Unrecoverable error, aborting now.".to_owned()
        }
        LoadError::Rdb(rdb::Error::NotRdb) => "Wrong signature trying to load DB from file".to_owned(),
        LoadError::Rdb(rdb::Error::UnknownVersion(version)) => format!("Can't handle RDB format version {version}"),
        LoadError::Rdb(rdb::Error::Checksum) => "Wrong RDB checksum. Aborting now: RDB CRC error".to_owned(),
        error => format!("Internal error in RDB reading: {error}"),
    };
    format!("{what} ({}, offset {position})", path.display())
}
