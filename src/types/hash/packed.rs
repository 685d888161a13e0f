//! The small form of a hash: its fields and values as one run of bytes, with half a byte of framing for each.
//!
//! A [listpack](crate::types::listpack) frames each element with its length at both ends, so that it can be walked both
//! ways. A hash is walked forward only, and in pairs. So one byte tells of field and value alike, which for the short
//! texts that most of them are says all there is to say:
//!
//! ```text
//! fields: u16 | pair … pair
//! pair:  codes: u8 | field's length | value's length | field | value
//! ```
//!
//! The upper four bits of `codes` are the field's code, the lower four the value's:
//!
//! | code | what it stands for |
//! |---|---|
//! | 0 to 11 | a text of so many bytes |
//! | 12, 13, 14 | a signed integer of 2, 4 or 8 bytes |
//! | 15 | a longer text, of which the length stands in front: seven bits a byte, the lowest first, the top bit for "more" |
//!
//! Everything is little-endian. A count of 65535 means "more than fits, walk to find out". Text that is the canonical form
//! of a 64-bit integer is kept as an integer when that is shorter: from three characters on, always. So there is one way
//! to write any text, and to look a field up is to compare bytes.
//!
//! The form is this server's own and never leaves it: files and DUMP have listpacks, see [`PairPack::to_listpack`] and
//! [`from_listpack`]. Both directions keep the order. As with listpacks, reading trusts the bytes and panics, rather than
//! reads astray, when a bug has broken them.

use super::pairs_of;
use crate::format::number::parse_i64;
use crate::types::listpack::{self, Element, Listpack};
use crate::types::packed::PackedBuf;

/// Bytes before the first pair.
const HEADER: usize = 2;
/// The stored count that stands for "walk to find out".
const COUNT_UNKNOWN: u16 = u16::MAX;

const INT_16: u8 = 12;
const INT_32: u8 = 13;
const INT_64: u8 = 14;
const LONG_TEXT: u8 = 15;
/// Texts up to this many bytes are told by their code alone.
const SHORT_TEXT_MAX: usize = 11;
/// Bytes that follow for each code.
const LENGTHS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 2, 4, 8, 0];

/// Integers of fewer characters are kept as their text, which is no longer.
const INTEGER_TEXT_MIN: usize = 3;
/// Those integers.
const SHORT_INTEGERS: std::ops::RangeInclusive<i64> = -9..=99;

/// Pairs up to this many bytes are put together on the stack: all that the default settings allow.
const STACK: usize = 136;

/// How many times the bytes of a hash its listpack takes at most. It takes four where fields and values are empty texts.
const LISTPACK_TIMES: usize = 4;

/// The hash without fields.
pub const EMPTY: [u8; HEADER] = [0; HEADER];

/// A field or a value as it is written.
struct Stored<'t> {
    code: u8,
    text: &'t [u8],
    integer: [u8; 8],
}

impl<'t> Stored<'t> {
    #[inline]
    fn of(text: &'t [u8]) -> Self {
        if text.len() >= INTEGER_TEXT_MIN
            && let Some(value) = parse_i64(text)
        {
            return Stored::of_integer(value);
        }
        Stored {
            code: match text.len() {
                0..=SHORT_TEXT_MAX => text.len() as u8,
                _ => LONG_TEXT,
            },
            text,
            integer: [0; 8],
        }
    }

    fn of_integer(value: i64) -> Self {
        let code = if i16::try_from(value).is_ok() {
            INT_16
        } else if i32::try_from(value).is_ok() {
            INT_32
        } else {
            INT_64
        };
        Stored {
            code,
            text: &[],
            integer: value.to_le_bytes(),
        }
    }

    /// An element of a listpack; `digits` is room for an integer's text.
    fn of_element(element: Element<'t>, digits: &'t mut itoa::Buffer) -> Self {
        match element {
            Element::Int(value) if !SHORT_INTEGERS.contains(&value) => Stored::of_integer(value),
            element => Stored::of(element.text(digits)),
        }
    }

    /// The bytes that stand for it, behind code and length.
    #[inline]
    fn payload(&self) -> &[u8] {
        match self.code {
            INT_16..=INT_64 => &self.integer[..LENGTHS[usize::from(self.code)].into()],
            _ => self.text,
        }
    }

