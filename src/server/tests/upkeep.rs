//! Expiry and its figures, CLIENT PAUSE, output limits, and freeing in slices.

use crate::config::compound::BufferLimit;
use crate::keyspace::Key;
use crate::server::Effect;
use crate::server::testing::{START, Server};
use crate::timer::Millis;

#[test]
fn expiry_on_time_has_no_lag() {
    let mut server = Server::start();
    for n in 0..1000 {
        server.ask(&format!("set k:{n} x px {}", n + 1));
    }
    for ms in 1..=1000 {
        server.at(ms).expire_due();
        assert_eq!(server.core.keyspace.db(0).len(), 1000 - ms as usize);
    }
    let stats = &server.core.stats;
    assert_eq!((stats.expired_keys, stats.expired_late_keys), (1000, 0));
    assert_eq!((stats.expire_lag_max_ms, stats.expire_lag_sum_ms), (0, 0));
}

#[test]
fn lag_is_what_passed_between_the_deadline_and_the_deletion() {
    let mut server = Server::start();
    for (key, ms) in [("a", 100), ("b", 103), ("c", 104)] {
        server.ask(&format!("set {key} x px {ms}"));
    }
    server.at(105).expire_due();
    let stats = &server.core.stats;
    assert_eq!((stats.expired_keys, stats.expired_late_keys), (3, 2));
    assert_eq!((stats.expire_lag_max_ms, stats.expire_lag_sum_ms), (5, 5 + 2 + 1));
}

#[test]
fn a_flood_of_due_keys_is_taken_in_slices_and_wakes_the_poll_again() {
    let mut server = Server::start();
    const KEYS: usize = 200_000;
    for n in 0..KEYS {
        server.ask(&format!("set k:{n} x px 10"));
    }
    assert!(server.core.next_due().is_some_and(|due| due <= Millis(START + 10)));
    server.at(10);
    let mut capped = 0;
    // The first ticks end early, so that the first events are sent early; every later one when its time is over.
    for gone in [32, 96, 224] {
        assert!(server.core.expire_due());
        assert_eq!(server.core.stats.expired_keys, gone);
    }
    while server.core.expire_due() {
        capped += 1;
        assert!(server.core.next_due().is_some_and(|due| due <= server.core.now()));
    }
    assert!(capped > 3, "{capped}");
    assert_eq!(server.core.stats.expire_time_cap_reached, capped);
    assert_eq!(
        (server.core.stats.expired_keys, server.core.next_due()),
        (KEYS as u64, None)
    );
    // The next flood begins as this one did.
    for n in 0..1000 {
        server.ask(&format!("set k:{n} x px 10"));
    }
    server.at(20);
    assert!(server.core.expire_due());
    assert_eq!(server.core.stats.expired_keys, KEYS as u64 + 32);
}

#[test]
fn a_pause_holds_writes_and_expiry_until_its_deadline() {
    let mut server = Server::start();
    let (writer, late) = (server.connect(), server.connect());
    server.ask("set k x px 50");
    assert_eq!(server.ask("client pause 100 write"), "+OK|");
    // A shorter one does not cut it short.
    assert_eq!(server.ask("client pause 10 write"), "+OK|");
    assert_eq!(server.ask_as(writer, "set other x"), None);
    assert_eq!(server.core.next_due(), None);
    server.at(99).expire_due();
    assert_eq!(server.core.keyspace.db(0).len(), 1);
    assert_eq!(server.ask("get nothing"), "$-1|");
    server.at(100);
    // Whoever comes first behind the deadline ends it for all.
    assert_eq!(server.ask_as(late, "set third x").as_deref(), Some("+OK|"));
    assert_eq!(server.core.effects, [Effect::Resume(writer)]);
    assert_eq!(server.ask_as(writer, "set other x").as_deref(), Some("+OK|"));
    server.expire_due();
    assert!(server.core.keyspace.db(0).find(Key::new(b"k")).is_none());
    assert_eq!(server.core.stats.expire_lag_max_ms, 50);
}

#[test]
fn nothing_expires_while_writes_are_paused_but_nobody_sees_it() {
    let mut server = Server::start();
    server.ask("set k x px 50");
    server.ask("client pause 1000 write");
    server.at(50);
    assert_eq!(server.ask("get k"), "$-1|");
    assert_eq!(server.ask("exists k"), ":0|");
    assert_eq!(server.ask("ttl k"), ":-2|");
    assert_eq!(server.ask("scan 0"), "*2|$1|0|*0|");
    assert_eq!(server.ask("keys *"), "*0|");
    // There is no other key to tell, and asking must come to an end.
    assert_eq!(server.ask("randomkey"), "$1|k|");
    assert_eq!(
        (server.core.stats.expired_keys, server.core.stats.keyspace_misses),
        (0, 3)
    );
    server.core.unpause();
    assert_eq!(server.ask("get k"), "$-1|");
    assert_eq!(server.core.stats.expired_keys, 1);
}

