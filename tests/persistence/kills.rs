//! `kill -9` at random moments, amid writes, saves and rewrites.
//!
//! Clients write transactions as fast as they are answered, several under way at once, and count what they sent and what
//! was answered. Then the server is gone, and the next one must have at least what was answered, at most what was sent,
//! and every transaction whole.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::support::client::{Client, encode_into};
use super::support::os::{Signal, send_signal};
use super::support::random::Random;
use super::support::server::{Binary, Server};
use super::{DEBUGGING, digest, fill, wait_for};

const CLIENTS: usize = 3;
/// Transactions under way at most, for each client.
const DEEPEST: usize = 8;

/// How often the server is killed under `appendfsync always`: AEOLUS_KILLS, or as often as takes a few seconds.
fn rounds() -> u64 {
    let asked = std::env::var("AEOLUS_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// What a client knows of its own writes.
struct Written {
    /// Transactions that were answered, each with the moment when it was.
    answered: Vec<Instant>,
    /// Transactions before this life of the server, and sent in it.
    before: u64,
    sent: u64,
}

/// Writes until the server is gone. `before` transactions were kept of what was written earlier.
fn write_until_it_is_gone(port: u16, client: usize, before: u64, seed: u64) -> Written {
    let mut written = Written {
        answered: Vec::new(),
        before,
        sent: 0,
    };
    let Ok(mut connection) = Client::connect(port) else {
        return written;
    };
    let mut random = Random::new(seed);
    loop {
        let (depth, mut requests) = (random.below(DEEPEST) + 1, Vec::new());
        for _ in 0..depth {
            let (filler, value) = (format!("filler:{}", random.below(100)), "x".repeat(random.below(300)));
            encode_into(&mut requests, &["MULTI"]);
            encode_into(&mut requests, &["INCR", &format!("first:{client}")]);
            encode_into(&mut requests, &["SET", &filler, &value]);
            encode_into(&mut requests, &["INCR", &format!("second:{client}")]);
            encode_into(&mut requests, &["EXEC"]);
        }
        written.sent += depth as u64;
        if connection.send(&requests).is_err() {
            return written;
        }
        for _ in 0..depth {
            let Ok(replies) = connection.read_replies(5) else {
                return written;
            };
            assert!(replies.starts_with(b"+OK\r\n"), "{}", replies.escape_ascii());
            written.answered.push(Instant::now());
        }
    }
}

/// What the server has of a client's transactions.
fn kept(connection: &mut Client, client: usize) -> u64 {
    let [first, second] = ["first", "second"].map(|half| {
        let reply = connection.ask(&format!("GET {half}:{client}"));
        match reply.trim_end().rsplit("\r\n").next() {
            Some("$-1") | None => 0,
            Some(digits) => digits.parse().expect("a number"),
        }
    });
    assert_eq!(first, second, "client {client} wrote whole transactions");
    first
}

/// Lets clients write, does `meanwhile` with a connection, and ends the server after `last`.
fn write_and_kill(
    server: Server,
    seed: u64,
    last: Duration,
    meanwhile: impl FnOnce(&mut Client),
) -> (TempDir, Vec<Written>, Instant) {
    let mut connection = server.connect();
    let before: Vec<u64> = (0..CLIENTS).map(|client| kept(&mut connection, client)).collect();
    let (port, pid) = (server.port(), server.pid());
    let (written, killed) = std::thread::scope(|scope| {
        let writers: Vec<_> = before
            .into_iter()
            .enumerate()
            .map(|(client, before)| {
                scope.spawn(move || write_until_it_is_gone(port, client, before, seed * 10 + client as u64))
            })
            .collect();
        meanwhile(&mut connection);
        // Not for luck: any moment will do, and a run should see many.
        std::thread::sleep(last);
        let killed = Instant::now();
        send_signal(pid, Signal::KILL).expect("it runs until now");
        let written = writers
            .into_iter()
            .map(|writer| writer.join().expect("no assertion failed"));
        (written.collect(), killed)
    });
    (kill(server), written, killed)
}

/// Ends the server, and waits until its child, if it has one, has gone with it: that takes the system a moment longer.
fn kill(server: Server) -> TempDir {
    let dir = server.kill();
    wait_for("the child ends", || !is_anybody_in(dir.path()));
    dir
}

/// Whether a process has this working directory. Where the system does not tell, nobody.
fn is_anybody_in(dir: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut places = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    places.any(|place| place == dir)
}

/// Whether the server has what was answered up to `until`, and nothing that was not sent.
fn check(server: &Server, written: &[Written], until: Instant, what: &str) {
    let mut connection = server.connect();
    for (client, written) in written.iter().enumerate() {
        let kept = kept(&mut connection, client);
        let answered = written.answered.iter().filter(|&&at| at <= until).count() as u64;
        let (least, most) = (written.before + answered, written.before + written.sent);
        assert!(
            (least..=most).contains(&kept),
            "{what}: of client {client}'s transactions {kept} are kept, {least} were answered, {most} sent\n{}",
            server.log()
        );
    }
}

/// Names in a directory that somebody was still writing under.
fn temporary_files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).into_iter().flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with("temp-")).collect()
}

fn check_tidiness(server: &Server) {
    for dir in [server.dir().to_owned(), server.dir().join("appendonlydir")] {
        assert_eq!(temporary_files(&dir), [""; 0], "{}", server.log());
    }
}

