//! Bad days: garbage, crowds, readers that never read, broken settings, signals.
//!
//! One rule stands behind all of these: trouble costs its maker, and nobody else. So most tests have a second client
//! that goes on working while the first one misbehaves, and look at what the server costs meanwhile.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::client::{Client, closed, encode};
use support::os::Signal;
use support::random::Random;
use support::reply::show;
use support::server::{Binary, Server, free_port};
use support::{PATIENCE, os, wait_until};

#[test]
fn garbage_on_fifty_connections_harms_nobody_else() {
    const CONNECTIONS: u64 = 50;
    let mut server = Server::start(Binary::UnderTest);
    let port = server.port();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // However this ends: a failed assertion must not leave the scope waiting for threads that never stop.
        let _stop = SetWhenDropped(&done);
        for seed in 0..CONNECTIONS {
            let done = &done;
            scope.spawn(move || {
                let mut random = Random::new(seed);
                while !done.load(Ordering::Relaxed) {
                    throw_garbage(port, &mut random);
                }
            });
        }
        let mut client = server.connect();
        for number in 0..2000 {
            let value = format!("value-{number}");
            assert_eq!(client.ask(&format!("SET worker {value}")), "+OK\r\n");
            assert_eq!(client.ask("GET worker"), format!("${}\r\n{value}\r\n", value.len()));
        }
    });
    assert!(server.is_running(), "{}", server.log());
    let mut client = server.connect();
    wait_until("the garbage connections are gone", || {
        client.ask("INFO clients").contains("connected_clients:1\r\n")
    });
}

/// Sets a flag when it goes out of scope, by a panic too.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One connection's worth: noise, or requests with a few bytes changed, until the server has had enough.
fn throw_garbage(port: u16, random: &mut Random) {
    let Ok(mut client) = Client::connect(port) else { return };
    for _ in 0..20 {
        let len = 1 + random.below(5000);
        let garbage = if random.percent(50) {
            random.bytes(len)
        } else {
            bruised_requests(random)
        };
        // The server closes garbage connections: that is the point, and ends this one.
        if client.send(&garbage).is_err() {
            return;
        }
    }
}

/// What a client did not live to receive is nobody else's to read.
#[test]
fn replies_that_could_not_be_sent_reach_nobody_else() {
    let server = Server::start(Binary::UnderTest);
    let mut bystander = server.connect();
    for _ in 0..200 {
        let mut dying = server.connect();
        dying
            .send(&encode(&["ECHO", "for its eyes only"]))
            .expect("the connection is open");
        dying.reset().expect("the socket takes the option");
        assert_eq!(bystander.ask("PING"), "+PONG\r\n");
    }
}

fn bruised_requests(random: &mut Random) -> Vec<u8> {
    let mut bytes = encode(&["ECHO", "some text to damage"]).repeat(10);
    for _ in 0..5 {
        let at = random.below(bytes.len());
        bytes[at] = random.next() as u8;
    }
    bytes
}

#[test]
fn connections_above_maxclients_are_told_and_closed() {
    const LIMIT: usize = 300;
    const ATTEMPTS: usize = 20_000;
    os::raise_open_file_limit(4096).expect("the limit can be read");
    let server = Server::start_with(Binary::UnderTest, &[("maxclients", &LIMIT.to_string())]);
    let mut first = server.connect();
    assert_eq!(first.ask("PING"), "+PONG\r\n");
    // Start-up's own PING connection may still be closing, so the room is filled until it is full.
    let mut admitted = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut client = server.connect();
        match admission(&mut client) {
            Admission::Admitted => admitted.push(client),
            Admission::Refused => {}
        }
    }
    assert_eq!(admitted.len() + 1, LIMIT);
    assert_eq!(first.ask("PING"), "+PONG\r\n");
    assert!(first.ask("INFO stats").contains("rejected_connections:"));
    drop(admitted);
    wait_until("there is room again", || {
        admission(&mut server.connect()) == Admission::Admitted
    });
}

#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Admitted,
    Refused,
}

