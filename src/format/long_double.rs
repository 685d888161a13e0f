//! The `long double` of C on x86: `INCRBYFLOAT` and `HINCRBYFLOAT` count in it.
//!
//! Redis does these two commands in the widest type the C compiler has, on x86 the 80-bit format of the x87 unit: a
//! sign, a fraction of 64 bits and an exponent of 15. What clients see of that is, for one, `0.1` + `0.2` = `0.3`: the
//! error of the sum is beyond the 17 decimals printed. A double would answer `0.30000000000000004`. Rust has
//! no such type, so this is its arithmetic in software: parse, add, print, each rounded to nearest, ties to even.

use super::float_text::{Body, Digits, Format, Literal, Rounded, shift_rounding};
use num_bigint::BigUint;
use std::ops::{Add, RangeInclusive};

/// The x87 format.
const FORMAT: Format = Format {
    precision: 64,
    lowest: -16_445,
    highest: 16_320,
};

/// Texts longer than this are refused, as Redis copies them to a buffer of fixed size.
const MAX_TEXT: usize = 5 * 1024 - 1;

/// Decimals printed.
const DECIMALS: u32 = 17;

/// Powers of ten that can make a number in range of up to [`MAX_TEXT`] digits.
const DECIMAL_EXPONENTS: RangeInclusive<i64> = -4951 - MAX_TEXT as i64..=4932;

/// An 80-bit floating-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotANumber,
    Infinite { negative: bool },
    Finite(Finite),
}

/// `fraction` × 2^`exponent`. The highest bit of the fraction is set unless the number is subnormal or zero, and
/// then the exponent is the lowest there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Finite {
    negative: bool,
    fraction: u64,
    exponent: i32,
}

impl LongDouble {
    /// Parses what C's `strtold` accepts: the whole of `text`, no leading space, not NaN, at most 5119 bytes.
    /// `inf` is accepted. Numbers out of range are refused, and so are those that would round to zero without being it.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let Literal { negative, body } = Literal::read(text)?;
        let rounded = match body {
            Body::Infinity => return Some(LongDouble(Kind::Infinite { negative })),
            Body::Decimal(digits) => round_decimal(&digits)?,
            Body::Hexadecimal(digits) => {
                FORMAT.round_big(&digits.integer(16), digits.exponent - 4 * digits.fraction.len() as i64)
            }
        };
        let Rounded::Finite { fraction, .. } = rounded else {
            return None;
        };
        let (Body::Decimal(digits) | Body::Hexadecimal(digits)) = body else {
            return None;
        };
        (fraction != 0 || digits.is_zero()).then(|| LongDouble::from_rounded(negative, rounded))
    }

    /// Neither infinite nor NaN.
    pub const fn is_finite(&self) -> bool {
        matches!(self.0, Kind::Finite(_))
    }

    /// The number with up to 17 decimals, without trailing zeros, never with an exponent (so up to 4951 bytes).
    /// A negative zero prints as `0`.
    pub fn to_text(&self) -> String {
        match self.0 {
            Kind::NotANumber => "nan".into(),
            Kind::Infinite { negative: false } => "inf".into(),
            Kind::Infinite { negative: true } => "-inf".into(),
            Kind::Finite(number) => number.to_text(),
        }
    }

    fn from_rounded(negative: bool, rounded: Rounded) -> LongDouble {
        match rounded {
            Rounded::Overflow => LongDouble(Kind::Infinite { negative }),
            Rounded::Finite { fraction, exponent } => LongDouble(Kind::Finite(Finite {
                negative,
                fraction,
                exponent: exponent as i32,
            })),
        }
    }
}

impl Add for LongDouble {
    type Output = LongDouble;

    /// The sum, rounded to the nearest number there is. Opposite infinities make NaN.
    fn add(self, other: LongDouble) -> LongDouble {
        match (self.0, other.0) {
            (Kind::Finite(a), Kind::Finite(b)) => a.sum(b),
            (Kind::Infinite { negative: a }, Kind::Infinite { negative: b }) if a != b => LongDouble(Kind::NotANumber),
            (Kind::NotANumber, _) | (Kind::Infinite { .. }, Kind::Finite(_) | Kind::Infinite { .. }) => self,
            (_, Kind::NotANumber) | (Kind::Finite(_), Kind::Infinite { .. }) => other,
        }
    }
}

