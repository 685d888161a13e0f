//! Time for measuring, at the price of an instruction.
//!
//! Every command is timed (SLOWLOG, LATENCY, INFO commandstats). Asking the system twice a request would cost as much as
//! a small GET does, so where the processor has a steady cycle counter that is read instead, and scaled with what the
//! system's clock says from time to time.

use std::time::Instant;

use crate::processor;

/// A reading of the counter; only differences mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(u64);

impl Ticks {
    pub fn since(self, earlier: Ticks) -> Ticks {
        Ticks(self.0.saturating_sub(earlier.0))
    }
}

/// Converts counter readings to nanoseconds.
pub struct Stopwatch {
    origin: Instant,
    first: Ticks,
    /// Nanoseconds a tick, as a 32.32 fixed-point number.
    scale: u64,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::start()
    }
}

impl Stopwatch {
    /// Starts with a rough scale (a fraction of a millisecond of measuring); [`Stopwatch::calibrate`] sharpens it.
    pub fn start() -> Self {
        let mut watch = Stopwatch {
            origin: Instant::now(),
            first: Self::read(),
            scale: 1 << 32,
        };
        while watch.origin.elapsed().as_micros() < 200 {}
        watch.calibrate();
        watch
    }

    /// Reads the counter.
    #[inline]
    pub fn read() -> Ticks {
        Ticks(processor::counter())
    }

    /// Measures the counter's rate over all the time since the start. Called once a second or so.
    pub fn calibrate(&mut self) {
        let ticks = Self::read().since(self.first).0;
        let nanos = self.origin.elapsed().as_nanos();
        if ticks > 0 {
            self.scale = ((nanos << 32) / u128::from(ticks)) as u64;
        }
    }

    #[inline]
    pub fn nanos(&self, ticks: Ticks) -> u64 {
        ((u128::from(ticks.0) * u128::from(self.scale)) >> 32) as u64
    }

    /// Microseconds since the start.
    pub fn micros(&self) -> u64 {
        self.nanos(Self::read().since(self.first)) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_system() {
        let watch = Stopwatch::start();
        let (start, ticks) = (Instant::now(), Stopwatch::read());
        while start.elapsed().as_millis() < 20 {}
        let measured = watch.nanos(Stopwatch::read().since(ticks));
        let real = start.elapsed().as_nanos() as u64;
        assert!(measured.abs_diff(real) < real / 4, "{measured} {real}");
    }
}
