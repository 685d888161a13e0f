//! What only the core shows: the passing of time, waiting, what is buried, and the replies of both protocols.

use crate::server::core::Effect;
use crate::server::testing::Server;

/// A stream of five entries with a group that has read three of them for one consumer.
fn server_with_group() -> Server {
    let mut server = Server::start();
    for n in 1..=5 {
        server.ask(&format!("XADD x {n}-0 f {n}"));
    }
    server.ask("XGROUP CREATE x g 0");
    server.ask("XREADGROUP GROUP g alice COUNT 3 STREAMS x >");
    server
}

#[test]
fn consumers_are_seen_and_active_at_different_times() {
    let mut server = server_with_group();
    let mut after = |ms, line: &str| {
        server.at(ms).ask(line);
        server.ask("XINFO CONSUMERS x g")
    };
    let alice = |seen, active| format!("*1|*8|$4|name|$5|alice|$7|pending|:3|$4|idle|:{seen}|$8|inactive|:{active}|");
    assert_eq!(after(10, "PING"), alice(10, 10));
    // Reading one's own backlog is no activity; a claim is, and so are new entries that become pending.
    assert_eq!(after(20, "XREADGROUP GROUP g alice STREAMS x 0"), alice(0, 20));
    assert_eq!(after(30, "XCLAIM x g alice 0 1-0"), alice(0, 0));
    assert_eq!(after(40, "XCLAIM x g alice 100 1-0"), alice(0, 10));
    assert_eq!(after(50, "XAUTOCLAIM x g alice 0 0 JUSTID"), alice(0, 0));
    assert_eq!(after(60, "XREADGROUP GROUP g alice NOACK STREAMS x >"), alice(0, 10));
    server.ask("XGROUP CREATECONSUMER x g bob");
    let both = server.ask("XINFO CONSUMERS x g");
    assert!(
        both.ends_with("$3|bob|$7|pending|:0|$4|idle|:0|$8|inactive|:-1|"),
        "{both}"
    );
}

#[test]
fn a_claim_needs_entries_that_are_idle_long_enough() {
    let mut server = server_with_group();
    server.at(100).ask("XREADGROUP GROUP g alice COUNT 1 STREAMS x 0");
    assert_eq!(
        server.at(150).ask("XPENDING x g IDLE 100 - + 9"),
        "*2|*4|$3|2-0|$5|alice|:150|:1|*4|$3|3-0|$5|alice|:150|:1|"
    );
    assert_eq!(server.ask("XCLAIM x g bob 151 2-0 JUSTID"), "*0|");
    assert_eq!(server.ask("XCLAIM x g bob 150 1-0 2-0 JUSTID"), "*1|$3|2-0|");
    assert_eq!(server.ask("XAUTOCLAIM x g bob 100 0 JUSTID"), "*3|$3|0-0|*1|$3|3-0|*0|");
    // JUSTID leaves the counts of deliveries alone, and IDLE says when the delivery was.
    assert_eq!(server.ask("XCLAIM x g bob 0 3-0 IDLE 30"), "*1|*2|$3|3-0|*2|$1|f|$1|3|");
    assert_eq!(
        server.ask("XPENDING x g - + 9 bob"),
        "*2|*4|$3|2-0|$3|bob|:0|:1|*4|$3|3-0|$3|bob|:30|:2|"
    );
}

#[test]
fn an_automatic_claim_looks_at_ten_for_each_it_may_give() {
    let mut server = server_with_group();
    for n in 6..40 {
        server.ask(&format!("XADD x {n}-0 f v"));
    }
    server.ask("XREADGROUP GROUP g alice STREAMS x >");
    assert_eq!(server.ask("XAUTOCLAIM x g bob 100 4 COUNT 2"), "*3|$4|24-0|*0|*0|");
    assert_eq!(
        server.ask("XAUTOCLAIM x g bob 0 4 COUNT 2 JUSTID"),
        "*3|$3|6-0|*2|$3|4-0|$3|5-0|*0|"
    );
    server.ask("XDEL x 6-0 7-0");
    assert_eq!(
        server.ask("XAUTOCLAIM x g bob 0 6 COUNT 3 JUSTID"),
        "*3|$3|9-0|*1|$3|8-0|*2|$3|6-0|$3|7-0|"
    );
}

