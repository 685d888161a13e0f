//! The connection to the primary: from dialling to the point where its stream is run.
//!
//! ```text
//! Idle -> Dialling -> Greeting -> [Authenticating] -> Announcing -> Asking -> Receiving -> Loading -> Streaming
//!                                                                     `--------- partial -------------^
//! ```
//!
//! Up to `Receiving` the primary's bytes are lines and a snapshot, which [`Core::take_from_primary`] reads. From
//! `Streaming` on they are requests like a client's: the reactor runs them for the link's session, which hears nothing
//! of the replies, and [`Core::primary_stream_ran`] counts them. Whatever goes wrong ends in [`Core::drop_link`], and the
//! next attempt begins a second later, for ever.
//!
//! A byte of the stream is *applied* once the request it belongs to has run, the whole transaction if it belongs to one.
//! Only then does it count in the replication offset, and only then is it passed on.

use std::io;
use std::path::{Path, PathBuf};

use super::FormerId;
use super::transfer::{Extent, Transfer};
use crate::config::choice::DisklessLoad;
use crate::config::compound::PrimaryAddress;
use crate::host::Input;
use crate::keyspace::Keyspace;
use crate::log;
use crate::persistence::loader::Loader;
use crate::resp::encode;
use crate::resp::reply::Reply;
use crate::resp::request::ProtocolError;
use crate::server::core::{Core, Effect};
use crate::server::loading::Aside;
use crate::server::session::{Blocked, ReplyMode, SessionIndex};
use crate::timer::Millis;

/// Bytes of a line in the handshake; a primary has nothing longer to say.
const LINE_MAX: usize = 1024;
/// How long to wait between two attempts to reach the primary, in ms.
const RETRY: i64 = 1000;
/// Bytes of the stream that are read at most while CLIENT PAUSE keeps it from running. The primary keeps the rest.
const HELD_MAX: usize = 64 << 20;

/// How far the connection has come.
pub enum State {
    /// Waits until it is time to dial again, on the monotonic clock.
    Idle {
        until: Millis,
    },
    Dialling,
    /// PING was sent.
    Greeting,
    /// AUTH was sent.
    Authenticating,
    /// So many answers to REPLCONF are still to come.
    Announcing {
        answers: usize,
    },
    /// PSYNC was sent.
    Asking,
    /// The primary will send a snapshot of its data at this offset of this history; it has begun if there is a transfer.
    Receiving {
        id: String,
        offset: u64,
        transfer: Option<Box<Transfer>>,
    },
    /// The snapshot is being loaded, from the disk or from memory. The connection may be gone meanwhile.
    Loading {
        id: String,
        offset: u64,
        from: &'static str,
    },
    Streaming,
}

/// Where a history stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub id: String,
    pub offset: u64,
}

pub struct PrimaryLink {
    pub address: PrimaryAddress,
    pub state: State,
    pub session: Option<SessionIndex>,
    /// When the primary was last heard, and when the link was last up, on the monotonic clock.
    pub heard: Millis,
    pub down_since: Millis,
    /// The beginning of a line.
    line: Vec<u8>,
    /// Bytes of the stream that were read but are not applied.
    unapplied: Vec<u8>,
    /// How many of the bytes read in this batch begin with the last MULTI.
    since_multi: Option<usize>,
    /// The history that this server's data belong to, if a partial resync may go on from it.
    known: Option<Position>,
    /// Whether an acknowledgement was asked for.
    wants_ack: bool,
}

impl PrimaryLink {
    pub fn new(address: PrimaryAddress, known: Option<Position>, now: Millis) -> Self {
        PrimaryLink {
            address,
            state: State::Idle { until: now },
            session: None,
            heard: now,
            down_since: now,
            line: Vec::new(),
            unapplied: Vec::new(),
            since_multi: None,
            known,
            wants_ack: false,
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Streaming)
    }

