//! Client-side caching: telling clients that what they have cached is no longer so (CLIENT TRACKING).
//!
//! There are two modes. In the default one the server remembers which clients have read which key, and tells each of
//! them once when it changes; that costs memory here, bounded by `tracking-table-max-keys`. In broadcast mode (BCAST)
//! a client names prefixes and hears of every change below them; that costs only the telling, once a tick.
//!
//! A client that speaks RESP3 is told with a push on its own connection; one that speaks RESP2 names another of its
//! connections (REDIRECT) that is subscribed to a channel of a fixed name.
//!
//! Clients stand in the tables by their place and their id together, so that a place taken by another client meanwhile
//! is told nothing; what is left of a client that has gone is dropped when its keys change.

use std::collections::{BTreeMap, BTreeSet};

use super::core::Core;
use super::session::{ClientId, Session, SessionIndex};
use crate::commands::table::CommandSpec;
use crate::commands::table::keys::keys;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::Args;

/// Where a RESP2 client must be subscribed to hear of changes.
const CHANNEL: &[u8] = b"__redis__:invalidate";
/// Keys forgotten in one tick when there are more than `tracking-table-max-keys`.
const FORGET_SLICE: usize = 100;

/// A client among those that are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reader {
    pub id: ClientId,
    pub index: SessionIndex,
}

/// Which keys a client in the default mode tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// All that it reads.
    #[default]
    All,
    /// Those of the command behind CLIENT CACHING YES.
    OptIn,
    /// All but those of the command behind CLIENT CACHING NO.
    OptOut,
}

/// What a client has asked for with CLIENT TRACKING ON.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    pub broadcast: bool,
    pub choice: Choice,
    /// Not told of its own changes.
    pub no_loop: bool,
    /// Who is told in its place.
    pub redirect: Option<ClientId>,
    /// The client it redirected to is gone.
    pub broken: bool,
    /// CLIENT CACHING was said before the present command.
    pub caching: bool,
    /// In broadcast mode.
    pub prefixes: BTreeSet<Box<[u8]>>,
    /// Bytes of all prefixes, as [`Core::track`] has counted them.
    pub prefix_bytes: usize,
}

/// What a prefix costs besides its bytes, which stand here and in the table of all prefixes: an entry in each.
const PREFIX: usize = size_of::<Box<[u8]>>() + size_of::<(Box<[u8]>, Prefix)>() + size_of::<Reader>();

impl Tracker {
    /// Bytes held for the client, its share of the table of prefixes included.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + PREFIX * self.prefixes.len() + 2 * self.prefix_bytes
    }

    /// Whether the keys of the present command are to be remembered.
    fn remembers(&self) -> bool {
        !self.broadcast
            && match self.choice {
                Choice::All => true,
                Choice::OptIn => self.caching,
                Choice::OptOut => !self.caching,
            }
    }
}

#[derive(Default)]
struct Prefix {
    readers: BTreeSet<Reader>,
    /// Keys changed in this tick, and who changed each last.
    changed: BTreeMap<Box<[u8]>, Option<ClientId>>,
}

/// Who has read what.
#[derive(Default)]
pub struct Tracking {
    clients: usize,
    keys: BTreeMap<Box<[u8]>, BTreeSet<Reader>>,
    /// Pairs of key and reader.
    items: usize,
    prefixes: BTreeMap<Box<[u8]>, Prefix>,
    /// Keys that the client of the present command is to forget, once that is over; `None` stands for all keys.
    own: Vec<Option<Box<[u8]>>>,
    /// Whether any prefix has changed keys.
    broadcasting: bool,
}

impl Tracking {
    /// Whether nobody tracks anything, nor is to be told anything although it stopped to just now.
    pub fn is_off(&self) -> bool {
        self.clients == 0 && self.own.is_empty()
    }

    pub fn clients(&self) -> usize {
        self.clients
    }

    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    pub fn items(&self) -> usize {
        self.items
    }

    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    pub fn has_own(&self) -> bool {
        !self.own.is_empty()
    }
}

/// What is to be forgotten.
#[derive(Clone, Copy)]
enum What<'a> {
    Keys(&'a [&'a [u8]]),
    Everything,
}

