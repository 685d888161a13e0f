//! The pools from which slots are filled: small, so that commands meet on the same keys and members, and nasty.
//!
//! One rule keeps runs repeatable: no value that can become a relative time to live is small and positive, since
//! whether such a key still exists would depend on how fast the machine is.

use std::sync::OnceLock;

use aeolus::persistence::rdb::Version;

use crate::payloads;
use crate::support::random::Random;

macro_rules! slots {
    ($($name:ident)*) => {
        /// What a slot of a syntax line is to be filled with.
        #[allow(non_camel_case_types)] // the variants are the words of the notation
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Slot { $($name),* }

        impl Slot {
            pub fn named(name: &str) -> Option<Slot> {
                match name {
                    $(stringify!($name) => Some(Slot::$name),)*
                    _ => None,
                }
            }
        }
    };
}

slots! {
    key anykey lexkey value longvalue member field int float score scorebound lexbound index offset count bigcount
    zsetorset longitude latitude place radius unit
    seconds millis at atmillis deadline deadlinemillis db pattern streamid exclusiveid autoid readid unread
    groupname consumer idle unixmillis typename setting command text huge
    payload
    bit bitplace bitindex fieldtype fieldplace bytes hll
    sortnumbers sorttexts sortset sortzset sortnumber sortweight sorttext sortget weightkey textkey objectkey
}

/// Strings that someone's parser, printer or size limit treats specially.
const VALUES: &[&[u8]] = &[
    b"",
    b"a",
    b"b",
    b"hello",
    b"ohmytext",
    b"mynewtext",
    b"0",
    b"1",
    b"-1",
    b"42",
    b"007",
    b" 5",
    b"5 ",
    b"+5",
    b"-0",
    b"1.5",
    b"3.0e2",
    b"0.1",
    b"10.50",
    b"0x10",
    b"inf",
    b"-inf",
    b"nan",
    b"1e308",
    b"2e4000",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775806",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"99999999999999999999",
    b"127",
    b"128",
    b"-129",
    b"4095",
    b"4096",
    b"32768",
    b"8388608",
    b"2147483648",
    b"12345678901234567890123",
    b"\r\n",
    b"\0",
    b"\0\x01\xff\xfe",
    b"k\r\n$3\r\nfoo\r\n",
    b"\xc3\xa4\xe2\x82\xac",
    &[b'x'; 44],
    &[b'x'; 45],
    &[b'y'; 63],
    &[b'y'; 64],
    &[b'y'; 65],
    &[b'z'; 40],
    &[b'z'; 41],
    &[b'q'; 1000],
];

/// Members and fields: fewer than values, so that commands hit existing ones.
const MEMBERS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"A",
    b"aa",
    b"ab",
    b"",
    b"1",
    b"2",
    b"3",
    b"-7",
    b"100000",
    b"5000000000",
    b"9223372036854775807",
    b"9223372036854775808",
    b"01",
    b"1.5",
    b"\r\n",
    b"\0\xff",
    &[b'm'; 40],
    &[b'm'; 41],
    &[b'm'; 64],
    &[b'm'; 65],
];

/// What replaces an argument, or is added as one, to spoil a command. No small positive numbers: see above.
pub const SPOILERS: &[&[u8]] = &[
    b"",
    b"abc",
    b"-1",
    b"0",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"1.5",
    b" 100000",
    b"+500000",
    b"\r\n",
    b"\0",
    b"NX",
    b"XX",
    b"GT",
    b"COUNT",
    b"-5",
    b"1e3",
    b"0x10",
    b"nan",
];

const BAD_NUMBERS: &[&[u8]] = &[
    b"",
    b"abc",
    b"1.5",
    b"9223372036854775808",
    b"-9223372036854775809",
    b" 1",
    b"1 ",
    b"+1",
    b"01",
    b"-0",
    b"1e2",
    b"\0",
];

const EDGE_NUMBERS: &[&[u8]] = &[
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775806",
    b"-9223372036854775807",
    b"4294967296",
    b"-4294967296",
    b"2147483648",
];

/// Too large in one unit or the other, or not positive.
const BAD_TIMES: &[&[u8]] = &[
    b"0",
    b"-1",
    b"abc",
    b"",
    b"1.5",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775",
    b"9223372036854776",
    b"9223370000000000000",
];

const FLOATS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"1.5",
    b"0.1",
    b"-0.1",
    b"3.0",
    b"1e3",
    b"1e-7",
    b"123456.789",
    b"3.141592653589793",
    b"1e17",
    b"1e18",
    b"5e-324",
    b"1.7e308",
    b"-0",
    b".5",
    b"5.",
    b"0x1p3",
    b"+2",
];

