//! Places. Their keys are sorted sets, which the sorted sets' family reads as a whole.

use super::{Family, exact};

pub const FAMILY: Family = Family {
    keys: &[b"g:1", b"g:2"],
    content: None,
    forms: &[
        exact(10, "GEOADD key {NX|XX|CH} <longitude latitude place>..."),
        // Scores that are no geohashes give places too.
        exact(1, "ZADD key <score place>..."),
        exact(3, "GEODIST key place place [unit]"),
        exact(2, "GEOHASH key place..."),
        exact(2, "GEOPOS key place..."),
        exact(
            8,
            "GEOSEARCH key <FROMMEMBER place|FROMLONLAT longitude latitude> <BYRADIUS radius unit|BYBOX radius radius unit> \
             {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH}",
        ),
        exact(
            1,
            "GEOSEARCH key {FROMMEMBER place|FROMLONLAT longitude latitude|BYRADIUS radius unit|BYBOX radius radius unit|ANY}",
        ),
        exact(
            2,
            "GEOSEARCHSTORE key key <FROMMEMBER place|FROMLONLAT longitude latitude> \
             <BYRADIUS radius unit|BYBOX radius radius unit> {ASC|DESC|COUNT count|COUNT count ANY|STOREDIST|WITHDIST}",
        ),
        exact(
            3,
            "GEORADIUS key longitude latitude radius unit \
             {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STORE key|STOREDIST key}",
        ),
        exact(
            2,
            "GEORADIUS_RO key longitude latitude radius unit \
             {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STORE key}",
        ),
        exact(
            3,
            "GEORADIUSBYMEMBER key place radius unit \
             {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STORE key|STOREDIST key}",
        ),
        exact(
            2,
            "GEORADIUSBYMEMBER_RO key place radius unit \
             {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STOREDIST key}",
        ),
    ],
};
