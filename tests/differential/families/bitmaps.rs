//! Strings as bitmaps.

use super::{Family, exact};

pub const FAMILY: Family = Family {
    keys: &[b"b:1", b"b:2", b"b:3"],
    // GET, which the strings have, reads them.
    content: None,
    forms: &[
        exact(2, "SET key value"),
        exact(1, "SET key int"),
        exact(9, "SETBIT key bitplace bit"),
        exact(6, "GETBIT key <bitplace|bitplace|4294967295|4294967296>"),
        exact(7, "BITCOUNT key [bitindex bitindex [BYTE|BIT|bytes]]"),
        exact(1, "BITCOUNT key bitindex"),
        exact(7, "BITPOS key bit [bitindex [bitindex [BYTE|BIT|bytes]]]"),
        exact(8, "BITOP <AND|OR|XOR> key key..."),
        exact(4, "BITOP NOT key key"),
        exact(1, "BITOP <AND|NOT|NOSUCH> key key key"),
        exact(
            12,
            "BITFIELD key <GET fieldtype fieldplace|SET fieldtype fieldplace int|INCRBY fieldtype fieldplace int|OVERFLOW <WRAP|SAT|FAIL>>...",
        ),
        exact(
            4,
            "BITFIELD key OVERFLOW <SAT|FAIL|WRAP|NOSUCH> <SET|INCRBY> fieldtype fieldplace int GET fieldtype fieldplace",
        ),
        exact(4, "BITFIELD_RO key <GET fieldtype fieldplace>..."),
        exact(
            1,
            "BITFIELD_RO key <SET fieldtype fieldplace int|OVERFLOW <SAT|NOSUCH>|INCRBY fieldtype fieldplace value>",
        ),
    ],
};
