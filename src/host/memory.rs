//! A machine in memory, for tests and simulations: files are bytes in a map, children run at once.
//!
//! Handles share the disk, so that what one host writes another finds, as after a restart. A disk has room for so many
//! bytes; writing more fails as on a full one.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Exit, Host, Input, News, Output, Pipe, Progress, Work};

#[derive(Debug)]
struct Disk {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Bytes that all files together may have.
    room: usize,
}

/// The number of a child.
const CHILD: u32 = 2;

/// A machine whose children have done their work when they are started.
#[derive(Clone, Debug)]
pub struct MemoryHost {
    disk: Rc<RefCell<Disk>>,
    ended: VecDeque<(Progress, Exit)>,
    /// Whether the child is at work, whose number is another.
    is_child: bool,
    /// What the last child has handed over and nobody has read.
    handed_over: Rc<RefCell<VecDeque<u8>>>,
    /// Whether there is no room for children.
    pub barren: bool,
}

/// Both ends of the pipe to a child.
struct MemoryPipe(Rc<RefCell<VecDeque<u8>>>);

impl Write for MemoryPipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pipe for MemoryPipe {
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut *self.0.borrow_mut(), buffer)
    }

    fn descriptor(&self) -> Option<i32> {
        None
    }
}

impl Default for MemoryHost {
    fn default() -> Self {
        let disk = Disk {
            files: BTreeMap::new(),
            room: usize::MAX,
        };
        MemoryHost {
            disk: Rc::new(RefCell::new(disk)),
            ended: VecDeque::new(),
            is_child: false,
            handed_over: Rc::default(),
            barren: false,
        }
    }
}

impl MemoryHost {
    /// What a file holds.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.disk.borrow().files.get(Path::new(path)).cloned()
    }

    /// Puts a file on the disk.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.disk.borrow_mut().files.insert(path.into(), bytes.to_vec());
    }

    /// Limits what all files together may hold.
    pub fn set_room(&self, bytes: usize) {
        self.disk.borrow_mut().room = bytes;
    }
}

struct MemoryFile {
    disk: Rc<RefCell<Disk>>,
    path: PathBuf,
    /// Whether a sync has come to its end of which nobody was told.
    is_synced: bool,
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let disk = &mut *self.disk.borrow_mut();
        let used: usize = disk.files.values().map(Vec::len).sum();
        let fits = bytes.len().min(disk.room.saturating_sub(used));
        if fits == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // A file that was removed meanwhile takes writes all the same.
        if let Some(file) = disk.files.get_mut(&self.path) {
            file.extend_from_slice(&bytes[..fits]);
        }
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn begin_sync(&mut self) -> io::Result<()> {
        self.is_synced = true;
        Ok(())
    }

    fn sync_outcome(&mut self) -> Option<io::Result<()>> {
        std::mem::take(&mut self.is_synced).then_some(Ok(()))
    }
}

impl Host for MemoryHost {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.disk.borrow_mut().files.insert(path.to_owned(), Vec::new());
        self.append(path)
    }

    fn append(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.disk.borrow_mut().files.entry(path.to_owned()).or_default();
        Ok(Box::new(MemoryFile {
            disk: self.disk.clone(),
            path: path.to_owned(),
            is_synced: false,
        }))
    }

    fn open(&mut self, path: &Path) -> io::Result<Input> {
        let disk = self.disk.borrow();
        let bytes = disk.files.get(path).ok_or(io::ErrorKind::NotFound)?.clone();
        let len = bytes.len() as u64;
        Ok(Input {
            bytes: Box::new(Cursor::new(bytes)),
            len,
        })
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let files = &mut self.disk.borrow_mut().files;
        let bytes = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let removed = self.disk.borrow_mut().files.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_aside(&mut self, path: &Path) {
        self.disk.borrow_mut().files.remove(path);
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        let files = &mut self.disk.borrow_mut().files;
        let file = files.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        file.truncate(len as usize);
        Ok(())
    }

    fn create_directory(&mut self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&mut self, directory: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk.borrow();
        let here = disk.files.keys().filter(|path| path.parent() == Some(directory));
        let names = here.filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn process_id(&self) -> u32 {
        if self.is_child { CHILD } else { 1 }
    }

    fn is_in_use(&mut self, _path: &Path) -> bool {
        false
    }

    fn fork(&mut self, work: Work<'_>) -> io::Result<()> {
        if self.barren {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let mut progress = Progress::default();
        self.is_child = true;
        let outcome = work(self, &mut |keys| progress.keys = keys);
        self.is_child = false;
        let exit = if outcome.is_ok() { Exit::Done } else { Exit::Failed };
        self.ended.push_back((progress, exit));
        Ok(())
    }

    fn fork_piped(&mut self, work: Work<'_>) -> io::Result<Box<dyn Pipe>> {
        self.handed_over = Rc::default();
        self.fork(work)?;
        Ok(Box::new(MemoryPipe(self.handed_over.clone())))
    }

    fn parent(&mut self) -> io::Result<Box<dyn Write>> {
        match self.is_child {
            true => Ok(Box::new(MemoryPipe(self.handed_over.clone()))),
            false => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn child_news(&mut self) -> News {
        let Some((progress, exit)) = self.ended.pop_front() else {
            return News::default();
        };
        News {
            progress: Some(progress),
            exit: Some(exit),
        }
    }

    fn child(&self) -> Option<u32> {
        (!self.ended.is_empty()).then_some(CHILD)
    }

    fn kill_child(&mut self) {
        if let Some((_, exit)) = self.ended.front_mut() {
            *exit = Exit::Stopped;
        }
    }
}