fn admission(client: &mut Client) -> Admission {
    match client.call(&["PING"]) {
        Ok(reply) if reply == b"+PONG\r\n" => Admission::Admitted,
        Ok(reply) => {
            assert_eq!(show(&reply), "-ERR max number of clients reached\\r\\n");
            Admission::Refused
        }
        // The refusal can be lost: a close with our PING unread resets the connection.
        Err(error) if closed(&error) => Admission::Refused,
        Err(error) => panic!("neither admitted nor refused: {error}"),
    }
}

/// Clients that fill the server with half-sent requests are closed, the largest first, and the others are left alone.
#[test]
fn clients_that_hold_too_much_together_are_evicted() {
    let server = Server::start_with(Binary::UnderTest, &[("maxmemory-clients", "3mb")]);
    let mut worker = server.connect();
    let half_sent = |bytes: usize| {
        let client = server.connect();
        let mut writer = client.writer().expect("a second handle");
        let head = format!("*2\r\n$4\r\nECHO\r\n${bytes}\r\n");
        // The server may have closed before all is written.
        let _ = writer.write_all(&[head.as_bytes(), &vec![b'x'; bytes / 2]].concat());
        client
    };
    let mut small = half_sent(500_000);
    let mut medium = half_sent(1_000_000);
    assert!(worker.ask("INFO stats").contains("evicted_clients:0\r\n"));
    let mut large = half_sent(2_000_000);
    wait_until("the largest client is evicted", || {
        worker.ask("INFO stats").contains("evicted_clients:1\r\n")
    });
    assert!(
        large
            .read_to_end()
            .map_or_else(|error| closed(&error), |rest| rest.is_empty())
    );
    for (client, bytes) in [(&mut small, 500_000), (&mut medium, 1_000_000)] {
        client.send(&vec![b'x'; bytes / 2]).expect("the rest is taken");
        client.send(b"\r\n").expect("the end is taken");
        let reply = client.read_reply().expect("its reply");
        assert_eq!(reply.len(), format!("${bytes}\r\n\r\n").len() + bytes);
    }
}

/// A gigabyte of replies asked for and never read: the client is closed at its limit, and the memory stays bounded.
#[test]
fn a_client_that_never_reads_is_closed_at_its_output_limit() {
    const VALUE: usize = 100_000;
    const REQUESTS: usize = 10_000;
    let settings = [("client-output-buffer-limit", "normal 8mb 0 0")];
    let server = Server::start_with(Binary::UnderTest, &settings);
    let mut worker = server.connect();
    let value = "v".repeat(VALUE);
    assert_eq!(worker.ask(&format!("SET big {value}")), "+OK\r\n");
    let mut glutton = server.connect();
    assert_eq!(glutton.ask("PING"), "+PONG\r\n");
    let mut writer = glutton.writer().expect("a second handle");
    let requests = encode(&["GET", "big"]).repeat(REQUESTS);
    // Closed while still sending, as likely as not.
    let sender = thread::spawn(move || writer.write_all(&requests).is_ok());
    let mut slowest = Duration::ZERO;
    wait_until("the client that never reads is closed", || {
        let start = Instant::now();
        assert_eq!(worker.ask("PING"), "+PONG\r\n");
        slowest = slowest.max(start.elapsed());
        worker.ask("INFO clients").contains("connected_clients:1\r\n")
    });
    assert!(slowest < Duration::from_secs(2), "another client waited {slowest:?}");
    sender.join().expect("the sender does not panic");
    let received = glutton.read_to_end().expect("the connection was closed").len();
    assert!(received < VALUE * REQUESTS / 2, "{received} bytes arrived");
    if let Some(peak) = peak_memory(server.pid()) {
        assert!(peak < 256 << 20, "the server grew to {peak} bytes");
    }
}

/// The most memory a process ever had resident, in bytes, where /proc tells.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes << 10)
}

