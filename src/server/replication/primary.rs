//! Serving replicas.
//!
//! A replica is a client that has said PSYNC. If the stream still has what it missed, it goes on there. Otherwise it waits
//! for a snapshot ([`Phase::AwaitsChild`]); a child writes one for all that wait at that moment, whose common position is
//! the offset of the fork. The file goes out ([`Phase::Sending`]), or the snapshot goes to them as it is written
//! ([`Phase::Piping`]); and behind it the stream from that position ([`Phase::Online`]). What is said meanwhile costs nothing extra: it is in the stream, which keeps what the slowest
//! replica has not taken. A replica that lags further behind than its output limit allows is let go.

use std::io::Read;

use super::stream::block_size;
use super::transfer::{MARK, Next, Piped};
use crate::config::compound::PrimaryAddress;
use crate::host::{Input, Pipe};
use crate::log;
use crate::server::core::{Core, Effect};
use crate::server::session::SessionIndex;
use crate::timer::Millis;

/// Bytes of a snapshot read from its file at a time, and of the stream written at a time.
const CHUNK: usize = 64 * 1024;

const GET_ACKS: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// A snapshot on its way to a replica.
pub struct Payload {
    input: Box<dyn Read>,
    /// Bytes of the file that are not read yet.
    left: u64,
    /// Bytes that go out next, and how many of them are gone.
    chunk: Vec<u8>,
    sent: usize,
}

/// What a snapshot has. A file has everything, so that anything less goes through a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub keys: bool,
    pub functions: bool,
}

impl Parts {
    pub const ALL: Parts = Parts {
        keys: true,
        functions: true,
    };
    pub const NONE: Parts = Parts {
        keys: false,
        functions: false,
    };
}

/// How far a replica has come.
pub enum Phase {
    /// It has said REPLCONF, but not what it wants.
    Greeting,
    /// Waits until a child can be started for it, since this moment on the monotonic clock.
    AwaitsChild {
        since: Millis,
    },
    /// A child writes its snapshot.
    AwaitsEnd,
    Sending(Box<Payload>),
    /// Takes a snapshot as it is written; it has so many bytes of the present chunk.
    Piping {
        sent: usize,
    },
    Online,
}

/// What a primary knows of a replica.
pub struct Replica {
    pub phase: Phase,
    /// Where it says it listens; 0 and empty if it has not.
    pub port: u16,
    pub address: Box<str>,
    /// Whether it knows that the replication ID may change when the stream goes on.
    takes_new_id: bool,
    /// Whether it can tell the end of a snapshot whose length it was not told.
    takes_mark: bool,
    /// What it wants in its snapshot.
    pub parts: Parts,
    /// Whether it is a backup: wants a snapshot, and nothing of what comes after.
    pub wants_only_snapshot: bool,
    /// Whether the stream waits for its next acknowledgement: it finds the end of such a snapshot because nothing follows.
    starts_on_ack: bool,
    /// Whether it came with SYNC, which has no answer but the snapshot.
    is_old: bool,
    /// The offset up to which it has everything, and up to which its disk has; when it last said so.
    pub acked: u64,
    pub synced: u64,
    pub acked_at: Millis,
    /// Up to where the stream has gone to its socket.
    pub position: u64,
    /// Since when it lags more than the soft output limit allows.
    soft_since: Option<Millis>,
}

impl Replica {
    pub fn new(now: Millis) -> Self {
        Replica {
            phase: Phase::Greeting,
            port: 0,
            address: "".into(),
            takes_new_id: false,
            takes_mark: false,
            parts: Parts::ALL,
            wants_only_snapshot: false,
            starts_on_ack: false,
            is_old: false,
            acked: 0,
            synced: 0,
            acked_at: now,
            position: 0,
            soft_since: None,
        }
    }