const BAD_FLOATS: &[&[u8]] = &[
    b"inf", b"-inf", b"+inf", b"nan", b"abc", b"", b" 1", b"1 ", b"1e400", b"1e5000", b"(1", b"1\0",
];

const SCORES: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"1.5",
    b"0.1",
    b"0.30000000000000004",
    b"-0",
    b"3.0",
    b"1e3",
    b"1e17",
    b"1e21",
    b"123456789.123",
    b"5e-324",
    b"1e-5",
    b"inf",
    b"-inf",
    b"+inf",
    b"9007199254740993",
    b"1.7976931348623157e308",
];

const SCORE_BOUNDS: &[&[u8]] = &[
    b"-inf", b"+inf", b"inf", b"0", b"1", b"2", b"(1", b"(0", b"(2", b"-1", b"1.5", b"(1.5", b"(-inf", b"(+inf",
    b"1000",
];

const LEX_BOUNDS: &[&[u8]] = &[
    b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[", b"(", b"[aa", b"[1", b"(\0", b"[\xff",
];

const STREAM_IDS: &[&[u8]] = &[
    b"0-1", b"0-2", b"1-1", b"1-2", b"1-*", b"2-*", b"2", b"3-1", b"5-5", b"7-*", b"9", b"10-0", b"100-1", b"1000-*",
];

/// From where to read: mostly the start or what is new, so that there is something.
const READ_IDS: &[&[u8]] = &[
    b"0", b"0", b"0-0", b"$", b">", b">", b">", b"1-1", b"2", b"9", b"1000-5",
];

const BAD_STREAM_IDS: &[&[u8]] = &[
    b"0-0",
    b"0-*",
    b"0",
    b"abc",
    b"",
    b"1-",
    b"-1",
    b"1-1-1",
    b"1-a",
    b"18446744073709551615-18446744073709551615",
    b"18446744073709551616",
    b"-",
    b"+",
    b"(1-1",
];

/// Both sides of the date line, the edges of the map and what is beyond, corners of cells, and some towns.
const LONGITUDES: &[&[u8]] = &[
    b"0",
    b"180",
    b"-180",
    b"179.9999",
    b"-179.9999",
    b"13.361389",
    b"15.087269",
    b"12.758489",
    b"-0",
    b"1e-7",
    b"90",
    b"-122.4194",
    b"45.0000001",
    b"0.0000027",
    b"5.625",
    b"-11.25",
    b"13.361389",
    b"13.5833333",
];

const BAD_LONGITUDES: &[&[u8]] = &[
    b"180.00001",
    b"-181",
    b"1e308",
    b"inf",
    b"nan",
    b"abc",
    b"",
    b" 1",
    b"123456789012",
];

const LATITUDES: &[&[u8]] = &[
    b"0",
    b"85.05112878",
    b"-85.05112878",
    b"85.0511",
    b"-85.05",
    b"38.115556",
    b"37.502669",
    b"38.788135",
    b"66.1",
    b"-66.1",
    b"80.5",
    b"-80.5",
    b"1e-9",
    b"37.7749",
    b"37.316667",
    b"-37.7749",
    b"38.115556",
    b"22.5",
];

const BAD_LATITUDES: &[&[u8]] = &[b"85.0512", b"-90", b"-inf", b"x", b"", b"1e400"];

const RADIUSES: &[&[u8]] = &[
    b"0",
    b"0.01",
    b"1",
    b"10",
    b"100",
    b"200",
    b"500",
    b"1000",
    b"2500",
    b"5000",
    b"10000",
    b"20000",
    b"40000",
    b"1e6",
    b"2e7",
    b"1e300",
    b"inf",
    b"5e-324",
    b"78271.5",
    b"313086",
    b"-0",
    b"190.4424",
];

/// Strings that are HyperLogLogs, nearly so, or corrupt.
const HYPERLOGLOGS: &[&[u8]] = &[
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff",
    b"HYLL\x01\0\0\0\x09\0\0\0\0\0\0\0\x7f\xff",
    b"HYLL\x01abc\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xfe\x00",
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xfb\x80\x81\x80",
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x3f\x00\x84\x83\x83\xff\x7f\xaf",
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff\x00",
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80",
    b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff",
    b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0\x7f\xff",
    b"HYLL",
    b"hello",
    b"42",
];

const BAD_BIT_PLACES: &[&[u8]] = &[b"-1", b"4294967296", b"9223372036854775807", b"abc", b"", b"#1", b"01"];

const BAD_FIELD_TYPES: &[&[u8]] = &[
    b"u64",
    b"i65",
    b"u0",
    b"i-1",
    b"I8",
    b"u",
    b"",
    b"8",
    b"x8",
    b"u08",
    b"i8\0x",
    b"i9223372036854775808",
];

const BAD_FIELD_PLACES: &[&[u8]] = &[
    b"#",
    b"#-1",
    b"-1",
    b"",
    b"abc",
    b"##1",
    b"#9223372036854775807",
    b"#2305843009213693952",
    b"4294967296",
];

/// Keys that only their own family uses in a way that random picks elsewhere would spoil.
const LEX_KEYS: &[&[u8]] = &[b"lex:1", b"lex:2"];

/// Fills slots for one family of commands.
pub struct Filler<'a> {
    /// The family's keys: most of its commands meet on them.
    pub keys: &'a [&'static [u8]],
    /// Every family's keys: at times a command gets one of these, mostly of the wrong type.
    pub all_keys: &'a [&'static [u8]],
}

impl Filler<'_> {
    pub fn fill(&self, slot: Slot, random: &mut Random) -> Vec<u8> {
        match slot {
            Slot::key if random.percent(92) => pick(random, self.keys),
            Slot::key | Slot::anykey => pick(random, self.all_keys),
            Slot::lexkey => pick(random, LEX_KEYS),
            Slot::value => pick(random, VALUES),
            // A list leaves its listpack for these, or comes close.
            Slot::longvalue => pick(random, &[&[b'v'; 3000], &[b'v'; 8180], &[b'w'; 9000]]),
            Slot::member | Slot::field => member(random),
            Slot::int => integer(random, -20, 20),
            Slot::count => integer(random, 0, 6),
            Slot::index => integer(random, -8, 8),
            Slot::offset => offset(random),
            Slot::bigcount => pick(random, &[b"1000000", b"100000", b"9223372036854775807"]),
            Slot::huge => pick(random, &[b"1000", b"100000"]),
            Slot::float => mostly(random, FLOATS, BAD_FLOATS),
            Slot::score => mostly(random, SCORES, &[b"nan", b"abc", b"", b"(1", b"1e400", b" 1"]),
            Slot::scorebound => mostly(random, SCORE_BOUNDS, &[b"(", b"abc", b"", b"nan", b"[1", b"((1"]),
            Slot::lexbound => mostly(random, LEX_BOUNDS, &[b"", b"a", b"--", b"++", b"{a"]),
            Slot::zsetorset => pick(random, &[b"z:1", b"z:2", b"z:1", b"z:2", b"t:1", b"t:2", b"lex:1"]),
            Slot::longitude => coordinate(random, 180, LONGITUDES, BAD_LONGITUDES),
            Slot::latitude => coordinate(random, 85, LATITUDES, BAD_LATITUDES),
            Slot::place => place(random),
            Slot::radius => mostly(random, RADIUSES, &[b"-1", b"abc", b"", b"nan", b"1e400"]),
            Slot::unit => mostly(random, &[b"m", b"km", b"KM", b"ft", b"mi"], &[b"", b"cm", b"kmh"]),
            Slot::seconds => duration(random, ""),
            Slot::millis => duration(random, "000"),
            Slot::at => instant(random, "", &[b"1", b"1000000000"]),
            Slot::atmillis => instant(random, "000", &[b"1", b"1000000000000"]),
            Slot::deadline => instant(random, "", &[]),
            Slot::deadlinemillis => instant(random, "000", &[]),
            Slot::db => mostly(
                random,
                &[b"0", b"1", b"0", b"1", b"15"],
                &[b"16", b"-1", b"abc", b"", b"4294967296"],
            ),
            Slot::pattern => pick(
                random,
                &[
                    b"*",
                    b"s:*",
                    b"?:1",
                    b"[sl]:*",
                    b"[^s]*",
                    b"[a-m]:[0-9]",
                    b"\\s:1",
                    b"*\r*",
                    b"",
                    b"x",
                ],
            ),
            Slot::streamid => mostly(random, STREAM_IDS, BAD_STREAM_IDS),
            // Larger than most others: an entry that is mostly taken.
            Slot::autoid => pick(random, &[b"1000-*", b"1000-*", b"1000-*", b"1001-*"]),
            Slot::exclusiveid => mostly(
                random,
                &[b"(1-1", b"(1", b"(2", b"(0", b"(5-5", b"(1000-3"],
                &[
                    b"(0-0",
                    b"(18446744073709551615-18446744073709551615",
                    b"(-",
                    b"(+",
                    b"(",
                    b"((1",
                ],
            ),
            // No `+`: Redis 7.0 does not know it, and Valkey 8.0 finds nothing once the last entry is deleted.
            Slot::readid => mostly(
                random,
                READ_IDS,
                &[b"0-*", b"abc", b"", b"1-", b"-1", b"1-a", b"-", b"(1-1"],
            ),
            // A sign that the notation of syntax lines uses itself.
            Slot::unread => b">".to_vec(),
            Slot::groupname => mostly(
                random,
                &[b"g1", b"g2", b"g1"],
                &[b"", b"nog", b"a\0b", b"\r\n", &[b'g'; 300]],
            ),
            Slot::consumer => mostly(
                random,
                &[b"alice", b"bob", b"carol"],
                &[b"", b"Alice", b"\0", &[b'c'; 300]],
            ),
            // Far apart, so that which of two times is the longer never depends on the machine.
            Slot::idle => mostly(
                random,
                &[b"0", b"0", b"0", b"1000000", b"5000000", b"100000000"],
                &[
                    b"-1",
                    b"abc",
                    b"",
                    b"1.5",
                    b"9223372036854775807",
                    b"-9223372036854775808",
                ],
            ),
            Slot::unixmillis => mostly(
                random,
                &[b"0", b"1000", b"1000000000000", b"4102444800000"],
                &[b"-1", b"abc", b"", b"9223372036854775807"],
            ),
            Slot::typename => pick(
                random,
                &[
                    b"string", b"list", b"set", b"zset", b"hash", b"stream", b"LIST", b"nothing",
                ],
            ),
            Slot::setting => pick(random, SETTINGS),
            Slot::command => pick(random, COMMAND_NAMES),
            Slot::bit => mostly(random, &[b"0", b"1"], &[b"2", b"-1", b"", b"abc"]),
            Slot::bitplace if random.percent(6) => pick(random, BAD_BIT_PLACES),
            Slot::bitplace => bit_place(random),
            Slot::bitindex => integer(random, -300, 300),
            Slot::fieldtype => field_type(random),
            Slot::fieldplace if random.percent(6) => pick(random, BAD_FIELD_PLACES),
            Slot::fieldplace if random.percent(50) => format!("#{}", random.below(30)).into_bytes(),
            Slot::fieldplace => bit_place(random),
            Slot::bytes => pick(random, &[b"byte", b"bit", b"BYTES", b""]),
            Slot::hll => pick(random, HYPERLOGLOGS),
            Slot::payload => payload(random),
            Slot::sortnumbers => pick(random, &[b"sort:numbers:1", b"sort:numbers:2"]),
            Slot::sorttexts => pick(random, &[b"sort:texts:1", b"sort:texts:2"]),
            Slot::sortset => b"sort:set".to_vec(),
            Slot::sortzset => b"sort:zset".to_vec(),
            Slot::sortnumber => sort_number(random),
            Slot::sortweight => pick(random, &[b"w_*", b"w_*", b"nosuch_*", b"nosort"]),
            Slot::sorttext => pick(
                random,
                &[
                    b"t_*",
                    b"t_*",
                    b"w_*",
                    b"o_*->F",
                    b"o_*->",
                    b"*",
                    b"nosuch_*",
                    b"nosort",
                    b"t_*\0->F",
                ],
            ),
            Slot::sortget => pick(
                random,
                &[
                    b"#", b"w_*", b"t_*", b"o_*->F", b"o_*->", b"o_*", b"nosuch", b"*", b"#\0", b"", b"->*",
                ],
            ),
            Slot::weightkey => format!("w_{}", random.between(-3, 6)).into_bytes(),
            Slot::textkey => [b"t_", &*member(random)].concat(),
            Slot::objectkey => format!("o_{}", random.between(-3, 6)).into_bytes(),
            Slot::text => pick(random, &[b"", b"hello", b"two words", b"\r\n", b"\0"]),
        }
    }
}

const SETTINGS: &[&[u8]] = &[
    b"maxmemory-policy",
    b"hash-max-listpack-entries",
    b"HASH-MAX-LISTPACK-VALUE",
    b"list-max-listpack-size",
    b"databases",
    b"proto-max-bulk-len",
    b"timeout",
    b"appendonly",
    b"nosuchsetting",
    b"set-max-intset-entries",
    b"zset-max-*",
    b"stream-*",
    b"save",
    b"maxmemory",
    b"appendfsync",
    b"client-output-buffer-limit",
    b"list-compress-depth",
    b"",
];

const COMMAND_NAMES: &[&[u8]] = &[
    b"get",
    b"SET",
    b"del",
    b"lpush",
    b"zadd",
    b"xadd",
    b"nosuchcommand",
    b"ping",
    b"mset",
    b"",
];

fn pick(random: &mut Random, pool: &[&[u8]]) -> Vec<u8> {
    random.pick(pool).to_vec()
}

/// One of `good` in nine of ten picks.
fn mostly(random: &mut Random, good: &[&[u8]], bad: &[&[u8]]) -> Vec<u8> {
    let pool = if random.percent(90) { good } else { bad };
    pick(random, pool)
}

/// A member of the pool, or one of several thousand numbered ones so that values grow.
fn member(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0..7 => pick(random, MEMBERS),
        7 => random.between(-300, 3000).to_string().into_bytes(),
        8 => format!("m{}", random.below(500)).into_bytes(),
        _ => pick(random, VALUES),
    }
}

fn place(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0 => pick(random, MEMBERS),
        _ => format!("p{}", random.below(70)).into_bytes(),
    }
}

