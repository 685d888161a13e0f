//! Streams step for step against a sorted map.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::types::listpack;
use crate::types::testing::{Rng, from_hex};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Model = BTreeMap<StreamId, Pairs>;

fn pairs_of(fields: Fields) -> Pairs {
    fields.map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
}

fn owned<'a>(entries: impl Iterator<Item = StreamEntry<'a>>) -> Vec<(StreamId, Pairs)> {
    entries.map(|entry| (entry.id, pairs_of(entry.fields))).collect()
}

fn add(stream: &mut Stream, id: StreamId, pairs: &Pairs, limits: NodeLimits) -> Result<(), AppendError> {
    stream.append(
        id,
        pairs.iter().map(|(field, value)| (field.as_slice(), value.as_slice())),
        limits,
    )
}

fn add_numbered(stream: &mut Stream, n: u64) {
    for i in 1..=n {
        let value = i.to_string();
        let fields = [(b"f".as_slice(), value.as_bytes())];
        stream
            .append(StreamId::new(i, 0), fields.into_iter(), NodeLimits::default())
            .expect("rising ID");
    }
}

fn random_pairs(rng: &mut Rng) -> Pairs {
    match rng.below(4) {
        0 => (0..1 + rng.below(4)).map(|_| (rng.text(), rng.text())).collect(),
        _ => vec![
            (b"temp".to_vec(), rng.below(100).to_string().into_bytes()),
            (b"hum".to_vec(), rng.text()),
        ],
    }
}

fn check(stream: &Stream, model: &Model, rng: &mut Rng) {
    assert_eq!(stream.len(), model.len() as u64);
    assert_eq!(stream.first_id(), model.keys().next().copied().unwrap_or_default());
    let all: Vec<_> = model.iter().map(|(id, pairs)| (*id, pairs.clone())).collect();
    assert_eq!(owned(stream.range(StreamId::MIN, StreamId::MAX)), all);
    let reversed: Vec<_> = all.iter().rev().cloned().collect();
    assert_eq!(owned(stream.rev_range(StreamId::MAX, StreamId::MIN)), reversed);
    assert_eq!(stream.last().map(|entry| entry.id), model.keys().next_back().copied());
    for _ in 0..4 {
        let start = StreamId::new(rng.below(stream.last_id.ms as usize + 2) as u64, rng.below(3) as u64);
        let end = StreamId::new(start.ms + rng.below(60) as u64, rng.below(3) as u64);
        if start > end {
            continue;
        }
        let expected: Vec<_> = model
            .range(start..=end)
            .map(|(id, pairs)| (*id, pairs.clone()))
            .collect();
        assert_eq!(owned(stream.range(start, end)), expected);
        assert_eq!(stream.get(start).is_some(), model.contains_key(&start));
        let backwards: Vec<_> = expected.into_iter().rev().collect();
        assert_eq!(owned(stream.rev_range(end, start)), backwards);
    }
    for (master_id, bytes) in stream.raw_nodes() {
        assert!(node::validate(bytes, master_id).is_ok());
    }
}

fn trim_model(model: &mut Model, by: TrimBy) -> u64 {
    let before = model.len();
    match by {
        TrimBy::MaxLen(max) => {
            while model.len() as u64 > max {
                model.pop_first();
            }
        }
        TrimBy::MinId(min) => *model = model.split_off(&min),
    }
    (before - model.len()) as u64
}

fn random_trim(rng: &mut Rng, stream: &Stream) -> TrimBy {
    if rng.chance(2) {
        return TrimBy::MaxLen(stream.len().saturating_sub(rng.below(80) as u64));
    }
    TrimBy::MinId(StreamId::new(stream.first_id().ms + rng.below(100) as u64, 0))
}

