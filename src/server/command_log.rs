//! The command log: the last commands that took long (the slow log), those with large requests and those with large
//! replies.
//!
//! What a command is compared with is in the settings; see [`super::call`] for when.

use std::collections::VecDeque;

use crate::commands::table::CommandSpec;
use crate::resp::request::Args;

/// Arguments kept of a command.
const MAX_ARGUMENTS: usize = 32;
/// Bytes kept of an argument.
pub const MAX_ARGUMENT: usize = 128;

/// What a command may have too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Slow,
    LargeRequest,
    LargeReply,
}

pub struct Entry {
    pub id: u64,
    /// Unix seconds.
    pub time: i64,
    /// How much it was: microseconds, or bytes.
    pub amount: u64,
    pub arguments: Vec<Vec<u8>>,
    pub peer: String,
    pub name: Vec<u8>,
}

/// A log of each kind.
#[derive(Default)]
pub struct CommandLogs {
    slow: CommandLog,
    large_requests: CommandLog,
    large_replies: CommandLog,
}

impl CommandLogs {
    pub fn of(&self, kind: Kind) -> &CommandLog {
        match kind {
            Kind::Slow => &self.slow,
            Kind::LargeRequest => &self.large_requests,
            Kind::LargeReply => &self.large_replies,
        }
    }

    pub fn of_mut(&mut self, kind: Kind) -> &mut CommandLog {
        match kind {
            Kind::Slow => &mut self.slow,
            Kind::LargeRequest => &mut self.large_requests,
            Kind::LargeReply => &mut self.large_replies,
        }
    }
}

#[derive(Default)]
pub struct CommandLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl CommandLog {
    /// Adds a command, forgetting the oldest past `max` entries.
    pub fn add(&mut self, arguments: Vec<Vec<u8>>, time: i64, amount: u64, peer: &str, name: &[u8], max: usize) {
        let entry = Entry {
            id: self.next_id,
            time,
            amount,
            arguments,
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

/// Settings whose values are passwords, or names that belong to one.
const SECRET_SETTINGS: [&[u8]; 7] = [
    b"requirepass",
    b"masterauth",
    b"masteruser",
    b"primaryauth",
    b"primaryuser",
    b"tls-key-file-pass",
    b"tls-client-key-file-pass",
];

/// A command's arguments as others may see them: secrets give way to a placeholder.
pub fn redacted<'a>(spec: &CommandSpec, args: Args<'a>) -> Vec<&'a [u8]> {
    let mut shown = args.to_vec();
    let is = |index: usize, word: &[u8]| args.get(index).is_some_and(|arg| arg.eq_ignore_ascii_case(word));
    match spec.name {
        "auth" => conceal(&mut shown, 1, usize::MAX),
        "acl|setuser" => conceal(&mut shown, 2, usize::MAX),
        "hello" => {
            for index in (2..args.len()).filter(|&index| is(index, b"auth") && !is(index - 1, b"setname")) {
                conceal(&mut shown, index + 1, 2);
            }
        }
        "migrate" => {
            for index in 6..args.len() {
                if is(index, b"auth") {
                    conceal(&mut shown, index + 1, 1);
                } else if is(index, b"auth2") {
                    conceal(&mut shown, index + 1, 2);
                }
            }
        }
        "config|set" => {
            let secret = |index: usize| SECRET_SETTINGS.iter().any(|name| is(index, name));
            for index in (2..args.len()).step_by(2).filter(|&index| secret(index)) {
                conceal(&mut shown, index + 1, 1);
            }
        }
        _ => {}
    }
    shown
}

fn conceal(arguments: &mut [&[u8]], from: usize, count: usize) {
    for argument in arguments.iter_mut().skip(from).take(count) {
        *argument = b"(redacted)";
    }
}

/// What is kept of a command's arguments, secrets left out.
pub fn kept(spec: &CommandSpec, args: Args<'_>) -> Vec<Vec<u8>> {
    let count = args.len();
    let kept = if count > MAX_ARGUMENTS {
        MAX_ARGUMENTS - 1
    } else {
        count
    };
    let words = redacted(spec, args).into_iter().take(kept).enumerate();
    let mut out: Vec<Vec<u8>> = words.map(|(index, word)| shortened(word, args.taken(index))).collect();
    if count > kept {
        out.push(format!("... ({} more arguments)", count - kept).into_bytes());
    }
    out
}

/// The beginning of an argument that has `taken` more bytes than are there.
fn shortened(argument: &[u8], taken: usize) -> Vec<u8> {
    let shown = &argument[..argument.len().min(MAX_ARGUMENT)];
    let mut out = shown.to_vec();
    let more = argument.len() - shown.len() + taken;
    if more > 0 {
        out.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table;
    use crate::resp::request::Span;

    /// What is shown of a command line whose command is `name`.
    fn shown(name: &str, line: &str) -> String {
        let start_of = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
        let spans: Vec<_> = line
            .split(' ')
            .map(|word| Span::new(start_of(word), word.len()))
            .collect();
        let spec = table::lookup_own_full(name.as_bytes()).expect("a command of the table");
        let shown = redacted(spec, Args::new(line.as_bytes(), &spans, &[]));
        String::from_utf8(shown.join(&b' ')).expect("text in, text out")
    }

    #[test]
    fn secrets_are_not_shown() {
        let cases = [
            ("auth", "AUTH a b", "AUTH (redacted) (redacted)"),
            (
                "hello",
                "HELLO 2 auth u p SETNAME n",
                "HELLO 2 auth (redacted) (redacted) SETNAME n",
            ),
            (
                "hello",
                "HELLO 3 SETNAME auth AUTH u p",
                "HELLO 3 SETNAME auth AUTH (redacted) (redacted)",
            ),
            (
                "config|set",
                "CONFIG SET maxmemory 1 RequirePass x",
                "CONFIG SET maxmemory 1 RequirePass (redacted)",
            ),
            (
                "config|set",
                "CONFIG SET appendonly masterauth",
                "CONFIG SET appendonly masterauth",
            ),
            (
                "config|set",
                "CONFIG SET primaryauth x tls-key-file-pass y",
                "CONFIG SET primaryauth (redacted) tls-key-file-pass (redacted)",
            ),
            ("acl|setuser", "ACL SETUSER bob >x", "ACL SETUSER (redacted) (redacted)"),
            (
                "migrate",
                "MIGRATE h 1 auth 0 10 AUTH2 u p",
                "MIGRATE h 1 auth 0 10 AUTH2 (redacted) (redacted)",
            ),
            (
                "migrate",
                "MIGRATE h 1 k 0 10 COPY AUTH p",
                "MIGRATE h 1 k 0 10 COPY AUTH (redacted)",
            ),
            ("set", "SET auth x", "SET auth x"),
        ];
        for (name, line, want) in cases {
            assert_eq!(shown(name, line), want);
        }
    }

    #[test]
    fn long_commands_are_cut() {
        let spec = table::lookup_own_full(b"mget").expect("a command of the table");
        let many = vec![Span::new(0, 1); 40];
        let cut = kept(spec, Args::new(b"x", &many, &[]));
        assert_eq!((cut.len(), &cut[31][..]), (32, &b"... (9 more arguments)"[..]));
        let long = [b'x'; 130];
        assert!(shortened(&long, 0).ends_with(b"x... (2 more bytes)"));
        assert_eq!(shortened(b"x", 2), b"x... (2 more bytes)");
        assert_eq!(shortened(&long[..MAX_ARGUMENT], 0), [b'x'; MAX_ARGUMENT]);
    }
}