#[test]
fn a_slow_sender_of_a_big_value_delays_nobody() {
    const SIZE: usize = 32 << 20;
    let server = Server::start(Binary::UnderTest);
    let mut writer = server.connect().writer().expect("a second handle");
    let (done, slowest) = (AtomicBool::new(false), Duration::ZERO);
    let slowest = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let request = encode(&["SET".as_bytes(), b"big", &vec![b'x'; SIZE]]);
            request
                .chunks(100_000)
                .for_each(|chunk| writer.write_all(chunk).expect("the connection is open"));
            let mut reply = [0; 5];
            writer.read_exact(&mut reply).expect("the value is taken");
            done.store(true, Ordering::Relaxed);
            reply
        });
        let mut worker = server.connect();
        let mut slowest = slowest;
        while !done.load(Ordering::Relaxed) && !sender.is_finished() {
            let start = Instant::now();
            assert_eq!(worker.ask("PING"), "+PONG\r\n");
            slowest = slowest.max(start.elapsed());
        }
        assert_eq!(&sender.join().expect("the sender does not panic"), b"+OK\r\n");
        slowest
    });
    assert!(slowest < Duration::from_secs(2), "another client waited {slowest:?}");
    assert_eq!(server.connect().ask("STRLEN big"), format!(":{SIZE}\r\n"));
}

/// A configuration file that must keep the server from starting, and words it must find for it.
struct BadConfig {
    lines: &'static str,
    says: &'static [&'static str],
}

const BAD_CONFIGS: &[BadConfig] = &[
    BadConfig {
        lines: "nosuchsetting 1",
        says: &[
            "FATAL CONFIG FILE ERROR",
            "at line 2",
            ">>> 'nosuchsetting 1'",
            "Bad directive or wrong number of arguments",
        ],
    },
    BadConfig {
        lines: "maxclients many",
        says: &[
            "at line 2",
            ">>> 'maxclients many'",
            "argument couldn't be parsed into an integer",
        ],
    },
    BadConfig {
        lines: "appendonly perhaps",
        says: &[">>> 'appendonly perhaps'", "argument must be 'yes' or 'no'"],
    },
    BadConfig {
        lines: "# fine\n\nmaxclients 0",
        says: &[
            "at line 4",
            ">>> 'maxclients 0'",
            "argument must be between 1 and 4294967295 inclusive",
        ],
    },
    BadConfig {
        lines: "dir /nonexistent/directory",
        says: &[">>> 'dir /nonexistent/directory'", "No such file or directory"],
    },
    BadConfig {
        lines: "dir /dev/null",
        says: &[">>> 'dir /dev/null'", "Not a directory"],
    },
    BadConfig {
        lines: "maxmemory-policy lifo",
        says: &[
            ">>> 'maxmemory-policy lifo'",
            "argument(s) must be one of the following: volatile-lru,",
        ],
    },
    BadConfig {
        lines: "maxmemory 1lightyear",
        says: &[">>> 'maxmemory 1lightyear'", "argument must be a memory value"],
    },
    BadConfig {
        lines: "save \"1",
        says: &["at line 2", "Unbalanced quotes in configuration line"],
    },
];

#[test]
fn bad_configuration_files_are_refused_in_the_real_servers_words() {
    for binary in [Binary::UnderTest, Binary::Redis, Binary::Valkey] {
        if !binary.available() {
            continue;
        }
        for bad in BAD_CONFIGS {
            let dir = tempfile::tempdir().expect("a directory");
            let file = dir.path().join("bad.conf");
            fs::write(&file, format!("bind 127.0.0.1\n{}\n", bad.lines)).expect("the file can be written");
            // Should it start all the same, it must not take the default port from anyone.
            let port = free_port().expect("a free port").to_string();
            let path = file.to_string_lossy();
            assert_refusal(binary, dir.path(), &[&path, "--port", &port], bad.says);
        }
    }
}

