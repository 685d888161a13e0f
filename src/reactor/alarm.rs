//! Waking at a moment, to the fraction of a millisecond.
//!
//! The timeout of `epoll_wait` is in whole milliseconds, and one that must not end too early is rounded up: a thousand keys that
//! expire at 12:00:00.000 would go up to a millisecond later, by lot. A timer with a descriptor of its own (timerfd_create(2))
//! has nanoseconds, and rings as one more event of the poll. Where the system has none, the timeout does.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

use crate::timer::Millis;

#[cfg(target_os = "linux")]
mod timer {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };

    pub struct Timer(OwnedFd);

    impl Timer {
        pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // Edges: each time it rings is an event, though nobody reads how often it has.
            registry.register(&mut SourceFd(&descriptor.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Timer(descriptor))
        }

        /// Rings once, so far from now; what it was set to before does not count any more.
        pub fn set(&self, left: Duration) -> io::Result<()> {
            // Zero would mean never.
            let left = left.max(Duration::from_nanos(1));
            let time = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: left.as_secs() as i64,
                    tv_nsec: i64::from(left.subsec_nanos()),
                },
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &time)?;
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::io;
    use std::time::Duration;

    use mio::{Registry, Token};

    pub struct Timer;

    impl Timer {
        pub fn new(_: &Registry, _: Token) -> io::Result<Self> {
            Ok(Timer)
        }

        pub fn set(&self, _: Duration) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

pub struct Alarm {
    timer: timer::Timer,
    /// The deadline that it will ring for.
    set_for: Option<Millis>,
}

impl Alarm {
    /// # Errors
    /// What the system says, out of descriptors most likely.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Alarm {
            timer: timer::Timer::new(registry, token)?,
            set_for: None,
        })
    }

    /// Has the poll end at the deadline, which is `left` from now. False if that cannot be had.
    pub fn set(&mut self, deadline: Millis, left: Duration) -> bool {
        // A tick is more frequent than a new deadline, and setting costs a call of the system.
        if self.set_for == Some(deadline) {
            return true;
        }
        let is_set = self.timer.set(left).is_ok();
        self.set_for = is_set.then_some(deadline);
        is_set
    }

    /// It has rung.
    pub fn rang(&mut self) {
        self.set_for = None;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Instant;

    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn it_rings_once_for_each_time_it_is_set() {
        let (token, mut events) = (Token(7), Events::with_capacity(8));
        let mut poll = Poll::new().expect("a poll");
        let mut alarm = Alarm::new(poll.registry(), token).expect("a timer");
        for deadline in 1..4 {
            let (began, left) = (Instant::now(), Duration::from_micros(300));
            assert!(alarm.set(Millis(deadline), left));
            assert!(
                alarm.set(Millis(deadline), Duration::from_secs(3600)),
                "it is set already"
            );
            poll.poll(&mut events, Some(Duration::from_secs(60))).expect("a poll");
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [token]);
            assert!(began.elapsed() >= left);
            alarm.rang();
            poll.poll(&mut events, Some(Duration::ZERO)).expect("a poll");
            assert!(events.is_empty(), "it rings once");
        }
    }
}