#[test]
fn maps_are_maps_in_resp3() {
    let mut server = server_with_group();
    server.ask("HELLO 3");
    assert_eq!(
        server.ask("XREAD COUNT 1 STREAMS x 0"),
        "%1|$1|x|*1|*2|$3|1-0|*2|$1|f|$1|1|"
    );
    assert_eq!(server.ask("XREAD STREAMS x $"), "_|");
    assert_eq!(
        server.ask("XREADGROUP GROUP g alice COUNT 1 STREAMS x 2"),
        "%1|$1|x|*1|*2|$3|3-0|*2|$1|f|$1|3|"
    );
    server.ask("XDEL x 3-0");
    assert_eq!(
        server.ask("XREADGROUP GROUP g alice STREAMS x 2"),
        "%1|$1|x|*1|*2|$3|3-0|_|"
    );
    let groups = server.ask("XINFO GROUPS x");
    assert!(groups.starts_with("*1|%6|$4|name|$1|g|$9|consumers|:1|"), "{groups}");
    let stream = server.ask("XINFO STREAM x");
    assert!(
        stream.starts_with("%10|$6|length|:4|$15|radix-tree-keys|:1|$16|radix-tree-nodes|:2|"),
        "{stream}"
    );
    let full = server.ask("XINFO STREAM x FULL COUNT 1");
    assert!(full.starts_with("%9|$6|length|:4|"), "{full}");
    assert!(
        full.ends_with(
            "$9|pel-count|:3|$7|pending|*1|*4|$3|1-0|$5|alice|:1700000000000|:1|$9|consumers|*1|\
             %5|$4|name|$5|alice|$9|seen-time|:1700000000000|$11|active-time|:1700000000000|\
             $9|pel-count|:3|$7|pending|*1|*3|$3|1-0|:1700000000000|:1|"
        ),
        "{full}"
    );
}

#[test]
fn the_end_means_what_it_meant_when_the_command_came() {
    let mut server = server_with_group();
    let (reader, other) = (server.connect(), server.connect());
    let waits = server.ask_as(reader, "XREAD BLOCK 0 STREAMS none x $ $");
    assert_eq!(waits.as_deref(), Some(""));
    assert_eq!(
        server.ask_as(other, "XREAD BLOCK 0 STREAMS none +").as_deref(),
        Some("")
    );
    server.ask("DEL x");
    server.ask("XADD x 4-0 f v");
    assert_eq!(server.take_reply_of(reader), "");
    server.ask("XADD x 6-0 f v");
    assert_eq!(server.take_reply_of(reader), "*1|*2|$1|x|*1|*2|$3|6-0|*2|$1|f|$1|v|");
    server.ask("XADD none 7-0 f v");
    assert_eq!(server.take_reply_of(other), "*1|*2|$4|none|*1|*2|$3|7-0|*2|$1|f|$1|v|");
    assert_eq!(server.core.effects, [Effect::Resume(reader), Effect::Resume(other)]);
    assert!(server.core.waiting.is_empty());
}

#[test]
fn waiting_ends_on_time() {
    let mut server = Server::start();
    let reader = server.connect();
    server.at(10).ask_as(reader, "XREAD BLOCK 50 STREAMS x $");
    server.at(60).core.end_late_waits();
    assert_eq!(server.take_reply_of(reader), "");
    server.at(61).core.end_late_waits();
    assert_eq!(server.take_reply_of(reader), "*-1|");
    // Of its own pending entries a consumer is always told, if only that there are none.
    server.ask("XGROUP CREATE x g 0 MKSTREAM");
    let own = server.ask_as(reader, "XREADGROUP GROUP g alice BLOCK 0 STREAMS x 0");
    assert_eq!(own.as_deref(), Some("*1|*2|$1|x|*0|"));
}

#[test]
fn a_group_that_goes_ends_the_waiting_of_its_consumers() {
    let gone = "-NOGROUP No such key 'x' or consumer group 'g' in XREADGROUP with GROUP option|";
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value|";
    for (end, answer) in [
        ("XGROUP DESTROY x g", gone),
        ("DEL x", gone),
        ("FLUSHALL", gone),
        ("RENAME x y", gone),
        ("MOVE x 1", gone),
        ("SWAPDB 0 1", gone),
        ("SET x v", wrong),
    ] {
        let mut server = server_with_group();
        server.ask("XGROUP CREATE x other $");
        server.ask("XGROUP SETID x g $");
        let (reader, other) = (server.connect(), server.connect());
        server.ask_as(reader, "XREADGROUP GROUP g bob BLOCK 0 STREAMS x >");
        server.ask_as(other, "XREAD BLOCK 0 STREAMS x $");
        server.ask(end);
        assert_eq!(server.take_reply_of(reader), answer, "{end}");
        assert_eq!(server.take_reply_of(other), "", "{end}");
    }
}

#[test]
fn an_expired_stream_ends_the_waiting_of_its_consumers() {
    let mut server = server_with_group();
    server.ask("XGROUP SETID x g $");
    server.ask("PEXPIRE x 100");
    let reader = server.connect();
    server.ask_as(reader, "XREADGROUP GROUP g bob BLOCK 0 STREAMS x >");
    server.at(101).expire_due();
    server.core.serve_waiting();
    assert!(server.take_reply_of(reader).starts_with("-NOGROUP "));
}

#[test]
fn a_destroyed_group_is_freed_in_slices() {
    let mut server = Server::start();
    for n in 1..=5000 {
        server.ask(&format!("XADD x {n}-0 f v"));
    }
    server.ask("XGROUP CREATE x g 0");
    server.ask("XREADGROUP GROUP g alice STREAMS x >");
    assert_eq!(server.ask("XGROUP DESTROY x g"), ":1|");
    let graveyard = &mut server.core.keyspace.graveyard;
    assert!(!graveyard.is_empty());
    let steps = std::iter::repeat_with(|| graveyard.step(256))
        .take_while(|done| !done)
        .count();
    assert!(steps >= 5000 / 256, "{steps}");
}