#[test]
fn a_pause_of_all_holds_reads_too() {
    let mut server = Server::start();
    let other = server.connect();
    server.ask("client pause 100 all");
    assert_eq!(server.ask_as(other, "get k"), None);
    server.core.unpause();
    assert_eq!(server.core.effects, [Effect::Resume(other)]);
    assert_eq!(server.ask_as(other, "get k").as_deref(), Some("$-1|"));
}

#[test]
fn a_hard_output_limit_closes_at_once_and_a_soft_one_after_its_time() {
    let mut server = Server::start();
    let client = server.connect();
    server.core.settings.client_output_buffer_limit.normal = BufferLimit {
        hard: 1000,
        soft: 500,
        soft_seconds: 10,
    };
    let owe = |server: &mut Server, bytes, ms| {
        server.at(ms).core.session(client).backlog_bytes = bytes;
        server.core.each_second();
        std::mem::take(&mut server.core.effects)
    };
    assert_eq!(owe(&mut server, 999, 0), []);
    assert_eq!(owe(&mut server, 999, 10_000), []);
    // Below the limit for a moment, the time begins anew.
    assert_eq!(owe(&mut server, 499, 10_500), []);
    assert_eq!(owe(&mut server, 500, 11_000), []);
    assert_eq!(owe(&mut server, 500, 21_000), []);
    assert_eq!(owe(&mut server, 500, 21_001), [Effect::Close(client)]);
    assert!(server.core.session(client).doomed);
    let other = server.connect();
    server.core.session(other).backlog_bytes = 1000;
    server.core.check_output_limit(other);
    assert_eq!(server.core.effects, [Effect::Close(other)]);
    assert_eq!(server.core.stats.client_output_buffer_limit_disconnections, 2);
}

#[test]
fn a_client_without_the_password_may_leave_little_unread() {
    let mut server = Server::start();
    let stranger = server.connect();
    server.core.acl.set_default_password(b"secret");
    server.core.session(stranger).authenticated = false;
    server.core.session(stranger).backlog_bytes = 1024;
    server.core.check_output_limit(stranger);
    assert!(server.core.effects.is_empty());
    server.core.session(stranger).backlog_bytes = 1025;
    server.core.check_output_limit(stranger);
    assert_eq!(server.core.effects, [Effect::Close(stranger)]);
}

#[test]
fn a_reply_beyond_the_hard_limit_is_not_sent_at_all() {
    let mut server = Server::start();
    let client = server.connect();
    server.ask(&format!("SET k {}", "x".repeat(150_000)));
    server.run(&[b"CONFIG", b"SET", b"client-output-buffer-limit", b"normal 100000 0 0"]);
    assert_eq!(
        server.ask_as(client, "GETRANGE k 0 9").as_deref(),
        Some("$10|xxxxxxxxxx|")
    );
    assert_eq!(server.ask_as(client, "GET k").as_deref(), Some(""));
    assert!(server.core.session(client).doomed);
}

#[test]
fn a_value_of_a_million_elements_is_freed_over_many_ticks() {
    let mut server = Server::start();
    const ELEMENTS: usize = 1_000_000;
    for from in (0..ELEMENTS).step_by(1000) {
        let members: Vec<String> = (from..from + 1000).map(|n| format!("member:{n}")).collect();
        server.ask(&format!("sadd s {}", members.join(" ")));
    }
    assert_eq!(server.ask("scard s"), ":1000000|");
    assert_eq!(server.ask("del s"), ":1|");
    assert_eq!(
        (server.ask("dbsize"), server.core.keyspace.graveyard.pending()),
        (":0|".into(), 1)
    );
    let mut ticks = 1;
    while server.core.housekeep() {
        ticks += 1;
    }
    assert!(ticks > 10, "{ticks}");
    assert_eq!(server.core.keyspace.graveyard.pending(), 0);
}

#[test]
fn leftovers_of_deleted_keys_are_swept_though_nothing_is_due() {
    let mut server = Server::start();
    for round in 0..50_000 {
        let key = format!("k:{}", round % 10);
        server.ask(&format!("set {key} x ex 31536000"));
        server.ask(&format!("del {key}"));
        while server.core.housekeep() {}
    }
    let bytes = server.core.keyspace.db(0).wheel_bytes();
    // The wheel itself, and 4096 leftovers.
    assert!(bytes < 60_000, "{bytes}");
}

#[test]
fn clients_that_are_silent_for_longer_than_the_timeout_are_closed() {
    let mut server = Server::start();
    let [speaker, silent, waiter] = [(); 3].map(|()| server.connect());
    server.ask_as(waiter, "BLPOP nothing 0");
    server.ask("CONFIG SET timeout 5");
    let mut closed_at = |ms| {
        server.at(ms).ask_as(speaker, "PING");
        server.core.each_second();
        std::mem::take(&mut server.core.effects)
    };
    assert_eq!(closed_at(5_999), []);
    let closed = closed_at(6_000);
    assert!(closed.contains(&Effect::Close(silent)), "{closed:?}");
    assert!(!closed.contains(&Effect::Close(speaker)) && !closed.contains(&Effect::Close(waiter)));
    server.ask("CONFIG SET timeout 0");
    server.at(90_000).core.each_second();
    assert_eq!(server.core.effects, []);
}
