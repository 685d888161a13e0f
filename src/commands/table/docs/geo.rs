//! What the commands for geospatial indexes do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const FROMLONLAT: Arg = block("fromlonlat", &[
    double("longitude"),
    double("latitude"),
]).token("FROMLONLAT");
const ORDER: Arg = one_of("order", &[option("ASC"), option("DESC")]).optional();
const COUNT_BLOCK: Arg = block("count-block", &[
    integer("count").token("COUNT"),
    option("ANY").optional(),
]).optional();
const COUNT_BLOCK_ANY_LATER: Arg = block("count-block", &[
    integer("count").token("COUNT"),
    option("ANY").since("6.2.0").optional(),
]).optional();
const STORE: Arg = one_of("store", &[
    key_named("storekey", 1).token("STORE").display("key"),
    key_named("storedistkey", 2).token("STOREDIST").display("key"),
]).optional();
const UNIT: Arg = one_of("unit", &[option("M"), option("KM"), option("FT"), option("MI")]);
const FROM: Arg = one_of("from", &[string("member").token("FROMMEMBER"), FROMLONLAT]);
const CIRCLE: Arg = block("circle", &[double("radius").token("BYRADIUS"), UNIT]);
const BOX: Arg = block("box", &[double("width").token("BYBOX"), double("height"), UNIT]);
const BY: Arg = one_of("by", &[CIRCLE, BOX]);

pub const GEOADD: Docs = docs("Puts members with their coordinates into a geospatial index.",
    "O(log(N)) for each member, with N in the index", &[
    key(0), one_of("condition", &[option("NX"), option("XX")]).since("6.2.0").optional(),
    token("change", "CH").since("6.2.0").optional(),
    block("data", &[double("longitude"), double("latitude"), string("member")]).multiple(),
]);
pub const GEODIST: Docs = docs("Measures the distance between two members of a geospatial index.", "O(1)", &[
    key(0), string("member1"), string("member2"),
    one_of("unit", &[option("M"), option("KM"), option("FT"), option("MI")]).optional(),
]);
pub const GEOHASH: Docs = docs("Answers with the positions of members as standard geohash strings.",
    "O(1) for each member",
    &[key(0), string("member").optional().multiple()]);
pub const GEOPOS: Docs = docs("Answers with the longitude and latitude of members.", "O(1) for each member",
    &[key(0), string("member").optional().multiple()]);
pub const GEORADIUS: Docs = docs("Finds the members within a distance of a point, and may store them.",
    "O(N+log(M)) for N members in the bounding box and M in the circle", &[
    key(0), double("longitude"), double("latitude"), double("radius"), UNIT, option("WITHCOORD").optional(),
    option("WITHDIST").optional(), option("WITHHASH").optional(), COUNT_BLOCK_ANY_LATER, ORDER, STORE,
]).deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`");
pub const GEORADIUS_RO: Docs = docs("Finds the members within a distance of a point.",
    "O(N+log(M)) for N members in the bounding box and M in the circle", &[
    key(0), double("longitude"), double("latitude"), double("radius"), UNIT, option("WITHCOORD").optional(),
    option("WITHDIST").optional(), option("WITHHASH").optional(), COUNT_BLOCK_ANY_LATER, ORDER,
]).deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS`");
pub const GEORADIUSBYMEMBER: Docs = docs("Finds the members within a distance of another member, and may store them.",
    "O(N+log(M)) for N members in the bounding box and M in the circle", &[
    key(0), string("member"), double("radius"), UNIT, option("WITHCOORD").optional(),
    option("WITHDIST").optional(), option("WITHHASH").optional(), COUNT_BLOCK, ORDER, STORE,
]).deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`");
pub const GEORADIUSBYMEMBER_RO: Docs = docs("Finds the members within a distance of another member.",
    "O(N+log(M)) for N members in the bounding box and M in the circle", &[
    key(0), string("member"), double("radius"), UNIT, option("WITHCOORD").optional(),
    option("WITHDIST").optional(), option("WITHHASH").optional(), COUNT_BLOCK, ORDER,
]).deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`");
pub const GEOSEARCH: Docs = docs("Finds the members inside a circle or a box.",
    "O(N+log(M)) for N members in the bounding box and M in the shape", &[
    key(0), FROM, BY, ORDER, COUNT_BLOCK, option("WITHCOORD").optional(), option("WITHDIST").optional(),
    option("WITHHASH").optional(),
]);
pub const GEOSEARCHSTORE: Docs = docs("Stores the members inside a circle or a box under another key.",
    "O(N+log(M)) for N members in the bounding box and M in the shape", &[
    key_named("destination", 0), key_named("source", 1), FROM, BY, ORDER, COUNT_BLOCK,
    option("STOREDIST").optional(),
]);
