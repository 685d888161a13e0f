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
        exact(2, "LINSERT key <BEFORE|AFTER> value value"),
        // Never the lowest number, which Redis 7.0 takes and 7.2 does not.
        exact(
            2,
            "LREM key <0|1|2|-1|-2|-5|ABC|1.5|9223372036854775807|-9223372036854775807> value",
        )
        .steady(),
        // Valkey cuts an index of more than 32 bits short in a listpack.
        exact(3, "LSET key <0|1|-1|2|3|-2|-5|7|-9|ABC|1.5|2147483648> value").steady(),
        exact(2, "LTRIM key index index"),
        exact(3, "LPOS key value {RANK index|COUNT count|MAXLEN count}"),
        exact(3, "LMOVE key <key|anykey> <LEFT|RIGHT> <LEFT|RIGHT>"),
        exact(1, "RPOPLPUSH key <key|anykey>"),
        exact(1, "RPUSH key longvalue"),
        exact(1, "LSET key <0|1|-1|2|7|-9> longvalue").steady(),
        exact(1, "LINSERT key BEFORE value longvalue"),
        exact(2, "LMPOP <1 key|2 key key|3 key key key> <LEFT|RIGHT> [COUNT count]"),
        // Whoever finds nothing waits for a millisecond, and never longer.
        exact(1, "BLPOP key [key|anykey] 0.001").steady(),
        exact(1, "BRPOP key [key|anykey] 0.001").steady(),
        exact(1, "BLMOVE key <key|anykey> <LEFT|RIGHT> <LEFT|RIGHT> 0.001").steady(),
        exact(1, "BRPOPLPUSH key <key|anykey> 0.001").steady(),
        exact(1, "BLMPOP 0.001 <1 key|2 anykey key> <LEFT|RIGHT> {COUNT count}").steady(),
        // Only where somebody's type or arguments are wrong, or something is there: nobody may wait.
        exact(1, "BLMOVE key key <LEFT|RIGHT> <LEFT|RIGHT> <-1|ABC>").steady(),
        exact(1, "BRPOPLPUSH key key <-1|ABC>").steady(),
        exact(1, "BLMPOP <-1|ABC> <1 key|2 key key|0 key> <LEFT|RIGHT> [COUNT count]").steady(),
    ],
};