    /// Redis's word for the state, as ROLE gives it.
    pub fn word(&self) -> &'static str {
        match self.state {
            State::Idle { .. } => "connect",
            State::Dialling => "connecting",
            State::Greeting | State::Authenticating | State::Announcing { .. } | State::Asking => "handshake",
            State::Receiving { .. } | State::Loading { .. } => "sync",
            State::Streaming => "connected",
        }
    }

    pub fn transfer(&self) -> Option<&Transfer> {
        match &self.state {
            State::Receiving { transfer, .. } => transfer.as_deref(),
            _ => None,
        }
    }

    pub fn is_syncing(&self) -> bool {
        matches!(self.state, State::Receiving { .. } | State::Loading { .. })
    }

    /// Whether a snapshot is whole and only waits for the disk, so that the reactor must look again soon.
    pub fn awaits_disk(&self) -> bool {
        self.transfer().is_some_and(Transfer::is_whole)
    }

    /// The history that the data belong to while the link is down, if a partial resync may go on from it.
    pub fn known(&self) -> Option<&Position> {
        self.known.as_ref()
    }

    /// Bytes read of the stream beyond those that are applied.
    pub fn unapplied(&self) -> usize {
        self.unapplied.len()
    }
}

impl Core {
    /// Whether what this session's socket has must wait: the primary's stream does while its snapshot is loaded, and while
    /// much of it is held back.
    pub fn must_not_read(&self, index: SessionIndex) -> bool {
        let link = self
            .replication
            .link
            .as_ref()
            .filter(|link| link.session == Some(index));
        link.is_some_and(|link| {
            matches!(link.state, State::Loading { .. }) || link.awaits_disk() || self.holds_enough(link)
        })
    }

    fn holds_enough(&self, link: &PrimaryLink) -> bool {
        let session = link.session.and_then(|index| self.sessions.get(index.0)?.as_ref());
        let is_held = session.is_some_and(|session| session.blocked == Some(Blocked::Paused));
        is_held && link.unapplied() >= HELD_MAX
    }

    /// Dials the primary when it is time to, gives up on one that is silent, and acknowledges. Asked once a second.
    pub(super) fn tend_link(&mut self) {
        let (now, timeout) = (self.monotonic, i64::from(self.settings.repl_timeout) * 1000);
        let Some(link) = &self.replication.link else { return };
        // One that is not listened to is not silent.
        let silent = now.since(link.heard) > timeout && !self.holds_enough(link);
        match &link.state {
            State::Idle { until } if *until <= now => self.dial(),
            State::Idle { .. } | State::Loading { .. } => {}
            State::Streaming if silent => {
                self.drop_link("MASTER timeout: no data nor PING received...");
            }
            State::Receiving { .. } if silent && !link.awaits_disk() => {
                self.drop_link(
                    "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' \
                     parameter in redis.conf to a larger value.",
                );
            }
            State::Receiving { .. } => self.store_snapshot(),
            State::Streaming => self.acknowledge(),
            _ if silent => self.drop_link("Timeout connecting to the MASTER..."),
            _ => {}
        }
    }

    fn dial(&mut self) {
        let now = self.monotonic;
        let Some(link) = &mut self.replication.link else { return };
        log::notice(&format!(
            "Connecting to MASTER {}:{}",
            link.address.host, link.address.port
        ));
        link.state = State::Dialling;
        link.heard = now;
        link.line.clear();
        let address = link.address.clone();
        self.effects.push(Effect::Dial(address));
    }

    /// The connection stands, and has this session.
    pub fn primary_answered(&mut self, index: SessionIndex) {
        let now = self.monotonic;
        let link = self.replication.link.as_mut();
        let Some(link) = link.filter(|link| matches!(link.state, State::Dialling)) else {
            return self.ask_close(index, true);
        };
        link.session = Some(index);
        link.heard = now;
        link.state = State::Greeting;
        log::notice("MASTER <-> REPLICA sync started");
        log::notice("Non blocking connect for SYNC fired the event.");
        let session = self.session(index);
        session.user = None;
        session.authenticated = true;
        session.is_primary = true;
        session.reply_mode = ReplyMode::Off;
        self.tell_primary(&[&[b"PING"]]);
    }

    /// Nobody answers at the primary's address, or there is no such address.
    pub fn primary_unreachable(&mut self, reason: &str) {
        self.drop_link(&format!("Error condition on socket for SYNC: {reason}"));
    }

    fn tell_primary(&mut self, requests: &[&[&[u8]]]) {
        let Some(index) = self.replication.link.as_ref().and_then(|link| link.session) else {
            return;
        };
        let Some(session) = self.find_session(index) else {
            return;
        };
        for words in requests {
            encode::request(&mut session.reply.bytes, words.len(), words.iter().copied());
        }
        self.mark_outgoing(index);
    }

