//! Floating-point numbers as text: what C's `strtod` and `strtold` accept, and rounding to so many bits.
//!
//! Redis hands clients' numbers to the C library, so a score may be `1e3`, `.5`, `5.`, `0x1.8p3`, `+inf` or
//! `Infinity`. Both the 64-bit and the 80-bit kind read the same texts; only how the value is rounded differs.

use num_bigint::BigUint;

/// A number taken apart but not evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal<'a> {
    pub(super) negative: bool,
    pub(super) body: Body<'a>,
}

/// What follows the sign.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    Infinity,
    Decimal(Digits<'a>),
    Hexadecimal(Digits<'a>),
}

/// Digits before and behind the point, at least one, and the exponent: a power of ten, or of two if hexadecimal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits<'a> {
    pub(super) whole: &'a [u8],
    pub(super) fraction: &'a [u8],
    pub(super) exponent: i64,
}

/// Exponents beyond this are as good as infinite; far enough from `i64`'s ends to add the length of any text.
const HUGE_EXPONENT: i64 = i64::MAX / 4;

impl<'a> Literal<'a> {
    /// Takes `text` apart, the whole of it, without spaces. Not-a-number is no number here: Redis refuses it everywhere.
    pub(super) fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let body = match rest {
            [b'0', b'x' | b'X', rest @ ..] => Body::Hexadecimal(Digits::read(rest, u8::is_ascii_hexdigit, b'p')?),
            [b'i' | b'I', ..] => read_infinity(rest)?,
            _ => Body::Decimal(Digits::read(rest, u8::is_ascii_digit, b'e')?),
        };
        Some(Literal { negative, body })
    }
}

fn read_infinity<'a>(text: &[u8]) -> Option<Body<'a>> {
    let known = text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity");
    known.then_some(Body::Infinity)
}

impl<'a> Digits<'a> {
    /// Reads digits with an optional point among them and an optional exponent behind `marker`.
    fn read(text: &'a [u8], is_digit: impl Fn(&u8) -> bool, marker: u8) -> Option<Self> {
        let run = |text: &[u8]| text.iter().position(|byte| !is_digit(byte)).unwrap_or(text.len());
        let (whole, rest) = text.split_at(run(text));
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => rest.split_at(run(rest)),
            _ => (&rest[..0], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [found, rest @ ..] if found.eq_ignore_ascii_case(&marker) => read_exponent(rest)?,
            _ => return None,
        };
        Some(Digits {
            whole,
            fraction,
            exponent,
        })
    }

    /// Whether all digits are zero.
    pub(super) fn is_zero(&self) -> bool {
        self.whole.iter().chain(self.fraction).all(|&digit| digit == b'0')
    }

    /// The digits without a point as an integer, leading zeros stripped. O(digits²) if there are many.
    pub(super) fn integer(&self, radix: u32) -> BigUint {
        let digits = [self.whole, self.fraction].concat();
        BigUint::parse_bytes(&digits, radix).unwrap_or_default()
    }
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + i64::from(digit - b'0')).min(HUGE_EXPONENT / 10);
    }
    Some(if negative { -value } else { value })
}

/// A binary floating-point format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// Bits of the fraction, the leading one included; at most 64.
    pub(super) precision: u32,
    /// The exponent of the lowest bit of the smallest subnormal number.
    pub(super) lowest: i64,
    /// The exponent of the lowest bit of the largest finite number.
    pub(super) highest: i64,
}

/// A rounded number: `fraction` × 2^`exponent`, with the fraction's bits all in use unless the number is subnormal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounded {
    Finite { fraction: u64, exponent: i64 },
    Overflow,
}

impl Format {
    /// Rounds `value` × 2^`exponent` to the nearest number of this format, to an even fraction from half-way.
    ///
    /// The lowest bit of `value` may stand for any number of lower bits that are not all zero (it is *sticky*), provided
    /// that it is at least two bits below the precision.
    pub(super) fn round(&self, value: u128, exponent: i64) -> Rounded {
        if value == 0 {
            return Rounded::Finite {
                fraction: 0,
                exponent: self.lowest,
            };
        }
        let bits = i64::from(u128::BITS - value.leading_zeros());
        let kept = (exponent + bits - i64::from(self.precision)).max(self.lowest);
        let (mut fraction, mut exponent) = (shift_rounding(value, exponent - kept), kept);
        if fraction >> self.precision != 0 {
            fraction >>= 1;
            exponent += 1;
        }
        if exponent > self.highest {
            return Rounded::Overflow;
        }
        Rounded::Finite {
            fraction: fraction as u64,
            exponent,
        }
    }

    /// The same for a value of any size.
    pub(super) fn round_big(&self, value: &BigUint, exponent: i64) -> Rounded {
        let excess = value.bits().saturating_sub(127);
        let top = value >> excess;
        let sticky = excess > 0 && value.trailing_zeros().is_some_and(|zeros| zeros < excess);
        let top = top
            .iter_u64_digits()
            .rev()
            .fold(0, |high: u128, digit| high << 64 | u128::from(digit));
        self.round(top | u128::from(sticky), exponent + excess as i64)
    }
}

/// `value` × 2^`left`, rounded to the nearest integer, from half-way to an even one.
pub(super) fn shift_rounding(value: u128, left: i64) -> u128 {
    if left >= 0 {
        return value << left;
    }
    let right = left.unsigned_abs();
    if right > 128 {
        return 0;
    }
    let (whole, rest) = if right == 128 {
        (0, value)
    } else {
        (value >> right, value & ((1 << right) - 1))
    };
    let half = 1 << (right - 1);
    let up = rest > half || (rest == half && whole & 1 == 1);
    whole + u128::from(up)
}
