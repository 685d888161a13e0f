//! Writing whole files, in the order that [`super::reader`] describes.

use std::io::{self, Write};

use super::encode::{Encoder, Options};
use super::reader::{AUX, DEADLINE_MS, END, FREQUENCY, FUNCTION, IDLE, RESIZE, SELECT};
use crate::keyspace::EntryRef;
use crate::persistence::crc64::Digest;

/// Bytes gathered before they go to the file: few enough to stay in the processor's cache until they are summed.
const BUFFER: usize = 128 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileOptions {
    pub values: Options,
    /// `rdbchecksum`: whether a checksum stands at the end, or 0.
    pub checksum: bool,
}

/// When a key was last used, if the server's policy cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastUse {
    Unknown,
    /// Seconds since its last access.
    Idle(u64),
    /// Its LFU counter.
    Frequency(u8),
}

/// Writes a file from front to end.
pub struct Writer<W: Write> {
    encoder: Encoder<Summed<W>>,
}

impl<W: Write> Writer<W> {
    /// Writes the head of the file.
    pub fn new(out: W, options: FileOptions) -> io::Result<Self> {
        let mut out = Summed::new(out, options.checksum);
        write!(out, "REDIS{:04}", options.values.version.0)?;
        Ok(Writer {
            encoder: Encoder::new(out, options.values),
        })
    }

    /// A fact about the file.
    pub fn aux(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        self.encoder.byte(AUX)?;
        self.encoder.string(name.as_bytes())?;
        self.encoder.string(value)
    }

    /// The source of a library of functions.
    pub fn function(&mut self, source: &[u8]) -> io::Result<()> {
        self.encoder.byte(FUNCTION)?;
        self.encoder.string(source)
    }

    /// Says that the keys that follow are in this database, and how many there are, and of them with a deadline.
    pub fn database(&mut self, index: usize, keys: usize, volatile: usize) -> io::Result<()> {
        self.encoder.byte(SELECT)?;
        self.encoder.length(index as u64)?;
        self.encoder.byte(RESIZE)?;
        self.encoder.length(keys as u64)?;
        self.encoder.length(volatile as u64)
    }

    /// A key and its value. O(bytes), compression included.
    pub fn key(&mut self, entry: EntryRef<'_>, last_use: LastUse) -> io::Result<()> {
        let encoder = &mut self.encoder;
        if let Some(deadline) = entry.deadline() {
            encoder.byte(DEADLINE_MS)?;
            encoder.millis(deadline.0)?;
        }
        match last_use {
            LastUse::Unknown => {}
            LastUse::Idle(seconds) => {
                encoder.byte(IDLE)?;
                encoder.length(seconds)?;
            }
            LastUse::Frequency(frequency) => {
                encoder.byte(FREQUENCY)?;
                encoder.byte(frequency)?;
            }
        }
        let value = entry.value();
        encoder.byte(encoder.type_of(value).code())?;
        encoder.string(entry.key())?;
        encoder.value(value)
    }

    /// Writes the end, and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.encoder.byte(END)?;
        self.encoder.into_inner().finish()
    }
}

/// A writer with a buffer, which keeps the checksum of what goes through it.
struct Summed<W: Write> {
    out: W,
    buffer: Vec<u8>,
    digest: Option<Digest>,
}

impl<W: Write> Summed<W> {
    fn new(out: W, checksum: bool) -> Self {
        Summed {
            out,
            buffer: Vec::with_capacity(BUFFER),
            digest: checksum.then(Digest::default),
        }
    }

    #[cold]
    fn pass(&mut self) -> io::Result<()> {
        if let Some(digest) = &mut self.digest {
            digest.update(&self.buffer);
        }
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.pass()?;
        let checksum = self.digest.as_ref().map_or(0, Digest::value);
        self.out.write_all(&checksum.to_le_bytes())?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Summed<W> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.pass()?;
            if bytes.len() > BUFFER {
                if let Some(digest) = &mut self.digest {
                    digest.update(bytes);
                }
                return self.out.write_all(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass()?;
        self.out.flush()
    }
}
