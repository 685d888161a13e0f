//! What the differential test does not see: events, what is stored, and the orders of results worked out by hand.

use crate::server::testing::Server;

fn sicily() -> Server {
    let mut server = Server::start();
    let line = "geoadd s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";
    assert_eq!(server.ask(line), ":2|");
    server
}

#[test]
fn places_are_sorted_sets() {
    let mut server = sicily();
    assert_eq!(server.ask("zscore s Palermo"), "$16|3479099956230698|");
    assert_eq!(server.ask("geohash s Catania nobody"), "*2|$11|sqdtr74hyu0|$-1|");
    let place = "*2|*2|$20|13.36138933897018433|$20|38.11555639549629859|*-1|";
    assert_eq!(server.ask("geopos s Palermo nobody"), place);
    assert_eq!(server.ask("geodist s Palermo Catania KM"), "$8|166.2742|");
    assert_eq!(server.ask("geodist s Palermo nobody"), "$-1|");
    assert_eq!(server.ask("geoadd s xx ch 13.5 38 Palermo 1 1 nobody"), ":1|");
}

#[test]
fn a_wrong_place_adds_nothing() {
    let mut server = sicily();
    assert_eq!(
        server.ask("geoadd s 1 1 here 180.5 -1e300 beyond"),
        format!("-ERR invalid longitude,latitude pair 180.500000,{:.6}|", -1e300)
    );
    assert_eq!(
        server.ask("geoadd s 1 1 here x 1 there"),
        "-ERR value is not a valid float|"
    );
    assert_eq!(server.ask("geoadd s nx xx 1 1 here"), "-ERR syntax error|");
    assert_eq!(server.ask("geoadd s 1 1 here 2"), "-ERR syntax error|");
    assert_eq!(server.ask("geoadd s nx ch nx"), "-ERR syntax error|");
    assert_eq!(server.ask("zcard s"), ":2|");
}

#[test]
fn searches_answer_in_the_form_asked_for() {
    let mut server = sicily();
    let around = "geosearch s fromlonlat 15 37 byradius 200 km";
    assert_eq!(server.ask(&format!("{around} asc")), "*2|$7|Catania|$7|Palermo|");
    assert_eq!(server.ask(&format!("{around} desc count 1")), "*1|$7|Palermo|");
    assert_eq!(
        server.ask(&format!("{around} withdist withhash count 1")),
        "*1|*3|$7|Catania|$7|56.4413|:3479447370796909|"
    );
    server.ask("hello 3");
    assert_eq!(
        server.ask(&format!("{around} withcoord count 1")),
        "*1|*2|$7|Catania|*2|,15.08726745843887329|,37.50266842333162032|"
    );
    assert_eq!(server.ask("georadiusbymember s Catania 1 mi"), "*1|$7|Catania|");
    assert_eq!(
        server.ask("georadiusbymember s nobody 1 mi"),
        "-ERR could not decode requested zset member|"
    );
    assert_eq!(server.ask("georadiusbymember nowhere nobody x y"), "*0|");
}

#[test]
fn results_are_stored_as_places_or_as_distances() {
    let mut server = sicily();
    server.listen();
    let told = |event: &str| {
        let channel = format!("__keyevent@0__:{event}");
        let length = channel.len();
        format!(">4|$8|pmessage|$12|__keyevent@*|${length}|{channel}|$1|d|")
    };
    let dirty = server.core.dirty;
    let reply = server.ask("geosearchstore d s fromlonlat 15 37 byradius 200 km");
    assert_eq!(reply, format!(":2|{}{}", told("new"), told("geosearchstore")));
    assert_eq!(server.core.dirty, dirty + 2, "one for each member");
    assert_eq!(server.ask("zscore d Catania"), ",3479447370796909|");
    let reply = server.ask("georadius s 15 37 100 km storedist d");
    assert_eq!(reply, format!(":1|{}", told("georadiusstore")));
    assert_eq!(
        server.ask("zrange d 0 -1 withscores"),
        "*1|*2|$7|Catania|,56.4412578701582|"
    );
    let reply = server.ask("georadius s 0 0 1 km store d");
    assert_eq!(reply, format!(":0|{}", told("del")));
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let mut server = sicily();
    for (line, error) in [
        (
            "GeoSearch s byradius 1 m asc desc",
            "exactly one of FROMMEMBER or FROMLONLAT can be specified for GeoSearch",
        ),
        (
            "geosearch s frommember Catania asc desc asc",
            "exactly one of BYRADIUS and BYBOX can be specified for geosearch",
        ),
        (
            "geosearch s frommember Catania fromlonlat 1 1 byradius 1 m",
            "syntax error",
        ),
        (
            "geosearch s frommember Catania byradius 1 m bybox 1 1 m",
            "syntax error",
        ),
        (
            "geosearch s frommember Catania byradius 1 m any",
            "the ANY argument requires COUNT argument",
        ),
        (
            "geosearch s frommember Catania byradius 1 m count 0",
            "COUNT must be > 0",
        ),
        ("geosearch s frommember Catania byradius 1 m storedist", "syntax error"),
        (
            "geosearch s frommember Catania byradius -1 m",
            "radius cannot be negative",
        ),
        ("geosearch s frommember Catania bybox 1 x m", "need numeric height"),
        (
            "geosearch s frommember Catania bybox 1 -1 m",
            "height or width cannot be negative",
        ),
        (
            "geosearch s frommember Catania bybox 1 1 cm",
            "unsupported unit provided. please use M, KM, FT, MI",
        ),
        (
            "geosearchstore d s frommember Catania byradius 1 m withdist",
            "GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        (
            "georadius s 1 1 1 m withcoord store d",
            "STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
        ("georadius_ro s 1 1 1 m store d", "syntax error"),
    ] {
        assert_eq!(server.ask(line), format!("-ERR {error}|"), "{line}");
    }
}