fn random_millis(random: &mut Random, most: usize) -> Duration {
    Duration::from_micros(random.below(most * 1000) as u64)
}

#[test]
fn no_answered_write_is_lost_to_a_kill() {
    let settings = [
        DEBUGGING,
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("auto-aof-rewrite-min-size", "200kb"),
    ];
    let (mut random, mut dir) = (Random::new(1), tempfile::tempdir().expect("a directory"));
    for round in 0..rounds() {
        let server = Server::start_in(Binary::UnderTest, &settings, dir);
        let (rewrites, last) = (random.percent(30), random_millis(&mut random, 30));
        let (left, written, killed) = write_and_kill(server, round, last, |client| {
            if rewrites {
                client.ask("BGREWRITEAOF");
            }
        });
        let server = Server::start_in(Binary::UnderTest, &settings, left);
        check(&server, &written, killed, &format!("round {round}"));
        check_tidiness(&server);
        dir = server.kill();
    }
}

/// Writes wait for a sync that goes on, so that a kill may take what came in the last second or two; disks that tests run on
/// are not so slow.
#[test]
fn everysec_loses_no_more_than_seconds_to_a_kill() {
    let settings = [DEBUGGING, ("appendonly", "yes"), ("auto-aof-rewrite-min-size", "200kb")];
    let (mut random, mut dir) = (Random::new(2), tempfile::tempdir().expect("a directory"));
    for round in 0..8 {
        let server = Server::start_in(Binary::UnderTest, &settings, dir);
        // From the second second on there are syncs to kill in.
        let last = Duration::from_millis(200) + random_millis(&mut random, 1500);
        let (left, written, killed) = write_and_kill(server, 1000 + round, last, |_| {});
        let server = Server::start_in(Binary::UnderTest, &settings, left);
        let second_before = killed.checked_sub(Duration::from_secs(1)).unwrap_or(killed);
        check(&server, &written, second_before, &format!("round {round}"));
        check_tidiness(&server);
        dir = server.kill();
    }
}

/// SAVE and BGSAVE, at times while clients write: the snapshot is the last one or the new one, to the digest.
#[test]
fn a_kill_amid_a_save_leaves_this_snapshot_or_the_last() {
    let settings = [DEBUGGING, ("rdb-key-save-delay", "50")];
    let server = Server::start_with(Binary::UnderTest, &settings);
    fill(&mut server.connect());
    let began = Instant::now();
    assert_eq!(server.connect().ask("SAVE"), "+OK\r\n");
    // Long enough for some saves to be done, and short enough for most not to be.
    let longest = began.elapsed().as_millis() as usize * 5 / 4;
    let (mut last, mut dir) = (digest(&server), server.kill());
    let (mut random, mut kept, mut replaced) = (Random::new(3), 0, 0);
    for round in 0..60u64 {
        let server = Server::start_in(Binary::UnderTest, &settings, dir);
        check_tidiness(&server);
        assert_eq!(digest(&server), last, "round {round}");
        let mut client = server.connect();
        client.ask(&format!("SET round {round}"));
        client.ask("RPUSH rounds x");
        let next = digest(&server);
        let moment = random_millis(&mut random, longest);
        dir = match random.below(3) {
            0 => {
                client.send(b"SAVE\r\n").expect("it is there");
                std::thread::sleep(moment);
                kill(server)
            }
            1 => {
                client.send(b"BGSAVE\r\n").expect("it is there");
                std::thread::sleep(moment);
                kill(server)
            }
            _ => {
                // What is written behind the fork is not in the snapshot.
                assert_eq!(client.ask("BGSAVE"), "+Background saving started\r\n");
                write_and_kill(server, 2000 + round, moment, |_| {}).0
            }
        };
        let server = Server::start_in(Binary::UnderTest, &settings, dir);
        let found = digest(&server);
        assert!(found == last || found == next, "round {round}: {}", server.log());
        kept += u64::from(found == last);
        replaced += u64::from(found == next);
        last = found;
        dir = server.kill();
    }
    assert!(kept > 0 && replaced > 0, "{kept} kept, {replaced} replaced");
}

/// The old base stays, or the new one is there, and behind either all that was written: with `appendfsync no` nothing
/// waits for a sync, so a kill loses nothing.
#[test]
fn a_kill_amid_a_rewrite_leaves_a_whole_log() {
    for preamble in ["yes", "no"] {
        let settings = [
            DEBUGGING,
            ("appendonly", "yes"),
            ("appendfsync", "no"),
            ("aof-use-rdb-preamble", preamble),
            ("rdb-key-save-delay", "50"),
        ];
        let server = Server::start_with(Binary::UnderTest, &settings);
        fill(&mut server.connect());
        let (mut random, mut dir) = (Random::new(4), server.kill());
        for round in 0..25 {
            let server = Server::start_in(Binary::UnderTest, &settings, dir);
            let last = random_millis(&mut random, 50);
            let (left, written, killed) = write_and_kill(server, 3000 + round, last, |client| {
                client.ask("BGREWRITEAOF");
            });
            let server = Server::start_in(Binary::UnderTest, &settings, left);
            check(&server, &written, killed, &format!("round {round}"));
            check_tidiness(&server);
            dir = server.kill();
        }
    }
}