#[test]
fn random_edits_follow_a_sorted_map() {
    for seed in 0..6 {
        let mut rng = Rng::new(seed + 31);
        let limits = [
            NodeLimits::default(),
            NodeLimits {
                max_bytes: 300,
                max_entries: 0,
            },
            NodeLimits {
                max_bytes: 0,
                max_entries: 200,
            },
            NodeLimits {
                max_bytes: 64,
                max_entries: 7,
            },
        ][rng.below(4)];
        let (mut stream, mut model) = (Stream::new(), Model::new());
        for step in 0..6000 {
            match rng.below(40) {
                0..=29 => {
                    let last = stream.last_id;
                    let ms = last.ms + rng.below(3) as u64;
                    let id = StreamId::new(ms, if ms == last.ms { last.seq + 1 } else { 0 });
                    let pairs = random_pairs(&mut rng);
                    assert_eq!(add(&mut stream, id, &pairs, limits), Ok(()));
                    model.insert(id, pairs);
                }
                30..=37 => {
                    let id = StreamId::new(rng.below(stream.last_id.ms as usize + 1) as u64, rng.below(2) as u64);
                    let id = model.range(id..).next().map_or(id, |(id, _)| *id);
                    assert_eq!(stream.delete(id), model.remove(&id).is_some());
                }
                38 => {
                    let by = random_trim(&mut rng, &stream);
                    let deleted = stream.trim(Trim {
                        by,
                        approximate: false,
                        limit: 0,
                    });
                    assert_eq!(deleted, trim_model(&mut model, by));
                }
                _ => {
                    let by = random_trim(&mut rng, &stream);
                    let limit = rng.below(60) as u64;
                    let deleted = stream.trim(Trim {
                        by,
                        approximate: true,
                        limit,
                    });
                    assert!(limit == 0 || deleted <= limit);
                    for _ in 0..deleted {
                        let (id, _) = model.pop_first().expect("no more than there were");
                        assert!(!matches!(by, TrimBy::MinId(min) if id >= min));
                    }
                    assert!(!matches!(by, TrimBy::MaxLen(max) if deleted > 0 && stream.len() < max));
                }
            }
            if step % 300 == 0 {
                check(&stream, &model, &mut rng);
            }
        }
        check(&stream, &model, &mut rng);
        let mut copy = Stream::new();
        for (master_id, bytes) in stream.raw_nodes() {
            assert_eq!(copy.push_raw_node(master_id, bytes), Ok(()));
        }
        copy.last_id = stream.last_id;
        check(&copy, &model, &mut rng);
        let mut trusted = Stream::new();
        for (master_id, bytes) in stream.raw_nodes() {
            assert_eq!(trusted.push_trusted_node(master_id, bytes), Ok(()));
        }
        trusted.last_id = stream.last_id;
        check(&trusted, &model, &mut rng);
        assert!(trusted.raw_nodes().eq(stream.raw_nodes()));
    }
}

/// XSETID may take the last ID back to before entries that are deleted and still there as bytes.
#[test]
fn deleted_entries_may_be_out_of_order() {
    for max_entries in [100, 3] {
        let mut stream = Stream::new();
        let ids = |entries: Vec<(StreamId, Pairs)>| entries.iter().map(|(id, _)| (id.ms, id.seq)).collect::<Vec<_>>();
        for ms in 1..=3 {
            add_texts(&mut stream, (ms, 0), &["f", "v"], max_entries);
        }
        stream.delete(StreamId::new(3, 0));
        stream.last_id = StreamId::new(2, 0);
        add_texts(&mut stream, (2, 5), &["f", "v"], max_entries);
        assert_eq!(stream.node_count(), if max_entries == 3 { 2 } else { 1 });
        let mut copy = Stream::new();
        for (master_id, bytes) in stream.raw_nodes() {
            assert_eq!(copy.push_raw_node(master_id, bytes), Ok(()));
        }
        assert_eq!(copy.last_id, StreamId::new(2, 5));
        for mut stream in [stream, copy] {
            let (start, end) = (StreamId::new(2, 1), StreamId::new(2, 9));
            assert_eq!(ids(owned(stream.range(start, end))), [(2, 5)]);
            assert_eq!(ids(owned(stream.rev_range(end, start))), [(2, 5)]);
            assert_eq!(
                ids(owned(stream.range(StreamId::MIN, StreamId::MAX))),
                [(1, 0), (2, 0), (2, 5)]
            );
            assert!(!stream.delete(StreamId::new(3, 0)));
            assert!(stream.delete(StreamId::new(2, 5)));
            assert_eq!(ids(owned(stream.range(StreamId::MIN, StreamId::MAX))), [(1, 0), (2, 0)]);
        }
    }
}

