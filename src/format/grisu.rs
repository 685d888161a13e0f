//! The digits of a double: Grisu2, from Florian Loitsch's "Printing Floating-Point Numbers Quickly and Accurately with
//! Integers" (PLDI 2010).
//!
//! Redis has printed doubles with this algorithm since 7.2, and nothing else gives its bytes: Grisu2 computes with
//! 64-bit approximations of powers of ten, so what it prints always reads back as the same double, but about once in
//! a thousand it is a digit longer than need be or not the closest of its length (`11.8696218` comes out as
//! `11.869621799999999`). A newer, exact algorithm would print those differently from Redis.
//!
//! The idea: every double stands for an interval, up to the middle of the gap to either neighbour. Scale value and
//! interval by a power of ten until the exponent is handy for integer arithmetic, write down digits of the upper end
//! until what is left falls inside the interval, then step the last digit down towards the value itself.

use num_bigint::BigUint;
use std::sync::LazyLock;

/// The most digits a double needs, with one to spare for Grisu2's imprecision.
pub(super) const MAX_DIGITS: usize = 18;

/// A positive decimal number: `digits` × 10^`exponent`, its first digit not zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: [u8; MAX_DIGITS],
    len: usize,
    pub(super) exponent: i32,
}

impl Decimal {
    /// The digits as ASCII.
    pub(super) fn digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    fn push(&mut self, digit: u32) {
        self.digits[self.len] = b'0' + digit as u8;
        self.len += 1;
    }
}

/// A number `fraction` × 2^`exponent` with 64 bits of precision; normalised if the highest bit is set.
#[derive(Clone, Copy, Debug)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

impl Scaled {
    fn normalised(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Scaled {
            fraction: self.fraction << shift,
            exponent: self.exponent - shift as i32,
        }
    }

