//! Loading a snapshot into a keyspace, a key at a time.
//!
//! Most of the time of a load goes into waiting for memory: every key falls on another place of the table. So a key is
//! read and its place asked for, and it is put there only when some more have been read behind it.

use std::collections::VecDeque;
use std::fmt;
use std::io::Read;

use super::rdb::decode::Limits;
use super::rdb::reader::{Broken, Item, Part, Reader, Record};
use super::rdb::{self, Value};
use crate::hashing::hash_bytes;
use crate::host::Input;
use crate::keyspace::database::Moment;
use crate::keyspace::{ClockMode, Deadline, Key, Keyspace};
use crate::log;

/// What to do with a key that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// A file has each key once: two are a sign that it is not what it seems.
    Refuse,
    /// The file's takes the place of the one that is there (DEBUG RELOAD MERGE).
    Replace,
}

/// Why a file could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    Rdb(rdb::Error),
    /// A key of a database beyond the number there are.
    NoSuchDatabase(u64),
    Duplicate(u64, Vec<u8>),
    /// A library of functions that does not load.
    Function(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Rdb(error) => error.fmt(f),
            LoadError::NoSuchDatabase(index) => {
                write!(f, "it has keys in database {index}, and `databases` allows for fewer")
            }
            LoadError::Duplicate(database, key) => {
                let key = String::from_utf8_lossy(key);
                write!(f, "the key '{key}' stands in database {database} twice")
            }
            LoadError::Function(why) => write!(f, "a library of functions does not load: {why}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<rdb::Error> for LoadError {
    fn from(error: rdb::Error) -> Self {
        LoadError::Rdb(error)
    }
}

/// Where keys go, and which.
pub struct Target<'a> {
    pub keyspace: &'a mut Keyspace,
    pub moment: &'a Moment,
    /// Whether keys past their deadline are left out. They are not where more is to come that may concern them.
    pub drop_expired: bool,
    /// The keys that were left out so, with their databases, if somebody is to be told.
    pub dropped: Option<&'a mut Vec<(usize, Vec<u8>)>>,
    pub duplicates: Duplicates,
}

/// A file being loaded.
pub struct Loader {
    reader: Reader<Box<dyn Read>>,
    /// Bytes of the file.
    pub total: u64,
    pub keys: u64,
    pub expired: u64,
    /// Keys passed over because their values were empty.
    pub empty: u64,
    /// Facts from the head of the file, in its order.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    pub functions: Vec<Box<[u8]>>,
    /// Keys read and not placed yet, with their hashes.
    ahead: VecDeque<(Box<Record>, u64)>,
}

/// Keys with empty values that the log tells of one by one.
const EMPTY_TOLD: u64 = 10;
/// Keys read ahead of the one that is placed.
const AHEAD: usize = 16;

impl Loader {
    /// Reads the head of a file.
    pub fn new(input: Input, limits: Limits, checksum: bool) -> Result<Self, LoadError> {
        let mut reader = Reader::new(input.bytes, limits, checksum)?;
        reader.set_len(input.len);
        Ok(Loader {
            reader,
            total: input.len,
            keys: 0,
            expired: 0,
            empty: 0,
            aux: Vec::new(),
            functions: Vec::new(),
            ahead: VecDeque::with_capacity(AHEAD + 1),
        })
    }

    /// What follows the snapshot in its file: bytes that were read already, the rest, and where the first of both stands.
    pub fn into_rest(self) -> (Vec<u8>, Box<dyn Read>, u64) {
        self.reader.into_rest()
    }

