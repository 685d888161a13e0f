//! JSON to values.
//!
//! The text ends at a zero byte, as text in C does, or where it ends. Numbers are what `strtod` reads.

use super::Settings;
use crate::format::number;
use crate::scripting::library::STACK_MAX;
use crate::scripting::library::native::{Breath, Raise};
use mlua::{Lua, Table, Value};
use std::borrow::Cow;

pub fn decode(lua: &Lua, text: &[u8], settings: &Settings) -> Result<Value, Raise> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(Raise::text("JSON parser does not support UTF-16 or UTF-32"));
    }
    let scanner = Scanner {
        text,
        at: 0,
        invalid: settings.decode_invalid,
    };
    let mut decoder = Decoder {
        lua,
        settings,
        scanner,
        frames: Vec::new(),
        slots: 1,
    };
    let value = decoder.value()?;
    match decoder.scanner.next() {
        (Token::End, _) => Ok(value),
        found => Err(expected("the end", found)),
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    scanner: Scanner<'a>,
    frames: Vec<Frame>,
    /// How many values Redis's library would have on its stack.
    slots: usize,
}

/// A table that is half read.
enum Frame {
    /// An array, with the index of the element that is next.
    Array(Table, usize),
    /// An object, with the key of the value that is next.
    Object(Table, Value),
}

impl Frame {
    /// How many values are on the stack for this table while one in it is read.
    fn slots(&self) -> usize {
        match self {
            Frame::Array(..) => 1,
            Frame::Object(..) => 2,
        }
    }
}

impl<'a> Decoder<'a> {
    /// Reads one value with all that it contains.
    fn value(&mut self) -> Result<Value, Raise> {
        let mut token = self.scanner.next();
        let mut breath = Breath::default();
        loop {
            breath.step(self.lua)?;
            let mut whole = match token {
                (Token::Text(text), _) => Some(Value::String(self.lua.create_string(text)?)),
                (Token::Number(number), _) => Some(Value::Number(number)),
                (Token::Boolean(value), _) => Some(Value::Boolean(value)),
                (Token::Null, _) => Some(Value::NULL),
                (Token::ObjectBegin, _) => self.object()?,
                (Token::ArrayBegin, _) => {
                    self.descend(2)?;
                    let table = self.lua.create_table()?;
                    token = self.scanner.next();
                    if !matches!(token.0, Token::ArrayEnd) {
                        self.push(Frame::Array(table, 1));
                        continue;
                    }
                    Some(Value::Table(table))
                }
                found => return Err(expected("value", found)),
            };
            // A value may be the last of its table, and that the last of the table around it.
            while let Some(value) = whole.take() {
                if self.frames.is_empty() {
                    return Ok(value);
                }
                whole = self.put(value)?;
            }
            token = self.scanner.next();
        }
    }

    /// Begins an object, which is whole if it is empty.
    fn object(&mut self) -> Result<Option<Value>, Raise> {
        self.descend(3)?;
        let table = self.lua.create_table()?;
        let token = self.scanner.next();
        if matches!(token.0, Token::ObjectEnd) {
            return Ok(Some(Value::Table(table)));
        }
        let key = self.key(token)?;
        self.push(Frame::Object(table, key));
        Ok(None)
    }

