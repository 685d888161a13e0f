//! Commands for scripts and functions.

use super::prelude::*;
use crate::commands::table::docs::scripting as docs;

pub const COMMANDS: &[Row] = &[
    cmd("eval",       -3, "2.6.0", &[NoScript, Stale, SkipMonitor, NoMandatoryKeys, MovableKeys],
        &[Scripting], &docs::EVAL)
        .keys(&[
            READ_UPDATE.at(NUMKEYS_AT_2).note("What the script does to its keys is unknown: RW and update at worst"),
        ]),
    cmd("eval_ro",    -3, "7.0.0", &[ReadOnly, NoScript, Stale, SkipMonitor, NoMandatoryKeys, MovableKeys],
        &[Scripting], &docs::EVAL_RO)
        .keys(&[
            READ.at(NUMKEYS_AT_2).note("What the script does to its keys is unknown: RO and access at worst"),
        ]),
    cmd("evalsha",    -3, "2.6.0", &[NoScript, Stale, SkipMonitor, NoMandatoryKeys, MovableKeys],
        &[Scripting], &docs::EVALSHA).keys(&[READ_UPDATE.at(NUMKEYS_AT_2)]),
    cmd("evalsha_ro", -3, "7.0.0", &[ReadOnly, NoScript, Stale, SkipMonitor, NoMandatoryKeys, MovableKeys],
        &[Scripting], &docs::EVALSHA_RO).keys(&[READ.at(NUMKEYS_AT_2)]),
    cmd("fcall",      -3, "7.0.0", &[NoScript, Stale, SkipMonitor, NoMandatoryKeys, MovableKeys],
        &[Scripting], &docs::FCALL)
        .keys(&[
            READ_UPDATE.at(NUMKEYS_AT_2).note("What the function does to its keys is unknown: RW and update at worst"),
        ]),
    cmd("fcall_ro",   -3, "7.0.0", &[ReadOnly, NoScript, Stale, SkipMonitor, NoMandatoryKeys, MovableKeys],
        &[Scripting], &docs::FCALL_RO)
        .keys(&[
            READ.at(NUMKEYS_AT_2).note("What the function does to its keys is unknown: RO and access at worst"),
        ]),
    cmd("function",   -2, "7.0.0", &[], &[], &docs::FUNCTION).subcommands(FUNCTION),
    cmd("script",     -2, "2.6.0", &[], &[], &docs::SCRIPT).subcommands(SCRIPT),
];

const FUNCTION: &[Row] = &[
    cmd("function|delete",   3, "7.0.0", &[Write, NoScript], &[Scripting], &docs::FUNCTION_DELETE)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("function|dump",     2, "7.0.0", &[NoScript], &[Scripting], &docs::FUNCTION_DUMP),
    cmd("function|flush",   -2, "7.0.0", &[Write, NoScript], &[Scripting], &docs::FUNCTION_FLUSH)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("function|help",     2, "7.0.0", &[Loading, Stale], &[Scripting], &docs::FUNCTION_HELP),
    cmd("function|kill",     2, "7.0.0", &[NoScript, AllowBusy], &[Scripting], &docs::FUNCTION_KILL)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ONE_SUCCEEDED]),
    cmd("function|list",    -2, "7.0.0", &[NoScript], &[Scripting], &docs::FUNCTION_LIST)
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("function|load",    -3, "7.0.0", &[Write, DenyOom, NoScript], &[Scripting], &docs::FUNCTION_LOAD)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("function|restore", -3, "7.0.0", &[Write, DenyOom, NoScript], &[Scripting], &docs::FUNCTION_RESTORE)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("function|stats",    2, "7.0.0", &[NoScript, AllowBusy], &[Scripting], &docs::FUNCTION_STATS)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_SPECIAL]),
];

const SCRIPT: &[Row] = &[
    cmd("script|debug",   3, "3.2.0", &[NoScript], &[Scripting], &docs::SCRIPT_DEBUG),
    cmd("script|exists", -3, "2.6.0", &[NoScript], &[Scripting], &docs::SCRIPT_EXISTS)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_AGG_LOGICAL_AND]),
    cmd("script|flush",  -2, "2.6.0", &[NoScript], &[Scripting], &docs::SCRIPT_FLUSH)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("script|help",    2, "5.0.0", &[Loading, Stale], &[Scripting], &docs::SCRIPT_HELP),
    cmd("script|kill",    2, "2.6.0", &[NoScript, AllowBusy], &[Scripting], &docs::SCRIPT_KILL)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ONE_SUCCEEDED]),
    cmd("script|load",    3, "2.6.0", &[NoScript, Stale], &[Scripting], &docs::SCRIPT_LOAD)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("script|show",    3, "8.0.0", &[NoScript, Stale], &[Scripting], &docs::SCRIPT_SHOW).of_valkey(),
];
