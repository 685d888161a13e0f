//! Reports of crashes in the log, for whoever is to find out why the server ended.
//!
//! There are two ways to crash. A panic is the program's own: some invariant does not hold. Its report says what and
//! where, with the names of functions. A signal (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) comes from the processor, the
//! allocator or somebody with `kill`, at any moment: in the midst of an allocation, with a lock held, with the stack
//! used up. Its handler therefore calls nothing but what POSIX allows in handlers, formats into a buffer of its own, and
//! runs on a stack of its own. The trace it prints has addresses; `addr2line -Cfie BINARY ADDRESS` says what they mean.
//!
//! The lines that tools look for (`REDIS BUG REPORT START`, `ASSERTION FAILED`, `crashed by signal`, `STACK TRACE`) are
//! Redis's. What follows a report is what would have happened without: the process ends by the same signal, after a panic by
//! SIGABRT, or by itself if `use-exit-on-panic` says so.
#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::{self, Location, PanicHookInfo};
use std::path::Path;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::commands::table::CommandSpec;
use crate::log;

const SIGNALS: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];

const START: &str = "=== REDIS BUG REPORT START: Cut & paste starting from here ===";
const ASSERTION: &str = "=== ASSERTION FAILED ===";
const TRACE: &str = "------ STACK TRACE ------";
const END: &str = "=== REDIS BUG REPORT END. Make sure to include from START to END. ===";
const VERSION: &str = concat!("Aeolus ", env!("CARGO_PKG_VERSION"));

/// Bytes of the handler's stack. Unwinding takes some thousands of them.
const STACK: usize = 64 * 1024;

/// `crash-log-enabled`
static IS_ENABLED: AtomicBool = AtomicBool::new(true);
/// `use-exit-on-panic`
static EXITS_ON_PANIC: AtomicBool = AtomicBool::new(false);
/// Set by the first report: what happens while it is written is not reported again.
static IS_REPORTED: AtomicBool = AtomicBool::new(false);
/// Where the handler writes: the log file, or null for standard output.
static PATH: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
/// The command that was called last.
static COMMAND: AtomicPtr<CommandSpec> = AtomicPtr::new(ptr::null_mut());

/// Has crashes of this process reported to the log file `path`, or to standard output if it is empty. For the thread
/// that calls it the handler has a stack of its own, so that it can tell of one that is used up.
///
/// # Errors
/// What the system says.
pub fn report_to(path: &Path) -> io::Result<()> {
    if !path.as_os_str().is_empty() {
        // Never freed: a handler may read it at any moment.
        let path = CString::new(path.as_os_str().as_bytes())?.into_raw();
        PATH.store(path, Ordering::Release);
    }
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        match IS_ENABLED.load(Ordering::Relaxed) {
            true => report_panic(panic),
            false => default_hook(panic),
        }
        if EXITS_ON_PANIC.load(Ordering::Relaxed) {
            process::exit(1);
        }
    }));
    // The first trace loads the library that unwinds, which a handler could not.
    trace(None);
    give_handler_a_stack()?;
    SIGNALS.into_iter().try_for_each(handle)
}

/// Follows `crash-log-enabled`.
pub fn set_enabled(enabled: bool) {
    IS_ENABLED.store(enabled, Ordering::Relaxed);
}

/// Follows `use-exit-on-panic`.
pub fn set_exits_on_panic(exits: bool) {
    EXITS_ON_PANIC.store(exits, Ordering::Relaxed);
}

/// Notes the command that is called, for the report.
#[inline]
pub fn note_call(spec: &'static CommandSpec) {
    COMMAND.store(ptr::from_ref(spec).cast_mut(), Ordering::Relaxed);
}

/// Ends the process as an invalid access would (DEBUG SEGFAULT).
pub fn fault() {
    // SAFETY: raise(3) takes any number.
    unsafe { libc::raise(libc::SIGSEGV) };
}

fn last_command() -> &'static str {
    // SAFETY: it is null or was made of a reference that lasts.
    unsafe { COMMAND.load(Ordering::Relaxed).as_ref() }.map_or("none", |spec| spec.name)
}

fn report_panic(panic: &PanicHookInfo<'_>) {
    if IS_REPORTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("no reason was given");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    log::write_report(&format!(
        "\n\n{START}\n{}\n{VERSION} crashed by a panic in {place}: {message}\nThe last command called: {}\n\n{TRACE}\n{}\n{END}\n",
        failed_assertion(panic.location(), message),
        last_command(),
        Backtrace::force_capture()
    ));
}

/// A panic in the two lines by which Redis tells of an assertion. Only a message that is the condition itself can be said not
/// to be true; any other says what is wrong.
fn failed_assertion(place: Option<&Location<'_>>, message: &str) -> String {
    let (file, line) = place.map_or(("?", 0), |place| (place.file(), place.line()));
    let what = match message.strip_prefix("assertion failed: ") {
        Some(condition) => format!("'{condition}' is not true"),
        None => format!("'{message}'"),
    };
    format!("{ASSERTION}\n==> {file}:{line} {what}")
}

fn give_handler_a_stack() -> io::Result<()> {
    let memory: &'static mut [u8] = vec![0; STACK].leak();
    let stack = libc::stack_t {
        ss_sp: memory.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: memory.len(),
    };
    // SAFETY: the memory is leaked, so it lasts as long as the process, and nobody else has it.
    match unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn handle(signal: c_int) -> io::Result<()> {
    // SAFETY: all zeros are a valid sigaction, every field that matters is set, and the handler keeps to what handlers may
    // do. The flags take it off again when it is called, so that what it ends with takes its course.
    let outcome = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = report_signal as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND | libc::SA_NODEFER;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, ptr::null_mut())
    };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The handler. Only async-signal-safe functions from here on.