    /// The key that `token` is, and the colon behind it.
    fn key(&mut self, token: (Token<'a>, usize)) -> Result<Value, Raise> {
        let (Token::Text(text), _) = token else {
            return Err(expected("object key string", token));
        };
        let key = Value::String(self.lua.create_string(text)?);
        match self.scanner.next() {
            (Token::Colon, _) => Ok(key),
            found => Err(expected("colon", found)),
        }
    }

    /// Checks the room for one table more, of which so many values would be on the stack.
    fn descend(&self, slots: usize) -> Result<(), Raise> {
        let depth = self.frames.len() + 1;
        if depth > self.settings.decode_max_depth as usize || self.slots + slots > STACK_MAX {
            let at = self.scanner.at;
            return Err(Raise::text(format!(
                "Found too many nested data structures ({depth}) at character {at}"
            )));
        }
        Ok(())
    }

    fn push(&mut self, frame: Frame) {
        self.slots += frame.slots();
        self.frames.push(frame);
    }

    /// Puts a value into the innermost table and reads what follows it: the table itself, if that is its end.
    fn put(&mut self, value: Value) -> Result<Option<Value>, Raise> {
        let Some(mut frame) = self.frames.pop() else {
            return Ok(Some(value));
        };
        match &mut frame {
            Frame::Array(table, index) => {
                table.raw_set(*index, value)?;
                *index += 1;
                match self.scanner.next() {
                    (Token::Comma, _) => {}
                    (Token::ArrayEnd, _) => return Ok(Some(self.ended(frame))),
                    found => return Err(expected("comma or array end", found)),
                }
            }
            Frame::Object(table, key) => {
                table.raw_set(std::mem::replace(key, Value::Nil), value)?;
                match self.scanner.next() {
                    (Token::Comma, _) => {
                        let token = self.scanner.next();
                        *key = self.key(token)?;
                    }
                    (Token::ObjectEnd, _) => return Ok(Some(self.ended(frame))),
                    found => return Err(expected("comma or object end", found)),
                }
            }
        }
        self.frames.push(frame);
        Ok(None)
    }

    fn ended(&mut self, frame: Frame) -> Value {
        self.slots -= frame.slots();
        match frame {
            Frame::Array(table, _) | Frame::Object(table, _) => Value::Table(table),
        }
    }
}

fn expected(what: &str, found: (Token<'_>, usize)) -> Raise {
    let (token, at) = found;
    Raise::text(format!(
        "Expected {what} but found {} at character {}",
        token.name(),
        at + 1
    ))
}

enum Token<'a> {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Cow<'a, [u8]>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token<'_> {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Text(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether numbers that JSON does not have are read.
    invalid: bool,
}

impl<'a> Scanner<'a> {
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next token, and where it is: where the text is wrong, if it is an error.
    fn next(&mut self) -> (Token<'a>, usize) {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        match self.token() {
            Token::Error(what) => (Token::Error(what), self.at),
            token => (token, at),
        }
    }

    fn token(&mut self) -> Token<'a> {
        let single = match self.byte(self.at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' if !self.invalid && self.not_of_json() => return Token::Error("invalid number"),
            b'-' | b'0'..=b'9' => return self.number(),
            b't' | b'f' | b'n' | b'i' | b'I' | b'N' | b'+' => return self.word(),
            _ => return Token::Error("invalid token"),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token<'a> {
        let found = match self.rest() {
            [b't', b'r', b'u', b'e', ..] => Some((Token::Boolean(true), 4)),
            [b'f', b'a', b'l', b's', b'e', ..] => Some((Token::Boolean(false), 5)),
            [b'n', b'u', b'l', b'l', ..] => Some((Token::Null, 4)),
            _ => None,
        };
        if let Some((token, len)) = found {
            self.at += len;
            return token;
        }
        if self.invalid && self.not_of_json() {
            return self.number();
        }
        Token::Error("invalid token")
    }

    /// Whether what begins here is a number for C, but not for JSON.
    fn not_of_json(&self) -> bool {
        let rest = self.rest();
        let unsigned = rest.strip_prefix(b"-").unwrap_or(rest);
        match unsigned {
            _ if rest.starts_with(b"+") => true,
            [b'0', next, ..] => matches!(next, b'x' | b'X' | b'0'..=b'9'),
            [first, ..] if *first <= b'9' => false,
            _ => begins_with(unsigned, b"inf") || begins_with(unsigned, b"nan"),
        }
    }

