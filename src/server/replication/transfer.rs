//! A snapshot on its way.
//!
//! [`Piped`] is one that goes to replicas as a child writes it; [`Transfer`] one that comes from the primary: where in the bytes it ends, and the file it goes to.
//!
//! It comes as `$LENGTH`, a line end and so many bytes; or as `$EOF:MARK`, a line end, and bytes up to the same forty
//! characters, which the primary draws by lot when it does not know the length.

use std::io;
use std::path::PathBuf;

use crate::host::{Host, Output, Pipe};

/// Characters of the mark behind a snapshot of unknown length.
pub const MARK: usize = 40;
/// How many bytes come between two syncs: one at the end would take seconds.
const SYNC_STEP: u64 = 8 << 20;

/// Where the snapshot ends.
pub enum Extent {
    /// So many bytes are still to come.
    Left(u64),
    /// At the mark. What could be its beginning is held back.
    Until { mark: [u8; MARK], held: Vec<u8> },
}

impl Extent {
    /// Reads what stands behind the `$`. No snapshot is empty.
    pub fn parse(header: &[u8]) -> Option<Extent> {
        if let Some(mark) = header.strip_prefix(b"EOF:") {
            let mark = mark.try_into().ok()?;
            return Some(Extent::Until { mark, held: Vec::new() });
        }
        let length = crate::format::number::parse_i64(header)?;
        u64::try_from(length)
            .ok()
            .filter(|&length| length > 0)
            .map(Extent::Left)
    }
}

/// A snapshot being stored.
pub struct Transfer {
    extent: Extent,
    pub path: PathBuf,
    file: Box<dyn Output>,
    /// Bytes that came, and those of the whole if it is known.
    pub received: u64,
    pub total: Option<u64>,
    unsynced: u64,
    is_syncing: bool,
    is_whole: bool,
}

impl Transfer {
    pub fn begin(host: &mut dyn Host, path: PathBuf, extent: Extent) -> io::Result<Transfer> {
        let total = match extent {
            Extent::Left(bytes) => Some(bytes),
            Extent::Until { .. } => None,
        };
        Ok(Transfer {
            file: host.create(&path)?,
            extent,
            path,
            received: 0,
            total,
            unsynced: 0,
            is_syncing: false,
            is_whole: false,
        })
    }

    /// Whether all of it has come.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether all of it is on the disk, so that it may take the place of the last snapshot. Never waits.
    pub fn is_stored(&mut self) -> io::Result<bool> {
        self.sync_aside()?;
        Ok(self.is_whole && !self.is_syncing && self.unsynced == 0)
    }

    /// Begins a sync of what has come, unless one goes on or there is too little.
    fn sync_aside(&mut self) -> io::Result<()> {
        if self.is_syncing {
            let Some(outcome) = self.file.sync_outcome() else {
                return Ok(());
            };
            self.is_syncing = false;
            outcome?;
        }
        if self.unsynced >= SYNC_STEP || self.is_whole && self.unsynced > 0 {
            self.file.begin_sync()?;
            (self.is_syncing, self.unsynced) = (true, 0);
        }
        Ok(())
    }

    /// Takes bytes as far as they belong to the snapshot: how many.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, is_whole) = match &mut self.extent {
            Extent::Left(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                self.file.write_all(&bytes[..taken])?;
                *left -= taken as u64;
                (taken, *left == 0)
            }
            Extent::Until { mark, held } => {
                held.extend_from_slice(bytes);
                // Nothing follows the mark until the replica has said that it is ready.
                let is_whole = held.ends_with(mark);
                let keep = if is_whole { MARK } else { held.len().min(MARK) };
                let sure = held.len() - keep;
                self.file.write_all(&held[..sure])?;
                held.drain(..sure);
                (bytes.len(), is_whole)
            }
        };
        self.received += taken as u64;
        self.unsynced += taken as u64;
        self.is_whole = is_whole;
        self.sync_aside()?;
        Ok(taken)
    }
}