    /// Bytes its length takes in front.
    fn length_size(&self) -> usize {
        match self.code {
            LONG_TEXT => varint_size(self.text.len()),
            _ => 0,
        }
    }

    fn write_length<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        match self.code {
            LONG_TEXT => write_varint(self.text.len(), out),
            _ => out,
        }
    }

    fn write_payload<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        let (here, rest) = out.split_at_mut(self.payload().len());
        here.copy_from_slice(self.payload());
        rest
    }
}

fn varint_size(value: usize) -> usize {
    let bits = usize::BITS - value.leading_zeros();
    bits.div_ceil(7).max(1) as usize
}

fn write_varint(mut value: usize, out: &mut [u8]) -> &mut [u8] {
    let mut at = 0;
    while value > 0x7F {
        out[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = value as u8;
    &mut out[at + 1..]
}

/// Reads the number at `at`: it, and where the bytes behind it start.
fn read_varint(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        value |= usize::from(byte & 0x7F) << shift;
        at += 1;
        if byte & 0x80 == 0 {
            return (value, at);
        }
        shift += 7;
    }
}

/// Hands the bytes of a pair to `edit`.
#[inline]
fn with_pair(field: &Stored, value: &Stored, edit: impl FnOnce(&[u8])) {
    let lengths = field.length_size() + value.length_size();
    let size = 1 + lengths + field.payload().len() + value.payload().len();
    let write = |out: &mut [u8]| {
        let (codes, rest) = out.split_first_mut().expect("a pair has at least its codes");
        *codes = field.code << 4 | value.code;
        let rest = value.write_length(field.write_length(rest));
        value.write_payload(field.write_payload(rest));
    };
    if size <= STACK {
        let mut pair = [0; STACK];
        write(&mut pair[..size]);
        edit(&pair[..size]);
    } else {
        let mut pair = vec![0; size];
        write(&mut pair);
        edit(&pair);
    }
}

/// Where a pair stands, and the parts of it.
#[derive(Clone, Copy)]
struct Pair {
    codes: u8,
    at: usize,
    field_at: usize,
    value_at: usize,
    end: usize,
}

impl Pair {
    /// The pair that starts at `at`.
    #[inline]
    fn starting(bytes: &[u8], at: usize) -> Self {
        let codes = bytes[at];
        if codes >> 4 == LONG_TEXT || codes & 0xF == LONG_TEXT {
            return Pair::starting_otherwise(bytes, at);
        }
        let field_at = at + 1;
        let value_at = field_at + usize::from(LENGTHS[usize::from(codes >> 4)]);
        Pair {
            codes,
            at,
            field_at,
            value_at,
            end: value_at + usize::from(LENGTHS[usize::from(codes & 0xF)]),
        }
    }

    fn starting_otherwise(bytes: &[u8], at: usize) -> Self {
        let codes = bytes[at];
        let length = |code: u8, at: usize| match code {
            LONG_TEXT => read_varint(bytes, at),
            _ => (LENGTHS[usize::from(code)].into(), at),
        };
        let (field_len, behind) = length(codes >> 4, at + 1);
        let (value_len, field_at) = length(codes & 0xF, behind);
        Pair {
            codes,
            at,
            field_at,
            value_at: field_at + field_len,
            end: field_at + field_len + value_len,
        }
    }

    #[inline]
    fn field<'a>(&self, bytes: &'a [u8]) -> Element<'a> {
        element(self.codes >> 4, &bytes[self.field_at..self.value_at])
    }

    #[inline]
    fn value<'a>(&self, bytes: &'a [u8]) -> Element<'a> {
        element(self.codes & 0xF, &bytes[self.value_at..self.end])
    }

    #[inline]
    fn has_field(&self, bytes: &[u8], code: u8, payload: &[u8]) -> bool {
        if self.codes >> 4 != code {
            return false;
        }
        // Names in one hash tend to share a length and a beginning, so their ends tell them apart soonest.
        let field = &bytes[self.field_at..self.value_at];
        field.len() == payload.len() && field.last() == payload.last() && field == payload
    }
}

