//! Numbers to text and back, to the byte as Redis does.

use std::fmt::Write;

use super::float_text::{Body, Digits, Format, Literal, Rounded};
use super::grisu::{self, Decimal};

/// Parses a signed 64-bit integer the way Redis's commands do: no spaces, no plus sign,
/// no leading zeros, the whole of `text`.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [] => return None,
        [b'0'] => return (!negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    if negative {
        (value <= 1 << 63).then(|| (value as i64).wrapping_neg())
    } else {
        i64::try_from(value).ok()
    }
}

/// Parses a double the way Redis's commands do (`ZADD`, `GEOADD`, timeouts): whatever C's `strtod` accepts
/// (`1e3`, `.5`, `0x1.8p3`, `-inf`, `Infinity`), the whole of `text`, but no leading space and not NaN.
///
/// Numbers too large for a double are refused, and so are those that would round to zero without being it.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let literal = Literal::read(text)?;
    let magnitude = match literal.body {
        Body::Infinity => f64::INFINITY,
        Body::Decimal(digits) if digits.is_zero() => 0.0,
        Body::Hexadecimal(digits) if digits.is_zero() => 0.0,
        Body::Decimal(_) => in_range(std::str::from_utf8(text).ok()?.parse::<f64>().ok()?.abs())?,
        Body::Hexadecimal(digits) => in_range(hexadecimal(&digits))?,
    };
    Some(if literal.negative { -magnitude } else { magnitude })
}

/// Parses one end of a range of doubles, which Redis hands to C's `strtod` without asking more than that it reads all up
/// to the end or a NUL byte: nothing at all is zero, leading spaces are skipped, and what is too large is infinite.
pub fn parse_bound(text: &[u8]) -> Option<f64> {
    read_as_c(text).map(|(_, value)| value)
}

/// Parses a number that SORT compares: as [`parse_bound`] does, but what C says is out of range is none. That is what is
/// too large for a double, and what is so small that digits are lost.
pub fn parse_weight(text: &[u8]) -> Option<f64> {
    let (body, value) = read_as_c(text)?;
    let in_range = match body {
        None | Some(Body::Infinity) => true,
        Some(Body::Decimal(digits)) => value.is_normal() || digits.is_zero(),
        Some(Body::Hexadecimal(digits)) => value.is_normal() || value.is_subnormal() || digits.is_zero(),
    };
    in_range.then_some(value)
}

/// What `strtod` reads, and how it was written, if anything was.
fn read_as_c(text: &[u8]) -> Option<(Option<Body<'_>>, f64)> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
    if text.is_empty() {
        return Some((None, 0.0));
    }
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'));
    let text = &text[spaces.count()..];
    let literal = Literal::read(text)?;
    let magnitude = match literal.body {
        Body::Infinity => f64::INFINITY,
        Body::Decimal(_) => std::str::from_utf8(text).ok()?.parse::<f64>().ok()?.abs(),
        Body::Hexadecimal(digits) if digits.is_zero() => 0.0,
        Body::Hexadecimal(digits) => hexadecimal(&digits),
    };
    let value = if literal.negative { -magnitude } else { magnitude };
    Some((Some(literal.body), value))
}

fn in_range(magnitude: f64) -> Option<f64> {
    (magnitude > 0.0 && magnitude.is_finite()).then_some(magnitude)
}

fn hexadecimal(digits: &Digits) -> f64 {
    const DOUBLE: Format = Format {
        precision: 53,
        lowest: -1074,
        highest: 971,
    };
    let exponent = digits.exponent - 4 * digits.fraction.len() as i64;
    match DOUBLE.round_big(&digits.integer(16), exponent) {
        Rounded::Overflow => f64::INFINITY,
        // Exact: the fraction fits a double, and so does the product.
        Rounded::Finite { fraction, exponent } => fraction as f64 * power_of_two(exponent),
    }
}

