//! One element of a listpack: how it is told apart, written and walked over in both directions.
//!
//! An element is a *body* (a header that says type and length, then the payload) followed by the *backlen*,
//! the body's length written so that it can be read from its last byte backwards. The body makes the step
//! forward, the backlen the step back; neither needs an index.
//!
//! ```text
//! 0xxxxxxx                  integer 0..=127
//! 10llllll text             text of up to 63 bytes
//! 110xxxxx xxxxxxxx         integer of 13 bits, two's complement
//! 1110llll llllllll text    text of up to 4095 bytes
//! F0 length:4 text          any longer text (length little-endian)
//! F1 :2  F2 :3  F3 :4  F4 :8  little-endian integers of 16, 24, 32, 64 bits
//! ```

use crate::format::number::parse_i64;

const TEXT_6_BITS: usize = 0x3F;
const TEXT_12_BITS: usize = 0xFFF;

/// A value as it stands in a listpack. Text that is the canonical form of a 64-bit integer is kept as that integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element<'a> {
    Int(i64),
    Str(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The element that stands for `text`. Always write through this (or `Int`): comparing relies on it.
    #[inline]
    pub fn of(text: &'a [u8]) -> Self {
        match parse_i64(text) {
            Some(value) => Element::Int(value),
            None => Element::Str(text),
        }
    }

    /// The text the user stored; `digits` is room for an integer's.
    #[inline]
    pub fn text<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Element::Int(value) => digits.format(value).as_bytes(),
            Element::Str(text) => text,
        }
    }

    /// The text as owned bytes.
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut itoa::Buffer::new()).to_vec()
    }

    /// Length of the text in bytes.
    pub fn text_len(self) -> usize {
        match self {
            Element::Int(value) => digits10(value),
            Element::Str(text) => text.len(),
        }
    }

    /// The integer this element is, whether stored as one or (by other writers) as its text.
    pub fn integer(self) -> Option<i64> {
        match self {
            Element::Int(value) => Some(value),
            Element::Str(text) => parse_i64(text),
        }
    }

    /// Whether this element's text is `text`. To compare many elements with one text use [`Needle`].
    pub fn is(self, text: &[u8]) -> bool {
        Needle::new(text).matches(self)
    }

    /// Bytes the element takes, backlen included.
    #[inline]
    pub fn encoded_len(self) -> usize {
        let body = self.body_len();
        body + backlen_size(body)
    }

    #[inline]
    fn body_len(self) -> usize {
        match self {
            Element::Int(value) => match value {
                0..=0x7F => 1,
                -0x1000..=0xFFF => 2,
                -0x8000..=0x7FFF => 3,
                -0x80_0000..=0x7F_FFFF => 4,
                -0x8000_0000..=0x7FFF_FFFF => 5,
                _ => 9,
            },
            Element::Str(text) if text.len() <= TEXT_6_BITS => 1 + text.len(),
            Element::Str(text) if text.len() <= TEXT_12_BITS => 2 + text.len(),
            Element::Str(text) => 5 + text.len(),
        }
    }

    /// Writes the element over `out`, which must be `encoded_len()` long.
    #[inline]
    pub fn encode(self, out: &mut [u8]) {
        let (body, backlen) = out.split_at_mut(self.body_len());
        match self {
            Element::Int(value) => encode_integer(value, body),
            Element::Str(text) => encode_text(text, body),
        }
        encode_backlen(body.len(), backlen);
    }
}

fn encode_integer(value: i64, body: &mut [u8]) {
    let le = value.to_le_bytes();
    let tag = match body.len() {
        1 => {
            body[0] = le[0];
            return;
        }
        2 => {
            body[0] = 0xC0 | (le[1] & 0x1F);
            body[1] = le[0];
            return;
        }
        3 => 0xF1,
        4 => 0xF2,
        5 => 0xF3,
        _ => 0xF4,
    };
    body[0] = tag;
    let width = body.len() - 1;
    body[1..].copy_from_slice(&le[..width]);
}

