//! The real machine: files through the standard library, children through `fork`.
//!
//! A child of `fork` has the parent's memory as it was, at the price of copying page tables; pages are copied when
//! either of both writes to them. It must not touch what it shares with the parent beside memory: it closes every
//! descriptor but the pipe it reports through (or a client's connection would stay open until the child ends), takes no
//! signals meant for the server, and leaves without running destructors.
#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, TryRecvError};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::scheduling::stand_back;
use super::{Errand, Exit, Host, Input, News, Output, Pipe, Progress, Remarks, Work};

/// Where the child finds the pipe to its parent.
const REPORT: i32 = 3;
/// Where it finds the pipe for what it has to hand over, if there is one.
const HANDOVER: i32 = 4;
/// A descriptor above those, where both may stand while they are being moved.
const SPARE: i32 = 10;
/// Keys between two looks at the clock of a child that tells how far it is.
const KEYS_A_LOOK: u64 = 1024;
/// How often a child tells, in ms. Counting its copied pages takes the kernel a while.
const REPORT_STEP: u128 = 1000;
/// A report: two numbers of 8 bytes, less than what a pipe takes in one piece.
const REPORT_SIZE: usize = 16;

#[derive(Default)]
pub struct OsHost {
    child: Option<Child>,
    errand: Option<Receiver<io::Result<Remarks>>>,
    /// In a child with a pipe for its data: whether nobody has taken that yet.
    has_handover: bool,
}

struct Child {
    pid: Pid,
    reports: PipeReader,
    stopped: bool,
}

/// A file, and the sync of it that goes on in a thread of its own.
struct OsFile {
    file: File,
    /// The directory that its name may not be safe in yet.
    directory: Option<File>,
    outcome: Option<Receiver<io::Result<()>>>,
}

impl OsFile {
    fn boxed(file: File, directory: Option<File>) -> Box<dyn Output> {
        Box::new(OsFile {
            file,
            directory,
            outcome: None,
        })
    }
}

/// The name first: bytes of a file that has none are lost all the same.
fn sync(file: &File, directory: Option<&File>) -> io::Result<()> {
    directory.map_or(Ok(()), File::sync_all)?;
    file.sync_data()
}

impl Write for OsFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for OsFile {
    fn sync(&mut self) -> io::Result<()> {
        sync(&self.file, self.directory.as_ref())?;
        self.directory = None;
        Ok(())
    }

    fn begin_sync(&mut self) -> io::Result<()> {
        let (sender, receiver) = mpsc::channel();
        let file = self.file.try_clone()?;
        let directory = self.directory.as_ref().map(File::try_clone).transpose()?;
        // Once a second at most, so a thread for each is cheap enough.
        std::thread::Builder::new().name("sync".into()).spawn(move || {
            stand_back();
            // Nobody may be there any more to hear of it.
            let _ = sender.send(sync(&file, directory.as_ref()));
        })?;
        self.outcome = Some(receiver);
        Ok(())
    }

    fn sync_outcome(&mut self) -> Option<io::Result<()>> {
        let outcome = told(self.outcome.as_ref()?)?;
        self.outcome = None;
        if outcome.is_ok() {
            self.directory = None;
        }
        Some(outcome)
    }

    fn close_aside(self: Box<Self>) {
        // Once in a rewrite of the log, so a thread for each is cheap enough; without one it is closed here.
        let _ = std::thread::Builder::new().name("close".into()).spawn(move || {
            stand_back();
            drop(self.file);
        });
    }
}

/// What a thread has to tell, if it has told it.
fn told<T>(outcome: &Receiver<io::Result<T>>) -> Option<io::Result<T>> {
    match outcome.try_recv() {
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => Some(Err(thread_lost())),
        Ok(outcome) => Some(outcome),
    }
}

fn thread_lost() -> io::Error {
    io::Error::other("the thread that was to do it has ended")
}