#[test]
fn a_failed_read_changes_nothing() {
    let mut server = server_with_group();
    server.ask("SET s v");
    for line in [
        "XREADGROUP GROUP g bob STREAMS x none > >",
        "XREADGROUP GROUP g bob STREAMS x s > >",
        "XREADGROUP GROUP g bob STREAMS x x > abc",
        "XREADGROUP GROUP g bob STREAMS x x > $",
    ] {
        assert!(server.ask(line).starts_with('-'), "{line}");
    }
    let groups = server.ask("XINFO GROUPS x");
    assert!(groups.contains("$9|consumers|:1|$7|pending|:3|"), "{groups}");
    assert!(
        server
            .ask("XREADGROUP GROUP g bob STREAMS x +")
            .starts_with("-ERR The + ID is meaningless in the")
    );
    // The largest ID is as `>`.
    let largest = "XREADGROUP GROUP g bob STREAMS x 18446744073709551615-18446744073709551615";
    assert_eq!(server.ask(largest).matches("$1|f|").count(), 2);
    assert_eq!(server.ask(largest), "*-1|");
}

#[test]
fn the_last_entry_is_the_last_that_is_left() {
    let mut server = server_with_group();
    assert_eq!(
        server.ask("XREAD COUNT 3 STREAMS none x + +"),
        "*1|*2|$1|x|*1|*2|$3|5-0|*2|$1|f|$1|5|"
    );
    server.ask("XDEL x 5-0");
    server.ask("XSETID x 9-0");
    assert_eq!(server.ask("XREAD STREAMS x +"), "*1|*2|$1|x|*1|*2|$3|4-0|*2|$1|f|$1|4|");
    server.ask("XTRIM x MAXLEN 0");
    assert_eq!(server.ask("XREAD STREAMS x +"), "*-1|");
}

#[test]
fn names_are_quoted_up_to_a_nul() {
    let mut server = server_with_group();
    let reply = server.run(&[b"XPENDING", b"x\0y", b"g\r\nh"]);
    assert_eq!(reply, "-NOGROUP No such key 'x' or consumer group 'g  h'|");
    let reply = server.run(&[b"XGROUP", b"SETID", b"x", b"a\0b", b"0"]);
    assert_eq!(reply, "-NOGROUP No such consumer group 'a' for key name 'x'|");
}

/// `entries-read` and `lag` of XINFO GROUPS as Redis 8.0.2 tells them; 7.2.7 and later do the same.
#[test]
fn a_groups_lag_survives_what_is_deleted_and_trimmed() {
    let mut server = Server::start();
    let dialogue = [
        ("XADD x 1-0 f v", None, None),
        ("XGROUP CREATE x g 0", None, Some(1)),
        ("READ 1", Some(1), Some(0)),
        ("XADD x 2-0 f v", Some(1), Some(1)),
        ("XADD x 3-0 f v", Some(1), Some(2)),
        ("XDEL x 2-0", Some(1), None),
        ("XDEL x 1-0", Some(1), Some(1)),
        ("READ 1", Some(3), Some(0)),
        ("XADD x 4-0 f v", Some(3), Some(1)),
        ("XADD x 5-0 f v", Some(3), Some(2)),
        ("XADD x 6-0 f v", Some(3), Some(3)),
        ("XADD x 7-0 f v", Some(3), Some(4)),
        ("READ 1", Some(4), Some(3)),
        ("XTRIM x MAXLEN 2", Some(4), Some(2)),
        ("READ 1", Some(6), Some(1)),
        ("READ 9", Some(7), Some(0)),
        ("XADD x 8-0 f v", Some(7), Some(1)),
        ("XADD x 9-0 f v", Some(7), Some(2)),
        ("XADD x 10-0 f v", Some(7), Some(3)),
        ("XADD x 11-0 f v", Some(7), Some(4)),
        ("READ 1", Some(8), Some(3)),
        ("XDEL x 10-0", Some(8), None),
        ("READ 1", None, None),
        ("READ 1", Some(11), Some(0)),
        ("XADD x 12-0 f v", Some(11), Some(1)),
        ("XTRIM x MAXLEN 0", Some(11), Some(0)),
        ("XADD x 13-0 f v", Some(11), Some(1)),
        ("XDEL x 13-0", Some(11), Some(0)),
        ("READ 1", Some(11), Some(0)),
        ("XADD x 14-0 f v", Some(11), Some(1)),
        ("READ 1", Some(14), Some(0)),
    ];
    let number = |known: Option<u64>| known.map_or("$-1".to_owned(), |number| format!(":{number}"));
    for (line, read, lag) in dialogue {
        match line.strip_prefix("READ ") {
            Some(count) => server.ask(&format!("XREADGROUP GROUP g c COUNT {count} STREAMS x >")),
            None => server.ask(line),
        };
        let told = server.ask("XINFO GROUPS x");
        let want = format!("$12|entries-read|{}|$3|lag|{}|", number(read), number(lag));
        assert!(told == "*0|" || told.ends_with(&want), "{line}: {told}");
    }
}
