//! Both forms of a sorted set, step for step against a map and a sorted vector.

use super::*;
use crate::types::testing::{Rng, from_hex};
use std::collections::{BTreeMap, BTreeSet};

type Model = BTreeMap<Vec<u8>, f64>;

fn ordered(model: &Model) -> Vec<(Vec<u8>, f64)> {
    let mut order: Vec<_> = model.iter().map(|(member, score)| (member.clone(), *score)).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    order
}

fn owned(iter: ZsetIter) -> Vec<(Vec<u8>, f64)> {
    iter.map(|(member, score)| (member.to_vec(), score)).collect()
}

/// A set in both forms at once.
struct Both {
    packed: Vec<u8>,
    table: Zset,
    model: Model,
}

impl Both {
    fn new() -> Self {
        Both {
            packed: listpack::EMPTY.to_vec(),
            table: Zset::new(),
            model: Model::new(),
        }
    }

    fn insert(&mut self, member: &[u8], score: f64) {
        let old = self.model.insert(member.to_vec(), score);
        assert_eq!(self.table.insert(member, score), old);
        assert_eq!(packed::insert(&mut self.packed, member, score), old);
    }

    fn remove(&mut self, member: &[u8]) {
        let old = self.model.remove(member);
        assert_eq!(self.table.remove(member), old);
        assert_eq!(packed::remove(&mut self.packed, member), old);
    }

    fn remove_ranks(&mut self, ranks: Range<usize>) {
        for (member, _) in &ordered(&self.model)[ranks.clone()] {
            self.model.remove(member);
        }
        assert_eq!(self.table.remove_ranks(ranks.clone()), ranks.len());
        assert_eq!(packed::remove_ranks(&mut self.packed, ranks.clone()), ranks.len());
    }

    fn pop(&mut self) {
        let order = ordered(&self.model);
        let (Some(first), Some(last)) = (order.first(), order.last()) else {
            return;
        };
        let mut popped = Vec::new();
        assert!(
            self.table
                .pop_min(|member, score| popped.push((member.to_vec(), score)))
        );
        assert_eq!(&popped[0], first);
        self.model.remove(&first.0);
        packed::remove(&mut self.packed, &first.0);
        if order.len() > 1 {
            assert!(
                self.table
                    .pop_max(|member, score| popped.push((member.to_vec(), score)))
            );
            assert_eq!(&popped[1], last);
            self.model.remove(&last.0);
            packed::remove(&mut self.packed, &last.0);
        }
    }

    fn check(&self, rng: &mut Rng) {
        let order = ordered(&self.model);
        crate::types::listpack::validate(&self.packed).expect("well formed");
        for set in [ZsetRef::Packed(&self.packed), ZsetRef::Table(&self.table)] {
            check_reads(set, &order, rng);
        }
    }
}

fn check_reads(set: ZsetRef, order: &[(Vec<u8>, f64)], rng: &mut Rng) {
    assert_eq!(set.len(), order.len());
    assert_eq!(owned(set.iter(0..usize::MAX, false)), order);
    let reversed: Vec<_> = order.iter().rev().cloned().collect();
    assert_eq!(owned(set.iter(0..order.len(), true)), reversed);
    assert_eq!(set.score(b"no such member"), None);
    assert_eq!(set.rank(b"no such member"), None);
    if order.is_empty() {
        return;
    }
    for _ in 0..5 {
        let rank = rng.below(order.len());
        let (member, score) = &order[rank];
        assert_eq!(set.rank(member), Some(rank));
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.get(rank).map(|(member, _)| member.to_vec()).as_ref(), Some(member));
        let end = rank + rng.below(order.len() - rank);
        assert_eq!(owned(set.iter(rank..end, false)), order[rank..end]);
        let backwards: Vec<_> = order[rank..end].iter().rev().cloned().collect();
        assert_eq!(owned(set.iter(rank..end, true)), backwards);
        check_score_range(set, order, rng);
    }
}

fn check_score_range(set: ZsetRef, order: &[(Vec<u8>, f64)], rng: &mut Rng) {
    let range = ScoreRange {
        min: order[rng.below(order.len())].1,
        max: order[rng.below(order.len())].1 + rng.below(2) as f64,
        min_exclusive: rng.chance(2),
        max_exclusive: rng.chance(2),
    };
    let expected: Vec<_> = order
        .iter()
        .filter(|pair| range.reaches_down_to(pair.1) && range.reaches_up_to(pair.1))
        .cloned()
        .collect();
    assert_eq!(owned(set.iter(set.score_ranks(&range), false)), expected, "{range:?}");
}