impl Pipe for PipeReader {
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }

    fn descriptor(&self) -> Option<i32> {
        Some(self.as_raw_fd())
    }
}

impl OsHost {
    /// Forks; the child gets `handover` to write to.
    fn start(&mut self, work: Work<'_>, handover: Option<PipeWriter>) -> io::Result<()> {
        if self.child.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (reports, pipe) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reports, true)?;
        let parent = std::process::id();
        // SAFETY: the one thread that serves calls this, and holds no lock: jemalloc's own are held by its handlers
        // across the fork, and the log's and the standard streams' are taken by this thread only. The child runs
        // nothing but `run_child`, which never returns.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let handover = handover.map(IntoRawFd::into_raw_fd);
                run_child(parent, pipe.into_raw_fd(), handover, work)
            }
            pid => {
                self.child = Pid::from_raw(pid).map(|pid| Child {
                    pid,
                    reports,
                    stopped: false,
                });
                Ok(())
            }
        }
    }
}

impl Host for OsHost {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = File::create(path)?;
        // The system lets go of the lock when the process ends, however it ends. Where it has none, nothing is lost but
        // the tidying up after a crash.
        let _ = file.try_lock();
        Ok(OsFile::boxed(file, None))
    }

    fn append(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(OsFile::boxed(file, Some(File::open(directory_of(path))?)))
    }

    fn open(&mut self, path: &Path) -> io::Result<Input> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Input {
            bytes: Box::new(file),
            len,
        })
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        // The name is in the directory, which has to reach the disk too.
        File::open(directory_of(to))?.sync_all()
    }

    fn rename_soon(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_aside(&mut self, path: &Path) {
        let owned = path.to_owned();
        let thread = std::thread::Builder::new().name("remove".into());
        // Files are removed some times an hour, so a thread for each is cheap enough; without one it is done here.
        if thread.spawn(move || remove_in_background(&owned)).is_err() {
            let _ = fs::remove_file(path);
        }
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_data()
    }

    fn begin_errand(&mut self, errand: Errand) -> io::Result<()> {
        let (sender, receiver) = mpsc::channel();
        // Twice in a rewrite of the log, so a thread for each is cheap enough.
        std::thread::Builder::new().name("errand".into()).spawn(move || {
            stand_back();
            // Nobody may be there any more to hear of it.
            let _ = sender.send(errand(&mut OsHost::default()));
        })?;
        self.errand = Some(receiver);
        Ok(())
    }

    fn errand_outcome(&mut self) -> Option<io::Result<Remarks>> {
        let outcome = told(self.errand.as_ref()?)?;
        self.errand = None;
        Some(outcome)
    }

    fn await_errand(&mut self) -> Option<io::Result<Remarks>> {
        let outcome = self.errand.take()?.recv();
        Some(outcome.unwrap_or_else(|_| Err(thread_lost())))
    }

    fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome,
        }
    }

    fn list(&mut self, directory: &Path) -> io::Result<Vec<String>> {
        let directory = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }

    fn is_in_use(&mut self, path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    fn fork(&mut self, work: Work<'_>) -> io::Result<()> {
        self.start(work, None)
    }

    fn fork_piped(&mut self, work: Work<'_>) -> io::Result<Box<dyn Pipe>> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        self.start(work, Some(writer))?;
        Ok(Box::new(reader))
    }

    fn parent(&mut self) -> io::Result<Box<dyn Write>> {
        if !std::mem::take(&mut self.has_handover) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        // SAFETY: `isolate` has put the pipe there, and the flag lets only one take it.
        Ok(Box::new(unsafe { File::from_raw_fd(HANDOVER) }))
    }

    fn child_news(&mut self) -> News {
        let Some(child) = &mut self.child else {
            return News::default();
        };
        let exit = match waitpid(Some(child.pid), WaitOptions::NOHANG) {
            Ok(None) | Err(rustix::io::Errno::INTR) => None,
            Ok(Some((_, status))) => Some(match (status.exit_status(), status.terminating_signal()) {
                // Also if it was done just before: whoever stopped it does not want its work.
                _ if child.stopped => Exit::Stopped,
                (Some(0), _) => Exit::Done,
                (_, Some(signal)) => Exit::Killed(signal),
                _ => Exit::Failed,
            }),
            Err(_) => Some(Exit::Failed),
        };
        // Read last: what it told before it ended is there by now.
        let progress = read_reports(&mut child.reports);
        if exit.is_some() {
            self.child = None;
        }
        News { progress, exit }
    }

    fn child(&self) -> Option<u32> {
        self.child.as_ref().map(|child| child.pid.as_raw_nonzero().get() as u32)
    }

    fn kill_child(&mut self) {
        if let Some(child) = &mut self.child {
            child.stopped = true;
            // It may have ended a moment ago, which is as good.
            let _ = kill_process(child.pid, Signal::USR1);
        }
    }
}