    /// Gives up the connection; the next attempt comes at once if all was well up to now, and else in a while.
    pub fn drop_link(&mut self, why: &str) {
        log::warning(why);
        self.link_closed();
    }

    pub(super) fn leave_primary(&mut self) {
        let now = self.monotonic;
        let Some(link) = &mut self.replication.link else { return };
        let session = link.session.take();
        let state = std::mem::replace(
            &mut link.state,
            State::Idle {
                until: now.saturating_add(RETRY),
            },
        );
        link.line.clear();
        link.unapplied.clear();
        link.wants_ack = false;
        match state {
            State::Streaming => {
                link.down_since = now;
                link.known = Some(Position {
                    id: self.replication.id.clone(),
                    offset: self.propagation.offset,
                });
                log::notice("Connection with master lost.");
                log::notice("Caching the disconnected master state.");
            }
            State::Receiving {
                transfer: Some(transfer),
                ..
            } => {
                let path = transfer.path().map(Path::to_owned);
                drop(transfer);
                if let Some(path) = path {
                    // It is of no use to anybody.
                    let _ = self.host.remove(&path);
                }
            }
            _ => {}
        }
        self.note_hampering();
        if let Some(index) = session {
            self.ask_close(index, true);
        }
    }

    /// The link's session is closed by somebody else: the primary, or CLIENT KILL.
    pub(in crate::server) fn link_lost(&mut self) {
        match self.replication.link.as_ref().map(|link| &link.state) {
            Some(State::Greeting | State::Authenticating | State::Announcing { .. } | State::Asking) => {
                log::warning("Connection with MASTER lost during the handshake");
            }
            Some(State::Receiving { .. }) => {
                log::warning("Connection with MASTER lost while the snapshot was received");
            }
            // The stream's end is told by who ends it.
            Some(State::Idle { .. } | State::Dialling | State::Loading { .. } | State::Streaming) | None => {}
        }
        self.link_closed();
    }

    /// What should be the stream is none. Who knows what came before it, so nothing goes on from there: the next attempt
    /// asks for a snapshot. It comes later, as after any failure, or a primary that is broken would keep both busy.
    pub fn primary_broke_protocol(&mut self, error: &ProtocolError) {
        log::warning(&format!("Protocol error from MASTER: {error}"));
        self.leave_primary();
        if let Some(link) = &mut self.replication.link {
            link.known = None;
        }
    }

    fn link_closed(&mut self) {
        if let Some(link) = &mut self.replication.link
            && matches!(link.state, State::Loading { .. })
        {
            // What is being loaded is whole. The stream goes on behind it, over another connection.
            let session = link.session.take();
            link.unapplied.clear();
            return session.into_iter().for_each(|index| self.ask_close(index, true));
        }
        let was_up = self.replication.is_link_up();
        self.leave_primary();
        if was_up {
            self.dial();
        }
    }

    /// Takes what the primary has sent, up to where its stream begins: how many bytes. All of it unless the rest is the
    /// stream.
    pub fn take_from_primary(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        if let Some(link) = &mut self.replication.link {
            link.heard = self.monotonic;
        }
        while taken < bytes.len() {
            let Some(link) = &mut self.replication.link else {
                return bytes.len();
            };
            let rest = &bytes[taken..];
            match &mut link.state {
                State::Streaming => {
                    link.unapplied.extend_from_slice(rest);
                    return taken;
                }
                State::Idle { .. } => return bytes.len(),
                State::Receiving {
                    transfer: Some(transfer),
                    ..
                } if transfer.is_whole() => {
                    // The beginning of the stream, which runs when the snapshot is loaded.
                    link.unapplied.extend_from_slice(rest);
                    break;
                }
                State::Receiving {
                    transfer: Some(transfer),
                    ..
                } => match transfer.take(rest) {
                    Ok(count) => taken += count,
                    Err(error) => {
                        self.drop_link(&format!(
                            "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA \
                             synchronization: {error}"
                        ));
                        return bytes.len();
                    }
                },
                _ => {
                    let end = rest.iter().position(|&byte| byte == b'\n');
                    link.line.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
                    taken += end.map_or(rest.len(), |end| end + 1);
                    if link.line.len() > LINE_MAX {
                        self.drop_link("MASTER sent a line without an end during the handshake");
                        return bytes.len();
                    }
                    if end.is_some() {
                        let mut line = std::mem::take(&mut link.line);
                        if line.last() == Some(&b'\r') {
                            line.pop();
                        }
                        self.take_line(&line);
                    }
                }
            }
        }
        self.store_snapshot();
        bytes.len()
    }

