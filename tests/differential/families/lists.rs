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
        exact(2, "LREM key index value"),
        exact(3, "LSET key index value"),
        exact(2, "LTRIM key index index"),
        exact(3, "LPOS key value {RANK index|COUNT count|MAXLEN count}"),
        exact(2, "LMOVE key key <LEFT|RIGHT> <LEFT|RIGHT>"),
        exact(1, "RPOPLPUSH key key"),
        exact(2, "LMPOP <1 key|2 key key|3 key key key> <LEFT|RIGHT> [COUNT count]"),
        // Only where somebody's type or arguments are wrong, or something is there: nobody may wait.
        exact(1, "BLMOVE key key <LEFT|RIGHT> <LEFT|RIGHT> <-1|ABC>").steady(),
        exact(1, "BRPOPLPUSH key key <-1|ABC>").steady(),
        exact(1, "BLMPOP <-1|ABC> <1 key|2 key key|0 key> <LEFT|RIGHT> [COUNT count]").steady(),
    ],
};
