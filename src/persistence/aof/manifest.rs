//! The manifest: a line for each file that counts.
//!
//! ```text
//! file appendonly.aof.1.base.rdb seq 1 type b
//! file appendonly.aof.1.incr.aof seq 1 type i
//! ```
//!
//! Types are `b` for the base, `i` for increments in their order, and `h` for files that are only still to be removed. Names
//! with blanks or quotes are quoted as in `redis.conf`; lines that begin with `#` are comments.

use std::fmt;

use crate::config::quoting;

/// The longest line; Redis reads no longer ones.
const LINE_MAX: usize = 1024;

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name, without the directory.
    pub name: String,
    pub sequence: u64,
}

/// Which files count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<LogFile>,
    /// In the order in which they are to be read.
    pub increments: Vec<LogFile>,
    /// What counts no more and is to be removed.
    pub history: Vec<LogFile>,
}

/// What is wrong with a manifest, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Counted from 1; 0 for the whole.
    pub line: usize,
    pub text: String,
    pub what: &'static str,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\n*** FATAL AOF MANIFEST FILE ERROR ***\nReading the manifest file, at line {}\n>>> '{}'\n{}",
            self.line, self.text, self.what
        )
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    /// Whether it names no file.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The sequence number of the newest base, or 0.
    pub fn base_sequence(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.sequence)
    }

    /// The sequence number of the newest increment, or 0.
    pub fn increment_sequence(&self) -> u64 {
        self.increments.last().map_or(0, |increment| increment.sequence)
    }

    /// All files that count, in the order in which they are to be read.
    pub fn files(&self) -> impl Iterator<Item = &LogFile> {
        self.base.iter().chain(&self.increments)
    }

    /// The files of the log called `name` once a rewrite has come to its end: the new base, and the increments from
    /// the one of sequence `first` on. All others become history.
    pub fn rewritten(&self, base: LogFile, first: u64) -> Manifest {
        let (increments, old): (Vec<_>, Vec<_>) = self
            .increments
            .iter()
            .cloned()
            .partition(|increment| increment.sequence >= first);
        // The newest first, as Redis lists them.
        let history = old.into_iter().rev().chain(self.base.clone());
        let history = history.chain(self.history.iter().cloned()).collect();
        Manifest {
            base: Some(base),
            increments,
            history,
        }
    }

    /// Reads a manifest's text.
    ///
    /// # Errors
    /// As Redis finds them: what is wrong, with the line.
    pub fn parse(text: &[u8]) -> Result<Manifest, ManifestError> {
        let (mut manifest, mut number) = (Manifest::default(), 0);
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            number += 1;
            let wrong = |what| ManifestError {
                line: number,
                text: String::from_utf8_lossy(line).trim_end().to_owned(),
                what,
            };
            if line[0] == b'#' {
                continue;
            }
            if line.last() != Some(&b'\n') || line.len() > LINE_MAX {
                return Err(wrong("The AOF manifest file contains too long line"));
            }
            let words = quoting::split(line.trim_ascii()).unwrap_or_default();
            manifest.take_line(&words).map_err(wrong)?;
        }
        if number == 0 {
            return Err(ManifestError {
                line: 0,
                text: String::new(),
                what: "Found an empty AOF manifest",
            });
        }
        Ok(manifest)
    }

    fn take_line(&mut self, words: &[Vec<u8>]) -> Result<(), &'static str> {
        const INVALID: &str = "Invalid AOF manifest file format";
        if words.len() < 6 || !words.len().is_multiple_of(2) {
            return Err(INVALID);
        }
        let (mut name, mut sequence, mut kind) = (None, None, None);
        for pair in words.chunks_exact(2) {
            let (key, value) = (pair[0].to_ascii_lowercase(), &pair[1]);
            let text = std::str::from_utf8(value).map_err(|_| INVALID)?;
            match key.as_slice() {
                b"file" if text.contains('/') => return Err("File can't be a path, just a filename"),
                b"file" => name = Some(text.to_owned()),
                b"seq" => sequence = text.parse::<u64>().ok(),
                b"type" => kind = value.first().copied(),
                // What newer servers may add.
                _ => {}
            }
        }
        let (Some(name), Some(sequence @ 1..), Some(kind)) = (name, sequence, kind) else {
            return Err(INVALID);
        };
        let file = LogFile { name, sequence };
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => self.base = Some(file),
            b'i' if sequence <= self.increment_sequence() => return Err("Found a non-monotonic sequence number"),
            b'i' => self.increments.push(file),
            b'h' => self.history.push(file),
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// The text of the manifest.
    pub fn format(&self) -> Vec<u8> {
        let base = self.base.iter().map(|file| (file, 'b'));
        let history = self.history.iter().map(|file| (file, 'h'));
        let increments = self.increments.iter().map(|file| (file, 'i'));
        let mut out = Vec::new();
        for (LogFile { name, sequence }, kind) in base.chain(history).chain(increments) {
            let plain = name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\'');
            out.extend_from_slice(b"file ");
            match plain && !name.is_empty() {
                true => out.extend_from_slice(name.as_bytes()),
                false => out.extend(quoting::quote(name.as_bytes())),
            }
            out.extend_from_slice(format!(" seq {sequence} type {kind}\n").as_bytes());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, sequence: u64) -> LogFile {
        LogFile {
            name: name.to_owned(),
            sequence,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let manifest = Manifest {
            base: Some(file("a file.2.base.rdb", 2)),
            increments: vec![file("x.3.incr.aof", 3), file("x.4.incr.aof", 4)],
            history: vec![file("x.1.base.rdb", 1)],
        };
        let text = manifest.format();
        assert_eq!(
            String::from_utf8_lossy(&text),
            "file \"a file.2.base.rdb\" seq 2 type b\nfile x.1.base.rdb seq 1 type h\nfile x.3.incr.aof seq 3 type i\n\
             file x.4.incr.aof seq 4 type i\n"
        );
        assert_eq!(Manifest::parse(&text), Ok(manifest));
        let commented = b"# a comment\nfile a seq 1 type b new thing\n";
        assert_eq!(
            Manifest::parse(commented).map(|manifest| manifest.base),
            Ok(Some(file("a", 1)))
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, line, what) in [
            ("", 0, "Found an empty AOF manifest"),
            ("\n", 1, "Invalid AOF manifest file format"),
            ("file a seq 1\n", 1, "Invalid AOF manifest file format"),
            ("file a seq 0 type b\n", 1, "Invalid AOF manifest file format"),
            ("file a seq 1 type b", 1, "The AOF manifest file contains too long line"),
            ("file a seq 1 type x\n", 1, "Unknown AOF file type"),
            ("file a/b seq 1 type b\n", 1, "File can't be a path, just a filename"),
            (
                "file a seq 1 type b\nfile b seq 2 type b\n",
                2,
                "Found duplicate base file information",
            ),
            (
                "file a seq 2 type i\nfile b seq 2 type i\n",
                2,
                "Found a non-monotonic sequence number",
            ),
        ] {
            let error = Manifest::parse(text.as_bytes()).expect_err(text);
            assert_eq!((error.line, error.what), (line, what), "{text}");
        }
    }

    #[test]
    fn a_rewrite_leaves_what_came_after_it() {
        let before = Manifest {
            base: Some(file("x.1.base.rdb", 1)),
            increments: vec![
                file("x.1.incr.aof", 1),
                file("x.2.incr.aof", 2),
                file("x.3.incr.aof", 3),
            ],
            history: Vec::new(),
        };
        let after = before.rewritten(file("x.2.base.rdb", 2), 2);
        assert_eq!(after.base, Some(file("x.2.base.rdb", 2)));
        assert_eq!(after.increments, [file("x.2.incr.aof", 2), file("x.3.incr.aof", 3)]);
        assert_eq!(after.history, [file("x.1.incr.aof", 1), file("x.1.base.rdb", 1)]);
    }
}
