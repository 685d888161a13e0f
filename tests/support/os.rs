//! What the standard library does not offer: signals to a child and the open-file limit.

use std::io;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, setrlimit};

pub use rustix::process::Signal;

/// Sends `signal` to the process `pid`, which must be a child not yet waited for: its number is not reused until then.
pub fn send_signal(pid: u32, signal: Signal) -> io::Result<()> {
    let raw = i32::try_from(pid).map_err(io::Error::other)?;
    let Some(pid) = Pid::from_raw(raw) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Ok(kill_process(pid, signal)?)
}

/// Lets no file that the process `pid` writes grow beyond `bytes`, as a full disk would. Only Linux sets limits of others.
#[cfg(target_os = "linux")]
pub fn limit_file_size(pid: u32, bytes: u64) -> io::Result<()> {
    let raw = i32::try_from(pid).map_err(io::Error::other)?;
    let current = (bytes < u64::MAX).then_some(bytes);
    let limit = Rlimit { current, maximum: None };
    rustix::process::prlimit(Pid::from_raw(raw), Resource::Fsize, limit)?;
    Ok(())
}

/// Raises this process's soft limit on open files to `wanted`, or as near as its hard limit allows, and returns the
/// limit in force (`None`: unlimited). Children inherit it.
pub fn raise_open_file_limit(wanted: u64) -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(limit.current);
    }
    let current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    setrlimit(Resource::Nofile, Rlimit { current, ..limit })?;
    Ok(current)
}