#[inline]
fn encode_text(text: &[u8], body: &mut [u8]) {
    let header = body.len() - text.len();
    match header {
        1 => body[0] = 0x80 | text.len() as u8,
        2 => {
            body[0] = 0xE0 | (text.len() >> 8) as u8;
            body[1] = text.len() as u8;
        }
        _ => {
            body[0] = 0xF0;
            body[1..5].copy_from_slice(&(text.len() as u32).to_le_bytes());
        }
    }
    body[header..].copy_from_slice(text);
}

/// Bytes the backlen of a body of `body` bytes takes. The borders above the first are one below what seven bits
/// a byte could hold; the format is defined so, and a reader going forward depends on it.
#[inline]
fn backlen_size(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Most significant group first; every byte but the first has its top bit set, so that a reader coming from behind
/// knows where to stop.
#[inline]
fn encode_backlen(body: usize, out: &mut [u8]) {
    let last = out.len() - 1;
    for (index, byte) in out.iter_mut().enumerate() {
        let group = ((body >> (7 * (last - index))) & 0x7F) as u8;
        *byte = if index == 0 { group } else { group | 0x80 };
    }
}

/// Reads the backlen that ends just before `end`: the body's length and the bytes the backlen itself takes.
#[inline]
fn backlen_before(bytes: &[u8], end: usize) -> (usize, usize) {
    let mut body = 0;
    for (size, &byte) in bytes[..end].iter().rev().take(5).enumerate() {
        body |= usize::from(byte & 0x7F) << (7 * size);
        if byte & 0x80 == 0 {
            return (body, size + 1);
        }
    }
    panic!("listpack: backlen without an end");
}

/// Length of the body that starts `bytes`, from its header alone; `None` when the header is cut short or unknown.
#[inline]
fn body_len(bytes: &[u8]) -> Option<usize> {
    Some(match *bytes.first()? {
        0..=0x7F => 1,
        head @ 0x80..=0xBF => 1 + usize::from(head & 0x3F),
        0xC0..=0xDF => 2,
        head @ 0xE0..=0xEF => 2 + (usize::from(head & 0x0F) << 8 | usize::from(*bytes.get(1)?)),
        0xF0 => 5 + u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize,
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        0xF5..=0xFF => return None,
    })
}

fn trusted_body_len(bytes: &[u8]) -> usize {
    body_len(bytes).expect("listpack: unknown element header")
}

/// The element in `body`, which is exactly its body.
fn decode_body(body: &[u8]) -> Element<'_> {
    match body[0] {
        head @ 0..=0x7F => Element::Int(i64::from(head)),
        0x80..=0xBF => Element::Str(&body[1..]),
        head @ 0xC0..=0xDF => {
            let value = u16::from(head & 0x1F) << 8 | u16::from(body[1]);
            Element::Int(i64::from((value << 3) as i16 >> 3))
        }
        0xE0..=0xEF => Element::Str(&body[2..]),
        0xF0 => Element::Str(&body[5..]),
        _ => Element::Int(decode_wide(&body[1..])),
    }
}

/// A little-endian two's complement integer of 2, 3, 4 or 8 bytes.
fn decode_wide(payload: &[u8]) -> i64 {
    let mut le = [0; 8];
    le[..payload.len()].copy_from_slice(payload);
    let unused = 64 - 8 * payload.len();
    i64::from_le_bytes(le) << unused >> unused
}

/// Where the element that starts at `at` ends (its backlen included), provided all of it is well formed and lies
/// before `limit`. For bytes nobody has vouched for.
pub fn checked_end(bytes: &[u8], at: usize, limit: usize) -> Option<usize> {
    let bytes = bytes.get(..limit)?;
    let body = body_len(bytes.get(at..)?)?;
    let size = backlen_size(body);
    let backlen = bytes.get(at.checked_add(body)?..)?.get(..size)?;
    let mut expected = [0; 5];
    encode_backlen(body, &mut expected[..size]);
    (backlen == &expected[..size]).then_some(at + body + size)
}

/// An element and the byte offsets it spans in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub element: Element<'a>,
    /// Offset of the first byte.
    pub at: usize,
    /// Offset of the byte behind the last: where the next element starts.
    pub end: usize,
}

