//! RDB: the form in which Redis writes values to files, to replicas and into DUMP's replies.
//!
//! A value is a type code and a body made of *lengths* and *strings*:
//!
//! ```text
//! length   00llllll                          up to 63
//!          01llllll llllllll                 up to 16383, big-endian as all lengths
//!          10000000 and 4 bytes              up to 2^32 - 1
//!          10000001 and 8 bytes
//! string   length and bytes
//!          11000000, -01, -10 and 1, 2, 4 bytes   the text of an integer, little-endian
//!          11000011, length, length, bytes        compressed (LZF): how long packed, how long unpacked
//! ```
//!
//! Packed values (a listpack, an intset) are one string, the very bytes that stand in memory, so saving and loading them
//! is a copy. [`ValueType`] lists the types there are. What changed over the versions is which types occur: a reader of
//! version 12 reads all that came before, and a writer says which version it wants to be understood by.
//!
//! - [`encode`] writes values, [`decode`] reads them, also those of types that nobody writes any more ([`ziplist`] and
//!   [`zipmap`] are the packed forms of old);
//! - [`payload`] is what DUMP answers and RESTORE takes;
//! - [`reader`] reads whole files, [`writer`] writes them.
//!
//! What is read is never trusted: every packed value is checked to its last byte before it becomes a value, and no
//! length is believed before as many bytes have come.

pub mod decode;
pub mod encode;
pub mod payload;
pub mod reader;
mod source;
#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod tests;
mod value;
pub mod writer;
mod ziplist;
mod zipmap;

pub use source::{Input, Source};
pub use value::Value;

use std::fmt;

/// Which version of the format a writer writes. Each reads all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16);

impl Version {
    /// Redis 7.0: listpacks for hashes and sorted sets, streams with what their groups have read.
    pub const REDIS_7_0: Version = Version(10);
    /// Redis 7.2: listpacks for sets, streams with when their consumers were active.
    pub const REDIS_7_2: Version = Version(11);
    /// Redis 7.4: hashes whose fields have deadlines. The newest that is read.
    pub const REDIS_7_4: Version = Version(12);
}

/// Whose numbers of types and versions these are: from version 80 on they are Valkey's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Redis,
    Valkey,
}

/// Versions that Valkey counts its own way. Those between are kept apart by both sides.
const VALKEY_VERSIONS: std::ops::RangeInclusive<u16> = 80..=80;

impl Dialect {
    /// Who writes this version; `None` if it is newer than what is known here. The first was 1, but Redis does not mind
    /// a payload of version 0.
    pub fn of_version(version: u16) -> Option<Dialect> {
        match version {
            0..=12 => Some(Dialect::Redis),
            version if VALKEY_VERSIONS.contains(&version) => Some(Dialect::Valkey),
            _ => None,
        }
    }
}

