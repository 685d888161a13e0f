//! What the process asks of the system: signals, descriptors, files that others look for.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mio::{Interest, Registry, Token};

use super::listener::{ListenError, Listener, open_tcp, open_unix};
use crate::config::Settings;
use crate::log;
use crate::timer::Millis;
use crate::tls::{self, Tls};

/// Descriptors kept for files, listeners and the poll, beside one a client. As Redis reserves.
const RESERVED_DESCRIPTORS: u64 = 32;

/// SIGTERM, SIGINT and SIGCHLD as events of the poll; SIGPIPE, SIGHUP and SIGXFSZ are ignored.
pub struct Signals {
    source: signal_hook_mio::v1_0::Signals,
    /// Set by every SIGTERM and SIGINT, also in the midst of a save that the first of them asked for.
    insisted: Arc<AtomicBool>,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        let insisted = Arc::new(AtomicBool::new(false));
        for signal in [libc::SIGTERM, libc::SIGINT] {
            signal_hook::flag::register(signal, insisted.clone())?;
        }
        // A limit of file sizes is an error of the write that meets it, not the end of the server.
        signal_hook::flag::register(libc::SIGXFSZ, Arc::default())?;
        let signals = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGCHLD];
        let source = signal_hook_mio::v1_0::Signals::new(signals)?;
        Ok(Signals { source, insisted })
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.source, token, Interest::READABLE)
    }

    /// The signals that have come.
    pub fn pending(&mut self) -> Vec<i32> {
        self.source.pending().collect()
    }

    /// What becomes true when another signal asks for an end: saving takes long, and who asks twice will not wait.
    pub fn next(&self) -> Arc<AtomicBool> {
        self.insisted.store(false, Ordering::Relaxed);
        self.insisted.clone()
    }
}

/// Reads what TLS needs, if any setting asks for it.
///
/// # Errors
/// What is wrong, as a line for the log.
pub fn load_tls(settings: &Settings) -> Result<Option<Tls>, String> {
    tls::is_wanted(settings).then(|| Tls::load(settings)).transpose()
}

/// Opens every socket the settings name.
pub fn open_listeners(settings: &Settings, tls: Option<&Tls>) -> Result<Vec<Listener>, ListenError> {
    let backlog = settings.tcp_backlog;
    let bind = bound_addresses(settings);
    let mut listeners = Vec::new();
    if settings.port != 0 {
        let opened = open_tcp(&bind, settings.port, backlog, "tcp")?;
        listeners.extend(opened.into_iter().map(Listener::Tcp));
    }
    if let (1.., Some(tls)) = (settings.tls_port, tls) {
        let opened = open_tcp(&bind, settings.tls_port, backlog, "tls")?;
        listeners.extend(opened.into_iter().map(|listener| Listener::Tls(listener, tls.clone())));
    }
    if !settings.unixsocket.is_empty() {
        let path = settings.unixsocket.to_string();
        listeners.push(open_unix(Path::new(&path), settings.unixsocketperm, backlog)?);
    }
    Ok(listeners)
}

fn bound_addresses(settings: &Settings) -> Vec<String> {
    settings.bind.0.iter().map(|address| address.to_string()).collect()
}

/// Whether the addresses of `settings` can be listened on at `port`, or at any free port if that is 0. Sockets are
/// opened and closed again.
pub fn can_listen(settings: &Settings, port: u16) -> bool {
    open_tcp(&bound_addresses(settings), port, settings.tcp_backlog, "tcp").is_ok()
}

/// Raises the descriptor limit to what `maxclients` needs; gives the clients that fit.
pub fn fit_descriptor_limit(maxclients: u64) -> u64 {
    let wanted = maxclients + RESERVED_DESCRIPTORS;
    let Ok((soft, hard)) = rlimit::getrlimit(rlimit::Resource::NOFILE) else {
        return maxclients;
    };
    if soft >= wanted {
        return maxclients;
    }
    let raised = if rlimit::setrlimit(rlimit::Resource::NOFILE, wanted, hard.max(wanted)).is_ok() {
        wanted
    } else {
        let best = wanted.min(hard);
        if rlimit::setrlimit(rlimit::Resource::NOFILE, best, hard).is_ok() {
            best
        } else {
            soft
        }
    };
    if raised >= wanted {
        log::notice(&format!(
            "Increased maximum number of open files to {wanted} (it was originally set to {soft})."
        ));
        return maxclients;
    }
    let fits = raised.saturating_sub(RESERVED_DESCRIPTORS).max(1);
    log::warning(&format!(
        "You requested maxclients of {maxclients} requiring at least {wanted} max file descriptors."
    ));
    log::warning(&format!(
        "Current maximum open files is {raised}. maxclients has been reduced to {fits} to compensate for low ulimit."
    ));
    fits
}

/// Changes to the working directory.
pub fn enter_directory(settings: &Settings) -> Result<(), String> {
    let dir = settings.dir.as_path();
    std::env::set_current_dir(dir).map_err(|error| format!("Can't chdir to '{}': {error}", dir.display()))
}

/// Goes on in the background: in a child with a session of its own and no terminal.
///
/// # Errors
/// What `fork` or `setsid` say.
#[allow(unsafe_code)]
pub fn daemonize() -> io::Result<()> {
    // SAFETY: the process has one thread and nothing but the settings in hand, so the child may go on as it is; the
    // parent leaves without running destructors.
    unsafe {
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        if libc::setsid() == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for stream in 0..3 {
        use std::os::fd::AsRawFd;
        // SAFETY: both are open descriptors; the standard streams' owners only ever write to them by number.
        unsafe { libc::dup2(null.as_raw_fd(), stream) };
    }
    Ok(())
}

/// Where the process number goes: what the setting names, and a default for daemons, as in Redis.
pub fn pidfile(settings: &Settings) -> Option<String> {
    let named = settings.pidfile.to_string();
    match (named.is_empty(), settings.daemonize) {
        (false, _) => Some(named),
        (true, true) => Some("/var/run/redis.pid".to_owned()),
        (true, false) => None,
    }
}

/// Unix time in milliseconds.
pub fn unix_now() -> Millis {
    Millis(since_epoch().as_millis() as i64)
}

/// How long it is until a moment in Unix time; zero if it is past.
pub fn until(moment: Millis) -> Duration {
    Duration::from_millis(moment.0.max(0) as u64).saturating_sub(since_epoch())
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Writes the pid file. A failure is logged and otherwise ignored, as in Redis.
pub fn write_pidfile(path: &str) {
    if std::fs::write(path, format!("{}\n", std::process::id())).is_err() {
        log::warning(&format!("Failed to write PID file: {path}"));
    }
}

/// Takes over changed settings that concern the process as a whole.
pub fn apply_settings(settings: &Settings, names: &[&'static str]) {
    if names.contains(&"loglevel") {
        set_log_level(settings);
    }
    if names.contains(&"dir") {
        let dir = settings.dir.as_path();
        if let Err(error) = std::env::set_current_dir(dir) {
            log::warning(&format!("Can't chdir to '{}': {error}", dir.display()));
        }
    }
}

pub fn set_log_level(settings: &Settings) {
    use crate::config::choice::LogLevel;
    log::set_level(match settings.loglevel {
        LogLevel::Debug => log::Level::Debug,
        LogLevel::Verbose => log::Level::Verbose,
        LogLevel::Notice => log::Level::Notice,
        LogLevel::Warning => log::Level::Warning,
        LogLevel::Nothing => log::Level::Nothing,
    });
}
