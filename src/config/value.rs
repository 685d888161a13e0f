//! What a setting's type must do, and the plain types: yes or no, whole numbers, amounts of memory, texts, a directory.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::quoting::{is_space, quote};
use super::table::FileLine;
use crate::format::number::parse_i64;

/// The values a type may take in one particular setting.
#[derive(Clone, Copy, Debug)]
pub enum Domain {
    /// All the type allows.
    Any,
    /// A whole number, both ends allowed.
    Whole(i128, i128),
    /// Bytes, with an optional unit (`1k` is 1000, `1kb` is 1024, and so on to `gb`), both ends allowed.
    Memory(i128, i128),
    /// A whole number written in octal, both ends allowed.
    Octal(i128, i128),
    /// A text that passes the check; the error is Redis's.
    Checked(fn(&[u8]) -> Result<(), &'static str>),
    /// A text for which empty means not set: then a rewritten file has no line for it.
    Unset,
    /// As [`Domain::Unset`], with a check.
    UnsetOrChecked(fn(&[u8]) -> Result<(), &'static str>),
}

/// A type that settings may have: how it is read, printed and written to a file.
pub trait Value: Clone + PartialEq {
    /// Whether the value is a list of words.
    const SEVERAL: bool = false;

    /// Reads a new value from the words of a line; unless [`Value::SEVERAL`] there is exactly one. On error the old
    /// value stands and the text says what is wrong, in Redis's words.
    fn assign(&mut self, words: &[&[u8]], domain: &Domain) -> Result<(), String>;

    /// The value as `CONFIG GET` prints it.
    fn show(&self, domain: &Domain) -> Vec<u8>;

    /// The type and range in words, for the documentation.
    fn describe(domain: &Domain) -> String;

    /// The lines for a rewritten configuration file: usually one, needed if the value is not the default.
    fn file_lines(&self, default: &Self, domain: &Domain) -> Vec<FileLine> {
        vec![FileLine {
            value: self.show(domain),
            needed: self != default,
        }]
    }
}

/// The only word of a value that is not a list.
pub(super) fn only<'a>(words: &[&'a [u8]]) -> &'a [u8] {
    words.first().copied().unwrap_or_default()
}

impl Value for bool {
    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        let word = only(words);
        *self = match () {
            () if word.eq_ignore_ascii_case(b"yes") => true,
            () if word.eq_ignore_ascii_case(b"no") => false,
            () => return Err("argument must be 'yes' or 'no'".into()),
        };
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        if *self { b"yes".into() } else { b"no".into() }
    }

    fn describe(_: &Domain) -> String {
        "yes or no".into()
    }
}

/// Reads a whole number within `domain`.
fn parse_whole(word: &[u8], domain: &Domain) -> Result<i128, String> {
    let (number, min, max) = match *domain {
        Domain::Whole(min, max) => {
            let number = parse_i64(word).ok_or("argument couldn't be parsed into an integer")?;
            (i128::from(number), min, max)
        }
        Domain::Memory(min, max) => {
            let number = parse_memory(word).ok_or("argument must be a memory value")?;
            (i128::from(number), min, max)
        }
        Domain::Octal(min, max) => {
            let number = parse_c_integer(word, 8).ok_or("argument couldn't be parsed as an octal number")?;
            (i128::from(number), min, max)
        }
        Domain::Any | Domain::Checked(_) | Domain::Unset | Domain::UnsetOrChecked(_) => {
            unreachable!("a number's domain is a range")
        }
    };
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    Err(match domain {
        Domain::Octal(..) => format!("argument must be between {min:o} and {max:o} inclusive"),
        _ => format!("argument must be between {min} and {max} inclusive"),
    })
}

/// Reads an amount of memory as Redis does: digits, then a unit in any case. No digits count as zero, and a product
/// beyond 64 bits wraps; both are how Redis has always read them, and files in the wild rely on the first.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    /// Longer runs of digits are refused rather than read as the largest number.
    const MAX_DIGITS: usize = 127;
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let factor: u64 = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    if digits > MAX_DIGITS {
        return None;
    }
    let number = text[..digits].iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    Some(number.wrapping_mul(factor))
}

