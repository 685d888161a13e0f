//! `math.random`'s numbers: the sequence of C's `lrand48`, the same on every machine for the same seed.

use std::cell::Cell;

const MULTIPLIER: u64 = 0x5DEE_CE66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// One more than the largest number.
pub const RANGE: u32 = 1 << 31;

/// A generator of 31-bit numbers.
pub struct Random(Cell<u64>);

impl Default for Random {
    fn default() -> Self {
        let random = Random(Cell::new(0));
        random.seed(0x1234_ABCD);
        random
    }
}

impl Random {
    pub fn seed(&self, seed: i32) {
        self.0.set(u64::from(seed as u32) << 16 | 0x330E);
    }

    pub fn next(&self) -> u32 {
        let state = self.0.get().wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        self.0.set(state);
        (state >> 17) as u32
    }

    /// A number from 0 up to but not including 1.
    pub fn fraction(&self) -> f64 {
        f64::from(self.next() % (RANGE - 1)) / f64::from(RANGE - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_lrand48() {
        let random = Random::default();
        random.seed(1);
        let first = [random.next(), random.next(), random.next()];
        assert_eq!(first, [89_400_484, 976_015_093, 1_792_756_325]);
    }
}
