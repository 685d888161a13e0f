//! `check-aof [--fix] FILE`: reads an append-only file, or all files that a manifest names, and can cut off what follows the
//! last whole request.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Read, Seek, Write};
use std::path::Path;
use std::process::ExitCode;

use super::{ProgressLine, check_rdb};
use crate::persistence::aof::Manifest;
use crate::persistence::aof::reader::{Place, ReadError, Reader, Words};

const USAGE: &str = "Usage: aeolus check-aof [--fix] <file.manifest|file.aof>";

pub(super) fn run(args: &[OsString]) -> ExitCode {
    let (fix, path) = match args {
        [path] => (false, path),
        [flag, path] if flag == "--fix" => (true, path),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match check(Path::new(path), fix) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn check(path: &Path, fix: bool) -> Result<(), String> {
    let mut bytes = Vec::new();
    let cannot_open = |error: std::io::Error| format!("Cannot open file {}: {error}", path.display());
    let file = File::open(path).map_err(cannot_open)?;
    // A manifest is short, and begins as no log does.
    file.take(1 << 20).read_to_end(&mut bytes).map_err(cannot_open)?;
    let is_manifest = path.extension().is_some_and(|extension| extension == "manifest");
    if !is_manifest && !bytes.starts_with(b"file ") {
        println!("Start checking Old-Style AOF");
        return check_file(path, fix, true);
    }
    println!("Start checking Multi Part AOF");
    let manifest = Manifest::parse(&bytes).map_err(|error| error.to_string())?;
    let directory = path.parent().unwrap_or(Path::new(""));
    if let Some(base) = &manifest.base {
        println!("Start to check BASE AOF.");
        check_file(&directory.join(&base.name), fix, manifest.increments.is_empty())?;
    }
    for (index, increment) in manifest.increments.iter().enumerate() {
        println!("Start to check INCR files.");
        let is_last = index + 1 == manifest.increments.len();
        check_file(&directory.join(&increment.name), fix, is_last)?;
    }
    println!("All AOF files and manifest are valid");
    Ok(())
}

/// Only what stands at the very end of a log may be cut off: behind a gap in the middle nothing makes sense.
fn check_file(path: &Path, fix: bool, is_last: bool) -> Result<(), String> {
    let cannot_open = |error: std::io::Error| format!("Cannot open file {}: {error}", path.display());
    let (mut file, len) = check_rdb::open(path).map_err(cannot_open)?;
    let mut head = Vec::new();
    (&mut file).take(5).read_to_end(&mut head).map_err(cannot_open)?;
    let mut reader = if head == b"REDIS" {
        file.rewind().map_err(cannot_open)?;
        println!("The AOF appears to start with an RDB preamble.\nChecking the RDB preamble to start:");
        let rdb =
            check_rdb::check(file, len).map_err(|()| "RDB preamble of AOF file is not sane, aborting.".to_owned())?;
        println!("RDB preamble is OK, proceeding with AOF tail...");
        let (begun, file, position) = rdb.into_rest();
        Reader::new(file, begun, position)
    } else {
        Reader::new(file, head, 0)
    };
    let (valid, error) = read_to_end(&mut reader, len);
    println!(
        "AOF analyzed: filename={}, size={len}, ok_up_to={valid}, diff={}",
        path.display(),
        len - valid.min(len)
    );
    let Some(error) = error else {
        println!("AOF {} is valid", path.display());
        return Ok(());
    };
    println!("{:#x}: {error}", reader.position());
    if !fix {
        return Err(format!(
            "AOF {} is not valid. Use the --fix option to try fixing it.",
            path.display()
        ));
    }
    if !is_last {
        return Err(format!(
            "Failed to truncate AOF {} because it is not the last file",
            path.display()
        ));
    }
    truncate(path, len, valid)
}

/// Reads all requests. Gives where the last one ended that counts, and what is wrong behind it.
fn read_to_end(reader: &mut Reader<File>, len: u64) -> (u64, Option<String>) {
    let (mut words, mut open_multi, mut progress) = (Words::default(), None, ProgressLine::new(len));
    loop {
        let position = reader.position();
        match reader.next(&mut words) {
            Ok(true) => {}
            Ok(false) => {
                let error = open_multi.map(|_| "Reached EOF before reading EXEC for MULTI".to_owned());
                return (open_multi.unwrap_or(position), error);
            }
            Err(error) => {
                let error = match error {
                    ReadError::Truncated => "Unexpected end of file".to_owned(),
                    ReadError::Format => "No request where one must be".to_owned(),
                    ReadError::Io(error) => error.to_string(),
                };
                return (open_multi.unwrap_or(position), Some(error));
            }
        }
        let name = match words.0.first() {
            Some(&Place::Within { at, len }) => &reader.bytes()[at..at + len],
            Some(Place::Apart(_)) | None => &[],
        };
        if name.eq_ignore_ascii_case(b"multi") {
            open_multi = Some(position);
        } else if name.eq_ignore_ascii_case(b"exec") {
            open_multi = None;
        }
        progress.show(position);
    }
}

fn truncate(path: &Path, len: u64, valid: u64) -> Result<(), String> {
    println!(
        "This will shrink the AOF {} from {len} bytes, with {} bytes, to {valid} bytes",
        path.display(),
        len - valid
    );
    print!("Continue? [y/N]: ");
    // What cannot be shown is answered blindly, or not at all.
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_err() || !answer.trim_start().starts_with(['y', 'Y']) {
        return Err("Aborting...".to_owned());
    }
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
        file.set_len(valid)?;
        file.sync_all()
    });
    cut.map_err(|error| format!("Failed to truncate AOF {}: {error}", path.display()))?;
    println!("Successfully truncated AOF {}", path.display());
    Ok(())
}
