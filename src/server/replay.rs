//! Playing the append-only file: its files one after the other, the requests in them run as if a client sent them.
//!
//! The requests run through the same dispatcher as a client's, in a session that has no connection and hears no replies.
//! Nothing expires meanwhile and nothing is recorded: a key whose time has come was still there when the request behind it
//! was made.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::path::Path;

use super::core::Core;
use super::dispatch::{Executor, Request};
use super::loading::LOAD_BYTES;
use super::session::{ClientId, ReplyMode, Session, SessionIndex};
use crate::commands::table;
use crate::format::reason;
use crate::host::Input;
use crate::log;
use crate::persistence::aof::Manifest;
use crate::persistence::aof::manifest::LogFile;
use crate::persistence::aof::reader::{Next, Place, ReadError, Reader, Words};
use crate::persistence::loader::{Duplicates, Loader};
use crate::resp::pool::ReplyPool;
use crate::resp::request::Span;
use crate::timer::Millis;

/// Up to where in a buffer an argument may begin that is not copied out of it.
const SPAN_MAX: usize = 1 << 30;

/// How a file that is a snapshot begins.
const SNAPSHOT: &[u8; 5] = b"REDIS";

/// A log being played.
pub struct Replay {
    pub manifest: Manifest,
    /// Those to come, opened at the beginning: a rewrite that ends meanwhile removes them, and what is appended behind the
    /// beginning is no part of what is played.
    files: VecDeque<(LogFile, Input)>,
    current: Option<Current>,
    /// The client that the requests are run for, between slices.
    session: Option<Box<Session>>,
    /// Bytes of all files, and of those that are played.
    pub total: u64,
    played: u64,
    pub keys: u64,
    pub expired: u64,
}

struct Current {
    file: LogFile,
    len: u64,
    part: Part,
}

enum Part {
    Snapshot(Box<Loader>),
    Requests {
        reader: Box<Reader<Box<dyn Read>>>,
        words: Words,
        /// Where MULTI stood, while EXEC has not come.
        open_multi: Option<u64>,
    },
}

impl Replay {
    /// Bytes played.
    pub fn position(&self) -> u64 {
        let current = self.current.as_ref().map_or(0, |current| match &current.part {
            Part::Snapshot(loader) => loader.position(),
            Part::Requests { reader, .. } => reader.position(),
        });
        self.played + current
    }
}