    pub fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online)
    }

    /// Whether it has asked for the stream, so that nothing else may go to its socket.
    pub fn is_bound(&self) -> bool {
        !matches!(self.phase, Phase::Greeting)
    }

    /// Whether the stream is kept for it.
    fn reads_stream(&self) -> bool {
        match self.phase {
            Phase::Greeting | Phase::AwaitsChild { .. } => false,
            Phase::AwaitsEnd | Phase::Sending(_) | Phase::Piping { .. } => !self.wants_only_snapshot,
            Phase::Online => true,
        }
    }

    /// Whether the snapshot it wants can be sent to it: nobody knows the length of one that is in a pipe.
    pub fn can_have_its_parts(&self) -> bool {
        self.parts == Parts::ALL || self.takes_mark
    }

    /// Redis's word for the phase, as INFO gives it. Of a snapshot through a pipe the child is waited for to the end.
    pub fn word(&self) -> &'static str {
        match self.phase {
            Phase::Greeting | Phase::AwaitsChild { .. } | Phase::AwaitsEnd | Phase::Piping { .. } => "wait_bgsave",
            Phase::Sending(_) => "send_bulk",
            Phase::Online => "online",
        }
    }
}

/// A replica as it is told of.
pub struct ReplicaLine {
    pub ip: String,
    pub port: u16,
    pub is_online: bool,
    pub state: &'static str,
    pub acked: u64,
    /// Seconds since it was last heard.
    pub lag: i64,
}

impl ReplicaLine {
    /// Whether it listens there.
    pub fn is_at(&self, address: &PrimaryAddress) -> bool {
        self.port == address.port && self.ip.as_bytes() == address.host.as_bytes()
    }
}

/// What becomes of a PSYNC.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The stream goes on; the reply says so.
    Continues(String),
    /// The reply comes with the snapshot.
    Later,
}

impl Core {
    /// What a session has told of itself as a replica.
    pub fn replica_of(&mut self, index: SessionIndex) -> &mut Replica {
        let now = self.moment.now;
        let replica = &mut self.session(index).replica;
        replica.get_or_insert_with(|| Box::new(Replica::new(now)))
    }

    /// REPLCONF capa eof.
    pub fn replica_takes_mark(&mut self, index: SessionIndex) {
        self.replica_of(index).takes_mark = true;
    }

    /// REPLCONF capa psync2.
    pub fn replica_takes_new_id(&mut self, index: SessionIndex) {
        self.replica_of(index).takes_new_id = true;
    }

    /// Takes a session as a replica that has the history `id` up to before `offset`, whose first byte is 1; `None` for
    /// one that has nothing, or speaks SYNC (`is_old`).
    pub fn take_replica(&mut self, index: SessionIndex, known: Option<(&[u8], i64)>, is_old: bool) -> Answer {
        let position = known.and_then(|(id, offset)| self.position_in_stream(id, offset));
        let name = self.replica_name(index);
        if !self.replication.replicas.contains(&index) {
            self.replication.replicas.push(index);
        }
        let (now, monotonic) = (self.moment.now, self.monotonic);
        let replica = self.replica_of(index);
        (replica.is_old, replica.acked_at) = (is_old, now);
        if let Some(position) = position {
            (replica.phase, replica.position) = (Phase::Online, position);
            let takes_new_id = replica.takes_new_id;
            self.stats.sync_partial_ok += 1;
            log::notice(&format!(
                "Partial resynchronization request from {name} accepted. Sending {} bytes of backlog starting from offset {}.",
                self.replication.stream.end() - position,
                position + 1
            ));
            self.mark_outgoing(index);
            return Answer::Continues(match takes_new_id {
                true => format!("CONTINUE {}", self.replication.id),
                false => "CONTINUE".to_owned(),
            });
        }
        replica.phase = Phase::AwaitsChild { since: monotonic };
        if known.is_some() {
            self.stats.sync_partial_err += 1;
        }
        self.stats.sync_full += 1;
        log::notice(&format!("Full resync requested by replica {name}"));
        Answer::Later
    }