/// 2^`exponent`, from -1074 to 1023.
fn power_of_two(exponent: i64) -> f64 {
    let normal = exponent + 1023;
    let bits = if normal > 0 {
        (normal as u64) << 52
    } else {
        1 << (exponent + 1074)
    };
    f64::from_bits(bits)
}

/// A number as text, on the stack.
#[derive(Clone, Copy)]
pub struct NumberText {
    bytes: [u8; NumberText::CAPACITY],
    len: u8,
}

impl NumberText {
    /// The longest are 25 bytes: sign, 17 digits, point and `e-308`, or sign, 17 digits and 7 zeros.
    const CAPACITY: usize = 31;

    const fn new() -> Self {
        NumberText {
            bytes: [0; NumberText::CAPACITY],
            len: 0,
        }
    }

    /// The text, which is ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn push(&mut self, text: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + text.len()].copy_from_slice(text);
        self.len += text.len() as u8;
    }

    fn push_zeros(&mut self, count: usize) {
        self.push(&[b'0'; NumberText::CAPACITY][..count]);
    }
}

impl std::ops::Deref for NumberText {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl Write for NumberText {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        if usize::from(self.len) + part.len() > NumberText::CAPACITY {
            return Err(std::fmt::Error);
        }
        self.push(part.as_bytes());
        Ok(())
    }
}

impl std::fmt::Display for NumberText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

impl std::fmt::Debug for NumberText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&**self, f)
    }
}

/// A double as Redis 7.2 prints it in replies and stores it as text.
///
/// Integers of up to 2^62 stand in full. Anything else is printed with the digits of Grisu2, in full
/// too if that takes few zeros (`0.00001`, `17749673625999999000`), else with an exponent (`1e+20`, `1.5e-7`).
pub fn double(value: f64) -> NumberText {
    let mut text = NumberText::new();
    if value.is_nan() {
        text.push(b"nan");
        return text;
    }
    if let Some(integer) = exact_integer(value) {
        text.push(itoa::Buffer::new().format(integer).as_bytes());
        return text;
    }
    if value.is_sign_negative() {
        text.push(b"-");
    }
    if value == 0.0 {
        text.push(b"0");
    } else if value.is_infinite() {
        text.push(b"inf");
    } else {
        lay_out(&mut text, &grisu::digits(value));
    }
    text
}

/// A distance with four decimals, as the commands for places print it. What does not fit 64 bits once it is counted in
/// ten-thousandths, or is no number, is printed as the lowest that does.
pub fn four_decimals(value: f64) -> NumberText {
    const SCALE: u64 = 10_000;
    const LIMIT: f64 = (1u64 << 63) as f64;
    let scaled = (value * SCALE as f64).round_ties_even();
    let scaled = if (-LIMIT..LIMIT).contains(&scaled) {
        scaled as i64
    } else {
        i64::MIN
    };
    let mut text = NumberText::new();
    if scaled < 0 {
        text.push(b"-");
    }
    let (whole, part) = (scaled.unsigned_abs() / SCALE, scaled.unsigned_abs() % SCALE);
    text.push(itoa::Buffer::new().format(whole).as_bytes());
    text.push(b".");
    // A one in front keeps the zeros that the part begins with.
    text.push(&itoa::Buffer::new().format(SCALE + part).as_bytes()[1..]);
    text
}

/// A coordinate, of magnitude below a million, with up to 17 decimals and without trailing zeros: what a `long double` of
/// that value prints as.
pub fn coordinate(value: f64) -> NumberText {
    let mut text = NumberText::new();
    // Cannot fail for such a value: 6 digits, 17 decimals, sign and point fit.
    let _ = write!(text, "{value:.17}");
    let digits = text.as_bytes();
    let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    text.len -= zeros as u8;
    if text.as_bytes().ends_with(b".") {
        text.len -= 1;
    }
    if text.as_bytes() == b"-0" {
        return double(0.0);
    }
    text
}

