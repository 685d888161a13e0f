//! What the commands for sorted sets do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const WHERE: Arg = one_of("where", &[option("MIN"), option("MAX")]);
const LIMIT: Arg = block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional();
const AGGREGATE: Arg = one_of("aggregate", &[
    option("SUM"),
    option("MIN"),
    option("MAX"),
]).token("AGGREGATE").optional();

pub const BZMPOP: Docs = docs(
    "Pops the lowest or highest members of the first sorted set that has any, waiting until one does.",
    "O(K + M*log(N)) for K keys and M of N elements popped", &[
        double("timeout"), integer("numkeys"), key(0).multiple(), WHERE,
        integer("count").token("COUNT").optional(),
    ]);
pub const BZPOPMAX: Docs = docs(
    "Pops the highest member of the first sorted set that has any, waiting until one does.",
    "O(log(N)) for N members", &[key(0).multiple(), double("timeout")]);
pub const BZPOPMIN: Docs = docs(
    "Pops the lowest member of the first sorted set that has any, waiting until one does.",
    "O(log(N)) for N members", &[key(0).multiple(), double("timeout")]);
pub const ZADD: Docs = docs("Puts members into a sorted set or changes their scores.",
    "O(log(N)) for each member, with N in the sorted set", &[
    key(0), one_of("condition", &[option("NX"), option("XX")]).since("3.0.2").optional(),
    one_of("comparison", &[option("GT"), option("LT")]).since("6.2.0").optional(),
    token("change", "CH").since("3.0.2").optional(), token("increment", "INCR").since("3.0.2").optional(),
    block("data", &[double("score"), string("member")]).multiple(),
]);
pub const ZCARD: Docs = docs("Tells how many members a sorted set has.", "O(1)", &[key(0)]);
pub const ZCOUNT: Docs = docs("Counts the members whose scores lie in a range.", "O(log(N)) for N members",
    &[key(0), double("min"), double("max")]);
pub const ZDIFF: Docs = docs("Answers with the members of the first sorted set that are in none of the others.",
    "O(L + (N-K)*log(N)) at worst, for L members in all, N in the first set and K in the result", &[
    integer("numkeys"), key(0).multiple(), option("WITHSCORES").optional(),
]);
pub const ZDIFFSTORE: Docs = docs(
    "Stores the members of the first sorted set that are in none of the others.",
    "O(L + (N-K)*log(N)) at worst, for L members in all, N in the first set and K in the result", &[
        key_named("destination", 0), integer("numkeys"), key(1).multiple(),
    ]);
pub const ZINCRBY: Docs = docs("Adds an amount to the score of a member; a missing member counts as 0.",
    "O(log(N)) for N members",
    &[key(0), integer("increment"), string("member")]);
pub const ZINTER: Docs = docs("Answers with the members that all sorted sets share.",
    "O(N*K + M*log(M)) at worst, for N members in the smallest of K sets and M in the result", &[
    integer("numkeys"), key(0).multiple(), integer("weight").token("WEIGHTS").optional().multiple(), AGGREGATE,
    option("WITHSCORES").optional(),
]);
pub const ZINTERCARD: Docs = docs("Counts the members that all sorted sets share, up to a limit.",
    "O(N*K) at worst, for N members in the smallest of K sets", &[
    integer("numkeys"), key(0).multiple(), integer("limit").token("LIMIT").optional(),
]);
pub const ZINTERSTORE: Docs = docs("Stores the members that all sorted sets share.",
    "O(N*K + M*log(M)) at worst, for N members in the smallest of K sets and M in the result", &[
    key_named("destination", 0), integer("numkeys"), key(1).multiple(),
    integer("weight").token("WEIGHTS").optional().multiple(), AGGREGATE,
]);
pub const ZLEXCOUNT: Docs = docs("Counts the members that lie in a lexicographical range.", "O(log(N)) for N members",
    &[key(0), string("min"), string("max")]);
pub const ZMPOP: Docs = docs("Pops the lowest or highest members of the first of several sorted sets that has any.",
    "O(K + M*log(N)) for K keys and M of N elements popped", &[
    integer("numkeys"), key(0).multiple(), WHERE, integer("count").token("COUNT").optional(),
]);
pub const ZMSCORE: Docs = docs("Reads the scores of several members.", "O(N) for N members asked about",
    &[key(0), string("member").multiple()]);
pub const ZPOPMAX: Docs = docs("Removes the members with the highest scores and answers with them.",
    "O(M*log(N)) for M of N members popped",
    &[key(0), integer("count").optional()]);
pub const ZPOPMIN: Docs = docs("Removes the members with the lowest scores and answers with them.",
    "O(M*log(N)) for M of N members popped",
    &[key(0), integer("count").optional()]);
