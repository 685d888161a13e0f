//! Commands for sorted sets.

use super::prelude::*;
use crate::commands::table::docs::sorted_set as docs;

pub const COMMANDS: &[Row] = &[
    cmd("bzmpop",           -5, "7.0.0", &[Write, Blocking, MovableKeys], &[SortedSet], &docs::BZMPOP)
        .keys(&[POP.at(NUMKEYS_AT_2)]),
    cmd("bzpopmax",         -3, "5.0.0", &[Write, Blocking, Fast], &[SortedSet], &docs::BZPOPMAX)
        .keys(&[POP.at(KEYS_FROM_1_BUT_LAST_ARG)]),
    cmd("bzpopmin",         -3, "5.0.0", &[Write, Blocking, Fast], &[SortedSet], &docs::BZPOPMIN)
        .keys(&[POP.at(KEYS_FROM_1_BUT_LAST_ARG)]),
    cmd("zadd",             -4, "1.2.0", &[Write, DenyOom, Fast], &[SortedSet], &docs::ZADD)
        .keys(&[UPDATE.at(KEY_1)]).elements(ELEMENTS_FROM_3_EVERY_SECOND),
    cmd("zcard",             2, "1.2.0", &[ReadOnly, Fast], &[SortedSet], &docs::ZCARD).keys(&[METADATA.at(KEY_1)]),
    cmd("zcount",            4, "2.0.0", &[ReadOnly, Fast], &[SortedSet], &docs::ZCOUNT).keys(&[READ.at(KEY_1)]),
    cmd("zdiff",            -3, "6.2.0", &[ReadOnly, MovableKeys], &[SortedSet], &docs::ZDIFF)
        .keys(&[READ.at(NUMKEYS_AT_1)]),
    cmd("zdiffstore",       -4, "6.2.0", &[Write, DenyOom, MovableKeys], &[SortedSet], &docs::ZDIFFSTORE)
        .keys(&[OVERWRITE.at(KEY_1), READ.at(NUMKEYS_AT_2)]),
    cmd("zincrby",           4, "1.2.0", &[Write, DenyOom, Fast], &[SortedSet], &docs::ZINCRBY)
        .keys(&[READ_UPDATE.at(KEY_1)]).elements(ELEMENT_3),
    cmd("zinter",           -3, "6.2.0", &[ReadOnly, MovableKeys], &[SortedSet], &docs::ZINTER)
        .keys(&[READ.at(NUMKEYS_AT_1)]),
    cmd("zintercard",       -3, "7.0.0", &[ReadOnly, MovableKeys], &[SortedSet], &docs::ZINTERCARD)
        .keys(&[READ.at(NUMKEYS_AT_1)]),
    cmd("zinterstore",      -4, "2.0.0", &[Write, DenyOom, MovableKeys], &[SortedSet], &docs::ZINTERSTORE)
        .keys(&[OVERWRITE.at(KEY_1), READ.at(NUMKEYS_AT_2)]),
    cmd("zlexcount",         4, "2.8.9", &[ReadOnly, Fast], &[SortedSet], &docs::ZLEXCOUNT).keys(&[READ.at(KEY_1)]),
    cmd("zmpop",            -4, "7.0.0", &[Write, MovableKeys], &[SortedSet], &docs::ZMPOP)
        .keys(&[POP.at(NUMKEYS_AT_1)]),
    cmd("zmscore",          -3, "6.2.0", &[ReadOnly, Fast], &[SortedSet], &docs::ZMSCORE).keys(&[READ.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("zpopmax",          -2, "5.0.0", &[Write, Fast], &[SortedSet], &docs::ZPOPMAX).keys(&[POP.at(KEY_1)]),
    cmd("zpopmin",          -2, "5.0.0", &[Write, Fast], &[SortedSet], &docs::ZPOPMIN).keys(&[POP.at(KEY_1)]),
    cmd("zrandmember",      -2, "6.2.0", &[ReadOnly], &[SortedSet], &docs::ZRANDMEMBER).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("zrange",           -4, "1.2.0", &[ReadOnly], &[SortedSet], &docs::ZRANGE).keys(&[READ.at(KEY_1)]),
    cmd("zrangebylex",      -4, "2.8.9", &[ReadOnly], &[SortedSet], &docs::ZRANGEBYLEX).keys(&[READ.at(KEY_1)]),
    cmd("zrangebyscore",    -4, "1.0.5", &[ReadOnly], &[SortedSet], &docs::ZRANGEBYSCORE).keys(&[READ.at(KEY_1)]),
    cmd("zrangestore",      -5, "6.2.0", &[Write, DenyOom], &[SortedSet], &docs::ZRANGESTORE)
        .keys(&[OVERWRITE.at(KEY_1), READ.at(KEY_2)]),
    cmd("zrank",            -3, "2.0.0", &[ReadOnly, Fast], &[SortedSet], &docs::ZRANK).keys(&[READ.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("zrem",             -3, "1.2.0", &[Write, Fast], &[SortedSet], &docs::ZREM).keys(&[REMOVE.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("zremrangebylex",    4, "2.8.9", &[Write], &[SortedSet], &docs::ZREMRANGEBYLEX).keys(&[REMOVE.at(KEY_1)]),
    cmd("zremrangebyrank",   4, "2.0.0", &[Write], &[SortedSet], &docs::ZREMRANGEBYRANK).keys(&[REMOVE.at(KEY_1)]),
    cmd("zremrangebyscore",  4, "1.2.0", &[Write], &[SortedSet], &docs::ZREMRANGEBYSCORE).keys(&[REMOVE.at(KEY_1)]),
    cmd("zrevrange",        -4, "1.2.0", &[ReadOnly], &[SortedSet], &docs::ZREVRANGE).keys(&[READ.at(KEY_1)]),
    cmd("zrevrangebylex",   -4, "2.8.9", &[ReadOnly], &[SortedSet], &docs::ZREVRANGEBYLEX).keys(&[READ.at(KEY_1)]),
    cmd("zrevrangebyscore", -4, "2.2.0", &[ReadOnly], &[SortedSet], &docs::ZREVRANGEBYSCORE).keys(&[READ.at(KEY_1)]),
    cmd("zrevrank",         -3, "2.0.0", &[ReadOnly, Fast], &[SortedSet], &docs::ZREVRANK).keys(&[READ.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("zscan",            -3, "2.8.0", &[ReadOnly], &[SortedSet], &docs::ZSCAN).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("zscore",            3, "1.2.0", &[ReadOnly, Fast], &[SortedSet], &docs::ZSCORE).keys(&[READ.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("zunion",           -3, "6.2.0", &[ReadOnly, MovableKeys], &[SortedSet], &docs::ZUNION)
        .keys(&[READ.at(NUMKEYS_AT_1)]),
    cmd("zunionstore",      -4, "2.0.0", &[Write, DenyOom, MovableKeys], &[SortedSet], &docs::ZUNIONSTORE)
        .keys(&[OVERWRITE.at(KEY_1), READ.at(NUMKEYS_AT_2)]),
];
