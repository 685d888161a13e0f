//! MULTI and WATCH: what a client has queued, and which keys must stay as they are until it says EXEC.
//!
//! A watched key is known twice: the server looks from a changed key to the clients that watch it, a client looks at its
//! own keys to leave them. Both are changed only here, together. A client whose keys were disturbed is told by EXEC;
//! until then it watches nothing any more, since one change is as good as many.

use std::collections::HashMap;

use super::core::Core;
use super::owned::OwnedRequest;
use super::session::SessionIndex;
use crate::commands::table::CommandSpec;
use crate::keyspace::Key;

/// A client's transaction. Behind a pointer: most clients never have one.
#[derive(Default)]
pub struct Transaction {
    /// What MULTI has queued; `None` outside of MULTI, when only WATCH was said.
    queue: Option<Vec<OwnedRequest>>,
    /// Bytes of the queued requests, and of the watched keys with their places.
    queued_bytes: usize,
    watched_bytes: usize,
    /// A command was refused: EXEC will run nothing.
    pub refused: bool,
    watched: Vec<WatchedKey>,
    /// A watched key was changed.
    disturbed: bool,
}

struct WatchedKey {
    database: usize,
    key: Box<[u8]>,
    /// It was past its deadline already but not deleted yet: that it goes is no change.
    expired: bool,
}

/// What a watched key costs besides its bytes, which stand in the client's list and in the table: an entry in each.
const WATCHED_KEY: usize = size_of::<WatchedKey>() + size_of::<(Box<[u8]>, Vec<SessionIndex>)>();

impl Transaction {
    pub fn is_open(&self) -> bool {
        self.queue.is_some()
    }

    /// Commands queued (`multi` of CLIENT LIST), if MULTI was said.
    pub fn queued(&self) -> Option<usize> {
        self.queue.as_ref().map(Vec::len)
    }

    /// Whether a watched key has changed, so that EXEC will run nothing.
    pub fn is_disturbed(&self) -> bool {
        self.disturbed
    }

    /// Whether there are keys that it depends on.
    pub fn is_watching(&self) -> bool {
        self.disturbed || !self.watched.is_empty()
    }

    /// Bytes of what is queued (`multi-mem`).
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Bytes held for the client, its share of the table of watched keys included.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.queued_bytes + self.watched_bytes
    }

    fn take_watched(&mut self) -> Vec<WatchedKey> {
        self.watched_bytes = 0;
        std::mem::take(&mut self.watched)
    }

    /// Whether `what` holds for any queued command. O(queued).
    pub fn any(&self, what: impl Fn(&CommandSpec) -> bool) -> bool {
        self.queue.iter().flatten().any(|request| what(request.spec))
    }

    pub fn queue(&mut self, request: OwnedRequest) {
        if let Some(queue) = &mut self.queue {
            self.queued_bytes += size_of::<OwnedRequest>() + request.memory();
            queue.push(request);
        }
    }
}

/// Who watches which key.
#[derive(Default)]
pub struct WatchTable {
    /// By database and key.
    watchers: Vec<HashMap<Box<[u8]>, Vec<SessionIndex>>>,
    /// Pairs of client and key.
    count: usize,
}

impl WatchTable {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keys that somebody watches.
    pub fn key_count(&self) -> usize {
        self.watchers.iter().map(HashMap::len).sum()
    }

    fn add(&mut self, database: usize, key: &[u8], index: SessionIndex) {
        if self.watchers.len() <= database {
            self.watchers.resize_with(database + 1, HashMap::default);
        }
        self.watchers[database].entry(key.into()).or_default().push(index);
        self.count += 1;
    }

    /// O(watchers of the key).
    fn remove(&mut self, database: usize, key: &[u8], index: SessionIndex) {
        let Some(watchers) = self.watchers[database].get_mut(key) else {
            return;
        };
        watchers.retain(|watcher| *watcher != index);
        self.count -= 1;
        if watchers.is_empty() {
            self.watchers[database].remove(key);
        }
    }

