//! What the commands for HyperLogLogs do and which arguments they take.

use super::build::*;

pub const PFADD: Docs = docs("Counts elements in a HyperLogLog, starting one when the key is missing.",
    "O(1) for each element",
    &[key(0), string("element").optional().multiple()]);
pub const PFCOUNT: Docs = docs("Estimates how many distinct elements HyperLogLogs have seen together.",
    "O(N) for N keys, with a far smaller constant when N is 1",
    &[key(0).multiple()]);
pub const PFDEBUG: Docs = docs("Shows the inside of a HyperLogLog, for tests.", "O(N) for N registers",
    &[string("subcommand"), key(0)]).system();
pub const PFMERGE: Docs = docs("Merges HyperLogLogs into one.", "O(N) for N keys", &[
    key_named("destkey", 0), key_named("sourcekey", 1).optional().multiple(),
]);
pub const PFSELFTEST: Docs = docs("Tests the HyperLogLog implementation on itself.",
    "O(N) for N elements tried", &[]).system();