#[test]
fn both_forms_follow_the_model() {
    let mut rng = Rng::new(21);
    for _ in 0..12 {
        let mut both = Both::new();
        for _ in 0..700 {
            let member = rng.text();
            match rng.below(12) {
                0..=6 => {
                    let score = match rng.below(4) {
                        0 => f64::from(rng.below(5) as u32),
                        1 => rng.below(1000) as f64 / 7.0,
                        2 => -(rng.below(1 << 40) as f64),
                        _ => [f64::INFINITY, f64::NEG_INFINITY, 1e-9, 123_456.789][rng.below(4)],
                    };
                    both.insert(&member, score);
                }
                7 | 8 => both.remove(&member),
                9 if !both.model.is_empty() => {
                    let start = rng.below(both.model.len());
                    let end = (start + rng.below(4)).min(both.model.len());
                    both.remove_ranks(start..end);
                }
                _ => both.pop(),
            }
            if rng.chance(20) {
                both.check(&mut rng);
            }
        }
        both.check(&mut rng);
        assert_eq!(pack(&both.table), both.packed);
        let unpacked = unpack(&both.packed);
        assert_eq!(
            owned(ZsetRef::Table(&unpacked).iter(0..usize::MAX, false)),
            ordered(&both.model)
        );
    }
}

fn random_bound<'a>(rng: &mut Rng, text: &'a [u8]) -> LexBound<'a> {
    match rng.below(6) {
        0 => LexBound::Min,
        1 => LexBound::Max,
        2 | 3 => LexBound::Inclusive(text),
        _ => LexBound::Exclusive(text),
    }
}

#[test]
fn ranges_of_texts_agree_with_comparing() {
    let mut rng = Rng::new(4);
    let mut both = Both::new();
    for _ in 0..400 {
        both.insert(&rng.text(), 7.0);
    }
    let order = ordered(&both.model);
    for _ in 0..2000 {
        let (a, b) = (rng.text(), order[rng.below(order.len())].0.clone());
        let range = LexRange {
            min: random_bound(&mut rng, &a),
            max: random_bound(&mut rng, &b),
        };
        let expected: Vec<_> = order
            .iter()
            .filter(|pair| range.reaches_down_to(&pair.0) && range.reaches_up_to(&pair.0))
            .cloned()
            .collect();
        for set in [ZsetRef::Packed(&both.packed), ZsetRef::Table(&both.table)] {
            assert_eq!(owned(set.iter(set.lex_ranks(&range), false)), expected, "{range:?}");
        }
    }
}

