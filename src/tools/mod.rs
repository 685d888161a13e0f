//! Tools that look at files without a server: `aeolus check-rdb` and `aeolus check-aof`.
//!
//! They are also what the binary is when it is called `redis-check-rdb` or `redis-check-aof`, so that scripts written for
//! Redis find them. Both say where a file goes wrong and what is wrong there, and exit with 1.

mod check_aof;
mod check_rdb;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// Runs the tool that a command line asks for; `None` if it asks for the server.
pub fn run(args: &[OsString]) -> Option<ExitCode> {
    let called = Path::new(args.first()?).file_name()?.to_str()?;
    match called {
        "redis-check-rdb" | "valkey-check-rdb" => return Some(check_rdb::run(&args[1..])),
        "redis-check-aof" | "valkey-check-aof" => return Some(check_aof::run(&args[1..])),
        _ => {}
    }
    match args.get(1)?.to_str()? {
        "check-rdb" => Some(check_rdb::run(&args[2..])),
        "check-aof" => Some(check_aof::run(&args[2..])),
        _ => None,
    }
}

/// A line that is written over and over while a large file is read, if anybody is there to see it.
struct ProgressLine {
    total: u64,
    percent: u64,
}

impl ProgressLine {
    /// For a file of so many bytes.
    fn new(total: u64) -> Self {
        let is_seen = std::io::stderr().is_terminal();
        ProgressLine {
            total: if is_seen { total } else { 0 },
            percent: 0,
        }
    }

    fn show(&mut self, position: u64) {
        let percent = (position * 100).checked_div(self.total).unwrap_or(0);
        if percent > self.percent {
            self.percent = percent;
            eprint!("\r{percent}%");
            // Only for looks.
            let _ = std::io::stderr().flush();
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.percent > 0 {
            eprint!("\r     \r");
        }
    }
}
