//! Commands for cluster mode.

use super::prelude::*;
use crate::commands::table::docs::cluster as docs;

pub const COMMANDS: &[Row] = &[
    cmd("asking",     1, "3.0.0", &[Fast], &[Connection], &docs::ASKING),
    cmd("cluster",   -2, "3.0.0", &[], &[], &docs::CLUSTER).subcommands(CLUSTER),
    cmd("readonly",   1, "3.0.0", &[Loading, Stale, Fast], &[Connection], &docs::READONLY),
    cmd("readwrite",  1, "3.0.0", &[Loading, Stale, Fast], &[Connection], &docs::READWRITE),
];

const CLUSTER: &[Row] = &[
    cmd("cluster|addslots",              -3, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_ADDSLOTS),
    cmd("cluster|addslotsrange",         -4, "7.0.0", &[Admin, Stale, NoAsyncLoading],
        &[], &docs::CLUSTER_ADDSLOTSRANGE),
    cmd("cluster|bumpepoch",              2, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_BUMPEPOCH)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|count-failure-reports",  3, "3.0.0", &[Admin, Stale], &[], &docs::CLUSTER_COUNT_FAILURE_REPORTS)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|countkeysinslot",        3, "3.0.0", &[Stale], &[], &docs::CLUSTER_COUNTKEYSINSLOT),
    cmd("cluster|delslots",              -3, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_DELSLOTS),
    cmd("cluster|delslotsrange",         -4, "7.0.0", &[Admin, Stale, NoAsyncLoading],
        &[], &docs::CLUSTER_DELSLOTSRANGE),
    cmd("cluster|failover",              -2, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_FAILOVER),
    cmd("cluster|flushslots",             2, "3.0.0", &[Admin, Stale, NoAsyncLoading],
        &[], &docs::CLUSTER_FLUSHSLOTS),
    cmd("cluster|forget",                 3, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_FORGET),
    cmd("cluster|getkeysinslot",          4, "3.0.0", &[Stale], &[], &docs::CLUSTER_GETKEYSINSLOT)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|help",                   2, "5.0.0", &[Loading, Stale], &[], &docs::CLUSTER_HELP),
    cmd("cluster|info",                   2, "3.0.0", &[Stale], &[], &docs::CLUSTER_INFO)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|keyslot",                3, "3.0.0", &[Stale], &[], &docs::CLUSTER_KEYSLOT),
    cmd("cluster|links",                  2, "7.0.0", &[Stale], &[], &docs::CLUSTER_LINKS)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|meet",                  -4, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_MEET),
    cmd("cluster|myid",                   2, "3.0.0", &[Stale], &[], &docs::CLUSTER_MYID),
    cmd("cluster|myshardid",              2, "7.2.0", &[Stale], &[], &docs::CLUSTER_MYSHARDID)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|nodes",                  2, "3.0.0", &[Stale], &[], &docs::CLUSTER_NODES)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|replicas",               3, "5.0.0", &[Admin, Stale], &[], &docs::CLUSTER_REPLICAS)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|replicate",              3, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_REPLICATE),
    cmd("cluster|reset",                 -2, "3.0.0", &[Admin, NoScript, Stale], &[], &docs::CLUSTER_RESET),
    cmd("cluster|saveconfig",             2, "3.0.0", &[Admin, Stale, NoAsyncLoading],
        &[], &docs::CLUSTER_SAVECONFIG),
    cmd("cluster|set-config-epoch",       3, "3.0.0", &[Admin, Stale, NoAsyncLoading],
        &[], &docs::CLUSTER_SET_CONFIG_EPOCH),
    cmd("cluster|setslot",               -4, "3.0.0", &[Admin, Stale, NoAsyncLoading], &[], &docs::CLUSTER_SETSLOT),
    cmd("cluster|shards",                 2, "7.0.0", &[Loading, Stale], &[], &docs::CLUSTER_SHARDS)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|slaves",                 3, "3.0.0", &[Admin, Stale], &[], &docs::CLUSTER_SLAVES)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("cluster|slots",                  2, "3.0.0", &[Loading, Stale], &[], &docs::CLUSTER_SLOTS)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
];
