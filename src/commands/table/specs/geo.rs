//! Commands for geospatial indexes.

use super::prelude::*;
use crate::commands::table::docs::geo as docs;

pub const COMMANDS: &[Row] = &[
    cmd("geoadd",               -5, "3.2.0", &[Write, DenyOom], &[Geo], &docs::GEOADD).keys(&[UPDATE.at(KEY_1)]),
    cmd("geodist",              -4, "3.2.0", &[ReadOnly], &[Geo], &docs::GEODIST).keys(&[READ.at(KEY_1)]),
    cmd("geohash",              -2, "3.2.0", &[ReadOnly], &[Geo], &docs::GEOHASH).keys(&[READ.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("geopos",               -2, "3.2.0", &[ReadOnly], &[Geo], &docs::GEOPOS).keys(&[READ.at(KEY_1)])
        .elements(ELEMENTS_FROM_2),
    cmd("georadius",            -6, "3.2.0", &[Write, DenyOom, MovableKeys], &[Geo], &docs::GEORADIUS)
        .keys(&[READ.at(KEY_1), OVERWRITE.at(STORE_FROM_6), OVERWRITE.at(STOREDIST_FROM_6)]),
    cmd("georadius_ro",         -6, "3.2.10", &[ReadOnly], &[Geo], &docs::GEORADIUS_RO).keys(&[READ.at(KEY_1)]),
    cmd("georadiusbymember",    -5, "3.2.0", &[Write, DenyOom, MovableKeys], &[Geo], &docs::GEORADIUSBYMEMBER)
        .keys(&[READ.at(KEY_1), OVERWRITE.at(STORE_FROM_5), OVERWRITE.at(STOREDIST_FROM_5)]),
    cmd("georadiusbymember_ro", -5, "3.2.10", &[ReadOnly], &[Geo], &docs::GEORADIUSBYMEMBER_RO)
        .keys(&[READ.at(KEY_1)]),
    cmd("geosearch",            -7, "6.2.0", &[ReadOnly], &[Geo], &docs::GEOSEARCH).keys(&[READ.at(KEY_1)]),
    cmd("geosearchstore",       -8, "6.2.0", &[Write, DenyOom], &[Geo], &docs::GEOSEARCHSTORE)
        .keys(&[OVERWRITE.at(KEY_1), READ.at(KEY_2)]),
];
