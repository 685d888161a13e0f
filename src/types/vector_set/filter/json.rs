//! One field of a JSON object.
//!
//! The object is read no further than to the field, and what stands before it only as far as it takes to get past it. A
//! reader of whole documents would build what nobody asks for, for each of thousands of elements. There is no recursion
//! either: of lists in lists only their ends are looked for.

use super::Value;

struct Reader<'j> {
    rest: &'j [u8],
}

/// The first field of this name of the object that `json` is; `None` if there is none, or nothing that can be read, or an
/// object. There is none without a name.
pub fn field(json: &[u8], name: &[u8]) -> Option<Value> {
    if name.is_empty() {
        return None;
    }
    let mut reader = Reader { rest: json };
    reader.expect(b'{')?;
    loop {
        let key = reader.raw_text()?;
        reader.expect(b':')?;
        if key == name {
            return reader.value();
        }
        reader.skip()?;
        reader.expect(b',')?;
    }
}

impl<'j> Reader<'j> {
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.rest.first().copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.rest = &self.rest[1..])
    }

    /// A text as it is written, without its quotes.
    fn raw_text(&mut self) -> Option<&'j [u8]> {
        self.expect(b'"')?;
        let mut at = 0;
        loop {
            match self.rest.get(at)? {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let text = &self.rest[..at];
        self.rest = &self.rest[at + 1..];
        Some(text)
    }

    fn value(&mut self) -> Option<Value> {
        match self.peek()? {
            b'"' => Some(Value::Text(unescaped(self.raw_text()?))),
            b'[' => self.list(),
            b'{' => None,
            b't' | b'f' | b'n' => self.word(),
            _ => self.number(),
        }
    }

    /// The words that JSON has.
    fn word(&mut self) -> Option<Value> {
        let words: [(&[u8], Value); 3] = [
            (b"true", Value::Number(1.0)),
            (b"false", Value::Number(0.0)),
            (b"null", Value::Null),
        ];
        for (word, value) in words {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return (!rest.first().is_some_and(u8::is_ascii_alphanumeric)).then_some(value);
            }
        }
        None
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        let len = self.rest.iter().position(|byte| !is_part(byte));
        let (text, rest) = self.rest.split_at(len.unwrap_or(self.rest.len()));
        if !text.first()?.is_ascii_digit() && !matches!(text.first()?, b'-' | b'+') {
            return None;
        }
        let number = std::str::from_utf8(text).ok()?.parse().ok()?;
        self.rest = rest;
        Some(Value::Number(number))
    }

    /// A list of numbers, texts and words. A list in it is one without elements, whatever it has.
    fn list(&mut self) -> Option<Value> {
        self.expect(b'[')?;
        let mut values = Vec::new();
        if self.expect(b']').is_some() {
            return Some(Value::List(values));
        }
        loop {
            match self.peek()? {
                b'[' => {
                    self.skip()?;
                    values.push(Value::List(Vec::new()));
                }
                _ => values.push(self.value()?),
            }
            match self.peek()? {
                b',' => self.rest = &self.rest[1..],
                b']' => {
                    self.rest = &self.rest[1..];
                    return Some(Value::List(values));
                }
                _ => return None,
            }
        }
    }

    /// Gets past a value. Of one in brackets only those of its kind are counted.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.raw_text().map(drop),
            b't' | b'f' | b'n' => self.word().map(drop),
            open @ (b'[' | b'{') => {
                let close = if open == b'[' { b']' } else { b'}' };
                let mut depth = 0usize;
                loop {
                    match self.peek()? {
                        b'"' => {
                            self.raw_text()?;
                            continue;
                        }
                        byte if byte == open => depth += 1,
                        byte if byte == close => depth -= 1,
                        _ => {}
                    }
                    self.rest = &self.rest[1..];
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
            _ => self.number().map(drop),
        }
    }
}

/// The four digits behind `\u`.
fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text.get(..4)?).ok()?;
    match digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => u32::from_str_radix(digits, 16).ok(),
        false => None,
    }
}

/// What a text means. An escape that JSON does not have stands for the byte behind the backslash.
fn unescaped(mut raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    while let [first, rest @ ..] = raw {
        raw = rest;
        if *first != b'\\' {
            text.push(*first);
            continue;
        }
        let [escape, rest @ ..] = raw else { break };
        raw = rest;
        match escape {
            b'b' => text.push(0x08),
            b'f' => text.push(0x0C),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'u' => match code_unit(raw) {
                Some(unit) => {
                    raw = &raw[4..];
                    let (character, used) = character(unit, raw);
                    raw = &raw[used..];
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => text.push(b'u'),
            },
            other => text.push(*other),
        }
    }
    text
}

/// The character that begins with this code unit, and how many bytes of `rest` belong to it: the other half of a pair.
fn character(unit: u32, rest: &[u8]) -> (char, usize) {
    let pair = |low: u32| char::from_u32(0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF)));
    if (0xD800..0xDC00).contains(&unit)
        && let Some(low) = rest.strip_prefix(b"\\u").and_then(code_unit)
        && (0xDC00..0xE000).contains(&low)
        && let Some(character) = pair(low)
    {
        return (character, 6);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 0)
}
