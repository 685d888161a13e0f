//! What must hold for any bytes that claim to be a stored value: they are refused, or they are a value that every
//! command can live with, and that goes out and comes back the same. The fuzz targets `payload` and `packed` and the
//! seeded tests in `tests/random_bytes.rs` check these.
#![allow(dead_code)] // each fuzz target checks one

use aeolus::commands::digest;
use aeolus::config::Settings;
use aeolus::keyspace::Key;
use aeolus::persistence::rdb::encode::{Encoder, Options};
use aeolus::persistence::rdb::{Version, payload};
use aeolus::resp::pool::ReplyPool;
use aeolus::resp::request::Span;
use aeolus::server::dispatch::{Executor, Request, look_up};
use aeolus::server::{Core, SessionIndex};
use aeolus::timer::Millis;

const START: i64 = 1_700_000_000_000;
const CLIENT: SessionIndex = SessionIndex(0);
/// Bits of the byte that chooses what is done.
const VALKEY: u8 = 1;
const TIGHT: u8 = 2;

/// The first byte chooses dialect and limits, the second is the type; the rest is a body.
pub fn payloads_do_no_harm(bytes: &[u8]) {
    let Some((&choice, body)) = bytes.split_first() else {
        return;
    };
    restore_and_use(body, choice);
}

/// How the blob of a packed value stands in its body.
#[derive(Clone, Copy)]
enum Frame {
    /// Alone.
    Whole,
    /// As the only node of a list.
    ListNode,
    /// The same, after the kind of node.
    ListNode2,
    /// As the only node of a stream.
    StreamNode,
}

/// The types whose body is packed bytes.
const PACKED: [(u8, Frame); 12] = [
    (9, Frame::Whole),
    (10, Frame::Whole),
    (11, Frame::Whole),
    (12, Frame::Whole),
    (13, Frame::Whole),
    (14, Frame::ListNode),
    (16, Frame::Whole),
    (17, Frame::Whole),
    (18, Frame::ListNode2),
    (19, Frame::StreamNode),
    (20, Frame::Whole),
    (25, Frame::Whole),
];

/// The first byte chooses the limits, the second the type; the rest are packed bytes of it: a listpack, an intset, a
/// ziplist, a zipmap, a node of a stream.
pub fn packed_bytes_do_no_harm(bytes: &[u8]) {
    let Some((&[choice, packed], blob)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let (code, frame) = PACKED[usize::from(packed) % PACKED.len()];
    let mut encoder = Encoder::new(vec![code], Options::default());
    let written = (|| {
        match frame {
            // The hash with deadlines has its earliest one before.
            Frame::Whole if code == 25 => encoder.millis(0)?,
            Frame::Whole => {}
            Frame::ListNode => encoder.length(1)?,
            Frame::ListNode2 => {
                encoder.length(1)?;
                encoder.length(2)?;
            }
            Frame::StreamNode => {
                encoder.length(1)?;
                encoder.string(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])?;
            }
        }
        encoder.string(blob)?;
        if let Frame::StreamNode = frame {
            // As many entries as the node says; the highest ID; nothing deleted; no groups.
            let count = blob.get(6).map_or(0, |count| u64::from(count & 0x7F));
            for number in [count, u64::MAX - 9, u64::MAX, 0, 0, 0, 0, count, 0] {
                encoder.length(number)?;
            }
        }
        std::io::Result::Ok(())
    })();
    assert!(written.is_ok(), "memory takes everything");
    restore_and_use(&encoder.into_inner(), choice);
}