/// The value as an integer if it is one that Redis prints as such: up to 2^62 either way, and not a negative zero.
fn exact_integer(value: f64) -> Option<i64> {
    const LIMIT: f64 = (1u64 << 62) as f64;
    let integer = value as i64;
    (value.abs() <= LIMIT && integer as f64 == value && (integer != 0 || value.is_sign_positive())).then_some(integer)
}

/// Writes digits with a point, with zeros, or with an exponent.
fn lay_out(text: &mut NumberText, decimal: &Decimal) {
    let digits = decimal.digits();
    let count = digits.len() as i32;
    // The exponent of the first digit, as scientific notation has it.
    let scientific = decimal.exponent + count - 1;
    if decimal.exponent >= 0 && scientific < count + 7 {
        text.push(digits);
        text.push_zeros(decimal.exponent as usize);
    } else if decimal.exponent < 0 && (decimal.exponent > -7 || scientific.abs() < 4) {
        lay_out_with_point(text, digits, scientific + 1);
    } else {
        lay_out_with_exponent(text, digits, scientific, 1);
    }
}

/// Writes digits of which `before_point` stand before the point; if that is negative, as many zeros follow it.
fn lay_out_with_point(text: &mut NumberText, digits: &[u8], before_point: i32) {
    if before_point > 0 {
        let (whole, fraction) = digits.split_at(before_point as usize);
        text.push(whole);
        text.push(b".");
        text.push(fraction);
        return;
    }
    text.push(b"0.");
    text.push_zeros(before_point.unsigned_abs() as usize);
    text.push(digits);
}

/// Writes digits with an exponent of at least so many digits.
fn lay_out_with_exponent(text: &mut NumberText, digits: &[u8], exponent: i32, least: usize) {
    text.push(&digits[..1]);
    if digits.len() > 1 {
        text.push(b".");
        text.push(&digits[1..]);
    }
    text.push(if exponent < 0 { b"e-" } else { b"e+" });
    let mut power = itoa::Buffer::new();
    let power = power.format(exponent.unsigned_abs()).as_bytes();
    text.push_zeros(least.saturating_sub(power.len()));
    text.push(power);
}

/// A double as C's `%.17g` prints it: 17 significant digits without the zeros at their end, and an exponent of at least
/// two digits where that is below -4 or above 16.
pub fn double_17(value: f64) -> NumberText {
    double_g(value, 17)
}

/// Up to so many digits a decimal outlasts being read as a double and printed again: C's `DBL_DIG`.
const DIGITS_THAT_LAST: usize = 15;

