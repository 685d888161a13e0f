//! What the commands for lists do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const WHERE: Arg = one_of("where", &[option("LEFT"), option("RIGHT")]);
const WHERETO: Arg = one_of("whereto", &[option("LEFT"), option("RIGHT")]);
const WHEREFROM: Arg = one_of("wherefrom", &[option("LEFT"), option("RIGHT")]);

pub const BLMOVE: Docs = docs("Moves an element from the end of one list to another, waiting until there is one.",
    "O(1)", &[
    key_named("source", 0), key_named("destination", 1), WHEREFROM, WHERETO, double("timeout"),
]);
pub const BLMPOP: Docs = docs("Pops elements from the first list that has any, waiting until one does.",
    "O(N+M) for N keys and M elements returned", &[
    double("timeout"), integer("numkeys"), key(0).multiple(), WHERE, integer("count").token("COUNT").optional(),
]);
pub const BLPOP: Docs = docs("Pops the head of the first list that has elements, waiting until one does.",
    "O(N) for N keys",
    &[key(0).multiple(), double("timeout")]);
pub const BRPOP: Docs = docs("Pops the tail of the first list that has elements, waiting until one does.",
    "O(N) for N keys",
    &[key(0).multiple(), double("timeout")]);
pub const BRPOPLPUSH: Docs = docs("Moves the tail of one list to the head of another, waiting until there is one.",
    "O(1)", &[
    key_named("source", 0), key_named("destination", 1), double("timeout"),
]).deprecated("6.2.0", "`BLMOVE` with `RIGHT` and `LEFT`");
pub const LINDEX: Docs = docs("Reads the list element at an index.",
    "O(N) for N elements passed over; O(1) at either end",
    &[key(0), integer("index")]);
pub const LINSERT: Docs = docs("Inserts an element in front of or behind another one.",
    "O(N) for N elements before the pivot", &[
    key(0), one_of("where", &[option("BEFORE"), option("AFTER")]), string("pivot"), string("element"),
]);
pub const LLEN: Docs = docs("Tells how many elements a list has.", "O(1)", &[key(0)]);
pub const LMOVE: Docs = docs("Moves an element from the end of one list to the end of another.", "O(1)", &[
    key_named("source", 0), key_named("destination", 1), WHEREFROM, WHERETO,
]);
pub const LMPOP: Docs = docs("Pops elements from the first of several lists that has any.",
    "O(N+M) for N keys and M elements returned", &[
    integer("numkeys"), key(0).multiple(), WHERE, integer("count").token("COUNT").optional(),
]);
pub const LPOP: Docs = docs("Removes elements from the head of a list and answers with them.",
    "O(N) for N elements returned",
    &[key(0), integer("count").since("6.2.0").optional()]);
pub const LPOS: Docs = docs("Finds the indexes at which a list holds an element.", "O(N) for N elements compared", &[
    key(0), string("element"), integer("rank").token("RANK").optional(),
    integer("num-matches").token("COUNT").optional(), integer("len").token("MAXLEN").optional(),
]);
pub const LPUSH: Docs = docs("Puts elements at the head of a list, starting one when the key is missing.",
    "O(N) for N elements",
    &[key(0), string("element").multiple()]);
pub const LPUSHX: Docs = docs("Puts elements at the head of a list that already exists.", "O(N) for N elements",
    &[key(0), string("element").multiple()]);
pub const LRANGE: Docs = docs("Reads the list elements between two indexes.",
    "O(S+N) for a start S elements from the nearer end and N elements returned",
    &[key(0), integer("start"), integer("stop")]);
pub const LREM: Docs = docs("Removes the elements of a list that equal a value.",
    "O(N+M) for N elements in the list and M removed",
    &[key(0), integer("count"), string("element")]);
pub const LSET: Docs = docs("Replaces the list element at an index.",
    "O(N) for N elements passed over; O(1) at either end",
    &[key(0), integer("index"), string("element")]);
pub const LTRIM: Docs = docs("Cuts a list down to the elements between two indexes.", "O(N) for N elements removed",
    &[key(0), integer("start"), integer("stop")]);
pub const RPOP: Docs = docs("Removes elements from the tail of a list and answers with them.",
    "O(N) for N elements returned",
    &[key(0), integer("count").since("6.2.0").optional()]);
pub const RPOPLPUSH: Docs = docs("Moves the tail of one list to the head of another.", "O(1)",
    &[key_named("source", 0), key_named("destination", 1)]).deprecated("6.2.0", "`LMOVE` with `RIGHT` and `LEFT`");
pub const RPUSH: Docs = docs("Puts elements at the tail of a list, starting one when the key is missing.",
    "O(N) for N elements",
    &[key(0), string("element").multiple()]);
pub const RPUSHX: Docs = docs("Puts elements at the tail of a list that already exists.", "O(N) for N elements",
    &[key(0), string("element").multiple()]);