#[test]
fn damaged_nodes_are_refused_without_panicking() {
    let mut stream = Stream::new();
    add_numbered(&mut stream, 40);
    stream.delete(StreamId::new(7, 0));
    let (master_id, bytes) = stream.raw_nodes().next().expect("a node");
    assert!(node::validate(bytes, master_id).is_ok());
    let mut rng = Rng::new(8);
    for _ in 0..20_000 {
        let mut damaged = bytes.to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(damaged.len());
            damaged[at] = rng.next() as u8;
        }
        let mut copy = Stream::new();
        if copy.push_raw_node(master_id, &damaged).is_ok() {
            assert_eq!(copy.range(StreamId::MIN, StreamId::MAX).count() as u64, copy.len());
        }
    }
}

/// A node with entries that share the master's fields, one that does not, and one that is deleted.
fn sample_node() -> (StreamId, Vec<u8>) {
    let mut stream = Stream::new();
    for (id, texts) in [
        (1, &["temp", "21", "hum", "high"][..]),
        (2, &["temp", "-3000", "hum", "low"]),
        (3, &["wind", "123456789012"]),
        (
            4,
            &[
                "temp",
                "22",
                "hum",
                "a text of more than sixty-three bytes, so that it has a long header",
            ],
        ),
        (5, &["temp", "23", "hum", "high"]),
    ] {
        add_texts(&mut stream, (id, 0), texts, 100);
    }
    stream.delete(StreamId::new(2, 0));
    let (master_id, bytes) = stream.raw_nodes().next().expect("a node");
    (master_id, bytes.to_vec())
}

fn trusted(master_id: StreamId, bytes: &[u8]) -> Result<Stream, CorruptNode> {
    let mut stream = Stream::new();
    stream.push_trusted_node(master_id, bytes)?;
    stream.last_id = StreamId::new(1000, 0);
    Ok(stream)
}

/// Whether what a stream of one node of so many bytes shows, from both ends and of single entries, could have been in it.
fn shows_no_more_than(bytes: usize, stream: &Stream) -> bool {
    let shown = |entries: &mut dyn Iterator<Item = StreamEntry<'_>>| {
        let mut count = 0;
        for entry in entries {
            count += 1;
            if entry.fields.len() > bytes || pairs_of(entry.fields).len() > bytes {
                return false;
            }
        }
        count <= bytes
    };
    shown(&mut stream.range(StreamId::MIN, StreamId::MAX))
        && shown(&mut stream.rev_range(StreamId::MAX, StreamId::MIN))
        && (0..6).all(|ms| shown(&mut stream.get(StreamId::new(ms, 0)).into_iter()))
}

/// Everything that looks into nodes, or changes them.
fn use_in_all_ways(stream: &mut Stream, bytes: usize) -> bool {
    let is_sane = shows_no_more_than(bytes, stream) && shows_no_more_than(bytes, &stream.clone());
    stream.delete(StreamId::new(3, 0));
    add_texts(stream, (1001, 0), &["temp", "24", "hum", "low"], 100);
    for by in [TrimBy::MinId(StreamId::new(4, 0)), TrimBy::MaxLen(1), TrimBy::MaxLen(0)] {
        stream.trim(exact(by));
    }
    is_sane
}

/// What became of some work: its result, or the message of its panic.
fn outcome<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|reason| match reason.downcast::<String>() {
        Ok(message) => *message,
        Err(reason) => reason
            .downcast::<&str>()
            .map(|text| text.to_string())
            .unwrap_or_default(),
    })
}

