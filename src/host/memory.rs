//! A machine in memory, for tests and simulations: files are bytes in a map, children run at once.
//!
//! Handles share the disk, so that what one host writes another finds, as after a restart. A disk has room for so many
//! bytes; writing more fails as on a full one. It can be told to fail otherwise ([`Faults`]), and to lose what was not
//! synced, as it does when the machine loses power ([`MemoryHost::crash`]).

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Errand, Exit, Host, Input, News, Output, Pipe, Progress, Remarks, Work};

#[derive(Debug, Default)]
struct Stored {
    bytes: Vec<u8>,
    /// Bytes at the front that outlast a crash of the machine.
    synced: usize,
}

/// Names and open handles share a file, whatever becomes of the names.
type FileRef = Rc<RefCell<Stored>>;

/// What goes wrong on a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Bytes that one write takes at most.
    pub write_most: Option<usize>,
    /// After so many bytes more every write fails with an input/output error.
    pub fail_after: Option<usize>,
    /// Whether syncs fail, which keeps nothing.
    pub fail_syncs: bool,
    /// Whether files cannot be cut off.
    pub fail_truncating: bool,
    /// Whether syncs aside do not come to their end.
    pub hold_syncs: bool,
    /// Whether errands are not begun before somebody waits for them.
    pub hold_errands: bool,
}

#[derive(Debug)]
struct Disk {
    files: BTreeMap<PathBuf, FileRef>,
    /// Bytes that all files together may have.
    room: usize,
    faults: Faults,
}

/// What a broken disk says.
pub fn broken() -> io::Error {
    // EIO on every system there is.
    io::Error::from_raw_os_error(5)
}

impl Disk {
    fn find(&self, path: &Path) -> io::Result<&FileRef> {
        self.files.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used(&self) -> usize {
        self.files.values().map(|file| file.borrow().bytes.len()).sum()
    }
}

/// The number of a child.
const CHILD: u32 = 2;

/// An errand that somebody has begun.
enum Pending {
    Held(Errand),
    Ended(io::Result<Remarks>),
}

/// A machine whose children have done their work when they are started, and whose errands take no time.
#[derive(Clone)]
pub struct MemoryHost {
    disk: Rc<RefCell<Disk>>,
    ended: VecDeque<(Progress, Exit)>,
    /// Whether the child is at work, whose number is another.
    is_child: bool,
    errand: Rc<RefCell<Option<Pending>>>,
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
            faults: Faults::default(),
        };
        MemoryHost {
            disk: Rc::new(RefCell::new(disk)),
            ended: VecDeque::new(),
            is_child: false,
            errand: Rc::default(),
            handed_over: Rc::default(),
            barren: false,
        }
    }
}

impl MemoryHost {
    /// What a file holds.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let disk = self.disk.borrow();
        disk.find(Path::new(path)).ok().map(|file| file.borrow().bytes.clone())
    }

    /// Puts a file on the disk.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let stored = Stored {
            bytes: bytes.to_vec(),
            synced: bytes.len(),
        };
        let file = Rc::new(RefCell::new(stored));
        self.disk.borrow_mut().files.insert(path.into(), file);
    }

    /// Names of all files.
    pub fn names(&self) -> Vec<String> {
        let disk = self.disk.borrow();
        disk.files.keys().map(|path| path.display().to_string()).collect()
    }

    /// Lets the disk fail.
    pub fn set_faults(&self, faults: Faults) {
        self.disk.borrow_mut().faults = faults;
    }

    /// The machine loses power: of every file stays what was synced, and of what was written behind that as much as
    /// `lucky` says when it is told how much there is. An errand that is held is never run.
    pub fn crash(&self, mut lucky: impl FnMut(usize) -> usize) {
        *self.errand.borrow_mut() = None;
        for file in self.disk.borrow().files.values() {
            let file = &mut *file.borrow_mut();
            let unsynced = file.bytes.len() - file.synced;
            file.bytes.truncate(file.synced + lucky(unsynced).min(unsynced));
            file.synced = file.bytes.len();
        }
    }

    /// Limits what all files together may hold.
    pub fn set_room(&self, bytes: usize) {
        self.disk.borrow_mut().room = bytes;
    }
}