    /// Where the stream goes on for somebody with that history; `None` if that is not kept, or is another's.
    fn position_in_stream(&self, id: &[u8], offset: i64) -> Option<u64> {
        let wanted = u64::try_from(offset).ok().and_then(|offset| offset.checked_sub(1));
        let stream = &self.replication.stream;
        let is_ours = id == self.replication.id.as_bytes();
        let was_ours = self
            .replication
            .former
            .as_ref()
            .is_some_and(|former| id == former.id.as_bytes() && wanted.is_none_or(|wanted| wanted <= former.until));
        if !is_ours && !was_ours {
            if id != b"?" {
                log::notice(&format!(
                    "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{}', my \
                     replication ID is '{}')",
                    String::from_utf8_lossy(id),
                    self.replication.id
                ));
            }
            return None;
        }
        // The stream may keep more, for another or because it drops whole blocks, than a replica may owe, who would be let
        // go at once and come again.
        let first = stream.first().max((stream.end() + 1).saturating_sub(self.most_owed()));
        let is_kept = |wanted: &u64| stream.is_kept() && *wanted >= first && *wanted <= stream.end();
        let kept = wanted.filter(is_kept);
        if kept.is_none() {
            log::notice(&format!(
                "Unable to partial resync with replica for lack of backlog (Replica request was: {offset})."
            ));
        }
        kept
    }

    /// How the log names a replica: its address and the port where it listens.
    pub fn replica_name(&mut self, index: SessionIndex) -> String {
        let session = self.session(index);
        let peer = session.peer().to_owned();
        let (ip, port) = peer.rsplit_once(':').unwrap_or((&peer, "0"));
        match &session.replica {
            Some(replica) => {
                let ip = if replica.address.is_empty() {
                    ip
                } else {
                    &replica.address
                };
                match replica.port {
                    0 => format!("{ip}:<unknown-replica-port>"),
                    port => format!("{ip}:{port}"),
                }
            }
            None => format!("{ip}:{port}"),
        }
    }

    // The stream.

    /// Puts what the tick has changed into the stream. A replica's own changes are nobody else's.
    pub(in crate::server) fn feed_stream(&mut self) {
        let propagation = &mut self.propagation;
        if self.replication.stream.is_kept() && !propagation.is_foreign {
            let history = self.settings.repl_backlog_size;
            for piece in propagation.unfed() {
                self.replication.stream.append(piece, history);
            }
        }
        propagation.fed = propagation.stream.len();
        if self.replication.replicas.is_empty() {
            // The backlog goes on for those who may come back, and must not become longer than it may.
            if self.replication.stream.is_kept() {
                self.trim_stream();
            }
            return;
        }
        if std::mem::take(&mut self.replication.wants_acks) {
            self.say_to_replicas(GET_ACKS);
        }
        self.feed_replicas();
        self.start_snapshot_for_replicas();
    }

    /// Says something to replicas that changes nothing. Replicas of a replica hear what its primary says, and no more.
    fn say_to_replicas(&mut self, words: &[u8]) {
        if self.replication.stream.is_kept() && !self.propagation.is_foreign {
            self.replication.stream.append(words, self.settings.repl_backlog_size);
            self.propagation.offset += words.len() as u64;
        }
    }

    /// Lets the flush write to replicas that have not everything, lets those go that lag too far behind, and drops what
    /// nobody needs. O(replicas).
    pub(super) fn feed_replicas(&mut self) {
        let end = self.replication.stream.end();
        let mut at = 0;
        while let Some(&index) = self.replication.replicas.get(at) {
            at += 1;
            let Some(replica) = self.find_session(index).and_then(|session| session.replica.as_ref()) else {
                continue;
            };
            if !replica.reads_stream() {
                continue;
            }
            let (position, is_online, waits) = (replica.position, replica.is_online(), replica.starts_on_ack);
            if self.lags_too_far(index, end - position) {
                at -= 1;
                continue;
            }
            if is_online && position < end && !waits {
                self.mark_outgoing(index);
            }
        }
        self.trim_stream();
    }

    /// Drops of the stream what nobody needs any more.
    fn trim_stream(&mut self) {
        let position = |index: &SessionIndex| {
            let replica = self.sessions.get(index.0)?.as_ref()?.replica.as_ref()?;
            replica.reads_stream().then_some(replica.position)
        };
        let positions = self.replication.replicas.iter().filter_map(position);
        let needed = positions.min().unwrap_or(self.replication.stream.end());
        let history = self.settings.repl_backlog_size;
        self.replication.stream.trim(history, needed);
    }