    /// Whether a key was read: all facts of the head stand before the first. No key is placed with the same step.
    pub fn is_past_head(&self) -> bool {
        self.keys + self.expired > 0 || !self.ahead.is_empty()
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Which key the loading ended at, if it was one's value that could not be read.
    pub fn broken(&self) -> Option<&Broken> {
        self.reader.broken.as_ref()
    }

    /// Loads the next part of the file, which may be some elements of a large value; false at its end. O(bytes of the key
    /// or of these elements).
    ///
    /// # Errors
    /// What is wrong with the file. What was loaded before stays; nothing more can be.
    pub fn step(&mut self, target: &mut Target<'_>) -> Result<bool, LoadError> {
        let item = match self.reader.step()? {
            Part::Item(item) => item,
            Part::Unfinished => return Ok(true),
            Part::End => {
                while let Some((record, hash)) = self.ahead.pop_front() {
                    self.place(*record, hash, target)?;
                }
                return Ok(false);
            }
        };
        match item {
            Item::Aux { name, value } => self.aux.push((name, value)),
            Item::Function(source) => self.functions.push(source.into()),
            Item::Size { .. } => {}
            Item::Key(record) => self.read_ahead(record, target)?,
            Item::Empty { key } => self.pass_over(&key),
        }
        Ok(true)
    }

    fn pass_over(&mut self, key: &[u8]) {
        self.empty += 1;
        if self.empty <= EMPTY_TOLD {
            log::notice(&format!(
                "A collection without elements, which an old version wrote by mistake, skipping empty key: {}",
                String::from_utf8_lossy(key)
            ));
        }
    }

    fn read_ahead(&mut self, record: Box<Record>, target: &mut Target<'_>) -> Result<(), LoadError> {
        let hash = hash_bytes(&record.key);
        if let Some(index) = index_of(record.database, target.keyspace) {
            target.keyspace.db(index).lines().prefetch(hash);
        }
        self.ahead.push_back((record, hash));
        if self.ahead.len() > AHEAD
            && let Some((record, hash)) = self.ahead.pop_front()
        {
            self.place(*record, hash, target)?;
        }
        Ok(())
    }

    fn place(&mut self, record: Record, hash: u64, target: &mut Target<'_>) -> Result<(), LoadError> {
        let now = target.moment.now;
        if target.drop_expired && record.deadline.is_some_and(|at| at < now) {
            self.expired += 1;
            if let (Some(dropped), Some(index)) = (&mut target.dropped, index_of(record.database, target.keyspace)) {
                dropped.push((index, record.key));
            }
            return Ok(());
        }
        let Some(index) = index_of(record.database, target.keyspace) else {
            return Err(LoadError::NoSuchDatabase(record.database));
        };
        let key = Key {
            bytes: &record.key,
            hash,
        };
        if target.duplicates == Duplicates::Refuse && target.keyspace.db(index).find(key).is_some() {
            return Err(LoadError::Duplicate(record.database, record.key));
        }
        let clock = target.moment.clock;
        let last_used = match (clock.mode, record.idle, record.frequency) {
            (ClockMode::Lru, Some(seconds), _) => Some(clock.idle_since(i64::try_from(seconds).unwrap_or(i64::MAX))),
            (ClockMode::Lfu, _, Some(frequency)) => Some(clock.with_frequency(frequency)),
            _ => None,
        };
        let deadline = record.deadline.map_or(Deadline::Clear, Deadline::At);
        put(index, key, record.value, deadline, target);
        if let Some(last_used) = last_used {
            target.keyspace.db_mut(index).set_clock(key, last_used);
        }
        self.keys += 1;
        Ok(())
    }
}

fn put(index: usize, key: Key<'_>, value: Value, deadline: Deadline, target: &mut Target<'_>) {
    let moment = target.moment;
    let (db, graveyard) = target.keyspace.write(index);
    match (target.duplicates, deadline) {
        (Duplicates::Replace, _) => value.store(|value| db.set(key, value, deadline, moment, graveyard)),
        (Duplicates::Refuse, Deadline::At(at)) => value.store(|value| db.insert(key, value, Some(at), moment)),
        (Duplicates::Refuse, _) => value.store(|value| db.insert(key, value, None, moment)),
    }
}

/// The database of a number, if there is one.
fn index_of(database: u64, keyspace: &Keyspace) -> Option<usize> {
    let index = usize::try_from(database).ok();
    index.filter(|&index| index < keyspace.len())
}
