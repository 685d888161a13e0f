//! From registers to an estimate.
//!
//! This is the improved raw estimator of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
//! (2017, arXiv:1702.01284), algorithm 6, which needs no tables and no corrections for small or large counts. It looks at
//! the registers only through a histogram of their numbers.

use super::{NUMBER_BITS, REGISTERS};

/// How many registers have each number. Numbers above 51 come from no element and do not count, but anyone may have
/// written them.
pub struct Histogram([u32; 64]);

impl Default for Histogram {
    fn default() -> Self {
        Histogram([0; 64])
    }
}

impl Histogram {
    #[inline]
    pub fn add(&mut self, number: u8, registers: usize) {
        self.0[usize::from(number)] += registers as u32;
    }

    pub fn cardinality(&self) -> u64 {
        /// 1 / (2 ln 2), with the digits Redis has.
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        let registers = REGISTERS as f64;
        let share = |number: usize| f64::from(self.0[number]) / registers;
        let highest = NUMBER_BITS as usize + 1;
        let mut sum = registers * tau((registers - f64::from(self.0[highest])) / registers);
        for number in (1..highest).rev() {
            sum = (sum + f64::from(self.0[number])) * 0.5;
        }
        sum += registers * sigma(share(0));
        let estimate = (ALPHA * registers * registers / sum).round();
        // Only registers that no element made can bring this about. Redis then gets what the processor gives for a float
        // that is no integer, and so do we, since the reply shows it.
        if estimate.is_finite() { estimate as u64 } else { 1 << 63 }
    }
}

/// The sum of `x^(2^k) * 2^(k-1)` over all k from 1 on, and `x` before it: what the registers that are still zero add.
fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (x, 1.0, x);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// A third of `1 - x` less the sum of `(1 - x^(2^-k))^2 * 2^-k` over all k from 1 on: what the registers that cannot get any
/// higher add.
fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (x, 1.0, 1.0 - x);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}
