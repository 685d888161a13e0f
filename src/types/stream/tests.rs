//! Streams step for step against a sorted map.

use super::*;
use crate::types::testing::Rng;

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
        assert_eq!(node::validate(bytes, master_id), Ok(()));
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
    }
}

#[test]
fn damaged_nodes_are_refused_without_panicking() {
    let mut stream = Stream::new();
    add_numbered(&mut stream, 40);
    stream.delete(StreamId::new(7, 0));
    let (master_id, bytes) = stream.raw_nodes().next().expect("a node");
    assert_eq!(node::validate(bytes, master_id), Ok(()));
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

#[test]
fn lag_is_known_until_deletions_hide_it() {
    let mut stream = Stream::new();
    assert!(stream.create_group(b"g", StreamId::MIN, None));
    assert!(!stream.create_group(b"g", StreamId::MIN, None));
    let lag = |stream: &Stream| stream.lag(stream.group(b"g").expect("created"));
    assert_eq!(lag(&stream), Some(0));
    add_numbered(&mut stream, 10);
    assert_eq!(lag(&stream), Some(10));
    stream.advance_group(b"g", StreamId::new(1, 0));
    stream.advance_group(b"g", StreamId::new(2, 0));
    assert_eq!(stream.group(b"g").and_then(|group| group.entries_read), Some(2));
    assert_eq!(lag(&stream), Some(8));
    stream.delete(StreamId::new(5, 0));
    assert_eq!(lag(&stream), None);
    for i in [3, 4, 6, 7, 8, 9] {
        stream.advance_group(b"g", StreamId::new(i, 0));
        assert_eq!(lag(&stream), None);
    }
    stream.advance_group(b"g", StreamId::new(10, 0));
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
