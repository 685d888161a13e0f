//! Changing between primary and replica, and what a replica leaves to its primary.

use super::FormerId;
use super::link::{Position, PrimaryLink};
use crate::commands::table::CommandSpec;
use crate::commands::table::flags::Flag;
use crate::config::compound::{Primary, PrimaryAddress};
use crate::log;
use crate::server::blocking::Unblock;
use crate::server::core::Core;
use crate::server::session::{Blocked, Redirects, Session, SessionIndex};

pub(in crate::server) const READ_ONLY: &str = "READONLY You can't write against a read only replica.";
pub(in crate::server) const STALE: &str =
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
const TOO_FEW: &str = "NOREPLICAS Not enough good replicas to write.";

/// The history in a snapshot's remarks.
fn read_history(aux: &[(Vec<u8>, Vec<u8>)]) -> Option<(Position, u32)> {
    let text = |name: &[u8]| {
        let found = aux.iter().find(|(remark, _)| remark == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    let id = text(b"repl-id").filter(|id| id.len() == 40)?;
    let offset = text(b"repl-offset")?.parse().ok()?;
    let database = text(b"repl-stream-db").and_then(|text| text.parse().ok()).unwrap_or(0);
    Some((
        Position {
            id: id.to_owned(),
            offset,
        },
        database,
    ))
}

/// The database in which the stream is that belongs to a snapshot.
pub(in crate::server) fn stream_database(aux: &[(Vec<u8>, Vec<u8>)]) -> u32 {
    read_history(aux).map_or(0, |(_, database)| database)
}

impl Core {
    /// What a snapshot says of the history its data belong to; nothing if there is none that anybody knows.
    pub(in crate::server) fn history(&self) -> Vec<(&'static str, Vec<u8>)> {
        let (position, database) = match &self.replication.link {
            Some(link) if link.is_up() => (self.position(), Some(self.replication.primary_database as usize)),
            Some(link) => match link.known() {
                Some(known) => (known.clone(), Some(self.replication.primary_database as usize)),
                None => return Vec::new(),
            },
            None if self.replication.stream.is_kept() => (self.position(), self.propagation.selected()),
            None => return Vec::new(),
        };
        vec![
            // Where none is selected the stream goes on with a SELECT.
            ("repl-stream-db", database.unwrap_or(0).to_string().into_bytes()),
            ("repl-id", position.id.into_bytes()),
            ("repl-offset", position.offset.to_string().into_bytes()),
        ]
    }

    pub(super) fn position(&self) -> Position {
        Position {
            id: self.replication.id.clone(),
            offset: self.propagation.offset,
        }
    }

    /// Takes up the history that a snapshot has told of, with which the server has just been started: a primary's
    /// replicas can go on where they were, and a replica itself.
    pub(in crate::server) fn take_up_history(&mut self, aux: &[(Vec<u8>, Vec<u8>)]) {
        let Some((position, database)) = read_history(aux) else {
            return;
        };
        self.propagation.offset = position.offset;
        self.replication.primary_database = database;
        if self.settings.replicaof.0.is_some() {
            self.replication.id.clone_from(&position.id);
            self.replication.restored = Some(position);
            return;
        }
        // What comes now is another history, which has the same beginning.
        self.replication.former = Some(FormerId {
            id: position.id,
            until: position.offset,
        });
        self.replication.stream.begin(position.offset);
        self.replication.alone_since = self.monotonic;
        self.note_recording();
    }

    /// Follows the setting `replicaof`, once the data are loaded that were there at the start.
    pub fn begin_replication(&mut self) {
        if let Some(address) = self.settings.replicaof.0.clone() {
            let known = self.replication.restored.take();
            self.follow(address, known);
        }
    }

    /// REPLICAOF host port: false if that is so already.
    pub fn replicate(&mut self, address: PrimaryAddress) -> bool {
        if let Some(link) = &self.replication.link
            && link.address == address
        {
            return false;
        }
        // What is still to be said moves the position.
        self.feed_stream();
        // Own data may be what the other has, up to some point: it may know our history, if we were its primary.
        let known = match &self.replication.link {
            Some(link) if !link.is_up() => link.known().cloned(),
            _ => Some(self.position()),
        };
        self.leave_primary();
        self.give_load_up();
        self.settings.replicaof = Primary(Some(address.clone()));
        self.follow(address, known);
        true
    }

    fn follow(&mut self, address: PrimaryAddress, known: Option<Position>) {
        let was_primary = !self.replication.is_replica();
        self.replication.link = Some(Box::new(PrimaryLink::new(address, known, self.monotonic)));
        self.propagation.is_foreign = true;
        log::set_role(b'S');
        self.note_recording();
        self.note_hampering();
        if was_primary {
            self.let_blocked_clients_go();
        }
        self.tend_link();
    }

    /// Those who wait for keys would wait for changes that nobody makes here any more, but for those who want to read what a
    /// replica has. Who can go to the primary is told where that is.
    fn let_blocked_clients_go(&mut self) {
        let is_blocked = |session: &&Session| session.blocked == Some(Blocked::Waiting);
        let blocked: Vec<SessionIndex> = self
            .sessions()
            .filter(is_blocked)
            .map(|session| session.index)
            .collect();
        for index in blocked {
            let session = self.session(index);
            let spec = session.waiting.as_ref().map(|waiting| waiting.spec());
            let reads_here = session.redirects == Redirects::Writes;
            match spec.and_then(|spec| self.redirection(index, spec)) {
                Some(_) => {
                    self.unblock(index, Unblock::Redirected);
                }
                None if reads_here && spec.is_some_and(|spec| spec.flags.contains(Flag::ReadOnly)) => {}
                None => {
                    self.unblock(index, Unblock::RoleChange);
                    self.ask_close(index, false);
                }
            }
        }
    }

    /// REPLICAOF NO ONE: this server's history becomes its own.
    pub fn become_primary(&mut self) {
        if !self.replication.is_replica() {
            return;
        }
        let known = self.replication.link.as_ref().and_then(|link| link.known().cloned());
        self.leave_primary();
        self.give_load_up();
        self.replication.link = None;
        // From here on everything expires here.
        self.own_deadlines.clear();
        self.settings.replicaof = Primary(None);
        self.propagation.is_foreign = false;
        if let Some(known) = known {
            (self.replication.id, self.propagation.offset) = (known.id, known.offset);
        }
        let new = self.random_hex(40);
        let former = std::mem::replace(&mut self.replication.id, new);
        log::notice(&format!(
            "Setting secondary replication ID to {former}, valid up to offset: {}. New replication ID is {}",
            self.propagation.offset + 1,
            self.replication.id
        ));
        self.replication.former = Some(FormerId {
            id: former,
            until: self.propagation.offset,
        });
        // They must hear of the new ID, and go on from where they are.
        self.close_replicas("the replication ID has changed");
        self.replication.alone_since = self.monotonic;
        self.propagation.forget_database();
        log::set_role(b'M');
        self.resume_log();
        self.note_recording();
        self.note_hampering();
    }

    /// Decides whether changes have to be recorded: for the append-only file, for replicas.
    pub(in crate::server) fn note_recording(&mut self) {
        let for_replicas = self.replication.stream.is_kept() && !self.propagation.is_foreign;
        self.propagation.is_on = self.append_only.is_recording || for_replicas;
    }

    /// Whether `maxmemory` is the primary's affair, whose evictions arrive as deletions.
    #[inline]
    pub(in crate::server) fn leaves_eviction(&self) -> bool {
        self.replication.is_replica() && self.settings.replica_ignore_maxmemory
    }

    /// Once a second.
    pub(in crate::server) fn tend_replication(&mut self) {
        self.tend_link();
        self.tend_replicas();
    }

    /// Whether somebody waits for something that no event will tell of.
    pub fn awaits_replication(&self) -> bool {
        self.replication.link.as_ref().is_some_and(|link| link.awaits_disk())
    }

    /// The error that sends a client to this replica's primary, if it has said that it can go there and the primary is to run
    /// this command.
    pub(in crate::server) fn redirection(&mut self, index: SessionIndex, spec: &CommandSpec) -> Option<String> {
        let redirects = self.find_session(index)?.redirects;
        if redirects == Redirects::Nothing || !self.replication.is_replica() {
            return None;
        }
        let writes = |spec: &CommandSpec| spec.flags.contains(Flag::Write);
        let goes = |spec: &CommandSpec| match redirects {
            Redirects::Nothing => false,
            Redirects::Writes => writes(spec),
            Redirects::All => writes(spec) || spec.flags.contains(Flag::ReadOnly),
        };
        if !self.runs_any(index, spec, goes) {
            return None;
        }
        let primary = &self.replication.link.as_ref()?.address;
        Some(format!("REDIRECT {}:{}", primary.host, primary.port))
    }

    /// Why a command may not run here because of replication.
    #[cold]
    pub(in crate::server) fn refusal_for_role(
        &mut self,
        index: SessionIndex,
        spec: &CommandSpec,
    ) -> Option<&'static str> {
        let writes = |spec: &CommandSpec| spec.flags.contains(Flag::Write);
        if self.replication.link.is_none() {
            let too_few = self.lacks_replicas();
            return too_few.filter(|_| self.runs_any(index, spec, writes));
        }
        if self.is_read_only_replica() && self.runs_any(index, spec, writes) {
            return Some(READ_ONLY);
        }
        let waits = |spec: &CommandSpec| !spec.flags.contains(Flag::Stale);
        (self.is_stale() && self.runs_any(index, spec, waits)).then_some(STALE)
    }

    /// Whether this is a primary with too few replicas to write, and how that is said.
    pub(in crate::server) fn lacks_replicas(&self) -> Option<&'static str> {
        let wanted = self.settings.min_replicas_to_write as usize;
        let is_short = || self.good_replicas().is_some_and(|good| good < wanted);
        (self.replication.link.is_none() && is_short()).then_some(TOO_FEW)
    }

    pub(in crate::server) fn is_read_only_replica(&self) -> bool {
        self.replication.link.is_some() && self.settings.replica_read_only
    }

    /// Whether this is a replica that has lost its primary and does not answer meanwhile.
    pub(in crate::server) fn is_stale(&self) -> bool {
        let is_cut_off = self.replication.link.as_ref().is_some_and(|link| !link.is_up());
        is_cut_off && !self.settings.replica_serve_stale_data
    }
}