impl<'a> Entry<'a> {
    /// The entry that starts at `at`. Panics when no well-formed element does.
    ///
    /// Short texts, most of what there is, are read right here; this and [`Entry::ending`] are the inner loop of every
    /// walk.
    #[inline]
    pub fn starting(bytes: &'a [u8], at: usize) -> Self {
        let (head, rest) = bytes[at..].split_first().expect("listpack: element past the end");
        if is_short_text(*head) {
            let len = usize::from(head & 0x3F);
            return Entry {
                element: Element::Str(&rest[..len]),
                at,
                end: at + len + 2,
            };
        }
        Entry::starting_otherwise(bytes, at)
    }

    fn starting_otherwise(bytes: &'a [u8], at: usize) -> Self {
        let body = trusted_body_len(&bytes[at..]);
        Entry {
            element: decode_body(&bytes[at..at + body]),
            at,
            end: at + body + backlen_size(body),
        }
    }

    /// The entry that ends just before `end`.
    #[inline]
    pub fn ending(bytes: &'a [u8], end: usize) -> Self {
        let body = usize::from(bytes[end - 1]);
        if body < 0x80 {
            let at = end - 1 - body;
            let (head, rest) = bytes[at..end - 1]
                .split_first()
                .expect("listpack: element without a body");
            let element = if is_short_text(*head) {
                Element::Str(rest)
            } else {
                decode_body(&bytes[at..end - 1])
            };
            return Entry { element, at, end };
        }
        Entry::ending_otherwise(bytes, end)
    }

    fn ending_otherwise(bytes: &'a [u8], end: usize) -> Self {
        let (body, size) = backlen_before(bytes, end);
        let at = end - size - body;
        Entry {
            element: decode_body(&bytes[at..at + body]),
            at,
            end,
        }
    }
}

/// Whether a header is that of a text of up to 63 bytes: one byte, and the backlen is one too.
#[inline]
fn is_short_text(head: u8) -> bool {
    head & 0xC0 == 0x80
}

/// Walks a run of elements from both ends.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Entries<'a> {
    /// The elements between two element borders of `bytes`; entries carry offsets into `bytes`.
    pub fn between(bytes: &'a [u8], front: usize, back: usize) -> Self {
        Entries { bytes, front, back }
    }

    /// The first entry whose text is the needle's, looking at every `stride`-th entry (2 looks at the fields of
    /// field-value pairs). O(length).
    #[inline]
    pub fn find(mut self, needle: &Needle, stride: usize) -> Option<Entry<'a>> {
        loop {
            let entry = self.next()?;
            if needle.matches(entry.element) {
                return Some(entry);
            }
            for _ in 1..stride {
                self.skip_one();
            }
        }
    }

    /// Steps over one entry without looking at its value.
    #[inline]
    fn skip_one(&mut self) {
        if self.front < self.back {
            let head = self.bytes[self.front];
            if is_short_text(head) {
                self.front += usize::from(head & 0x3F) + 2;
                return;
            }
            let body = trusted_body_len(&self.bytes[self.front..]);
            self.front += body + backlen_size(body);
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let entry = Entry::starting(self.bytes, self.front);
        self.front = entry.end;
        Some(entry)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let entry = Entry::ending(self.bytes, self.back);
        self.back = entry.at;
        Some(entry)
    }
}

/// A text to look for, parsed once.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    text: &'a [u8],
    integer: Option<i64>,
}

impl<'a> Needle<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Needle {
            text,
            integer: parse_i64(text),
        }
    }

    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The element the text is stored as.
    pub fn element(&self) -> Element<'a> {
        match self.integer {
            Some(value) => Element::Int(value),
            None => Element::Str(self.text),
        }
    }

    /// Whether `element` stands for this text, also when another writer kept an integer as text.
    #[inline]
    pub fn matches(&self, element: Element) -> bool {
        match element {
            Element::Int(value) => self.integer == Some(value),
            // Names in one collection tend to share a length and a beginning, so their ends tell them apart soonest.
            Element::Str(text) => self.text.len() == text.len() && self.text.last() == text.last() && self.text == text,
        }
    }
}

/// Length of an integer's text.
pub fn digits10(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}
