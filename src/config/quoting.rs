//! The quoting of `redis.conf`: one line to arguments and back.
//!
//! A line is words separated by white space: blanks, tabs and line ends. A vertical tab or form feed counts only around
//! words and after a closing quote; inside an unquoted word it is a byte like any other.
//!
//! A word may be quoted: between double quotes the escapes `\n \r \t \b \a`, `\xHH` and `\` before any other byte are
//! understood; between single quotes only `\'` is. A closing quote must end its word, so `"a"b` is an error rather than
//! `ab`: a forgotten space in a password would otherwise go unnoticed.
//! Bytes, not characters: `\x00` to `\xff` must survive a round trip through `CONFIG REWRITE`.

/// Splits a line into its words, or gives `None` when a quote is not closed or not followed by white space.
///
/// O(line). A NUL byte ends the line, as in a C string.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let end = line.iter().position(|&b| b == 0).unwrap_or(line.len());
    let mut rest = &line[..end];
    let mut words = Vec::new();
    loop {
        rest = skip_space(rest);
        if rest.is_empty() {
            return Some(words);
        }
        let (word, after) = take_word(rest)?;
        words.push(word);
        rest = after;
    }
}

/// Writes `bytes` as one double-quoted word that [`split`] reads back unchanged.
pub fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").into_bytes()),
        }
    }
    out.push(b'"');
    out
}

/// A word as it is where [`split`] reads it back unchanged, and quoted elsewhere.
pub fn quoted_if_needed(word: &[u8]) -> Vec<u8> {
    let is_plain = |&byte: &u8| !matches!(byte, b'"' | b'\'' | 0) && !is_space(byte);
    match !word.is_empty() && word.iter().all(is_plain) {
        true => word.to_vec(),
        false => quote(word),
    }
}

/// C's `isspace`: Rust's `is_ascii_whitespace` lacks the vertical tab.
pub fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn skip_space(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&b| !is_space(b)).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Takes the word at the start of `bytes`; a quote may open anywhere in it, and closing one ends the word.
fn take_word(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => break,
            b'"' => return close_word(word, take_double_quoted(after)?),
            b'\'' => return close_word(word, take_single_quoted(after)?),
            _ => word.push(byte),
        }
        rest = after;
    }
    Some((word, rest))
}

/// Joins the unquoted start of a word with its quoted end, which white space or the end of the line must follow.
fn close_word(mut word: Vec<u8>, (quoted, rest): (Vec<u8>, &[u8])) -> Option<(Vec<u8>, &[u8])> {
    word.extend(quoted);
    rest.first().is_none_or(|&b| is_space(b)).then_some((word, rest))
}

fn take_double_quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => return Some((text, after)),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                text.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                text.push(unescape(*escaped));
                rest = after;
            }
            [byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

fn take_single_quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    loop {
        match rest {
            [b'\'', after @ ..] => return Some((text, after)),
            [b'\\', b'\'', after @ ..] => {
                text.push(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// The value of one hexadecimal digit; anything else counts as zero, callers check first.
fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split(line.as_bytes())?;
        Some(
            words
                .into_iter()
                .map(|w| String::from_utf8_lossy(&w).into_owned())
                .collect(),
        )
    }

    #[test]
    fn lines_split_into_words() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("", Some(&[])),
            ("  \t ", Some(&[])),
            ("port 6379", Some(&["port", "6379"])),
            ("a \"\" ''", Some(&["a", "", ""])),
            ("a \"b c\" 'd e'", Some(&["a", "b c", "d e"])),
            ("\"\\x41\\x4a\\n\\t\\\"\\q\"", Some(&["AJ\n\t\"q"])),
            ("\"\\x4\"", Some(&["x4"])),
            ("'a\\'b\\n'", Some(&["a'b\\n"])),
            ("a\"b c\"", Some(&["ab c"])),
            ("\"a\"b", None),
            ("'a'b", None),
            ("\"a", None),
            ("'a", None),
            ("\"a\\\"", None),
            ("a\\ b", Some(&["a\\", "b"])),
            ("\x0ba\x0bb \"c\"\x0b", Some(&["a\x0bb", "c"])),
            ("a\0b c", Some(&["a"])),
        ];
        for (line, want) in cases {
            let want = want.map(|w| w.iter().map(|s| s.to_string()).collect::<Vec<_>>());
            assert_eq!(words(line), want, "{line}");
        }
    }

    #[test]
    fn every_byte_survives_quoting() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quote(&all)), Some(vec![all]));
        assert_eq!(quote(b"a \"\\\x01\n"), b"\"a \\\"\\\\\\x01\\n\"");
    }
}
