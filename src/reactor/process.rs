//! What the process asks of the system: signals, descriptors, files that others look for.

use std::io;
use std::path::Path;

use mio::{Interest, Registry, Token};

use super::listener::{ListenError, Listener, open_tcp, open_unix};
use crate::config::Settings;
use crate::log;

/// Descriptors kept for files, listeners and the poll, beside one a client. As Redis reserves.
const RESERVED_DESCRIPTORS: u64 = 32;

/// SIGTERM and SIGINT as events of the poll; SIGPIPE and SIGHUP are ignored.
pub struct Signals {
    source: signal_hook_mio::v1_0::Signals,
    seen: u32,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        let source = signal_hook_mio::v1_0::Signals::new([libc::SIGTERM, libc::SIGINT, libc::SIGHUP])?;
        Ok(Signals { source, seen: 0 })
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.source, token, Interest::READABLE)
    }

    /// The signals that ask for an end, in the order they came.
    pub fn pending(&mut self) -> Vec<i32> {
        self.source.pending().filter(|signal| *signal != libc::SIGHUP).collect()
    }

    /// Counts a signal; true if one was taken before.
    pub fn seen_before(&mut self) -> bool {
        self.seen += 1;
        self.seen > 1
    }
}

/// Opens every socket the settings name.
pub fn open_listeners(settings: &Settings) -> Result<Vec<Listener>, ListenError> {
    let backlog = settings.tcp_backlog as i32;
    let mut listeners = Vec::new();
    if settings.port != 0 {
        let bind: Vec<String> = settings.bind.0.iter().map(|address| address.to_string()).collect();
        listeners.extend(open_tcp(&bind, settings.port as u16, backlog)?);
    }
    if !settings.unixsocket.is_empty() {
        let path = settings.unixsocket.to_string();
        listeners.push(open_unix(Path::new(&path), settings.unixsocketperm as u32, backlog)?);
    }
    Ok(listeners)
}

/// Raises the descriptor limit to what `maxclients` needs; gives the clients that fit.
pub fn fit_descriptor_limit(maxclients: u64) -> u64 {
    let wanted = maxclients + RESERVED_DESCRIPTORS;
    let Ok((soft, hard)) = rlimit::getrlimit(rlimit::Resource::NOFILE) else { return maxclients };
    if soft >= wanted {
        return maxclients;
    }
    let raised = if rlimit::setrlimit(rlimit::Resource::NOFILE, wanted, hard.max(wanted)).is_ok() {
        wanted
    } else {
        let best = wanted.min(hard);
        if rlimit::setrlimit(rlimit::Resource::NOFILE, best, hard).is_ok() { best } else { soft }
    };
    if raised >= wanted {
        log::notice(&format!("Increased maximum number of open files to {wanted} (it was originally set to {soft})."));
        return maxclients;
    }
    let fits = raised.saturating_sub(RESERVED_DESCRIPTORS).max(1);
    log::warning(&format!("You requested maxclients of {maxclients} requiring at least {wanted} max file descriptors."));
    log::warning(&format!("Current maximum open files is {raised}. maxclients has been reduced to {fits} to compensate for low ulimit."));
    fits
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
        let dir = settings.dir.to_string();
        if let Err(error) = std::env::set_current_dir(&dir) {
            log::warning(&format!("Can't chdir to '{dir}': {error}"));
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
