//! Several clients at once, on this server and on the real ones: everything each of them hears must be the same bytes.
//!
//! A scenario is a text: `a: GET k` lets client `a` send a command, a line of its own each. After each line the rig
//! waits until the server has come to rest and reads what every client was sent. The words `$a`, `$b` ... stand for the
//! clients' ids, which are the same on all servers. Lines that begin with `#` explain.

mod recorded;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use support::client::{Client, encode};
use support::reply::show;
use support::server::{Binary, Server};

/// The id of the first client on every server, above that of any connection made at its start.
const FIRST_ID: u64 = 1000;

struct Stage {
    server: Server,
    control: Client,
    clients: BTreeMap<String, TcpStream>,
    next_id: u64,
}

impl Stage {
    fn new(binary: Binary) -> Stage {
        let server = Server::start(binary);
        let control = server.connect();
        Stage {
            server,
            control,
            clients: BTreeMap::new(),
            next_id: FIRST_ID,
        }
    }

    /// Connects until the connection has the id that the other servers' has.
    fn connect(&mut self) -> TcpStream {
        loop {
            let mut client = self.server.connect();
            let id: u64 = client.ask("CLIENT ID")[1..].trim().parse().expect("a number");
            assert!(id <= self.next_id, "ids only rise");
            if id == self.next_id {
                self.next_id += 1;
                return client.writer().expect("a second handle");
            }
        }
    }

    fn say(&mut self, name: &str, line: &str, names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let words = line.split(' ').map(|word| match word.strip_prefix('$') {
            Some(client) => match names.iter().position(|name| *name == client) {
                Some(at) => (FIRST_ID + at as u64).to_string(),
                None => panic!("nobody is called {client}"),
            },
            None => word.replace("''", ""),
        });
        let words: Vec<String> = words.collect();
        let client = self.clients.get_mut(name).expect("its name is known");
        match line {
            "(hang up)" => client
                .shutdown(std::net::Shutdown::Both)
                .expect("the connection is open"),
            _ => client.write_all(&encode(&words)).expect("the connection is open"),
        }
        self.settle();
        if words.iter().any(|word| word.starts_with("0.0")) {
            let at = names
                .iter()
                .position(|other| *other == name)
                .expect("its name is known");
            self.wait_for_timeout(FIRST_ID + at as u64);
        }
        self.clients
            .iter_mut()
            .map(|(name, client)| (name.clone(), hear(client)))
            .collect()
    }

    /// Waits until a client with so short a timeout waits no longer, or its next lines would depend on the time.
    fn wait_for_timeout(&mut self, id: u64) {
        support::wait_until("its time is up", || {
            let client = self.control.ask(&format!("CLIENT LIST ID {id}"));
            let flags = client.split(" flags=").nth(1).and_then(|rest| rest.split(' ').next());
            flags.is_some_and(|flags| !flags.contains('b'))
        });
        self.settle();
    }

    /// Three round trips of another client: by the third, whatever the first found to do is done and written.
    fn settle(&mut self) {
        for _ in 0..3 {
            assert_eq!(self.control.ask("PING"), "+PONG\r\n");
        }
    }
}

/// What has arrived.
fn hear(client: &mut TcpStream) -> Vec<u8> {
    client.set_nonblocking(true).expect("a socket");
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => heard.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    client.set_nonblocking(false).expect("a socket");
    without_times(&heard)
}

/// MONITOR's lines begin with the time and name a port.
fn without_times(heard: &[u8]) -> Vec<u8> {
    let text: Vec<&[u8]> = heard.split_inclusive(|&byte| byte == b'\n').collect();
    let shown = text.into_iter().map(|line| {
        let is_monitored = line.starts_with(b"+1") && line.contains(&b'[');
        match line.iter().position(|&byte| byte == b']') {
            Some(at) if is_monitored => &line[at..],
            _ => line,
        }
    });
    shown.collect::<Vec<_>>().concat()
}

fn play(scenario: &str) {
    if !Binary::Redis.available() || !Binary::Valkey.available() {
        return;
    }
    let mut stages = [Binary::UnderTest, Binary::Redis, Binary::Valkey].map(Stage::new);
    let lines = scenario.lines().map(str::trim);
    let lines: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut names: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    names.sort_unstable();
    names.dedup();
    for stage in &mut stages {
        for name in &names {
            let client = stage.connect();
            stage.clients.insert((*name).to_owned(), client);
        }
    }
    for line in lines {
        let (name, command) = line.split_once(": ").expect("a name, a colon and a command");
        let heard = stages.each_mut().map(|stage| stage.say(name, command, &names));
        // Who they are is the one thing in which they differ.
        if command.starts_with("HELLO") {
            continue;
        }
        let [ours, redis, valkey] = heard;
        for client in &names {
            let (ours, redis, valkey) = (&ours[*client], &redis[*client], &valkey[*client]);
            assert!(
                ours == redis || ours == valkey,
                "after {line:?}, {client} hears\n  ours:   {}\n  redis:  {}\n  valkey: {}",
                show(ours),
                show(redis),
                show(valkey)
            );
        }
    }
}

#[test]
fn blocked_clients_are_served_in_turn() {
    play(include_str!("blocking.txt"));
}

#[test]
fn sorted_sets_wake_their_clients() {
    play(include_str!("blocking_sorted_sets.txt"));
}

#[test]
fn lists_wake_their_clients() {
    play(include_str!("blocking_lists.txt"));
}

#[test]
fn events_of_lists_and_sets_are_the_same() {
    play(include_str!("list_and_set_events.txt"));
}

#[test]
fn changes_of_sorted_sets_are_told() {
    play(include_str!("sorted_set_events.txt"));
}

#[test]
fn new_keys_are_told() {
    play(include_str!("new_keys.txt"));
}

#[test]
fn transactions_notice_what_others_do() {
    play(include_str!("transactions.txt"));
}

#[test]
fn messages_reach_their_listeners() {
    play(include_str!("pubsub.txt"));
}

#[test]
fn caches_are_told() {
    play(include_str!("tracking.txt"));
}

#[test]
fn monitors_see_commands() {
    play(include_str!("monitor.txt"));
}

#[test]
fn changes_of_streams_are_told() {
    play(include_str!("streams.txt"));
}

#[test]
fn streams_wake_their_clients() {
    play(include_str!("blocking_streams.txt"));
}