/// A double as C's `%g` prints it with a precision of 1 to 17.
pub fn double_g(value: f64, precision: usize) -> NumberText {
    let mut text = NumberText::new();
    if value.is_nan() {
        text.push(b"nan");
        return text;
    }
    let fits = |integer: &i64| integer.unsigned_abs() < 10_u64.pow(precision as u32);
    if let Some(integer) = exact_integer(value).filter(fits) {
        text.push(itoa::Buffer::new().format(integer).as_bytes());
        return text;
    }
    if value.is_sign_negative() {
        text.push(b"-");
    }
    if value.is_infinite() {
        text.push(b"inf");
        return text;
    }
    if value == 0.0 {
        text.push(b"0");
        return text;
    }
    let decimal = grisu::digits(value);
    // Few digits that are read as this value are the ones it rounds to.
    let are_final = (decimal.digits().len()..=DIGITS_THAT_LAST).contains(&precision) && value.is_normal();
    if are_final {
        let scientific = decimal.exponent + decimal.digits().len() as i32 - 1;
        lay_out_as_c(&mut text, decimal.digits(), scientific, precision);
        return text;
    }
    let mut rounded = NumberText::new();
    // Cannot fail: 17 digits, point and exponent fit.
    let _ = write!(rounded, "{:.*e}", precision - 1, value.abs());
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let (first, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = NumberText::new();
    digits.push(first.as_bytes());
    digits.push(fraction.as_bytes());
    lay_out_as_c(&mut text, digits.as_bytes(), exponent.parse().unwrap_or(0), precision);
    text
}

/// Writes digits as `%g` does, `scientific` being the exponent of the first of them.
fn lay_out_as_c(text: &mut NumberText, digits: &[u8], scientific: i32, precision: usize) {
    let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    let digits = &digits[..digits.len() - zeros];
    if !(-4..precision as i32).contains(&scientific) {
        lay_out_with_exponent(text, digits, scientific, 2);
    } else if scientific + 1 >= digits.len() as i32 {
        text.push(digits);
        text.push_zeros(scientific as usize + 1 - digits.len());
    } else {
        lay_out_with_point(text, digits, scientific + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these is what glibc printed.
    #[test]
    fn seventeen_digits_are_laid_out_as_c_does() {
        let cases: [(f64, &str); 15] = [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.10000000000000001"),
            (-3.25, "-3.25"),
            (100.0, "100"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (123_456_789.123_456_79, "123456789.12345679"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(&*double_17(value), text);
        }
    }

    /// Lua has C print numbers.
    #[test]
    fn any_precision_is_laid_out_as_c_does() {
        let lua = mlua::Lua::new();
        let format: mlua::Function = lua
            .globals()
            .get::<mlua::Table>("string")
            .unwrap()
            .get("format")
            .unwrap();
        let mut random = fastrand::Rng::with_seed(14);
        for _ in 0..20_000 {
            let value = match random.u8(..4) {
                0 => f64::from_bits(random.u64(..)),
                1 => random.i64(-1_000_000..1_000_000) as f64 / 10_f64.powi(random.i32(0..9)),
                2 => random.i64(..) as f64 / 2_f64.powi(random.i32(0..70)),
                _ => f64::from_bits(random.u64(..1 << 53)),
            };
            let precision = random.usize(1..=17);
            if value.is_nan() {
                continue;
            }
            let want: String = format.call((format!("%.{precision}g"), value)).unwrap();
            assert_eq!(&*double_g(value, precision), want, "{value:e} with {precision}");
        }
    }

    #[test]
    fn integers_are_strict() {
        for good in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(parse_i64(good.as_bytes()).map(|v| v.to_string()).as_deref(), Some(good));
        }
        for bad in [
            "",
            "-",
            "-0",
            "+1",
            "01",
            " 1",
            "1 ",
            "9223372036854775808",
            "-9223372036854775809",
            "1e3",
            "99999999999999999999",
        ] {
            assert_eq!(parse_i64(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn weights_must_be_in_range() {
        let good: [(&[u8], f64); 10] = [
            (b"", 0.0),
            (b" 5", 5.0),
            (b"3\0abc", 3.0),
            (b"0x10", 16.0),
            (b"-inf", f64::NEG_INFINITY),
            (b"-0.0", -0.0),
            (b"0e999", 0.0),
            (b"1e308", 1e308),
            (b"2.2250738585072014e-308", f64::MIN_POSITIVE),
            (b"0x1p-1074", 5e-324),
        ];
        for (text, value) in good {
            assert_eq!(parse_weight(text), Some(value), "{}", text.escape_ascii());
        }
        for bad in [
            " ", "5 ", "abc", "nan", "1e400", "-1e400", "1e-400", "5e-324", "0x1p9999", "1e",
        ] {
            assert_eq!(parse_weight(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn doubles_are_laid_out_as_redis_does() {
        // Each of these texts is what a server answered.
        for same in [
            "0",
            "-0",
            "3",
            "3.1",
            "0.1",
            "-4611686018427387904",
            "4600000000000000000",
            "4.7e+18",
            "-5e+18",
            "9223372036854776000",
            "100000000",
            "1e+20",
            "1.5e+19",
            "17749673625999999000",
            "26904791484000002000",
            "1.2345e+25",
            "0.00001",
            "0.000001",
            "1e-7",
            "1.23456789e-5",
            "5.239025899999999e-4",
            "0.0059290710152149996",
            "11.869621799999999",
            "-1039514241563211.7",
            "-3.1316709716158578e+78",
            "1.9658665577849097e-290",
            "2.2250738585072014e-308",
            "1.7976931348623157e+308",
            "5e-324",
            "inf",
            "-inf",
        ] {
            let value = parse_double(same.as_bytes()).expect(same);
            assert_eq!(&*double(value), same);
        }
        assert_eq!(&*double(f64::NAN), "nan");
        assert_eq!(double(17_179_869_184.0).as_bytes(), b"17179869184");
    }

    #[test]
    fn distances_have_four_decimals() {
        for (value, text) in [
            (0.0, "0.0000"),
            (166_274.15156960033, "166274.1516"),
            (0.00025, "0.0002"),
            (0.00004, "0.0000"),
            (12.0, "12.0000"),
            (9.99995, "10.0000"),
            (2e-320, "0.0000"),
            (f64::NAN, "-922337203685477.5808"),
        ] {
            assert_eq!(&*four_decimals(value), text);
        }
    }

    #[test]
    fn coordinates_have_up_to_seventeen_decimals() {
        for (value, text) in [
            (13.361389338970184, "13.36138933897018433"),
            (-180.0, "-180"),
            (85.05112878, "85.0511287799999991"),
            (0.5, "0.5"),
            (-0.0, "0"),
            (0.0, "0"),
            (100.0, "100"),
            (-0.00000268220901489, "-0.00000268220901489"),
        ] {
            assert_eq!(&*coordinate(value), text);
        }
    }

    #[test]
    fn every_double_reads_back_and_fits_its_buffer() {
        let mut state: u64 = 88_172_645_463_325_252;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..200_000 {
            let value = match round % 3 {
                0 => f64::from_bits(next()),
                1 => (next() as i64 >> (next() % 64)) as f64 / 10f64.powi((next() % 30) as i32),
                _ => f64::from_bits(next() >> 12 >> (next() % 52)),
            };
            if value.is_nan() {
                continue;
            }
            let text = double(value);
            assert_eq!(parse_double(text.as_bytes()), Some(value), "{text}");
            assert_eq!(text.parse(), Ok(value), "{text}");
        }
    }

    #[test]
    fn texts_of_doubles_are_read_as_c_does() {
        let good: &[(&str, f64)] = &[
            ("+1", 1.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1E5", 1e5),
            ("0x1p3", 8.0),
            ("0X.1P-3", 0.0078125),
            ("-0x1e", -30.0),
            ("0x1.fffffffffffff7ffp1023", f64::MAX),
            ("0x1p-1074", 5e-324),
            ("0x1.8p-1075", 5e-324),
            ("1.7976931348623158e308", f64::MAX),
            ("2.4703282292062328e-324", 5e-324),
            ("0e999999999999999999999", 0.0),
            ("0x0p99999999999999999999", 0.0),
            ("INF", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ];
        for (text, value) in good {
            assert_eq!(parse_double(text.as_bytes()), Some(*value), "{text}");
        }
        let many_zeros = [&b"0".repeat(5200)[..], b"1"].concat();
        assert_eq!(parse_double(&many_zeros), Some(1.0));
    }

    #[test]
    fn texts_that_are_no_doubles_are_refused() {
        for bad in [
            "",
            " 1",
            "1 ",
            "\n1",
            "1\0",
            "-",
            "+",
            ".",
            "1e",
            "1e+",
            "e1",
            "0x",
            "0x.",
            "0x1p",
            "0x.p1",
            "--1",
            "-+1",
            "1_0",
            "1,5",
            "nan",
            "-nan",
            "nan(1)",
            "in",
            "infinit",
            "infinityx",
            "1e999",
            "-1e-400",
            "0x1p1024",
            "0x1p-1075",
            "0x1.fffffffffffff8p1023",
            "1.7976931348623159e308",
            "2.4703282292062327e-324",
        ] {
            assert_eq!(parse_double(bad.as_bytes()), None, "{bad}");
        }
    }
}