/// Reads an integer as C's `strtoll` does when the whole text must be consumed: leading white space and a sign are
/// fine, nothing at all is zero, too large a number becomes the largest.
pub fn parse_c_integer(text: &[u8], radix: u32) -> Option<i64> {
    let start = text.iter().position(|&b| !is_space(b)).unwrap_or(text.len());
    let (negative, digits) = match &text[start..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return text.is_empty().then_some(0);
    }
    let mut number = 0i64;
    for &digit in digits {
        let digit = i64::from(char::from(digit).to_digit(radix)?);
        number = number.saturating_mul(i64::from(radix));
        number = if negative {
            number.saturating_sub(digit)
        } else {
            number.saturating_add(digit)
        };
    }
    Some(number)
}

/// An amount of memory as a rewritten file has it: in the largest unit that divides it.
pub fn format_memory(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// The largest value of a type that Redis bounds by C's `LONG_MAX`.
pub(super) const LONG_MAX: i128 = i64::MAX as i128;
/// The largest value of a type that Redis bounds by C's `INT_MAX`.
pub(super) const INT_MAX: i128 = i32::MAX as i128;

/// How a bound reads in the documentation: the ends of C's types say little.
fn bound(number: i128) -> Option<String> {
    const ENDS: [i128; 4] = [INT_MAX, i32::MIN as i128, LONG_MAX, u64::MAX as i128];
    (!ENDS.contains(&number)).then(|| number.to_string())
}

fn describe_range(what: &str, min: i128, max: i128) -> String {
    match (bound(min), bound(max)) {
        (Some(min), Some(max)) => format!("{what}, {min} to {max}"),
        (Some(min), None) => format!("{what}, at least {min}"),
        (None, Some(max)) => format!("{what}, at most {max}"),
        (None, None) => what.into(),
    }
}

macro_rules! whole_number_values {
    ($($type:ty)+) => {$(
        impl Value for $type {
            fn assign(&mut self, words: &[&[u8]], domain: &Domain) -> Result<(), String> {
                let number = parse_whole(only(words), domain)?;
                *self = <$type>::try_from(number).map_err(|_| "argument couldn't be parsed into an integer")?;
                Ok(())
            }

            fn show(&self, domain: &Domain) -> Vec<u8> {
                match domain {
                    Domain::Octal(..) => format!("{self:o}").into_bytes(),
                    _ => self.to_string().into_bytes(),
                }
            }

            fn describe(domain: &Domain) -> String {
                match *domain {
                    Domain::Memory(min, max) => describe_range("bytes", min, max),
                    Domain::Octal(min, max) => format!("octal, {min:o} to {max:o}"),
                    Domain::Whole(min, max) => describe_range("integer", min, max),
                    _ => "integer".into(),
                }
            }

            fn file_lines(&self, default: &Self, domain: &Domain) -> Vec<FileLine> {
                let value = match (domain, u64::try_from(*self)) {
                    (Domain::Memory(..), Ok(bytes)) => format_memory(bytes).into_bytes(),
                    _ => self.show(domain),
                };
                vec![FileLine { value, needed: self != default }]
            }
        }
    )+};
}
whole_number_values!(u16 u32 u64 i32 i64);

/// A text as the user gave it: any bytes, for passwords and paths need not be UTF-8.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(Box<[u8]>);

impl Text {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text as a path.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Whether there is nothing in it, which for most settings means: not set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Text(bytes.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(text.as_bytes().into())
    }
}

/// Prints what is not UTF-8 as replacement characters: for messages, not for comparison.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl Value for Text {
    fn assign(&mut self, words: &[&[u8]], domain: &Domain) -> Result<(), String> {
        let word = only(words);
        if let Domain::Checked(check) | Domain::UnsetOrChecked(check) = domain {
            check(word)?;
        }
        *self = Text::from(word);
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        self.0.to_vec()
    }

    fn describe(_: &Domain) -> String {
        "text".into()
    }

    fn file_lines(&self, default: &Self, domain: &Domain) -> Vec<FileLine> {
        if self.is_empty() && matches!(domain, Domain::Unset | Domain::UnsetOrChecked(_)) {
            return Vec::new();
        }
        vec![FileLine {
            value: quote(&self.0),
            needed: self != default,
        }]
    }
}

