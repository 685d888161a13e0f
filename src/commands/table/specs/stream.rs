//! Commands for streams and consumer groups.

use super::prelude::*;
use crate::commands::table::docs::stream as docs;

pub const COMMANDS: &[Row] = &[
    cmd("xack",       -4, "5.0.0", &[Write, Fast], &[Stream], &docs::XACK).keys(&[UPDATE.at(KEY_1)]),
    cmd("xadd",       -5, "5.0.0", &[Write, DenyOom, Fast], &[Stream], &docs::XADD)
        .keys(&[UPDATE.at(KEY_1).note("Update rather than insert: the entry added may push others out")])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("xautoclaim", -6, "6.2.0", &[Write, Fast], &[Stream], &docs::XAUTOCLAIM).keys(&[REMOVE.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("xclaim",     -6, "5.0.0", &[Write, Fast], &[Stream], &docs::XCLAIM).keys(&[UPDATE.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("xdel",       -3, "5.0.0", &[Write, Fast], &[Stream], &docs::XDEL).keys(&[REMOVE.at(KEY_1)]),
    cmd("xgroup",     -2, "5.0.0", &[], &[], &docs::XGROUP).subcommands(XGROUP),
    cmd("xinfo",      -2, "5.0.0", &[], &[], &docs::XINFO).subcommands(XINFO),
    cmd("xlen",        2, "5.0.0", &[ReadOnly, Fast], &[Stream], &docs::XLEN).keys(&[METADATA.at(KEY_1)]),
    cmd("xpending",   -3, "5.0.0", &[ReadOnly], &[Stream], &docs::XPENDING).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("xrange",     -4, "5.0.0", &[ReadOnly], &[Stream], &docs::XRANGE).keys(&[READ.at(KEY_1)]),
    cmd("xread",      -4, "5.0.0", &[ReadOnly, Blocking, MovableKeys], &[Stream], &docs::XREAD)
        .keys(&[READ.at(STREAMS_FROM_1)]),
    cmd("xreadgroup", -7, "5.0.0", &[Write, Blocking, MovableKeys], &[Stream], &docs::XREADGROUP)
        .keys(&[READ.at(STREAMS_FROM_4)]),
    cmd("xrevrange",  -4, "5.0.0", &[ReadOnly], &[Stream], &docs::XREVRANGE).keys(&[READ.at(KEY_1)]),
    cmd("xsetid",     -3, "5.0.0", &[Write, DenyOom, Fast], &[Stream], &docs::XSETID).keys(&[UPDATE.at(KEY_1)]),
    cmd("xtrim",      -4, "5.0.0", &[Write], &[Stream], &docs::XTRIM).keys(&[REMOVE.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
];

const XGROUP: &[Row] = &[
    cmd("xgroup|create",         -5, "5.0.0", &[Write, DenyOom], &[Stream], &docs::XGROUP_CREATE)
        .keys(&[INSERT.at(KEY_2)]),
    cmd("xgroup|createconsumer",  5, "6.2.0", &[Write, DenyOom], &[Stream], &docs::XGROUP_CREATECONSUMER)
        .keys(&[INSERT.at(KEY_2)]),
    cmd("xgroup|delconsumer",     5, "5.0.0", &[Write], &[Stream], &docs::XGROUP_DELCONSUMER)
        .keys(&[REMOVE.at(KEY_2)]),
    cmd("xgroup|destroy",         4, "5.0.0", &[Write], &[Stream], &docs::XGROUP_DESTROY).keys(&[REMOVE.at(KEY_2)]),
    cmd("xgroup|help",            2, "5.0.0", &[Loading, Stale], &[Stream], &docs::XGROUP_HELP),
    cmd("xgroup|setid",          -5, "5.0.0", &[Write], &[Stream], &docs::XGROUP_SETID).keys(&[UPDATE.at(KEY_2)]),
];

const XINFO: &[Row] = &[
    cmd("xinfo|consumers",  4, "5.0.0", &[ReadOnly], &[Stream], &docs::XINFO_CONSUMERS).keys(&[READ.at(KEY_2)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("xinfo|groups",     3, "5.0.0", &[ReadOnly], &[Stream], &docs::XINFO_GROUPS).keys(&[READ.at(KEY_2)]),
    cmd("xinfo|help",       2, "5.0.0", &[Loading, Stale], &[Stream], &docs::XINFO_HELP),
    cmd("xinfo|stream",    -3, "5.0.0", &[ReadOnly], &[Stream], &docs::XINFO_STREAM).keys(&[READ.at(KEY_2)]),
];