#[test]
fn bad_command_lines_are_refused_in_the_real_servers_words() {
    for binary in [Binary::UnderTest, Binary::Redis, Binary::Valkey] {
        if !binary.available() {
            continue;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("missing.conf").to_string_lossy().into_owned();
        let says = format!("can't open config file '{missing}': No such file or directory");
        assert_refusal(binary, dir.path(), &[&missing], &["Fatal error", &says]);
        let says = [
            ">>> 'nosuchsetting \"1\"'",
            "Bad directive or wrong number of arguments",
        ];
        assert_refusal(binary, dir.path(), &["--nosuchsetting", "1"], &says);
        assert_refusal(
            binary,
            dir.path(),
            &["--port", "99999"],
            &[">>> 'port \"99999\"'", "argument must be between 0 and 65535 inclusive"],
        );
    }
}

#[test]
fn a_new_port_is_open_when_the_answer_arrives() {
    let server = Server::start(Binary::UnderTest);
    let mut client = server.connect();
    for _ in 0..100 {
        let port = free_port().expect("a free port");
        let answer = client.ask(&format!("CONFIG SET port {port}"));
        if answer != "+OK\r\n" && Client::connect(port).is_ok() {
            continue; // another test has taken it meanwhile
        }
        assert_eq!(answer, "+OK\r\n");
        assert!(Client::connect(port).is_ok(), "nobody listens on port {port}");
    }
}

#[test]
fn a_taken_port_cannot_be_set() {
    for binary in [Binary::UnderTest, Binary::Redis, Binary::Valkey] {
        if !binary.available() {
            continue;
        }
        let server = Server::start(binary);
        let mut client = server.connect();
        let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = taken.local_addr().expect("its address").port();
        let refusal = "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check \
                       server logs.\r\n";
        let ask = format!("CONFIG SET maxmemory 1gb port {port}");
        assert_eq!(client.ask(&ask), refusal, "{binary:?}");
        let kept = format!("*2\r\n$4\r\nport\r\n$5\r\n{}\r\n", server.port());
        assert_eq!(client.ask("CONFIG GET port"), kept, "{binary:?}");
        assert!(
            client.ask("CONFIG GET maxmemory").ends_with("$1\r\n0\r\n"),
            "{binary:?}"
        );
        assert!(Client::connect(server.port()).is_ok(), "{binary:?} left its port");
    }
}

#[test]
fn a_taken_port_is_refused_in_the_real_servers_words() {
    for binary in [Binary::UnderTest, Binary::Redis, Binary::Valkey] {
        if !binary.available() {
            continue;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = taken.local_addr().expect("its address").port().to_string();
        // The system's words for it differ.
        let listening = format!("Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address");
        let aborting = format!("Failed listening on port {port}");
        let args = ["--bind", "127.0.0.1", "--port", &port, "--pidfile", "server.pid"];
        assert_refusal(binary, dir.path(), &args, &[&listening, &aborting]);
        // Another server's number may stand there. Valkey writes its own nevertheless.
        let is_written = dir.path().join("server.pid").exists();
        assert!(!is_written || binary == Binary::Valkey, "{binary:?}");
    }
}

/// Exit code 1, and each of `says` somewhere in what was printed.
fn assert_refusal(binary: Binary, dir: &Path, args: &[&str], says: &[&str]) {
    let output = binary
        .run_to_exit(dir, args)
        .unwrap_or_else(|error| panic!("{binary:?}: {error}"));
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert_eq!(output.status.code(), Some(1), "{binary:?} {args:?}: {printed}");
    for words in says {
        assert!(
            printed.contains(words),
            "{binary:?} {args:?} should say {words:?}, not:\n{printed}"
        );
    }
}

#[test]
fn terminate_and_interrupt_end_the_server_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(Binary::UnderTest);
        let mut client = server.connect();
        assert_eq!(client.ask("SET key value"), "+OK\r\n");
        server.signal(signal).expect("the server runs");
        let status = server.wait_for_exit(PATIENCE).expect("a child of ours");
        assert_eq!(
            status.and_then(|status| status.code()),
            Some(0),
            "{signal:?}: {}",
            server.log()
        );
        assert!(client.read_to_end().expect("the connection was closed").is_empty());
        let refused = TcpStream::connect(("127.0.0.1", server.port()));
        assert!(refused.is_err(), "somebody still listens");
    }
}

/// The second interrupt is the impatient user's: no more waiting, whatever the first one started.
#[test]
fn a_second_interrupt_ends_the_server_at_once() {
    let mut server = Server::start(Binary::UnderTest);
    let start = Instant::now();
    server.signal(Signal::INT).expect("the server runs");
    // The first may have been enough already: a signal to a process that has exited changes nothing.
    let _ = server.signal(Signal::INT);
    let status = server.wait_for_exit(PATIENCE).expect("a child of ours");
    let code = status.and_then(|status| status.code());
    assert!(matches!(code, Some(0 | 1)), "{status:?}: {}", server.log());
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        start.elapsed()
    );
}

