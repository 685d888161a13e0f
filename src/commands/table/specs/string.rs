//! Commands for strings.

use super::prelude::*;
use crate::commands::table::docs::string as docs;

pub const COMMANDS: &[Row] = &[
    cmd("append",       3, "2.0.0", &[Write, DenyOom, Fast], &[String], &docs::APPEND).keys(&[INSERT.at(KEY_1)]),
    cmd("decr",         2, "1.0.0", &[Write, DenyOom, Fast], &[String], &docs::DECR).keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("decrby",       3, "1.0.0", &[Write, DenyOom, Fast], &[String], &docs::DECRBY)
        .keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("delifeq",      3, "9.0.0", &[Write, Fast], &[String], &docs::DELIFEQ).keys(&[DELETE.at(KEY_1)]).of_valkey(),
    cmd("get",          2, "1.0.0", &[ReadOnly, Fast], &[String], &docs::GET).keys(&[READ.at(KEY_1)]),
    cmd("getdel",       2, "6.2.0", &[Write, Fast], &[String], &docs::GETDEL).keys(&[POP.at(KEY_1)]),
    cmd("getex",       -2, "6.2.0", &[Write, Fast], &[String], &docs::GETEX)
        .keys(&[READ_UPDATE.at(KEY_1).note("RW and update: the time to live changes")]),
    cmd("getrange",     4, "2.4.0", &[ReadOnly], &[String], &docs::GETRANGE).keys(&[READ.at(KEY_1)]),
    cmd("getset",       3, "1.0.0", &[Write, DenyOom, Fast], &[String], &docs::GETSET)
        .keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("incr",         2, "1.0.0", &[Write, DenyOom, Fast], &[String], &docs::INCR).keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("incrby",       3, "1.0.0", &[Write, DenyOom, Fast], &[String], &docs::INCRBY)
        .keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("incrbyfloat",  3, "2.6.0", &[Write, DenyOom, Fast], &[String], &docs::INCRBYFLOAT)
        .keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("lcs",         -3, "7.0.0", &[ReadOnly], &[String], &docs::LCS).keys(&[READ.at(KEYS_1_AND_2)]),
    cmd("mget",        -2, "1.0.0", &[ReadOnly, Fast], &[String], &docs::MGET).keys(&[READ.at(KEYS_FROM_1)])
        .tips(&[REQUEST_POLICY_MULTI_SHARD]),
    cmd("mset",        -3, "1.0.1", &[Write, DenyOom], &[String], &docs::MSET)
        .keys(&[OVERWRITE.at(KEYS_FROM_1_EVERY_SECOND)])
        .tips(&[REQUEST_POLICY_MULTI_SHARD, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("msetex",      -4, "9.1.0", &[Write, DenyOom, MovableKeys], &[String], &docs::MSETEX)
        .keys(&[OVERWRITE.at(NUMKEYS_AT_1_EVERY_SECOND)])
        .tips(&[REQUEST_POLICY_MULTI_SHARD, RESPONSE_POLICY_ALL_SUCCEEDED]).of_valkey(),
    cmd("msetnx",      -3, "1.0.1", &[Write, DenyOom], &[String], &docs::MSETNX)
        .keys(&[CREATE.at(KEYS_FROM_1_EVERY_SECOND)]),
    cmd("psetex",       4, "2.6.0", &[Write, DenyOom], &[String], &docs::PSETEX).keys(&[OVERWRITE.at(KEY_1)]),
    cmd("set",         -3, "1.0.0", &[Write, DenyOom], &[String], &docs::SET)
        .keys(&[VARIABLE.at(KEY_1).note("RW and access on account of the GET option")]),
    cmd("setex",        4, "2.0.0", &[Write, DenyOom], &[String], &docs::SETEX).keys(&[OVERWRITE.at(KEY_1)]),
    cmd("setnx",        3, "1.0.0", &[Write, DenyOom, Fast], &[String], &docs::SETNX).keys(&[CREATE.at(KEY_1)]),
    cmd("setrange",     4, "2.2.0", &[Write, DenyOom], &[String], &docs::SETRANGE).keys(&[UPDATE.at(KEY_1)]),
    cmd("strlen",       2, "2.2.0", &[ReadOnly, Fast], &[String], &docs::STRLEN).keys(&[METADATA.at(KEY_1)]),
    cmd("substr",       4, "1.0.0", &[ReadOnly], &[String], &docs::SUBSTR).keys(&[READ.at(KEY_1)]),
];
