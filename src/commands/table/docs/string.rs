//! What the commands for strings do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const DATA: Arg = block("data", &[key(0), string("value")]).multiple();

pub const APPEND: Docs = docs("Adds bytes to the end of a string, starting one when the key is missing.",
    "O(1) amortized",
    &[key(0), string("value")]);
pub const DECR: Docs = docs("Subtracts one from the integer a key holds; a missing key counts as 0.", "O(1)",
    &[key(0)]);
pub const DECRBY: Docs = docs("Subtracts a given amount from the integer a key holds; a missing key counts as 0.",
    "O(1)",
    &[key(0), integer("decrement")]);
pub const DELIFEQ: Docs = docs("Removes a key, provided that it holds this string.", "O(1)", &[key(0), string("value")]);
pub const GET: Docs = docs("Reads the string a key holds.", "O(1)", &[key(0)]);
pub const GETDEL: Docs = docs("Reads a string and removes its key in the same step.", "O(1)", &[key(0)]);
pub const GETEX: Docs = docs("Reads a string and changes or drops its time to live in the same step.", "O(1)", &[
    key(0),
    one_of("expiration", &[
        integer("seconds").token("EX"), integer("milliseconds").token("PX"),
        unix_time("unix-time-seconds").token("EXAT"), unix_time("unix-time-milliseconds").token("PXAT"),
        option("PERSIST"),
    ]).optional(),
]);
pub const GETRANGE: Docs = docs("Reads the bytes of a string between two offsets.", "O(N) for N bytes returned",
    &[key(0), integer("start"), integer("end")]);
pub const GETSET: Docs = docs("Stores a new string and answers with the one it displaced.", "O(1)",
    &[key(0), string("value")]).deprecated("6.2.0", "`SET` with `GET`");
pub const INCR: Docs = docs("Adds one to the integer a key holds; a missing key counts as 0.", "O(1)", &[key(0)]);
pub const INCRBY: Docs = docs("Adds a given amount to the integer a key holds; a missing key counts as 0.", "O(1)",
    &[key(0), integer("increment")]);
pub const INCRBYFLOAT: Docs = docs(
    "Adds a given amount to the floating-point number a key holds; a missing key counts as 0.",
    "O(1)", &[key(0), double("increment")]);
pub const LCS: Docs = docs("Finds the longest subsequence that two strings have in common.",
    "O(N*M) for strings of N and M bytes", &[
    key_named("key1", 0), key_named("key2", 0), option("LEN").optional(), option("IDX").optional(),
    integer("min-match-len").token("MINMATCHLEN").optional(), option("WITHMATCHLEN").optional(),
]);
pub const MGET: Docs = docs("Reads the strings of several keys at once.", "O(N) for N keys", &[key(0).multiple()]);
pub const MSET: Docs = docs("Stores several strings at once.", "O(N) for N keys", &[DATA]);
pub const MSETEX: Docs = docs("Stores several strings at once, if asked to on a condition and with a time to live.",
    "O(N) for N keys", &[
    integer("numkeys"), DATA, one_of("condition", &[option("NX"), option("XX")]).optional(),
    one_of("expiration", &[
        integer("seconds").token("EX"), integer("milliseconds").token("PX"),
        unix_time("unix-time-seconds").token("EXAT"), unix_time("unix-time-milliseconds").token("PXAT"),
        option("KEEPTTL"),
    ]).optional(),
]);
pub const MSETNX: Docs = docs("Stores several strings at once, provided that none of the keys exists.",
    "O(N) for N keys",
    &[DATA]);
pub const PSETEX: Docs = docs("Stores a string that expires after so many milliseconds.", "O(1)",
    &[key(0), integer("milliseconds"), string("value")]).deprecated("2.6.12", "`SET` with `PX`");
pub const SET: Docs = docs("Stores a string, replacing whatever the key held before.", "O(1)", &[
    key(0), string("value"),
    one_of("condition", &[
        option("NX").since("2.6.12"), option("XX").since("2.6.12"),
        string("comparison-value").token("IFEQ").since("8.1.0"),
    ]).optional(),
    option("GET").since("6.2.0").optional(),
    one_of("expiration", &[
        integer("seconds").token("EX").since("2.6.12"), integer("milliseconds").token("PX").since("2.6.12"),
        unix_time("unix-time-seconds").token("EXAT").since("6.2.0"),
        unix_time("unix-time-milliseconds").token("PXAT").since("6.2.0"), option("KEEPTTL").since("6.0.0"),
    ]).optional(),
]);
pub const SETEX: Docs = docs("Stores a string that expires after so many seconds.", "O(1)",
    &[key(0), integer("seconds"), string("value")]).deprecated("2.6.12", "`SET` with `EX`");
pub const SETNX: Docs = docs("Stores a string, provided that the key does not exist.", "O(1)",
    &[key(0), string("value")]).deprecated("2.6.12", "`SET` with `NX`");
pub const SETRANGE: Docs = docs("Writes over part of a string from an offset on, padding with zero bytes as needed.",
    "O(N) for N bytes written",
    &[key(0), integer("offset"), string("value")]);
pub const STRLEN: Docs = docs("Tells how many bytes a string has.", "O(1)", &[key(0)]);
pub const SUBSTR: Docs = docs("Reads the bytes of a string between two offsets; the old name of GETRANGE.",
    "O(N) for N bytes returned",
    &[key(0), integer("start"), integer("end")]).deprecated("2.0.0", "`GETRANGE`");
