//! The 24-bit access clock of an entry: least recently used, or least frequently used, as Redis keeps them.
//!
//! Under an LRU policy the clock is the second of the last access, modulo 2^24 (194 days). Under an LFU policy the low
//! 8 bits are a logarithmic counter of accesses and the high 16 the minute it was last decayed.

use crate::timer::Millis;

/// Which of the two clocks the policy keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockMode {
    #[default]
    Lru,
    Lfu,
}

/// The counter new keys start with, so that they are not the first to go.
const LFU_INIT: u32 = 5;
const LRU_MASK: i64 = (1 << 24) - 1;

/// What the present tick writes into the clock of an accessed key.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessClock {
    pub mode: ClockMode,
    now: Millis,
    pub log_factor: u32,
    /// Minutes for the counter to fall by one; 0: it never does.
    pub decay_minutes: u32,
}

impl AccessClock {
    pub fn new(mode: ClockMode, now: Millis, log_factor: u32, decay_minutes: u32) -> Self {
        AccessClock {
            mode,
            now,
            log_factor,
            decay_minutes,
        }
    }

    pub fn set_now(&mut self, now: Millis) {
        self.now = now;
    }

    fn seconds(&self) -> u32 {
        (self.now.as_secs() & LRU_MASK) as u32
    }

    fn minutes(&self) -> u32 {
        ((self.now.as_secs() / 60) & 0xffff) as u32
    }

    /// The clock of a key made now.
    #[inline]
    pub fn fresh(&self) -> u32 {
        match self.mode {
            ClockMode::Lru => self.seconds(),
            ClockMode::Lfu => self.minutes() << 8 | LFU_INIT,
        }
    }

    /// The clock after an access. `random` is any 32 bits.
    #[inline]
    pub fn touched(&self, clock: u32, random: impl FnOnce() -> u32) -> u32 {
        match self.mode {
            ClockMode::Lru => self.seconds(),
            ClockMode::Lfu => self.minutes() << 8 | self.incremented(self.frequency(clock), random()),
        }
    }

    /// The counter grows by one with probability 1 / (excess × log factor + 1), and never past 255.
    fn incremented(&self, counter: u32, random: u32) -> u32 {
        if counter >= 255 {
            return 255;
        }
        let excess = f64::from(counter.saturating_sub(LFU_INIT));
        let chance = 1.0 / (excess * f64::from(self.log_factor) + 1.0);
        counter + u32::from(f64::from(random) / f64::from(u32::MAX) < chance)
    }

    /// The access counter under LFU, decayed to now (`OBJECT FREQ`).
    pub fn frequency(&self, clock: u32) -> u32 {
        let counter = clock & 0xff;
        if self.decay_minutes == 0 {
            return counter;
        }
        let elapsed = self.minutes().wrapping_sub(clock >> 8) & 0xffff;
        counter.saturating_sub(elapsed / self.decay_minutes)
    }

    /// Milliseconds since the last access under LRU (`OBJECT IDLETIME`).
    pub fn idle_ms(&self, clock: u32) -> i64 {
        i64::from(self.seconds().wrapping_sub(clock) & LRU_MASK as u32) * 1000
    }

    /// The clock of a key that was last accessed so many seconds ago.
    pub fn idle_since(&self, seconds: i64) -> u32 {
        (i64::from(self.seconds()).wrapping_sub(seconds) & LRU_MASK) as u32
    }

    /// The clock of a key with this access counter now.
    pub fn with_frequency(&self, frequency: u8) -> u32 {
        self.minutes() << 8 | u32::from(frequency)
    }

    /// How good a candidate for eviction a key is: larger goes first.
    pub fn eviction_rank(&self, clock: u32) -> i64 {
        match self.mode {
            ClockMode::Lru => self.idle_ms(clock),
            ClockMode::Lfu => i64::from(255 - self.frequency(clock)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lru_counts_idle_seconds_across_the_wrap() {
        let at = |s: i64| AccessClock::new(ClockMode::Lru, Millis(s * 1000), 10, 1);
        let clock = at((1 << 24) - 5).fresh();
        assert_eq!(at((1 << 24) + 10).idle_ms(clock), 15_000);
    }

    #[test]
    fn lfu_decays_a_minute_at_a_time_and_saturates() {
        let at = |m: i64| AccessClock::new(ClockMode::Lfu, Millis(m * 60_000), 0, 1);
        let mut clock = at(100).fresh();
        for _ in 0..1000 {
            clock = at(100).touched(clock, || 0);
        }
        assert_eq!(at(100).frequency(clock), 255);
        assert_eq!(at(110).frequency(clock), 245);
        assert_eq!(at(1000).frequency(clock), 0);
    }
}
