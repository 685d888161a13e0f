//! One server and the clients of a conversation on it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::conversation::{CONTROL, ID, Step};
use crate::support::PATIENCE;
use crate::support::client::{Client, encode};
use crate::support::reply::{self, Reply};
use crate::support::server::{Binary, Server};

/// Heard of a server that is gone, or does not answer any more.
const SILENCE: &[u8] = b"(no answer)";

/// Heard at the end of a connection.
const CLOSED: &[u8] = b"(closed)";

/// The id of the first client on every server, above that of any connection made at its start.
const FIRST_ID: u64 = 100;

/// A client; it connects again when it was closed and has something to say.
struct Player {
    protocol: u8,
    id: u64,
    stream: TcpStream,
    closed: bool,
    /// It has sent MULTI and nothing that would end that.
    in_transaction: bool,
}

pub struct Stage {
    binary: Binary,
    server: Server,
    control: Client,
    players: Vec<Player>,
    /// The id of the next client to join, the same on all servers.
    next_id: u64,
    failed: bool,
}

impl Stage {
    /// Starts a server. The peers look 500 times a second whose time is up, instead of ten times.
    pub fn start(binary: Binary) -> Stage {
        let server = Server::start_with(binary, &[("hz", "500")]);
        let control = server.connect();
        Stage {
            binary,
            server,
            control,
            players: Vec::new(),
            next_id: FIRST_ID,
            failed: false,
        }
    }

    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// New clients, one for each protocol, on a server without keys; the first has the id `first_id`. A server that failed
    /// is replaced.
    pub fn begin(&mut self, protocols: &[u8], first_id: u64) {
        if self.failed {
            *self = Stage::start(self.binary);
        }
        self.next_id = first_id;
        self.players.clear();
        // The clients of the last conversation are gone before this one begins.
        self.settle();
        let events_off = ["CONFIG", "SET", "notify-keyspace-events", ""];
        for args in [&["FLUSHALL"][..], &events_off] {
            self.failed |= self.control.call(args).is_err();
        }
        for &protocol in protocols {
            let player = self.join(protocol);
            self.players.push(player);
        }
    }

    /// Connects until the connection has the id that the other servers' has.
    fn join(&mut self, protocol: u8) -> Player {
        let (mut client, id) = loop {
            let mut client = self.server.connect();
            let id: u64 = client.ask("CLIENT ID")[1..].trim().parse().expect("a number");
            assert!(id <= self.next_id, "ids only rise");
            if id == self.next_id {
                break (client, id);
            }
        };
        self.next_id += 1;
        client.ask(&format!("HELLO {protocol}"));
        let stream = client.writer().expect("a second handle");
        stream.set_nonblocking(true).expect("a socket");
        Player {
            protocol,
            id,
            stream,
            closed: false,
            in_transaction: false,
        }
    }