#[inline]
fn element(code: u8, payload: &[u8]) -> Element<'_> {
    match code {
        INT_16..=INT_64 => {
            let mut le = [0; 8];
            le[..payload.len()].copy_from_slice(payload);
            let unused = 64 - 8 * payload.len();
            Element::Int(i64::from_le_bytes(le) << unused >> unused)
        }
        _ => Element::Str(payload),
    }
}

/// The element a listpack has for one of ours, of which the short integers are texts.
fn in_listpack(element: Element<'_>) -> Element<'_> {
    match element {
        Element::Str(text) if text.len() < INTEGER_TEXT_MIN => Element::of(text),
        element => element,
    }
}

/// A small hash, for reading.
#[derive(Clone, Copy, Debug)]
pub struct PairPack<'a> {
    bytes: &'a [u8],
}

impl<'a> PairPack<'a> {
    /// A view of bytes written by this module.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.len() >= HEADER);
        PairPack { bytes }
    }

    /// Number of fields. O(1) below 65535, a walk above.
    #[inline]
    pub fn len(self) -> usize {
        match stored_count(self.bytes) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.bytes.len() == HEADER
    }

    #[inline]
    fn find(self, field: &Stored) -> Option<Pair> {
        let (code, payload) = (field.code, field.payload());
        let mut at = HEADER;
        while at < self.bytes.len() {
            let pair = Pair::starting(self.bytes, at);
            if pair.has_field(self.bytes, code, payload) {
                return Some(pair);
            }
            at = pair.end;
        }
        None
    }

    /// O(n).
    pub fn contains(self, field: &[u8]) -> bool {
        self.find(&Stored::of(field)).is_some()
    }

    /// The value of a field. O(n).
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<Element<'a>> {
        self.find(&Stored::of(field)).map(|pair| pair.value(self.bytes))
    }

    /// The fields and values in order of insertion. Short integers come as [`Element::Str`].
    #[inline]
    pub fn iter(self) -> Pairs<'a> {
        Pairs {
            bytes: self.bytes,
            at: HEADER,
        }
    }

    /// The fields and values as the elements that they are in a listpack.
    pub fn elements(self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> {
        self.iter()
            .map(|(field, value)| (in_listpack(field), in_listpack(value)))
    }

    /// Size of the listpack with the same content. O(n).
    fn listpack_len(self) -> usize {
        let pairs = self.elements();
        listpack::EMPTY.len()
            + pairs
                .map(|(field, value)| field.encoded_len() + value.encoded_len())
                .sum::<usize>()
    }

    /// Whether `extra` more bytes keep the listpack with the same content within the gigabyte that no command may grow one
    /// beyond: past that Redis makes a table. O(1) up to a quarter of it, O(n) above.
    pub fn has_room_for(self, extra: usize) -> bool {
        let at_most = LISTPACK_TIMES * self.bytes.len();
        listpack::may_grow_to(at_most.saturating_add(extra))
            || listpack::may_grow_to(self.listpack_len().saturating_add(extra))
    }

    /// The listpack of field, value, field, value, as files and DUMP have it. O(n).
    pub fn to_listpack(self) -> Vec<u8> {
        // A pair takes about three bytes more there: two for each element instead of one for both.
        let room = listpack::EMPTY.len() + self.bytes.len() + 3 * self.len();
        listpack::build(room, self.elements().flat_map(|(field, value)| [field, value]))
    }
}

/// The pairs of a small hash.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let pair = Pair::starting(self.bytes, self.at);
        self.at = pair.end;
        Some((pair.field(self.bytes), pair.value(self.bytes)))
    }
}

#[inline]
fn stored_count(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}

/// Notes that the number of fields has changed; one that is not known stays so.
#[inline]
fn recount(buf: &mut impl PackedBuf, change: impl FnOnce(u16) -> u16) {
    let count = stored_count(buf.bytes());
    if count != COUNT_UNKNOWN {
        buf.bytes_mut()[..HEADER].copy_from_slice(&change(count).to_le_bytes());
    }
}

