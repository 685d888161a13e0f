use super::decode::{self, Limits, Trust};
use super::encode::{Encoder, Options};
use super::{Dialect, Error, Input, Source, Value, ValueType, Version, payload};
use crate::keyspace::{Kind, ValueRef};
use crate::timer::Millis;
use crate::types::hash::{Hash, HashLimits, PairPack, TimedHash, packed, timed_packed};
use crate::types::intset;
use crate::types::list::{End, Fill, List};
use crate::types::listpack::{self, Element, Listpack};
use crate::types::set::{Set, SetLimits, SetRef};
use crate::types::stream::{NodeLimits, Stream, StreamId};
use crate::types::testing::{Rng, from_hex};
use crate::types::zset::{self, Zset};

pub(super) fn limits() -> Limits {
    Limits {
        trust: Trust::Nothing,
        list: Fill::from_setting(-2),
        set: SetLimits {
            intset_entries: 512,
            listpack_entries: 128,
            listpack_value: 64,
        },
        hash: HashLimits {
            entries: 128,
            value: 64,
        },
        zset: zset::Limits::default(),
    }
}

fn written(write: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Options::default());
    write(&mut encoder);
    encoder.into_inner()
}

fn body_of(value: ValueRef, options: Options) -> (ValueType, Vec<u8>) {
    let mut encoder = Encoder::new(Vec::new(), options);
    encoder.value(value).expect("memory takes everything");
    (encoder.type_of(value), encoder.into_inner())
}

fn read(value_type: ValueType, mut body: &[u8]) -> Result<Value, Error> {
    let value = decode::value(&mut body, value_type, &limits())?;
    assert!(body.is_empty(), "{} bytes are left", body.len());
    Ok(value)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    written(|encoder| encoder.string(bytes).expect("memory takes everything"))
}

fn strings(count: u8, texts: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![count];
    texts.iter().for_each(|text| body.extend(string(text)));
    body
}

/// Kind of the value that was read, and its elements as text.
fn shape(value: &Value) -> (Kind, Vec<String>) {
    let text = |element: Element| String::from_utf8_lossy(&element.to_vec()).into_owned();
    match value {
        Value::Packed(Kind::SetInts, bytes) => {
            let set = intset::validate(bytes).expect("sound");
            (Kind::SetInts, set.iter().map(|member| member.to_string()).collect())
        }
        Value::Packed(Kind::HashPacked, bytes) => {
            let pairs = PairPack::new(bytes).iter();
            (
                Kind::HashPacked,
                pairs.flat_map(|(field, value)| [text(field), text(value)]).collect(),
            )
        }
        Value::Packed(kind, bytes) => {
            let pack = listpack::validate(bytes).expect("sound");
            (*kind, pack.iter().map(|entry| text(entry.element)).collect())
        }
        Value::List(list) => {
            let walk = list.walk(0, crate::types::list::Direction::Forward);
            (Kind::List, walk.map(text).collect())
        }
        Value::Set(set) => {
            let mut members: Vec<String> = SetRef::Table(set).iter().map(text).collect();
            members.sort();
            (Kind::Set, members)
        }
        Value::Hash(hash) => {
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut pairs: Vec<_> = hash.iter().map(|(f, v)| format!("{}={}", lossy(f), lossy(v))).collect();
            pairs.sort();
            (Kind::Hash, pairs)
        }
        Value::TimedHash(hash) => {
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let fields = hash.iter();
            let mut fields: Vec<_> = fields
                .map(|(f, v, at)| format!("{}={}@{:?}", lossy(f), lossy(v), at))
                .collect();
            fields.sort();
            (Kind::HashTimed, fields)
        }
        _ => panic!("a collection was expected"),
    }
}

fn shaped(value_type: ValueType, body: &[u8]) -> (Kind, Vec<String>) {
    shape(&read(value_type, body).unwrap_or_else(|error| panic!("{value_type:?}: {error}")))
}