#[test]
fn trusted_nodes_work_or_end_in_a_panic() {
    let (master_id, bytes) = sample_node();
    let mut stream = trusted(master_id, &bytes).expect("nothing is wrong with it");
    assert!(use_in_all_ways(&mut stream, bytes.len()));
    let mut outcomes = [0; 3];
    let mut try_out = |damaged: &[u8]| {
        let used = outcome(|| trusted(master_id, damaged).map(|mut stream| use_in_all_ways(&mut stream, bytes.len())));
        outcomes[match used {
            Ok(Err(CorruptNode)) => 0,
            Ok(Ok(is_sane)) => {
                assert!(is_sane, "{damaged:x?}");
                1
            }
            Err(_) => 2,
        }] += 1;
    };
    for at in 0..bytes.len() {
        let flips = (0..8).map(|bit| bytes[at] ^ 1 << bit);
        for byte in flips.chain([0, 1, 0x7F, 0x80, 0xDF, 0xF0, 0xF1, 0xF4, 0xFF]) {
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            try_out(&damaged);
        }
    }
    let mut rng = Rng::new(9);
    for _ in 0..10_000 {
        let mut damaged = bytes.clone();
        for _ in 0..2 + rng.below(3) {
            let at = rng.below(damaged.len());
            damaged[at] = rng.next() as u8;
        }
        try_out(&damaged);
    }
    assert!(outcomes.iter().all(|&count| count > 100), "{outcomes:?}");
}

#[test]
fn what_a_trusted_node_lacks_is_said() {
    let (master_id, bytes) = sample_node();
    let node = node::Node::new(&bytes, master_id);
    let spans: Vec<_> = std::iter::successors(node.span_at(node.start()), |span| node.span_at(span.end)).collect();
    let (second, third, last) = (spans[1], spans[2], spans[4]);
    let huge = [0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9];
    type Read = fn(&Stream);
    let forwards: Read = |stream| drop(owned(stream.range(StreamId::MIN, StreamId::MAX)));
    let backwards: Read = |stream| drop(owned(stream.rev_range(StreamId::MAX, StreamId::MIN)));
    // Where bytes are replaced, how many, by what, and what is read then.
    let cases: [(usize, usize, &[u8], Read, &str); 9] = [
        (
            second.end - 2,
            1,
            &[6],
            forwards,
            "count of elements does not match its fields",
        ),
        (second.at, 1, &[0x80], forwards, "a text in the place of an integer"),
        (
            third.at + 2,
            2,
            &[0, 1],
            forwards,
            "entries of a stream are out of order",
        ),
        (
            third.at + 2,
            2,
            &[0, 1],
            backwards,
            "entries of a stream are out of order",
        ),
        // As many fields as do not fit, and fewer than none.
        (
            third.at + 6,
            2,
            &huge,
            forwards,
            "counts more elements than its node has",
        ),
        (
            third.at + 6,
            2,
            &[0xDF, 0xFF, 2],
            forwards,
            "counts more elements than its node has",
        ),
        (
            last.end - 2,
            2,
            &huge,
            backwards,
            "counts more elements than its node has",
        ),
        (
            last.end - 2,
            1,
            &[0x7F],
            backwards,
            "a stream entry begins outside of its node",
        ),
        (last.end - 1, 1, &[7], backwards, "a text in the place of an integer"),
    ];
    for (at, len, with, read, message) in cases {
        let mut broken = bytes.clone();
        broken.splice(at..at + len, with.iter().copied());
        let total = broken.len() as u32;
        broken[..4].copy_from_slice(&total.to_le_bytes());
        assert_eq!(node::validate(&broken, master_id), Err(CorruptNode), "{message}");
        let stream = trusted(master_id, &broken).expect("its frame is sound");
        let said = outcome(|| read(&stream)).expect_err(message);
        assert!(said.contains(message), "{message}: {said}");
    }
}

