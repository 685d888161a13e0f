//! Who goes first where the processor is short.
//!
//! A child that writes a snapshot, and a thread that syncs a file, want all the processor time there is; the thread that
//! serves wants little, but at once. Where they share a core, and none is free, the system gives each of them some
//! milliseconds in turn, and clients wait for the end of every one. Work in the background is therefore *nice*
//! (setpriority(2)): it stands back for whoever serves, and has the whole core while nobody does. With five steps it still
//! gets a quarter of a core that is never idle, so a snapshot ends in any case.
//!
//! Niceness counts for nothing under a real-time policy (sched(7)), which some give to a server that must answer at once.
//! Children and threads inherit it, and one that computes for half a second is not interrupted for anybody of the same
//! priority; so background work leaves it first.
//!
//! What is in no hurry at all has the idle policy: it runs while nobody else wants the core, and is interrupted at once.
#![allow(unsafe_code)]

/// By how many steps work in the background stands back.
#[cfg(target_os = "linux")]
const STEPS: libc::c_int = 5;

/// Lets this thread, or this process if it has only one, stand back for others. Never fails: it would work all the same.
#[cfg(target_os = "linux")]
pub fn stand_back() {
    if matches!(policy(), libc::SCHED_FIFO | libc::SCHED_RR) {
        set_policy(libc::SCHED_OTHER, 0);
    }
    // SAFETY: both only read and set a number of the caller's. On Linux that is the thread, though POSIX says the process.
    unsafe {
        let now = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, now + STEPS);
    }
}

/// Lets this thread run only while no other wants the processor. Never fails: it would work all the same.
#[cfg(target_os = "linux")]
pub fn stand_back_for_all() {
    set_policy(libc::SCHED_IDLE, 0);
}

/// This thread's policy. The kernel itself is asked: musl's function of that name only fails.
#[cfg(target_os = "linux")]
fn policy() -> libc::c_int {
    // SAFETY: it reads a number of this thread's.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    policy as libc::c_int
}

/// Sets this thread's policy and its priority under that. May fail, for users who may not.
#[cfg(target_os = "linux")]
fn set_policy(policy: libc::c_int, priority: libc::c_int) {
    // The kernel's `struct sched_param` holds the priority and nothing else.
    // SAFETY: it sets numbers of this thread's, and reads one that lives until then.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
}

/// Gives this thread, and those it will start, a table of descriptors of its own that holds the standard ones only.
///
/// Where several threads share a table, the system counts at every call which of them use a descriptor, so that none
/// closes it under another: two atomic operations for each `recv`, `send` and `epoll_wait` of the thread that serves,
/// also while the other sleeps. With a table of its own the thread that serves pays none.
/// Never fails: where the system does not know how (Linux before 5.9), the table stays shared.
///
/// What the thread would write elsewhere than to the standard output is lost: the report of a crash of its own to a log file.
#[cfg(target_os = "linux")]
pub fn leave_descriptors() {
    // SAFETY: it closes what this thread alone can name from then on; the others keep theirs.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            libc::STDERR_FILENO + 1,
            u32::MAX,
            libc::CLOSE_RANGE_UNSHARE,
        );
    }
}

/// Elsewhere a process has one table.
#[cfg(not(target_os = "linux"))]
pub fn leave_descriptors() {}

/// Elsewhere a thread cannot be told apart from those that serve.
#[cfg(not(target_os = "linux"))]
pub fn stand_back_for_all() {}

/// Elsewhere a thread cannot be told apart from those that serve.
#[cfg(not(target_os = "linux"))]
pub fn stand_back() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn niceness() -> libc::c_int {
        // SAFETY: it reads a number.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[test]
    fn background_work_is_nicer_and_leaves_a_real_time_policy() {
        let asks = std::thread::spawn(|| {
            let before = niceness();
            set_policy(libc::SCHED_FIFO, 1); // fails for users who may not, and the thread is an ordinary one then
            stand_back();
            assert_eq!(policy(), libc::SCHED_OTHER);
            assert_eq!(niceness(), (before + STEPS).min(19));
        });
        asks.join().expect("a thread that stands back");
    }

    #[test]
    fn a_thread_that_leaves_its_descriptors_closes_nobodys() {
        use std::io::Read;
        use std::os::fd::AsRawFd;
        let mut file = std::fs::File::open("/proc/self/stat").expect("a file");
        let path = format!("/proc/thread-self/fd/{}", file.as_raw_fd());
        let is_known = std::thread::spawn({
            let path = path.clone();
            move || {
                leave_descriptors();
                std::fs::exists(path).expect("the thread's descriptors")
            }
        });
        assert!(!is_known.join().expect("the thread"));
        assert!(std::fs::exists(path).expect("this thread's descriptors"));
        assert!(file.read_to_end(&mut Vec::new()).expect("a file still open") > 0);
    }
}
