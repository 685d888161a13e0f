//! Servers of ours among other programs: failover by Redis Sentinel, sharding and routing by proxies, and whatever else
//! may be at the other end of a replication link. The programs run with the configuration files of docs/scaling.

mod bad_primary;
mod bad_replica;
mod migrate;
mod proxies;
mod sentinel;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use support::must_have_peers;
use support::server::{Binary, Server};

const DEBUGGING: (&str, &str) = ("enable-debug-command", "yes");
/// Otherwise a primary waits five seconds for further replicas before it begins a snapshot.
const AT_ONCE: (&str, &str) = ("repl-diskless-sync-delay", "0");

fn start(binary: Binary, settings: &[(&str, &str)]) -> Server {
    let all: Vec<_> = [DEBUGGING, AT_ONCE].iter().chain(settings).copied().collect();
    Server::start_with(binary, &all)
}

/// Where a program is. A missing one is a failure with `CI=true` and a printed skip otherwise.
fn find(name: &str) -> Option<PathBuf> {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let path = places.iter().map(|place| Path::new(place).join(name));
    let found = path.into_iter().find(|path| path.exists());
    assert!(found.is_some() || !must_have_peers(), "{name} is missing");
    if found.is_none() {
        eprintln!("skipped: {name} is missing");
    }
    found
}

/// A configuration file of the documentation with words of the test in the place of the example's.
fn configuration(name: &str, changes: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scaling").join(name);
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from:?}");
        text = text.replace(from, to);
    }
    text
}

/// A program other than a server, ended when dropped.
struct Program {
    child: Child,
    dir: TempDir,
}

impl Program {
    /// Starts it in `dir`, with what it says in a file there.
    fn start(path: &Path, args: &[&str], dir: TempDir) -> Program {
        let log = fs::File::create(dir.path().join("output")).expect("the directory is writable");
        let log_too = log.try_clone().expect("a second descriptor");
        let child = Command::new(path)
            .args(args)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Program { child, dir }
    }

    fn log(&self) -> String {
        let bytes = fs::read(self.dir.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
