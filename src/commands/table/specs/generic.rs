//! Commands for keys of any type.

use super::prelude::*;
use crate::commands::table::docs::generic as docs;

pub const COMMANDS: &[Row] = &[
    cmd("copy",        -3, "6.2.0", &[Write, DenyOom], &[Keyspace], &docs::COPY)
        .keys(&[READ.at(KEY_1), OVERWRITE.at(KEY_2)]),
    cmd("del",         -2, "1.0.0", &[Write], &[Keyspace], &docs::DEL).keys(&[DELETE.at(KEYS_FROM_1)])
        .tips(&[REQUEST_POLICY_MULTI_SHARD, RESPONSE_POLICY_AGG_SUM]),
    cmd("dump",         2, "2.6.0", &[ReadOnly], &[Keyspace], &docs::DUMP).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("exists",      -2, "1.0.0", &[ReadOnly, Fast], &[Keyspace], &docs::EXISTS).keys(&[METADATA.at(KEYS_FROM_1)])
        .tips(&[REQUEST_POLICY_MULTI_SHARD, RESPONSE_POLICY_AGG_SUM]),
    cmd("expire",      -3, "1.0.0", &[Write, Fast], &[Keyspace], &docs::EXPIRE).keys(&[UPDATE.at(KEY_1)]),
    cmd("expireat",    -3, "1.2.0", &[Write, Fast], &[Keyspace], &docs::EXPIREAT).keys(&[UPDATE.at(KEY_1)]),
    cmd("expiretime",   2, "7.0.0", &[ReadOnly, Fast], &[Keyspace], &docs::EXPIRETIME).keys(&[READ.at(KEY_1)]),
    cmd("keys",         2, "1.0.0", &[ReadOnly], &[Keyspace, Dangerous], &docs::KEYS)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("migrate",     -6, "2.6.0", &[Write, MovableKeys], &[Keyspace, Dangerous], &docs::MIGRATE)
        .keys(&[POP.at(KEY_3), POP_INCOMPLETE.at(KEYS_KEYWORD)]).tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("move",         3, "1.0.0", &[Write, Fast], &[Keyspace], &docs::MOVE).keys(&[READ_UPDATE.at(KEY_1)]),
    cmd("object",      -2, "2.2.3", &[], &[], &docs::OBJECT).subcommands(OBJECT),
    cmd("persist",      2, "2.2.0", &[Write, Fast], &[Keyspace], &docs::PERSIST).keys(&[UPDATE.at(KEY_1)]),
    cmd("pexpire",     -3, "2.6.0", &[Write, Fast], &[Keyspace], &docs::PEXPIRE).keys(&[UPDATE.at(KEY_1)]),
    cmd("pexpireat",   -3, "2.6.0", &[Write, Fast], &[Keyspace], &docs::PEXPIREAT).keys(&[UPDATE.at(KEY_1)]),
    cmd("pexpiretime",  2, "7.0.0", &[ReadOnly, Fast], &[Keyspace], &docs::PEXPIRETIME).keys(&[READ.at(KEY_1)]),
    cmd("pttl",         2, "2.6.0", &[ReadOnly, Fast], &[Keyspace], &docs::PTTL).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("randomkey",    1, "1.0.0", &[ReadOnly], &[Keyspace], &docs::RANDOMKEY)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_SPECIAL, NONDETERMINISTIC_OUTPUT]),
    cmd("rename",       3, "1.0.0", &[Write], &[Keyspace], &docs::RENAME)
        .keys(&[POP.at(KEY_1), OVERWRITE.at(KEY_2)]),
    cmd("renamenx",     3, "1.0.0", &[Write, Fast], &[Keyspace], &docs::RENAMENX)
        .keys(&[POP.at(KEY_1), CREATE.at(KEY_2)]),
    cmd("restore",     -4, "2.6.0", &[Write, DenyOom], &[Keyspace, Dangerous], &docs::RESTORE)
        .keys(&[OVERWRITE.at(KEY_1)]),
    cmd("scan",        -2, "2.8.0", &[ReadOnly], &[Keyspace], &docs::SCAN)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_SPECIAL, RESPONSE_POLICY_SPECIAL]),
    cmd("sort",        -2, "1.0.0", &[Write, DenyOom, MovableKeys], &[Set, SortedSet, List, Dangerous], &docs::SORT)
        .keys(&[
            READ.at(KEY_1),
            READ.at(UNKNOWN).note("Keys of BY and GET patterns: they depend on the elements being sorted"),
            OVERWRITE.at(UNKNOWN).note("Destination of STORE: the keyword has no fixed place among the arguments"),
        ]),
    cmd("sort_ro",     -2, "7.0.0", &[ReadOnly, MovableKeys], &[Set, SortedSet, List, Dangerous], &docs::SORT_RO)
        .keys(&[
            READ.at(KEY_1),
            READ.at(UNKNOWN).note("Keys of BY and GET patterns: they depend on the elements being sorted"),
        ]),
    cmd("touch",       -2, "3.2.1", &[ReadOnly, Fast], &[Keyspace], &docs::TOUCH).keys(&[METADATA.at(KEYS_FROM_1)])
        .tips(&[REQUEST_POLICY_MULTI_SHARD, RESPONSE_POLICY_AGG_SUM]),
    cmd("ttl",          2, "1.0.0", &[ReadOnly, Fast], &[Keyspace], &docs::TTL).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("type",         2, "1.0.0", &[ReadOnly, Fast], &[Keyspace], &docs::TYPE).keys(&[METADATA.at(KEY_1)]),
    cmd("unlink",      -2, "4.0.0", &[Write, Fast], &[Keyspace], &docs::UNLINK).keys(&[DELETE.at(KEYS_FROM_1)])
        .tips(&[REQUEST_POLICY_MULTI_SHARD, RESPONSE_POLICY_AGG_SUM]),
    cmd("wait",         3, "3.0.0", &[], &[Connection], &docs::WAIT)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_AGG_MIN]),
    cmd("waitaof",      4, "7.2.0", &[NoScript], &[Connection], &docs::WAITAOF)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_AGG_MIN]),
];

const OBJECT: &[Row] = &[
    cmd("object|encoding",  3, "2.2.3", &[ReadOnly], &[Keyspace], &docs::OBJECT_ENCODING)
        .keys(&[METADATA.at(KEY_2)]).tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("object|freq",      3, "4.0.0", &[ReadOnly], &[Keyspace], &docs::OBJECT_FREQ).keys(&[METADATA.at(KEY_2)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("object|help",      2, "6.2.0", &[Loading, Stale], &[Keyspace], &docs::OBJECT_HELP),
    cmd("object|idletime",  3, "2.2.3", &[ReadOnly], &[Keyspace], &docs::OBJECT_IDLETIME)
        .keys(&[METADATA.at(KEY_2)]).tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("object|refcount",  3, "2.2.3", &[ReadOnly], &[Keyspace], &docs::OBJECT_REFCOUNT)
        .keys(&[METADATA.at(KEY_2)]).tips(&[NONDETERMINISTIC_OUTPUT]),
];
