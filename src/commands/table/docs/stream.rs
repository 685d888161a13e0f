//! What the commands for streams and consumer groups do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const ID_SELECTOR: Arg = one_of("id-selector", &[string("id"), token("new-id", "$")]);
const STRATEGY: Arg = one_of("strategy", &[option("MAXLEN"), option("MINID").since("6.2.0")]);
const STREAMS: Arg = block("streams", &[key(0).multiple(), string("id").multiple()]).token("STREAMS");
const OPERATOR: Arg = one_of("operator", &[token("equal", "="), token("approximately", "~")]).optional();

pub const XACK: Docs = docs("Marks entries as processed by the consumers of a group.", "O(1) for each ID",
    &[key(0), string("group"), string("id").multiple()]);
pub const XADD: Docs = docs("Adds an entry to a stream, starting one when the key is missing.",
    "O(1); O(N) when N entries are trimmed", &[
    key(0), option("NOMKSTREAM").since("6.2.0").optional(),
    block("trim", &[
        STRATEGY, OPERATOR, string("threshold"), integer("count").token("LIMIT").since("6.2.0").optional(),
    ]).optional(),
    one_of("id-selector", &[token("auto-id", "*"), string("id")]),
    block("data", &[string("field"), string("value")]).multiple(),
]);
pub const XAUTOCLAIM: Docs = docs("Hands entries that stayed pending for too long to another consumer.",
    "O(1) when COUNT is small", &[
    key(0), string("group"), string("consumer"), string("min-idle-time"), string("start"),
    integer("count").token("COUNT").optional(), option("JUSTID").optional(),
]);
pub const XCLAIM: Docs = docs("Hands given pending entries to another consumer.",
    "O(log(N)) for N entries pending in the group", &[
    key(0), string("group"), string("consumer"), string("min-idle-time"), string("id").multiple(),
    integer("ms").token("IDLE").optional(), unix_time("unix-time-milliseconds").token("TIME").optional(),
    integer("count").token("RETRYCOUNT").optional(), option("FORCE").optional(), option("JUSTID").optional(),
    string("lastid").token("LASTID").optional(),
]);
pub const XDEL: Docs = docs("Removes entries from a stream.", "O(1) for each entry",
    &[key(0), string("id").multiple()]);
pub const XGROUP: Docs = docs("Holds the commands for consumer groups.", "Set by the subcommand", &[]);
pub const XGROUP_CREATE: Docs = docs("Starts a consumer group.", "O(1)", &[
    key(0), string("group"), ID_SELECTOR, option("MKSTREAM").optional(),
    integer("entriesread").token("ENTRIESREAD").display("entries-read").optional(),
]);
pub const XGROUP_CREATECONSUMER: Docs = docs("Adds a consumer to a group.", "O(1)",
    &[key(0), string("group"), string("consumer")]);
pub const XGROUP_DELCONSUMER: Docs = docs("Takes a consumer out of a group.", "O(1)",
    &[key(0), string("group"), string("consumer")]);
pub const XGROUP_DESTROY: Docs = docs("Removes a consumer group.", "O(N) for N entries pending in the group",
    &[key(0), string("group")]);
pub const XGROUP_HELP: Docs = docs("Lists the subcommands of XGROUP.", "O(1)", &[]);
pub const XGROUP_SETID: Docs = docs("Moves the entry up to which a group has delivered.", "O(1)", &[
    key(0), string("group"), ID_SELECTOR,
    integer("entriesread").token("ENTRIESREAD").display("entries-read").optional(),
]);
pub const XINFO: Docs = docs("Holds the commands that describe streams.", "Set by the subcommand", &[]);
pub const XINFO_CONSUMERS: Docs = docs("Describes the consumers of a group.", "O(1)", &[key(0), string("group")]);
pub const XINFO_GROUPS: Docs = docs("Describes the consumer groups of a stream.", "O(1)", &[key(0)]);
pub const XINFO_HELP: Docs = docs("Lists the subcommands of XINFO.", "O(1)", &[]);
pub const XINFO_STREAM: Docs = docs("Describes a stream.", "O(1)", &[
    key(0), block("full-block", &[option("FULL"), integer("count").token("COUNT").optional()]).optional(),
]);
pub const XLEN: Docs = docs("Tells how many entries a stream has.", "O(1)", &[key(0)]);
pub const XPENDING: Docs = docs("Shows which entries were delivered and not yet acknowledged.",
    "O(N) for N entries returned; O(M) for M consumers in the summary form", &[
    key(0), string("group"),
    block("filters", &[
        integer("min-idle-time").token("IDLE").since("6.2.0").optional(), string("start"), string("end"),
        integer("count"), string("consumer").optional(),
    ]).optional(),
]);
pub const XRANGE: Docs = docs("Answers with the entries between two IDs.", "O(N) for N entries returned", &[
    key(0), string("start"), string("end"), integer("count").token("COUNT").optional(),
]);
pub const XREAD: Docs = docs(
    "Answers with the entries of streams that follow given IDs, waiting for some if asked to.",
    "", &[
        integer("count").token("COUNT").optional(), integer("milliseconds").token("BLOCK").optional(), STREAMS,
    ]);
pub const XREADGROUP: Docs = docs("Reads entries of streams as a consumer of a group, waiting for some if asked to.",
    "O(M) for M entries returned from each stream", &[
    block("group-block", &[string("group"), string("consumer")]).token("GROUP"),
    integer("count").token("COUNT").optional(), integer("milliseconds").token("BLOCK").optional(),
    option("NOACK").optional(), STREAMS,
]);
pub const XREVRANGE: Docs = docs("Answers with the entries between two IDs, the last one first.",
    "O(N) for N entries returned", &[
    key(0), string("end"), string("start"), integer("count").token("COUNT").optional(),
]);
pub const XSETID: Docs = docs("Sets the last ID of a stream; for internal use.", "O(1)", &[
    key(0), string("last-id"), integer("entries-added").token("ENTRIESADDED").since("7.0.0").optional(),
    string("max-deleted-id").token("MAXDELETEDID").since("7.0.0").optional(),
]);
pub const XTRIM: Docs = docs("Removes the oldest entries of a stream.", "O(N) for N entries removed", &[
    key(0),
    block("trim", &[
        STRATEGY, OPERATOR, string("threshold"), integer("count").token("LIMIT").since("6.2.0").optional(),
    ]),
]);
