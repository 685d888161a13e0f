//! Strings: an integer or bytes in the entry, or a buffer of their own.

use std::ops::Range;

use super::{NewCollection, View, ViewMut};
use crate::config::Settings;
use crate::format::number::parse_i64;
use crate::keyspace::database::{EntryMut, Times};
use crate::keyspace::{EntryRef, Kind, NewValue, STRING_INLINE_MAX, ValueRef};
use crate::server::failure::{Failure, WRONG_TYPE};
use crate::types::packed::PackedBuf;

/// From this length on a string that more than doubles gets a fresh buffer: the system hands that out zeroed, and pages
/// nobody writes to cost nothing. SETBIT far behind the end of a short string then takes no time.
const FRESH_BUFFER: usize = 64 << 10;

/// A string value's text: its bytes, or its integer's digits.
pub struct Text<'a> {
    digits: itoa::Buffer,
    source: ValueRef<'a>,
}

impl<'a> View<'a> for Text<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        matches!(value, ValueRef::Int(_) | ValueRef::Str(_)).then(|| Text {
            digits: itoa::Buffer::new(),
            source: value,
        })
    }
}

impl<'a> Text<'a> {
    /// The text of a string entry; the error of a key of another type.
    pub fn of_entry(entry: EntryRef<'a>) -> Result<Self, Failure> {
        View::of(entry.value()).ok_or_else(|| WRONG_TYPE.into())
    }

    pub fn bytes(&mut self) -> &[u8] {
        match self.source {
            ValueRef::Int(value) => self.digits.format(value).as_bytes(),
            ValueRef::Str(bytes) => bytes,
            _ => &[],
        }
    }
}

/// How a string is stored: as an integer if its text is one, in the entry if short, else in its own buffer.
pub fn string_value(text: &[u8]) -> NewValue<'_> {
    if text.len() <= 20
        && let Some(value) = parse_i64(text)
    {
        return NewValue::Int(value);
    }
    if text.len() <= STRING_INLINE_MAX {
        NewValue::Str(text)
    } else {
        NewValue::boxed(Box::new(text.to_vec()))
    }
}

/// The same for a string that a command built, which is not looked at as a number.
pub fn built_string(text: Vec<u8>) -> NewCollection {
    if text.len() <= STRING_INLINE_MAX {
        NewCollection::Packed(Kind::StrEdited, text)
    } else {
        NewCollection::Large(NewValue::boxed(Box::new(text)))
    }
}

/// A string for editing in place. Whatever it was, `OBJECT ENCODING` calls it raw from now on, even if nothing changes.
pub struct StringMut<'a> {
    entry: EntryMut<'a>,
}

impl<'a> ViewMut<'a> for StringMut<'a> {
    type Limits = ();

    fn limits(_: &Settings) {}

    fn of(mut entry: EntryMut<'a>, (): (), _: Times) -> Option<Self> {
        match entry.as_ref().value() {
            ValueRef::Int(value) => {
                let mut digits = itoa::Buffer::new();
                let text = digits.format(value).as_bytes();
                entry.convert(NewValue::Inline(Kind::StrEdited, text));
            }
            ValueRef::Str(_) if entry.kind() == Kind::Str => entry.splice_as(Kind::StrEdited, 0..0, &[]),
            ValueRef::Str(_) => {}
            _ => return None,
        }
        Some(StringMut { entry })
    }
}

impl StringMut<'_> {
    fn is_inline(&self) -> bool {
        self.entry.kind() != Kind::StrHeap
    }

    fn heap(&mut self) -> &mut Vec<u8> {
        self.entry
            .boxed()
            .expect("only called for a string in a buffer of its own")
    }

    fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Adds bytes at the end. O(bytes added), amortised.
    pub fn append(&mut self, tail: &[u8]) {
        if self.is_inline() {
            let len = self.len();
            self.splice(len..len, tail);
        } else {
            self.heap().extend_from_slice(tail);
        }
    }

    /// Lengthens the string with zeros to `len` bytes if it is shorter; says whether it was.
    pub fn grow(&mut self, len: usize) -> bool {
        let old = self.len();
        if len <= old {
            return false;
        }
        if self.is_inline() && len <= STRING_INLINE_MAX {
            self.splice(old..old, &[0; STRING_INLINE_MAX][..len - old]);
        } else if self.is_inline() || len > FRESH_BUFFER && len / 2 > old {
            let mut text = vec![0; len];
            text[..old].copy_from_slice(self.bytes());
            self.set_heap(text);
        } else {
            self.heap().resize(len, 0);
        }
        true
    }

    fn set_heap(&mut self, text: Vec<u8>) {
        if self.is_inline() {
            self.entry.convert(NewValue::boxed(Box::new(text)));
        } else {
            *self.heap() = text;
        }
    }
}

impl PackedBuf for StringMut<'_> {
    fn bytes(&self) -> &[u8] {
        match self.entry.as_ref().value() {
            ValueRef::Str(bytes) => bytes,
            _ => &[],
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        if self.is_inline() {
            self.entry.bytes_mut()
        } else {
            self.heap()
        }
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        if self.is_inline() {
            let len = self.len() - range.len() + with.len();
            if len <= STRING_INLINE_MAX {
                return self.entry.splice_as(Kind::StrEdited, range, with);
            }
            let mut text = Vec::with_capacity(len);
            text.extend_from_slice(self.bytes());
            self.set_heap(text);
        }
        PackedBuf::splice(self.heap(), range, with);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Key;
    use crate::server::testing::Server;

    #[test]
    fn edits_agree_with_plain_bytes() {
        let mut random = fastrand::Rng::with_seed(6);
        let mut server = Server::start();
        for start in [b"12345".as_slice(), b"text", &[b'x'; 1000], &[b'y'; 70_000]] {
            let key = Key::new(b"a");
            server.run(&[b"SET", b"a", start]);
            let mut want = start.to_vec();
            for _ in 0..500 {
                let text = server.core.write_as::<StringMut>(0, key);
                let mut text = text.ok().flatten().expect("a string");
                let patch = vec![random.u8(..); random.usize(0..60)];
                match random.u8(0..10) {
                    0..4 => {
                        let start = random.usize(0..=want.len());
                        let end = want.len().min(start + random.usize(0..60));
                        text.splice(start..end, &patch);
                        want.splice(start..end, patch);
                    }
                    4..7 => {
                        text.append(&patch);
                        want.extend_from_slice(&patch);
                    }
                    7 => text.bytes_mut().iter_mut().chain(&mut want).for_each(|byte| *byte ^= 1),
                    _ => {
                        let len = random.usize(0..1500) << random.u32(0..8);
                        assert_eq!(text.grow(len), len > want.len());
                        want.resize(want.len().max(len), 0);
                        if random.bool() {
                            text.splice(300.min(want.len())..want.len(), &[]);
                            want.truncate(300);
                        }
                    }
                }
                assert_eq!(text.bytes(), want);
            }
            assert_eq!(server.ask("OBJECT ENCODING a"), "$3|raw|");
        }
    }

    #[test]
    fn a_key_that_was_absent_is_told_as_new() {
        let mut server = Server::start();
        server.listen();
        for command in [
            "SET a x",
            "INCR b",
            "MSET c x",
            "APPEND d x",
            "SETRANGE e 1 x",
            "SETNX f x",
        ] {
            let told = server.ask(command);
            assert_eq!(told.matches("__keyevent@0__:new").count(), 1, "{command}: {told}");
        }
        for command in ["SET a y", "INCR b", "APPEND d y"] {
            assert!(!server.ask(command).contains("new"), "{command}");
        }
    }
}
