//! Commands about the server itself, as far as two servers can agree on them: errors, shapes, and what is empty.

use super::{Family, exact, form};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[],
    content: None,
    forms: &[
        exact(1, "INFO NOSUCH").steady(),
        exact(1, "INFO <MODULES|CLUSTER|CLUSTER MODULES NOSUCH>").steady(),
        form(2, "INFO [SERVER|KEYSPACE|ALL|CPU MEMORY]", Compare::Shape).steady(),
        form(2, "TIME", Compare::Shape).steady(),
        form(1, "LASTSAVE", Compare::Shape).steady(),
        form(1, "LOLWUT [VERSION <1|5|6> [<2|ABC> <3|ABC>]]", Compare::Shape).steady(),
        exact(1, "LOLWUT VERSION <ABC|A B>").steady(),
        exact(
            1,
            "SHUTDOWN <ABORT|ABORT NOW|SAVE NOSAVE|ABC|ABORT ABORT|ABORT FORCE|NOW SAVE ABC>",
        )
        .steady(),
        form(2, "MEMORY USAGE anykey {SAMPLES <0|5>}", Compare::Shape),
        exact(
            2,
            "MEMORY USAGE anykey <SAMPLES|SAMPLES -1|SAMPLES ABC|ABC|SAMPLES 1 ABC|SAMPLES 1 SAMPLES>",
        )
        .steady(),
        exact(1, "MEMORY <PURGE|NOSUCH|USAGE|STATS X>").steady(),
        exact(1, "SLOWLOG GET <ABC|-2|1 2|99999999999999999999>").steady(),
        exact(1, "SLOWLOG <RESET|RESET X|LEN X|NOSUCH>").steady(),
        form(1, "SLOWLOG GET [1|0|-1]", Compare::Shape).steady(),
        exact(
            1,
            "LATENCY <LATEST|HISTORY COMMAND|GRAPH command|RESET|RESET NOSUCH|HISTORY|NOSUCH>",
        )
        .steady(),
        exact(1, "LATENCY HISTOGRAM NOSUCH").steady(),
        form(1, "LATENCY HISTOGRAM INFO", Compare::Shape).steady(),
        exact(
            1,
            "<ASKING|CLUSTER <INFO|HELP|NODES|SLOTS|SHARDS|MYID|KEYSLOT A|NOSUCH|ADDSLOTS>|CLUSTER>",
        )
        .steady(),
        exact(1, "MODULE <LIST|LOAD /NOSUCH|UNLOAD ABC|NOSUCH|LOAD>").steady(),
        exact(1, "DEBUG <SLEEP 0|OBJECT|HELP>").steady(),
        exact(1, "<SLOWLOG|MEMORY|LATENCY|DEBUG>").steady(),
    ],
};
