//! Writing replies: one method a RESP type, in the protocol the client asked for.

use crate::types::listpack::Element;

/// The protocol version a client speaks, chosen with HELLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// `text` without line breaks at its ends.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = text.iter().position(|byte| !is_break(byte)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_break(byte))
        .map_or(start, |last| last + 1);
    &text[start..end]
}

/// A growing reply. Values that RESP2 lacks fall back to what Redis sends instead.
#[derive(Debug, Default)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub protocol: Protocol,
}

impl Reply {
    pub fn new(protocol: Protocol) -> Self {
        Reply {
            bytes: Vec::new(),
            protocol,
        }
    }

    fn resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn number_line(&mut self, kind: u8, value: i64) {
        // Most lengths and counts have one digit.
        if (0..10).contains(&value) {
            return self.bytes.extend_from_slice(&[kind, b'0' + value as u8, b'\r', b'\n']);
        }
        let mut digits = itoa::Buffer::new();
        self.line(kind, digits.format(value).as_bytes());
    }

    pub fn ok(&mut self) {
        self.bytes.extend_from_slice(b"+OK\r\n");
    }

    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }

    /// `text` begins with its code: `ERR ...`, `WRONGTYPE ...`. Line breaks become spaces, or they would end the reply;
    /// those at either end are dropped, as Redis does.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        let start = self.bytes.len();
        self.line(b'-', trimmed(text.as_ref()));
        let end = self.bytes.len() - 2;
        for byte in &mut self.bytes[start..end] {
            if *byte == b'\r' || *byte == b'\n' {
                *byte = b' ';
            }
        }
    }

    pub fn int(&mut self, value: i64) {
        self.number_line(b':', value);
    }

    pub fn len(&mut self, value: usize) {
        self.int(value as i64);
    }

    pub fn bulk(&mut self, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.bytes.reserve(value.len() + 16);
        self.number_line(b'$', value.len() as i64);
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string.
    pub fn bulk_int(&mut self, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(value).as_bytes());
    }

    /// An element of a packed value as a bulk string.
    #[inline]
    pub fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Str(text) => self.bulk(text),
            Element::Int(value) => self.bulk_int(value),
        }
    }

    pub fn bulk_or_null(&mut self, value: Option<impl AsRef<[u8]>>) {
        match value {
            Some(value) => self.bulk(value),
            None => self.null(),
        }
    }

    /// No value: `$-1` in RESP2.
    pub fn null(&mut self) {
        let text: &[u8] = if self.resp3() { b"_\r\n" } else { b"$-1\r\n" };
        self.bytes.extend_from_slice(text);
    }

    /// No value where an array was expected: `*-1` in RESP2.
    pub fn null_array(&mut self) {
        let text: &[u8] = if self.resp3() { b"_\r\n" } else { b"*-1\r\n" };
        self.bytes.extend_from_slice(text);
    }

    /// Announces `len` elements, which the caller writes next.
    pub fn array(&mut self, len: usize) {
        self.number_line(b'*', len as i64);
    }

    /// Announces `pairs` keys and values; a flat array in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.resp3() {
            self.number_line(b'%', pairs as i64);
        } else {
            self.array(pairs * 2);
        }
    }

    pub fn set(&mut self, len: usize) {
        let kind = if self.resp3() { b'~' } else { b'*' };
        self.number_line(kind, len as i64);
    }

    pub fn push(&mut self, len: usize) {
        let kind = if self.resp3() { b'>' } else { b'*' };
        self.number_line(kind, len as i64);
    }

    /// Announces `pairs` of what is said about the reply that follows. RESP2 has nothing like it.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.resp3());
        self.number_line(b'|', pairs as i64);
    }

    pub fn bool(&mut self, value: bool) {
        match (self.resp3(), value) {
            (true, true) => self.bytes.extend_from_slice(b"#t\r\n"),
            (true, false) => self.bytes.extend_from_slice(b"#f\r\n"),
            (false, value) => self.int(i64::from(value)),
        }
    }

    /// A double in Redis 7.2's shortest form; a bulk string in RESP2.
    pub fn double(&mut self, value: f64) {
        let text = crate::format::number::double(value);
        if self.resp3() {
            self.line(b',', text.as_bytes());
        } else {
            self.bulk(text.as_bytes());
        }
    }

    /// Text for people; `format` is three letters (`txt`, `mkd`). A bulk string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: impl AsRef<[u8]>) {
        debug_assert_eq!(format.len(), 3);
        let text = text.as_ref();
        if !self.resp3() {
            return self.bulk(text);
        }
        self.number_line(b'=', text.len() as i64 + 4);
        self.bytes.extend_from_slice(format.as_bytes());
        self.bytes.push(b':');
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A number too large for `:`; a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        if self.resp3() {
            self.line(b'(', digits.as_bytes());
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    /// Writes elements whose number is known only afterwards: `body` returns it and `announce` writes the header.
    pub fn deferred(&mut self, announce: impl Fn(&mut Reply, usize), body: impl FnOnce(&mut Reply) -> usize) {
        let start = self.bytes.len();
        let len = body(self);
        let end = self.bytes.len();
        announce(self, len);
        let header = self.bytes.len() - end;
        self.bytes[start..].rotate_right(header);
    }
}
