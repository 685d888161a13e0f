//! `check-rdb FILE`: reads a snapshot to its end, every value included, and says what it found.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use super::ProgressLine;
use crate::commands::values::{Origin, load_limits};
use crate::config::Settings;
use crate::persistence::rdb::Error;
use crate::persistence::rdb::reader::{Broken, Item, Reader};

/// What was read of a file.
#[derive(Default)]
pub(super) struct Found {
    keys: u64,
    volatile: u64,
    expired: u64,
    last_key: Vec<u8>,
}

impl Found {
    fn show(&self) {
        println!("[info] {} keys read", self.keys);
        println!("[info] {} expires", self.volatile);
        println!("[info] {} already expired", self.expired);
    }
}

pub(super) fn run(args: &[OsString]) -> ExitCode {
    let [path] = args else {
        eprintln!("Usage: aeolus check-rdb <rdb-file-name>");
        return ExitCode::FAILURE;
    };
    let path = Path::new(path);
    println!("[offset 0] Checking RDB file {}", path.display());
    match open(path) {
        Ok((file, len)) => match check(file, len) {
            Ok(_) => ExitCode::SUCCESS,
            Err(()) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("Cannot open file {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

pub(super) fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

/// Reads a snapshot of `len` bytes and prints what it finds. Gives the reader at its end, or nothing if it is not whole.
pub(super) fn check(file: File, len: u64) -> Result<Reader<File>, ()> {
    // By default nobody is trusted, and a check would be none if somebody were.
    let limits = load_limits(&Settings::default(), Origin::File);
    let mut reader = match Reader::new(file, limits, true) {
        Ok(reader) => reader,
        Err(error) => {
            complain(0, &error, &Found::default(), None);
            return Err(());
        }
    };
    let (mut found, mut progress) = (Found::default(), ProgressLine::new(len));
    loop {
        let position = reader.position();
        match reader.next_item() {
            Ok(Some(item)) => note(item, position, &mut found),
            Ok(None) => break,
            Err(error) => {
                drop(progress);
                complain(reader.position(), &error, &found, reader.broken.as_ref());
                return Err(());
            }
        }
        progress.show(position);
    }
    drop(progress);
    let position = reader.position();
    println!("[offset {position}] Checksum OK");
    println!("[offset {position}] \\o/ RDB looks OK! \\o/");
    found.show();
    Ok(reader)
}

fn note(item: Item, position: u64, found: &mut Found) {
    match item {
        Item::Aux { name, value } => println!(
            "[offset {position}] AUX FIELD {} = '{}'",
            String::from_utf8_lossy(&name),
            String::from_utf8_lossy(&value)
        ),
        Item::Function(_) => println!("[offset {position}] A library of functions"),
        Item::Size {
            database,
            keys,
            volatile,
        } => {
            println!("[offset {position}] Selecting DB ID {database}: {keys} keys, {volatile} of them with a deadline")
        }
        Item::Key(record) => {
            found.keys += 1;
            if let Some(deadline) = record.deadline {
                found.volatile += 1;
                found.expired += u64::from(deadline.0 < now());
            }
            found.last_key = record.key;
        }
        Item::Empty { key } => println!(
            "[offset {position}] Empty key '{}', which is passed over",
            key.escape_ascii()
        ),
    }
}

/// Unix time in ms.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn complain(position: u64, error: &Error, found: &Found, broken: Option<&Broken>) {
    println!("--- RDB ERROR DETECTED ---");
    println!("[offset {position}] {error}");
    if let Some(broken) = broken {
        println!("[additional info] Reading {broken}");
    }
    if found.keys > 0 {
        println!(
            "[additional info] The last key that could be read is '{}'",
            found.last_key.escape_ascii()
        );
    }
    found.show();
}
