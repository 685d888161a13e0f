//! Commands for sets.

use super::prelude::*;
use crate::commands::table::docs::set as docs;

pub const COMMANDS: &[Row] = &[
    cmd("sadd",        -3, "1.0.0", &[Write, DenyOom, Fast], &[Set], &docs::SADD).keys(&[INSERT.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("scard",        2, "1.0.0", &[ReadOnly, Fast], &[Set], &docs::SCARD).keys(&[METADATA.at(KEY_1)]),
    cmd("sdiff",       -2, "1.0.0", &[ReadOnly], &[Set], &docs::SDIFF).keys(&[READ.at(KEYS_FROM_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("sdiffstore",  -3, "1.0.0", &[Write, DenyOom], &[Set], &docs::SDIFFSTORE)
        .keys(&[OVERWRITE.at(KEY_1), READ.at(KEYS_FROM_2)]),
    cmd("sinter",      -2, "1.0.0", &[ReadOnly], &[Set], &docs::SINTER).keys(&[READ.at(KEYS_FROM_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("sintercard",  -3, "7.0.0", &[ReadOnly, MovableKeys], &[Set], &docs::SINTERCARD)
        .keys(&[READ.at(NUMKEYS_AT_1)]),
    cmd("sinterstore", -3, "1.0.0", &[Write, DenyOom], &[Set], &docs::SINTERSTORE)
        .keys(&[UPDATE.at(KEY_1), READ.at(KEYS_FROM_2)]),
    cmd("sismember",    3, "1.0.0", &[ReadOnly, Fast], &[Set], &docs::SISMEMBER).keys(&[METADATA.at(KEY_1)])
        .elements(ELEMENT_2),
    cmd("smembers",     2, "1.0.0", &[ReadOnly], &[Set], &docs::SMEMBERS).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("smismember",  -3, "6.2.0", &[ReadOnly, Fast], &[Set], &docs::SMISMEMBER).keys(&[READ.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("smove",        4, "1.0.0", &[Write, Fast], &[Set], &docs::SMOVE).keys(&[POP.at(KEY_1), INSERT.at(KEY_2)])
        .elements(ELEMENT_3),
    cmd("spop",        -2, "1.0.0", &[Write, Fast], &[Set], &docs::SPOP).keys(&[POP.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("srandmember", -2, "1.0.0", &[ReadOnly], &[Set], &docs::SRANDMEMBER).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("srem",        -3, "1.0.0", &[Write, Fast], &[Set], &docs::SREM).keys(&[REMOVE.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("sscan",       -3, "2.8.0", &[ReadOnly], &[Set], &docs::SSCAN).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("sunion",      -2, "1.0.0", &[ReadOnly], &[Set], &docs::SUNION).keys(&[READ.at(KEYS_FROM_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("sunionstore", -3, "1.0.0", &[Write, DenyOom], &[Set], &docs::SUNIONSTORE)
        .keys(&[OVERWRITE.at(KEY_1), READ.at(KEYS_FROM_2)]),
];
