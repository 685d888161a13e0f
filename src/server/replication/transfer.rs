//! A snapshot on its way.
//!
//! [`Piped`] is one that goes to replicas as a child writes it; [`Transfer`] one that comes from the primary: where in the bytes it ends, and the file it goes to.
//!
//! It comes as `$LENGTH`, a line end and so many bytes; or as `$EOF:MARK`, a line end, and bytes up to the same forty
//! characters, which the primary draws by lot when it does not know the length.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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

/// A snapshot that is being received.
pub struct Transfer {
    extent: Extent,
    store: Store,
    /// Bytes that came, and those of the whole if it is known.
    pub received: u64,
    pub total: Option<u64>,
    is_whole: bool,
    /// Whether it is to be loaded beside the data that are there, and to replace them when that is done.
    pub is_aside: bool,
}

/// Where it is kept until it is whole. None of the data that are there is given up before.
enum Store {
    File(Box<StoredFile>),
    Memory(Chunks),
}

/// A file that is synced as it grows.
struct StoredFile {
    path: PathBuf,
    file: Box<dyn Output>,
    unsynced: u64,
    is_syncing: bool,
}

impl Transfer {
    /// Receives it into a file.
    ///
    /// # Errors
    /// Why the file cannot be made.
    pub fn to_file(host: &mut dyn Host, path: PathBuf, extent: Extent) -> io::Result<Transfer> {
        let file = StoredFile {
            file: host.create(&path)?,
            path,
            unsynced: 0,
            is_syncing: false,
        };
        Ok(Transfer::new(extent, Store::File(Box::new(file)), false))
    }

    /// Receives it into memory.
    pub fn to_memory(extent: Extent, is_aside: bool) -> Transfer {
        Transfer::new(extent, Store::Memory(Chunks::default()), is_aside)
    }

    fn new(extent: Extent, store: Store, is_aside: bool) -> Transfer {
        let total = match extent {
            Extent::Left(bytes) => Some(bytes),
            Extent::Until { .. } => None,
        };
        Transfer {
            extent,
            store,
            received: 0,
            total,
            is_whole: false,
            is_aside,
        }
    }

    /// The file it goes to, if it goes to one.
    pub fn path(&self) -> Option<&Path> {
        match &self.store {
            Store::File(file) => Some(&file.path),
            Store::Memory(_) => None,
        }
    }

    /// What was received, if it was into memory.
    pub fn into_chunks(self) -> Option<Chunks> {
        match self.store {
            Store::File(_) => None,
            Store::Memory(chunks) => Some(chunks),
        }
    }

    /// Whether all of it has come.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether all of it is there to be loaded: a file is on the disk, so that it may take the place of the last snapshot.
    /// Never waits.
    pub fn is_stored(&mut self) -> io::Result<bool> {
        self.sync_aside()?;
        Ok(self.is_whole
            && match &self.store {
                Store::File(file) => !file.is_syncing && file.unsynced == 0,
                Store::Memory(_) => true,
            })
    }

    /// Begins a sync of what has come, unless one goes on or there is too little.
    fn sync_aside(&mut self) -> io::Result<()> {
        let Store::File(stored) = &mut self.store else {
            return Ok(());
        };
        if stored.is_syncing {
            let Some(outcome) = stored.file.sync_outcome() else {
                return Ok(());
            };
            stored.is_syncing = false;
            outcome?;
        }
        if stored.unsynced >= SYNC_STEP || self.is_whole && stored.unsynced > 0 {
            stored.file.begin_sync()?;
            (stored.is_syncing, stored.unsynced) = (true, 0);
        }
        Ok(())
    }

    /// Takes bytes as far as they belong to the snapshot: how many.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let store = &mut self.store;
        let (taken, is_whole) = match &mut self.extent {
            Extent::Left(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                store.take(&bytes[..taken])?;
                *left -= taken as u64;
                (taken, *left == 0)
            }
            Extent::Until { mark, held } => {
                held.extend_from_slice(bytes);
                // Nothing follows the mark until the replica has said that it is ready.
                let is_whole = held.ends_with(mark);
                let keep = if is_whole { MARK } else { held.len().min(MARK) };
                let sure = held.len() - keep;
                store.take(&held[..sure])?;
                held.drain(..sure);
                (bytes.len(), is_whole)
            }
        };
        self.received += taken as u64;
        self.is_whole = is_whole;
        self.sync_aside()?;
        Ok(taken)
    }
}

impl Store {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Store::File(stored) => {
                stored.file.write_all(bytes)?;
                stored.unsynced += bytes.len() as u64;
            }
            Store::Memory(chunks) => chunks.append(bytes),
        }
        Ok(())
    }
}

/// Bytes of a piece of what is kept in memory.
const PIECE: usize = 256 * 1024;

/// Bytes in pieces of one size, so that none of them ever moves, and each is freed as soon as it has been read: while a
/// snapshot becomes data its own memory shrinks.
#[derive(Default)]
pub struct Chunks {
    pieces: VecDeque<Vec<u8>>,
    /// What has been read of the first.
    read: usize,
    len: u64,
}

impl Chunks {
    /// Bytes that are not read yet.
    pub fn len(&self) -> u64 {
        self.len
    }

    fn append(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.pieces.back().is_none_or(|last| last.len() == PIECE) {
                self.pieces.push_back(Vec::with_capacity(PIECE));
            }
            let Some(last) = self.pieces.back_mut() else { return };
            let (head, rest) = bytes.split_at(bytes.len().min(PIECE - last.len()));
            last.extend_from_slice(head);
            bytes = rest;
        }
    }
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(first) = self.pieces.front() else { return Ok(0) };
        let rest = &first[self.read..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        self.len -= count as u64;
        if self.read == first.len() {
            self.pieces.pop_front();
            self.read = 0;
        }
        Ok(count)
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
        let mut transfer = Transfer::to_file(&mut host, "t".into(), extent).expect("a file");
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
        // In memory it is the same.
        let mut transfer = Transfer::to_memory(Extent::parse(b"1000000").expect("a header"), false);
        let data: Vec<u8> = (0..1_000_000u32).map(|n| (n / 7) as u8).collect();
        for piece in data.chunks(70_001) {
            assert_eq!(transfer.take(piece).expect("memory"), piece.len());
        }
        assert!(transfer.is_stored().expect("no trouble"));
        let (mut chunks, mut read) = (transfer.into_chunks().expect("it is in memory"), Vec::new());
        chunks.read_to_end(&mut read).expect("no trouble");
        assert!(read == data && chunks.len() == 0 && chunks.pieces.is_empty());
        assert!(Extent::parse(b"-1").is_none() && Extent::parse(b"0").is_none());
        assert!(Extent::parse(b"EOF:short").is_none());
    }
}
