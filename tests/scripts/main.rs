//! Scripts against those of real servers: the same program is answered with the same bytes.
//!
//! Programs stand in text files, divided by lines of three dashes. Each gets the keys `k1` and `k2` and the arguments `a1`
//! and `a2`, and finds what those before it have left.

#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use support::client::Client;
use support::reply::show;
use support::server::{Binary, Server};
use support::wait_until;

fn programs(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end().split("\n---\n")
}

fn compare(binary: Binary, text: &str) {
    if !binary.available() {
        return;
    }
    let servers = [Server::start(Binary::UnderTest), Server::start(binary)];
    for protocol in ["2", "3"] {
        let mut clients = servers.each_ref().map(Server::connect);
        for client in &mut clients {
            client.ask("FLUSHALL");
            client.ask(&format!("HELLO {protocol}"));
        }
        for program in programs(text) {
            let words = ["EVAL", program, "2", "k1", "k2", "a1", "a2"];
            let replies = clients.each_mut().map(|client| client.call(&words).expect("an answer"));
            let [ours, theirs] = replies.each_ref().map(|reply| show(reply));
            assert_eq!(ours, theirs, "in RESP{protocol}: {program}");
        }
    }
}

#[test]
fn programs_answer_as_redis_does() {
    compare(Binary::Redis, include_str!("programs.txt"));
}

/// Redis 7.2 has changed how numbers look to commands.
#[test]
fn numbers_reach_commands_as_in_7_2() {
    compare(Binary::Valkey, include_str!("numbers.txt"));
}

fn field(client: &mut Client, name: &str) -> u64 {
    let info = client.ask("INFO everything");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")).map(str::to_owned));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("INFO has {name}"))
}

#[test]
fn a_script_that_never_ends_is_killed() {
    let server = Server::start(Binary::UnderTest);
    let (mut busy, mut other) = (server.connect(), server.connect());
    other.ask("CONFIG SET busy-reply-threshold 50");
    busy.send(&support::client::encode(&[
        "EVAL",
        "while true do pcall(redis.call, 'ping') end",
        "0",
    ]))
    .expect("the request goes out");
    wait_until("others are told", || other.ask("PING").starts_with("-BUSY"));
    // New clients are let in, and those who come may kill it.
    let mut late = server.connect();
    assert!(late.ask("GET k").starts_with("-BUSY"));
    assert_eq!(late.ask("SCRIPT KILL"), "+OK\r\n");
    let reply = busy.read_reply().expect("an answer");
    assert!(
        reply.starts_with(b"-ERR Script killed by user with SCRIPT KILL..."),
        "{}",
        show(&reply)
    );
    assert_eq!(other.ask("PING"), "+PONG\r\n");
    assert!(other.ask("SCRIPT KILL").starts_with("-NOTBUSY"));
}

#[test]
fn what_a_script_takes_is_counted_and_given_back() {
    let server = Server::start(Binary::UnderTest);
    let mut client = server.connect();
    client.ask("SCRIPT FLUSH");
    let before = field(&mut client, "used_memory");
    for number in 0..200 {
        let script = format!("local t = {{}} for i = 1, 100 do t[i] = i + {number} end return #t");
        assert_eq!(client.call(&["EVAL", &script, "0"]).expect("an answer"), b":100\r\n");
    }
    assert_eq!(field(&mut client, "number_of_cached_scripts"), 200);
    let (vm, after) = (
        field(&mut client, "used_memory_vm_eval"),
        field(&mut client, "used_memory"),
    );
    assert!(vm > 50_000, "{vm}");
    assert!(after > before + 100_000, "the allocator sees it: {before} {after}");
    client.ask("SCRIPT FLUSH");
    assert_eq!(field(&mut client, "number_of_cached_scripts"), 0);
    assert!(field(&mut client, "used_memory") < after);
}

#[test]
fn a_signal_waits_for_the_script() {
    let mut server = Server::start(Binary::UnderTest);
    let (mut busy, mut other) = (server.connect(), server.connect());
    other.ask("CONFIG SET busy-reply-threshold 10");
    busy.send(&support::client::encode(&["EVAL", "while true do end", "0"]))
        .expect("the request goes out");
    wait_until("others are told", || other.ask("PING").starts_with("-BUSY"));
    server.signal(support::os::Signal::TERM).expect("it is there");
    std::thread::sleep(Duration::from_millis(100));
    assert!(server.is_running());
    assert_eq!(other.ask("SCRIPT KILL"), "+OK\r\n");
    let exit = server
        .wait_for_exit(Duration::from_secs(10))
        .expect("it can be waited for");
    assert!(exit.is_some_and(|status| status.success()));
}