    /// How many bytes of the stream a replica may lag behind before it is let go.
    fn most_owed(&self) -> u64 {
        match self.settings.client_output_buffer_limit.replica.hard {
            0 => u64::MAX,
            // A replica that goes on from the backlog may owe all of it, and what it owes is kept for the backlog anyway.
            hard => hard.max(self.settings.repl_backlog_size),
        }
    }

    /// Bytes of memory that the stream takes only because replicas have not taken them yet: beyond the backlog, which is cut
    /// by whole blocks at both ends.
    pub fn memory_owed_to_replicas(&self) -> usize {
        let history = self.settings.repl_backlog_size;
        let backlog = usize::try_from(history).unwrap_or(usize::MAX);
        let kept_anyway = backlog.saturating_add(2 * block_size(history));
        self.replication.stream.memory().saturating_sub(kept_anyway)
    }

    /// Closes a replica that has more to take than the output limit of its class allows.
    fn lags_too_far(&mut self, index: SessionIndex, owed: u64) -> bool {
        let limit = self.settings.client_output_buffer_limit.replica;
        let hard = self.most_owed();
        let now = self.monotonic;
        let Some(session) = self.find_session(index) else {
            return false;
        };
        let Some(replica) = &mut session.replica else {
            return false;
        };
        let is_soft = limit.soft > 0 && owed >= limit.soft;
        let since = match is_soft {
            true => *replica.soft_since.get_or_insert(now),
            false => {
                replica.soft_since = None;
                now
            }
        };
        let too_long = is_soft && now.since(since) > i64::from(limit.soft_seconds) * 1000;
        let too_much = owed >= hard;
        if !too_long && !too_much {
            return false;
        }
        self.stats.client_output_buffer_limit_disconnections += 1;
        let name = self.replica_name(index);
        log::warning(&format!(
            "Replica {name} closed for overcoming of output buffer limits: it has yet to take {owed} bytes."
        ));
        self.ask_close(index, true);
        true
    }

    /// The next bytes for a replica's socket: of its snapshot or of the stream. Nothing if it has everything, `None` if it
    /// is no replica or must be given up.
    pub fn next_for_replica(&mut self, index: SessionIndex) -> Option<&[u8]> {
        let replica = self.sessions.get_mut(index.0)?.as_mut()?.replica.as_mut()?;
        match &mut replica.phase {
            Phase::Greeting | Phase::AwaitsChild { .. } | Phase::AwaitsEnd => Some(&[]),
            Phase::Piping { sent } => Some(self.replication.piped.as_ref()?.chunk.get(*sent..).unwrap_or(&[])),
            Phase::Online if replica.starts_on_ack => Some(&[]),
            Phase::Online => {
                let rest = self.replication.stream.at(replica.position)?;
                Some(&rest[..rest.len().min(4 * CHUNK)])
            }
            Phase::Sending(payload) => {
                if payload.sent == payload.chunk.len() {
                    let wanted = payload.left.min(CHUNK as u64);
                    payload.chunk.clear();
                    payload.sent = 0;
                    let read = (&mut payload.input).take(wanted).read_to_end(&mut payload.chunk).ok()?;
                    if read as u64 != wanted {
                        return None;
                    }
                    payload.left -= wanted;
                }
                Some(&payload.chunk[payload.sent..])
            }
        }
    }

    /// So many of those bytes have gone.
    pub fn replica_took(&mut self, index: SessionIndex, bytes: usize) {
        self.stats.total_net_repl_output_bytes += bytes as u64;
        let now = self.moment.now;
        let Some(session) = self.find_session(index) else {
            return;
        };
        let Some(replica) = &mut session.replica else { return };
        match &mut replica.phase {
            Phase::Online => replica.position += bytes as u64,
            Phase::Sending(payload) => {
                payload.sent += bytes;
                let is_whole = payload.left == 0 && payload.sent == payload.chunk.len();
                if is_whole && replica.wants_only_snapshot {
                    self.dismiss(index);
                } else if is_whole {
                    replica.phase = Phase::Online;
                    log::notice("Synchronization with replica succeeded");
                }
            }
            Phase::Piping { sent } => {
                *sent += bytes;
                replica.acked_at = now;
                self.pump_pipe();
            }
            Phase::Greeting | Phase::AwaitsChild { .. } | Phase::AwaitsEnd => {}
        }
    }

