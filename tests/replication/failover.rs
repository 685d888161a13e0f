//! FAILOVER: a primary and a replica change places while clients write.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::support::os::Signal;
use super::support::server::{Binary, Server};
use super::support::wait_until;
use super::{digest, follow, info, must_agree, number, start, wait_until_up};

const OURS: Binary = Binary::UnderTest;

/// A primary and a replica of it.
fn pair(primary: Binary, replica: Binary) -> Option<(Server, Server)> {
    if !primary.available() || !replica.available() {
        return None;
    }
    let (primary, replica) = (start(primary, &[]), start(replica, &[]));
    primary.connect().ask("SET some data");
    follow(&replica, &primary);
    wait_until_up(&replica);
    // The primary takes it for one that is there once it has acknowledged.
    assert_eq!(primary.connect().ask("WAIT 1 0"), ":1\r\n");
    Some((primary, replica))
}

/// Counts up at `server` until that is no primary any more; gives what was acknowledged.
fn count(server: &Server, stop: &AtomicBool, counted: &AtomicUsize) {
    let mut client = server.connect();
    while !stop.load(Ordering::Relaxed) {
        let reply = client.ask("INCR counter");
        if reply.starts_with("-READONLY") {
            return;
        }
        assert!(reply.starts_with(':'), "{reply}");
        counted.fetch_add(1, Ordering::Relaxed);
    }
}

fn places_are_changed(primary: Binary, replica: Binary) {
    let Some((old, new)) = pair(primary, replica) else {
        return;
    };
    let (stop, counted) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let counting = scope.spawn(|| count(&old, &stop, &counted));
        wait_until("the client writes", || counted.load(Ordering::Relaxed) > 100);
        let mut client = old.connect();
        let request = format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 60000", new.port());
        assert_eq!(client.ask(&request), "+OK\r\n");
        wait_until("the places are changed", || {
            info(&mut client, "role") == "slave" && info(&mut client, "master_failover_state") == "no-failover"
        });
        wait_until("whoever was held back goes on", || counting.is_finished());
        stop.store(true, Ordering::Relaxed);
    });
    wait_until_up(&old);
    let mut client = new.connect();
    assert_eq!(info(&mut client, "role"), "master");
    assert_eq!(number(&mut client, "sync_full"), 0, "it goes on where it was");
    let acknowledged = counted.load(Ordering::Relaxed).to_string();
    let value = format!("${}\r\n{acknowledged}\r\n", acknowledged.len());
    assert_eq!(client.ask("GET counter"), value, "no write is lost");
    client.ask("SET written afterwards");
    must_agree(&new, &old);
}

#[test]
fn ours_change_places() {
    places_are_changed(OURS, OURS);
}

#[test]
fn ours_gives_its_place_to_a_real_one() {
    places_are_changed(OURS, Binary::Redis);
}

#[test]
fn a_real_one_gives_its_place_to_ours() {
    places_are_changed(Binary::Redis, OURS);
}

#[test]
fn who_never_has_everything_does_not_take_over() {
    let Some((primary, replica)) = pair(OURS, OURS) else {
        return;
    };
    let mut client = primary.connect();
    replica.signal(Signal::STOP).expect("it runs");
    client.ask("SET something else");
    assert_eq!(client.ask("FAILOVER TIMEOUT 3000"), "+OK\r\n");
    assert_eq!(info(&mut client, "master_failover_state"), "waiting-for-sync");
    // The write waits until the failover is given up.
    assert_eq!(client.ask("SET is held-back"), "+OK\r\n");
    assert_eq!(info(&mut client, "master_failover_state"), "no-failover");
    assert_eq!(info(&mut client, "role"), "master");
    replica.signal(Signal::CONT).expect("it is stopped");
    must_agree(&primary, &replica);
}

#[test]
fn who_refuses_does_not_take_over() {
    let Some((primary, replica)) = pair(OURS, OURS) else {
        return;
    };
    let (mut client, mut other) = (primary.connect(), replica.connect());
    replica.signal(Signal::STOP).expect("it runs");
    client.ask("SET something else");
    // By the time it is asked it is a primary of its own.
    other.send(b"REPLICAOF NO ONE\r\n").expect("the socket has room");
    let request = format!("FAILOVER TO 127.0.0.1 {} FORCE TIMEOUT 100", replica.port());
    assert_eq!(client.ask(&request), "+OK\r\n");
    wait_until("the time is over", || {
        info(&mut client, "master_failover_state") == "failover-in-progress"
    });
    assert_eq!(
        client.ask("REPLICAOF NO ONE"),
        "-ERR REPLICAOF not allowed while failing over.\r\n"
    );
    assert_eq!(client.ask("FAILOVER"), "-ERR FAILOVER already in progress.\r\n");
    replica.signal(Signal::CONT).expect("it is stopped");
    wait_until("it is refused", || {
        info(&mut client, "master_failover_state") == "no-failover"
    });
    assert_eq!(info(&mut client, "role"), "master");
    assert_eq!(client.ask("SET written afterwards"), "+OK\r\n");
    assert!(primary.log().contains("Failover target rejected psync request"));
    // Both are primaries now, and the other has not what it never heard.
    assert_ne!(digest(&primary), digest(&replica));
}

#[test]
fn a_failover_is_ended_by_hand() {
    let Some((primary, replica)) = pair(OURS, OURS) else {
        return;
    };
    let mut client = primary.connect();
    replica.signal(Signal::STOP).expect("it runs");
    client.ask("SET something else");
    let port = replica.port();
    for request in [
        "FAILOVER".to_owned(),
        format!("FAILOVER TO 127.0.0.1 {port} FORCE TIMEOUT 1"),
    ] {
        assert_eq!(client.ask(&request), "+OK\r\n");
        if request.contains("FORCE") {
            wait_until("it is a replica", || info(&mut client, "role") == "slave");
        }
        assert_eq!(client.ask("FAILOVER ABORT"), "+OK\r\n");
        assert_eq!(info(&mut client, "role"), "master");
        assert_eq!(client.ask("SET written afterwards"), "+OK\r\n");
        assert_eq!(client.ask("FAILOVER ABORT"), "-ERR No failover in progress.\r\n");
        replica.signal(Signal::CONT).expect("it is stopped");
        wait_until_up(&replica);
        must_agree(&primary, &replica);
        replica.signal(Signal::STOP).expect("it runs");
        client.ask("SET something more");
    }
}
