//! HyperLogLogs. GET, which the strings have, compares them to the byte.

use super::{Family, exact};

pub const FAMILY: Family = Family {
    keys: &[b"p:1", b"p:2", b"p:3", b"p:4"],
    content: None,
    forms: &[
        exact(14, "PFADD key member..."),
        exact(5, "PFADD key int..."),
        exact(1, "PFADD key"),
        exact(5, "PFCOUNT key"),
        exact(4, "PFCOUNT key..."),
        exact(5, "PFMERGE key [key...]"),
        exact(3, "PFDEBUG <ENCODING|DECODE|DECODE> key"),
        exact(1, "PFDEBUG <TODENSE|GETREG|NOSUCH> key"),
        // It takes seconds: only its errors.
        exact(1, "PFSELFTEST X").steady(),
        exact(2, "SET key hll"),
        exact(2, "GET key"),
        exact(1, "DEL key"),
    ],
};
