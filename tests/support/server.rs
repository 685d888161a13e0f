//! Server processes: ours and the real ones, each on a port and in a directory of its own.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;
use super::{PATIENCE, must_have_peers, os};

/// Which server to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// The one this repository builds, or the one `AEOLUS_BIN` names.
    UnderTest,
    /// Debian's redis-server 7.0.15.
    Redis,
    /// Debian's valkey-server 8.0.1, which keeps to Redis 7.2.
    Valkey,
    /// The one that `AEOLUS_RECORDED` names, whose answers are to be recorded.
    Recorded,
}

impl Binary {
    pub fn path(self) -> PathBuf {
        match self {
            Binary::UnderTest => std::env::var_os("AEOLUS_BIN")
                .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_aeolus")), PathBuf::from),
            Binary::Redis => PathBuf::from("/usr/bin/redis-server"),
            Binary::Valkey => PathBuf::from("/usr/bin/valkey-server"),
            Binary::Recorded => std::env::var_os("AEOLUS_RECORDED").map_or_else(PathBuf::new, PathBuf::from),
        }
    }

    /// Whether it is there to be started. A missing peer is a failure with `CI=true` and a printed skip otherwise.
    pub fn available(self) -> bool {
        let path = self.path();
        if path.exists() {
            return true;
        }
        assert!(
            !must_have_peers() && self != Binary::UnderTest,
            "{} is missing",
            path.display()
        );
        eprintln!("skipped: {} is missing", path.display());
        false
    }

    /// Runs it with `args` until it exits by itself, which it must do within [`PATIENCE`].
    pub fn run_to_exit(self, dir: &Path, args: &[&str]) -> io::Result<Output> {
        let mut child = Command::new(self.path())
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if wait_for_exit(&mut child, PATIENCE)?.is_none() {
            child.kill()?;
            return Err(io::Error::other(format!("{args:?} should have made the server exit")));
        }
        child.wait_with_output()
    }
}

/// A running server; dropping it ends the process and removes its directory.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    /// There until [`Server::kill`] takes it.
    dir: Option<TempDir>,
}

impl Server {
    /// Starts `binary` with only the settings a test needs: loopback, a free port, nothing saved.
    pub fn start(binary: Binary) -> Server {
        Server::start_with(binary, &[])
    }

    /// Starts `binary` with further settings, as lines of its configuration file. Panics with its log if it does not
    /// answer.
    pub fn start_with(binary: Binary, settings: &[(&str, &str)]) -> Server {
        const ATTEMPTS: usize = 5;
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            match Server::try_start(binary, settings) {
                Ok(server) => return server,
                Err(reason) => log = reason,
            }
            // The port was free when asked and taken when used: another one will do. Anything else is final.
            if !log.contains("in use") {
                break;
            }
        }
        panic!("{} did not start:\n{log}", binary.path().display());
    }

    fn try_start(binary: Binary, settings: &[(&str, &str)]) -> Result<Server, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        Server::try_start_in(binary, settings, dir)
    }

    /// Starts `binary` in a directory that may have files already.
    pub fn start_in(binary: Binary, settings: &[(&str, &str)], dir: TempDir) -> Server {
        let mut server = Server::start_loading(binary, settings, dir);
        if let Err(reason) = server.wait_until_it_answers(|reply| reply.starts_with(b"+PONG")) {
            panic!("{} did not load:\n{reason}", binary.path().display());
        }
        server
    }

    /// The same without waiting for its data to be loaded.
    pub fn start_loading(binary: Binary, settings: &[(&str, &str)], dir: TempDir) -> Server {
        match Server::try_start_in(binary, settings, dir) {
            Ok(server) => server,
            Err(reason) => panic!("{} did not start:\n{reason}", binary.path().display()),
        }
    }

    fn try_start_in(binary: Binary, settings: &[(&str, &str)], dir: TempDir) -> Result<Server, String> {
        let port = free_port().map_err(|error| error.to_string())?;
        Server::try_start_at(port, binary, settings, dir)
    }

    /// Starts `binary` where a server that was killed has listened.
    pub fn start_again(port: u16, binary: Binary, settings: &[(&str, &str)], dir: TempDir) -> Server {
        match Server::try_start_at(port, binary, settings, dir) {
            Ok(server) => server,
            Err(reason) => panic!("{} did not start again:\n{reason}", binary.path().display()),
        }
    }

    fn try_start_at(port: u16, binary: Binary, settings: &[(&str, &str)], dir: TempDir) -> Result<Server, String> {
        let config = dir.path().join("server.conf");
        fs::write(&config, configuration(port, dir.path(), settings)).map_err(|error| error.to_string())?;
        let log = fs::File::create(dir.path().join("server.log")).map_err(|error| error.to_string())?;
        let log_too = log.try_clone().map_err(|error| error.to_string())?;
        let child = Command::new(binary.path())
            .arg(&config)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(|error| error.to_string())?;
        let dir = Some(dir);
        let mut server = Server { child, port, dir };
        let is_up = |reply: &[u8]| {
            [&b"+PONG"[..], b"-NOAUTH", b"-LOADING"]
                .iter()
                .any(|start| reply.starts_with(start))
        };
        server.wait_until_it_answers(is_up)?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self, is_up: impl Fn(&[u8]) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{status}\n{}", self.log()));
            }
            let answer = Client::connect(self.port).and_then(|mut client| client.call(&["PING"]));
            match answer {
                Ok(reply) if is_up(&reply) => return Ok(()),
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        Err(format!("no answer to PING\n{}", self.log()))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn dir(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new("/nonexistent"), TempDir::path)
    }

    /// Ends the process with SIGKILL and gives its directory, as the machine would find it after a crash of the process.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it was started here");
        self.dir.take().expect("taken once")
    }

    /// What it has written to standard output and standard error.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.dir().join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A new connection; panics with the log if the server is gone.
    pub fn connect(&self) -> Client {
        Client::connect(self.port).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Whether the process has not exited.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn signal(&self, signal: os::Signal) -> io::Result<()> {
        os::send_signal(self.pid(), signal)
    }

    /// Waits for the process to exit by itself; `None` if it is still there after `timeout`.
    pub fn wait_for_exit(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        wait_for_exit(&mut self.child, timeout)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() && self.dir.is_some() {
            // What a test that fails once in a hundred times leaves to be understood by.
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(40)..];
            eprintln!("the end of the log of port {}:\n{}", self.port, end.join("\n"));
        }
        // The child may have exited already: there is nothing to end then, and wait() still reaps it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for_exit(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn configuration(port: u16, dir: &Path, settings: &[(&str, &str)]) -> String {
    let mut text = format!(
        "port {port}\nbind 127.0.0.1\ndir \"{}\"\nsave \"\"\nappendonly no\n",
        dir.display()
    );
    for (name, value) in settings {
        // Some settings take several words, which quotes would make one; only an empty value needs them.
        let value = if value.is_empty() { "\"\"" } else { value };
        text.push_str(&format!("{name} {value}\n"));
    }
    text
}

/// A port nobody listens on, below those that the kernel gives to outgoing connections: one of those would be taken by a
/// passing client between now and the server's start, or while a server that was killed is to come back. Each call gives
/// another, since programs started together must not get the same. Another process may take it before it is used: see
/// [`Server::start_with`].
pub fn free_port() -> io::Result<u16> {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test programs that run at the same time begin far from each other.
    let begin = std::process::id().wrapping_mul(7919);
    for _ in 0..COUNT {
        let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + next % COUNT) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("every port is taken"))
}