macro_rules! value_types {
    ($($(#[$doc:meta])* $name:ident = $code:literal in $dialect:pat,)+) => {
        /// The types of a value's body.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ValueType { $($(#[$doc])* $name,)+ }

        impl ValueType {
            /// The byte that stands for this type.
            pub fn code(self) -> u8 {
                match self { $(ValueType::$name => $code,)+ }
            }

            /// The type that a byte stands for.
            pub fn from_code(code: u8, dialect: Dialect) -> Option<ValueType> {
                match (code, dialect) {
                    $(($code, $dialect) => Some(ValueType::$name),)+
                    _ => None,
                }
            }
        }
    };
}

value_types! {
    /// A string.
    String = 0 in _,
    /// Elements as strings.
    List = 1 in _,
    /// Members as strings.
    Set = 2 in _,
    /// Members and scores, the scores as text: a byte for its length, or 253 to 255 for nan, inf and -inf.
    ZsetText = 3 in _,
    /// Fields and values as strings.
    Hash = 4 in _,
    /// Members and scores, the scores as doubles of 8 bytes.
    Zset = 5 in _,
    /// A module's value, which is known if it is a vector set.
    VectorSet = 7 in _,
    /// A zipmap.
    HashZipmap = 9 in _,
    /// A ziplist.
    ListZiplist = 10 in _,
    /// An intset.
    SetIntset = 11 in _,
    /// A ziplist of members and scores.
    ZsetZiplist = 12 in _,
    /// A ziplist of fields and values.
    HashZiplist = 13 in _,
    /// Nodes that are ziplists.
    ListQuicklist = 14 in _,
    /// Nodes by their first IDs, then last ID and groups.
    Stream = 15 in _,
    /// A listpack of fields and values.
    HashListpack = 16 in _,
    /// A listpack of members and scores.
    ZsetListpack = 17 in _,
    /// Nodes that are listpacks, or one plain element.
    ListQuicklist2 = 18 in _,
    /// With first ID, highest deleted ID, entries ever added, and entries read by each group.
    Stream2 = 19 in _,
    /// A listpack of members.
    SetListpack = 20 in _,
    /// With the times when consumers were active.
    Stream3 = 21 in _,
    /// Fields and values, each after its deadline (release candidates of Redis 7.4).
    HashExpiringDraft = 22 in Dialect::Redis,
    /// A listpack of fields, values and deadlines (the same).
    HashListpackExpiringDraft = 23 in Dialect::Redis,
    /// The earliest deadline, then fields and values, each after its deadline as a difference to it.
    HashExpiring = 24 in Dialect::Redis,
    /// The earliest deadline, then a listpack of fields, values and deadlines.
    HashListpackExpiring = 25 in Dialect::Redis,
    /// Fields and values, each before its deadline.
    HashExpiringValkey = 22 in Dialect::Valkey,
}

impl ValueType {
    /// The first version that has this type, of those that are written.
    pub fn since(self) -> Version {
        match self {
            // Servers before 8.0, which has the version of 7.4, could read no vector set.
            ValueType::HashExpiring | ValueType::HashListpackExpiring | ValueType::VectorSet => Version::REDIS_7_4,
            ValueType::SetListpack | ValueType::Stream3 => Version::REDIS_7_2,
            _ => Version::REDIS_7_0,
        }
    }
}

/// Why bytes could not be read.
#[derive(Debug)]
pub enum Error {
    /// They end where more must follow.
    Truncated,
    Io(std::io::Error),
    /// They are not what they must be; what was found wrong.
    Corrupt(&'static str),
    /// A collection without elements, which no keyspace holds.
    Empty,
    /// A type or an opcode that is not known.
    UnknownCode(u8),
    /// Something real that cannot be loaded here.
    Unsupported(&'static str),
    /// A file that does not begin as RDB files do, or is of a version that is not known.
    NotRdb,
    UnknownVersion(u16),
    /// The checksum at the end is not that of the bytes.
    Checksum,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Truncated => f.write_str("unexpected end"),
            Error::Io(error) => error.fmt(f),
            Error::Corrupt(what) => write!(f, "corrupt data: {what}"),
            Error::Empty => f.write_str("a collection without elements"),
            Error::UnknownCode(code) => write!(f, "unknown type or opcode {code}"),
            Error::Unsupported(what) => write!(f, "{what} cannot be loaded"),
            Error::NotRdb => f.write_str("this is no RDB file"),
            Error::UnknownVersion(version) => write!(f, "RDB version {version} is not known"),
            Error::Checksum => f.write_str("the checksum is wrong"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::Truncated,
            _ => Error::Io(error),
        }
    }
}

/// How the two top bits of a length's first byte divide the encodings.
const LEN_14_BITS: u8 = 0x40;
const LEN_32_BITS: u8 = 0x80;
const LEN_64_BITS: u8 = 0x81;
const SPECIAL: u8 = 0xC0;
/// Special strings.
const INT_8: u8 = SPECIAL;
const INT_16: u8 = SPECIAL | 1;
const INT_32: u8 = SPECIAL | 2;
const COMPRESSED: u8 = SPECIAL | 3;
/// Nodes of a quicklist: one element as it is, or a listpack.
const NODE_PLAIN: u64 = 1;
const NODE_PACKED: u64 = 2;