impl What<'_> {
    /// Writes it for a reader: whoever is told in its place, Redis takes the reader's null.
    fn write(self, reply: &mut Reply, reader: Protocol) {
        match self {
            What::Everything => {
                let own = std::mem::replace(&mut reply.protocol, reader);
                reply.null();
                reply.protocol = own;
            }
            What::Keys(keys) => {
                reply.array(keys.len());
                keys.iter().for_each(|key| reply.bulk(key));
            }
        }
    }
}

impl Core {
    /// Turns tracking on for a client, or changes what it asked for; further prefixes join those it had.
    pub fn track(&mut self, index: SessionIndex, mut wanted: Tracker) {
        let session = self.session(index);
        let id = session.id;
        let before = session.tracking.take();
        let is_new = before.is_none();
        let added: Vec<Box<[u8]>> = wanted.prefixes.iter().cloned().collect();
        if let Some(before) = before {
            wanted.prefixes.extend(before.prefixes.iter().cloned());
        }
        wanted.prefix_bytes = wanted.prefixes.iter().map(|prefix| prefix.len()).sum();
        session.tracking = Some(Box::new(wanted));
        self.tracking.clients += usize::from(is_new);
        for prefix in added {
            let readers = &mut self.tracking.prefixes.entry(prefix).or_default().readers;
            readers.insert(Reader { id, index });
        }
    }

    /// Turns tracking off. O(prefixes of the client).
    pub fn untrack(&mut self, index: SessionIndex) {
        let Some(session) = self.find_session(index) else {
            return;
        };
        let (id, tracker) = (session.id, session.tracking.take());
        let Some(tracker) = tracker else { return };
        self.tracking.clients -= 1;
        for prefix in &tracker.prefixes {
            let Some(entry) = self.tracking.prefixes.get_mut(prefix) else {
                continue;
            };
            entry.readers.remove(&Reader { id, index });
            if entry.readers.is_empty() {
                self.tracking.prefixes.remove(prefix);
            }
        }
    }

    /// Remembers the keys of a command that read them. O(keys × log).
    #[cold]
    pub fn remember_read(&mut self, index: SessionIndex, spec: &CommandSpec, args: Args<'_>) {
        let session = self.session(index);
        let reader = Reader { id: session.id, index };
        if !session.tracking.as_ref().is_some_and(|tracker| tracker.remembers()) {
            return;
        }
        let words = args.to_vec();
        for key in keys(spec, &words).unwrap_or_default() {
            let readers = self.tracking.keys.entry(words[key.index].into()).or_default();
            self.tracking.items += usize::from(readers.insert(reader));
        }
    }

    /// Tells those who have read `key` that it is not what they read. O(readers + prefixes).
    #[cold]
    pub fn invalidate(&mut self, key: &[u8]) {
        let caller = self
            .caller
            .and_then(|index| self.find_session(index))
            .map(|session| session.id);
        for (prefix, entry) in &mut self.tracking.prefixes {
            if key.starts_with(prefix) {
                match entry.changed.get_mut(key) {
                    Some(by) => *by = caller,
                    None => drop(entry.changed.insert(key.into(), caller)),
                }
                self.tracking.broadcasting = true;
            }
        }
        self.invalidate_readers(key);
    }

    fn invalidate_readers(&mut self, key: &[u8]) {
        let Some(readers) = self.tracking.keys.remove(key) else {
            return;
        };
        self.tracking.items -= readers.len();
        for reader in readers {
            let Some(tracker) = self.tracker(reader) else { continue };
            if tracker.broadcast {
                continue;
            }
            if self.caller != Some(reader.index) {
                self.tell_reader(reader, What::Keys(&[key]));
            } else if !tracker.no_loop {
                // Behind the reply to what it is doing, or the push would tear a transaction's reply apart.
                self.tracking.own.push(Some(key.into()));
            }
        }
    }

    /// Tells every tracking client to forget everything: a database has been emptied. What clients have read that track no
    /// more is forgotten too, or it would be told to them when they track again.
    pub fn invalidate_all(&mut self) {
        let readers: Vec<Reader> = self
            .sessions()
            .filter(|session| session.tracking.is_some())
            .map(|session| Reader {
                id: session.id,
                index: session.index,
            })
            .collect();
        for reader in readers {
            match self.caller == Some(reader.index) {
                true => self.tracking.own.push(None),
                false => self.tell_reader(reader, What::Everything),
            }
        }
        self.tracking.keys.clear();
        self.tracking.items = 0;
    }