#[inline]
fn append(buf: &mut impl PackedBuf, field: &Stored, value: &Stored) {
    let end = buf.bytes().len();
    with_pair(field, value, |pair| buf.splice(end..end, pair));
    recount(buf, |count| count + 1);
}

/// Sets a field; true when it is new, and then last. O(n).
#[inline]
pub fn set(buf: &mut impl PackedBuf, field: &[u8], value: &[u8]) -> bool {
    let (field, value) = (Stored::of(field), Stored::of(value));
    let Some(pair) = PairPack::new(buf.bytes()).find(&field) else {
        append(buf, &field, &value);
        return true;
    };
    let (old, new) = (pair.value_at..pair.end, value.payload());
    if pair.codes & 0xF == value.code && old.len() == new.len() {
        buf.bytes_mut()[old].copy_from_slice(new);
    } else {
        with_pair(&field, &value, |bytes| buf.splice(pair.at..pair.end, bytes));
    }
    false
}

/// Removes a field; false when it was not there. O(n).
pub fn remove(buf: &mut impl PackedBuf, field: &[u8]) -> bool {
    let Some(pair) = PairPack::new(buf.bytes()).find(&Stored::of(field)) else {
        return false;
    };
    buf.splice(pair.at..pair.end, &[]);
    recount(buf, |count| count - 1);
    true
}

/// A hash without fields and with room for `bytes` of them.
pub fn with_room(bytes: usize) -> Vec<u8> {
    let mut pack = Vec::with_capacity(HEADER + bytes);
    pack.extend_from_slice(&EMPTY);
    pack
}