#[test]
fn lengths_have_four_forms() {
    let cases: [(u64, &str); 8] = [
        (0, "00"),
        (63, "3f"),
        (64, "40 40"),
        (16_383, "7f ff"),
        (16_384, "80 00 00 40 00"),
        (u64::from(u32::MAX), "80 ff ff ff ff"),
        (1 << 32, "81 00 00 00 01 00 00 00 00"),
        (u64::MAX, "81 ff ff ff ff ff ff ff ff"),
    ];
    for (len, hex) in cases {
        let bytes = written(|encoder| encoder.length(len).expect("memory takes everything"));
        assert_eq!(bytes, from_hex(hex), "{len}");
        assert_eq!((&bytes[..]).length().expect("a length"), len);
        assert!(matches!((&bytes[..bytes.len() - 1]).length(), Err(Error::Truncated)));
    }
    assert!(matches!((&[0xC0u8, 1][..]).length(), Err(Error::Corrupt(_))));
    assert!(matches!((&[0x82u8, 1][..]).length(), Err(Error::Corrupt(_))));
}

#[test]
fn strings_are_written_as_short_as_they_can_be() {
    let cases: [(&str, &str); 12] = [
        ("", "00"),
        ("a", "01 61"),
        ("0", "c0 00"),
        ("-128", "c0 80"),
        ("128", "c1 80 00"),
        ("-32769", "c2 ff 7f ff ff"),
        ("2147483647", "c2 ff ff ff 7f"),
        ("2147483648", "0a 32 31 34 37 34 38 33 36 34 38"),
        ("-0", "02 2d 30"),
        ("01", "02 30 31"),
        // One byte short of being worth it, and long enough.
        ("aaaaaaaaaaaaaaaaaaaa", "14 6161616161616161616161616161616161616161"),
        ("aaaaaaaaaaaaaaaaaaaaa", "c3 06 15 01 61 61 e0 0a 00"),
    ];
    for (text, hex) in cases {
        let bytes = string(text.as_bytes());
        assert_eq!(bytes, from_hex(hex), "{text}");
        assert_eq!((&bytes[..]).owned_string().expect("a string"), text.as_bytes());
        // The same through a buffer, byte by byte.
        let mut input = Input::new(&bytes[..], true);
        assert_eq!(input.owned_string().expect("a string"), text.as_bytes());
        assert_eq!(input.position(), bytes.len() as u64);
    }
    let uncompressed = Options {
        compress: false,
        ..Options::default()
    };
    let (_, body) = body_of(ValueRef::Str(&[b'a'; 21]), uncompressed);
    assert_eq!(body.len(), 22);
}

/// A length that was made up costs neither memory nor time.
#[test]
fn forged_lengths_end_where_the_bytes_do() {
    let huge = from_hex("81 7f ff ff ff ff ff ff ff");
    for value_type in (0..=25).filter_map(|code| ValueType::from_code(code, Dialect::Redis)) {
        for tail in [&b""[..], b"\x01a", b"\xc3\x02\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x00a"] {
            let body = [&huge, tail].concat();
            assert!(read(value_type, &body).is_err(), "{value_type:?}");
            let mut input = Input::new(&body[..], true);
            assert!(decode::value(&mut input, value_type, &limits()).is_err());
        }
    }
}

#[test]
fn old_lists_are_read() {
    assert_eq!(
        shaped(ValueType::List, &strings(3, &[b"a", b"12", b"a"])),
        (Kind::ListPacked, ["a", "12", "a"].map(String::from).to_vec())
    );
    let ziplist = from_hex("0e000000 0b000000 0200 00f2 0201 61 ff");
    let ziplist_of = |bytes: &[u8]| shaped(ValueType::ListZiplist, &string(bytes));
    let good = from_hex("10000000 0c000000 0200 00f2 02 01 61 ff");
    assert_eq!(ziplist_of(&good), (Kind::List, vec!["1".into(), "a".into()]));
    assert!(read(ValueType::ListZiplist, &string(&ziplist)).is_err());
    // Two nodes stay a quicklist.
    let body = [&[2][..], &string(&good), &string(&good)].concat();
    let expected = ["1", "a", "1", "a"].map(String::from).to_vec();
    assert_eq!(shaped(ValueType::ListQuicklist, &body), (Kind::List, expected));
    let empty = from_hex("0b000000 0a000000 0000 ff");
    assert!(matches!(
        read(ValueType::ListZiplist, &string(&empty)),
        Err(Error::Empty)
    ));
    let body = [&[1][..], &string(&empty)].concat();
    assert!(matches!(read(ValueType::ListQuicklist, &body), Err(Error::Empty)));
}