/// Half of the good ones are any numbers at all up to `limit`.
fn coordinate(random: &mut Random, limit: i64, good: &[&[u8]], bad: &[&[u8]]) -> Vec<u8> {
    match random.below(100) {
        0..60 => pick(random, good),
        60..98 => format!("{}.{}", random.between(1 - limit, limit - 1), random.below(10_000_000)).into_bytes(),
        _ => pick(random, bad),
    }
}

fn integer(random: &mut Random, low: i64, high: i64) -> Vec<u8> {
    match random.below(100) {
        0..86 => random.between(low, high).to_string().into_bytes(),
        86..93 => pick(random, EDGE_NUMBERS),
        _ => pick(random, BAD_NUMBERS),
    }
}

/// A value for RESTORE, as some server of any age wrote it, and now and then not quite. Streams are left out: their
/// consumers' idle times would tell when it was restored.
fn payload(random: &mut Random) -> Vec<u8> {
    static POOL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        payloads::all()
            .into_iter()
            .filter(|payload| payload.version <= Version::REDIS_7_0 && payload.bytes.len() < 1000)
            .filter(|payload| !payload.origin.contains(" x:"))
            .map(|payload| payload.bytes)
            .collect()
    });
    let mut bytes = random.pick(pool).clone();
    match random.below(20) {
        0 => bytes.truncate(bytes.len() / 2),
        1 => bytes[0] ^= 1,
        _ => {}
    }
    bytes
}