#[test]
fn signals_of_terminals_and_broken_pipes_are_ignored() {
    let mut server = Server::start(Binary::UnderTest);
    let mut client = server.connect();
    for signal in [Signal::HUP, Signal::PIPE] {
        server.signal(signal).expect("the server runs");
        assert_eq!(client.ask("PING"), "+PONG\r\n");
    }
    assert!(server.is_running());
}

/// What a signal left in the log, once it has ended the server.
fn report_of(server: &mut Server, signal: Signal) -> String {
    server.signal(signal).expect("the server runs");
    let status = server.wait_for_exit(PATIENCE).expect("a child of ours");
    let ended_by = status.and_then(|status| status.signal());
    assert_eq!(ended_by, Some(signal.as_raw()), "{status:?}: {}", server.log());
    server.log()
}

#[test]
fn signals_of_crashes_leave_a_report() {
    for signal in [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::FPE, Signal::ILL] {
        let mut server = Server::start(Binary::UnderTest);
        server.connect().ask("ECHO hello");
        let log = report_of(&mut server, signal);
        let crashed = format!("crashed by signal: {}, si_code: 0\n", signal.as_raw());
        let sender = format!("Killed by PID: {}, UID: ", std::process::id());
        for part in [
            "=== REDIS BUG REPORT START",
            &crashed,
            &sender,
            "The last command called: echo\n",
            "------ STACK TRACE ------\n",
            "=== REDIS BUG REPORT END",
        ] {
            assert!(log.contains(part), "{signal:?}: {part}: {log}");
        }
    }
}

#[test]
fn crash_reports_go_to_the_log_file_unless_they_are_switched_off() {
    let settings = [("logfile", "own.log"), ("enable-debug-command", "yes")];
    let log_of = |server: &Server| fs::read_to_string(server.dir().join("own.log")).expect("the log is there");
    for (line, says) in [
        ("DEBUG SEGFAULT", "crashed by signal: 11"),
        ("DEBUG PANIC", "crashed by a panic in src/commands/debug.rs:"),
    ] {
        let mut server = Server::start_with(Binary::UnderTest, &settings);
        let mut client = server.connect();
        client.send(format!("{line}\r\n").as_bytes()).expect("it reads");
        server.wait_for_exit(PATIENCE).expect("a child of ours");
        let log = log_of(&server);
        for part in [says, "The last command called: debug\n", "STACK TRACE"] {
            assert!(log.contains(part), "{line}: {part}: {log}");
        }
    }
    let mut server = Server::start_with(Binary::UnderTest, &settings);
    server.connect().ask("CONFIG SET crash-log-enabled no");
    report_of(&mut server, Signal::SEGV);
    assert!(!log_of(&server).contains("BUG REPORT"), "{}", log_of(&server));
}

#[test]
fn a_panic_is_told_as_an_assertion_and_may_exit() {
    let settings = [("enable-debug-command", "yes"), ("use-exit-on-panic", "yes")];
    let mut server = Server::start_with(Binary::UnderTest, &settings);
    server.connect().send(b"DEBUG PANIC\r\n").expect("it reads");
    let status = server.wait_for_exit(PATIENCE).expect("a child of ours");
    let log = server.log();
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{log}");
    assert_eq!(
        log.matches("=== ASSERTION FAILED ===\n==> src/commands/debug.rs:")
            .count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("ASSERTION FAILED").count(), 1, "{log}");
    assert!(!log.contains("crashed by signal"), "{log}");
}

/// The system says of each process whether it may have huge pages; Linux before 5.0 does not. Children take after their
/// parents.
#[test]
fn huge_pages_are_avoided_unless_they_are_wanted() {
    let allowed = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"))?;
        Some(line.trim() == "1")
    };
    let Some(by_default) = allowed(std::process::id()) else {
        return;
    };
    let wanted = Server::start_with(Binary::UnderTest, &[("disable-thp", "no")]);
    let avoided = Server::start(Binary::UnderTest);
    assert_eq!(allowed(wanted.pid()), Some(by_default));
    assert_eq!(allowed(avoided.pid()), Some(false));
}