    /// A line of the handshake. Empty ones only say that the primary is alive.
    fn take_line(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        let Some(link) = &mut self.replication.link else { return };
        let text = String::from_utf8_lossy(line).into_owned();
        let is_error = line[0] == b'-';
        match &mut link.state {
            State::Greeting => {
                // With an error of these it has understood, and waits for the password.
                let lets_in = ["+", "-NOAUTH", "-NOPERM", "-ERR operation not permitted"];
                if !lets_in.iter().any(|start| text.starts_with(start)) {
                    return self.drop_link(&format!("Error reply to PING from master: '{text}'"));
                }
                log::notice("Master replied to PING, replication can continue...");
                self.authenticate();
            }
            State::Authenticating => {
                if is_error {
                    return self.drop_link(&format!("Unable to AUTH to MASTER: {text}"));
                }
                self.announce();
            }
            State::Announcing { answers } => {
                *answers -= 1;
                let is_last = *answers == 0;
                if is_error {
                    log::notice(&format!("(Non critical) Master does not understand REPLCONF: {text}"));
                }
                if is_last {
                    self.ask_for_stream();
                }
            }
            State::Asking => self.take_answer(&text),
            State::Receiving { .. } => self.take_header(line),
            _ => self.drop_link(&format!("Unexpected line from MASTER: {text}")),
        }
    }

    fn authenticate(&mut self) {
        let (user, password) = (self.settings.masteruser.clone(), self.settings.masterauth.clone());
        if password.is_empty() {
            return self.announce();
        }
        if let Some(link) = &mut self.replication.link {
            link.state = State::Authenticating;
        }
        match user.is_empty() {
            true => self.tell_primary(&[&[b"AUTH", password.as_bytes()]]),
            false => self.tell_primary(&[&[b"AUTH", user.as_bytes(), password.as_bytes()]]),
        }
    }

    /// Says who asks: port, address, what is understood.
    fn announce(&mut self) {
        let settings = &self.settings;
        let port = match settings.replica_announce_port {
            0 if settings.tls_replication && settings.tls_port != 0 => settings.tls_port,
            0 => settings.port,
            port => port,
        };
        let (port, address) = (port.to_string(), settings.replica_announce_ip.clone());
        let port: &[&[u8]] = &[b"REPLCONF", b"listening-port", port.as_bytes()];
        let place: &[&[u8]] = &[b"REPLCONF", b"ip-address", address.as_bytes()];
        let able: &[&[u8]] = &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"];
        let version: &[&[u8]] = &[b"REPLCONF", b"version", crate::config::REDIS_VERSION.as_bytes()];
        let mut requests = vec![port];
        if !address.is_empty() {
            requests.push(place);
        }
        requests.extend([able, version]);
        if let Some(link) = &mut self.replication.link {
            link.state = State::Announcing {
                answers: requests.len(),
            };
        }
        self.tell_primary(&requests);
    }

    fn ask_for_stream(&mut self) {
        let Some(link) = &mut self.replication.link else { return };
        link.state = State::Asking;
        let (id, offset) = match &link.known {
            Some(known) => {
                log::notice(&format!(
                    "Trying a partial resynchronization (request {}:{}).",
                    known.id,
                    known.offset + 1
                ));
                // The offset of the first byte that is wanted; the first of all is 1.
                (known.id.clone(), (known.offset + 1).to_string())
            }
            None => {
                log::notice("Partial resynchronization not possible (no cached master)");
                ("?".to_owned(), "-1".to_owned())
            }
        };
        match self.is_handing_over() {
            true => self.tell_primary(&[&[b"PSYNC", id.as_bytes(), offset.as_bytes(), b"FAILOVER"]]),
            false => self.tell_primary(&[&[b"PSYNC", id.as_bytes(), offset.as_bytes()]]),
        }
    }

