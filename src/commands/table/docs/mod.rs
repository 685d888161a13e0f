//! What commands do and which arguments they take, for COMMAND DOCS; one file a group.
//!
//! Kept apart from the rows: nothing here is needed to run a command, and clients ask for it rarely (redis-cli at its
//! start, for hints while typing).

use std::borrow::Cow;

#[rustfmt::skip] pub mod bitmap;
#[rustfmt::skip] pub mod cluster;
#[rustfmt::skip] pub mod connection;
#[rustfmt::skip] pub mod generic;
#[rustfmt::skip] pub mod geo;
#[rustfmt::skip] pub mod hash;
#[rustfmt::skip] pub mod history;
#[rustfmt::skip] pub mod hyperloglog;
#[rustfmt::skip] pub mod list;
#[rustfmt::skip] pub mod pubsub;
#[rustfmt::skip] pub mod scripting;
#[rustfmt::skip] pub mod server;
#[rustfmt::skip] pub mod set;
#[rustfmt::skip] pub mod sorted_set;
#[rustfmt::skip] pub mod stream;
#[rustfmt::skip] pub mod string;
#[rustfmt::skip] pub mod transactions;
#[rustfmt::skip] pub mod vector_set;

/// The documentation of one command.
#[derive(Clone, Copy, Debug)]
pub struct Docs {
    pub summary: &'static str,
    /// In Landau notation, and what its letters stand for. Empty where no bound makes sense.
    pub complexity: &'static str,
    pub arguments: &'static [Arg],
    pub status: Status,
}

/// Whether users should call a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Current,
    /// Kept for old clients.
    Deprecated {
        since: &'static str,
        replaced_by: &'static str,
    },
    /// Sent by servers to each other or by developers, not by users.
    System,
}

/// The kind of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl ArgKind {
    /// The name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            ArgKind::String => "string",
            ArgKind::Integer => "integer",
            ArgKind::Double => "double",
            ArgKind::Key => "key",
            ArgKind::Pattern => "pattern",
            ArgKind::UnixTime => "unix-time",
            ArgKind::PureToken => "pure-token",
            ArgKind::OneOf => "oneof",
            ArgKind::Block => "block",
        }
    }
}

/// An argument, or a choice or sequence of arguments.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// None where the token in lower case says it all; see [`Arg::name`].
    name: Option<&'static str>,
    pub kind: ArgKind,
    /// Where it differs from the name; see [`Arg::display_text`].
    display: Option<&'static str>,
    /// Which key spec of the command covers this key, or the keys this pattern makes.
    pub key_spec: Option<u8>,
    /// The word in front of the value, or the argument itself for [`ArgKind::PureToken`].
    pub token: Option<&'static str>,
    pub since: Option<&'static str>,
    pub deprecated_since: Option<&'static str>,
    pub optional: bool,
    /// May be given several times.
    pub multiple: bool,
    /// When given several times, the token is repeated too.
    pub multiple_token: bool,
    pub arguments: &'static [Arg],
}

impl Arg {
    /// The name of the argument: its own, or that of its token.
    pub fn name(&self) -> Cow<'static, str> {
        match (self.name, self.token) {
            (Some(name), _) => Cow::Borrowed(name),
            (None, Some(token)) => Cow::Owned(token.to_ascii_lowercase()),
            (None, None) => Cow::Borrowed(""),
        }
    }

    /// What usage lines show in place of the value; none for choices and sequences.
    pub fn display_text(&self) -> Option<Cow<'static, str>> {
        match self.kind {
            ArgKind::OneOf | ArgKind::Block => None,
            _ => Some(self.display.map_or_else(|| self.name(), Cow::Borrowed)),
        }
    }
}

/// The words the files of this folder are written in.
mod build {
    pub use super::{Arg, Docs};
    use super::{ArgKind, Status};

    pub const fn docs(summary: &'static str, complexity: &'static str, arguments: &'static [Arg]) -> Docs {
        Docs {
            summary,
            complexity,
            arguments,
            status: Status::Current,
        }
    }

    impl Docs {
        pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Docs {
            self.status = Status::Deprecated { since, replaced_by };
            self
        }

        pub const fn system(mut self) -> Docs {
            self.status = Status::System;
            self
        }
    }

    const fn arg(kind: ArgKind, name: &'static str) -> Arg {
        Arg {
            name: Some(name),
            kind,
            display: None,
            key_spec: None,
            token: None,
            since: None,
            deprecated_since: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            arguments: &[],
        }
    }

    pub const fn string(name: &'static str) -> Arg {
        arg(ArgKind::String, name)
    }

    pub const fn integer(name: &'static str) -> Arg {
        arg(ArgKind::Integer, name)
    }

    pub const fn double(name: &'static str) -> Arg {
        arg(ArgKind::Double, name)
    }

    pub const fn pattern(name: &'static str) -> Arg {
        arg(ArgKind::Pattern, name)
    }

    pub const fn unix_time(name: &'static str) -> Arg {
        arg(ArgKind::UnixTime, name)
    }

    /// A key covered by the command's `spec`th key spec.
    pub const fn key(spec: u8) -> Arg {
        key_named("key", spec)
    }

    pub const fn key_named(name: &'static str, spec: u8) -> Arg {
        let mut arg = arg(ArgKind::Key, name);
        arg.key_spec = Some(spec);
        arg
    }

    /// A word that is an argument by itself and named after itself: `NX`.
    pub const fn option(token: &'static str) -> Arg {
        let mut arg = arg(ArgKind::PureToken, "");
        arg.name = None;
        arg.token = Some(token);
        arg
    }

    /// A word that is an argument by itself under another name.
    pub const fn token(name: &'static str, token: &'static str) -> Arg {
        let mut arg = arg(ArgKind::PureToken, name);
        arg.token = Some(token);
        arg
    }

    /// Exactly one of several arguments.
    pub const fn one_of(name: &'static str, arguments: &'static [Arg]) -> Arg {
        nested(ArgKind::OneOf, name, arguments)
    }

    /// Several arguments in a row.
    pub const fn block(name: &'static str, arguments: &'static [Arg]) -> Arg {
        nested(ArgKind::Block, name, arguments)
    }

    const fn nested(kind: ArgKind, name: &'static str, arguments: &'static [Arg]) -> Arg {
        let mut arg = arg(kind, name);
        arg.arguments = arguments;
        arg
    }

    impl Arg {
        pub const fn token(mut self, token: &'static str) -> Arg {
            self.token = Some(token);
            self
        }

        /// For arguments that lead to keys without being one.
        pub const fn key_spec(mut self, spec: u8) -> Arg {
            self.key_spec = Some(spec);
            self
        }

        pub const fn display(mut self, text: &'static str) -> Arg {
            self.display = Some(text);
            self
        }

        pub const fn since(mut self, version: &'static str) -> Arg {
            self.since = Some(version);
            self
        }

        pub const fn deprecated(mut self, version: &'static str) -> Arg {
            self.deprecated_since = Some(version);
            self
        }

        pub const fn optional(mut self) -> Arg {
            self.optional = true;
            self
        }

        pub const fn multiple(mut self) -> Arg {
            self.multiple = true;
            self
        }

        pub const fn multiple_token(mut self) -> Arg {
            self.multiple_token = true;
            self
        }
    }
}
