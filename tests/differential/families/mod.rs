//! The commands compared, one table a family. A new family is a file here and a line in [`ALL`].

use super::compare::Compare;

mod bitmaps;
mod connection;
mod geo;
mod hashes;
mod hyperloglogs;
mod keyspace;
mod lists;
mod server;
mod sets;
mod sort;
mod sorted_sets;
mod streams;
mod strings;

/// Every family.
pub const ALL: &[&Family] = &[
    &connection::FAMILY,
    &keyspace::FAMILY,
    &strings::FAMILY,
    &lists::FAMILY,
    &sets::FAMILY,
    &hashes::FAMILY,
    &sorted_sets::FAMILY,
    &geo::FAMILY,
    &streams::FAMILY,
    &bitmaps::FAMILY,
    &hyperloglogs::FAMILY,
    &sort::FAMILY,
    &server::FAMILY,
];

/// Commands that work on one type of value.
pub struct Family {
    /// Keys that mostly hold this type.
    pub keys: &'static [&'static [u8]],
    pub forms: &'static [Form],
    /// How to read a whole value of this type.
    pub content: Option<Content>,
}

/// The command that reads a whole value: `command key arguments`.
pub struct Content {
    pub command: &'static [u8],
    pub arguments: &'static [&'static [u8]],
    pub compare: Compare,
}

/// One way to write a command, in the notation of [`grammar`](super::grammar).
pub struct Form {
    /// How often, relative to the others.
    pub weight: usize,
    pub syntax: &'static str,
    pub compare: Compare,
    /// Never spoilt, because a wrong argument would make it unrepeatable.
    pub steady: bool,
    /// Its key is deleted afterwards, because it left different values on different servers.
    pub forget: bool,
}

impl Form {
    /// The command's name.
    pub fn name(&self) -> &'static str {
        self.syntax.split(' ').next().unwrap_or_default()
    }

    const fn steady(self) -> Form {
        Form { steady: true, ..self }
    }

    const fn forget(self) -> Form {
        Form {
            steady: true,
            forget: true,
            ..self
        }
    }
}

/// A form whose replies are compared to the byte.
const fn exact(weight: usize, syntax: &'static str) -> Form {
    form(weight, syntax, Compare::Exact)
}

const fn form(weight: usize, syntax: &'static str, compare: Compare) -> Form {
    Form {
        weight,
        syntax,
        compare,
        steady: false,
        forget: false,
    }
}
