//! Commands for lists.

use super::prelude::*;
use crate::commands::table::docs::list as docs;

pub const COMMANDS: &[Row] = &[
    cmd("blmove",      6, "6.2.0", &[Write, DenyOom, Blocking], &[List], &docs::BLMOVE)
        .keys(&[POP.at(KEY_1), INSERT.at(KEY_2)]),
    cmd("blmpop",     -5, "7.0.0", &[Write, Blocking, MovableKeys], &[List], &docs::BLMPOP)
        .keys(&[POP.at(NUMKEYS_AT_2)]),
    cmd("blpop",      -3, "2.0.0", &[Write, Blocking], &[List], &docs::BLPOP)
        .keys(&[POP.at(KEYS_FROM_1_BUT_LAST_ARG)]),
    cmd("brpop",      -3, "2.0.0", &[Write, Blocking], &[List], &docs::BRPOP)
        .keys(&[POP.at(KEYS_FROM_1_BUT_LAST_ARG)]),
    cmd("brpoplpush",  4, "2.2.0", &[Write, DenyOom, Blocking], &[List], &docs::BRPOPLPUSH)
        .keys(&[POP.at(KEY_1), INSERT.at(KEY_2)]),
    cmd("lindex",      3, "1.0.0", &[ReadOnly], &[List], &docs::LINDEX).keys(&[READ.at(KEY_1)]),
    cmd("linsert",     5, "2.2.0", &[Write, DenyOom], &[List], &docs::LINSERT).keys(&[INSERT.at(KEY_1)]),
    cmd("llen",        2, "1.0.0", &[ReadOnly, Fast], &[List], &docs::LLEN).keys(&[METADATA.at(KEY_1)]),
    cmd("lmove",       5, "6.2.0", &[Write, DenyOom], &[List], &docs::LMOVE)
        .keys(&[POP.at(KEY_1), INSERT.at(KEY_2)]),
    cmd("lmpop",      -4, "7.0.0", &[Write, MovableKeys], &[List], &docs::LMPOP).keys(&[POP.at(NUMKEYS_AT_1)]),
    cmd("lpop",       -2, "1.0.0", &[Write, Fast], &[List], &docs::LPOP).keys(&[POP.at(KEY_1)]),
    cmd("lpos",       -3, "6.0.6", &[ReadOnly], &[List], &docs::LPOS).keys(&[READ.at(KEY_1)]),
    cmd("lpush",      -3, "1.0.0", &[Write, DenyOom, Fast], &[List], &docs::LPUSH).keys(&[INSERT.at(KEY_1)]),
    cmd("lpushx",     -3, "2.2.0", &[Write, DenyOom, Fast], &[List], &docs::LPUSHX).keys(&[INSERT.at(KEY_1)]),
    cmd("lrange",      4, "1.0.0", &[ReadOnly], &[List], &docs::LRANGE).keys(&[READ.at(KEY_1)]),
    cmd("lrem",        4, "1.0.0", &[Write], &[List], &docs::LREM).keys(&[REMOVE.at(KEY_1)]),
    cmd("lset",        4, "1.0.0", &[Write, DenyOom], &[List], &docs::LSET).keys(&[UPDATE.at(KEY_1)]),
    cmd("ltrim",       4, "1.0.0", &[Write], &[List], &docs::LTRIM).keys(&[REMOVE.at(KEY_1)]),
    cmd("rpop",       -2, "1.0.0", &[Write, Fast], &[List], &docs::RPOP).keys(&[POP.at(KEY_1)]),
    cmd("rpoplpush",   3, "1.2.0", &[Write, DenyOom], &[List], &docs::RPOPLPUSH)
        .keys(&[POP.at(KEY_1), INSERT.at(KEY_2)]),
    cmd("rpush",      -3, "1.0.0", &[Write, DenyOom, Fast], &[List], &docs::RPUSH).keys(&[INSERT.at(KEY_1)]),
    cmd("rpushx",     -3, "2.2.0", &[Write, DenyOom, Fast], &[List], &docs::RPUSHX).keys(&[INSERT.at(KEY_1)]),
];