    // Snapshots.

    fn phase_of(&mut self, index: SessionIndex) -> Option<&mut Phase> {
        let replica = self.find_session(index)?.replica.as_mut()?;
        Some(&mut replica.phase)
    }

    fn replicas_in(&mut self, wanted: impl Fn(&Phase) -> bool) -> Vec<SessionIndex> {
        let replicas = self.replication.replicas.clone();
        let is_wanted = |index: &SessionIndex| self.phase_of(*index).is_some_and(|phase| wanted(phase));
        replicas.into_iter().filter(is_wanted).collect()
    }

    /// Starts a child for those that wait for a snapshot, if there is no other.
    fn start_snapshot_for_replicas(&mut self) {
        let mut waiting = self.replicas_in(|phase| matches!(phase, Phase::AwaitsChild { .. }));
        // A child may have ended before all it has handed over is sent.
        let is_occupied = self.loading.is_some() || self.replication.piped.is_some() || self.scripts.is_running();
        let Some(&first) = waiting.first().filter(|_| !is_occupied) else {
            return;
        };
        // Who wants something else has the next child.
        let parts = self.replica_of(first).parts;
        waiting.retain(|&index| self.replica_of(index).parts == parts);
        if self.has_child() {
            return self.join_running_snapshot(waiting, parts);
        }
        let is_diskless = self.settings.repl_diskless_sync;
        let is_piped =
            parts != Parts::ALL || is_diskless && waiting.iter().all(|&index| self.replica_of(index).takes_mark);
        if is_piped && is_diskless && !self.is_time_for_pipe(&waiting) {
            return;
        }
        if !self.replication.stream.is_kept() {
            // A new history: nobody may take what was before for it.
            if !self.replication.is_replica() {
                self.replication.id = self.random_hex(40);
                self.replication.former = None;
            }
            self.replication.stream.begin(self.propagation.offset);
            self.note_recording();
        }
        // Who reads from here does not know which database came before.
        self.propagation.forget_database();
        let target = if is_piped { "replicas sockets" } else { "disk" };
        log::notice(&format!("Starting BGSAVE for SYNC with target: {target}"));
        let started = match is_piped {
            true => self.snapshot_through_pipe(parts).map(Some),
            false => self.save_in_background().map(|()| None),
        };
        let pipe = match started {
            Ok(pipe) => pipe,
            Err(error) => {
                log::warning(&format!("BGSAVE for replication failed: {error}"));
                return waiting.into_iter().for_each(|index| self.close_replica(index));
            }
        };
        self.snapshots.is_for_replicas = true;
        let position = self.propagation.offset;
        for &index in &waiting {
            self.promise_snapshot(index, position);
        }
        if let Some(pipe) = pipe {
            self.begin_piping(pipe, waiting);
        }
    }

    /// Whether those who wait have waited long enough for others to come, or are enough.
    fn is_time_for_pipe(&mut self, waiting: &[SessionIndex]) -> bool {
        let delay = i64::from(self.settings.repl_diskless_sync_delay) * 1000;
        let enough = self.settings.repl_diskless_sync_max_replicas as usize;
        let now = self.monotonic;
        let oldest = waiting.iter().filter_map(|&index| match self.phase_of(index) {
            Some(Phase::AwaitsChild { since }) => Some(*since),
            _ => None,
        });
        let waited = oldest.min().map_or(0, |since| now.since(since));
        waited >= delay || enough > 0 && waiting.len() >= enough
    }

    fn begin_piping(&mut self, pipe: Box<dyn Pipe>, replicas: Vec<SessionIndex>) {
        let piped = Piped::new(pipe, &self.random_hex(MARK));
        self.effects.extend(piped.descriptor().map(Effect::Watch));
        self.replication.piped = Some(piped);
        for index in replicas {
            self.replica_of(index).phase = Phase::Piping { sent: 0 };
            self.mark_outgoing(index);
        }
    }

