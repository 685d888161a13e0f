//! Sets.

use super::{Content, Family, exact, form};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[b"t:1", b"t:2"],
    content: Some(Content {
        command: b"SMEMBERS",
        arguments: &[],
        compare: Compare::Unordered,
    }),
    forms: &[
        exact(7, "SADD key member..."),
        exact(4, "SADD key int..."),
        form(1, "SPOP key", Compare::Shape).forget(),
        form(1, "SPOP key count", Compare::Shape).forget(),
        form(2, "SPOP key bigcount", Compare::Unordered).steady(),
        exact(1, "SPOP key <-1|ABC|0|1 2>").steady(),
        exact(4, "SREM key member..."),
        exact(2, "SREM key int..."),
        exact(3, "SISMEMBER key member"),
        exact(3, "SMISMEMBER key member..."),
        exact(4, "SCARD key"),
        form(4, "SMEMBERS key", Compare::Unordered),
        form(3, "SSCAN key 0 COUNT huge [MATCH pattern]", Compare::Scan).steady(),
        exact(1, "SSCAN key <ABC|0 COUNT 0|0 COUNT ABC|0 MATCH|0 NOSUCH X>").steady(),
    ],
};