/// Where to write in a string: never far enough to make the peers allocate half a gigabyte.
fn offset(random: &mut Random) -> Vec<u8> {
    match random.below(100) {
        0..90 => random.between(0, 120).to_string().into_bytes(),
        90..95 => pick(random, &[b"536870912", b"9223372036854775807", b"-1", b"4294967296"]),
        _ => pick(random, BAD_NUMBERS),
    }
}

/// A bit of a string, mostly of one that fits into its key's entry.
fn bit_place(random: &mut Random) -> Vec<u8> {
    let most = if random.percent(5) { 40_000 } else { 700 };
    random.below(most).to_string().into_bytes()
}

/// The type of an integer inside a string.
fn field_type(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0 => pick(random, BAD_FIELD_TYPES),
        1..10 => format!("i{}", random.between(1, 64)).into_bytes(),
        _ => format!("u{}", random.between(1, 63)).into_bytes(),
    }
}

/// An integer as it prints, or now and then no number at all.
fn sort_number(random: &mut Random) -> Vec<u8> {
    match random.below(100) {
        0 => pick(random, &[b"abc", b"- 1", b"1x"]),
        1..5 => pick(random, EDGE_NUMBERS),
        _ => random.between(-20, 20).to_string().into_bytes(),
    }
}

/// Between a day and some thirty years; picks rarely coincide, so that comparing two deadlines of a key never depends
/// on the milliseconds between two commands.
fn duration(random: &mut Random, unit: &str) -> Vec<u8> {
    if random.percent(12) {
        return pick(random, BAD_TIMES);
    }
    format!("{}{unit}", 100_000 + 100 * random.between(0, 9_000_000)).into_bytes()
}

/// Around the year 2100, where no [`duration`] from now reaches: these do coincide.
fn instant(random: &mut Random, unit: &str, past: &[&[u8]]) -> Vec<u8> {
    if !random.percent(10) {
        return format!("{}{unit}", 4_102_444_800 + random.between(0, 3)).into_bytes();
    }
    let bad = past.is_empty() || random.percent(50);
    pick(random, if bad { BAD_TIMES } else { past })
}