#[test]
fn a_trusted_node_has_a_sound_frame_and_master_entry() {
    let (master_id, bytes) = sample_node();
    let refused = |at: usize, byte: u8| {
        let mut broken = bytes.clone();
        broken[at] = byte;
        let is_refused = trusted(master_id, &broken).is_err();
        assert!(is_refused, "{at}");
    };
    refused(0, bytes[0] + 1);
    refused(bytes.len() - 1, 0);
    let counts = listpack::HEADER;
    // More entries than there is room for, none, a text, another length from behind, more fields than elements.
    refused(counts, 0x7F);
    refused(counts, 0x81);
    refused(counts + 1, 2);
    refused(counts + 4, 0x7F);
    assert!(trusted(master_id, &listpack::EMPTY).is_err());
    assert!(trusted(master_id, &bytes[..bytes.len() - 1]).is_err());
    assert!(trusted(master_id, &[]).is_err());
    let mut stream = trusted(master_id, &bytes).expect("it is sound");
    assert_eq!(
        stream.push_trusted_node(master_id, &bytes),
        Err(CorruptNode),
        "under the same ID"
    );
}

#[test]
fn ids_rise_and_run_out() {
    let mut stream = Stream::new();
    assert_eq!(stream.next_id(NewId::AutoSeq(0), 5), Some(StreamId::new(0, 1)));
    assert_eq!(stream.next_id(NewId::Auto, 5), Some(StreamId::new(5, 0)));
    let pairs = vec![(b"f".to_vec(), b"v".to_vec())];
    assert_eq!(
        add(&mut stream, StreamId::MIN, &pairs, NodeLimits::default()),
        Err(AppendError::IdTooSmall)
    );
    assert_eq!(
        add(&mut stream, StreamId::new(7, 3), &pairs, NodeLimits::default()),
        Ok(())
    );
    assert_eq!(
        add(&mut stream, StreamId::new(7, 3), &pairs, NodeLimits::default()),
        Err(AppendError::IdTooSmall)
    );
    // The clock may stand still or go back.
    assert_eq!(stream.next_id(NewId::Auto, 5), Some(StreamId::new(7, 4)));
    assert_eq!(stream.next_id(NewId::AutoSeq(7), 5), Some(StreamId::new(7, 4)));
    assert_eq!(stream.next_id(NewId::AutoSeq(6), 5), None);
    assert_eq!(stream.next_id(NewId::AutoSeq(8), 5), Some(StreamId::new(8, 0)));
    stream.last_id = StreamId::new(9, u64::MAX);
    assert_eq!(stream.next_id(NewId::Auto, 9), Some(StreamId::new(10, 0)));
    assert_eq!(stream.next_id(NewId::AutoSeq(9), 9), None);
    stream.last_id = StreamId::MAX;
    assert_eq!(stream.next_id(NewId::Auto, 9), None);
}

#[test]
fn a_small_entry_takes_under_fourteen_bytes() {
    let mut stream = Stream::new();
    let n = 100_000;
    for i in 0..n {
        let (temp, hum) = ((i % 100).to_string(), (i % 77).to_string());
        let fields = [(b"temp".as_slice(), temp.as_bytes()), (b"hum", hum.as_bytes())];
        let id = StreamId::new(1_700_000_000_000 + i / 150, i % 150);
        stream
            .append(id, fields.into_iter(), NodeLimits::default())
            .expect("rising ID");
    }
    assert_eq!(stream.node_count(), 1000);
    let bytes_each = stream.memory() as f64 / n as f64;
    assert!(bytes_each < 13.8, "{bytes_each}");
}