/// Evaluates a decimal number; nothing if its exponent alone puts it out of range.
fn round_decimal(digits: &Digits) -> Option<Rounded> {
    if digits.is_zero() {
        return Some(FORMAT.round(0, 0));
    }
    let exponent = digits.exponent - digits.fraction.len() as i64;
    if let Some(rounded) = round_short_decimal(digits, exponent) {
        return Some(rounded);
    }
    let integer = digits.integer(10);
    if !DECIMAL_EXPONENTS.contains(&exponent) {
        return None;
    }
    let power = BigUint::from(10u8).pow(exponent.unsigned_abs() as u32);
    if exponent >= 0 {
        return Some(FORMAT.round_big(&(integer * power), 0));
    }
    // Enough bits for a quotient of more than 66; a remainder only says that the lowest is not exact.
    let widen = (power.bits() + 68).saturating_sub(integer.bits());
    let dividend = integer << widen;
    let mut quotient = &dividend / &power;
    let exact = &quotient * &power == dividend;
    quotient.set_bit(0, quotient.bit(0) || !exact);
    Some(FORMAT.round_big(&quotient, -(widen as i64)))
}

/// The same for a number whose digits fit 128 bits and that has few decimals, which is nearly all that are ever seen.
fn round_short_decimal(digits: &Digits, exponent: i64) -> Option<Rounded> {
    const MOST_DIGITS: usize = 38;
    if digits.whole.len() + digits.fraction.len() > MOST_DIGITS || !(-18..=0).contains(&exponent) {
        return None;
    }
    let all = digits.whole.iter().chain(digits.fraction);
    let integer = all.fold(0u128, |value, digit| value * 10 + u128::from(digit - b'0'));
    // 128 bits divided by at most 60 give a quotient of 68 or more: enough to round by.
    let widen = integer.leading_zeros();
    let (dividend, power) = (integer << widen, 10u128.pow(exponent.unsigned_abs() as u32));
    let quotient = dividend / power;
    let inexact = quotient * power != dividend;
    Some(FORMAT.round(quotient | u128::from(inexact), -i64::from(widen)))
}

impl Finite {
    fn sum(self, other: Finite) -> LongDouble {
        let (big, small) = if (self.exponent, self.fraction) >= (other.exponent, other.fraction) {
            (self, other)
        } else {
            (other, self)
        };
        // Leaves a bit above for the carry; what the smaller number has below makes the lowest bit sticky.
        const ROOM: u32 = 62;
        let distance = (big.exponent - small.exponent) as u32;
        let wide = u128::from(big.fraction) << ROOM;
        let narrow = shift_sticky(u128::from(small.fraction) << ROOM, distance);
        let exponent = i64::from(big.exponent) - i64::from(ROOM);
        if big.negative == small.negative {
            return LongDouble::from_rounded(big.negative, FORMAT.round(wide + narrow, exponent));
        }
        let difference = wide - narrow;
        // A sum of nothing is a positive zero when rounding to nearest.
        LongDouble::from_rounded(big.negative && difference != 0, FORMAT.round(difference, exponent))
    }

    fn to_text(self) -> String {
        let sign = if self.negative { "-" } else { "" };
        if self.exponent >= 0 {
            return format!("{sign}{}", BigUint::from(self.fraction) << self.exponent);
        }
        const UNIT: u128 = 10u128.pow(DECIMALS);
        // Below 2^121, and small exponents leave nothing of it.
        let scaled = shift_rounding(u128::from(self.fraction) * UNIT, i64::from(self.exponent));
        if scaled == 0 {
            return "0".into();
        }
        let (whole, decimals) = ((scaled / UNIT) as u64, (scaled % UNIT) as u64);
        let mut text = format!("{sign}{whole}");
        if decimals != 0 {
            // A one in front keeps the zeros behind the point.
            let padded = (UNIT as u64 + decimals).to_string();
            text.push('.');
            text.push_str(padded[1..].trim_end_matches('0'));
        }
        text
    }
}

