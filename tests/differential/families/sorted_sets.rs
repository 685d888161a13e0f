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
    // Offsets are not negative: Valkey 8 counts those from the end, unlike Redis up to 7.2, and what it then stores differs.
    forms: &[
        exact(8, "ZADD key <score member>..."),
        exact(8, "ZADD key {NX|XX|GT|LT|CH|INCR} <score member>..."),
        exact(3, "ZADD key INCR score member"),
        exact(4, "ZPOPMIN key [count]"),
        exact(5, "ZRANGE key index index {REV|WITHSCORES|LIMIT index index}"),
        exact(
            6,
            "ZRANGE key scorebound scorebound BYSCORE {REV|WITHSCORES|LIMIT count index}",
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
            "ZRANGEBYSCORE key scorebound scorebound {WITHSCORES|LIMIT count index}",
        ),
        exact(
            2,
            "ZREVRANGEBYSCORE key scorebound scorebound {WITHSCORES|LIMIT count index}",
        ),
        exact(5, "ZSCORE key member"),
        exact(2, "ZMSCORE key member..."),
        exact(3, "ZCOUNT key scorebound scorebound"),
        exact(1, "ZREMRANGEBYRANK key index index"),
        exact(1, "ZREMRANGEBYSCORE key scorebound scorebound"),
        exact(2, "ZRANGESTORE key key index index {REV|LIMIT index index}"),
        exact(
            2,
            "ZRANGESTORE key key scorebound scorebound BYSCORE {REV|WITHSCORES|LIMIT count index}",
        )
        .steady(),
        exact(
            3,
            "ZUNION <1 zsetorset|2 zsetorset zsetorset|3 zsetorset key anykey> {AGGREGATE <SUM|MIN|MAX>|WITHSCORES}",
        ),
        exact(
            2,
            "ZUNION <1 zsetorset WEIGHTS score|2 zsetorset zsetorset WEIGHTS score score> {AGGREGATE <SUM|MIN|MAX>|WITHSCORES}",
        ),
        exact(
            3,
            "ZINTER <1 zsetorset|2 zsetorset zsetorset|3 zsetorset key anykey> {AGGREGATE <SUM|MIN|MAX>|WITHSCORES}",
        ),
        exact(
            2,
            "ZINTER <1 zsetorset WEIGHTS score|2 zsetorset zsetorset WEIGHTS score score> {AGGREGATE <SUM|MIN|MAX>|WITHSCORES}",
        ),
        exact(
            2,
            "ZDIFF <1 zsetorset|2 zsetorset zsetorset|3 zsetorset key anykey> [WITHSCORES]",
        ),
        exact(
            1,
            "ZINTERCARD <1 zsetorset|2 zsetorset zsetorset|3 zsetorset key anykey> {LIMIT count}",
        ),
        exact(
            2,
            "ZUNIONSTORE key <1 zsetorset|2 zsetorset zsetorset|3 key zsetorset key> {AGGREGATE <SUM|MIN|MAX>}",
        ),
        exact(
            2,
            "ZUNIONSTORE key 2 zsetorset zsetorset WEIGHTS score score {AGGREGATE <SUM|MIN|MAX>|WITHSCORES}",
        ),
        exact(
            1,
            "ZINTERSTORE key <1 zsetorset|2 zsetorset zsetorset|3 key zsetorset key> {AGGREGATE <SUM|MIN|MAX>}",
        ),
        exact(
            1,
            "ZINTERSTORE key 2 zsetorset zsetorset WEIGHTS score score {AGGREGATE <SUM|MIN|MAX>}",
        ),
        exact(
            1,
            "ZDIFFSTORE key <1 zsetorset|2 zsetorset zsetorset|3 key zsetorset key>",
        ),
        exact(2, "ZMPOP <1 key|2 anykey key|3 key key anykey> <MIN|MAX> {COUNT count}"),
        // Whoever finds nothing waits for a millisecond, and never longer.
        exact(1, "BZPOPMIN key [key|anykey] 0.001").steady(),
        exact(1, "BZPOPMAX key [key|anykey] 0.001").steady(),
        exact(
            1,
            "BZMPOP <0.001|-1|1E300|NAN> <0 key|1 key|2 anykey key> <MIN|MAX> {COUNT count}",
        )
        .steady(),
        // All of a set come in a certain order, some of it in any.
        exact(1, "ZRANDMEMBER key bigcount [WITHSCORES]").steady(),
        form(
            2,
            "ZRANDMEMBER key [<0|1|2|3|6|-1|-3|-20> [WITHSCORES]]",
            Compare::Shape,
        ),
        // Ranges by member are defined only where all scores are equal: keys of their own, which nothing spoils.
        exact(4, "ZADD lexkey <0 member>...").steady(),
        exact(
            5,
            "ZRANGE lexkey lexbound lexbound BYLEX {REV|LIMIT count index|WITHSCORES}",
        )
        .steady(),
        form(3, "ZSCAN key 0 COUNT huge [MATCH pattern]", Compare::Scan).steady(),
        exact(1, "ZSCAN key <ABC|0 COUNT 0|0 COUNT ABC|0 MATCH|0 NOSUCH X>").steady(),
        exact(2, "ZLEXCOUNT lexkey lexbound lexbound").steady(),
        exact(1, "ZREMRANGEBYLEX lexkey lexbound lexbound").steady(),
        exact(
            1,
            "ZRANGESTORE lexkey lexkey lexbound lexbound BYLEX {REV|LIMIT count index|WITHSCORES}",
        )
        .steady(),
        exact(2, "ZRANGEBYLEX lexkey lexbound lexbound [LIMIT count index]").steady(),
        exact(2, "ZREVRANGEBYLEX lexkey lexbound lexbound [LIMIT count index]").steady(),
    ],
};