struct MemoryFile {
    disk: Rc<RefCell<Disk>>,
    file: FileRef,
    /// Up to where the sync goes that nobody was told the end of.
    syncing: Option<usize>,
}

impl MemoryFile {
    fn sync_up_to(&self, len: usize) -> io::Result<()> {
        if self.disk.borrow().faults.fail_syncs {
            return Err(broken());
        }
        let file = &mut *self.file.borrow_mut();
        file.synced = len.min(file.bytes.len());
        Ok(())
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let disk = &mut *self.disk.borrow_mut();
        let mut fits = bytes.len().min(disk.room.saturating_sub(disk.used()));
        if fits == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        fits = fits.min(disk.faults.write_most.unwrap_or(usize::MAX));
        if let Some(left) = &mut disk.faults.fail_after {
            fits = fits.min(*left);
            *left -= fits;
            if fits == 0 && !bytes.is_empty() {
                return Err(broken());
            }
        }
        self.file.borrow_mut().bytes.extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        let len = self.file.borrow().bytes.len();
        self.sync_up_to(len)
    }

    fn begin_sync(&mut self) -> io::Result<()> {
        self.syncing = Some(self.file.borrow().bytes.len());
        Ok(())
    }

    fn sync_outcome(&mut self) -> Option<io::Result<()>> {
        if self.disk.borrow().faults.hold_syncs {
            return None;
        }
        let len = self.syncing.take()?;
        Some(self.sync_up_to(len))
    }

    fn close_aside(self: Box<Self>) {}
}

impl Host for MemoryHost {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = self.append(path)?;
        if let Ok(stored) = self.disk.borrow().find(path) {
            *stored.borrow_mut() = Stored::default();
        }
        Ok(file)
    }

    fn append(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = self.disk.borrow_mut().files.entry(path.to_owned()).or_default().clone();
        Ok(Box::new(MemoryFile {
            disk: self.disk.clone(),
            file,
            syncing: None,
        }))
    }

    fn open(&mut self, path: &Path) -> io::Result<Input> {
        let bytes = self.disk.borrow().find(path)?.borrow().bytes.clone();
        let len = bytes.len() as u64;
        Ok(Input {
            bytes: Box::new(Cursor::new(bytes)),
            len,
        })
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let files = &mut self.disk.borrow_mut().files;
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn rename_soon(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let removed = self.disk.borrow_mut().files.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_aside(&mut self, path: &Path) {
        self.disk.borrow_mut().files.remove(path);
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        let disk = self.disk.borrow();
        if disk.faults.fail_truncating {
            return Err(broken());
        }
        let file = &mut *disk.find(path)?.borrow_mut();
        file.bytes.truncate(len as usize);
        file.synced = file.bytes.len();
        Ok(())
    }

    fn begin_errand(&mut self, errand: Errand) -> io::Result<()> {
        let is_held = self.disk.borrow().faults.hold_errands;
        let pending = match is_held {
            true => Pending::Held(errand),
            false => Pending::Ended(errand(self)),
        };
        *self.errand.borrow_mut() = Some(pending);
        Ok(())
    }

    fn errand_outcome(&mut self) -> Option<io::Result<Remarks>> {
        let is_held = self.disk.borrow().faults.hold_errands;
        if is_held { None } else { self.await_errand() }
    }

    fn await_errand(&mut self) -> Option<io::Result<Remarks>> {
        let pending = self.errand.borrow_mut().take()?;
        Some(match pending {
            Pending::Held(errand) => errand(self),
            Pending::Ended(outcome) => outcome,
        })
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
