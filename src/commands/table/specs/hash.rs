//! Commands for hashes and their fields.

use super::prelude::*;
use crate::commands::table::docs::hash as docs;

pub const COMMANDS: &[Row] = &[
    cmd("hdel",         -3, "2.0.0", &[Write, Fast], &[Hash], &docs::HDEL).keys(&[REMOVE.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("hexists",       3, "2.0.0", &[ReadOnly, Fast], &[Hash], &docs::HEXISTS).keys(&[METADATA.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("hexpire",      -6, "7.4.0", &[Write, Fast], &[Hash], &docs::HEXPIRE).keys(&[UPDATE.at(KEY_1)]),
    cmd("hexpireat",    -6, "7.4.0", &[Write, Fast], &[Hash], &docs::HEXPIREAT).keys(&[UPDATE.at(KEY_1)]),
    cmd("hexpiretime",  -5, "7.4.0", &[ReadOnly, Fast], &[Hash], &docs::HEXPIRETIME).keys(&[READ.at(KEY_1)]),
    cmd("hget",          3, "2.0.0", &[ReadOnly, Fast], &[Hash], &docs::HGET).keys(&[READ.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("hgetall",       2, "2.0.0", &[ReadOnly], &[Hash], &docs::HGETALL).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("hgetdel",      -5, "8.0.0", &[Write, Fast], &[Hash], &docs::HGETDEL).keys(&[POP.at(KEY_1)]),
    cmd("hgetex",       -5, "8.0.0", &[Write, Fast], &[Hash], &docs::HGETEX).keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("hincrby",       4, "2.0.0", &[Write, DenyOom, Fast], &[Hash], &docs::HINCRBY)
        .keys(&[READ_UPDATE.at(KEY_1)]).elements(ELEMENT_2),
    cmd("hincrbyfloat",  4, "2.6.0", &[Write, DenyOom, Fast], &[Hash], &docs::HINCRBYFLOAT)
        .keys(&[READ_UPDATE.at(KEY_1)]).elements(ELEMENT_2),
    cmd("hkeys",         2, "2.0.0", &[ReadOnly], &[Hash], &docs::HKEYS).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("hlen",          2, "2.0.0", &[ReadOnly, Fast], &[Hash], &docs::HLEN).keys(&[METADATA.at(KEY_1)]),
    cmd("hmget",        -3, "2.0.0", &[ReadOnly, Fast], &[Hash], &docs::HMGET).keys(&[READ.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("hmset",        -4, "2.0.0", &[Write, DenyOom, Fast], &[Hash], &docs::HMSET).keys(&[UPDATE.at(KEY_1)])
        .elements(ELEMENTS_FROM_2_EVERY_SECOND),
    cmd("hpersist",     -5, "7.4.0", &[Write, Fast], &[Hash], &docs::HPERSIST).keys(&[UPDATE.at(KEY_1)]),
    cmd("hpexpire",     -6, "7.4.0", &[Write, Fast], &[Hash], &docs::HPEXPIRE).keys(&[UPDATE.at(KEY_1)]),
    cmd("hpexpireat",   -6, "7.4.0", &[Write, Fast], &[Hash], &docs::HPEXPIREAT).keys(&[UPDATE.at(KEY_1)]),
    cmd("hpexpiretime", -5, "7.4.0", &[ReadOnly, Fast], &[Hash], &docs::HPEXPIRETIME).keys(&[READ.at(KEY_1)]),
    cmd("hpttl",        -5, "7.4.0", &[ReadOnly, Fast], &[Hash], &docs::HPTTL).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("hrandfield",   -2, "6.2.0", &[ReadOnly], &[Hash], &docs::HRANDFIELD).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("hscan",        -3, "2.8.0", &[ReadOnly], &[Hash], &docs::HSCAN).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("hset",         -4, "2.0.0", &[Write, DenyOom, Fast], &[Hash], &docs::HSET).keys(&[UPDATE.at(KEY_1)])
        .elements(ELEMENTS_FROM_2_EVERY_SECOND),
    cmd("hsetex",       -6, "8.0.0", &[Write, DenyOom, Fast], &[Hash], &docs::HSETEX).keys(&[UPDATE.at(KEY_1)]),
    cmd("hsetnx",        4, "2.0.0", &[Write, DenyOom, Fast], &[Hash], &docs::HSETNX).keys(&[INSERT.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("hstrlen",       3, "3.2.0", &[ReadOnly, Fast], &[Hash], &docs::HSTRLEN).keys(&[METADATA.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("httl",         -5, "7.4.0", &[ReadOnly, Fast], &[Hash], &docs::HTTL).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("hvals",         2, "2.0.0", &[ReadOnly], &[Hash], &docs::HVALS).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
];