#[test]
fn scanning_shows_every_member() {
    let mut zset = Zset::new();
    for i in 0..3000 {
        zset.insert(format!("m{i}").as_bytes(), f64::from(i % 10));
    }
    let (mut seen, mut cursor) = (BTreeSet::new(), 0);
    loop {
        cursor = zset.scan(cursor, |member, _| {
            seen.insert(member.to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), 3000);
}

#[test]
fn ranges_leave_table_and_order_together() {
    let mut rng = Rng::new(12);
    let mut zset = Zset::new();
    let name = |i: usize| format!("m{i:05}");
    let mut left: Vec<usize> = (0..20_000).collect();
    for &i in &left {
        zset.insert(name(i).as_bytes(), (i / 7) as f64);
    }
    let empty = Zset::new().memory();
    while !left.is_empty() {
        let start = rng.below(left.len());
        let end = (start + 1 + rng.below(4000)).min(left.len());
        let copy = zset.without_ranks(start..end);
        assert_eq!(zset.remove_ranks(start..end), end - start);
        for i in left.drain(start..end) {
            assert_eq!(zset.score(name(i).as_bytes()), None);
        }
        for set in [&zset, &copy] {
            let members = set.iter(0..set.len(), false).map(|(member, _)| member.to_vec());
            assert!(members.eq(left.iter().map(|&i| name(i).into_bytes())));
            for &i in left.iter().step_by(97) {
                assert_eq!(set.score(name(i).as_bytes()), Some((i / 7) as f64));
            }
        }
    }
    assert!(zset.memory() < empty + 20_000, "{} bytes", zset.memory());
}

#[test]
fn every_member_is_drawn_as_often_as_another() {
    let mut rng = Rng::new(2);
    for size in [10, 300] {
        let mut zset = Zset::new();
        let mut packed = listpack::EMPTY.to_vec();
        for i in 0..size {
            let member = i.to_string().into_bytes();
            zset.insert(&member, i as f64);
            packed::insert(&mut packed, &member, i as f64);
        }
        for set in [ZsetRef::Packed(&packed), ZsetRef::Table(&zset)] {
            let mut drawn = vec![0; size];
            for _ in 0..size * 200 {
                let (_, score) = set.random(&mut || rng.next()).expect("a member");
                drawn[score as usize] += 1;
            }
            assert!(drawn.iter().all(|count| (120..300).contains(count)), "{drawn:?}");
        }
    }
    assert_eq!(ZsetRef::Table(&Zset::new()).random(&mut || 1), None);
}

#[test]
fn freeing_goes_in_steps() {
    let mut zset = Zset::new();
    for i in 0..20_000 {
        zset.insert(format!("m{i}").as_bytes(), f64::from(i));
    }
    assert!(zset.memory() > 20_000 * 30);
    let mut steps = 0;
    while !zset.free_step(500) {
        steps += 1;
    }
    assert!(steps >= 40, "{steps}");
}

#[test]
fn packed_scores_are_integers_where_they_can_be() {
    let mut bytes = listpack::EMPTY.to_vec();
    for (member, score) in [
        (b"a", 1.0),
        (b"b", 1.5),
        (b"c", -0.0),
        (b"d", f64::INFINITY),
        (b"e", -3e5),
    ] {
        packed::insert(&mut bytes, member, score);
    }
    let elements: Vec<_> = listpack::Listpack::new(&bytes)
        .iter()
        .map(|entry| entry.element)
        .collect();
    use Element::{Int, Str};
    let expected = [
        Str(b"e"),
        Int(-300_000),
        Str(b"c"),
        Int(0),
        Str(b"a"),
        Int(1),
        Str(b"b"),
        Str(b"1.5"),
        Str(b"d"),
        Str(b"inf"),
    ];
    assert_eq!(elements, expected);
}

#[test]
fn limits_decide_as_the_settings_say() {
    let limits = Limits {
        max_entries: 3,
        max_value: 5,
    };
    assert!(limits.allow_adding(2, 5));
    assert!(!limits.allow_adding(3, 1));
    assert!(!limits.allow_adding(0, 6));
    assert!(limits.allow(3, 5));
    assert!(!limits.allow(4, 5));
}

#[test]
fn packed_bytes_are_those_of_a_real_server() {
    let scores = [
        (1.0, "a"),
        (1.5, "b"),
        (-0.0, "c"),
        (f64::INFINITY, "d"),
        (-3e5, "e"),
        (0.1, "12345"),
        (1e20, "f"),
        (1e-7, "g"),
        (4_611_686_018_427_387_904.0, "h"),
        (4_611_686_018_427_387_905.0, "i"),
        (1e17, "j"),
        (123_456.789, "k"),
        (3e300, "l"),
        (f64::NEG_INFINITY, "m"),
        (9_007_199_254_740_993.0, "n"),
        (1e21, "o"),
        (1e22, "p"),
        (123_456_789_012_345_678.0, "q"),
        (4_611_686_018_427_387_000.0, "r"),
        (0.000_001, "s"),
    ];
    let mut bytes = listpack::EMPTY.to_vec();
    for (score, member) in scores {
        packed::insert(&mut bytes, member.as_bytes(), score);
    }
    // DUMP of the same ZADDs on Valkey 8.0.1, without the frame around it.
    let expected = from_hex(
        "d70000002800816d02842d696e6605816502f2206cfb0481630200018167028431652d370581730288302e3030 \
         3030303109f139300383302e3104816102010181620283312e3504816b028a3132333435362e3738390b816e02 \
         f4000000000000200009816a02f400008a5d7845630109817102f450f330a64b9bb60109817202f400fcffffff \
         ffff3f09816802f4000000000000004009816902f40000000000000040098166028531652b323006816f028531 \
         652b3231068170028531652b323206816c028633652b3330300781640283696e6604ff",
    );
    assert_eq!(bytes, expected);
}
