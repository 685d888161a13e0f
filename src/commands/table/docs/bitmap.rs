//! What the commands for bits and bit fields inside strings do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const UNIT: Arg = one_of("unit", &[option("BYTE"), option("BIT")]).since("7.0.0").optional();
const END_UNIT_BLOCK: Arg = block("end-unit-block", &[integer("end"), UNIT]).optional();
const WHOLE_RANGE: Arg = block("range", &[integer("start"), integer("end"), UNIT]).optional();
const RANGE: Arg = block("range", &[integer("start"), END_UNIT_BLOCK]).optional();

pub const BITCOUNT: Docs = docs("Counts the bits of a string that are set.", "O(N) for N bytes looked at",
    &[key(0), WHOLE_RANGE]);
pub const BITFIELD: Docs = docs("Reads, writes and increments integers of any width inside a string.",
    "O(1) for each operation", &[
    key(0),
    one_of("operation", &[
        block("get-block", &[string("encoding"), integer("offset")]).token("GET"),
        block("write", &[
            one_of("overflow-block", &[option("WRAP"), option("SAT"), option("FAIL")]).token("OVERFLOW").optional(),
            one_of("write-operation", &[
                block("set-block", &[
                    string("encoding"), integer("offset"), integer("value"),
                ]).token("SET"),
                block("incrby-block", &[
                    string("encoding"), integer("offset"), integer("increment"),
                ]).token("INCRBY"),
            ]),
        ]),
    ]).optional().multiple(),
]);
pub const BITFIELD_RO: Docs = docs("Reads integers of any width inside a string.", "O(1) for each operation", &[
    key(0),
    block("get-block", &[string("encoding"), integer("offset")]).token("GET").optional().multiple().multiple_token(),
]);
pub const BITOP: Docs = docs("Combines strings bit by bit and stores the result.",
    "O(N) for N bytes in the longest source", &[
    one_of("operation", &[option("AND"), option("OR"), option("XOR"), option("NOT")]), key_named("destkey", 0),
    key(1).multiple(),
]);
pub const BITPOS: Docs = docs("Finds the first bit of a string that is set, or the first that is clear.",
    "O(N) for N bytes looked at",
    &[key(0), integer("bit"), RANGE]);
pub const GETBIT: Docs = docs("Reads one bit of a string.", "O(1)", &[key(0), integer("offset")]);
pub const SETBIT: Docs = docs("Sets or clears one bit of a string, growing it as needed.", "O(1)",
    &[key(0), integer("offset"), integer("value")]);