/// What any value is put through; most of it is for other types and answers with an error.
const COMMANDS: [&str; 57] = [
    "TYPE k",
    "OBJECT ENCODING k",
    "MEMORY USAGE k",
    "COPY k c",
    "GET k",
    "GETRANGE k 1 -2",
    "STRLEN k",
    "LRANGE k 0 -1",
    "LINDEX k 1",
    "LINDEX k -2",
    "LPOS k a COUNT 0",
    "LINSERT k BEFORE a x",
    "LSET k 0 x",
    "LSET k -1 12",
    "LREM k 0 a",
    "LPUSH k 1 b",
    "RPUSH k 1 b",
    "LTRIM k 1 -2",
    "LPOP k",
    "RPOP k",
    "SMEMBERS k",
    "SRANDMEMBER k 3",
    "SADD k a 1 70000",
    "SISMEMBER k a",
    "SREM k 1 a",
    "SPOP k",
    "SSCAN k 0",
    "HGETALL k",
    "HRANDFIELD k 3 WITHVALUES",
    "HSET k a 1 f v",
    "HGET k a",
    "HDEL k f",
    "HSCAN k 0",
    "ZRANGE k 0 -1 WITHSCORES",
    "ZRANGE k -inf +inf BYSCORE",
    "ZRANGE k - + BYLEX",
    "ZREVRANGE k 0 -1",
    "ZADD k 1 a 2.5 b",
    "ZINCRBY k 1 a",
    "ZRANK k b",
    "ZCOUNT k (0 5",
    "ZREM k b",
    "ZPOPMIN k",
    "ZPOPMAX k",
    "XRANGE k - +",
    "XREVRANGE k + -",
    "XLEN k",
    "XINFO STREAM k FULL",
    "XPENDING k g",
    "XDEL k 1-0",
    "XADD k * f v",
    "XTRIM k MAXLEN 1",
    "SORT k ALPHA",
    "APPEND k x",
    "RENAME k r",
    "DUMP r",
    "DEL r",
];

fn restore_and_use(body: &[u8], choice: u8) {
    let version = if choice & VALKEY == 0 {
        Version::REDIS_7_4
    } else {
        Version(80)
    };
    let mut bytes = body.to_vec();
    payload::seal(&mut bytes, version);
    let mut core = Core::new(
        settings(choice & TIGHT != 0),
        Millis(START),
        Box::new(aeolus::host::memory::MemoryHost::default()),
    );
    core.open(CLIENT);
    let mut pool = ReplyPool::default();
    if !restore(&mut core, &mut pool, b"k", &bytes) {
        assert!(core.keyspace.is_empty(), "what is refused leaves nothing");
        return;
    }
    goes_out_and_comes_back(&mut core, &mut pool);
    for line in COMMANDS {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        run(&mut core, &mut pool, &words);
        while core.housekeep() {}
    }
}

/// The value is written in every version, and what comes back is equal to it.
fn goes_out_and_comes_back(core: &mut Core, pool: &mut ReplyPool) {
    for version in [Version::REDIS_7_0, Version::REDIS_7_2] {
        let options = Options {
            version,
            ..Options::default()
        };
        let entry = core.peek(0, Key::new(b"k")).expect("it was restored");
        let (bytes, before) = (payload::dump(entry.value(), options), digest::of_value(entry));
        assert!(restore(core, pool, b"again", &bytes), "its own dump is refused");
        let again = core.peek(0, Key::new(b"again")).expect("it was restored");
        assert_eq!(digest::of_value(again), before);
    }
}

/// Whether RESTORE takes the payload.
fn restore(core: &mut Core, pool: &mut ReplyPool, key: &[u8], bytes: &[u8]) -> bool {
    let reply = run(core, pool, &[b"RESTORE", key, b"0", bytes, b"REPLACE"]);
    assert!(reply == b"+OK\r\n" || reply == b"-ERR Bad data format\r\n");
    reply == b"+OK\r\n"
}

/// Limits as shipped, or so tight that nearly everything is converted.
fn settings(tight: bool) -> Settings {
    let mut settings = Settings::default();
    if tight {
        settings.hash_max_listpack_entries = 3;
        settings.hash_max_listpack_value = 4;
        settings.list_max_listpack_size = 3;
        settings.set_max_intset_entries = 3;
        settings.set_max_listpack_entries = 3;
        settings.zset_max_listpack_entries = 3;
        settings.zset_max_listpack_value = 4;
        settings.stream_node_max_entries = 2;
    }
    settings
}

fn run(core: &mut Core, pool: &mut ReplyPool, words: &[&[u8]]) -> Vec<u8> {
    let (mut input, mut spans) = (Vec::new(), Vec::new());
    for word in words {
        spans.push(Span::new(input.len(), word.len()));
        input.extend_from_slice(word);
    }
    let request = Request {
        session: CLIENT,
        input: &input,
        spans: &spans,
        spec: look_up(words[0]),
        hashes: &[],
        bigs: &mut Vec::new(),
    };
    let mut executor = Executor::new(core, pool);
    executor.run(request);
    executor.finish();
    core.outgoing.clear();
    let session = core.session(CLIENT);
    session.has_output = false;
    std::mem::take(&mut session.reply.bytes)
}
