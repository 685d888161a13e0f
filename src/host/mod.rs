//! What the server asks of the machine beside sockets and the time: files, and children that see memory as it is now.
//!
//! The core reaches both through [`Host`] alone. In the binary that is [`os::OsHost`]; tests and simulations give it
//! [`memory::MemoryHost`], a disk that can be full or forget what was not synced, with children that run at once.

pub mod memory;
pub mod os;
pub mod program;
pub mod scheduling;

use std::io::{self, Read, Write};
use std::path::Path;

/// A file being written.
pub trait Output: Write {
    /// Makes everything written so far outlast a crash of the machine. May take as long as the disk does.
    fn sync(&mut self) -> io::Result<()>;

    /// Begins the same aside. There is one at a time: [`Output::sync_outcome`] must have told of the last.
    fn begin_sync(&mut self) -> io::Result<()>;

    /// What has become of the sync begun last, told once; `None` while it goes on, or if none was begun.
    fn sync_outcome(&mut self) -> Option<io::Result<()>>;

    /// Lets go of the file aside. Where it was removed meanwhile its blocks are given back now, which takes a while.
    fn close_aside(self: Box<Self>);
}

/// A file to be read from its start.
pub struct Input {
    pub bytes: Box<dyn Read>,
    /// Bytes it has now.
    pub len: u64,
}

/// The end of a pipe at which bytes come out that a child writes.
pub trait Pipe {
    /// Reads what there is, [`io::ErrorKind::WouldBlock`] if that is nothing yet. 0 bytes are the end.
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// The descriptor to be polled for bytes; `None` if there is nothing to wait for.
    fn descriptor(&self) -> Option<i32>;
}

/// How far a child has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Keys it has written.
    pub keys: u64,
    /// Bytes of memory that are no longer shared with the parent, since one of both has written to them.
    pub copied: u64,
}

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// It said itself, in the log, what went wrong.
    Failed,
    /// [`Host::kill_child`] ended it.
    Stopped,
    /// Someone else's signal ended it.
    Killed(i32),
}

/// What became of the child since it was last asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    pub progress: Option<Progress>,
    pub exit: Option<Exit>,
}

/// What there is to say of work that was done, line by line, though it did not fail.
pub type Remarks = Vec<String>;

/// Work on files that is done aside.
pub type Errand = Box<dyn FnOnce(&mut dyn Host) -> io::Result<Remarks> + Send>;

/// What a child does. It may use files, and tells how far it is.
pub type Work<'a> = &'a mut dyn FnMut(&mut dyn Host, &mut dyn FnMut(u64)) -> io::Result<()>;

/// The machine. Paths are relative to the working directory.
pub trait Host {
    /// Makes a file for writing, which is in use until it is closed; one of that name is emptied.
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Output>>;

    /// Opens a file for writing behind what it holds; makes it if there is none. Its first sync keeps its name too.
    fn append(&mut self, path: &Path) -> io::Result<Box<dyn Output>>;

    fn open(&mut self, path: &Path) -> io::Result<Input>;

    /// Gives a file another name, whatever that meant before, so that it outlasts a crash of the machine.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// The same without waiting for the disk. It outlasts a crash of the machine once a file is synced that
    /// [`Host::append`] has opened in the same directory and nobody has synced before.
    fn rename_soon(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&mut self, path: &Path) -> io::Result<()>;

    /// Removes a file without waiting for it: giving the blocks of a large one back takes the system a while. One that
    /// cannot be removed stays.
    fn remove_aside(&mut self, path: &Path);

    /// Cuts a file off behind `len` bytes.
    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()>;

    /// Begins to work on files aside. There is one errand at a time: what has become of the last must have been told.
    ///
    /// # Errors
    /// What the system says when it has no room for another thread; then nothing was done.
    fn begin_errand(&mut self, errand: Errand) -> io::Result<()>;

    /// What has become of the errand begun last, told once; `None` while it goes on, or if there is none.
    fn errand_outcome(&mut self) -> Option<io::Result<Remarks>>;

    /// The same, once it has come to its end; `None` if there is none.
    fn await_errand(&mut self) -> Option<io::Result<Remarks>>;

    fn create_directory(&mut self, path: &Path) -> io::Result<()>;

    /// Names of the files in a directory.
    fn list(&mut self, directory: &Path) -> io::Result<Vec<String>>;

    /// The number that names of temporary files carry, different for every process.
    fn process_id(&self) -> u32;

    /// Whether some process is still writing a file that [`Host::create`] has made.
    fn is_in_use(&mut self, path: &Path) -> bool;

    /// Starts a child that does `work` on memory as it is at this moment. There is one child at a time.
    ///
    /// # Errors
    /// What the system says when it has no room for another process; [`io::ErrorKind::AlreadyExists`] while there is a
    /// child.
    fn fork(&mut self, work: Work<'_>) -> io::Result<()>;

    /// Starts a child in the same way, and gives what it writes to [`Host::parent`].
    fn fork_piped(&mut self, work: Work<'_>) -> io::Result<Box<dyn Pipe>>;

    /// The pipe to the parent, in the host that a child of [`Host::fork_piped`] is given. Writing waits until the parent
    /// reads.
    fn parent(&mut self) -> io::Result<Box<dyn Write>>;

    /// What the child has told, and whether it has ended. Never waits.
    fn child_news(&mut self) -> News;

    /// The child's number, while there is one.
    fn child(&self) -> Option<u32>;

    /// Ends the child. Its end is told by [`Host::child_news`] as any other.
    fn kill_child(&mut self);
}