/// The hash of the pairs of a listpack, no field of which is there twice. O(n).
pub fn from_listpack(pack: Listpack<'_>) -> Vec<u8> {
    let mut bytes = with_room(pack.byte_len());
    let (mut field_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    for (field, value) in pairs_of(pack) {
        let field = Stored::of_element(field, &mut field_digits);
        append(&mut bytes, &field, &Stored::of_element(value, &mut value_digits));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;

    /// Fields and values in order.
    type Model = Vec<(Vec<u8>, Vec<u8>)>;

    /// The listpack that Redis has for these.
    fn listpack_of(model: &Model) -> Vec<u8> {
        let texts = model.iter().flat_map(|(field, value)| [field, value]);
        listpack::from_elements(texts.map(|text| Element::of(text)))
    }

    fn check(bytes: &[u8], model: &Model) {
        let pack = PairPack::new(bytes);
        assert_eq!((pack.len(), pack.is_empty()), (model.len(), model.is_empty()));
        let pairs: Model = pack
            .iter()
            .map(|(field, value)| (field.to_vec(), value.to_vec()))
            .collect();
        assert_eq!(&pairs, model);
        let pack = pack.to_listpack();
        assert_eq!(pack, listpack_of(model));
        assert_eq!(PairPack::new(bytes).listpack_len(), pack.len());
        assert!(pack.len() <= LISTPACK_TIMES * bytes.len());
        assert_eq!(from_listpack(Listpack::new(&pack)), bytes);
    }

    fn built(model: &Model) -> Vec<u8> {
        let mut bytes = EMPTY.to_vec();
        for (field, value) in model {
            assert!(set(&mut bytes, field, value));
        }
        bytes
    }

    #[test]
    fn edits_follow_a_vector_of_pairs() {
        for seed in 0..30 {
            let mut rng = Rng::new(seed);
            let (mut bytes, mut model) = (EMPTY.to_vec(), Model::new());
            for _ in 0..300 {
                let (field, value) = (rng.text(), rng.text());
                let known = model.iter().position(|(name, _)| *name == field);
                let pack = PairPack::new(&bytes);
                assert_eq!(pack.contains(&field), known.is_some());
                assert_eq!(
                    pack.get(&field).map(Element::to_vec),
                    known.map(|at| model[at].1.clone())
                );
                if rng.chance(4) {
                    assert_eq!(remove(&mut bytes, &field), known.is_some());
                    if let Some(at) = known {
                        model.remove(at);
                    }
                } else {
                    assert_eq!(set(&mut bytes, &field, &value), known.is_none());
                    match known {
                        Some(at) => model[at].1 = value,
                        None => model.push((field, value)),
                    }
                }
                check(&bytes, &model);
            }
        }
    }

    #[test]
    fn a_pair_costs_a_byte_beside_its_texts() {
        let model: Model = (0..10)
            .map(|n| {
                (
                    format!("field{n}").into_bytes(),
                    format!("value{}", 12345 + n).into_bytes(),
                )
            })
            .collect();
        assert_eq!(built(&model).len(), HEADER + 10 * (1 + 6 + 10));
    }

    #[test]
    fn bytes_are_those_of_the_format() {
        let pairs = [
            ("f", "v"),
            ("42", "-7"),
            ("300", "-32769"),
            ("2147483648", "123456789012"),
            ("elevenbytes", ""),
            ("twelve bytes", "007"),
        ];
        let model: Model = pairs.map(|(field, value)| (field.into(), value.into())).into();
        let expected: [&[u8]; 7] = [
            &[6, 0],
            b"\x11fv",
            b"\x2242-7",
            &[0xCD, 0x2C, 0x01, 0xFF, 0x7F, 0xFF, 0xFF],
            &[0xEE, 0, 0, 0, 0x80, 0, 0, 0, 0, 0x14, 0x1A, 0x99, 0xBE, 0x1C, 0, 0, 0],
            b"\xB0elevenbytes",
            b"\xF3\x0Ctwelve bytes007",
        ];
        assert_eq!(built(&model), expected.concat());
        check(&built(&model), &model);
    }

    #[test]
    fn integers_of_every_width_take_the_fewest_bytes() {
        let borders = [0, 9, 10, 99, 100, 127, 32767, 32768, 2147483647, 2147483648, i64::MAX];
        let values: Vec<i64> = borders.iter().flat_map(|&border| [border, -border, !border]).collect();
        for value in values {
            let text = value.to_string().into_bytes();
            let model = vec![(text.clone(), text.clone())];
            let bytes = built(&model);
            assert!(bytes.len() <= HEADER + 1 + 2 * text.len().min(8), "{value}");
            check(&bytes, &model);
        }
    }

    /// Values that are replaced by others of every length, across the borders of codes, of lengths and of the stack.
    #[test]
    fn texts_at_the_borders_of_codes_and_lengths() {
        let lens = [0, 1, 11, 12, 64, 127, 128, 200, 16_383, 16_384, 70_000];
        let mut bytes = EMPTY.to_vec();
        let mut model: Model = lens.map(|len| (vec![b'f'; len], vec![b'v'; len])).into();
        for (field, value) in &model {
            assert!(set(&mut bytes, field, value));
        }
        check(&bytes, &model);
        for len in lens {
            for (field, value) in &mut model {
                *value = vec![b'w'; len];
                assert!(!set(&mut bytes, field, value));
            }
            check(&bytes, &model);
        }
    }

    #[test]
    fn a_count_beyond_the_header_is_walked() {
        let model: Model = (0..66_000).map(|n| (format!("{n}").into_bytes(), Vec::new())).collect();
        let texts = model.iter().flat_map(|(field, value)| [field, value]);
        let pack = listpack::from_elements(texts.map(|text| Element::of(text)));
        let mut bytes = from_listpack(Listpack::new(&pack));
        assert_eq!(stored_count(&bytes), COUNT_UNKNOWN);
        check(&bytes, &model);
        assert!(remove(&mut bytes, b"65999"));
        assert!(remove(&mut bytes, b"7"));
        assert_eq!(PairPack::new(&bytes).len(), 65_998);
    }

    #[test]
    fn what_another_writer_kept_as_text_is_found() {
        let pack = listpack::from_elements([b"12345", b"67890"].map(|text| Element::Str(text)));
        let bytes = from_listpack(Listpack::new(&pack));
        assert_eq!(PairPack::new(&bytes).get(b"12345"), Some(Element::Int(67890)));
    }

    #[test]
    fn room_is_that_of_the_listpack() {
        let pack = PairPack::new(&EMPTY);
        let most = (1 << 30) - listpack::EMPTY.len();
        assert!(pack.has_room_for(most));
        assert!(!pack.has_room_for(most + 1));
    }
}