    fn of(&self, database: usize, key: &[u8]) -> Vec<SessionIndex> {
        let watchers = self.watchers.get(database).and_then(|keys| keys.get(key));
        watchers.cloned().unwrap_or_default()
    }

    fn keys(&self, database: usize) -> Vec<Box<[u8]>> {
        let keys = self.watchers.get(database).into_iter().flat_map(HashMap::keys);
        keys.cloned().collect()
    }
}

/// What EXEC finds.
pub enum Commit {
    /// There was no MULTI.
    NotOpen,
    /// A command had been refused.
    Refused,
    /// A watched key had been changed.
    Disturbed,
    Run(Vec<OwnedRequest>),
}

impl Core {
    /// Begins to queue; false if the client queues already.
    pub fn open_transaction(&mut self, index: SessionIndex) -> bool {
        let transaction = self.session(index).transaction.get_or_insert_default();
        if transaction.is_open() {
            return false;
        }
        transaction.queue = Some(Vec::new());
        true
    }

    /// Ends the transaction and the watching; EXEC's answer depends on what this gives.
    pub fn commit(&mut self, index: SessionIndex) -> Commit {
        let open = self.session(index).transaction.as_ref().is_some_and(|t| t.is_open());
        if !open {
            return Commit::NotOpen;
        }
        let expired = self.has_watched_expired(index);
        let Some(transaction) = self.end_transaction(index) else {
            return Commit::NotOpen;
        };
        if transaction.refused {
            return Commit::Refused;
        }
        if transaction.disturbed || expired {
            return Commit::Disturbed;
        }
        Commit::Run(transaction.queue.unwrap_or_default())
    }

    /// Drops what the client has queued and watches. O(watched keys).
    pub fn end_transaction(&mut self, index: SessionIndex) -> Option<Box<Transaction>> {
        let transaction = self.find_session(index)?.transaction.take()?;
        for WatchedKey { database, key, .. } in &transaction.watched {
            self.watched.remove(*database, key, index);
        }
        Some(transaction)
    }

    /// Remembers that a command was refused while the client was queueing.
    pub fn refuse_transaction(&mut self, index: SessionIndex) {
        if let Some(transaction) = &mut self.session(index).transaction {
            transaction.refused |= transaction.is_open();
        }
    }

    /// Watches a key for a client; once is enough. O(keys the client watches).
    pub fn watch(&mut self, index: SessionIndex, database: usize, key: Key<'_>) {
        let expired = self.is_past(database, key);
        let transaction = self.session(index).transaction.get_or_insert_default();
        let known = |watched: &WatchedKey| watched.database == database && *watched.key == *key.bytes;
        // Once disturbed, the outcome is settled.
        if transaction.disturbed || transaction.watched.iter().any(known) {
            return;
        }
        transaction.watched_bytes += WATCHED_KEY + 2 * key.bytes.len();
        transaction.watched.push(WatchedKey {
            database,
            key: key.bytes.into(),
            expired,
        });
        self.watched.add(database, key.bytes, index);
    }

    /// Forgets what a client watches, and that it was disturbed.
    pub fn unwatch(&mut self, index: SessionIndex) {
        let Some(transaction) = &mut self.session(index).transaction else {
            return;
        };
        transaction.disturbed = false;
        let watched = transaction.take_watched();
        if !transaction.is_open() {
            self.session(index).transaction = None;
        }
        for WatchedKey { database, key, .. } in &watched {
            self.watched.remove(*database, key, index);
        }
    }

    /// Whether a key is there but past its deadline.
    fn is_past(&self, database: usize, key: Key<'_>) -> bool {
        let entry = self.keyspace.db(database).find(key);
        entry.is_some_and(|entry| entry.has_expired(self.moment.now))
    }