    /// Whether what comes of the step is the same on every server: a short wait must begin at once, MULTI and WATCH in a
    /// transaction spoil it for Valkey alone, and so does leaving a channel for a client that is in none.
    pub fn can_take(&mut self, step: &Step) -> bool {
        if self.failed || step.client == CONTROL || self.players[step.client].closed {
            return true;
        }
        let in_transaction = self.players[step.client].in_transaction;
        match step.name().as_str() {
            "MULTI" | "WATCH" => !in_transaction,
            "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => {
                let shown = self.shown(step.client);
                let listens = ["sub", "psub", "ssub"].iter().any(|count| field(&shown, count) != "0");
                listens && !in_transaction && !field(&shown, "flags").contains('b')
            }
            _ => !step.waits_briefly() || !self.is_blocked(step.client),
        }
    }

    /// The client's line in CLIENT LIST.
    fn shown(&mut self, client: usize) -> String {
        let id = self.players[client].id.to_string();
        let reply = self.control.call(&["CLIENT", "LIST", "ID", &id]).unwrap_or_default();
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn is_blocked(&mut self, client: usize) -> bool {
        field(&self.shown(client), "flags").contains('b')
    }

    /// Sends the step's command.
    pub fn take(&mut self, step: &Step) {
        if self.failed {
            return;
        }
        if step.client == CONTROL {
            self.failed |= self.control.send(&encode(&step.args)).is_err();
            return;
        }
        if self.players[step.client].closed {
            let protocol = self.players[step.client].protocol;
            self.players[step.client] = self.join(protocol);
        }
        let args: Vec<Vec<u8>> = step.args.iter().map(|arg| self.meant(arg)).collect();
        let player = &mut self.players[step.client];
        match step.name().as_str() {
            "MULTI" => player.in_transaction = true,
            "EXEC" | "DISCARD" | "RESET" => player.in_transaction = false,
            _ => {}
        }
        let sent = match args.is_empty() {
            true => player.stream.shutdown(Shutdown::Both),
            false => player.stream.write_all(&encode(&args)),
        };
        // Closed by the server meanwhile: that is heard.
        drop(sent);
    }

    /// `$a` is the id of client a.
    fn meant(&self, arg: &[u8]) -> Vec<u8> {
        match arg {
            [ID, letter] => match self.players.get(usize::from(letter.wrapping_sub(b'a'))) {
                Some(player) => player.id.to_string().into_bytes(),
                None => arg.to_vec(),
            },
            _ => arg.to_vec(),
        }
    }

    /// What each client hears until the server has come to rest.
    pub fn hear(&mut self, step: &Step) -> Vec<Vec<u8>> {
        if step.client == CONTROL {
            self.failed |= !self.expired(&step.args[1]);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut heard = vec![Vec::new(); self.players.len()];
        loop {
            self.settle();
            let waits = step.waits_briefly() && !self.failed && self.is_blocked(step.client);
            for (player, heard) in self.players.iter_mut().zip(&mut heard) {
                player.hear(heard);
            }
            if !waits || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.failed {
            heard.fill(SILENCE.to_vec());
        }
        heard.into_iter().map(|heard| in_order(&heard)).collect()
    }

    /// Waits until a key is gone whose PEXPIRE was sent. Somebody may have been waiting for that to make a new one.
    fn expired(&mut self, key: &[u8]) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut answer = self.control.read_reply();
        while Instant::now() < deadline {
            match answer {
                Ok(reply) if reply != b":0\r\n" && reply != b":1\r\n" => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
            std::thread::sleep(Duration::from_millis(1));
            answer = self.control.call(&[b"PTTL", key]);
        }
        false
    }

    /// Three round trips of another client: by the third, whatever the first found to do is done and written.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.failed |= !matches!(self.control.call(&["PING"]), Ok(reply) if reply == b"+PONG\r\n");
        }
    }
}

impl Player {
    /// Appends what has arrived.
    fn hear(&mut self, heard: &mut Vec<u8>) {
        let mut buffer = [0; 4096];
        while !self.closed {
            match self.stream.read(&mut buffer) {
                Ok(0) => {}
                Ok(len) => {
                    heard.extend_from_slice(&buffer[..len]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
            heard.extend_from_slice(CLOSED);
            self.closed = true;
        }
    }
}

/// A field of a client's line.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
    fields.find(|(found, _)| *found == name).map_or("", |(_, value)| value)
}

/// The whole replies in what was heard, and what is left.
pub fn replies(heard: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut replies) = (heard, Vec::new());
    while let Ok(Some(len)) = reply::length(rest) {
        replies.push(&rest[..len]);
        rest = &rest[len..];
    }
    replies.push(rest);
    replies
}

/// What has no order to rely on is sorted: messages that fit several patterns of one client come in the order of a hash
/// table, and whether a change is told first as an event or to a cache depends on the command.
fn in_order(heard: &[u8]) -> Vec<u8> {
    let mut replies = replies(heard);
    for run in replies.chunk_by_mut(|one, other| Told::of(one).is_some() && Told::of(other).is_some()) {
        run.sort_by_key(|reply| Told::of(reply) == Some(Told::Invalidation));
    }
    for run in replies.chunk_by_mut(|one, other| [one, other].iter().all(|it| Told::of(it) == Some(Told::ByPattern))) {
        run.sort_unstable();
    }
    replies.concat()
}

/// What is told without being asked for.
#[derive(PartialEq)]
enum Told {
    Message,
    ByPattern,
    Invalidation,
}

impl Told {
    fn of(reply: &[u8]) -> Option<Told> {
        let reply = Reply::parse(reply).ok()?;
        match reply.items.first()?.text() {
            b"message" => Some(Told::Message),
            b"pmessage" => Some(Told::ByPattern),
            b"invalidate" => Some(Told::Invalidation),
            _ => None,
        }
    }
}

#[test]
fn only_messages_by_pattern_are_sorted() {
    let message = |pattern: &str| format!("*4\r\n$8\r\npmessage\r\n$1\r\n{pattern}\r\n$1\r\nc\r\n$1\r\nm\r\n");
    let heard = format!("+OK\r\n{}{}:1\r\n{}", message("b"), message("a"), message("0"));
    let sorted = format!("+OK\r\n{}{}:1\r\n{}", message("a"), message("b"), message("0"));
    assert_eq!(in_order(heard.as_bytes()), sorted.as_bytes());
    assert_eq!(in_order(b":2\r\n:1\r\n(closed)"), b":2\r\n:1\r\n(closed)");
}
