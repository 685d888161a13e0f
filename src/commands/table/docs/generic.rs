//! What the commands for keys of any type do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const LIMIT: Arg = block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional();
const ORDER: Arg = one_of("order", &[option("ASC"), option("DESC")]).optional();
const CONDITION: Arg = one_of("condition", &[
    option("NX"),
    option("XX"),
    option("GT"),
    option("LT"),
]).since("7.0.0").optional();

pub const COPY: Docs = docs("Copies the value of a key to another key.",
    "O(N) for N elements of a collection; O(1) for a string", &[
    key_named("source", 0), key_named("destination", 1), integer("destination-db").token("DB").optional(),
    option("REPLACE").optional(),
]);
pub const DEL: Docs = docs("Removes keys.", "O(N) for N keys, and for each the elements it holds",
    &[key(0).multiple()]);
pub const DUMP: Docs = docs("Answers with the value of a key in serialized form.",
    "O(1) to find the key and O(N*M) to serialize N elements of average size M",
    &[key(0)]);
pub const EXISTS: Docs = docs("Counts how many of the given keys exist.", "O(N) for N keys", &[key(0).multiple()]);
pub const EXPIRE: Docs = docs("Gives a key a time to live in seconds.", "O(1)",
    &[key(0), integer("seconds"), CONDITION]);
pub const EXPIREAT: Docs = docs("Sets the Unix time in seconds at which a key expires.", "O(1)",
    &[key(0), unix_time("unix-time-seconds"), CONDITION]);
pub const EXPIRETIME: Docs = docs("Tells the Unix time in seconds at which a key expires.", "O(1)", &[key(0)]);
pub const KEYS: Docs = docs("Answers with all key names that match a pattern.", "O(N) for N keys in the database",
    &[pattern("pattern")]);
pub const MIGRATE: Docs = docs("Moves keys to another server in one step.",
    "That of DUMP and DEL here and of RESTORE there, and the transfer of N bytes", &[
    string("host"), integer("port"), one_of("key-selector", &[key(0), token("empty-string", "")]),
    integer("destination-db"), integer("timeout"), option("COPY").since("3.0.0").optional(),
    option("REPLACE").since("3.0.0").optional(),
    one_of("authentication", &[
        string("auth").token("AUTH").display("password").since("4.0.7"),
        block("auth2", &[string("username"), string("password")]).token("AUTH2").since("6.0.0"),
    ]).optional(),
    key_named("keys", 1).token("KEYS").display("key").since("3.0.6").optional().multiple(),
]);
pub const MOVE: Docs = docs("Moves a key to another database.", "O(1)", &[key(0), integer("db")]);
pub const OBJECT: Docs = docs("Holds the commands that look at how a value is stored.", "Set by the subcommand", &[]);
pub const OBJECT_ENCODING: Docs = docs("Names the representation in which a value is stored.", "O(1)", &[key(0)]);
pub const OBJECT_FREQ: Docs = docs("Tells the logarithmic access counter of a key.", "O(1)", &[key(0)]);
pub const OBJECT_HELP: Docs = docs("Lists the subcommands of OBJECT.", "O(1)", &[]);
pub const OBJECT_IDLETIME: Docs = docs("Tells how many seconds ago a key was last accessed.", "O(1)", &[key(0)]);
pub const OBJECT_REFCOUNT: Docs = docs("Tells how many references a value has.", "O(1)", &[key(0)]);
pub const PERSIST: Docs = docs("Drops the time to live of a key.", "O(1)", &[key(0)]);
pub const PEXPIRE: Docs = docs("Gives a key a time to live in milliseconds.", "O(1)",
    &[key(0), integer("milliseconds"), CONDITION]);
pub const PEXPIREAT: Docs = docs("Sets the Unix time in milliseconds at which a key expires.", "O(1)",
    &[key(0), unix_time("unix-time-milliseconds"), CONDITION]);
pub const PEXPIRETIME: Docs = docs("Tells the Unix time in milliseconds at which a key expires.", "O(1)", &[key(0)]);
pub const PTTL: Docs = docs("Tells how many milliseconds a key has left to live.", "O(1)", &[key(0)]);
pub const RANDOMKEY: Docs = docs("Answers with a key name chosen at random.", "O(1)", &[]);
pub const RENAME: Docs = docs("Gives a key another name, replacing what was there.", "O(1)",
    &[key(0), key_named("newkey", 1)]);
pub const RENAMENX: Docs = docs("Gives a key another name, provided that the name is free.", "O(1)",
    &[key(0), key_named("newkey", 1)]);
pub const RESTORE: Docs = docs("Makes a key from its serialized form.",
    "O(1) to make the key and O(N*M) to rebuild N elements of average size M", &[
    key(0), integer("ttl"), string("serialized-value"), option("REPLACE").since("3.0.0").optional(),
    option("ABSTTL").since("5.0.0").optional(), integer("seconds").token("IDLETIME").since("5.0.0").optional(),
    integer("frequency").token("FREQ").since("5.0.0").optional(),
]);
pub const SCAN: Docs = docs("Iterates over the key names of the database with a cursor.",
    "O(1) a call; O(N) for a whole iteration over N keys", &[
    integer("cursor"), pattern("pattern").token("MATCH").optional(), integer("count").token("COUNT").optional(),
    string("type").token("TYPE").since("6.0.0").optional(),
]);
pub const SORT: Docs = docs("Sorts a list, a set or a sorted set, and may store the result.",
    "O(N+M*log(M)) for N elements of which M are returned", &[
    key(0), pattern("by-pattern").key_spec(1).token("BY").display("pattern").optional(), LIMIT,
    pattern("get-pattern").key_spec(1).token("GET").display("pattern").optional().multiple().multiple_token(), ORDER,
    token("sorting", "ALPHA").optional(), key_named("destination", 2).token("STORE").optional(),
]);
pub const SORT_RO: Docs = docs("Sorts a list, a set or a sorted set without storing the result.",
    "O(N+M*log(M)) for N elements of which M are returned", &[
    key(0), pattern("by-pattern").key_spec(1).token("BY").display("pattern").optional(), LIMIT,
    pattern("get-pattern").key_spec(1).token("GET").display("pattern").optional().multiple().multiple_token(), ORDER,
    token("sorting", "ALPHA").optional(),
]);
pub const TOUCH: Docs = docs("Counts how many of the given keys exist and renews their access times.",
    "O(N) for N keys",
    &[key(0).multiple()]);
pub const TTL: Docs = docs("Tells how many seconds a key has left to live.", "O(1)", &[key(0)]);
pub const TYPE: Docs = docs("Names the type of the value a key holds.", "O(1)", &[key(0)]);
pub const UNLINK: Docs = docs("Removes keys and frees their memory in the background.",
    "O(1) for each key; its elements are freed later",
    &[key(0).multiple()]);
pub const WAIT: Docs = docs("Waits until so many replicas acknowledged the writes of this connection.", "O(1)",
    &[integer("numreplicas"), integer("timeout")]);
pub const WAITAOF: Docs = docs("Waits until the writes of this connection are on disk here and on so many replicas.",
    "O(1)",
    &[integer("numlocal"), integer("numreplicas"), integer("timeout")]);