    /// Hands the next chunk to all replicas that take the snapshot, once they have the last. To be called when the pipe
    /// may have something, when a replica has taken something or is gone, and when the child has ended.
    #[inline(never)]
    pub fn pump_pipe(&mut self) {
        let takers = self.replicas_in(|phase| matches!(phase, Phase::Piping { .. }));
        let Some(piped) = &self.replication.piped else { return };
        let len = piped.chunk.len();
        let has_all = |phase: Option<&mut Phase>| matches!(phase, Some(Phase::Piping { sent }) if *sent == len);
        if takers.is_empty() {
            log::notice("Diskless rdb transfer, last replica dropped, killing fork child.");
            self.replication.piped = None;
            return self.stop_snapshot();
        }
        if !takers.iter().all(|&index| has_all(self.phase_of(index))) {
            return;
        }
        let next = self.replication.piped.as_mut().map_or(Next::Failed, Piped::advance);
        match next {
            // While there is no chunk, everybody has all of it.
            Next::Wait | Next::Chunk => {
                for &index in &takers {
                    self.replica_of(index).phase = Phase::Piping { sent: 0 };
                    if next == Next::Chunk {
                        self.mark_outgoing(index);
                    }
                }
            }
            Next::End => {
                log::notice(&format!(
                    "Diskless rdb transfer, done reading from pipe, {} replicas still up.",
                    takers.len()
                ));
                self.replication.piped = None;
                for index in takers {
                    if self.replica_of(index).wants_only_snapshot {
                        self.dismiss(index);
                        continue;
                    }
                    let now = self.moment.now;
                    let replica = self.replica_of(index);
                    (replica.phase, replica.starts_on_ack, replica.acked_at) = (Phase::Online, true, now);
                    let name = self.replica_name(index);
                    log::notice(&format!(
                        "Streamed replication with replica {name} succeeded (socket). Waiting for REPLCONF ACK from \
                         replica to enable streaming"
                    ));
                }
            }
            Next::Failed => {
                log::warning("Diskless rdb transfer failed, closing the replicas that took it.");
                self.replication.piped = None;
                takers.into_iter().for_each(|index| self.close_replica(index));
            }
        }
    }

    /// Those who come while a snapshot is written for another take the same, and the stream from the same place.
    fn join_running_snapshot(&mut self, waiting: Vec<SessionIndex>, parts: Parts) {
        let others = self.replicas_in(|phase| matches!(phase, Phase::AwaitsEnd));
        // What one that wants no more than the snapshot has not taken of the stream may be gone.
        let other = others.into_iter().find(|&index| self.replica_of(index).reads_stream());
        let Some(other) = other.filter(|_| self.snapshots.is_for_replicas && parts == Parts::ALL) else {
            return;
        };
        let position = self.replica_of(other).position;
        log::notice("Waiting for end of BGSAVE for SYNC");
        for index in waiting {
            self.promise_snapshot(index, position);
        }
    }

    fn promise_snapshot(&mut self, index: SessionIndex, position: u64) {
        let answer = format!("FULLRESYNC {} {position}", self.replication.id);
        let replica = self.replica_of(index);
        (replica.phase, replica.position) = (Phase::AwaitsEnd, position);
        if !replica.is_old {
            self.session(index).reply.simple(answer);
            self.mark_outgoing(index);
        }
    }

    /// The child that writes for replicas has ended.
    pub(in crate::server) fn snapshot_for_replicas_ended(&mut self, is_saved: bool) {
        if !std::mem::take(&mut self.snapshots.is_for_replicas) {
            return;
        }
        if let Some(piped) = &mut self.replication.piped {
            piped.child_ended(is_saved);
            return self.pump_pipe();
        }
        for index in self.replicas_in(|phase| matches!(phase, Phase::AwaitsEnd)) {
            let path = self.snapshot_path();
            let opened = match is_saved {
                true => self.host.open(&path).map_err(|error| error.to_string()),
                false => Err("BGSAVE failed".to_owned()),
            };
            match opened {
                Ok(input) => self.send_snapshot(index, input),
                Err(error) => {
                    log::warning(&format!("SYNC failed. Can't send the snapshot to a replica: {error}"));
                    self.close_replica(index);
                }
            }
        }
    }