#[test]
fn sets_are_read_into_the_form_their_members_call_for() {
    let form = |count: u32, member: &dyn Fn(u32) -> String| {
        let mut body = written(|encoder| encoder.length(count.into()).expect("memory takes everything"));
        (0..count).for_each(|n| body.extend(string(member(n).as_bytes())));
        let (kind, members) = shaped(ValueType::Set, &body);
        assert_eq!(members.len(), count as usize);
        kind
    };
    assert_eq!(form(512, &|n| n.to_string()), Kind::SetInts);
    assert_eq!(form(513, &|n| n.to_string()), Kind::Set);
    assert_eq!(form(128, &|n| format!("m{n}")), Kind::SetPacked);
    assert_eq!(form(129, &|n| format!("m{n}")), Kind::Set);
    assert_eq!(form(3, &|n| "x".repeat(n as usize + 63)), Kind::Set);
    let twice = strings(2, &[b"a", b"a"]);
    assert!(matches!(read(ValueType::Set, &twice), Err(Error::Corrupt(_))));
    assert!(matches!(read(ValueType::Set, &[0]), Err(Error::Empty)));
    // A listpack stays one by its count alone.
    let pack = listpack::from_elements([Element::Str(&[b'x'; 100])]);
    assert_eq!(shaped(ValueType::SetListpack, &string(&pack)).0, Kind::SetPacked);
    let pack = listpack::from_elements([Element::Int(5), Element::Str(b"5")]);
    assert!(read(ValueType::SetListpack, &string(&pack)).is_err());
}