#[test]
fn pending_lists_stay_in_step() {
    let mut rng = Rng::new(77);
    let mut group = Group::new(StreamId::MIN, Some(0));
    let mut model: BTreeMap<StreamId, (Vec<u8>, u64)> = BTreeMap::new();
    for step in 0..20_000 {
        let name = format!("c{}", rng.below(6)).into_bytes();
        let id = StreamId::new(rng.below(400) as u64, 0);
        match rng.below(20) {
            0..=8 => {
                let consumer = group
                    .find_consumer(&name)
                    .or_else(|| group.add_consumer(&name, step))
                    .expect("found or added");
                group.deliver(id, consumer, step);
                model.insert(id, (name, 1));
            }
            9..=12 => {
                group.redeliver(id, step);
                if let Some(pending) = model.get_mut(&id) {
                    pending.1 += 1;
                }
            }
            13..=18 => assert_eq!(group.acknowledge(id), model.remove(&id).is_some()),
            _ if rng.chance(5) => {
                let owned = model.values().filter(|pending| pending.0 == name).count();
                let expected = group.find_consumer(&name).map(|_| owned);
                assert_eq!(group.delete_consumer(&name), expected);
                model.retain(|_, pending| pending.0 != name);
            }
            _ => {}
        }
        if step % 500 == 0 {
            check_group(&group, &model);
        }
    }
    check_group(&group, &model);
    let mut steps = 0;
    while !group.free_step(50) {
        steps += 1;
    }
    assert!(steps >= model.len() / 50);
}

fn check_group(group: &Group, model: &BTreeMap<StreamId, (Vec<u8>, u64)>) {
    let all = group.pending_range(.., None);
    assert!(
        all.map(|(id, pending)| (id, pending.delivery_count))
            .eq(model.iter().map(|(id, pending)| (*id, pending.1)))
    );
    for (consumer, info) in group.consumers() {
        let own: Vec<_> = model
            .iter()
            .filter(|(_, pending)| pending.0 == info.name())
            .map(|(id, _)| *id)
            .collect();
        assert!(info.pending().iter().eq(&own));
        assert!(group.pending_range(.., Some(consumer)).map(|(id, _)| id).eq(own));
    }
    let middle = StreamId::new(200, 0)..StreamId::new(250, 0);
    assert!(
        group
            .pending_range(middle.clone(), None)
            .map(|(id, _)| id)
            .eq(model.range(middle).map(|(id, _)| *id))
    );
    let backwards = StreamId::new(250, 0)..=StreamId::new(200, 0);
    assert_eq!(group.pending_range(backwards, None).count(), 0);
}

fn advance(stream: &mut Stream, id: StreamId) {
    stream.with_group(b"g", |stream, group| stream.advance(group, id));
}

#[test]
fn lag_is_known_until_deletions_hide_it() {
    let mut stream = Stream::new();
    assert!(stream.create_group(b"g", StreamId::MIN, None));
    assert!(!stream.create_group(b"g", StreamId::MIN, None));
    let lag = |stream: &Stream| stream.lag(stream.group(b"g").expect("created"));
    assert_eq!(lag(&stream), Some(0));
    add_numbered(&mut stream, 10);
    assert_eq!(lag(&stream), Some(10));
    advance(&mut stream, StreamId::new(1, 0));
    advance(&mut stream, StreamId::new(2, 0));
    assert_eq!(stream.group(b"g").and_then(|group| group.entries_read), Some(2));
    assert_eq!(lag(&stream), Some(8));
    stream.delete(StreamId::new(5, 0));
    assert_eq!(lag(&stream), None);
    for i in [3, 4, 6, 7, 8, 9] {
        advance(&mut stream, StreamId::new(i, 0));
        assert_eq!(lag(&stream), None);
    }
    advance(&mut stream, StreamId::new(10, 0));
    assert_eq!(lag(&stream), Some(0));
}

#[test]
fn freeing_goes_in_steps() {
    let mut stream = Stream::new();
    add_numbered(&mut stream, 50_000);
    stream.create_group(b"g", StreamId::MIN, None);
    let mut steps = 0;
    while !stream.free_step(1000) {
        steps += 1;
    }
    assert!(steps >= 8, "{steps}");
    assert_eq!(stream.node_count(), 0);
}

fn add_texts(stream: &mut Stream, id: (u64, u64), texts: &[&str], max_entries: usize) {
    let pairs = texts.chunks(2).map(|pair| (pair[0].as_bytes(), pair[1].as_bytes()));
    let limits = NodeLimits {
        max_bytes: 4096,
        max_entries,
    };
    assert_eq!(stream.append(StreamId::new(id.0, id.1), pairs, limits), Ok(()));
}

