//! The configuration file: one directive a line, `#` for comments, `include` for more files.
//!
//! The file, what comes on standard input and the options of the command line are joined into one text and read from
//! the top, so later lines win, and an error names a line of that text. A server that started with half of its
//! configuration would be worse than none: the first error ends the reading and the start.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::quoting;
use super::table::{Setting, Status, find};
use super::{REDIS_VERSION, Settings};
use crate::acl::file::{BadLine, UserLine};
use crate::format::{glob, reason};

/// Files included by included files, and so on: beyond this they include each other in a circle.
const MAX_INCLUDE_DEPTH: usize = 64;

/// Why the server does not start. Prints as Redis's text, to be written to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// A line of the configuration is wrong.
    Line(LineError),
    /// The configuration as a whole is wrong.
    Fatal(String),
    /// A configuration file cannot be read.
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// The command line asks for something this program does not do.
    Usage(String),
    /// Nothing is wrong: the command line asks only for this text, on standard output.
    Information(String),
}

/// What is wrong with which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Counted from 1 in the file, or in the text the file, standard input and the options make together.
    pub line: usize,
    /// The line as written, without the space around it.
    pub text: String,
    /// What is wrong, in Redis's words.
    pub reason: String,
}

impl StartError {
    /// The exit status of the process.
    pub fn exit_code(&self) -> i32 {
        match self {
            StartError::Information(_) => 0,
            StartError::Line(_) | StartError::Fatal(_) | StartError::Open { .. } | StartError::Usage(_) => 1,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = format!("\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***");
        match self {
            StartError::Line(LineError { line, text, reason }) => {
                write!(
                    f,
                    "{header}\nReading the configuration file, at line {line}\n>>> '{text}'\n{reason}"
                )
            }
            StartError::Fatal(reason) => write!(f, "{header}\n{reason}"),
            StartError::Open { path, reason } => {
                write!(f, "Fatal error, can't open config file '{}': {reason}", path.display())
            }
            StartError::Usage(text) | StartError::Information(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

/// A `rename-command` line. Whether the command exists is for the command table to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedCommand {
    /// The command's own name.
    pub name: Vec<u8>,
    /// The name it gets; empty takes the command away.
    pub new_name: Vec<u8>,
    line: usize,
    text: String,
}

impl RenamedCommand {
    /// The error of starting with this line: `No such command in rename-command`, or
    /// `Target command name already exists`.
    pub fn reject(&self, reason: &str) -> StartError {
        StartError::Line(LineError {
            line: self.line,
            text: self.text.clone(),
            reason: reason.into(),
        })
    }
}

/// Reads configuration text into settings.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) settings: Settings,
    pub(super) renamed_commands: Vec<RenamedCommand>,
    pub(super) users: Vec<UserLine>,
    /// Their names.
    user_names: BTreeSet<Vec<u8>>,
    /// Settings given a value although nothing reads them yet, each once.
    pub(super) inert: Vec<&'static Setting>,
    /// Whether a `save` line was seen: the first replaces the default save points, the rest add to them.
    save_seen: bool,
    include_depth: usize,
}

impl Reader {
    /// Reads a text line by line, up to the first error.
    pub(super) fn read_text(&mut self, text: &[u8]) -> Result<(), StartError> {
        for (index, line) in text.split(|&b| b == b'\n').enumerate() {
            let line = trim(line);
            if !line.is_empty() && line[0] != b'#' {
                self.read_line(index + 1, line)?;
            }
        }
        Ok(())
    }

    fn read_line(&mut self, line: usize, text: &[u8]) -> Result<(), StartError> {
        let fail = |reason: String| {
            let text = String::from_utf8_lossy(text).into_owned();
            StartError::Line(LineError { line, text, reason })
        };
        let words = quoting::split(text).ok_or_else(|| fail("Unbalanced quotes in configuration line".into()))?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let Some((name, values)) = words.split_first() else {
            return Ok(());
        };
        if let Some(setting) = find(name) {
            return self.assign(setting, values).map_err(fail);
        }
        match (name.to_ascii_lowercase().as_slice(), values) {
            (b"include", [path]) => self.include(path),
            (b"rename-command", [name, new_name]) => {
                let text = String::from_utf8_lossy(text).into_owned();
                let (name, new_name) = (name.to_vec(), new_name.to_vec());
                self.renamed_commands.push(RenamedCommand {
                    name,
                    new_name,
                    line,
                    text,
                });
                Ok(())
            }
            // Settings of lists that Redis 3.2 dropped and later releases still let pass.
            (b"list-max-ziplist-entries" | b"list-max-ziplist-value", [_]) => Ok(()),
            (b"user", [_, ..]) => {
                let user = UserLine::read(values, &mut self.user_names).map_err(|BadLine { whose, reason }| {
                    let whose = String::from_utf8_lossy(&whose);
                    fail(format!("Error in user declaration '{whose}': {reason}"))
                })?;
                self.users.push(user);
                Ok(())
            }
            (b"loadmodule", [_, ..]) => Err(fail("Modules are not supported".into())),
            (b"sentinel", _) => Err(fail("sentinel directive while not in sentinel mode".into())),
            (name, []) if name.contains(&b'.') => Err(fail("Module config specified without value".into())),
            _ => Err(fail("Bad directive or wrong number of arguments".into())),
        }
    }

    fn assign(&mut self, setting: &'static Setting, values: &[&[u8]]) -> Result<(), String> {
        if setting.name == "save" {
            let clears = !self.save_seen || matches!(values, [b""]);
            if clears {
                self.settings.save.0.clear();
            }
            self.save_seen = true;
        }
        setting.assign_line(&mut self.settings, values)?;
        if matches!(setting.status, Status::Inert(_)) && !self.inert.iter().any(|seen| seen.name == setting.name) {
            self.inert.push(setting);
        }
        Ok(())
    }

    fn include(&mut self, path: &[u8]) -> Result<(), StartError> {
        let path = self.settings.dir.as_path().join(OsStr::from_bytes(path));
        if self.include_depth == MAX_INCLUDE_DEPTH {
            return Err(StartError::Open {
                path,
                reason: "too many files include each other".into(),
            });
        }
        let text = read_files(&path)?;
        self.include_depth += 1;
        self.read_text(&text)?;
        self.include_depth -= 1;
        Ok(())
    }

    /// Checks what no single line can, once everything has been read.
    pub(super) fn finish(&mut self) -> Result<(), StartError> {
        let settings = &mut self.settings;
        if settings.cluster_enabled && settings.replicaof.0.is_some() {
            return Err(StartError::Fatal(
                "replicaof directive not allowed in cluster mode".into(),
            ));
        }
        settings.dir.resolve().map_err(StartError::Fatal)?;
        settings.settle();
        Ok(())
    }
}

/// A line without the space Redis ignores around it.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let is_space = |b: &u8| b" \t\r\n".contains(b);
    let start = line.iter().position(|b| !is_space(b)).unwrap_or(line.len());
    let end = line.iter().rposition(|b| !is_space(b)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// The text of a file, or of all files whose path matches when it contains `*`, `?` or `[`: no match is no error.
pub(super) fn read_files(path: &Path) -> Result<Vec<u8>, StartError> {
    let is_pattern = path.as_os_str().as_bytes().iter().any(|b| b"*?[".contains(b));
    let paths = if is_pattern {
        expand(path)
    } else {
        vec![path.to_path_buf()]
    };
    let mut text = Vec::new();
    for path in paths {
        match fs::read(&path) {
            Ok(bytes) => text.extend(bytes),
            Err(error) => {
                return Err(StartError::Open {
                    path,
                    reason: reason(&error),
                });
            }
        }
    }
    Ok(text)
}

/// The paths that match a pattern, sorted by name at every level. Names starting with a dot match only a dot.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::new()];
    for component in pattern.components() {
        let part = component.as_os_str();
        let is_pattern =
            matches!(component, Component::Normal(_)) && part.as_bytes().iter().any(|b| b"*?[".contains(b));
        paths = match is_pattern {
            true => paths
                .iter()
                .flat_map(|folder| matching_entries(folder, part.as_bytes()))
                .collect(),
            false => paths.into_iter().map(|path| path.join(part)).collect(),
        };
    }
    paths.retain(|path| path.exists());
    paths
}

/// The entries of a folder whose names match, sorted; none if it cannot be read.
fn matching_entries(folder: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let readable = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = fs::read_dir(readable) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.retain(|name| {
        let name = name.as_bytes();
        glob::matches(pattern, name, false) && (!name.starts_with(b".") || pattern.starts_with(b"."))
    });
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}
