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
        exact(3, "HSETNX key field value"),
        exact(3, "HSTRLEN key field"),
        exact(4, "HINCRBY key field int"),
        exact(3, "HINCRBYFLOAT key field float"),
        // A count far below zero asks for as many fields as memory holds, of every server.
        form(3, "HRANDFIELD key [<0|1|2|3|6|-1|-3|-20> [WITHVALUES]]", Compare::Shape).steady(),
        exact(
            1,
            "HRANDFIELD key <ABC|-9223372036854775808|1 NOSUCH|4611686018427387904 WITHVALUES|1 WITHVALUES X>",
        )
        .steady(),
        form(3, "HSCAN key 0 COUNT huge [MATCH pattern]", Compare::Scan).steady(),
        exact(
            1,
            "HSCAN key <ABC|0 COUNT 0|0 COUNT ABC|0 MATCH|0 NOSUCH X|0 TYPE HASH>",
        )
        .steady(),
    ],
};