impl Core {
    /// The manifest at `path`; `None` if there is none.
    pub(super) fn read_manifest(&mut self, path: &Path) -> Result<Option<Manifest>, String> {
        let mut text = Vec::new();
        let read = self
            .host
            .open(path)
            .and_then(|mut input| input.bytes.read_to_end(&mut text));
        match read {
            Ok(_) => Manifest::parse(&text).map(Some).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!(
                "Fatal error: can't open the AOF manifest file {} for reading: {}",
                path.display(),
                reason(&error)
            )),
        }
    }

    /// The log to be played; `None` if there is none yet.
    ///
    /// # Errors
    /// Why there is one that cannot be read.
    pub(super) fn find_log(&mut self) -> Result<Option<Replay>, String> {
        let path = self.log_path(&self.manifest_name());
        let manifest = match self.read_manifest(&path)? {
            Some(manifest) => manifest,
            None => match self.adopt_old_log()? {
                Some(manifest) => manifest,
                None => return Ok(None),
            },
        };
        if manifest.is_empty() {
            return Ok(None);
        }
        self.continue_adoption(&manifest)?;
        let (mut total, mut files) = (0, VecDeque::new());
        for file in manifest.files() {
            let path = self.log_path(&file.name);
            let opened = self.host.open(&path);
            let input = opened.map_err(|error| unreadable(file, &error))?;
            total += input.len;
            files.push_back((file.clone(), input));
        }
        Ok(Some(Replay {
            files,
            manifest,
            current: None,
            session: None,
            total,
            played: 0,
            keys: 0,
            expired: 0,
        }))
    }

    /// Takes over the single file that servers before Redis 7 kept, as the base of a new log.
    fn adopt_old_log(&mut self) -> Result<Option<Manifest>, String> {
        let name = self.settings.appendfilename.to_string();
        if self.host.open(Path::new(&name)).is_err() {
            return Ok(None);
        }
        let manifest = Manifest {
            base: Some(LogFile {
                name: name.clone(),
                sequence: 1,
            }),
            ..Manifest::default()
        };
        let told = |error: io::Error| format!("Error upgrading the old AOF file {name}: {}", reason(&error));
        self.host
            .create_directory(self.settings.appenddirname.as_path())
            .map_err(told)?;
        self.append_only_manifest(manifest.clone()).map_err(told)?;
        let path = self.log_path(&name);
        self.host.rename(Path::new(&name), &path).map_err(told)?;
        log::notice(&format!(
            "Successfully migrated an old-style AOF configuration ({name}) into the AOF directory ({}).",
            self.settings.appenddirname
        ));
        Ok(Some(manifest))
    }

    /// Moves the single file of old to where the manifest says it is, if a crash came between the two.
    fn continue_adoption(&mut self, manifest: &Manifest) -> Result<(), String> {
        let name = self.settings.appendfilename.to_string();
        let is_adopted = manifest.base.as_ref().is_some_and(|base| base.name == name);
        let path = self.log_path(&name);
        if !is_adopted || self.host.open(&path).is_ok() || self.host.open(Path::new(&name)).is_err() {
            return Ok(());
        }
        self.host
            .rename(Path::new(&name), &path)
            .map_err(|error| format!("Error upgrading the old AOF file {name}: {}", reason(&error)))
    }

    /// Plays up to about `count` requests or keys of the log. False at its end.
    pub(super) fn play(&mut self, replay: &mut Replay, count: usize) -> Result<bool, String> {
        let session = replay.session.take().unwrap_or_else(|| self.silent_session());
        let seat = self.seat(session);
        // What is played is on the disk already.
        let recording = std::mem::take(&mut self.propagation.is_on);
        self.is_replaying = true;
        let expired_by = std::mem::replace(&mut self.moment.expired_by, Millis::MIN);
        let played = match self.scripts.is_running() {
            true => {
                self.go_on_with_script();
                Ok(true)
            }
            false => self.play_for(replay, count, seat),
        };
        self.moment.expired_by = expired_by;
        self.is_replaying = false;
        self.propagation.is_on = recording;
        replay.session = self.unseat();
        played
    }

    fn play_for(&mut self, replay: &mut Replay, count: usize, seat: SessionIndex) -> Result<bool, String> {
        if replay.current.is_none() {
            let Some((file, input)) = replay.files.pop_front() else {
                return Ok(false);
            };
            replay.current = Some(self.begin_log_file(file, input)?);
        }
        let Some(current) = &mut replay.current else {
            return Ok(false);
        };
        let is_last = replay.files.is_empty();
        let more = match &mut current.part {
            Part::Snapshot(loader) => {
                let more = self.load_keys(loader, count, Duplicates::Refuse);
                let name = &current.file.name;
                let more =
                    more.map_err(|error| format!("Error reading the RDB preamble of the AOF file {name}: {error}"))?;
                if !more {
                    replay.keys += loader.keys;
                    replay.expired += loader.expired;
                    let functions = std::mem::take(&mut loader.functions);
                    let loaded = self.load_functions(&functions, Duplicates::Refuse);
                    loaded
                        .map_err(|error| format!("Error reading the RDB preamble of the AOF file {name}: {error}"))?;
                    log::notice("Reading the remaining AOF tail...");
                }
                more
            }
            Part::Requests { .. } => self.play_requests(current, count, seat, is_last)?,
        };
        if more {
            return Ok(true);
        }
        if let Some(Current { file, len, part }) = replay.current.take() {
            match part {
                Part::Snapshot(loader) => {
                    let (begun, input, position) = loader.into_rest();
                    replay.current = Some(Current {
                        file,
                        len,
                        part: requests(input, begun, position, len),
                    });
                }
                Part::Requests { .. } => {
                    log::notice(&format!("DB loaded from AOF file {}", file.name));
                    replay.played += len;
                }
            }
        }
        Ok(true)
    }

    fn begin_log_file(&mut self, file: LogFile, input: Input) -> Result<Current, String> {
        let Input { mut bytes, len } = input;
        let mut head = Vec::new();
        let read = (&mut bytes).take(SNAPSHOT.len() as u64).read_to_end(&mut head);
        read.map_err(|error| unreadable(&file, &error))?;
        let part = if head == SNAPSHOT {
            log::notice("Reading RDB base file on AOF loading...");
            let bytes: Box<dyn Read> = Box::new(Cursor::new(head).chain(bytes));
            let loader = self.loader_of(Input { bytes, len });
            Part::Snapshot(Box::new(loader.map_err(|error| {
                format!("Error reading the RDB preamble of the AOF file {}: {error}", file.name)
            })?))
        } else {
            requests(bytes, head, 0, len)
        };
        Ok(Current { file, len, part })
    }

    fn play_requests(
        &mut self,
        current: &mut Current,
        count: usize,
        seat: SessionIndex,
        is_last: bool,
    ) -> Result<bool, String> {
        let Part::Requests {
            reader,
            words,
            open_multi,
        } = &mut current.part
        else {
            return Ok(false);
        };
        let (mut pool, name) = (ReplyPool::default(), &current.file.name);
        let mut executor = Executor::new(self, &mut pool);
        let (first, mut end) = (reader.position(), None);
        for _ in 0..count {
            let begin = reader.position();
            match reader.step(words) {
                Ok(Next::Request) => {}
                Ok(Next::Unfinished) => break,
                Ok(Next::End) if open_multi.is_some() => {
                    log::warning("Revert incomplete MULTI/EXEC transaction from AOF file");
                    end = Some(ReadError::Truncated);
                    break;
                }
                Ok(Next::End) => return Ok(false),
                Err(error) => {
                    end = Some(error);
                    break;
                }
            }
            let command = run_one(&mut executor, reader, words, seat).map_err(|unknown| {
                format!("Unknown command '{unknown}' reading the append only file {name} (offset {begin})")
            })?;
            match command {
                "multi" => *open_multi = Some(begin),
                "exec" | "discard" => *open_multi = None,
                _ => {}
            }
            if reader.position() - first >= LOAD_BYTES || executor.core.scripts.is_running() {
                break;
            }
        }
        executor.finish();
        let Some(error) = end else { return Ok(true) };
        let valid = open_multi.unwrap_or(reader.position());
        let torn = matches!(error, ReadError::Truncated);
        if torn && is_last && self.settings.aof_load_truncated {
            self.end_transaction(seat);
            self.cut_log(name, valid)?;
            current.len = valid;
            return Ok(false);
        }
        Err(match error {
            ReadError::Truncated => format!(
                "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, \
                 then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the \
                 'aof-load-truncated' configuration option to yes and restart the server. (offset {})",
                reader.position()
            ),
            ReadError::Format => format!(
                "Bad file format reading the append only file {name}: make a backup of your AOF file, then use \
                 ./redis-check-aof --fix <filename.manifest> (offset {})",
                reader.position()
            ),
            ReadError::Io(error) => {
                format!(
                    "Unrecoverable error reading the append only file {name}: {}",
                    reason(&error)
                )
            }
        })
    }

    /// Cuts what a crash has left unfinished from the end of a file.
    fn cut_log(&mut self, name: &str, valid: u64) -> Result<(), String> {
        log::warning(&format!("!!! Warning: short read while loading the AOF file {name}!!!"));
        log::warning(&format!(
            "AOF {name} loaded anyway because aof-load-truncated is enabled"
        ));
        log::warning(&format!("Truncating the AOF {name} at offset {valid}"));
        let path = self.log_path(name);
        self.host
            .truncate(&path, valid)
            .map_err(|error| format!("Error truncating the AOF file {name}: {}", reason(&error)))
    }

    /// A session that hears nothing.
    fn silent_session(&self) -> Box<Session> {
        let mut session = Box::new(Session::new(ClientId(0), SessionIndex(0), self.moment.now));
        session.authenticated = true;
        session.reply_mode = ReplyMode::Off;
        session
    }
}