fn remove_in_background(path: &Path) -> io::Result<()> {
    stand_back();
    fs::remove_file(path)
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The last of the reports that have come.
fn read_reports(reports: &mut PipeReader) -> Option<Progress> {
    let (mut last, mut bytes) = (None, [0; REPORT_SIZE]);
    // Reports are written in one piece each, so that they are read so.
    while let Ok(REPORT_SIZE) = reports.read(&mut bytes) {
        let (keys, copied) = bytes.split_at(REPORT_SIZE / 2);
        let number = |half: &[u8]| half.try_into().map_or(0, u64::from_le_bytes);
        last = Some(Progress {
            keys: number(keys),
            copied: number(copied),
        });
    }
    last
}

/// The child's whole life.
fn run_child(parent: u32, reports: i32, handover: Option<i32>, work: Work<'_>) -> ! {
    isolate(reports, handover);
    stand_back();
    if std::os::unix::process::parent_id() != parent {
        // It ended before the child could ask to end with it.
        // SAFETY: ends the process at once, before it has done anything.
        unsafe { libc::_exit(1) }
    }
    crate::log::set_role(b'C');
    // SAFETY: `isolate` has put the pipe there, and nobody else writes to it.
    let mut reports = unsafe { File::from_raw_fd(REPORT) };
    let started = std::time::Instant::now();
    let (mut keys_done, mut told, mut asked) = (0, 0, 0);
    let mut tell = |keys: u64| {
        keys_done = keys;
        asked += 1;
        if asked % KEYS_A_LOOK == 0 && started.elapsed().as_millis() >= told + REPORT_STEP {
            told = started.elapsed().as_millis();
            report(&mut reports, keys);
        }
    };
    let mut host = OsHost {
        has_handover: handover.is_some(),
        ..OsHost::default()
    };
    let outcome = work(&mut host, &mut tell);
    report(&mut reports, keys_done);
    let code = match outcome {
        Ok(()) => 0,
        Err(error) => {
            crate::log::warning(&format!("The child could not do its work: {error}"));
            1
        }
    };
    // SAFETY: ends the process at once. Destructors would write and close what belongs to the parent as well.
    unsafe { libc::_exit(code) }
}

/// Lets go of what the child shares with its parent.
fn isolate(reports: i32, handover: Option<i32>) {
    let first_unused = if handover.is_some() { HANDOVER + 1 } else { REPORT + 1 };
    // SAFETY: the child uses no descriptor it has inherited but the standard streams and the pipes, and it has one
    // thread. The handlers set here are the system's own.
    unsafe {
        libc::signal(libc::SIGUSR1, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        // By way of a higher number each: one may stand where the other belongs.
        let reports = libc::fcntl(reports, libc::F_DUPFD, SPARE);
        let handover = handover.map(|handover| libc::fcntl(handover, libc::F_DUPFD, SPARE));
        libc::dup2(reports, REPORT);
        if let Some(handover) = handover {
            libc::dup2(handover, HANDOVER);
        }
        #[cfg(target_os = "linux")]
        {
            libc::syscall(libc::SYS_close_range, first_unused, u32::MAX, 0);
            // A snapshot that outlives its server could replace one that the next server has made.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        }
        #[cfg(not(target_os = "linux"))]
        for descriptor in first_unused..libc::getdtablesize() {
            libc::close(descriptor);
        }
    }
}

fn report(pipe: &mut File, keys: u64) {
    let mut bytes = [0; REPORT_SIZE];
    let (first, second) = bytes.split_at_mut(REPORT_SIZE / 2);
    first.copy_from_slice(&keys.to_le_bytes());
    second.copy_from_slice(&copied_bytes().to_le_bytes());
    // A parent that does not read has other worries; the work goes on.
    let _ = pipe.write_all(&bytes);
}

/// Bytes of this process that it does not share with another. 0 where the system does not tell.
fn copied_bytes() -> u64 {
    let Ok(text) = fs::read_to_string("/proc/self/smaps_rollup") else {
        return 0;
    };
    let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    use std::time::{Duration, Instant};

    fn wait(host: &mut OsHost) -> (Option<Progress>, Exit) {
        let (until, mut progress) = (Instant::now() + Duration::from_secs(60), None);
        loop {
            let news = host.child_news();
            progress = news.progress.or(progress);
            if let Some(exit) = news.exit {
                return (progress, exit);
            }
            assert!(Instant::now() < until, "the child does not end");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_child_works_on_memory_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let (mut host, mut value) = (OsHost::default(), 1);
        host.fork(&mut |host, tell| {
            tell(7);
            host.create(&path)?.write_all(&[value])
        })
        .expect("there is room for a child");
        value = 2;
        assert!(host.child().is_some());
        assert!(host.fork(&mut |_, _| Ok(())).is_err());
        let (progress, exit) = wait(&mut host);
        assert_eq!((exit, progress.map(|progress| progress.keys)), (Exit::Done, Some(7)));
        assert_eq!(fs::read(&path).expect("the child's file"), [1]);
        assert_eq!((value, host.child()), (2, None));
    }

    #[test]
    fn how_a_child_ends_is_told() {
        let mut host = OsHost::default();
        host.fork(&mut |_, _| Err(io::ErrorKind::StorageFull.into()))
            .expect("a child");
        assert_eq!(wait(&mut host).1, Exit::Failed);
        let forever = &mut |_: &mut dyn Host, _: &mut dyn FnMut(u64)| loop {
            std::thread::park();
        };
        host.fork(forever).expect("a child");
        host.kill_child();
        assert_eq!(wait(&mut host).1, Exit::Stopped);
        // Its work is not wanted any more, also if it was done before it could be stopped.
        host.fork(&mut |_, _| Ok(())).expect("a child");
        let child = Pid::from_raw(host.child().expect("a child") as i32).expect("a number");
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(child), ended).expect("it is ours");
        host.kill_child();
        assert_eq!(wait(&mut host).1, Exit::Stopped);
        host.fork(forever).expect("a child");
        let child = Pid::from_raw(host.child().expect("a child") as i32).expect("a number");
        kill_process(child, Signal::KILL).expect("it runs");
        assert_eq!(wait(&mut host).1, Exit::Killed(9));
    }

    #[test]
    fn a_child_hands_over_what_it_writes() {
        let mut host = OsHost::default();
        let data: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        let mut pipe = host
            .fork_piped(&mut |host, _| host.parent()?.write_all(&data))
            .expect("a child");
        let (mut all, mut buffer) = (Vec::new(), [0; 5000]);
        loop {
            match pipe.read_now(&mut buffer) {
                Ok(0) => break,
                Ok(read) => all.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(all == data);
        assert_eq!(wait(&mut host).1, Exit::Done);
        assert!(host.parent().is_err(), "nobody but a child has one");
    }
}
