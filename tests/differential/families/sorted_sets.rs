//! Sorted sets.

use super::{Content, Family, exact, form};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[b"z:1", b"z:2"],
    content: Some(Content {
        command: b"ZRANGE",
        arguments: &[b"0", b"-1", b"WITHSCORES"],
        compare: Compare::Exact,
    }),
    forms: &[
        exact(8, "ZADD key <score member>..."),
        exact(8, "ZADD key {NX|XX|GT|LT|CH|INCR} <score member>..."),
        exact(3, "ZADD key INCR score member"),
        exact(4, "ZPOPMIN key [count]"),
        exact(5, "ZRANGE key index index {REV|WITHSCORES|LIMIT index index}"),
        exact(
            6,
            "ZRANGE key scorebound scorebound BYSCORE {REV|WITHSCORES|LIMIT index index}",
        ),
        exact(3, "ZCARD key"),
        exact(3, "ZINCRBY key score member"),
        exact(3, "ZREM key member..."),
        exact(3, "ZPOPMAX key [count]"),
        exact(3, "ZRANK key member [WITHSCORE]"),
        exact(2, "ZREVRANK key member [WITHSCORE]"),
        exact(2, "ZREVRANGE key index index [WITHSCORES]"),
        exact(
            2,
            "ZRANGEBYSCORE key scorebound scorebound {WITHSCORES|LIMIT index index}",
        ),
        exact(
            2,
            "ZREVRANGEBYSCORE key scorebound scorebound {WITHSCORES|LIMIT index index}",
        ),
        exact(5, "ZSCORE key member"),
        // Ranges by member are defined only where all scores are equal: keys of their own, which nothing spoils.
        exact(4, "ZADD lexkey <0 member>...").steady(),
        exact(
            5,
            "ZRANGE lexkey lexbound lexbound BYLEX {REV|LIMIT index index|WITHSCORES}",
        )
        .steady(),
        exact(2, "ZRANGEBYLEX lexkey lexbound lexbound [LIMIT index index]").steady(),
        exact(2, "ZREVRANGEBYLEX lexkey lexbound lexbound [LIMIT index index]").steady(),
        form(3, "ZSCAN key 0 COUNT huge [MATCH pattern]", Compare::Scan).steady(),
        exact(1, "ZSCAN key <ABC|0 COUNT 0|0 COUNT ABC|0 MATCH|0 NOSUCH X>").steady(),
    ],
};
