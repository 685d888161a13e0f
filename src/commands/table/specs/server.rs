//! Commands for running the server.

use super::prelude::*;
use crate::commands::table::docs::server as docs;

pub const COMMANDS: &[Row] = &[
    cmd("acl",            -2, "6.0.0", &[], &[], &docs::ACL).subcommands(ACL),
    cmd("bgrewriteaof",    1, "1.0.0", &[Admin, NoScript, NoAsyncLoading], &[], &docs::BGREWRITEAOF),
    cmd("bgsave",         -1, "1.0.0", &[Admin, NoScript, NoAsyncLoading], &[], &docs::BGSAVE),
    cmd("command",        -1, "2.8.13", &[Loading, Stale], &[Connection], &docs::COMMAND)
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]).subcommands(COMMAND),
    cmd("commandlog",     -2, "8.1.0", &[], &[], &docs::COMMANDLOG).subcommands(COMMANDLOG).of_valkey(),
    cmd("config",         -2, "2.0.0", &[], &[], &docs::CONFIG).subcommands(CONFIG),
    cmd("dbsize",          1, "1.0.0", &[ReadOnly, Fast], &[Keyspace], &docs::DBSIZE)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_AGG_SUM]),
    cmd("debug",          -2, "1.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::DEBUG),
    cmd("failover",       -1, "6.2.0", &[Admin, NoScript, Stale], &[], &docs::FAILOVER),
    cmd("flushall",       -1, "1.0.0", &[Write], &[Keyspace, Dangerous], &docs::FLUSHALL)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("flushdb",        -1, "1.0.0", &[Write], &[Keyspace, Dangerous], &docs::FLUSHDB)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("info",           -1, "1.0.0", &[Loading, Stale], &[Dangerous], &docs::INFO)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_SPECIAL]),
    cmd("lastsave",        1, "1.0.0", &[Loading, Stale, Fast], &[AdminCategory, Dangerous], &docs::LASTSAVE)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("latency",        -2, "2.8.13", &[], &[], &docs::LATENCY).subcommands(LATENCY),
    cmd("lolwut",         -1, "5.0.0", &[ReadOnly, Fast], &[], &docs::LOLWUT),
    cmd("memory",         -2, "4.0.0", &[], &[], &docs::MEMORY).subcommands(MEMORY),
    cmd("module",         -2, "4.0.0", &[], &[], &docs::MODULE).subcommands(MODULE),
    cmd("monitor",         1, "1.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::MONITOR),
    cmd("psync",          -3, "2.8.0", &[Admin, NoScript, NoAsyncLoading, NoMulti], &[], &docs::PSYNC),
    cmd("replconf",       -1, "3.0.0", &[Admin, NoScript, Loading, Stale, AllowBusy], &[], &docs::REPLCONF),
    cmd("replicaof",       3, "5.0.0", &[Admin, NoScript, Stale, NoAsyncLoading], &[], &docs::REPLICAOF),
    cmd("restore-asking", -4, "3.0.0", &[Write, DenyOom, Asking], &[Keyspace, Dangerous], &docs::RESTORE_ASKING)
        .keys(&[OVERWRITE.at(KEY_1)]),
    cmd("role",            1, "2.8.12", &[NoScript, Loading, Stale, Fast], &[AdminCategory, Dangerous], &docs::ROLE),
    cmd("save",            1, "1.0.0", &[Admin, NoScript, NoAsyncLoading, NoMulti], &[], &docs::SAVE),
    cmd("shutdown",       -1, "1.0.0", &[Admin, NoScript, Loading, Stale, NoMulti, AllowBusy], &[], &docs::SHUTDOWN),
    cmd("slaveof",         3, "1.0.0", &[Admin, NoScript, Stale, NoAsyncLoading], &[], &docs::SLAVEOF),
    cmd("slowlog",        -2, "2.2.12", &[], &[], &docs::SLOWLOG).subcommands(SLOWLOG),
    cmd("swapdb",          3, "4.0.0", &[Write, Fast], &[Keyspace, Dangerous], &docs::SWAPDB),
    cmd("sync",            1, "1.0.0", &[Admin, NoScript, NoAsyncLoading, NoMulti], &[], &docs::SYNC),
    cmd("time",            1, "2.6.0", &[Loading, Stale, Fast], &[], &docs::TIME).tips(&[NONDETERMINISTIC_OUTPUT]),
];

