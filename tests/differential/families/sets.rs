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
        exact(3, "SMOVE key key member"),
        form(1, "SRANDMEMBER key [<0|1|2|3|6>]", Compare::Shape).steady(),
        form(1, "SRANDMEMBER key <-1|-7|-300>", Compare::Shape).steady(),
        form(1, "SRANDMEMBER key bigcount", Compare::Unordered).steady(),
        exact(1, "SRANDMEMBER key <ABC|0|1 2|-9223372036854775808>").steady(),
        form(2, "SINTER key...", Compare::Unordered),
        form(2, "SUNION key...", Compare::Unordered),
        form(2, "SDIFF key...", Compare::Unordered),
        exact(2, "SINTERCARD <1 key|2 key key|3 key key key> [LIMIT count]"),
        // The encoding of a result depends on the order of its members, which is each server's own.
        exact(2, "SINTERSTORE key key...").forget(),
        exact(1, "SUNIONSTORE key key...").forget(),
        exact(2, "SDIFFSTORE key key...").forget(),
    ],
};