    fn send_snapshot(&mut self, index: SessionIndex, input: Input) {
        let payload = Payload {
            input: input.bytes,
            left: input.len,
            chunk: format!("${}\r\n", input.len).into_bytes(),
            sent: 0,
        };
        let now = self.moment.now;
        let replica = self.replica_of(index);
        replica.phase = Phase::Sending(Box::new(payload));
        replica.acked_at = now;
        self.mark_outgoing(index);
    }

    // Acknowledgements.

    /// REPLCONF ACK: a replica has everything up to `offset`, and on its disk up to `synced`.
    pub fn replica_acked(&mut self, index: SessionIndex, offset: u64, synced: Option<u64>) {
        let (now, said) = (self.moment.now, self.replication.stream.end());
        let Some(replica) = self.session(index).replica.as_mut() else {
            return;
        };
        // WAIT would promise what nobody has.
        if offset > said {
            let name = self.replica_name(index);
            log::warning(&format!(
                "Replica {name} acknowledges offset {offset}, but nothing was said beyond {said}: not counted"
            ));
            return;
        }
        replica.acked = replica.acked.max(offset);
        replica.synced = replica.synced.max(synced.unwrap_or(0));
        replica.acked_at = now;
        let starts = std::mem::take(&mut replica.starts_on_ack);
        self.replication.has_new_acks = true;
        if starts {
            self.mark_outgoing(index);
        }
    }

    /// Serves those who wait for acknowledgements, if there are new ones.
    pub fn hear_acks(&mut self) {
        if std::mem::take(&mut self.replication.has_new_acks) && self.waiting.is_safety_awaited() {
            self.serve_those_who_want_safety();
        }
    }

    fn online_replicas(&self) -> impl Iterator<Item = &Replica> {
        let replica = |index: &SessionIndex| self.sessions.get(index.0)?.as_ref()?.replica.as_deref();
        let all = self.replication.replicas.iter().filter_map(replica);
        all.filter(|replica| replica.is_online())
    }

    /// Replicas that have everything up to an offset.
    pub fn replicas_at(&self, offset: u64) -> usize {
        self.online_replicas().filter(|replica| replica.acked >= offset).count()
    }

    /// Replicas whose disks have.
    pub fn replicas_synced_to(&self, offset: u64) -> usize {
        self.online_replicas()
            .filter(|replica| replica.synced >= offset)
            .count()
    }

    /// Replicas that have been heard lately, as `min-replicas-max-lag` says; `None` while nobody asks for any.
    pub fn good_replicas(&self) -> Option<usize> {
        let lag = i64::from(self.settings.min_replicas_max_lag);
        if self.settings.min_replicas_to_write == 0 || lag == 0 {
            return None;
        }
        let now = self.moment.now;
        let is_good = |replica: &&Replica| now.since(replica.acked_at) / 1000 <= lag;
        Some(self.online_replicas().filter(is_good).count())
    }

    /// What ROLE and INFO tell of the replicas: ROLE of those that are online.
    pub fn replica_lines(&self) -> Vec<ReplicaLine> {
        let now = self.moment.now;
        let line = |index: &SessionIndex| {
            let session = self.sessions.get(index.0)?.as_deref()?;
            let replica = session.replica.as_deref()?;
            let ip = match replica.address.is_empty() {
                true => session.peer().rsplit_once(':').map_or("", |(ip, _)| ip),
                false => &replica.address,
            };
            Some(ReplicaLine {
                ip: ip.to_owned(),
                port: replica.port,
                is_online: replica.is_online(),
                state: replica.word(),
                acked: replica.acked,
                lag: now.since(replica.acked_at).max(0) / 1000,
            })
        };
        self.replication.replicas.iter().filter_map(line).collect()
    }

    // Upkeep.