/// A working directory. Assigning one resolves it against the previous one and checks that it is there; changing into
/// it is the server's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory(PathBuf);

impl Directory {
    /// The directory the process is in, not yet resolved.
    pub fn current() -> Self {
        Directory(PathBuf::from("."))
    }

    /// The path: absolute once a configuration has been loaded.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// Makes the path absolute. Fails if the directory is gone.
    pub(super) fn resolve(&mut self) -> Result<(), String> {
        let path = self.0.clone();
        self.change_to(&path)
    }

    fn change_to(&mut self, path: &Path) -> Result<(), String> {
        if path.as_os_str().is_empty() {
            return Err("No such file or directory".into());
        }
        let resolved = self
            .0
            .join(path)
            .canonicalize()
            .map_err(|error| crate::format::reason(&error))?;
        if !resolved.is_dir() {
            return Err("Not a directory".into());
        }
        self.0 = resolved;
        Ok(())
    }
}

impl Value for Directory {
    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        self.change_to(Path::new(OsStr::from_bytes(only(words))))
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        self.0.clone().into_os_string().into_vec()
    }

    fn describe(_: &Domain) -> String {
        "directory".into()
    }

    /// Always needed: where the server starts is not where it ran before.
    fn file_lines(&self, _: &Self, domain: &Domain) -> Vec<FileLine> {
        vec![FileLine {
            value: quote(&self.show(domain)),
            needed: true,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_units() {
        let cases: &[(&str, Option<u64>)] = &[
            ("100", Some(100)),
            ("1k", Some(1000)),
            ("1kb", Some(1024)),
            ("2M", Some(2_000_000)),
            ("2Mb", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("3GB", Some(3 << 30)),
            ("5b", Some(5)),
            ("", Some(0)),
            ("gb", Some(0)),
            ("18446744073709551616", Some(u64::MAX)),
            ("99999999999gb", Some(15_140_462_030_378_500_096)),
            ("1.5gb", None),
            ("1 gb", None),
            (" 1", None),
            ("-1", None),
            ("+1", None),
            ("1t", None),
            ("10%", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_memory(text.as_bytes()), *want, "{text}");
        }
        assert_eq!(parse_memory("1".repeat(128).as_bytes()), None);
    }

    #[test]
    fn memory_is_written_in_its_largest_whole_unit() {
        let cases = [
            (0, "0"),
            (1, "1"),
            (1024, "1kb"),
            (1536, "1536"),
            (5 << 20, "5mb"),
            (1 << 40, "1024gb"),
        ];
        for (bytes, want) in cases {
            assert_eq!(format_memory(bytes), want);
            assert_eq!(parse_memory(want.as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn c_integers_are_lenient() {
        let cases: &[(&str, u32, Option<i64>)] = &[
            ("", 10, Some(0)),
            (" 10", 10, Some(10)),
            ("+1", 10, Some(1)),
            ("-1", 10, Some(-1)),
            ("99999999999999999999", 10, Some(i64::MAX)),
            ("0x10", 10, None),
            ("1 ", 10, None),
            ("-", 10, None),
            (" ", 10, None),
            ("777", 8, Some(0o777)),
            ("888", 8, None),
        ];
        for (text, radix, want) in cases {
            assert_eq!(parse_c_integer(text.as_bytes(), *radix), *want, "{text}");
        }
    }
}
