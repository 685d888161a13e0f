//! What tests of replication ask of servers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::client::Client;
use super::server::Server;
use super::{PATIENCE, wait_until};

/// A field of INFO.
pub fn info(client: &mut Client, field: &str) -> String {
    let text = client.ask("INFO everything");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().trim_end().to_owned()
}

/// A field of INFO that is a number; 0 if it is missing.
pub fn number(client: &mut Client, field: &str) -> u64 {
    info(client, field).parse().unwrap_or(0)
}

pub fn follow(replica: &Server, primary: &Server) {
    let mut client = replica.connect();
    let answer = client.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    assert_eq!(answer, "+OK\r\n");
}

/// Waits until it has its primary's data and hears its stream.
pub fn wait_until_up(replica: &Server) {
    let mut client = replica.connect();
    let until = Instant::now() + PATIENCE;
    while info(&mut client, "master_link_status") != "up" {
        assert!(Instant::now() < until, "the link is not up:\n{}", replica.log());
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn digest(server: &Server) -> String {
    server.connect().ask("DEBUG DIGEST")
}

/// Waits until both are at the same offset, and compares their data. Nobody may be writing.
pub fn must_agree(primary: &Server, replica: &Server) {
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