    /// Pings replicas, keeps those awake that wait for a snapshot, gives up on silent ones, and drops a backlog that
    /// nobody has wanted for long. Asked once a second.
    pub(super) fn tend_replicas(&mut self) {
        let period = i64::from(self.settings.repl_ping_replica_period) * 1000;
        let timeout = i64::from(self.settings.repl_timeout) * 1000;
        let now = self.monotonic;
        // While a failover waits, pings would only move the offset that a replica has to reach.
        let is_time = now.since(self.replication.pinged) >= period && self.replication.failover.is_none();
        if !self.replication.replicas.is_empty() && is_time {
            self.replication.pinged = now;
            self.say_to_replicas(PING);
            self.feed_replicas();
        }
        for index in self.replicas_in(|phase| matches!(phase, Phase::AwaitsChild { .. } | Phase::AwaitsEnd)) {
            self.session(index).reply.bytes.push(b'\n');
            self.mark_outgoing(index);
        }
        // One that is sent a file keeps nobody else waiting.
        for index in self.replicas_in(|phase| matches!(phase, Phase::Online | Phase::Piping { .. })) {
            let unix_now = self.moment.now;
            let replica = self.replica_of(index);
            let what = if replica.is_online() {
                "streaming sync"
            } else {
                "full sync"
            };
            // A server before 2.8 never acknowledges.
            if unix_now.since(replica.acked_at) > timeout && !replica.is_old {
                let name = self.replica_name(index);
                log::warning(&format!("Disconnecting timedout replica ({what}): {name}"));
                self.close_replica(index);
            }
        }
        self.forget_old_stream();
    }

    fn forget_old_stream(&mut self) {
        let ttl = self.settings.repl_backlog_ttl;
        let alone = self.monotonic.since(self.replication.alone_since) / 1000;
        let is_wanted = self.replication.is_replica() || !self.replication.replicas.is_empty();
        if is_wanted || !self.replication.stream.is_kept() || ttl == 0 || alone < ttl {
            return;
        }
        // What comes now is not kept, so nobody may go on from an offset of this history.
        self.replication.id = self.random_hex(40);
        self.replication.former = None;
        self.replication.stream.stop();
        self.note_recording();
        log::notice(&format!(
            "Replication backlog freed after {ttl} seconds without connected replicas."
        ));
    }

    /// Closes a replica that has all it wants.
    fn dismiss(&mut self, index: SessionIndex) {
        let name = self.replica_name(index);
        log::notice(&format!("Replica {name} has the snapshot and wants no more: closed"));
        self.close_replica(index);
    }

    fn close_replica(&mut self, index: SessionIndex) {
        self.ask_close(index, true);
    }

    /// Closes all replicas: what they have is no copy any more.
    pub(super) fn close_replicas(&mut self, why: &str) {
        if !self.replication.replicas.is_empty() {
            log::notice(&format!("Disconnecting all replicas: {why}"));
        }
        for index in self.replication.replicas.clone() {
            self.close_replica(index);
        }
    }

    /// Ends the child that writes a snapshot for replicas which are all gone, unless snapshots are wanted anyway.
    fn stop_useless_snapshot(&mut self) {
        let is_wanted = !self.settings.save.0.is_empty() || self.snapshots.is_piped;
        if !self.snapshots.is_for_replicas || is_wanted {
            return;
        }
        if self.replicas_in(|phase| matches!(phase, Phase::AwaitsEnd)).is_empty() {
            log::notice("Killing the child that writes a snapshot for replicas: they are gone.");
            self.stop_snapshot();
        }
    }

    /// Forgets a replica that is gone.
    pub(in crate::server) fn forget_replica(&mut self, index: SessionIndex) {
        let before = self.replication.replicas.len();
        self.replication.replicas.retain(|replica| *replica != index);
        if self.replication.replicas.len() == before {
            return;
        }
        let name = self.replica_name(index);
        log::notice(&format!("Connection with replica {name} lost."));
        if self.replication.replicas.is_empty() {
            self.replication.alone_since = self.monotonic;
        }
        // The others need not wait for it any more.
        self.pump_pipe();
        self.stop_useless_snapshot();
        // The stream may have been kept for it.
        self.trim_stream();
    }
}
