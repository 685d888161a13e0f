//! Commands for HyperLogLogs.

use super::prelude::*;
use crate::commands::table::docs::hyperloglog as docs;

pub const COMMANDS: &[Row] = &[
    cmd("pfadd",      -2, "2.8.9", &[Write, DenyOom, Fast], &[HyperLogLog], &docs::PFADD).keys(&[INSERT.at(KEY_1)]),
    cmd("pfcount",    -2, "2.8.9", &[ReadOnly], &[HyperLogLog], &docs::PFCOUNT)
        .keys(&[
            READ_WRITE.at(KEYS_FROM_1).note("RW: counting may renew the cached cardinality inside the value"),
        ]),
    cmd("pfdebug",     3, "2.8.9", &[Write, DenyOom, Admin], &[HyperLogLog], &docs::PFDEBUG)
        .keys(&[READ_WRITE.at(KEY_2)]),
    cmd("pfmerge",    -2, "2.8.9", &[Write, DenyOom], &[HyperLogLog], &docs::PFMERGE)
        .keys(&[READ_INSERT.at(KEY_1), READ.at(KEYS_FROM_2)]),
    cmd("pfselftest",  1, "2.8.9", &[Admin], &[HyperLogLog], &docs::PFSELFTEST),
];
