//! Streams.

use super::{Content, Family, exact, form};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[b"x:1", b"x:2"],
    content: Some(Content {
        command: b"XRANGE",
        arguments: &[b"-", b"+"],
        compare: Compare::Exact,
    }),
    forms: &[
        exact(12, "XADD key streamid <field value>..."),
        exact(12, "XADD key autoid <field value>..."),
        exact(
            6,
            "XADD key [NOMKSTREAM] [MAXLEN [=|~] count [LIMIT count]|MINID [=|~] streamid [LIMIT count]] streamid <field value>...",
        ),
        exact(3, "XADD key MAXLEN [=|~] count autoid field value"),
        exact(3, "XLEN key"),
        exact(
            3,
            "XRANGE key <-|streamid|exclusiveid> <+|streamid|exclusiveid> [COUNT count]",
        ),
        exact(
            3,
            "XREVRANGE key <+|streamid|exclusiveid> <-|streamid|exclusiveid> [COUNT count]",
        ),
        exact(4, "XDEL key streamid..."),
        exact(2, "XTRIM key {MAXLEN [=|~] count|MINID [=|~] streamid|LIMIT count}"),
        exact(1, "XTRIM key MAXLEN ~ count LIMIT count"),
        exact(2, "XSETID key streamid [ENTRIESADDED count] [MAXDELETEDID streamid]"),
        exact(1, "XSETID key streamid {ENTRIESADDED count|MAXDELETEDID streamid}"),
        exact(
            6,
            "XGROUP CREATE key groupname <$|streamid|0> {MKSTREAM|ENTRIESREAD count}",
        ),
        exact(2, "XGROUP SETID key groupname <$|streamid|0> [ENTRIESREAD count]"),
        exact(1, "XGROUP DESTROY key groupname"),
        exact(2, "XGROUP CREATECONSUMER key groupname consumer"),
        exact(1, "XGROUP DELCONSUMER key groupname consumer"),
        form(1, "XGROUP HELP", Compare::Shape),
        form(1, "XINFO HELP", Compare::Shape),
        exact(5, "XREAD [COUNT count] STREAMS key readid"),
        exact(
            3,
            "XREAD {COUNT count|BLOCK <1|-1|1.5>|NOACK|GROUP groupname consumer} STREAMS key key <0|readid> 0",
        )
        .steady(),
        exact(
            10,
            "XREADGROUP GROUP groupname consumer [COUNT count] [NOACK] STREAMS key readid",
        ),
        exact(
            4,
            "XREADGROUP GROUP groupname consumer [COUNT count] STREAMS key unread",
        ),
        exact(
            2,
            "XREADGROUP {GROUP groupname consumer|COUNT count|NOACK} STREAMS key [key] readid [readid]",
        ),
        exact(1, "XREADGROUP GROUP groupname consumer BLOCK 1 STREAMS key readid").steady(),
        exact(5, "XACK key groupname streamid..."),
        exact(
            8,
            "XCLAIM key groupname consumer idle streamid... \
             {IDLE idle|TIME unixmillis|RETRYCOUNT count|FORCE|JUSTID|LASTID streamid}",
        ),
        exact(
            5,
            "XAUTOCLAIM key groupname consumer idle <0|-|streamid|exclusiveid> {COUNT count|JUSTID}",
        ),
        exact(3, "XPENDING key groupname"),
        form(
            5,
            "XPENDING key groupname [IDLE idle] <-|streamid|exclusiveid> <+|streamid|exclusiveid> count [consumer]",
            Compare::Times,
        ),
        exact(3, "XINFO STREAM key"),
        form(4, "XINFO STREAM key FULL [COUNT count]", Compare::Times),
        form(3, "XINFO GROUPS key", Compare::Times),
        form(3, "XINFO CONSUMERS key groupname", Compare::Times),
    ],
};
