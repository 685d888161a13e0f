//! The first line of a library: `#!lua name=mylib`.

use super::Refusal;
use crate::resp::request::split_words;

#[derive(Debug, PartialEq, Eq)]
pub struct Metadata {
    pub name: Box<[u8]>,
    /// Bytes of the line, without the line feed: the code behind it keeps its line numbers.
    pub line: usize,
}

/// Whether a library or a function may have this name.
pub fn check_name(name: &[u8]) -> Result<(), Refusal> {
    let is_good = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if !name.is_empty() && name.iter().all(is_good) {
        return Ok(());
    }
    let refusal =
        "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
    Err(refusal.as_bytes().into())
}

/// # Errors
/// What is wrong with the line.
pub fn read(source: &[u8]) -> Result<Metadata, Refusal> {
    const INVALID: &[u8] = b"Invalid library metadata";
    if !source.starts_with(b"#!") {
        return Err(b"Missing library metadata".into());
    }
    // The line is sought as text in C, which ends at a zero byte.
    let line = match memchr::memchr2(b'\n', 0, source) {
        Some(line) if source[line] == b'\n' => line,
        _ => return Err(INVALID.into()),
    };
    let mut text = source[..line].to_vec();
    let mut places = Vec::new();
    let whole = split_words(&mut text, |start, len| places.push(start..start + len));
    let words: Vec<&[u8]> = places.into_iter().map(|place| &text[place]).collect();
    let Some((engine, options)) = words.split_first().filter(|_| whole.is_some()) else {
        return Err(INVALID.into());
    };
    let mut name = None;
    for option in options {
        match option.split_at_checked(5) {
            Some((key, value)) if key.eq_ignore_ascii_case(b"name=") => {
                if name.replace(value).is_some() {
                    return Err(b"Invalid metadata value, name argument was given multiple times".into());
                }
            }
            _ => return Err([b"Invalid metadata value given: ", *option].concat().into()),
        }
    }
    let name = name.ok_or(&b"Library name was not given"[..])?;
    check_name(name)?;
    let engine = engine.get(2..).unwrap_or_default();
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err([b"Engine '", engine, b"' not found"].concat().into());
    }
    Ok(Metadata {
        name: name.into(),
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let read = |source: &str| read(source.as_bytes());
        let good = |name: &str, line| {
            Ok(Metadata {
                name: name.as_bytes().into(),
                line,
            })
        };
        assert_eq!(read("#!lua name=lib\nx"), good("lib", 14));
        assert_eq!(read("#!LUA NAME=\"a_1\"\n"), good("a_1", 16));
        let bad = [
            ("return 1", "Missing library metadata"),
            ("#!lua name=lib", "Invalid library metadata"),
            ("#!lua\0 name=lib\n", "Invalid library metadata"),
            ("#!lua 'name=lib\n", "Invalid library metadata"),
            ("#!lua\n", "Library name was not given"),
            (
                "#!lua name=a name=b\n",
                "Invalid metadata value, name argument was given multiple times",
            ),
            ("#!lua foo=bar\n", "Invalid metadata value given: foo=bar"),
            ("#! name=a\n", "Engine '' not found"),
            ("#!py name=a\n", "Engine 'py' not found"),
        ];
        for (source, refusal) in bad {
            assert_eq!(read(source), Err(Refusal::from(refusal.as_bytes())), "{source}");
        }
        assert!(read("#!lua name=a-b\n").is_err() && read("#!lua name=\n").is_err());
    }
}