    fn number(&mut self) -> Token<'a> {
        let len = number_length(self.rest());
        let (number, _) = self.rest().split_at(len);
        if number.is_empty() {
            return Token::Error("invalid number");
        }
        let unsigned = number
            .strip_prefix(b"-")
            .or(number.strip_prefix(b"+"))
            .unwrap_or(number);
        let value = match begins_with(unsigned, b"nan") {
            true if number[0] == b'-' => -f64::NAN,
            true => f64::NAN,
            false => number::parse_bound(number).unwrap_or(0.0),
        };
        self.at += len;
        Token::Number(value)
    }

    fn string(&mut self) -> Token<'a> {
        self.at += 1;
        let mut text = Cow::Borrowed(self.plain());
        loop {
            match self.byte(self.at) {
                b'"' => {
                    self.at += 1;
                    return Token::Text(text);
                }
                0 => return Token::Error("unexpected end of string"),
                _ => {}
            }
            let unescaped = text.to_mut();
            if let Err(what) = self.escape(unescaped) {
                return Token::Error(what);
            }
            unescaped.extend_from_slice(self.plain());
        }
    }

    /// Takes what stands in a string up to its end, or to what is escaped.
    fn plain(&mut self) -> &'a [u8] {
        let text = self.text;
        let rest = text.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0));
        let plain = &rest[..len.unwrap_or(rest.len())];
        self.at += plain.len();
        plain
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.byte(self.at + 1) {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0C,
            b'r' => b'\r',
            b'u' => {
                let (character, len) = self.unicode().ok_or("invalid unicode escape code")?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                self.at += len;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        text.push(byte);
        self.at += 2;
        Ok(())
    }

    /// The character that one escape code stands for, or a pair of them (a code point beyond 16 bits), and their length.
    fn unicode(&self) -> Option<(char, usize)> {
        let first = self.code(self.at)?;
        match first {
            0xD800..=0xDBFF => {
                let second = self.code(self.at + 6).filter(|code| (0xDC00..=0xDFFF).contains(code))?;
                let point = 0x1_0000 + ((first & 0x3FF) << 10 | second & 0x3FF);
                Some((char::from_u32(point)?, 12))
            }
            _ => Some((char::from_u32(first)?, 6)),
        }
    }

    /// The value of the escape code at this place.
    fn code(&self, at: usize) -> Option<u32> {
        let code = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        code.iter()
            .try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
    }
}

fn begins_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

/// How many bytes of `text` C's `strtod` reads.
fn number_length(text: &[u8]) -> usize {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let unsigned = &text[sign..];
    for word in [&b"infinity"[..], b"inf"] {
        if begins_with(unsigned, word) {
            return sign + word.len();
        }
    }
    if begins_with(unsigned, b"nan") {
        return sign + 3 + nan_tag(&unsigned[3..]);
    }
    if begins_with(unsigned, b"0x")
        && let Some(len) = digits_length(&unsigned[2..], u8::is_ascii_hexdigit, b'p')
    {
        return sign + 2 + len;
    }
    digits_length(unsigned, u8::is_ascii_digit, b'e').map_or(0, |len| sign + len)
}

/// The length of digits, with a point among them or not, and an exponent behind them or not.
fn digits_length(text: &[u8], is_digit: fn(&u8) -> bool, marker: u8) -> Option<usize> {
    let count = |from: usize| text[from..].iter().take_while(|byte| is_digit(byte)).count();
    let whole = count(0);
    let mut len = whole;
    if text.get(whole) == Some(&b'.') {
        let fraction = count(whole + 1);
        if whole + fraction > 0 {
            len += 1 + fraction;
        }
    }
    if len == 0 {
        return None;
    }
    if text.get(len).is_some_and(|byte| byte.eq_ignore_ascii_case(&marker)) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'-' | b'+')));
        let digits = text[len + 1 + sign..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits > 0 {
            len += 1 + sign + digits;
        }
    }
    Some(len)
}

/// The length of the bracketed letters that may follow `nan`.
fn nan_tag(text: &[u8]) -> usize {
    let Some(inside) = text.strip_prefix(b"(") else {
        return 0;
    };
    let len = inside
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count();
    if inside.get(len) == Some(&b')') { len + 2 } else { 0 }
}
