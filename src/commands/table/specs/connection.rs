//! Commands for connections.

use super::prelude::*;
use crate::commands::table::docs::connection as docs;

pub const COMMANDS: &[Row] = &[
    cmd("auth",   -2, "1.0.0", &[NoScript, Loading, Stale, Fast, NoAuth, AllowBusy], &[Connection], &docs::AUTH),
    cmd("client", -2, "2.4.0", &[], &[], &docs::CLIENT).subcommands(CLIENT),
    cmd("echo",    2, "1.0.0", &[Loading, Stale, Fast], &[Connection], &docs::ECHO),
    cmd("hello",  -1, "6.0.0", &[NoScript, Loading, Stale, Fast, NoAuth, AllowBusy], &[Connection], &docs::HELLO),
    cmd("ping",   -1, "1.0.0", &[Fast], &[Connection], &docs::PING)
        .tips(&[REQUEST_POLICY_ALL_SHARDS, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("quit",   -1, "1.0.0", &[NoScript, Loading, Stale, Fast, NoAuth, AllowBusy], &[Connection], &docs::QUIT),
    cmd("reset",   1, "6.2.0", &[NoScript, Loading, Stale, Fast, NoAuth, AllowBusy], &[Connection], &docs::RESET),
    cmd("select",  2, "1.0.0", &[Loading, Stale, Fast], &[Connection], &docs::SELECT),
];

const CLIENT: &[Row] = &[
    cmd("client|caching",       3, "6.0.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_CACHING),
    cmd("client|capa",         -3, "8.0.0", &[NoScript, Loading, Stale, AllowBusy],
        &[Connection], &docs::CLIENT_CAPA).of_valkey(),
    cmd("client|getname",       2, "2.6.9", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_GETNAME),
    cmd("client|getredir",      2, "6.0.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_GETREDIR),
    cmd("client|help",          2, "5.0.0", &[Loading, Stale], &[Connection], &docs::CLIENT_HELP),
    cmd("client|id",            2, "5.0.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_ID),
    cmd("client|import-source", 3, "8.1.0", &[NoScript, Loading, Stale],
        &[Connection], &docs::CLIENT_IMPORT_SOURCE).of_valkey(),
    cmd("client|info",          2, "6.2.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_INFO)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("client|kill",         -3, "2.4.0", &[Admin, NoScript, Loading, Stale], &[Connection], &docs::CLIENT_KILL),
    cmd("client|list",         -2, "2.4.0", &[Admin, NoScript, Loading, Stale], &[Connection], &docs::CLIENT_LIST)
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("client|no-evict",      3, "7.0.0", &[Admin, NoScript, Loading, Stale],
        &[Connection], &docs::CLIENT_NO_EVICT),
    cmd("client|no-touch",      3, "7.2.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_NO_TOUCH),
    cmd("client|pause",        -3, "3.0.0", &[Admin, NoScript, Loading, Stale], &[Connection], &docs::CLIENT_PAUSE),
    cmd("client|reply",         3, "3.2.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_REPLY),
    cmd("client|setinfo",       4, "7.2.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_SETINFO)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("client|setname",       3, "2.6.9", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_SETNAME)
        .tips(&[REQUEST_POLICY_ALL_NODES, RESPONSE_POLICY_ALL_SUCCEEDED]),
    cmd("client|tracking",     -3, "6.0.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_TRACKING),
    cmd("client|trackinginfo",  2, "6.2.0", &[NoScript, Loading, Stale], &[Connection], &docs::CLIENT_TRACKINGINFO),
    cmd("client|unblock",      -3, "5.0.0", &[Admin, NoScript, Loading, Stale], &[Connection], &docs::CLIENT_UNBLOCK),
    cmd("client|unpause",       2, "6.2.0", &[Admin, NoScript, Loading, Stale], &[Connection], &docs::CLIENT_UNPAUSE),
];
