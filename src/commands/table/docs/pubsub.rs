//! What the commands for Pub/Sub do and which arguments they take.

use super::build::*;

pub const PSUBSCRIBE: Docs = docs("Subscribes to all channels that match patterns.", "O(N) for N patterns",
    &[pattern("pattern").multiple()]);
pub const PUBLISH: Docs = docs("Sends a message to a channel.",
    "O(N+M) for N subscribers of the channel and M patterns of all clients",
    &[string("channel"), string("message")]);
pub const PUBSUB: Docs = docs("Holds the commands that look at Pub/Sub.", "Set by the subcommand", &[]);
pub const PUBSUB_CHANNELS: Docs = docs("Lists the channels with subscribers.", "O(N) for N active channels",
    &[pattern("pattern").optional()]);
pub const PUBSUB_HELP: Docs = docs("Lists the subcommands of PUBSUB.", "O(1)", &[]);
pub const PUBSUB_NUMPAT: Docs = docs("Counts the distinct patterns that are subscribed to.", "O(1)", &[]);
pub const PUBSUB_NUMSUB: Docs = docs("Counts the subscribers of channels.", "O(N) for N channels asked about",
    &[string("channel").optional().multiple()]);
pub const PUBSUB_SHARDCHANNELS: Docs = docs("Lists the shard channels with subscribers.",
    "O(N) for N active shard channels",
    &[pattern("pattern").optional()]);
pub const PUBSUB_SHARDNUMSUB: Docs = docs("Counts the subscribers of shard channels.",
    "O(N) for N shard channels asked about",
    &[string("shardchannel").optional().multiple()]);
pub const PUNSUBSCRIBE: Docs = docs("Ends subscriptions to patterns.", "O(N) for N patterns",
    &[pattern("pattern").optional().multiple()]);
pub const SPUBLISH: Docs = docs("Sends a message to a shard channel.", "O(N) for N subscribers of the shard channel",
    &[string("shardchannel"), string("message")]);
pub const SSUBSCRIBE: Docs = docs("Subscribes to shard channels.", "O(N) for N shard channels",
    &[string("shardchannel").multiple()]);
pub const SUBSCRIBE: Docs = docs("Subscribes to channels.", "O(N) for N channels", &[string("channel").multiple()]);
pub const SUNSUBSCRIBE: Docs = docs("Ends subscriptions to shard channels.", "O(N) for N shard channels",
    &[string("shardchannel").optional().multiple()]);
pub const UNSUBSCRIBE: Docs = docs("Ends subscriptions to channels.", "O(N) for N channels",
    &[string("channel").optional().multiple()]);
