//! Streams.

use super::{Content, Family, exact};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[b"x:1", b"x:2"],
    content: Some(Content {
        command: b"XRANGE",
        arguments: &[b"-", b"+"],
        compare: Compare::Exact,
    }),
    forms: &[
        exact(6, "XADD key streamid <field value>..."),
        exact(6, "XADD key autoid <field value>..."),
        exact(
            6,
            "XADD key [NOMKSTREAM] [MAXLEN [=|~] count [LIMIT count]|MINID [=|~] streamid [LIMIT count]] streamid <field value>...",
        ),
        exact(3, "XADD key MAXLEN [=|~] count autoid field value"),
        exact(3, "XLEN key"),
        exact(3, "XRANGE key <-|streamid> <+|streamid> [COUNT count]"),
        exact(3, "XREVRANGE key <+|streamid> <-|streamid> [COUNT count]"),
    ],
};