/// Bytes read from the pipe at a time.
const CHUNK: usize = 64 * 1024;

/// A snapshot that a child hands over, for several replicas at once. All get the same piece before the next is read: the
/// slowest sets the pace, and nothing is kept for it.
pub struct Piped {
    pipe: Box<dyn Pipe>,
    mark: Vec<u8>,
    /// What goes out now.
    pub chunk: Vec<u8>,
    is_at_end: bool,
    /// How the child has ended.
    is_saved: Option<bool>,
    /// Whether `chunk` is the last.
    is_marked: bool,
}

/// What comes next of a snapshot through a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another chunk, to be sent to all.
    Chunk,
    /// Nothing for now.
    Wait,
    /// All is sent.
    End,
    /// It will never be whole.
    Failed,
}

impl Piped {
    /// `mark` is of [`MARK`] characters.
    pub fn new(pipe: Box<dyn Pipe>, mark: &str) -> Piped {
        Piped {
            pipe,
            mark: mark.as_bytes().to_vec(),
            chunk: format!("$EOF:{mark}\r\n").into_bytes(),
            is_at_end: false,
            is_saved: None,
            is_marked: false,
        }
    }

    pub fn descriptor(&self) -> Option<i32> {
        self.pipe.descriptor()
    }

    pub fn child_ended(&mut self, is_saved: bool) {
        self.is_saved = Some(is_saved);
    }

    /// Reads the next chunk, once everybody has the last.
    pub fn advance(&mut self) -> Next {
        if self.is_marked {
            return Next::End;
        }
        self.chunk.resize(CHUNK, 0);
        let read = match self.is_at_end {
            true => Ok(0),
            false => self.pipe.read_now(&mut self.chunk),
        };
        self.chunk.truncate(*read.as_ref().unwrap_or(&0));
        match (read, self.is_saved) {
            (Ok(1..), _) => Next::Chunk,
            (Err(error), None | Some(true)) if error.kind() == io::ErrorKind::WouldBlock => Next::Wait,
            (Err(_), _) | (Ok(0), Some(false)) => Next::Failed,
            (Ok(0), None) => {
                // Whether that was all is known when the child has ended.
                self.is_at_end = true;
                Next::Wait
            }
            (Ok(0), Some(true)) => {
                self.is_marked = true;
                self.chunk.clone_from(&self.mark);
                Next::Chunk
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    /// Sends `bytes` in pieces of `step` and gives what was stored and what was left over.
    fn send(header: &[u8], bytes: &[u8], step: usize) -> (Vec<u8>, usize, bool) {
        let mut host = MemoryHost::default();
        let extent = Extent::parse(header).expect("a header");
        let mut transfer = Transfer::begin(&mut host, "t".into(), extent).expect("a file");
        let mut at = 0;
        while at < bytes.len() && !transfer.is_whole() {
            let piece = &bytes[at..(at + step).min(bytes.len())];
            at += transfer.take(piece).expect("room");
        }
        while transfer.is_whole() && !transfer.is_stored().expect("no trouble") {}
        let stored = host.bytes("t").unwrap_or_default();
        (stored, bytes.len() - at, transfer.is_whole())
    }

    #[test]
    fn a_snapshot_ends_where_it_says() {
        let data: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
        let mark = b"0123456789012345678901234567890123456789";
        for step in [1, 7, 39, 40, 41, 500, 2000] {
            let with_rest = [&data[..], b"*1\r\n$4\r\nPING\r\n"].concat();
            assert_eq!(send(b"1000", &with_rest, step).0, data);
            if step > 1000 {
                assert_eq!(send(b"1000", &with_rest, step), (data.clone(), 14, true));
            }
            let marked = [&data[..], mark].concat();
            let header = [b"EOF:", &mark[..]].concat();
            assert_eq!(send(&header, &marked, step), (data.clone(), 0, true));
        }
        assert!(Extent::parse(b"-1").is_none() && Extent::parse(b"0").is_none());
        assert!(Extent::parse(b"EOF:short").is_none());
    }
}