fn unreadable(file: &LogFile, error: &io::Error) -> String {
    format!(
        "Fatal error: can't open the append log file {} for reading: {}",
        file.name,
        reason(error)
    )
}

/// Requests from byte `position` of a file of `len` bytes on, of which `begun` was read already.
fn requests(input: Box<dyn Read>, begun: Vec<u8>, position: u64, len: u64) -> Part {
    let mut reader = Box::new(Reader::new(input, begun, position));
    reader.set_len(len);
    Part::Requests {
        reader,
        words: Words::default(),
        open_multi: None,
    }
}

/// Runs a request of the log and gives its command's name; if there is no such command, what the log calls it.
fn run_one(
    executor: &mut Executor<'_>,
    reader: &mut Reader<Box<dyn Read>>,
    words: &Words,
    session: SessionIndex,
) -> Result<&'static str, String> {
    let mut bigs = reader.take_apart();
    let bytes = reader.bytes();
    let name = match words.0.first() {
        Some(&Place::Within { at, len }) => &bytes[at..at + len],
        // No command has a name that long.
        Some(Place::Apart(_)) | None => &[],
    };
    // Records are as clients sent them, with names that `rename-command` gave, or the server's own.
    let Some(spec) = table::lookup(name).or_else(|| table::lookup_own(name)) else {
        return Err(String::from_utf8_lossy(name).into_owned());
    };
    let spans: Vec<Span> = words
        .0
        .iter()
        .map(|&place| match place {
            Place::Within { at, len } if at < SPAN_MAX => Span::new(at, len),
            Place::Within { at, len } => {
                bigs.push(bytes[at..at + len].to_vec());
                Span::big(bigs.len() - 1, len)
            }
            Place::Apart(index) => Span::big(index, bigs[index].len()),
        })
        .collect();
    executor.run(Request {
        session,
        input: bytes,
        spans: &spans,
        spec: Some(spec),
        hashes: &[],
        bigs: &mut bigs,
    });
    // Whoever waited for what never comes would hold up all that follows.
    executor.core.stop_waiting(session);
    Ok(spec.name)
}
