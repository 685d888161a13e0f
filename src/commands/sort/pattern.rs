//! Patterns of SORT's BY and GET: which value belongs to an element.
//!
//! `weight_*` is the string at the key that has the element in place of the star, `object_*->weight` the field `weight` of
//! the hash there, and `#` the element itself. Redis looks for star and arrow as C does, up to a NUL byte, but takes
//! what stands around them whole.

use crate::commands::values::View;
use crate::keyspace::{Key, ValueRef};
use crate::server::core::Core;
use crate::types::hash::HashRef;
use crate::types::listpack::Element;

/// A pattern, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// `#`
    Element,
    /// Without a star: the same for all elements, which is taken to be no value at all.
    Constant,
    Key {
        before: &'a [u8],
        after: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    pub fn parse(text: &'a [u8]) -> Self {
        const ARROW: &[u8] = b"->";
        let searched = text.split(|&byte| byte == 0).next().unwrap_or(text);
        if searched == b"#" {
            return Pattern::Element;
        }
        let Some(star) = memchr::memchr(b'*', searched) else {
            return Pattern::Constant;
        };
        let rest = star + 1;
        let arrow = memchr::memmem::find(&searched[rest..], ARROW).map(|at| rest + at);
        // An arrow at the end points at nothing and is part of the key.
        let arrow = arrow.filter(|at| at + ARROW.len() < searched.len());
        Pattern::Key {
            before: &text[..star],
            after: &text[rest..arrow.unwrap_or(text.len())],
            field: arrow.map(|at| &text[at + ARROW.len()..]),
        }
    }
}

/// Looks up values, with a buffer for the keys' names that serves all of them.
#[derive(Default)]
pub struct Lookup {
    name: Vec<u8>,
}

impl Lookup {
    /// The value that a pattern names for an element. O(1).
    pub fn find<'v>(
        &mut self,
        core: &'v mut Core,
        database: usize,
        pattern: Pattern<'_>,
        element: &'v [u8],
    ) -> Option<Element<'v>> {
        let (before, after, field) = match pattern {
            Pattern::Element => return Some(Element::Str(element)),
            Pattern::Constant => return None,
            Pattern::Key { before, after, field } => (before, after, field),
        };
        self.name.clear();
        for part in [before, element, after] {
            self.name.extend_from_slice(part);
        }
        let expired_by = core.moment.expired_by;
        match (field, core.read(database, Key::new(&self.name))?.value()) {
            (Some(field), value) => HashRef::at(value, expired_by)?.get(field),
            (None, ValueRef::Int(value)) => Some(Element::Int(value)),
            (None, ValueRef::Str(text)) => Some(Element::Str(text)),
            (None, _) => None,
        }
    }
}

#[test]
fn stars_and_arrows_are_found() {
    let key = |before, after, field| Pattern::Key { before, after, field };
    let cases: [(&[u8], Pattern); 11] = [
        (b"#", Pattern::Element),
        (b"#\0x", Pattern::Element),
        (b"nosort", Pattern::Constant),
        (b"", Pattern::Constant),
        (b"x\0*", Pattern::Constant),
        (b"*", key(b"", b"", None)),
        (b"w_*_x*", key(b"w_", b"_x*", None)),
        (b"o*->f->g", key(b"o", b"", Some(b"f->g"))),
        (b"a->b*c->d", key(b"a->b", b"c", Some(b"d"))),
        (b"o*->", key(b"o", b"->", None)),
        (b"o*\0->f", key(b"o", b"\0->f", None)),
    ];
    for (text, pattern) in cases {
        assert_eq!(Pattern::parse(text), pattern, "{}", text.escape_ascii());
    }
}
