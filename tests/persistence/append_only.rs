//! The append-only file: nothing that was answered is lost, and real servers read it.

use std::fs;
use std::io::Write;
use std::path::Path;

use tempfile::TempDir;

use super::support::client::{Client, encode, encode_into};
#[cfg(target_os = "linux")]
use super::support::os::limit_file_size;
use super::support::server::{Binary, Server};
use super::{DEBUGGING, digest, fill, info, wait_for};

const ON: (&str, &str) = ("appendonly", "yes");

fn start(settings: &[(&str, &str)], dir: TempDir) -> Server {
    // Unless a test asks for more, records are written at once and never wait for a sync.
    let settings = [&[DEBUGGING, ON, ("appendfsync", "no")], settings].concat();
    Server::start_in(Binary::UnderTest, &settings, dir)
}

fn new_directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn log_files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("appendonlydir")).expect("the directory is there");
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Changes of every kind that is not written down as it was asked for.
fn change(client: &mut Client) {
    for line in [
        "SET a 1 EX 1000",
        "SETEX b 1000 v",
        "GETEX a PX 5000000",
        "EXPIRE list 1000",
        "INCRBYFLOAT float 0.1",
        "INCRBYFLOAT float 0.2",
        "HINCRBYFLOAT hash float 0.7",
        "SPOP set",
        "SPOP ints 7",
        "XADD stream MAXLEN ~ 100 * f v",
        "XADD stream * f v",
        "XREADGROUP GROUP group other COUNT 5 STREAMS stream >",
        "XCLAIM stream group third 0 2-1 3-1",
        "XAUTOCLAIM stream group third 0 0 COUNT 3",
        "XACK stream group 2-1",
        "BLPOP list 0",
        "BLMOVE list other LEFT RIGHT 0",
        "BZPOPMIN zset 0",
        "BLMPOP 0 1 list RIGHT COUNT 3",
        "COPY hash copied",
        "RENAME copied renamed",
        "MOVE renamed 5",
        "SORT ints STORE sorted",
        "PFADD counted 1 2 3",
        "PFCOUNT counted",
        "MULTI",
        "INCR n",
        "SELECT 4",
        "SET in-four x",
        "SELECT 0",
        "EXEC",
        "SET short x PX 1",
    ] {
        let reply = client.ask(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
}

#[test]
fn what_was_answered_is_there_after_a_kill() {
    for preamble in ["yes", "no"] {
        let settings = [("aof-use-rdb-preamble", preamble), ("aof-timestamp-enabled", "yes")];
        let server = start(&settings, new_directory());
        let mut client = server.connect();
        fill(&mut client);
        change(&mut client);
        wait_for("a key expires", || client.ask("EXISTS short") == ":0\r\n");
        let before = digest(&server);
        let server = start(&settings, server.kill());
        assert_eq!(digest(&server), before, "{}", server.log());
        // Again from a base and an increment.
        let mut client = server.connect();
        client.ask("BGREWRITEAOF");
        client.ask("SET more data");
        wait_for("the rewrite ends", || {
            info(&mut client, "aof_rewrite_in_progress") == "0"
        });
        client.ask("SET even more");
        change(&mut client);
        wait_for("a key expires", || client.ask("EXISTS short") == ":0\r\n");
        assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "ok", "{}", server.log());
        let kind = if preamble == "yes" { "rdb" } else { "aof" };
        assert_eq!(
            log_files(server.dir()),
            [
                format!("appendonly.aof.2.base.{kind}"),
                "appendonly.aof.2.incr.aof".into(),
                "appendonly.aof.manifest".into()
            ]
        );
        let before = digest(&server);
        let server = start(&settings, server.kill());
        assert_eq!(digest(&server), before, "{}", server.log());
    }
}

/// What fields are given, lose and keep, small and large; some of it is long past when it is played.
fn change_fields(client: &mut Client, key: &str) {
    for line in [
        "HSET KEY a 1 b 2 c 3 d 4 e 5",
        "HPEXPIREAT KEY 4000000000000 NX FIELDS 3 a b nosuch",
        "HEXPIRE KEY 1000 FIELDS 2 c d",
        "HPERSIST KEY FIELDS 2 b e",
        "HINCRBYFLOAT KEY a 0.5",
        "HGETEX KEY PX 5000000 FIELDS 1 b",
        "HGETEX KEY PERSIST FIELDS 1 d",
        "HSETEX KEY FXX KEEPTTL FIELDS 1 a 7",
        "HSETEX KEY EX 500 FIELDS 2 f 6 g 7",
        "HEXPIRE KEY 0 FIELDS 1 g",
        "HGETDEL KEY FIELDS 1 e",
        "MULTI",
        "HSETEX KEY PX 1 FIELDS 2 stays 5 goes 5",
        "HINCRBY KEY stays 1",
        "HPERSIST KEY FIELDS 1 stays",
        "EXEC",
    ] {
        let reply = client.ask(&line.replace("KEY", key));
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    wait_for("a field expires", || {
        client.ask(&format!("HEXISTS {key} goes")) == ":0\r\n"
    });
}

#[test]
fn fields_outlast_a_kill_with_their_deadlines() {
    for preamble in ["yes", "no"] {
        let settings = [("aof-use-rdb-preamble", preamble), ("hash-max-listpack-entries", "20")];
        let server = start(&settings, new_directory());
        let mut client = server.connect();
        for n in 0..100 {
            client.ask(&format!("HSET large field:{n} {n}"));
        }
        let look = |client: &mut Client| {
            let ask = |key| format!("HPEXPIRETIME {key} FIELDS 9 a b c d e f g stays goes");
            [ask("small"), ask("large")].map(|line| client.ask(&line))
        };
        change_fields(&mut client, "small");
        change_fields(&mut client, "large");
        let before = (digest(&server), look(&mut client));
        let server = start(&settings, server.kill());
        let mut client = server.connect();
        assert_eq!((digest(&server), look(&mut client)), before, "{}", server.log());
        assert_eq!(client.ask("HGET small stays"), "$1\r\n6\r\n");
        client.ask("BGREWRITEAOF");
        wait_for("the rewrite ends", || {
            info(&mut client, "aof_rewrite_in_progress") == "0"
        });
        change_fields(&mut client, "large");
        let before = (digest(&server), look(&mut client));
        let server = start(&settings, server.kill());
        let mut client = server.connect();
        assert_eq!((digest(&server), look(&mut client)), before, "{}", server.log());
    }
}

#[test]
fn real_servers_read_the_log_and_are_read() {
    for peer in [Binary::Redis, Binary::Valkey] {
        if !peer.available() {
            continue;
        }
        for preamble in ["yes", "no"] {
            let settings = [DEBUGGING, ON, ("appendfsync", "no"), ("aof-use-rdb-preamble", preamble)];
            let ours = Server::start_in(Binary::UnderTest, &settings, new_directory());
            let mut client = ours.connect();
            fill(&mut client);
            client.ask("BGREWRITEAOF");
            wait_for("the rewrite ends", || {
                info(&mut client, "aof_rewrite_in_progress") == "0"
            });
            change(&mut client);
            wait_for("a key expires", || client.ask("EXISTS short") == ":0\r\n");
            let digest_here = digest(&ours);
            let theirs = Server::start_in(peer, &settings, ours.kill());
            assert_eq!(digest(&theirs), digest_here, "{}", theirs.log());
            let mut client = theirs.connect();
            client.ask("DEL set");
            client.ask("SADD set a b c");
            client.ask("BGREWRITEAOF");
            wait_for("the rewrite ends", || {
                info(&mut client, "aof_rewrite_in_progress") == "0"
            });
            client.ask("SPOP set");
            client.ask("XREADGROUP GROUP group peer COUNT 5 STREAMS stream >");
            let digest_there = digest(&theirs);
            let ours = Server::start_in(Binary::UnderTest, &settings, theirs.kill());
            assert_eq!(digest(&ours), digest_there, "{}", ours.log());
        }
    }
}

#[test]
fn the_log_can_be_switched_on_and_off() {
    let server = Server::start_with(Binary::UnderTest, &[DEBUGGING, ("appendfsync", "no")]);
    let mut client = server.connect();
    fill(&mut client);
    assert_eq!(client.ask("CONFIG SET appendonly yes"), "+OK\r\n");
    change(&mut client);
    wait_for("the first base is written", || {
        info(&mut client, "aof_rewrite_in_progress") == "0"
    });
    wait_for("a key expires", || client.ask("EXISTS short") == ":0\r\n");
    client.ask("SET last 1");
    let before = digest(&server);
    let server = start(&[], server.kill());
    assert_eq!(digest(&server), before, "{}", server.log());
    let mut client = server.connect();
    client.ask("CONFIG SET appendonly no");
    client.ask("SET unlogged 1");
    assert_eq!(info(&mut client, "aof_enabled"), "0");
    assert_eq!(client.ask("CONFIG SET appendonly yes"), "+OK\r\n");
    wait_for("the base is written", || {
        info(&mut client, "aof_rewrite_in_progress") == "0"
    });
    let before = digest(&server);
    let server = start(&[], server.kill());
    assert_eq!(digest(&server), before, "{}", server.log());
    // What is history goes from the disk aside.
    wait_for("base, increment and manifest are left", || {
        log_files(server.dir()).len() == 3
    });
}

#[test]
fn a_log_of_old_is_taken_over() {
    let dir = new_directory();
    fs::write(
        dir.path().join("appendonly.aof"),
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
    )
    .expect("it is writable");
    let server = start(&[], dir);
    assert_eq!(server.connect().ask("GET a"), "$1\r\n1\r\n");
    server.connect().ask("SET b 2");
    let files = ["appendonly.aof", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"];
    assert_eq!(log_files(server.dir()), files);
    let server = start(&[], server.kill());
    assert_eq!(server.connect().ask("MGET a b"), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

#[test]
fn a_torn_end_is_cut_off_and_nothing_else() {
    let server = start(&[], new_directory());
    let mut client = server.connect();
    client.ask("SET a 1");
    client.ask("MULTI");
    client.ask("SET b 1");
    client.ask("SET c 1");
    client.ask("EXEC");
    let dir = server.kill();
    let path = dir.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&path).expect("the increment");
    let select = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".len();
    let first = select + b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n".len();
    let mut dir = Some(dir);
    for cut in [first + 3, whole.len() - 20, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).expect("it is writable");
        let args = [
            "--port",
            "0",
            "--unixsocket",
            "socket",
            "--appendonly",
            "yes",
            "--aof-load-truncated",
            "no",
        ];
        let here = dir.as_ref().expect("it is put back").path();
        let output = Binary::UnderTest.run_to_exit(here, &args).expect("it exits");
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(
            log.contains("Unexpected end of file reading the append only file"),
            "{log}"
        );
        let server = start(&[], dir.take().expect("it is put back"));
        // All of the transaction or nothing.
        assert_eq!(
            server.connect().ask("MGET a b c"),
            "*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n",
            "{cut}"
        );
        assert_eq!(fs::metadata(&path).expect("the increment").len(), first as u64, "{cut}");
        dir = Some(server.kill());
    }
    fs::write(&path, [&whole[..], b"nonsense\r\n", &whole[..]].concat()).expect("it is writable");
    let args = ["--port", "0", "--unixsocket", "socket", "--appendonly", "yes"];
    let here = dir.as_ref().expect("it is put back").path();
    let output = Binary::UnderTest.run_to_exit(here, &args).expect("it exits");
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("Bad file format reading the append only file"), "{log}");
}

/// Increments show both what is lost between a base and its increment and what stands in both.
#[test]
fn others_are_told_while_the_log_is_loaded_again() {
    const SCRIPT: &str = "redis.call('SET', KEYS[1], 'y') for i = 1, 1500000 do redis.call('PING') end";
    let server = start(&[("lua-time-limit", "1")], new_directory());
    let (mut client, mut other) = (server.connect(), server.connect());
    fill(&mut client);
    // A script is recorded as what it has done, so one that takes long must be put into the log.
    let mut long = encode(&["EVAL", SCRIPT, "1", "slow"]);
    for n in 0..200_000 {
        encode_into(&mut long, &["INCR", &format!("n:{}", n % 1000)]);
    }
    let path = server.dir().join("appendonlydir/appendonly.aof.1.incr.aof");
    let log = fs::OpenOptions::new().append(true).open(path);
    log.and_then(|mut log| log.write_all(&long)).expect("it is writable");

    client.send(&encode(&["DEBUG", "LOADAOF"])).expect("it is sent");
    wait_for("others are told while the script runs", || {
        other.ask("PING").starts_with("-LOADING ")
    });
    wait_for("INFO tells of it", || {
        other.ask("INFO persistence").contains("\r\nloading:1\r\n")
    });
    assert_eq!(client.read_reply().expect("it has waited"), b"+OK\r\n");
    let log = fs::read_to_string(server.dir().join("server.log")).expect("the log");
    assert!(log.contains("Slow script detected"), "{log}");
    assert!(log.contains("Append Only File loaded by DEBUG LOADAOF"), "{log}");
    other.ask("SELECT 9");
    assert_eq!(
        other.ask("MGET slow elsewhere n:1"),
        "*3\r\n$1\r\ny\r\n$1\r\n1\r\n$3\r\n200\r\n"
    );
    let loaded = digest(&server);
    assert_eq!(client.ask("DEBUG LOADAOF"), "+OK\r\n");
    assert_eq!(digest(&server), loaded);
}

#[test]
fn rewrites_amid_writes_lose_and_repeat_nothing() {
    for preamble in ["yes", "no"] {
        let settings = [("aof-use-rdb-preamble", preamble), ("rdb-key-save-delay", "100")];
        let server = start(&settings, new_directory());
        let mut control = server.connect();
        control.ask("DEBUG POPULATE 500");
        let mut writers: Vec<Client> = (0..4).map(|_| server.connect()).collect();
        let lines = "INCR n\r\n".repeat(50);
        for round in 0..100 {
            for writer in &mut writers {
                writer.send(lines.as_bytes()).expect("it reads");
            }
            if round % 20 == 10 {
                control.ask("BGREWRITEAOF");
            }
            for writer in &mut writers {
                writer.read_replies(50).expect("it answers");
            }
        }
        wait_for("the last rewrite ends", || {
            info(&mut control, "aof_rewrite_in_progress") == "0"
        });
        assert_ne!(info(&mut control, "aof_rewrites"), "0", "{}", server.log());
        assert_eq!(control.ask("GET n"), "$5\r\n20000\r\n");
        let server = start(&settings, server.kill());
        assert_eq!(server.connect().ask("GET n"), "$5\r\n20000\r\n", "{}", server.log());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_writes_until_there_is_room() {
    let server = start(&[], new_directory());
    let mut client = server.connect();
    client.ask("SET a 1");
    limit_file_size(server.pid(), 100).expect("limits of one's own children may be lowered");
    client.ask(&format!("SET b {}", "x".repeat(200)));
    wait_for("the write fails", || {
        info(&mut client, "aof_last_write_status") == "err"
    });
    assert!(
        client
            .ask("SET c 1")
            .starts_with("-MISCONF Errors writing to the AOF file: File too large")
    );
    assert_eq!(client.ask("GET a"), "$1\r\n1\r\n");
    limit_file_size(server.pid(), u64::MAX).expect("the hard limit was not lowered");
    wait_for("the write succeeds", || {
        info(&mut client, "aof_last_write_status") == "ok"
    });
    assert_eq!(client.ask("SET c 1"), "+OK\r\n");
    let before = digest(&server);
    let server = start(&[], server.kill());
    assert_eq!(digest(&server), before, "{}", server.log());
}

/// Under `always` nothing may be answered that is not on the disk, so the server ends.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_server_under_always() {
    let mut server = start(&[("appendfsync", "always")], new_directory());
    let mut client = server.connect();
    client.ask("SET a 1");
    let before = digest(&server);
    let increment = server.dir().join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&increment).expect("the increment");
    // Room for the log of the server, which is a file too, and for a part of the record.
    limit_file_size(server.pid(), 4000).expect("limits of one's own children may be lowered");
    let reply = client.call(&["SET", "b", &"x".repeat(5000)]);
    assert!(reply.is_err(), "nothing is answered");
    let status = server
        .wait_for_exit(super::support::PATIENCE)
        .expect("it was started here");
    let (code, log) = (status.and_then(|status| status.code()), server.log());
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("Short write while writing to the AOF file: (nwritten=39")
            && log.contains("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."),
        "{log}"
    );
    assert_eq!(fs::read(&increment).expect("the increment"), whole);
    let server = start(&[], server.kill());
    assert_eq!(digest(&server), before);
}