    /// The product, rounded to 64 bits.
    fn times(self, other: Scaled) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction);
        Scaled {
            fraction: ((product + (1 << 63)) >> 64) as u64,
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// A finite double and the ends of the interval that reads back as it. All three have the same exponent.
struct Interval {
    low: Scaled,
    value: Scaled,
    high: Scaled,
}

impl Interval {
    fn of(value: f64) -> Self {
        const HIDDEN_BIT: u64 = 1 << 52;
        let bits = value.to_bits();
        let (stored, biased) = (bits & (HIDDEN_BIT - 1), (bits >> 52 & 0x7ff) as i32);
        let (fraction, exponent) = if biased == 0 {
            (stored, -1074)
        } else {
            (stored | HIDDEN_BIT, biased - 1075)
        };

        let high = Scaled {
            fraction: fraction * 2 + 1,
            exponent: exponent - 1,
        }
        .normalised();
        // Below a power of two the neighbours are twice as dense.
        let low_bits = if fraction == HIDDEN_BIT { 2 } else { 1 };
        let low = (fraction << low_bits) - 1;
        Interval {
            low: Scaled {
                fraction: low << (exponent - low_bits - high.exponent),
                exponent: high.exponent,
            },
            value: Scaled { fraction, exponent }.normalised(),
            high,
        }
    }

    /// Multiplies by a power of ten and draws the ends in by the error that makes.
    fn times(&self, power: Scaled) -> Self {
        let (mut low, mut high) = (self.low.times(power), self.high.times(power));
        low.fraction += 1;
        high.fraction -= 1;
        Interval {
            low,
            value: self.value.times(power),
            high,
        }
    }
}

/// The powers of ten in use: every eighth from 10^-348 to 10^340, enough to scale any double.
const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;
const POWERS: i32 = 87;

/// The least exponent of a scaled number. It leaves a digit above the point; the next power of ten in use is 27 bits
/// further, so there are never more than 32 bits above it.
const LEAST_EXPONENT: i32 = -60;

/// All powers in use, to the nearest 64 bits. Computed at the first use, in a fraction of a millisecond.
static POWERS_OF_TEN: LazyLock<Vec<Scaled>> =
    LazyLock::new(|| (0..POWERS).map(|index| power_of_ten(power(index))).collect());

/// The decimal exponent of the power number `index`.
const fn power(index: i32) -> i32 {
    FIRST_POWER + index * POWER_STEP
}

/// 10^`exponent`, rounded to 64 bits.
fn power_of_ten(exponent: i32) -> Scaled {
    let ten_to_the = BigUint::from(10u8).pow(exponent.unsigned_abs());
    let bits = ten_to_the.bits() as i32;
    // One bit more than is kept, to round by.
    let (wide, scale) = if exponent >= 0 {
        (ten_to_the << 65u32 >> bits, bits - 65)
    } else {
        ((BigUint::from(1u8) << (bits + 64)) / ten_to_the, -(bits + 64))
    };
    let wide = wide
        .iter_u64_digits()
        .rev()
        .fold(0u128, |high, digit| high << 64 | u128::from(digit));
    Scaled {
        fraction: ((wide + 1) >> 1) as u64,
        exponent: scale + 1,
    }
}

/// The first power that brings a number of this binary exponent to [`LEAST_EXPONENT`] or above, and its decimal exponent.
fn scaling_power(exponent: i32) -> (Scaled, i32) {
    /// log10(2) × 2^20, close enough for all exponents of doubles.
    const LOG_2: i32 = 315_653;
    // 10^k has the exponent floor(k × log2(10)) - 63, and a product has that of its factors and 64 more.
    let missing = LEAST_EXPONENT - 1 - exponent;
    let least = ((missing * LOG_2) >> 20) + i32::from(missing != 0);
    let index = (least - FIRST_POWER + POWER_STEP - 1) / POWER_STEP;
    (POWERS_OF_TEN[index as usize], power(index))
}

/// The digits of a finite double other than zero; the sign is ignored.
pub(super) fn digits(value: f64) -> Decimal {
    let interval = Interval::of(value);
    let (power, exponent) = scaling_power(interval.high.exponent);
    generate(&interval.times(power), -exponent)
}

/// Writes digits of the interval's upper end until the rest lies inside the interval.
fn generate(interval: &Interval, exponent: i32) -> Decimal {
    let point = -interval.high.exponent as u32;
    let below_point = (1 << point) - 1;
    let mut inside = interval.high.fraction - interval.low.fraction;
    let mut to_value = interval.high.fraction - interval.value.fraction;
    let mut whole = (interval.high.fraction >> point) as u32;
    let mut rest = interval.high.fraction & below_point;
    let mut decimal = Decimal {
        digits: [0; MAX_DIGITS],
        len: 0,
        exponent,
    };

    for place in (0..=whole.ilog10()).rev() {
        let unit = 10u32.pow(place);
        decimal.push(whole / unit);
        whole %= unit;
        let left = (u64::from(whole) << point) + rest;
        if left <= inside {
            decimal.exponent += place as i32;
            approach(&mut decimal, left, inside, to_value, u64::from(unit) << point);
            return decimal;
        }
    }
    loop {
        rest *= 10;
        inside *= 10;
        to_value *= 10;
        decimal.push((rest >> point) as u32);
        rest &= below_point;
        decimal.exponent -= 1;
        if rest < inside {
            approach(&mut decimal, rest, inside, to_value, 1 << point);
            return decimal;
        }
    }
}

/// Steps the last digit down while that brings the number closer to the value and keeps it in the interval.
///
/// All arguments are distances below the interval's upper end: of the digits written, of the interval's lower end, of
/// the value, and that of one step.
fn approach(decimal: &mut Decimal, mut left: u64, inside: u64, to_value: u64, step: u64) {
    let closer = |left: u64| left + step < to_value || to_value - left > left + step - to_value;
    while left < to_value && inside - left >= step && closer(left) {
        decimal.digits[decimal.len - 1] -= 1;
        left += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaling_power_is_the_first_that_suffices() {
        for exponent in -1137..=960 {
            let (scale, ten_to_the) = scaling_power(exponent);
            let scaled = exponent + scale.exponent + 64;
            assert!((LEAST_EXPONENT..=-32).contains(&scaled), "{exponent}");
            let first = POWERS_OF_TEN.partition_point(|power| exponent + power.exponent + 64 < LEAST_EXPONENT);
            assert_eq!(ten_to_the, power(first as i32), "{exponent}");
        }
    }

    #[test]
    fn powers_of_ten_are_normalised_and_exact_while_they_fit() {
        assert!(POWERS_OF_TEN.iter().all(|power| power.fraction >> 63 == 1));
        for exponent in 0..=19 {
            let expected = Scaled {
                fraction: 10u64.pow(exponent),
                exponent: 0,
            }
            .normalised();
            let power = power_of_ten(exponent as i32);
            assert_eq!((power.fraction, power.exponent), (expected.fraction, expected.exponent));
        }
    }
}