extern "C" fn report_signal(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    if IS_ENABLED.load(Ordering::Relaxed) && !IS_REPORTED.swap(true, Ordering::Relaxed) {
        // SAFETY: the system passes a valid description of the signal.
        write_report(signal, unsafe { &*info });
    }
    // SAFETY: raise(3) may be called here. The signal's disposition is the default again (SA_RESETHAND) and it is not
    // blocked (SA_NODEFER), so that it ends the process.
    unsafe { libc::raise(signal) };
}

fn write_report(signal: c_int, info: &libc::siginfo_t) {
    let mut out = Out::to_log();
    out.text("\n\n").text(START).text("\n");
    out.prefix()
        .text(VERSION)
        .text(" crashed by signal: ")
        .number(signal.into());
    out.text(", si_code: ").number(info.si_code.into()).text("\n");
    out.prefix();
    if info.si_code > 0 {
        // SAFETY: of a signal that the kernel has sent for an instruction, this field is set.
        let address = unsafe { info.si_addr() };
        out.text("Accessing address: ").address(address as usize);
    } else {
        // SAFETY: of a signal that a process has sent, these fields are set.
        let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
        out.text("Killed by PID: ").number(pid.into());
        out.text(", UID: ").number(uid.into());
    }
    out.text("\n")
        .prefix()
        .text("The last command called: ")
        .text(last_command());
    out.text("\n\n").text(TRACE).text("\n");
    out.flush();
    trace(Some(out.descriptor));
    out.text("\n").text(END).text("\n\n");
    out.flush();
}

/// Finds the calls under way, and writes where they stand to a descriptor, if one is given: the innermost first.
#[cfg(any(target_env = "gnu", target_vendor = "apple"))]
fn trace(descriptor: Option<c_int>) {
    /// Calls that are shown at most.
    const FRAMES: usize = 100;
    let mut frames = [ptr::null_mut(); FRAMES];
    // SAFETY: it writes no more addresses than it is told there is room for.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), FRAMES as c_int) };
    if let Some(descriptor) = descriptor {
        // SAFETY: the addresses are those of a trace; the function writes to the descriptor and does not allocate.
        unsafe { libc::backtrace_symbols_fd(frames.as_ptr(), count, descriptor) };
    }
}

/// Elsewhere, with musl for one, the C library does not know the calls under way.
#[cfg(not(any(target_env = "gnu", target_vendor = "apple")))]
fn trace(_: Option<c_int>) {}

/// Text on its way to the log, gathered in a buffer that needs no allocation.
struct Out {
    descriptor: c_int,
    buffer: [u8; 512],
    len: usize,
}

impl Out {
    /// The log, opened anew since a handler can take no lock; standard output if there is no file, or it cannot be opened.
    fn to_log() -> Self {
        let path = PATH.load(Ordering::Acquire);
        let mut descriptor = libc::STDOUT_FILENO;
        if !path.is_null() {
            // SAFETY: the path ends with a zero and is never freed.
            let opened = unsafe { libc::open(path, libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT, 0o644) };
            if opened >= 0 {
                descriptor = opened;
            }
        }
        Out {
            descriptor,
            buffer: [0; 512],
            len: 0,
        }
    }

    /// What lines of a handler begin with in Redis: the process and the second.
    fn prefix(&mut self) -> &mut Self {
        // SAFETY: both may be called in handlers; time(2) is given no place to write to.
        let (process, second) = unsafe { (libc::getpid(), libc::time(ptr::null_mut())) };
        self.number(process.into()).text(":signal-handler (");
        self.number(second).text(") ")
    }

    fn text(&mut self, text: &str) -> &mut Self {
        for &byte in text.as_bytes() {
            if self.len == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.len] = byte;
            self.len += 1;
        }
        self
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.text(itoa::Buffer::new().format(number))
    }

    /// In hexadecimal.
    fn address(&mut self, address: usize) -> &mut Self {
        self.text("0x");
        let digits = (address.max(1).ilog2() / 4 + 1) as usize;
        for place in (0..digits).rev() {
            let digit = address >> (4 * place) & 0xF;
            self.text(&"0123456789abcdef"[digit..=digit]);
        }
        self
    }

    fn flush(&mut self) {
        let mut rest = &self.buffer[..self.len];
        while !rest.is_empty() {
            // SAFETY: the bytes are those of a slice.
            let written = unsafe { libc::write(self.descriptor, rest.as_ptr().cast(), rest.len()) };
            // A log that cannot be written to has nowhere else to be complained about.
            let Ok(written @ 1..) = usize::try_from(written) else {
                break;
            };
            rest = rest.get(written..).unwrap_or_default();
        }
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_not_true_and_messages_say_what_is_wrong() {
        let here = Location::caller();
        let place = format!("=== ASSERTION FAILED ===\n==> {}:{} ", here.file(), here.line());
        let condition = failed_assertion(Some(here), "assertion failed: left < right");
        assert_eq!(condition, format!("{place}'left < right' is not true"));
        let message = failed_assertion(Some(here), "entries are out of order");
        assert_eq!(message, format!("{place}'entries are out of order'"));
    }

    #[test]
    fn numbers_and_addresses_are_told_without_allocating() {
        let mut out = Out {
            descriptor: -1,
            buffer: [0; 512],
            len: 0,
        };
        out.number(-11)
            .text(" ")
            .address(0)
            .text(" ")
            .address(0x10)
            .text(" ")
            .address(usize::MAX);
        assert_eq!(&out.buffer[..out.len], b"-11 0x0 0x10 0xffffffffffffffff");
        // Longer than the buffer: what cannot be written is dropped.
        out.text(&"x".repeat(2000));
        assert!(out.len <= out.buffer.len());
    }
}
