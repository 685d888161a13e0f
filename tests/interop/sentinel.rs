//! Three sentinels watch a primary and two replicas. The primary is killed: a client that asks Sentinel where the primary
//! is goes on writing, and the old primary comes back as a replica.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::support::client::Client;
use super::support::replicas::{follow, must_agree, wait_until_up};
use super::support::server::{Binary, Server, free_port};
use super::support::wait_until;
use super::{AT_ONCE, DEBUGGING, Program, configuration, find, start};

const OURS: Binary = Binary::UnderTest;

struct Sentinel {
    port: u16,
    program: Program,
}

impl Sentinel {
    fn start(path: &Path, primary: u16) -> Sentinel {
        let port = free_port().expect("a port");
        let dir = tempfile::tempdir().expect("a directory");
        let text = configuration(
            "sentinel.conf",
            &[
                ("bind 10.0.0.11", "bind 127.0.0.1"),
                ("port 26379", &format!("port {port}")),
                ("/var/lib/redis", &dir.path().display().to_string()),
                ("10.0.0.1 6379", &format!("127.0.0.1 {primary}")),
                // Silence that counts as gone stays at 5 s: a busy machine may well stop a server for one.
                ("mymaster 60000", "mymaster 8000"),
            ],
        );
        fs::write(dir.path().join("sentinel.conf"), text).expect("it is writable");
        let program = Program::start(path, &["sentinel.conf"], dir);
        Sentinel { port, program }
    }

    fn connect(&self) -> Client {
        let mut client = None;
        wait_until("a sentinel listens", || {
            client = Client::connect(self.port).ok();
            client.is_some()
        });
        client.expect("just connected")
    }

    /// Whether it knows both others, and both replicas well enough to choose between them.
    fn knows_all(&self, promoted: u16) -> bool {
        let mut client = self.connect();
        let primary = client.ask("SENTINEL MASTER mymaster");
        let replicas = client.ask("SENTINEL REPLICAS mymaster");
        let replicas: Vec<Vec<&str>> = replicas.split("$4\r\nname\r\n").skip(1).map(words).collect();
        let is_known = |replica: &Vec<&str>| {
            let priority = match field(replica, "port") == Some(&promoted.to_string()) {
                true => "10",
                false => "100",
            };
            field(replica, "slave-priority") == Some(priority)
                && field(replica, "master-link-status") == Some("ok")
                && field(replica, "flags") == Some("slave")
        };
        field(&words(&primary), "num-other-sentinels") == Some("2")
            && replicas.len() == 2
            && replicas.iter().all(is_known)
    }

    /// Where it says that the primary is.
    fn primary(&self) -> Option<u16> {
        let mut client = Client::connect(self.port).ok()?;
        let reply = client.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]).ok()?;
        words(&String::from_utf8_lossy(&reply)).last()?.parse().ok()
    }
}

/// The texts of a reply that consists of bulk strings.
fn words(reply: &str) -> Vec<&str> {
    reply.lines().filter(|line| !line.starts_with(['*', '$'])).collect()
}

/// What follows a name.
fn field<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

/// Writes wherever Sentinel says that the primary is, until it is told to stop; counts what was acknowledged.
fn write(sentinel: &Sentinel, stop: &AtomicBool, written: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5));
        let Some(mut client) = sentinel.primary().and_then(|port| Client::connect(port).ok()) else {
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let count = written.load(Ordering::Relaxed).to_string();
            match client.call(&["SET", &format!("key:{count}"), &count]) {
                Ok(reply) if reply == b"+OK\r\n" => written.fetch_add(1, Ordering::Relaxed),
                // A replica by now, or gone: Sentinel will know.
                _ => break,
            };
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What a server says of replication; nothing when Sentinel, which cuts off the clients of whom it gives another role,
/// does so just now.
fn replication(server: &Server) -> Option<String> {
    let mut client = Client::connect(server.port()).ok()?;
    let reply = client.call(&["INFO", "replication"]).ok()?;
    Some(String::from_utf8_lossy(&reply).into_owned())
}

/// The first of `mix` is killed, and the one at `promoted` takes its place.
fn case(mix: [Binary; 3], promoted: usize) {
    let Some(path) = find("redis-sentinel").filter(|_| mix.iter().all(|binary| binary.available())) else {
        return;
    };
    let priority = |at| if at == promoted { "10" } else { "100" };
    let [old, one, other] = [0, 1, 2].map(|at| start(mix[at], &[("replica-priority", priority(at))]));
    for replica in [&one, &other] {
        follow(replica, &old);
        wait_until_up(replica);
    }
    let sentinels = [(); 3].map(|()| Sentinel::start(&path, old.port()));
    let (new, other) = if promoted == 1 { (one, other) } else { (other, one) };
    for sentinel in &sentinels {
        wait_until("the sentinels know all", || sentinel.knows_all(new.port()));
    }
    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let more = |what| {
        let before = written.load(Ordering::Relaxed);
        wait_until(what, || written.load(Ordering::Relaxed) > before + 50);
    };
    let is_replica = |server: &Server| {
        let text = replication(server).unwrap_or_default();
        let primary = format!("master_port:{}\r\n", new.port());
        text.contains(&primary) && text.contains("master_link_status:up\r\n")
    };
    let old = thread::scope(|scope| {
        scope.spawn(|| write(&sentinels[2], &stop, &written));
        // Whatever fails here, the writer must not go on for ever.
        let _stop = StopAtEnd(&stop);
        more("the client writes");
        let port = old.port();
        let dir = old.kill();
        wait_until("a replica is promoted", || sentinels[2].primary() == Some(new.port()));
        more("the client goes on writing");
        wait_until("the other replica follows", || is_replica(&other));
        let old = Server::start_again(port, mix[0], &[DEBUGGING, AT_ONCE], dir);
        wait_until("the old primary is a replica", || is_replica(&old));
        more("the client writes on");
        old
    });
    let log = sentinels[0].program.log();
    must_agree(&new, &other);
    must_agree(&new, &old);
    let last = written.load(Ordering::Relaxed) - 1;
    let value = format!("${}\r\n{last}\r\n", last.to_string().len());
    assert_eq!(old.connect().ask(&format!("GET key:{last}")), value, "{log}");
    // Sentinel has it written down, so that a restart changes nothing.
    let settings = fs::read_to_string(other.dir().join("server.conf")).expect("it was started with it");
    assert!(
        settings.contains(&format!("replicaof 127.0.0.1 {}", new.port())),
        "{settings}"
    );
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Two at a time, since each case mostly waits; all at once are more processes than two cores have time for.
#[test]
fn sentinel_fails_over() {
    let cases = [
        ([OURS, OURS, OURS], 1),
        ([Binary::Redis, OURS, OURS], 2),
        ([OURS, OURS, Binary::Redis], 2),
        ([Binary::Redis, Binary::Redis, OURS], 2),
    ];
    for pair in cases.chunks(2) {
        thread::scope(|scope| {
            let start = |&(mix, promoted)| (mix, scope.spawn(move || case(mix, promoted)));
            let running: Vec<_> = pair.iter().map(start).collect();
            for (mix, case) in running {
                assert!(case.join().is_ok(), "{mix:?}");
            }
        });
    }
}