    /// Tells the client of a command that is over what it is to forget of its own doing.
    #[cold]
    pub fn tell_own(&mut self, index: SessionIndex) {
        let id = self.session(index).id;
        for key in std::mem::take(&mut self.tracking.own) {
            match key {
                Some(key) => self.tell_reader(Reader { id, index }, What::Keys(&[&key])),
                None => self.tell_reader(Reader { id, index }, What::Everything),
            }
        }
    }

    /// Sends what changed below the prefixes of clients in broadcast mode, once a tick. O(changed keys × readers).
    pub fn broadcast_changes(&mut self) {
        if !std::mem::take(&mut self.tracking.broadcasting) {
            return;
        }
        let mut due = Vec::new();
        for entry in self
            .tracking
            .prefixes
            .values_mut()
            .filter(|entry| !entry.changed.is_empty())
        {
            due.push((entry.readers.clone(), std::mem::take(&mut entry.changed)));
        }
        for (readers, changed) in due {
            for reader in readers {
                let Some(tracker) = self.tracker(reader) else { continue };
                let spared = |by: &Option<ClientId>| tracker.no_loop && *by == Some(reader.id);
                let keys: Vec<&[u8]> = changed
                    .iter()
                    .filter(|(_, by)| !spared(by))
                    .map(|(key, _)| &**key)
                    .collect();
                if !keys.is_empty() {
                    self.tell_reader(reader, What::Keys(&keys));
                }
            }
        }
    }

    /// Forgets some keys, and tells their readers to, when more are remembered than `tracking-table-max-keys` allows. A
    /// bounded number at a time; true when more are to go.
    #[inline(never)]
    pub fn limit_tracking(&mut self) -> bool {
        let most = self.settings.tracking_table_max_keys as usize;
        if most == 0 {
            return false;
        }
        for _ in 0..FORGET_SLICE {
            if self.tracking.keys.len() <= most {
                return false;
            }
            let Some(key) = self.tracking.keys.keys().next().cloned() else {
                return false;
            };
            self.invalidate_readers(&key);
        }
        self.tracking.keys.len() > most
    }

    /// What a reader has asked for, if it is still that client and still tracks.
    fn tracker(&mut self, reader: Reader) -> Option<Tracker> {
        let session = self.find_session(reader.index)?;
        (session.id == reader.id).then_some(())?;
        session.tracking.as_deref().cloned()
    }

    fn tell_reader(&mut self, reader: Reader, what: What<'_>) {
        let protocol = self.session(reader.index).protocol;
        let Some(redirect) = self.tracker(reader).and_then(|tracker| tracker.redirect) else {
            return self.push_invalidation(reader.index, what, protocol, false);
        };
        let target = self
            .sessions()
            .find(|session| session.id == redirect && !session.doomed);
        match target.map(|session| session.index) {
            Some(target) => self.push_invalidation(target, what, protocol, true),
            None => self.note_broken_redirect(reader.index, redirect),
        }
    }

    fn push_invalidation(&mut self, to: SessionIndex, what: What<'_>, reader: Protocol, redirected: bool) {
        let hears = |session: &Session| redirected && session.is_subscriber();
        let Some(session) = self.find_session(to) else { return };
        if session.protocol == Protocol::Resp3 {
            self.push(to, |reply| {
                reply.push(2);
                reply.bulk("invalidate");
                what.write(reply, reader);
            });
        } else if hears(session) {
            self.push(to, |reply| {
                reply.push(3);
                reply.bulk("message");
                reply.bulk(CHANNEL);
                what.write(reply, reader);
            });
        }
    }

    fn note_broken_redirect(&mut self, index: SessionIndex, redirect: ClientId) {
        let Some(session) = self.find_session(index) else {
            return;
        };
        if let Some(tracker) = &mut session.tracking {
            tracker.broken = true;
        }
        if session.protocol == Protocol::Resp3 {
            self.push(index, |reply| {
                reply.push(2);
                reply.bulk("tracking-redir-broken");
                reply.int(redirect.0 as i64);
            });
        }
    }
}
