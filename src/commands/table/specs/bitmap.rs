//! Commands for bits and bit fields inside strings.

use super::prelude::*;
use crate::commands::table::docs::bitmap as docs;

pub const COMMANDS: &[Row] = &[
    cmd("bitcount",    -2, "2.6.0", &[ReadOnly], &[Bitmap], &docs::BITCOUNT).keys(&[READ.at(KEY_1)]),
    cmd("bitfield",    -2, "3.2.0", &[Write, DenyOom], &[Bitmap], &docs::BITFIELD)
        .keys(&[VARIABLE.at(KEY_1).note("Its operations may read as well as write")]),
    cmd("bitfield_ro", -2, "6.0.0", &[ReadOnly, Fast], &[Bitmap], &docs::BITFIELD_RO).keys(&[READ.at(KEY_1)]),
    cmd("bitop",       -4, "2.6.0", &[Write, DenyOom], &[Bitmap], &docs::BITOP)
        .keys(&[OVERWRITE.at(KEY_2), READ.at(KEYS_FROM_3)]),
    cmd("bitpos",      -3, "2.8.7", &[ReadOnly], &[Bitmap], &docs::BITPOS).keys(&[READ.at(KEY_1)]),
    cmd("getbit",       3, "2.2.0", &[ReadOnly, Fast], &[Bitmap], &docs::GETBIT).keys(&[READ.at(KEY_1)]),
    cmd("setbit",       4, "2.2.0", &[Write, DenyOom], &[Bitmap], &docs::SETBIT).keys(&[READ_UPDATE.at(KEY_1)]),
];