    fn has_watched_expired(&mut self, index: SessionIndex) -> bool {
        let Some(transaction) = self.session(index).transaction.take() else {
            return false;
        };
        let expired = transaction
            .watched
            .iter()
            .any(|watched| !watched.expired && self.is_past(watched.database, Key::new(&watched.key)));
        self.session(index).transaction = Some(transaction);
        expired
    }

    /// Tells those who watch `key` that it has changed. O(watchers).
    #[cold]
    pub fn disturb(&mut self, database: usize, key: &[u8]) {
        let exists = self.keyspace.db(database).find(Key::new(key)).is_some();
        for index in self.watched.of(database, key) {
            self.disturb_one(index, database, key, exists);
        }
    }

    fn disturb_one(&mut self, index: SessionIndex, database: usize, key: &[u8], exists: bool) {
        let Some(transaction) = self
            .find_session(index)
            .and_then(|session| session.transaction.as_mut())
        else {
            return;
        };
        let watched = transaction
            .watched
            .iter_mut()
            .find(|watched| watched.database == database && *watched.key == *key);
        if let Some(watched) = watched
            && watched.expired
        {
            watched.expired = exists;
            return;
        }
        transaction.disturbed = true;
        for WatchedKey { database, key, .. } in transaction.take_watched() {
            self.watched.remove(database, &key, index);
        }
    }

    /// Notes for all who watch `key` whether it is one that is past its deadline. O(their watched keys).
    fn mark_expired(&mut self, database: usize, key: &[u8], expired: bool) {
        for index in self.watched.of(database, key) {
            let session = self.find_session(index);
            let transaction = session.and_then(|session| session.transaction.as_mut());
            let watched = transaction.into_iter().flat_map(|transaction| &mut transaction.watched);
            for watched in watched.filter(|watched| watched.database == database && *watched.key == *key) {
                watched.expired = expired;
            }
        }
    }

    /// Tells those who watch a key of `database` that is about to go with all others, or to be replaced by what
    /// `replacement` has under its name. O(watched keys).
    pub fn disturb_all(&mut self, database: usize, replacement: Option<usize>) {
        for name in self.watched.keys(database) {
            let key = Key::new(&name);
            let is_here = self.keyspace.db(database).find(key).is_some();
            let is_there = replacement.is_some_and(|other| self.keyspace.db(other).find(key).is_some());
            if is_here || is_there {
                let expired_there = replacement.is_some_and(|other| self.is_past(other, key));
                if !is_here && expired_there {
                    // Nobody can see what comes: no change, now or when it goes.
                    self.mark_expired(database, &name, true);
                    continue;
                }
                if is_there && !expired_there {
                    self.mark_expired(database, &name, false);
                }
                for index in self.watched.of(database, &name) {
                    self.disturb_one(index, database, &name, is_there && expired_there);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    /// Whether EXEC runs after databases 0 and 1, where the client watches `x`, have changed places.
    fn survives_swap(here: &str, there: &str) -> bool {
        let mut server = Server::start();
        for (database, command) in [(1, here), (0, there)] {
            server.ask(&format!("SELECT {database}"));
            server.ask(command);
        }
        server.at(10).ask("SELECT 1");
        server.ask("WATCH x");
        server.ask("SWAPDB 0 1");
        server.ask("MULTI");
        server.ask("PING");
        server.ask("EXEC") == "*1|+PONG|"
    }

    #[test]
    fn a_swap_disturbs_unless_nobody_can_see_a_difference() {
        let (nothing, stale, live) = ("PING", "SET x v PX 1", "SET x v");
        for (here, there, survives) in [
            (nothing, nothing, true),
            (nothing, stale, true),
            (stale, stale, true),
            (stale, nothing, true),
            (nothing, live, false),
            (stale, live, false),
            (live, nothing, false),
            (live, stale, false),
            (live, live, false),
        ] {
            assert_eq!(survives_swap(here, there), survives, "{here}, {there}");
        }
    }
}
