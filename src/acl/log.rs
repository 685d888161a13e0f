//! What was refused of late, for ACL LOG.

use std::collections::VecDeque;

use super::selector::Denied;
use crate::timer::Millis;

/// A refusal like one of the last minute is counted with it.
const GROUPING: i64 = 60_000;
/// Bytes kept of a key, a channel, a name or a client's line: anybody can send long ones, even who has not logged in.
const SHOWN_MAX: usize = 4096;
/// How many of the newest entries are looked at for one like it.
const LOOKED_AT: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Command,
    Key,
    Channel,
    Auth,
}

impl Reason {
    pub const fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        }
    }
}

impl From<Denied> for Reason {
    fn from(denied: Denied) -> Reason {
        match denied {
            Denied::Command => Reason::Command,
            Denied::Key(_) => Reason::Key,
            Denied::Channel(_) => Reason::Channel,
        }
    }
}

/// Where a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    TopLevel,
    Transaction,
    Script,
}

impl Place {
    pub const fn name(self) -> &'static str {
        match self {
            Place::TopLevel => "toplevel",
            Place::Transaction => "multi",
            Place::Script => "lua",
        }
    }
}

/// What was refused to whom. Long keys and names are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    pub place: Place,
    /// The command, key or channel; for a login the word that asked for it.
    pub object: Vec<u8>,
    pub user: Vec<u8>,
}

impl Refusal {
    pub fn new(reason: Reason, place: Place, object: &[u8], user: &[u8]) -> Self {
        let cut = |text: &[u8]| text[..text.len().min(SHOWN_MAX)].to_vec();
        Refusal {
            reason,
            place,
            object: cut(object),
            user: cut(user),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub id: u64,
    pub count: u64,
    pub refusal: Refusal,
    /// The client's line, of the last time.
    pub client: String,
    pub created: Millis,
    pub updated: Millis,
}

#[derive(Debug, Default)]
pub struct Log {
    /// The newest first.
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Log {
    /// Notes a refusal, in an entry of its own or in one of the newest that is like it. O(1), and O(entries) where one is moved.
    pub fn add(&mut self, refusal: Refusal, mut client: String, now: Millis, max: usize) {
        if max == 0 {
            self.entries.clear();
            return;
        }
        let whole = |&end: &usize| client.is_char_boundary(end);
        let end = (0..=SHOWN_MAX.min(client.len())).rev().find(whole);
        client.truncate(end.unwrap_or(0));
        let is_like = |entry: &Entry| entry.refusal == refusal && now.since(entry.updated) <= GROUPING;
        let like = self.entries.iter().take(LOOKED_AT).position(is_like);
        let entry = match like.and_then(|at| self.entries.remove(at)) {
            Some(known) => Entry {
                count: known.count + 1,
                client,
                updated: now,
                ..known
            },
            None => self.new_entry(refusal, client, now),
        };
        self.entries.push_front(entry);
        self.entries.truncate(max);
    }

    fn new_entry(&mut self, refusal: Refusal, client: String, now: Millis) -> Entry {
        let id = self.next_id;
        self.next_id += 1;
        Entry {
            id,
            count: 1,
            refusal,
            client,
            created: now,
            updated: now,
        }
    }

    /// The newest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub fn reset(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(object: &str) -> Refusal {
        Refusal::new(Reason::Key, Place::TopLevel, object.as_bytes(), b"bob")
    }

    #[test]
    fn like_refusals_within_a_minute_are_one_entry_which_becomes_the_newest() {
        let mut log = Log::default();
        for (at, object) in [(0, "a"), (1000, "b"), (61_000, "a"), (122_000, "b")] {
            let like = object == "a" && at > 0;
            log.add(
                refusal(object),
                format!("{at}"),
                Millis(at - i64::from(like) * 1000),
                128,
            );
        }
        let seen: Vec<_> = log
            .iter()
            .map(|entry| (entry.id, entry.count, entry.created.0))
            .collect();
        assert_eq!(seen, [(2, 1, 122_000), (0, 2, 0), (1, 1, 1000)]);
    }

    #[test]
    fn long_names_are_cut() {
        let mut log = Log::default();
        for len in [SHOWN_MAX, SHOWN_MAX + 1, 1 << 20] {
            log.add(refusal(&"x".repeat(len)), String::new(), Millis(0), 128);
        }
        let seen: Vec<_> = log
            .iter()
            .map(|entry| (entry.count, entry.refusal.object.len()))
            .collect();
        assert_eq!(seen, [(3, SHOWN_MAX)]);
    }

    #[test]
    fn the_oldest_entries_go_when_there_are_too_many() {
        let mut log = Log::default();
        for n in 0..5 {
            log.add(refusal(&n.to_string()), String::new(), Millis(0), 3);
        }
        assert_eq!(log.iter().map(|entry| entry.id).collect::<Vec<_>>(), [4, 3, 2]);
        log.reset();
        log.add(refusal("none"), String::new(), Millis(0), 0);
        assert_eq!(log.iter().len(), 0);
        log.add(refusal("x"), String::new(), Millis(0), 3);
        let left: Vec<_> = log.iter().map(|entry| entry.id).collect();
        assert_eq!(left, [5], "what is not kept has no number");
    }
}