    /// What the primary says to PSYNC.
    fn take_answer(&mut self, text: &str) {
        let is_accepted = ["+FULLRESYNC", "+CONTINUE"].iter().any(|word| text.starts_with(word));
        self.failover_answered(is_accepted);
        // A failover that is refused ends with this server as the primary that it was.
        if !self.replication.is_replica() {
            return;
        }
        if let Some(position) = text.strip_prefix("+FULLRESYNC ") {
            return match parse_position(position) {
                Some(position) => self.expect_snapshot(position),
                None => self.drop_link(&format!("Master replied with wrong +FULLRESYNC syntax: {text}")),
            };
        }
        if let Some(id) = text.strip_prefix("+CONTINUE") {
            return self.continue_stream(id.trim());
        }
        if text.starts_with("-NOMASTERLINK") || text.starts_with("-LOADING") {
            return self.drop_link(&format!(
                "Master is currently unable to PSYNC but should be in the future: {}",
                &text[1..]
            ));
        }
        self.drop_link(&format!("Unexpected reply to PSYNC from master: {text}"));
    }

    fn expect_snapshot(&mut self, position: Position) {
        let Some(link) = &mut self.replication.link else { return };
        log::notice(&format!("Full resync from master: {}:{}", position.id, position.offset));
        // What is there stays of its history until the snapshot takes its place.
        link.state = State::Receiving {
            id: position.id,
            offset: position.offset,
            transfer: None,
        };
    }

    /// The header of the snapshot.
    fn take_header(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if let Some(error) = text.strip_prefix('-') {
            return self.drop_link(&format!("MASTER aborted replication with an error: {error}"));
        }
        let Some(extent) = line.strip_prefix(b"$").and_then(Extent::parse) else {
            return self.drop_link(&format!(
                "Bad protocol from MASTER, the first byte is not '$' (we received '{text}'), are you sure the host \
                 and port are right?"
            ));
        };
        let in_memory = match self.settings.repl_diskless_load {
            DisklessLoad::Disabled => false,
            DisklessLoad::OnEmptyDb => self.keyspace.is_empty(),
            DisklessLoad::Swapdb => true,
        };
        let place = if in_memory { "to parser" } else { "to disk" };
        log::notice(&match &extent {
            Extent::Left(bytes) => format!("MASTER <-> REPLICA sync: receiving {bytes} bytes from master {place}"),
            Extent::Until { .. } => {
                format!("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF {place}")
            }
        });
        match self.begin_transfer(extent, in_memory) {
            Ok(begun) => {
                if let Some(PrimaryLink {
                    state: State::Receiving { transfer, .. },
                    ..
                }) = self.replication.link.as_deref_mut()
                {
                    *transfer = Some(Box::new(begun));
                }
            }
            Err(error) => self.drop_link(&format!(
                "Opening the temp file needed for MASTER <-> REPLICA synchronization: {error}"
            )),
        }
    }

    fn begin_transfer(&mut self, extent: Extent, in_memory: bool) -> io::Result<Transfer> {
        if in_memory {
            let is_aside = self.settings.repl_diskless_load == DisklessLoad::Swapdb;
            return Ok(Transfer::to_memory(extent, is_aside));
        }
        let path = format!("temp-{}.{}.rdb", self.moment.now.as_secs(), self.host.process_id());
        Transfer::to_file(&mut *self.host, PathBuf::from(path), extent)
    }

    /// Whether new data come while the old ones of the same history are served, which the new will replace at once.
    pub fn is_loading_aside(&self) -> bool {
        let Some(link) = &self.replication.link else {
            return false;
        };
        match &link.state {
            State::Receiving {
                id,
                transfer: Some(transfer),
                ..
            } => transfer.is_aside && *id == self.replication.id,
            State::Loading { .. } => self.loading.as_ref().is_some_and(|loading| loading.serves_old_data()),
            _ => false,
        }
    }

