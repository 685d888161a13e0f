//! Hashes.

use super::{Content, Family, exact, form};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[b"h:1", b"h:2"],
    content: Some(Content {
        command: b"HGETALL",
        arguments: &[],
        compare: Compare::Pairs,
    }),
    forms: &[
        exact(8, "HSET key <field value>..."),
        exact(5, "HGET key field"),
        form(4, "HGETALL key", Compare::Pairs),
        exact(3, "HLEN key"),
        exact(2, "HMSET key <field value>..."),
        exact(4, "HDEL key field..."),
        exact(3, "HMGET key field..."),
        exact(2, "HEXISTS key field"),
        form(2, "HKEYS key", Compare::Unordered),
        form(2, "HVALS key", Compare::Unordered),
    ],
};
