//! Commands for vector sets. They check the numbers of their arguments themselves.

use super::prelude::*;
use crate::commands::table::docs::vector_set as docs;

pub const COMMANDS: &[Row] = &[
    cmd("vadd",        -1, "8.0.0", &[Write, DenyOom], &[], &docs::VADD).keys(&[INSERT.at(KEY_1)]),
    cmd("vcard",       -1, "8.0.0", &[ReadOnly, Fast], &[], &docs::VCARD).keys(&[METADATA.at(KEY_1)]),
    cmd("vdim",        -1, "8.0.0", &[ReadOnly, Fast], &[], &docs::VDIM).keys(&[METADATA.at(KEY_1)]),
    cmd("vemb",        -1, "8.0.0", &[ReadOnly, Fast], &[], &docs::VEMB).keys(&[READ.at(KEY_1)]),
    cmd("vgetattr",    -1, "8.0.0", &[ReadOnly, Fast], &[], &docs::VGETATTR).keys(&[READ.at(KEY_1)]),
    cmd("vinfo",       -1, "8.0.0", &[ReadOnly, Fast], &[], &docs::VINFO).keys(&[METADATA.at(KEY_1)]),
    cmd("vismember",   -1, "8.0.0", &[ReadOnly], &[], &docs::VISMEMBER).keys(&[METADATA.at(KEY_1)]),
    cmd("vlinks",      -1, "8.0.0", &[ReadOnly, Fast], &[], &docs::VLINKS).keys(&[READ.at(KEY_1)]),
    cmd("vrandmember", -1, "8.0.0", &[ReadOnly], &[], &docs::VRANDMEMBER).keys(&[READ.at(KEY_1)])
        .tips(&[NONDETERMINISTIC_OUTPUT]),
    cmd("vrem",        -1, "8.0.0", &[Write], &[], &docs::VREM).keys(&[REMOVE.at(KEY_1)]),
    cmd("vsetattr",    -1, "8.0.0", &[Write, Fast], &[], &docs::VSETATTR).keys(&[UPDATE.at(KEY_1)]),
    cmd("vsim",        -1, "8.0.0", &[ReadOnly], &[], &docs::VSIM).keys(&[READ.at(KEY_1)]),
];