const ACL: &[Row] = &[
    cmd("acl|cat",     -2, "6.0.0", &[NoScript, Loading, Stale], &[], &docs::ACL_CAT),
    cmd("acl|deluser", -3, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_DELUSER)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("acl|dryrun",  -4, "7.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_DRYRUN),
    cmd("acl|genpass", -2, "6.0.0", &[NoScript, Loading, Stale], &[], &docs::ACL_GENPASS),
    cmd("acl|getuser",  3, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_GETUSER),
    cmd("acl|help",     2, "6.0.0", &[Loading, Stale], &[], &docs::ACL_HELP),
    cmd("acl|list",     2, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_LIST),
    cmd("acl|load",     2, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_LOAD),
    cmd("acl|log",     -2, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_LOG),
    cmd("acl|save",     2, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_SAVE)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("acl|setuser", -3, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_SETUSER)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("acl|users",    2, "6.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::ACL_USERS),
    cmd("acl|whoami",   2, "6.0.0", &[NoScript, Loading, Stale], &[], &docs::ACL_WHOAMI),
];

const COMMAND: &[Row] = &[
    cmd("command|count",            2, "2.8.13", &[Loading, Stale], &[Connection], &docs::COMMAND_COUNT),
    cmd("command|docs",            -2, "7.0.0", &[Loading, Stale], &[Connection], &docs::COMMAND_DOCS)
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("command|getkeys",         -3, "2.8.13", &[Loading, Stale], &[Connection], &docs::COMMAND_GETKEYS),
    cmd("command|getkeysandflags", -3, "7.0.0", &[Loading, Stale], &[Connection], &docs::COMMAND_GETKEYSANDFLAGS),
    cmd("command|help",             2, "5.0.0", &[Loading, Stale], &[Connection], &docs::COMMAND_HELP),
    cmd("command|info",            -2, "2.8.13", &[Loading, Stale], &[Connection], &docs::COMMAND_INFO)
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("command|list",            -2, "7.0.0", &[Loading, Stale], &[Connection], &docs::COMMAND_LIST)
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
];

const CONFIG: &[Row] = &[
    cmd("config|get",       -3, "2.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::CONFIG_GET),
    cmd("config|help",       2, "5.0.0", &[Loading, Stale], &[], &docs::CONFIG_HELP),
    cmd("config|resetstat",  2, "2.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::CONFIG_RESETSTAT)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("config|rewrite",    2, "2.8.0", &[Admin, NoScript, Loading, Stale], &[], &docs::CONFIG_REWRITE)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("config|set",       -4, "2.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::CONFIG_SET)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
];

const LATENCY: &[Row] = &[
    cmd("latency|doctor",     2, "2.8.13", &[Admin, NoScript, Loading, Stale], &[], &docs::LATENCY_DOCTOR)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_SPECIAL]),
    cmd("latency|graph",      3, "2.8.13", &[Admin, NoScript, Loading, Stale], &[], &docs::LATENCY_GRAPH)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_SPECIAL]),
    cmd("latency|help",       2, "2.8.13", &[Loading, Stale], &[], &docs::LATENCY_HELP),
    cmd("latency|histogram", -2, "7.0.0", &[Admin, NoScript, Loading, Stale], &[], &docs::LATENCY_HISTOGRAM)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_SPECIAL]),
    cmd("latency|history",    3, "2.8.13", &[Admin, NoScript, Loading, Stale], &[], &docs::LATENCY_HISTORY)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_SPECIAL]),
    cmd("latency|latest",     2, "2.8.13", &[Admin, NoScript, Loading, Stale], &[], &docs::LATENCY_LATEST)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_SPECIAL]),
    cmd("latency|reset",     -2, "2.8.13", &[Admin, NoScript, Loading, Stale], &[], &docs::LATENCY_RESET)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_AGG_SUM]),
];

