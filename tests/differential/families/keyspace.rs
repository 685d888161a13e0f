//! Commands on keys of any type, and on their time to live.

use super::{Family, exact, form};
use crate::compare::Compare;

/// Replies in seconds may differ by what passes between two servers' answers.
const SECONDS: Compare = Compare::Near(5);
const MILLISECONDS: Compare = Compare::Near(5000);

pub const FAMILY: Family = Family {
    keys: &[b"any:1", b"", b"k\r\n"],
    content: None,
    forms: &[
        exact(6, "DEL anykey..."),
        exact(2, "UNLINK anykey..."),
        exact(3, "EXISTS anykey..."),
        exact(3, "TYPE anykey"),
        exact(2, "TOUCH anykey..."),
        exact(3, "DBSIZE"),
        form(2, "KEYS pattern", Compare::Unordered),
        // A count beyond the number of keys: the order of a longer iteration is each server's own.
        form(3, "SCAN 0 COUNT huge {MATCH pattern|TYPE typename}", Compare::Scan).steady(),
        exact(1, "SCAN <ABC|0 COUNT 0|0 COUNT ABC|0 MATCH|0 NOSUCH X|0 COUNT -1>").steady(),
        exact(4, "RENAME anykey anykey"),
        exact(3, "RENAMENX anykey anykey"),
        exact(6, "COPY anykey anykey {DB db|REPLACE}"),
        exact(3, "MOVE anykey db"),
        // Tables have no order, and the version is Redis 7.0's: tests/dump.rs compares the bytes where they can be.
        form(2, "DUMP anykey", Compare::Shape),
        exact(
            4,
            "RESTORE anykey <0|0|0|4102444800000|-1|ABC> payload {REPLACE|REPLACE|ABSTTL|IDLETIME int|FREQ int}",
        ),
        // Over before it begins.
        exact(1, "RESTORE anykey 1000 payload ABSTTL {REPLACE}").steady(),
        form(1, "RANDOMKEY [value value]", Compare::Shape).steady(),
        exact(1, "FLUSHDB [ASYNC|SYNC|NOSUCH]"),
        exact(1, "FLUSHALL [ASYNC|SYNC|ASYNC SYNC]"),
        exact(2, "SWAPDB db db"),
        exact(5, "EXPIRE anykey seconds {NX|XX|GT|LT}"),
        exact(4, "PEXPIRE anykey millis {NX|XX|GT|LT}"),
        exact(5, "EXPIREAT anykey at {NX|XX|GT|LT}"),
        exact(5, "PEXPIREAT anykey atmillis {NX|XX|GT|LT}"),
        form(3, "EXPIRETIME anykey", SECONDS),
        form(3, "PEXPIRETIME anykey", MILLISECONDS),
        form(3, "TTL anykey", SECONDS),
        form(3, "PTTL anykey", MILLISECONDS),
        exact(4, "PERSIST anykey"),
        exact(5, "OBJECT ENCODING anykey"),
        form(1, "OBJECT IDLETIME anykey", Compare::Shape),
        exact(1, "OBJECT FREQ anykey"),
        exact(1, "OBJECT REFCOUNT lexkey"),
        // Help texts are in words of our own; only its errors can be compared.
        exact(1, "OBJECT <NOSUCH anykey|ENCODING|HELP X>").steady(),
    ],
};