pub const ZRANDMEMBER: Docs = docs("Answers with members of a sorted set chosen at random.",
    "O(N) for N members returned", &[
    key(0), block("options", &[integer("count"), option("WITHSCORES").optional()]).optional(),
]);
pub const ZRANGE: Docs = docs("Answers with the members in a range of ranks, scores or names.",
    "O(log(N)+M) for M of N members returned", &[
    key(0), string("start"), string("stop"),
    one_of("sortby", &[option("BYSCORE"), option("BYLEX")]).since("6.2.0").optional(),
    option("REV").since("6.2.0").optional(),
    block("limit", &[integer("offset"), integer("count")]).token("LIMIT").since("6.2.0").optional(),
    option("WITHSCORES").optional(),
]);
pub const ZRANGEBYLEX: Docs = docs("Answers with the members in a lexicographical range.",
    "O(log(N)+M) for M of N members returned",
    &[key(0), string("min"), string("max"), LIMIT]).deprecated("6.2.0", "`ZRANGE` with `BYLEX`");
pub const ZRANGEBYSCORE: Docs = docs("Answers with the members in a range of scores.",
    "O(log(N)+M) for M of N members returned", &[
    key(0), double("min"), double("max"), option("WITHSCORES").since("2.0.0").optional(), LIMIT,
]).deprecated("6.2.0", "`ZRANGE` with `BYSCORE`");
pub const ZRANGESTORE: Docs = docs("Stores the members in a range of ranks, scores or names under another key.",
    "O(log(N)+M) for M of N members stored", &[
    key_named("dst", 0), key_named("src", 1), string("min"), string("max"),
    one_of("sortby", &[option("BYSCORE"), option("BYLEX")]).optional(), option("REV").optional(), LIMIT,
]);
pub const ZRANK: Docs = docs("Tells the rank of a member, counted from the lowest score.", "O(log(N)) for N members",
    &[key(0), string("member"), option("WITHSCORE").optional()]);
pub const ZREM: Docs = docs("Takes members out of a sorted set.", "O(M*log(N)) for M of N members removed",
    &[key(0), string("member").multiple()]);
pub const ZREMRANGEBYLEX: Docs = docs("Removes the members in a lexicographical range.",
    "O(log(N)+M) for M of N members removed",
    &[key(0), string("min"), string("max")]);
pub const ZREMRANGEBYRANK: Docs = docs("Removes the members in a range of ranks.",
    "O(log(N)+M) for M of N members removed",
    &[key(0), integer("start"), integer("stop")]);
pub const ZREMRANGEBYSCORE: Docs = docs("Removes the members in a range of scores.",
    "O(log(N)+M) for M of N members removed",
    &[key(0), double("min"), double("max")]);
pub const ZREVRANGE: Docs = docs("Answers with the members in a range of ranks, highest score first.",
    "O(log(N)+M) for M of N members returned", &[
    key(0), integer("start"), integer("stop"), option("WITHSCORES").optional(),
]).deprecated("6.2.0", "`ZRANGE` with `REV`");
pub const ZREVRANGEBYLEX: Docs = docs("Answers with the members in a lexicographical range, last one first.",
    "O(log(N)+M) for M of N members returned",
    &[key(0), string("max"), string("min"), LIMIT]).deprecated("6.2.0", "`ZRANGE` with `REV` and `BYLEX`");
pub const ZREVRANGEBYSCORE: Docs = docs("Answers with the members in a range of scores, highest first.",
    "O(log(N)+M) for M of N members returned", &[
    key(0), double("max"), double("min"), option("WITHSCORES").optional(), LIMIT,
]).deprecated("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`");
pub const ZREVRANK: Docs = docs("Tells the rank of a member, counted from the highest score.",
    "O(log(N)) for N members",
    &[key(0), string("member"), option("WITHSCORE").optional()]);
pub const ZSCAN: Docs = docs("Iterates over the members of a sorted set and their scores with a cursor.",
    "O(1) a call; O(N) for a whole iteration over N members", &[
    key(0), integer("cursor"), pattern("pattern").token("MATCH").optional(),
    integer("count").token("COUNT").optional(), option("NOSCORES").optional(),
]);
pub const ZSCORE: Docs = docs("Reads the score of a member.", "O(1)", &[key(0), string("member")]);
pub const ZUNION: Docs = docs("Answers with the members that are in any of the sorted sets.",
    "O(N + M*log(M)) for N members in all sets together and M in the result", &[
    integer("numkeys"), key(0).multiple(), integer("weight").token("WEIGHTS").optional().multiple(), AGGREGATE,
    option("WITHSCORES").optional(),
]);
pub const ZUNIONSTORE: Docs = docs("Stores the members that are in any of the sorted sets.",
    "O(N + M*log(M)) for N members in all sets together and M in the result", &[
    key_named("destination", 0), integer("numkeys"), key(1).multiple(),
    integer("weight").token("WEIGHTS").optional().multiple(), AGGREGATE,
]);