#[test]
fn sorted_sets_are_read_with_scores_of_both_kinds() {
    let text = [&[3][..], b"\x01c\xfe", b"\x01a\xff", b"\x01b\x043.25"].concat();
    let Ok(Value::Packed(Kind::ZsetPacked, bytes)) = read(ValueType::ZsetText, &text) else {
        panic!("a small sorted set")
    };
    let scores: Vec<f64> = zset::packed::iter(&bytes).map(|(_, score)| score).collect();
    assert_eq!(scores, [f64::NEG_INFINITY, 3.25, f64::INFINITY]);
    for bad in [&b"\x01\x01a\xfd"[..], b"\x01\x01a\x01x", b"\x02\x01a\x011\x01a\x012"] {
        assert!(matches!(read(ValueType::ZsetText, bad), Err(Error::Corrupt(_))));
    }
    let nan = [&b"\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat();
    assert!(matches!(read(ValueType::Zset, &nan), Err(Error::Corrupt(_))));
    let pack = |elements: &[Element]| string(&listpack::from_elements(elements.iter().copied()));
    let (a, b) = (Element::Str(b"a"), Element::Str(b"b"));
    assert!(
        read(
            ValueType::ZsetListpack,
            &pack(&[a, Element::Int(1), b, Element::Int(1)])
        )
        .is_ok()
    );
    for bad in [
        &[b, Element::Int(1), a, Element::Int(1)][..],
        &[a, Element::Int(2), b, Element::Int(1)],
        &[a, Element::Int(1), a, Element::Int(2)],
        &[a, Element::Str(b"nan")],
        &[a, b],
        &[a],
    ] {
        assert!(read(ValueType::ZsetListpack, &pack(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn hashes_are_read_whole_or_not_at_all() {
    assert_eq!(
        shaped(ValueType::Hash, &strings(2, &[b"a", b"1", b"b", b"2"])),
        (Kind::HashPacked, ["a", "1", "b", "2"].map(String::from).to_vec())
    );
    let long = [b'x'; 65];
    assert_eq!(
        shaped(ValueType::Hash, &strings(2, &[b"a", b"1", b"b", &long])).0,
        Kind::Hash
    );
    for twice in [
        strings(2, &[b"a", b"1", b"a", b"2"]),
        strings(3, &[b"a", b"1", b"a", b"2", b"b", &long]),
        strings(2, &[b"a", &long, b"a", b"2"]),
    ] {
        assert!(matches!(read(ValueType::Hash, &twice), Err(Error::Corrupt(_))));
    }
    let zipmap = string(b"\x02\x01a\x01\x001\x01b\x01\x002\xff");
    assert_eq!(shaped(ValueType::HashZipmap, &zipmap).0, Kind::HashPacked);
    let odd = string(&listpack::from_elements([Element::Int(1)]));
    assert!(matches!(read(ValueType::HashListpack, &odd), Err(Error::Corrupt(_))));
    let empty = string(&listpack::EMPTY);
    assert!(matches!(read(ValueType::HashListpack, &empty), Err(Error::Empty)));
    let empty = string(b"\0\xff");
    assert!(matches!(read(ValueType::HashZipmap, &empty), Err(Error::Corrupt(_))));
}

/// Fields that could have had a deadline and have none make an ordinary hash, unless their writer has a form of its own
/// for them.
#[test]
fn deadlines_of_fields_are_read() {
    let body = [&[0; 8][..], &[1, 0], &string(b"f"), &string(b"v")].concat();
    assert_eq!(shaped(ValueType::HashExpiring, &body).0, Kind::HashTimedPacked);
    let field = |late: u8, name: &[u8]| [&[late][..], &string(name), &string(b"v")].concat();
    let fields = [
        field(8, b"a"),
        field(0, b"b"),
        field(1, b"c"),
        field(8, b"d"),
        field(0, b"e"),
    ]
    .concat();
    let body = [&500i64.to_le_bytes()[..], &[5], &fields].concat();
    let Ok(Value::Packed(Kind::HashTimedPacked, bytes)) = read(ValueType::HashExpiring, &body) else {
        panic!("fields with deadlines")
    };
    let texts: Vec<_> = Listpack::new(&bytes)
        .iter()
        .map(|entry| entry.element.to_vec())
        .collect();
    let expected = [
        "c", "v", "500", "d", "v", "507", "a", "v", "507", "b", "v", "0", "e", "v", "0",
    ];
    assert_eq!(texts, expected.map(|text| text.as_bytes().to_vec()));
    let twice = [&500i64.to_le_bytes()[..], &[2], &field(8, b"a"), &field(0, b"a")].concat();
    assert!(matches!(read(ValueType::HashExpiring, &twice), Err(Error::Corrupt(_))));
    let late = [&(1i64 << 48).to_le_bytes()[..], &[1], &field(1, b"a")].concat();
    assert!(matches!(read(ValueType::HashExpiring, &late), Err(Error::Corrupt(_))));
    let valkey = [&[1][..], &string(b"f"), &string(b"v"), &(-1i64).to_le_bytes()].concat();
    assert_eq!(shaped(ValueType::HashExpiringValkey, &valkey).0, Kind::HashPacked);
}

/// One value of each form, large and small.
fn samples(rng: &mut Rng) -> Vec<Value> {
    let texts: Vec<Vec<u8>> = (0..400)
        .map(|n| [rng.text(), format!(":{n}").into_bytes()].concat())
        .collect();
    let (mut list, mut set, mut hash, mut timed, mut zset) = (
        List::new(Fill::from_setting(-2)),
        Box::new(Set::new()),
        Box::new(Hash::new()),
        Box::new(TimedHash::default()),
        Box::new(Zset::new()),
    );
    let mut small = Zset::new();
    for (n, text) in texts.iter().enumerate() {
        list.push(End::Tail, text);
        set.add(text);
        hash.set(text, text);
        timed.insert(text, text, (n % 3 > 0).then_some(Millis(1 + (rng.next() >> 17) as i64)));
        zset.insert(text, rng.integer() as f64 / 7.0);
        if n < 20 {
            small.insert(text, n as f64 / 3.0);
        }
    }
    list.push(End::Head, &[b'L'; 9000]);
    let pack = || listpack::from_elements(texts[..20].iter().map(|text| Element::of(text)));
    let packed_hash = || packed::from_listpack(Listpack::new(&pack()));
    let mut ints = intset::EMPTY.to_vec();
    for _ in 0..50 {
        intset::add(&mut ints, rng.integer());
    }
    vec![
        Value::Str(texts[7].clone()),
        Value::Str(b"12345".to_vec()),
        Value::Str(vec![b's'; 3000]),
        Value::List(Box::new(list)),
        Value::Set(set),
        Value::Hash(hash),
        Value::Zset(zset),
        Value::Stream(Box::new(stream(rng))),
        Value::Packed(Kind::ListPacked, pack()),
        Value::Packed(Kind::SetPacked, pack()),
        Value::Packed(Kind::HashPacked, packed_hash()),
        Value::Packed(Kind::ZsetPacked, zset::pack(&small)),
        Value::Packed(Kind::SetInts, ints),
        Value::Packed(
            Kind::HashTimedPacked,
            timed_packed::from_pairs(PairPack::new(&packed_hash())),
        ),
        Value::TimedHash(timed),
    ]
}

fn stream(rng: &mut Rng) -> Stream {
    let mut stream = Stream::new();
    for n in 1..300 {
        let value = rng.text();
        let fields = [(&b"f"[..], &value[..]), (b"g", b"1")];
        let id = StreamId::new(n, 5);
        stream
            .append(id, fields.into_iter(), NodeLimits::default())
            .expect("IDs rise");
    }
    stream.delete(StreamId::new(7, 5));
    for (name, read) in [(&b"one"[..], Some(5)), (b"two", None)] {
        stream.create_group(name, StreamId::new(50, 5), read);
        let group = stream.group_mut(name).expect("just made");
        for (consumer, first) in [(b"a", 1), (b"b", 20)] {
            let id = group.add_consumer(consumer, 1000).expect("new");
            (first..first + 10).for_each(|n| group.deliver(StreamId::new(n, 5), id, 2000));
        }
        let idle = group.add_consumer(b"idle", 77).expect("new");
        group.consumer_mut(idle).active_time = None;
    }
    stream
}

fn sorted(value: &Value) -> Vec<String> {
    let mut elements = shape(value).1;
    elements.sort();
    elements
}

/// What is written and read back is written the same again, in every version and compressed or not.
#[test]
fn values_survive_the_trip() {
    let mut rng = Rng::new(4);
    for value in samples(&mut rng) {
        for version in [Version::REDIS_7_0, Version::REDIS_7_2, Version::REDIS_7_4] {
            for compress in [false, true] {
                let options = Options { version, compress };
                let original = value.as_ref().expect("a database can hold it");
                let (value_type, body) = body_of(original, options);
                let back = read(value_type, &body).unwrap_or_else(|error| panic!("{value_type:?}: {error}"));
                let (type_again, again) = body_of(back.as_ref().expect("a database can hold it"), options);
                assert_eq!(value_type, type_again);
                // Tables have no order.
                match value_type {
                    ValueType::Set => assert_eq!(sorted(&value), sorted(&back)),
                    ValueType::Hash | ValueType::HashExpiring => assert_eq!(shape(&value), shape(&back)),
                    _ => assert!(body == again, "{value_type:?}"),
                }
                // Any cut is noticed.
                for _ in 0..20 {
                    let mut cut = &body[..rng.below(body.len())];
                    assert!(
                        decode::value(&mut cut, value_type, &limits()).is_err(),
                        "{value_type:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn versions_decide_about_types() {
    let old = Options::default();
    let new = Options {
        version: Version::REDIS_7_2,
        ..old
    };
    let pack = listpack::from_elements([Element::Str(b"a"), Element::Int(1)]);
    let set = ValueRef::SetPacked(&pack);
    assert_eq!(body_of(set, old), (ValueType::Set, from_hex("02 01 61 c0 01")));
    assert_eq!(body_of(set, new), (ValueType::SetListpack, string(&pack)));

    let mut list = List::new(Fill::from_setting(-1));
    list.push(End::Tail, &[b'L'; 5000]);
    list.push(End::Tail, b"x");
    let plain = [b"\x02\x01".to_vec(), string(&[b'L'; 5000])].concat();
    assert!(body_of(ValueRef::List(&list), new).1.starts_with(&plain));
    let packed = listpack::from_elements([Element::Str(&[b'L'; 5000])]);
    let packed = [b"\x02\x02".to_vec(), string(&packed)].concat();
    assert!(body_of(ValueRef::List(&list), old).1.starts_with(&packed));

    let mut rng = Rng::new(1);
    let stream = stream(&mut rng);
    let active = |options| {
        let (value_type, body) = body_of(ValueRef::Stream(&stream), options);
        let Ok(Value::Stream(stream)) = read(value_type, &body) else {
            panic!("a stream")
        };
        let group = stream.group(b"one").expect("it had one");
        let times: Vec<_> = group.consumers().map(|(_, consumer)| consumer.active_time).collect();
        (value_type, times)
    };
    let seen = Some(77);
    assert_eq!(active(old).0, ValueType::Stream2);
    assert_eq!(active(old).1[2], seen);
    assert_eq!(active(new).0, ValueType::Stream3);
    assert_eq!(active(new).1[2], None);
}

#[test]
fn streams_that_contradict_themselves_are_refused() {
    let mut rng = Rng::new(2);
    let mut stream = stream(&mut rng);
    let read_back = |stream: &Stream| {
        let (value_type, body) = body_of(ValueRef::Stream(stream), Options::default());
        read(value_type, &body).map(drop)
    };
    assert!(read_back(&stream).is_ok());
    let last = stream.last_id;
    stream.last_id = StreamId::new(3, 0);
    assert!(matches!(read_back(&stream), Err(Error::Corrupt(_))));
    stream.last_id = last;
    // A node under an ID that is not its first entry's, which would be out of order.
    let (_, body) = body_of(ValueRef::Stream(&stream), Options::default());
    let mut forged = body.clone();
    let at = body
        .windows(16)
        .position(|bytes| bytes == StreamId::new(1, 5).to_be_bytes())
        .expect("the first node");
    forged[at + 7] = 200;
    assert!(read(ValueType::Stream2, &forged).is_err());
}

#[test]
fn trusted_streams_are_taken_over_byte_for_byte() {
    let trusting = Limits {
        trust: Trust::StreamNodes,
        ..limits()
    };
    let read_trusting = |body: &[u8]| decode::value(&mut &body[..], ValueType::Stream2, &trusting);
    for seed in 0..20 {
        let mut stream = stream(&mut Rng::new(seed));
        let plain = Options {
            compress: false,
            ..Options::default()
        };
        let body = |stream: &Stream| body_of(ValueRef::Stream(stream), plain).1;
        let sound = body(&stream);
        let Ok(Value::Stream(copy)) = read_trusting(&sound) else {
            panic!("a stream");
        };
        assert_eq!(body(&copy), sound);
        assert_eq!((copy.len(), copy.first_id()), (stream.len(), stream.first_id()));
        // The last byte before a node's end is that of its last entry's own length.
        let (_, node) = stream.raw_nodes().last().expect("it has entries");
        let at = sound
            .windows(node.len())
            .position(|bytes| bytes == node)
            .expect("it is there as it is");
        let mut broken = sound.clone();
        broken[at + node.len() - 2] ^= 1;
        assert!(read(ValueType::Stream2, &broken).is_err());
        assert!(read_trusting(&broken).is_ok());
        let mut unframed = sound.clone();
        unframed[at] ^= 1;
        assert!(read_trusting(&unframed).is_err());
        stream.last_id = StreamId::MIN;
        assert!(
            read_trusting(&body(&stream)).is_err(),
            "its last ID is below its entries"
        );
    }
}

#[test]
fn payloads_carry_their_version_and_checksum() {
    let value = ValueRef::Str(b"hello");
    let good = payload::dump(value, Options::default());
    // What redis-server 7.0.15 answers.
    assert_eq!(good, from_hex("00 05 68656c6c6f 0a00 6372df766534200a"));
    assert_eq!(payload::open(&good, true), Ok((Dialect::Redis, &good[..7])));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        assert!(payload::open(&bad, true).is_err(), "{at}");
    }
    assert!(payload::open(&good[..9], true).is_err());
    for (version, known) in [
        (0, true),
        (1, true),
        (12, true),
        (13, false),
        (79, false),
        (80, true),
        (81, false),
    ] {
        let mut bytes = b"\x00\x01a".to_vec();
        payload::seal(&mut bytes, Version(version));
        assert_eq!(payload::open(&bytes, true).is_ok(), known, "{version}");
    }
}

/// Bytes changed at random are refused or taken, and what is taken can be written again.
#[test]
fn changed_bytes_do_no_harm() {
    let mut rng = Rng::new(12);
    let samples = samples(&mut rng);
    for round in 0..4000 {
        let value = &samples[round % samples.len()];
        let options = Options {
            version: Version(10 + (round % 2) as u16),
            compress: round % 3 == 0,
        };
        let (value_type, mut body) = body_of(value.as_ref().expect("a database can hold it"), options);
        for _ in 0..1 + rng.below(3) {
            // Mostly near the front, where counts and headers are.
            let range = if rng.chance(2) { body.len() } else { body.len().min(40) };
            let at = rng.below(range);
            body[at] = rng.next() as u8;
        }
        if let Ok(value) = decode::value(&mut &body[..], value_type, &limits()) {
            let _ = body_of(value.as_ref().expect("a database can hold it"), options);
        }
    }
}
