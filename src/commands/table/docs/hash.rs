//! What the commands for hashes and their fields do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const FIELDS: Arg = block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS");
const DATA: Arg = block("data", &[string("field"), string("value")]).multiple();
const CONDITION: Arg = one_of("condition", &[
    option("NX"),
    option("XX"),
    option("GT"),
    option("LT"),
]).optional();

pub const HDEL: Docs = docs("Removes fields from a hash.", "O(N) for N fields",
    &[key(0), string("field").multiple()]);
pub const HEXISTS: Docs = docs("Tells whether a hash has a field.", "O(1)", &[key(0), string("field")]);
pub const HEXPIRE: Docs = docs("Gives fields of a hash a time to live in seconds.", "O(N) for N fields",
    &[key(0), integer("seconds"), CONDITION, FIELDS]);
pub const HEXPIREAT: Docs = docs("Sets the Unix time in seconds at which fields of a hash expire.",
    "O(N) for N fields",
    &[key(0), unix_time("unix-time-seconds"), CONDITION, FIELDS]);
pub const HEXPIRETIME: Docs = docs("Tells the Unix time in seconds at which fields of a hash expire.",
    "O(N) for N fields",
    &[key(0), FIELDS]);
pub const HGET: Docs = docs("Reads the value of a field of a hash.", "O(1)", &[key(0), string("field")]);
pub const HGETALL: Docs = docs("Answers with every field of a hash and its value.", "O(N) for N fields in the hash",
    &[key(0)]);
pub const HGETDEL: Docs = docs("Reads fields of a hash and removes them in the same step.", "O(N) for N fields",
    &[key(0), FIELDS]);
pub const HGETEX: Docs = docs("Reads fields of a hash and changes or drops their time to live in the same step.",
    "O(N) for N fields", &[
    key(0),
    one_of("expiration", &[
        integer("seconds").token("EX"), integer("milliseconds").token("PX"),
        unix_time("unix-time-seconds").token("EXAT"), unix_time("unix-time-milliseconds").token("PXAT"),
        option("PERSIST"),
    ]).optional(),
    FIELDS,
]);
pub const HINCRBY: Docs = docs("Adds an amount to the integer in a field of a hash; a missing field counts as 0.",
    "O(1)",
    &[key(0), string("field"), integer("increment")]);
pub const HINCRBYFLOAT: Docs = docs(
    "Adds an amount to the floating-point number in a field of a hash; a missing field counts as 0.",
    "O(1)", &[key(0), string("field"), double("increment")]);
pub const HKEYS: Docs = docs("Answers with the names of all fields of a hash.", "O(N) for N fields in the hash",
    &[key(0)]);
pub const HLEN: Docs = docs("Tells how many fields a hash has.", "O(1)", &[key(0)]);
pub const HMGET: Docs = docs("Reads the values of several fields of a hash.", "O(N) for N fields",
    &[key(0), string("field").multiple()]);
pub const HMSET: Docs = docs("Stores several fields of a hash; the old form of HSET.", "O(N) for N fields",
    &[key(0), DATA]).deprecated("4.0.0", "`HSET` with several fields");
pub const HPERSIST: Docs = docs("Drops the time to live of fields of a hash.", "O(N) for N fields",
    &[key(0), FIELDS]);
pub const HPEXPIRE: Docs = docs("Gives fields of a hash a time to live in milliseconds.", "O(N) for N fields",
    &[key(0), integer("milliseconds"), CONDITION, FIELDS]);
pub const HPEXPIREAT: Docs = docs("Sets the Unix time in milliseconds at which fields of a hash expire.",
    "O(N) for N fields",
    &[key(0), unix_time("unix-time-milliseconds"), CONDITION, FIELDS]);
pub const HPEXPIRETIME: Docs = docs("Tells the Unix time in milliseconds at which fields of a hash expire.",
    "O(N) for N fields",
    &[key(0), FIELDS]);
pub const HPTTL: Docs = docs("Tells how many milliseconds fields of a hash have left to live.", "O(N) for N fields",
    &[key(0), FIELDS]);
pub const HRANDFIELD: Docs = docs("Answers with fields of a hash chosen at random.", "O(N) for N fields returned", &[
    key(0), block("options", &[integer("count"), option("WITHVALUES").optional()]).optional(),
]);
pub const HSCAN: Docs = docs("Iterates over the fields of a hash with a cursor.",
    "O(1) a call; O(N) for a whole iteration over N fields", &[
    key(0), integer("cursor"), pattern("pattern").token("MATCH").optional(),
    integer("count").token("COUNT").optional(), option("NOVALUES").optional(),
]);
pub const HSET: Docs = docs("Stores fields of a hash, starting one when the key is missing.", "O(N) for N fields",
    &[key(0), DATA]);
pub const HSETEX: Docs = docs("Stores fields of a hash and sets their time to live in the same step.",
    "O(N) for N fields", &[
    key(0), one_of("condition", &[option("FNX"), option("FXX")]).optional(),
    one_of("expiration", &[
        integer("seconds").token("EX"), integer("milliseconds").token("PX"),
        unix_time("unix-time-seconds").token("EXAT"), unix_time("unix-time-milliseconds").token("PXAT"),
        option("KEEPTTL"),
    ]).optional(),
    block("fields", &[
        integer("numfields"), block("data", &[string("field"), string("value")]).multiple(),
    ]).token("FIELDS"),
]);
pub const HSETNX: Docs = docs("Stores a field of a hash, provided that the field does not exist.", "O(1)",
    &[key(0), string("field"), string("value")]);
pub const HSTRLEN: Docs = docs("Tells how many bytes the value of a field of a hash has.", "O(1)",
    &[key(0), string("field")]);
pub const HTTL: Docs = docs("Tells how many seconds fields of a hash have left to live.", "O(N) for N fields",
    &[key(0), FIELDS]);
pub const HVALS: Docs = docs("Answers with the values of all fields of a hash.", "O(N) for N fields in the hash",
    &[key(0)]);
