//! Lists.

use super::{Content, Family, exact};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[b"l:1", b"l:2"],
    content: Some(Content {
        command: b"LRANGE",
        arguments: &[b"0", b"-1"],
        compare: Compare::Exact,
    }),
    forms: &[
        exact(7, "LPUSH key value..."),
        exact(7, "RPUSH key value..."),
        exact(4, "LPOP key [count]"),
        exact(4, "RPOP key [count]"),
        exact(5, "LRANGE key index index"),
        exact(3, "LLEN key"),
        exact(2, "LPUSHX key value..."),
        exact(2, "RPUSHX key value..."),
        exact(3, "LINDEX key index"),
    ],
};
