//! Strings.

use super::{Content, Family, exact};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[
        b"s:1",
        b"s:2",
        b"s:3",
        b"s:a rather long key that does not fit into any small allocation at all",
    ],
    content: Some(Content {
        command: b"GET",
        arguments: &[],
        compare: Compare::Exact,
    }),
    forms: &[
        exact(10, "GET key"),
        exact(10, "SET key value"),
        exact(6, "SET key int"),
        exact(3, "SET key float"),
        exact(
            14,
            "SET key value {NX|XX|GET|KEEPTTL|EX seconds|PX millis|EXAT deadline|PXAT deadlinemillis}",
        ),
        exact(5, "GETEX key {PERSIST|EX seconds|PX millis|EXAT at|PXAT atmillis}"),
        exact(3, "GETDEL key"),
        exact(3, "GETSET key value"),
        exact(3, "SETEX key seconds value"),
        exact(3, "PSETEX key millis value"),
        exact(3, "SETNX key value"),
        exact(4, "MSET <key value>..."),
        exact(3, "MSETNX <key value>..."),
        exact(4, "MGET key..."),
        exact(6, "APPEND key value"),
        exact(4, "STRLEN key"),
        exact(5, "SETRANGE key offset value"),
        exact(5, "GETRANGE key index index"),
        exact(2, "SUBSTR key index index"),
        exact(4, "INCR key"),
        exact(6, "INCRBY key int"),
        exact(6, "INCRBYFLOAT key float"),
        exact(3, "DECR key"),
        exact(4, "DECRBY key int"),
        exact(6, "LCS key key {LEN|IDX|MINMATCHLEN count|WITHMATCHLEN}"),
    ],
};