const MEMORY: &[Row] = &[
    cmd("memory|doctor",        2, "4.0.0", &[], &[], &docs::MEMORY_DOCTOR)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_SPECIAL]),
    cmd("memory|help",          2, "4.0.0", &[Loading, Stale], &[], &docs::MEMORY_HELP),
    cmd("memory|malloc-stats",  2, "4.0.0", &[], &[], &docs::MEMORY_MALLOC_STATS)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_SPECIAL]),
    cmd("memory|purge",         2, "4.0.0", &[], &[], &docs::MEMORY_PURGE)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("memory|stats",         2, "4.0.0", &[], &[], &docs::MEMORY_STATS)
        .tips(&[NONDETERMINISTIC_OUTPUT, REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_SPECIAL]),
    cmd("memory|usage",        -3, "4.0.0", &[ReadOnly], &[], &docs::MEMORY_USAGE).keys(&[METADATA.at(KEY_2)]),
];

const MODULE: &[Row] = &[
    cmd("module|help",    2, "5.0.0", &[Loading, Stale], &[], &docs::MODULE_HELP),
    cmd("module|list",    2, "4.0.0", &[Admin, NoScript], &[], &docs::MODULE_LIST)
        .tips(&[NONDETERMINISTIC_OUTPUT_ORDER]),
    cmd("module|load",   -3, "4.0.0", &[Admin, NoScript, NoAsyncLoading], &[], &docs::MODULE_LOAD),
    cmd("module|loadex", -3, "7.0.0", &[Admin, NoScript, NoAsyncLoading], &[], &docs::MODULE_LOADEX),
    cmd("module|unload",  3, "4.0.0", &[Admin, NoScript, NoAsyncLoading], &[], &docs::MODULE_UNLOAD),
];

const COMMANDLOG: &[Row] = &[
    cmd("commandlog|get",   4, "8.1.0", &[Admin, Loading, Stale], &[], &docs::COMMANDLOG_GET)
        .tips(&[REQUEST_POLICY_ALL_NODES, NONDETERMINISTIC_OUTPUT]).of_valkey(),
    cmd("commandlog|help",  2, "8.1.0", &[Loading, Stale], &[], &docs::COMMANDLOG_HELP).of_valkey(),
    cmd("commandlog|len",   3, "8.1.0", &[Admin, Loading, Stale], &[], &docs::COMMANDLOG_LEN)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_AGG_SUM, NONDETERMINISTIC_OUTPUT]).of_valkey(),
    cmd("commandlog|reset", 3, "8.1.0", &[Admin, Loading, Stale], &[], &docs::COMMANDLOG_RESET)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]).of_valkey(),
];

const SLOWLOG: &[Row] = &[
    cmd("slowlog|get",   -2, "2.2.12", &[Admin, Loading, Stale], &[], &docs::SLOWLOG_GET)
        .tips(&[REQUEST_POLICY_ALL_NODES, NONDETERMINISTIC_OUTPUT]),
    cmd("slowlog|help",   2, "6.2.0", &[Loading, Stale], &[], &docs::SLOWLOG_HELP),
    cmd("slowlog|len",    2, "2.2.12", &[Admin, Loading, Stale], &[], &docs::SLOWLOG_LEN)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_AGG_SUM, NONDETERMINISTIC_OUTPUT]),
    cmd("slowlog|reset",  2, "2.2.12", &[Admin, Loading, Stale], &[], &docs::SLOWLOG_RESET)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
];
