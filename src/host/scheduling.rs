//! Who goes first where the processor is short.
//!
//! A child that writes a snapshot, and a thread that syncs a file, want all the processor time there is; the thread that
//! serves wants little, but at once. Where they share a core, and none is free, the system gives each of them some
//! milliseconds in turn, and clients wait for the end of every one. Work in the background is therefore *nice*
//! (setpriority(2)): it stands back for whoever serves, and has the whole core while nobody does. With five steps it still
//! gets a quarter of a core that is never idle, so a snapshot ends in any case.
#![allow(unsafe_code)]

/// By how many steps work in the background stands back.
const STEPS: libc::c_int = 5;

/// Lets this thread, or this process if it has only one, stand back for others. Never fails: it would work all the same.
#[cfg(target_os = "linux")]
pub fn stand_back() {
    // SAFETY: both only read and set a number of the caller's. On Linux that is the thread, though POSIX says the process.
    unsafe {
        let now = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, now + STEPS);
    }
}

/// Elsewhere a thread cannot be told apart from those that serve.
#[cfg(not(target_os = "linux"))]
pub fn stand_back() {}
