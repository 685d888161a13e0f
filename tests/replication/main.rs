//! Replication with real servers at the other end of the link: whoever is primary and whoever is replica, under a load and
//! with the link cut again and again, both end with the same data at the same offset.

mod matrix;
mod roles;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::client::Client;
use support::random::Random;
use support::server::{Binary, Server};
use support::{PATIENCE, wait_until};

const DEBUGGING: (&str, &str) = ("enable-debug-command", "yes");

/// A server with settings beside those that every test needs.
fn start(binary: Binary, settings: &[(&str, &str)]) -> Server {
    let all: Vec<_> = [DEBUGGING, ("repl-diskless-sync-delay", "0")]
        .into_iter()
        .chain(settings.iter().copied())
        .collect();
    Server::start_with(binary, &all)
}

/// A field of INFO.
fn info(client: &mut Client, field: &str) -> String {
    let text = client.ask("INFO everything");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().trim_end().to_owned()
}

fn number(client: &mut Client, field: &str) -> u64 {
    info(client, field).parse().unwrap_or(0)
}

fn follow(replica: &Server, primary: &Server) {
    let mut client = replica.connect();
    let answer = client.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    assert_eq!(answer, "+OK\r\n");
}

fn wait_until_up(replica: &Server) {
    let mut client = replica.connect();
    let until = Instant::now() + PATIENCE;
    while info(&mut client, "master_link_status") != "up" {
        assert!(Instant::now() < until, "the link is not up:\n{}", replica.log());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn digest(server: &Server) -> String {
    server.connect().ask("DEBUG DIGEST")
}

/// Waits until both are at the same offset, and compares their data. Nobody may be writing.
fn must_agree(primary: &Server, replica: &Server) {
    let (mut one, mut other) = (primary.connect(), replica.connect());
    wait_until("both are at one offset", || {
        info(&mut one, "master_repl_offset") == info(&mut other, "master_repl_offset")
    });
    // A key that has expired at the primary may be one that its next tick deletes at the replica.
    let until = Instant::now() + PATIENCE;
    while digest(primary) != digest(replica) {
        let differences = || differences(&mut primary.connect(), &mut replica.connect());
        assert!(Instant::now() < until, "{}", differences());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The keys in which two servers differ, and what each says of them.
fn differences(one: &mut Client, other: &mut Client) -> String {
    let mut out = String::new();
    for database in 0..3 {
        let mut keys = BTreeSet::new();
        for client in [&mut *one, &mut *other] {
            client.ask(&format!("SELECT {database}"));
            let reply = client.ask("KEYS *");
            keys.extend(
                reply
                    .lines()
                    .filter(|line| !line.starts_with(['*', '$']))
                    .map(str::to_owned),
            );
        }
        for key in keys {
            let says = |client: &mut Client| {
                let lines = ["DEBUG DIGEST-VALUE", "TYPE", "PEXPIRETIME", "DUMP"];
                lines.map(|line| client.ask(&format!("{line} {key}")))
            };
            let (here, there) = (says(one), says(other));
            if here[..3] != there[..3] {
                out += &format!("{database} {key}:\n  {here:?}\n  {there:?}\n");
            }
        }
    }
    out
}

/// Writes of every kind, from a thread of its own until it is stopped.
struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Load {
    fn on(server: &Server, seed: u64) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut client, stopped) = (server.connect(), stop.clone());
        let thread = std::thread::spawn(move || {
            let (mut random, mut count) = (Random::new(seed), 0);
            while !stopped.load(Ordering::Relaxed) {
                for line in write(&mut random, count) {
                    client.ask(&line);
                }
                count += 1;
            }
            count
        });
        Load { stop, thread }
    }

    /// Ends it, and gives how many writes there were.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load goes on until it is stopped")
    }
}

/// One write, as one command or as a transaction.
fn write(random: &mut Random, count: usize) -> Vec<String> {
    let key = random.below(200);
    let small = random.below(20);
    let line = match random.below(14) {
        0 => format!("SET s:{key} value:{count}"),
        1 => format!("SET e:{key} {count} PX {}", random.below(500) + 1),
        2 => format!("RPUSH l:{key} {count} {count} {}", "x".repeat(small * 20)),
        3 => format!("LPOP l:{key} 2"),
        4 => format!("HSET h:{key} f:{small} {count}"),
        5 => format!("PEXPIRE h:{key} {}", random.below(1000) + 1),
        6 => format!("ZADD z:{key} {count}.5 m:{small}"),
        7 => format!("SADD i:{key} {count}"),
        8 => format!("SPOP i:{key}"),
        9 => format!("XADD x:{key} MAXLEN ~ 50 * field {count}"),
        10 => format!("SELECT {}", random.below(3)),
        11 => format!("INCRBYFLOAT f:{key} 0.1"),
        12 => format!("DEL s:{key} l:{}", random.below(200)),
        _ => {
            return vec![
                "MULTI".to_owned(),
                format!("INCR n:{key}"),
                format!("SET t:{key} {count} EX 100"),
                "EXEC".to_owned(),
            ];
        }
    };
    vec![line]
}
