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
    ],
};
