//! Points in time, in milliseconds.

use std::fmt;
use std::time::Duration;

/// A point in time: milliseconds since the Unix epoch, or since any fixed moment if the clock is monotonic.
///
/// Which of the two is the owner's business; points of different clocks must not meet. Arithmetic saturates, so a
/// client's absurd deadline becomes the end of time instead of wrapping into the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl Millis {
    /// Later than, or equal to, every point in time.
    pub const MAX: Millis = Millis(i64::MAX);
    /// Earlier than, or equal to, every point in time.
    pub const MIN: Millis = Millis(i64::MIN);

    /// The point `seconds` after the clock's zero.
    pub const fn from_secs(seconds: i64) -> Self {
        Millis(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the clock's zero, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The point `ms` milliseconds later (earlier if negative).
    #[must_use]
    pub const fn saturating_add(self, ms: i64) -> Self {
        Millis(self.0.saturating_add(ms))
    }

    /// The point `ms` milliseconds earlier (later if negative).
    #[must_use]
    pub const fn saturating_sub(self, ms: i64) -> Self {
        Millis(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `earlier` to this point; negative if it is the other way round.
    pub const fn since(self, earlier: Millis) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long to wait from here until `later`; nothing if that has passed.
    pub const fn until(self, later: Millis) -> Duration {
        let ms = later.since(self);
        Duration::from_millis(if ms > 0 { ms as u64 } else { 0 })
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Millis::MAX.saturating_add(1), Millis::MAX);
        assert_eq!(Millis::MIN.saturating_sub(1), Millis::MIN);
        assert_eq!(Millis::MAX.since(Millis::MIN), i64::MAX);
        assert_eq!(Millis::from_secs(i64::MAX), Millis::MAX);
        assert_eq!(Millis(-1).as_secs(), -1);
        assert_eq!(Millis(5).until(Millis(3)), Duration::ZERO);
        assert_eq!(Millis(3).until(Millis(5)), Duration::from_millis(2));
    }
}
