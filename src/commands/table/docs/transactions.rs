//! What the commands for transactions do and which arguments they take.

use super::build::*;

pub const DISCARD: Docs = docs("Gives up a transaction.", "O(N) for N commands queued", &[]);
pub const EXEC: Docs = docs("Runs the commands of a transaction.", "That of the commands queued", &[]);
pub const MULTI: Docs = docs("Begins a transaction.", "O(1)", &[]);
pub const UNWATCH: Docs = docs("Forgets the keys that WATCH marked.", "O(1)", &[]);
pub const WATCH: Docs = docs("Makes the next transaction depend on keys staying unchanged.", "O(1) for each key",
    &[key(0).multiple()]);
