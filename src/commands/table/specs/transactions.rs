//! Commands for transactions.

use super::prelude::*;
use crate::commands::table::docs::transactions as docs;

pub const COMMANDS: &[Row] = &[
    cmd("discard",  1, "2.0.0", &[NoScript, Loading, Stale, Fast, AllowBusy], &[Transaction], &docs::DISCARD),
    cmd("exec",     1, "1.2.0", &[NoScript, Loading, Stale, SkipSlowlog], &[Transaction], &docs::EXEC),
    cmd("multi",    1, "1.2.0", &[NoScript, Loading, Stale, Fast, AllowBusy], &[Transaction], &docs::MULTI),
    cmd("unwatch",  1, "2.2.0", &[NoScript, Loading, Stale, Fast, AllowBusy], &[Transaction], &docs::UNWATCH),
    cmd("watch",   -2, "2.2.0", &[NoScript, Loading, Stale, Fast, AllowBusy], &[Transaction], &docs::WATCH)
        .keys(&[METADATA.at(KEYS_FROM_1)]),
];
