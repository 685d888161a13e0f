//! The slow log: the last commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

/// Arguments kept of a command, and bytes kept of an argument.
const MAX_ARGUMENTS: usize = 32;
const MAX_ARGUMENT: usize = 128;

pub struct Entry {
    pub id: u64,
    /// Unix seconds.
    pub time: i64,
    pub micros: u64,
    pub arguments: Vec<Vec<u8>>,
    pub peer: String,
    pub name: Vec<u8>,
}

#[derive(Default)]
pub struct Slowlog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Slowlog {
    /// Adds a command, forgetting the oldest past `max` entries.
    pub fn add<'a>(
        &mut self,
        arguments: impl ExactSizeIterator<Item = &'a [u8]>,
        time: i64,
        micros: u64,
        peer: &str,
        name: &[u8],
        max: usize,
    ) {
        let entry = Entry {
            id: self.next_id,
            time,
            micros,
            arguments: shortened(arguments),
            peer: peer.to_owned(),
            name: name.to_vec(),
        };
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(max);
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

fn shortened<'a>(arguments: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let count = arguments.len();
    let kept = if count > MAX_ARGUMENTS { MAX_ARGUMENTS - 1 } else { count };
    let mut out: Vec<Vec<u8>> = arguments.take(kept).map(shortened_argument).collect();
    if count > kept {
        out.push(format!("... ({} more arguments)", count - kept).into_bytes());
    }
    out
}

fn shortened_argument(argument: &[u8]) -> Vec<u8> {
    if argument.len() <= MAX_ARGUMENT {
        return argument.to_vec();
    }
    let mut out = argument[..MAX_ARGUMENT].to_vec();
    out.extend_from_slice(format!("... ({} more bytes)", argument.len() - MAX_ARGUMENT).as_bytes());
    out
}