    /// Begins to load the snapshot once it is whole, and on the disk if it is to be.
    #[cold]
    pub fn store_snapshot(&mut self) {
        // A script has the data to itself until it ends, and so has the log while DEBUG LOADAOF plays it.
        if self.scripts.is_running() || self.loading.is_some() {
            return;
        }
        let Some(link) = self.replication.link.as_deref_mut() else {
            return;
        };
        let State::Receiving {
            transfer: Some(transfer),
            ..
        } = &mut link.state
        else {
            return;
        };
        match transfer.is_stored() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.drop_link(&format!("Failed to store the snapshot of MASTER: {error}")),
        }
        let loads = State::Idle { until: Millis(0) };
        let State::Receiving {
            id,
            offset,
            transfer: Some(transfer),
        } = std::mem::replace(&mut link.state, loads)
        else {
            return;
        };
        let aside = match transfer.is_aside {
            true if id == self.replication.id => Aside::ServingOld,
            true => Aside::KeepingOld,
            false => Aside::No,
        };
        let from = if transfer.path().is_some() { "disk" } else { "socket" };
        match self.loader_of_transfer(*transfer) {
            Ok(loader) => {
                if let Some(link) = &mut self.replication.link {
                    link.state = State::Loading { id, offset, from };
                }
                self.load_from_primary(loader, from, aside);
            }
            Err(error) => self.drop_link(&format!(
                "Failed trying to load the MASTER synchronization DB from {from}: {error}"
            )),
        }
    }

    fn loader_of_transfer(&mut self, transfer: Transfer) -> Result<Loader, String> {
        let input = match transfer.path() {
            Some(path) => {
                let target = self.snapshot_path();
                let renamed = self.host.rename(path, &target);
                let opened = renamed.and_then(|()| self.host.open(&target));
                opened.map_err(|error| error.to_string())?
            }
            None => {
                let chunks = transfer.into_chunks().unwrap_or_default();
                Input {
                    len: chunks.len(),
                    bytes: Box::new(chunks),
                }
            }
        };
        self.loader_of(input).map_err(|error| error.to_string())
    }

    fn load_from_primary(&mut self, loader: Loader, from: &str, aside: Aside) {
        if aside == Aside::No {
            self.give_up_history();
            log::notice("MASTER <-> REPLICA sync: Flushing old data");
            self.empty_keyspace();
        }
        log::notice("MASTER <-> REPLICA sync: Loading DB in memory");
        self.begin_full_load(loader, format!("from {from}"), aside);
    }

    /// What replicas of this one, a child or the log have is another history from now on.
    fn give_up_history(&mut self) {
        if let Some(link) = &mut self.replication.link {
            link.known = None;
        }
        self.close_replicas("the data come from the primary anew");
        self.replication.stream.stop();
        self.stop_snapshot();
        self.suspend_log();
    }

    /// Lets what was loaded aside take the place of the data that were there.
    pub(in crate::server) fn install(&mut self, new: Keyspace) {
        self.give_up_history();
        self.empty_keyspace();
        self.keyspace.replace(new);
    }

    /// The snapshot is loaded, or is no snapshot.
    pub(in crate::server) fn primary_loaded(&mut self, loaded: Result<u32, String>) {
        let at_once = State::Idle { until: self.monotonic };
        let link = self.replication.link.as_deref_mut();
        let Some(link) = link.filter(|link| matches!(link.state, State::Loading { .. })) else {
            return;
        };
        let has_session = link.session.is_some();
        let State::Loading { id, offset, from } = std::mem::replace(&mut link.state, at_once) else {
            return;
        };
        let database = match loaded {
            Ok(database) => database,
            Err(error) => {
                return self.drop_link(&format!(
                    "Failed trying to load the MASTER synchronization DB from {from}, check server logs: {error}"
                ));
            }
        };
        // Who watches keys, or waits for them, has something new to look at.
        for index in 0..self.keyspace.len() {
            self.before_flush(index);
        }
        log::notice("MASTER <-> REPLICA sync: Finished with success");
        self.replication.former = None;
        self.replication.id = id;
        self.propagation.offset = offset;
        // A primary says SELECT first, but a replica passes on a stream that has said it long ago.
        self.replication.primary_database = database;
        self.resume_log();
        if has_session {
            return self.begin_streaming();
        }
        // The connection was lost meanwhile; a new one goes on from here.
        let known = self.position();
        if let Some(link) = &mut self.replication.link {
            link.known = Some(known);
        }
        self.tend_link();
    }

    /// A partial resync: the stream goes on where it was cut off, maybe under another ID.
    fn continue_stream(&mut self, id: &str) {
        log::notice("Successful partial resynchronization with master.");
        let Some(known) = self.replication.link.as_mut().and_then(|link| link.known.take()) else {
            return self.drop_link("Master goes on with a stream that was not asked for");
        };
        self.propagation.offset = known.offset;
        self.replication.id = known.id;
        if id.len() == 40 && id != self.replication.id {
            log::notice(&format!("Master replication ID changed to {id}"));
            let former = std::mem::replace(&mut self.replication.id, id.to_owned());
            self.replication.former = Some(FormerId {
                id: former,
                until: self.propagation.offset,
            });
            self.close_replicas("the replication ID has changed");
        }
        log::notice("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
        self.begin_streaming();
    }

    fn begin_streaming(&mut self) {
        let (offset, database) = (self.propagation.offset, self.replication.primary_database);
        if !self.replication.stream.is_kept() || self.replication.stream.end() != offset {
            self.replication.stream.begin(offset);
            self.replication.alone_since = self.monotonic;
        }
        let Some(link) = &mut self.replication.link else { return };
        link.state = State::Streaming;
        link.heard = self.monotonic;
        let (session, early) = (link.session, link.unapplied.clone());
        if let Some(session) = session.and_then(|index| self.find_session(index)) {
            session.database = database;
        }
        self.note_hampering();
        self.acknowledge();
        // What came while the data were loaded has been read early, or is in the socket still.
        self.effects.extend(session.map(|index| Effect::Stream(index, early)));
    }

    /// Counts what has run of the stream: all but the `left` bytes of a request that is not whole. To follow every batch of
    /// the link's requests.
    pub fn primary_stream_ran(&mut self, left: usize) {
        let Some(link) = &self.replication.link else { return };
        let Some(index) = link.session.filter(|_| link.is_up()) else {
            return;
        };
        let Some(session) = self.find_session(index) else {
            return;
        };
        let (database, is_queueing) = (session.database, session.is_queueing());
        let Some(link) = &mut self.replication.link else { return };
        // A transaction counts as a whole: cut off within, it is asked for again from its beginning.
        let since_multi = link.since_multi.take();
        let left = match is_queueing {
            true => since_multi,
            false => Some(left),
        };
        if let Some(left) = left {
            let ran = link.unapplied.len().saturating_sub(left);
            let history = self.settings.repl_backlog_size;
            self.replication.stream.append(&link.unapplied[..ran], history);
            link.unapplied.drain(..ran);
            self.propagation.offset += ran as u64;
            // Nothing changes it within a transaction that is not over.
            self.replication.primary_database = database;
        }
        let wants_ack = std::mem::take(&mut link.wants_ack);
        self.feed_replicas();
        if wants_ack {
            self.acknowledge();
        }
    }

    /// A MULTI of the primary's is about to run, with `bytes` of what was read from its beginning to the end.
    pub fn note_primary_multi(&mut self, bytes: usize) {
        if let Some(link) = &mut self.replication.link {
            link.since_multi = Some(bytes);
        }
    }

    /// REPLCONF GETACK: answered when the batch has run, with all of it.
    pub fn want_ack(&mut self) {
        if let Some(link) = &mut self.replication.link {
            link.wants_ack = true;
        }
    }

    /// Tells the primary how far this server is.
    fn acknowledge(&mut self) {
        let offset = self.propagation.offset.to_string();
        let synced = self.synced_offset().map(|offset| offset.to_string());
        match synced {
            Some(synced) => self.tell_primary(&[&[b"REPLCONF", b"ACK", offset.as_bytes(), b"FACK", synced.as_bytes()]]),
            None => self.tell_primary(&[&[b"REPLCONF", b"ACK", offset.as_bytes()]]),
        }
    }
}

fn parse_position(text: &str) -> Option<Position> {
    let (id, offset) = text.split_once(' ')?;
    // Beyond the largest signed number no offset can be told to anybody.
    let offset: i64 = offset.trim().parse().ok()?;
    let offset = u64::try_from(offset).ok()?;
    (id.len() == 40).then(|| Position {
        id: id.to_owned(),
        offset,
    })
}

/// What ROLE says of a replica.
pub fn write_role(core: &Core, link: &PrimaryLink, reply: &mut Reply) {
    let offset = match link.is_up() {
        true => core.propagation.offset as i64,
        false => -1,
    };
    reply.array(5);
    reply.bulk(b"slave");
    reply.bulk(link.address.host.as_bytes());
    reply.int(i64::from(link.address.port));
    reply.bulk(link.word().as_bytes());
    reply.int(offset);
}
