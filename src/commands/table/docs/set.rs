//! What the commands for sets do and which arguments they take.

use super::build::*;

pub const SADD: Docs = docs("Puts members into a set, starting one when the key is missing.", "O(N) for N members",
    &[key(0), string("member").multiple()]);
pub const SCARD: Docs = docs("Tells how many members a set has.", "O(1)", &[key(0)]);
pub const SDIFF: Docs = docs("Answers with the members of the first set that are in none of the others.",
    "O(N) for N members in all sets together",
    &[key(0).multiple()]);
pub const SDIFFSTORE: Docs = docs("Stores the members of the first set that are in none of the others.",
    "O(N) for N members in all sets together",
    &[key_named("destination", 0), key(1).multiple()]);
pub const SINTER: Docs = docs("Answers with the members that all sets share.",
    "O(N*M) at worst, for N members in the smallest of M sets",
    &[key(0).multiple()]);
pub const SINTERCARD: Docs = docs("Counts the members that all sets share, up to a limit.",
    "O(N*M) at worst, for N members in the smallest of M sets", &[
    integer("numkeys"), key(0).multiple(), integer("limit").token("LIMIT").optional(),
]);
pub const SINTERSTORE: Docs = docs("Stores the members that all sets share.",
    "O(N*M) at worst, for N members in the smallest of M sets",
    &[key_named("destination", 0), key(1).multiple()]);
pub const SISMEMBER: Docs = docs("Tells whether a value is a member of a set.", "O(1)", &[key(0), string("member")]);
pub const SMEMBERS: Docs = docs("Answers with every member of a set.", "O(N) for N members", &[key(0)]);
pub const SMISMEMBER: Docs = docs("Tells for each of several values whether it is a member of a set.",
    "O(N) for N values asked about",
    &[key(0), string("member").multiple()]);
pub const SMOVE: Docs = docs("Moves a member from one set to another.",
    "O(1)", &[key_named("source", 0), key_named("destination", 1), string("member")]);
pub const SPOP: Docs = docs("Takes members out of a set at random and answers with them.",
    "O(N) for a count of N; O(1) without one",
    &[key(0), integer("count").since("3.2.0").optional()]);
pub const SRANDMEMBER: Docs = docs("Answers with members of a set chosen at random.",
    "O(N) for a count of N; O(1) without one",
    &[key(0), integer("count").since("2.6.0").optional()]);
pub const SREM: Docs = docs("Takes members out of a set.", "O(N) for N members",
    &[key(0), string("member").multiple()]);
pub const SSCAN: Docs = docs("Iterates over the members of a set with a cursor.",
    "O(1) a call; O(N) for a whole iteration over N members", &[
    key(0), integer("cursor"), pattern("pattern").token("MATCH").optional(),
    integer("count").token("COUNT").optional(),
]);
pub const SUNION: Docs = docs("Answers with the members that are in any of the sets.",
    "O(N) for N members in all sets together",
    &[key(0).multiple()]);
pub const SUNIONSTORE: Docs = docs("Stores the members that are in any of the sets.",
    "O(N) for N members in all sets together",
    &[key_named("destination", 0), key(1).multiple()]);
