//! What is on the disk, through the real binary: it outlasts exits and kills, real servers load it, and what they save is
//! loaded here, always with the same DEBUG DIGEST.

mod append_only;
mod kills;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
mod tools;

use std::time::{Duration, Instant};

use support::client::Client;
use support::server::Server;

const DEBUGGING: (&str, &str) = ("enable-debug-command", "yes");

fn digest(server: &Server) -> String {
    let digest = server.connect().ask("DEBUG DIGEST");
    assert!(digest.starts_with('+'), "{digest}");
    digest
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A field of INFO persistence.
fn info(client: &mut Client, field: &str) -> String {
    let text = client.ask("INFO persistence");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{field} is missing in {text}"))
        .to_owned()
}

/// Gives the server data of every type, some of it large.
fn fill(client: &mut Client) {
    for n in 0..300 {
        client.ask(&format!("SET string:{n} value:{n} PX 100000000"));
        client.ask(&format!("RPUSH list {n} {}", "x".repeat(n)));
        client.ask(&format!("SADD ints {n}"));
        client.ask(&format!("SADD set member:{n}"));
        client.ask(&format!("HSET hash field:{n} {n}"));
        client.ask(&format!("HSET small:{} field {n}", n % 10));
        client.ask(&format!("ZADD zset {n}.5 member:{n}"));
        client.ask(&format!("XADD stream {}-1 field {n}", n + 1));
    }
    client.ask("XGROUP CREATE stream group 0");
    client.ask("XREADGROUP GROUP group consumer COUNT 7 STREAMS stream >");
    client.ask("SELECT 9");
    client.ask("SET elsewhere 1");
    client.ask("SELECT 0");
}
