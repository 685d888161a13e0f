//! Commands for Pub/Sub.

use super::prelude::*;
use crate::commands::table::docs::pubsub as docs;

pub const COMMANDS: &[Row] = &[
    cmd("psubscribe",   -2, "2.0.0", &[PubSub, NoScript, Loading, Stale], &[], &docs::PSUBSCRIBE),
    cmd("publish",       3, "2.0.0", &[PubSub, Loading, Stale, Fast], &[], &docs::PUBLISH),
    cmd("pubsub",       -2, "2.8.0", &[], &[], &docs::PUBSUB).subcommands(PUBSUB),
    cmd("punsubscribe", -1, "2.0.0", &[PubSub, NoScript, Loading, Stale], &[], &docs::PUNSUBSCRIBE),
    cmd("spublish",      3, "7.0.0", &[PubSub, Loading, Stale, Fast], &[], &docs::SPUBLISH)
        .keys(&[CHANNEL.at(KEY_1)]),
    cmd("ssubscribe",   -2, "7.0.0", &[PubSub, NoScript, Loading, Stale], &[], &docs::SSUBSCRIBE)
        .keys(&[CHANNEL.at(KEYS_FROM_1)]),
    cmd("subscribe",    -2, "2.0.0", &[PubSub, NoScript, Loading, Stale], &[], &docs::SUBSCRIBE),
    cmd("sunsubscribe", -1, "7.0.0", &[PubSub, NoScript, Loading, Stale], &[], &docs::SUNSUBSCRIBE)
        .keys(&[CHANNEL.at(KEYS_FROM_1)]),
    cmd("unsubscribe",  -1, "2.0.0", &[PubSub, NoScript, Loading, Stale], &[], &docs::UNSUBSCRIBE),
];

const PUBSUB: &[Row] = &[
    cmd("pubsub|channels",      -2, "2.8.0", &[PubSub, Loading, Stale], &[], &docs::PUBSUB_CHANNELS),
    cmd("pubsub|help",           2, "6.2.0", &[Loading, Stale], &[], &docs::PUBSUB_HELP),
    cmd("pubsub|numpat",         2, "2.8.0", &[PubSub, Loading, Stale], &[], &docs::PUBSUB_NUMPAT),
    cmd("pubsub|numsub",        -2, "2.8.0", &[PubSub, Loading, Stale], &[], &docs::PUBSUB_NUMSUB),
    cmd("pubsub|shardchannels", -2, "7.0.0", &[PubSub, Loading, Stale], &[], &docs::PUBSUB_SHARDCHANNELS),
    cmd("pubsub|shardnumsub",   -2, "7.0.0", &[PubSub, Loading, Stale], &[], &docs::PUBSUB_SHARDNUMSUB),
];