/// `value` / 2^`right`, the lowest bit set if anything was cut off.
fn shift_sticky(value: u128, right: u32) -> u128 {
    if right >= u128::BITS {
        return u128::from(value != 0);
    }
    let cut = value & ((1 << right) - 1);
    value >> right | u128::from(cut != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let sum = LongDouble::parse(a.as_bytes())? + LongDouble::parse(b.as_bytes())?;
        Some(if sum.is_finite() {
            sum.to_text()
        } else {
            "out of range".into()
        })
    }

    #[test]
    fn sums_are_those_of_an_x87() {
        // Each of these sums is what servers answered to INCRBYFLOAT.
        for (a, b, want) in [
            ("0.1", "0.2", "0.3"),
            ("3.0e3", "200", "3200"),
            ("0x10", "0x.8p1", "17"),
            ("5.", ".5", "5.5"),
            ("3e-5", "-1e-30", "0.00003"),
            ("0", "-1e-30", "0"),
            ("-0", "-0", "0"),
            ("18446744073709551615", "0", "18446744073709551615"),
            ("18446744073709551617", "0", "18446744073709551616"),
            ("36893488147419103233", "1", "36893488147419103232"),
            ("1", "0x1p-63", "1"),
            ("0x1p-16445", "0", "0"),
            ("0x1.8p-16446", "0", "0"),
            ("0e99999999999999999999", "1", "1"),
            ("inf", "1", "out of range"),
            ("inf", "-inf", "out of range"),
            ("1e4932", "1e4932", "out of range"),
            ("0x1p16383", "0x1p16383", "out of range"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(want), "{a} + {b}");
            assert_eq!(sum(b, a).as_deref(), Some(want), "{b} + {a}");
        }
    }

    #[test]
    fn halves_round_to_even_at_the_64th_bit() {
        let two_to_the_63 = 1u64 << 63;
        for (whole, half, want) in [
            (two_to_the_63, "0x1p-1", two_to_the_63),
            (two_to_the_63 + 1, "0x1p-1", two_to_the_63 + 2),
            (two_to_the_63, "0x1.0000000000000000001p-1", two_to_the_63),
            (two_to_the_63, "0x1.000000000001p-1", two_to_the_63 + 1),
            (two_to_the_63 + 1, "-0x1p-1", two_to_the_63),
            (two_to_the_63 + 1, "-0x1p-200", two_to_the_63 + 1),
        ] {
            assert_eq!(
                sum(&whole.to_string(), half),
                Some(want.to_string()),
                "{whole} + {half}"
            );
        }
    }

    #[test]
    fn the_range_has_ends() {
        let largest = sum("1e4931", "9e4931").expect("in range");
        assert!(
            largest.starts_with("99999999999999999994152347579092696572945640945264707774143395401100866682909575")
        );
        assert_eq!(largest.len(), 4932);
        for bad in [
            "",
            " 1",
            "1 ",
            "1\0",
            "nan",
            "1e4933",
            "1e-4951",
            "0x1p-16446",
            "1e99999999999999999999",
            ".",
            "1e",
        ] {
            assert_eq!(sum(bad, "0"), None, "{bad}");
        }
        assert_eq!(sum("1e-4950", "0").as_deref(), Some("0"));
        let zeros = "0".repeat(MAX_TEXT - 1);
        assert_eq!(sum(&format!("{zeros}1"), "1").as_deref(), Some("2"));
        assert_eq!(sum(&format!("{zeros}01"), "1"), None);
    }

    #[test]
    fn what_is_printed_is_what_is_parsed() {
        for text in [
            "0.00000000000000001",
            "-123456789.5",
            "1152921504606846977",
            "0.3",
            "1000000.25",
        ] {
            assert_eq!(
                LongDouble::parse(text.as_bytes())
                    .map(|value| value.to_text())
                    .as_deref(),
                Some(text)
            );
        }
    }
}