#[test]
fn nodes_are_those_of_a_real_server() {
    let mut stream = Stream::new();
    for k in 1..9 {
        add_texts(
            &mut stream,
            (k, k * 50),
            &["temp", &k.to_string(), "hum", &format!("x{k}")],
            5,
        );
    }
    add_texts(&mut stream, (9, 1), &["temp", "1", "other", "two"], 5);
    add_texts(&mut stream, (9, 300), &["just", "-5"], 5);
    for (ms, seq) in [(2, 100), (9, 1), (7, 350)] {
        assert!(stream.delete(StreamId::new(ms, seq)));
    }
    add_texts(&mut stream, (10, 0), &["temp", "70000", "hum", ""], 5);
    add_texts(&mut stream, (11, 0), &["temp", "70000", "hum", ""], 5);
    stream.trim(exact(TrimBy::MaxLen(7)));
    // DUMP after the same commands, the same from Redis 7.0.15 and Valkey 8.0.1.
    let expected = [
        (
            StreamId::new(1, 50),
            "6200000024000201030102018474656d70058368756d0400010301000100010101827831030501030101013201 \
             0201827832030501030102016401030182783303050102010301c09602040182783403050102010401c0c80205 \
             01827835030501ff",
        ),
        (
            StreamId::new(6, 300),
            "7600000028000301020102018474656d70058368756d0400010201000100010601827836030501030101013201 \
             0701827837030501020102016401080182783803050101010301ded50202018474656d70050101856f74686572 \
             068374776f0408010001030100010101846a75737405dffb020601ff",
        ),
        (
            StreamId::new(10, 0),
            "3800000012000201000102018474656d70058368756d040001020100010001f270110104800105010201010100 \
             01f27011010480010501ff",
        ),
    ];
    let expected: Vec<_> = expected.iter().map(|(id, hex)| (*id, from_hex(hex))).collect();
    let nodes: Vec<_> = stream.raw_nodes().map(|(id, bytes)| (id, bytes.to_vec())).collect();
    assert_eq!(nodes, expected);
    assert_eq!(
        (stream.first_id(), stream.max_deleted_id),
        (StreamId::new(4, 200), StreamId::new(9, 1))
    );
}

fn exact(by: TrimBy) -> Trim {
    Trim {
        by,
        approximate: false,
        limit: 0,
    }
}

fn approximate(max: u64, limit: u64) -> Trim {
    Trim {
        by: TrimBy::MaxLen(max),
        approximate: true,
        limit,
    }
}

/// What Redis 7.0.15 and Valkey 8.0.1 do with nodes of five entries.
#[test]
fn trimming_takes_nodes_as_a_real_server_does() {
    let stream_of = |n| {
        let mut stream = Stream::new();
        (1..=n).for_each(|k| add_texts(&mut stream, (k, 0), &["a", "b"], 5));
        stream
    };
    // The tombstone of 5-0 keeps the first node from being dropped whole, and then it stays, with nothing alive.
    let mut stream = stream_of(8);
    stream.delete(StreamId::new(5, 0));
    let min_id = |ms| TrimBy::MinId(StreamId::new(ms, 0));
    let whole_nodes = Trim {
        by: min_id(5),
        approximate: true,
        limit: 0,
    };
    assert_eq!(stream.trim(whole_nodes), 0);
    assert_eq!(stream.trim(exact(min_id(5))), 4);
    assert_eq!(
        (stream.len(), stream.node_count(), stream.first_id()),
        (3, 2, StreamId::new(6, 0))
    );
    assert_eq!(stream.trim(exact(min_id(6))), 0);
    assert_eq!(stream.node_count(), 1);

    let mut stream = stream_of(30);
    assert_eq!(stream.trim(approximate(3, 12)), 10);
    assert_eq!(stream.trim(approximate(3, 3)), 0);
    assert_eq!(stream.trim(approximate(12, 0)), 5);
    assert_eq!(stream.trim(exact(TrimBy::MaxLen(0))), 15);
    assert_eq!(
        (stream.len(), stream.node_count(), stream.first_id()),
        (0, 0, StreamId::MIN)
    );
    assert_eq!((stream.entries_added, stream.max_deleted_id), (30, StreamId::MIN));

    // Deleted entries count towards a full node.
    let mut stream = stream_of(5);
    stream.delete(StreamId::new(2, 0));
    add_texts(&mut stream, (6, 0), &["a", "b"], 5);
    assert_eq!(stream.node_count(), 2);
}

