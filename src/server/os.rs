//! What the operating system knows about this process and its machine, for INFO and TIME.
//!
//! Nothing here fails: a figure the system does not give reads as zero, since INFO must answer whatever happens.
#![allow(unsafe_code)]

use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock in microseconds since 1970. TIME is about this clock, not about the tick's.
pub fn unix_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Name, release and machine of the system, as `uname -srm` prints them.
pub fn system_name() -> String {
    let uname = rustix::system::uname();
    let parts = [uname.sysname(), uname.release(), uname.machine()];
    parts.map(|part| part.to_string_lossy()).join(" ")
}

/// Bytes of memory the machine has.
pub fn installed_memory() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        info.totalram * u64::from(info.mem_unit)
    }
    #[cfg(not(target_os = "linux"))]
    0
}

/// Bytes of this process that are in memory; `None` where the system has no `/proc`.
pub fn resident_memory() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

/// Seconds of processor time, in the kernel and in the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    pub system: f64,
    pub user: f64,
}

/// Whose processor time is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    Process,
    /// Children that have ended.
    Children,
    /// The calling thread; the whole process where the system does not tell threads apart.
    Thread,
}

impl CpuTime {
    pub fn of(whose: Whose) -> CpuTime {
        let who = match whose {
            Whose::Process => libc::RUSAGE_SELF,
            Whose::Children => libc::RUSAGE_CHILDREN,
            #[cfg(target_os = "linux")]
            Whose::Thread => libc::RUSAGE_THREAD,
            #[cfg(not(target_os = "linux"))]
            Whose::Thread => libc::RUSAGE_SELF,
        };
        // SAFETY: `rusage` is plain numbers, for which zeros are valid; getrusage writes to the live struct it is given.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            if libc::getrusage(who, &raw mut usage) != 0 {
                return CpuTime::default();
            }
            usage
        };
        CpuTime {
            system: seconds(usage.ru_stime),
            user: seconds(usage.ru_utime),
        }
    }
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_answers() {
        assert!(unix_micros() > 1_700_000_000_000_000);
        assert_eq!(system_name().split(' ').count(), 3);
        let burnt = CpuTime::of(Whose::Process);
        assert!(burnt.system + burnt.user > 0.0);
        if cfg!(target_os = "linux") {
            assert!(resident_memory().is_some_and(|bytes| bytes > 1 << 20));
            assert!(installed_memory() > 1 << 26);
        }
    }
}
