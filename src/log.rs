//! Log lines in Redis's format: `PID:ROLE DAY MONTH YEAR TIME.MS LEVEL MESSAGE`, to standard output or a file.
//!
//! The one global of the program besides the allocator's count: a line must be possible from anywhere.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// How grave a line is; the numbers order them as `loglevel` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
    /// Nothing is that grave: silences the log.
    Nothing,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);
/// The role letter: `M` primary, `S` replica, `C` child, `X` not serving yet.
static ROLE: AtomicU8 = AtomicU8::new(b'X');
static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);

pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

pub fn set_role(role: u8) {
    ROLE.store(role, Ordering::Relaxed);
}

/// Sends lines to `path` from now on; an empty path means standard output.
pub fn set_file(path: &Path) -> std::io::Result<()> {
    let path = (!path.as_os_str().is_empty()).then(|| path.to_owned());
    if let Some(path) = &path {
        OpenOptions::new().create(true).append(true).open(path)?;
    }
    if let Ok(mut file) = FILE.lock() {
        *file = path;
    }
    Ok(())
}

pub fn debug(message: &str) {
    write(Level::Debug, message);
}

pub fn verbose(message: &str) {
    write(Level::Verbose, message);
}

pub fn notice(message: &str) {
    write(Level::Notice, message);
}

pub fn warning(message: &str) {
    write(Level::Warning, message);
}

/// Whether lines of that level are written.
pub fn is_shown(level: Level) -> bool {
    level as u8 >= LEVEL.load(Ordering::Relaxed)
}

fn write(level: Level, message: &str) {
    if !is_shown(level) {
        return;
    }
    let mark = match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning | Level::Nothing => '#',
    };
    let role = char::from(ROLE.load(Ordering::Relaxed));
    let time = chrono::Local::now().format("%d %b %Y %H:%M:%S%.3f");
    let line = format!("{}:{role} {time} {mark} {message}\n", std::process::id());
    let Ok(file) = FILE.lock() else { return };
    append(file.as_deref(), &line);
}

/// Writes text as it is, whatever the level. Unlike lines, it is lost when it is another line that panicked.
pub fn write_report(text: &str) {
    let Ok(file) = FILE.try_lock() else { return };
    append(file.as_deref(), text);
}

/// What cannot be written has nowhere else to be complained about. The file is opened anew each time so that it may be
/// rotated by renaming it.
fn append(path: Option<&Path>, text: &str) {
    let _ = match path {
        None => std::io::stdout().write_all(text.as_bytes()),
        Some(path) => OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes())),
    };
}