#[test]
fn a_node_is_full_at_the_bytes_a_real_server_says() {
    let mut stream = Stream::new();
    let limits = NodeLimits {
        max_bytes: 100,
        max_entries: 0,
    };
    let counts = (1..30).map(|k| {
        let value = vec![b'b'; k];
        let fields = [(b"a".as_slice(), value.as_slice())];
        stream
            .append(StreamId::new(k as u64, 0), fields.into_iter(), limits)
            .expect("rising ID");
        stream.node_count()
    });
    let expected = [
        1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10,
    ];
    assert!(counts.eq(expected));
}

/// The last ID, `entries-read` and `lag` that XINFO GROUPS gives on Redis 8.0.2.
#[test]
fn lag_is_what_a_real_server_says() {
    let mut stream = Stream::new();
    add_numbered(&mut stream, 10);
    stream.create_group(b"g", StreamId::MIN, None);
    let state = |stream: &Stream| {
        let group = stream.group(b"g").expect("created");
        (group.last_id.ms, group.entries_read, stream.lag(group))
    };
    let read_one = |stream: &mut Stream| {
        let last = stream.group(b"g").map_or(StreamId::MIN, |group| group.last_id);
        let next = stream
            .range(last, StreamId::MAX)
            .map(|entry| entry.id)
            .find(|id| *id > last);
        next.into_iter().for_each(|id| advance(stream, id));
    };
    let mut log = vec![state(&stream)];
    for step in 0..10 {
        read_one(&mut stream);
        log.push(state(&stream));
        match step {
            1 => assert!(stream.delete(StreamId::new(5, 0))),
            6 => add_texts(&mut stream, (11, 0), &["a", "b"], 100),
            8 => assert!(stream.delete(StreamId::new(1, 0))),
            _ => continue,
        }
        log.push(state(&stream));
    }
    let expected = [
        (0, None, Some(10)),
        (1, Some(1), Some(9)),
        (2, Some(2), Some(8)),
        (2, Some(2), None),
        (3, None, None),
        (4, None, None),
        (6, None, None),
        (7, None, None),
        (8, None, None),
        (8, None, None),
        (9, None, None),
        (10, None, None),
        (10, None, None),
        (11, Some(11), Some(0)),
    ];
    assert_eq!(log, expected);
    check_lag_after_trimming(&mut stream);
}

fn check_lag_after_trimming(stream: &mut Stream) {
    let place = |stream: &mut Stream, ms, entries_read| {
        let group = stream.group_mut(b"g").expect("created");
        (group.last_id, group.entries_read) = (StreamId::new(ms, 0), entries_read);
        stream.lag(stream.group(b"g").expect("created"))
    };
    assert_eq!(place(stream, 3, None), None);
    stream.trim(exact(TrimBy::MaxLen(3)));
    for (ms, lag) in [(3, Some(3)), (11, Some(0)), (0, Some(3))] {
        assert_eq!(place(stream, ms, None), lag, "{ms}");
    }
    stream.delete(StreamId::new(9, 0));
    for (ms, lag) in [(0, Some(2)), (9, Some(2)), (10, Some(1)), (8, Some(2))] {
        assert_eq!(place(stream, ms, None), lag, "{ms}");
    }
    assert_eq!(place(stream, 8, Some(7)), Some(2));
    stream.delete(StreamId::new(10, 0));
    stream.delete(StreamId::new(11, 0));
    assert_eq!(place(stream, 11, Some(9)), Some(0));
    add_texts(stream, (20, 0), &["a", "b"], 100);
    assert_eq!(place(stream, 11, Some(9)), Some(1));
    assert_eq!(place(stream, 0, None), Some(1));
}
