//! Who asks for a snapshot and nothing else, as `redis-cli --rdb` and `--functions-rdb` do.

use super::support::server::{Binary, Server};
use super::support::wait_until;
use super::{follow, start};

const LIBRARY: &str = "#!lua name=l\nredis.register_function('f', function() return 1 end)";

/// A server with a key and a library of functions.
fn server_with_both(diskless: &str) -> Server {
    let settings = [("repl-diskless-sync", diskless), ("repl-diskless-sync-delay", "0")];
    let server = start(Binary::UnderTest, &settings);
    let mut client = server.connect();
    client.ask("SET some data");
    client.call(&["FUNCTION", "LOAD", LIBRARY]).expect("a library");
    server
}

/// All that a server sends to somebody who says that and then SYNC, until it closes the connection.
fn answer_to_sync(server: &Server, replconf: &str) -> Vec<u8> {
    let mut client = server.connect();
    client.send(format!("{replconf}\r\n").as_bytes()).expect("a request");
    assert_eq!(client.read_reply().expect("an answer"), b"+OK\r\n", "{replconf}");
    client.send(b"SYNC\r\n").expect("a request");
    client.read_to_end().expect("the server closes the connection")
}

/// Whether a snapshot is there, the key in it, and the functions.
fn has(answer: &[u8]) -> (bool, bool, bool) {
    let has = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
    (has(b"REDIS0"), has(b"\x04some\x04data"), has(b"register_function"))
}

#[test]
fn what_cannot_be_had_is_refused() {
    let server = server_with_both("yes");
    let mut client = server.connect();
    let range = "-ERR value is out of range, value must between 0 and 1\r\n";
    let integer = "-ERR value is not an integer or out of range\r\n";
    for (wish, answer) in [
        ("rdb-only 1", "+OK\r\n"),
        ("rdb-only 0", "+OK\r\n"),
        ("rdb-only 2", range),
        ("rdb-only -1", range),
        ("RDB-ONLY yes", integer),
        ("rdb-filter-only functions", "+OK\r\n"),
        ("rdb-filter-only FUNCTIONS", "+OK\r\n"),
        (
            "rdb-filter-only keys",
            "-ERR Unsupported rdb-filter-only option: keys\r\n",
        ),
        ("rdb-filter-only \"functions", "-ERR Missing rdb-filter-only values\r\n"),
    ] {
        assert_eq!(client.ask(&format!("REPLCONF {wish}")), answer, "{wish}");
    }
    // The length of a snapshot that is no file is not known before.
    for line in ["SYNC", "PSYNC ? -1"] {
        assert_eq!(
            client.ask(line),
            "-ERR Filtered replica requires EOF capability\r\n",
            "{line}"
        );
    }
}

#[test]
fn a_backup_gets_a_snapshot_and_is_let_go() {
    for diskless in ["yes", "no"] {
        let server = server_with_both(diskless);
        for replconf in ["REPLCONF rdb-only 1", "REPLCONF capa eof rdb-only 1"] {
            let answer = answer_to_sync(&server, replconf);
            assert_eq!(has(&answer), (true, true, true), "{diskless} {replconf}");
        }
        let info = server.connect().ask("INFO replication");
        assert!(info.contains("connected_slaves:0"), "{info}");
    }
}

#[test]
fn it_may_want_only_the_functions() {
    for diskless in ["yes", "no"] {
        let server = server_with_both(diskless);
        for (wanted, expected) in [("functions", (true, false, true)), ("''", (true, false, false))] {
            let answer = answer_to_sync(
                &server,
                &format!("REPLCONF capa eof rdb-only 1 rdb-filter-only {wanted}"),
            );
            assert_eq!(has(&answer), expected, "{diskless} {wanted}");
        }
        let saves = server.connect().ask("INFO persistence");
        assert!(saves.contains("rdb_saves:0"), "no file is written of parts: {saves}");
    }
}

#[test]
fn replicas_that_want_different_things_all_get_theirs() {
    let server = server_with_both("yes");
    std::thread::scope(|scope| {
        let wanted = [
            ("REPLCONF capa eof rdb-only 1", (true, true, true)),
            (
                "REPLCONF capa eof rdb-only 1 rdb-filter-only functions",
                (true, false, true),
            ),
        ];
        for (replconf, expected) in [wanted, wanted, wanted].concat() {
            let server = &server;
            scope.spawn(move || assert_eq!(has(&answer_to_sync(server, replconf)), expected));
        }
    });
    let replica = start(Binary::UnderTest, &[]);
    follow(&replica, &server);
    wait_until("the replica has the key", || {
        replica.connect().ask("GET some") == server.connect().ask("GET some")
    });
}
