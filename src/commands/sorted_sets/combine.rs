//! Unions, intersections and differences of sorted sets. Plain sets take part with a score of 1 for each member.
//!
//! The result is gathered as members and scores, borrowed from the inputs, and put into order once it is complete; then
//! it is sent or stored. So what a command costs beyond reading its inputs is one sort of its result.

use std::collections::HashMap;

use super::Shape;
use crate::commands::expiry::syntax_error;
use crate::commands::values::{View, ViewMut, ZsetBuilder, ZsetMut, store_result};
use crate::format::number::{parse_double, parse_i64};
use crate::hashing;
use crate::keyspace::{Key, ValueRef};
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::core::Core;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::listpack::Element;
use crate::types::set::{Members, SetRef};
use crate::types::zset::{ZsetIter, ZsetRef, compare_members};

/// What is made of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// How the scores of a member of several inputs become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn parse(text: &[u8]) -> Option<Self> {
        let known: [(&[u8], Self); 3] = [
            (b"sum", Aggregate::Sum),
            (b"min", Aggregate::Min),
            (b"max", Aggregate::Max),
        ];
        let found = known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        found.map(|(_, aggregate)| aggregate)
    }

    /// `total` is never NaN; a `score` that is, an infinite one with a weight of zero, counts for nothing.
    fn apply(self, total: f64, score: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(total + score),
            Aggregate::Min if score < total => score,
            Aggregate::Max if score > total => score,
            Aggregate::Min | Aggregate::Max => total,
        }
    }
}

/// Opposite infinities, and infinity times zero, make zero.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// The value of an input key.
#[derive(Clone, Copy)]
enum Source<'a> {
    Zset(ZsetRef<'a>),
    Set(SetRef<'a>),
}

impl<'a> View<'a> for Source<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        ZsetRef::of(value)
            .map(Source::Zset)
            .or_else(|| SetRef::of(value).map(Source::Set))
    }
}

impl<'a> Source<'a> {
    fn len(self) -> usize {
        match self {
            Source::Zset(zset) => zset.len(),
            Source::Set(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Zset(zset) => zset.score(member),
            Source::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    fn iter(self) -> SourceIter<'a> {
        match self {
            Source::Zset(zset) => SourceIter::Zset(zset.iter(0..zset.len(), false)),
            Source::Set(set) => SourceIter::Set(set.iter()),
        }
    }
}

enum SourceIter<'a> {
    Zset(ZsetIter<'a>),
    Set(Members<'a>),
}

impl<'a> Iterator for SourceIter<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            SourceIter::Zset(members) => members.next(),
            SourceIter::Set(members) => members.next().map(|member| (member, 1.0)),
        }
    }
}

/// One input, and the factor of its scores.
#[derive(Clone, Copy)]
struct Input<'a> {
    /// `None`: there is no such key, which is as good as an empty one.
    source: Option<Source<'a>>,
    weight: f64,
}

impl<'a> Input<'a> {
    fn len(&self) -> usize {
        self.source.map_or(0, Source::len)
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        Some(self.source?.score(member)? * self.weight)
    }

    /// Members and weighted scores.
    fn iter(&self) -> impl Iterator<Item = (Element<'a>, f64)> + use<'a> {
        let weight = self.weight;
        let members = self.source.map(Source::iter).into_iter().flatten();
        members.map(move |(member, score)| (member, number_or_zero(score * weight)))
    }
}

/// Members with their scores. Equal texts are equal elements: integers are such even where a table held their text.
type Scores<'a> = HashMap<Element<'a>, f64, ahash::RandomState>;

fn normal(member: Element<'_>) -> Element<'_> {
    match member {
        Element::Str(text) => Element::of(text),
        Element::Int(_) => member,
    }
}

/// What a command was asked for.
struct Request<'a> {
    operation: Operation,
    keys: Args<'a>,
    /// One for each key, or none at all: then they are 1.
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl<'a> Request<'a> {
    /// Reads the count of keys at argument `at`, and which they are. The index of the first option comes with it.
    fn keys(ctx: &Context<'_>, args: Args<'a>, at: usize) -> Result<(Args<'a>, usize), Failure> {
        let count = integer(args.at(at))?;
        if count < 1 {
            let name = ctx.spec.name;
            return Err(format!("ERR at least 1 input key is needed for '{name}' command").into());
        }
        let first = at + 1;
        match usize::try_from(count) {
            Ok(count) if count <= args.len() - first => Ok((args.range(first..first + count), first + count)),
            _ => syntax_error(),
        }
    }

    /// Reads a request whose count of keys is argument `count_at`, and looks its keys up: a wrong type comes before a
    /// wrong option.
    fn read(ctx: &mut Context<'_>, args: Args<'a>, count_at: usize, operation: Operation) -> Result<Self, Failure> {
        let (keys, mut at) = Request::keys(ctx, args, count_at)?;
        look_up(ctx, keys)?;
        let mut request = Request {
            operation,
            keys,
            weights: Vec::new(),
            aggregate: Aggregate::Sum,
            with_scores: false,
        };
        let stores = count_at > 1;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            let combines = operation != Operation::Difference;
            at += 1;
            if combines && is(b"weights") && args.len() - at >= keys.len() {
                let weights = args.range(at..at + keys.len());
                request.weights = weights.iter().map(parse_weight).collect::<Result<_, _>>()?;
                at += keys.len();
            } else if combines && is(b"aggregate") && at < args.len() {
                let Some(aggregate) = Aggregate::parse(args.at(at)) else {
                    return syntax_error();
                };
                request.aggregate = aggregate;
                at += 1;
            } else if !stores && is(b"withscores") {
                request.with_scores = true;
            } else {
                return syntax_error();
            }
        }
        Ok(request)
    }

    /// The result in order: by score, then by the members' bytes.
    fn run<'c>(&self, core: &'c Core, database: usize) -> Vec<(Element<'c>, f64)> {
        let mut inputs = inputs(core, database, self.keys, &self.weights);
        let mut result: Vec<_> = match self.operation {
            Operation::Union => union(&mut inputs, self.aggregate).into_iter().collect(),
            Operation::Intersection => intersection(&mut inputs, self.aggregate).collect(),
            Operation::Difference => difference(&inputs),
        };
        result.sort_unstable_by(compare_members);
        result
    }
}

fn parse_weight(text: &[u8]) -> Result<f64, Failure> {
    parse_double(text).ok_or_else(|| "ERR weight value is not a float".into())
}

/// Looks up every key as a command does that reads it; the error of one that is neither sorted set nor set.
fn look_up(ctx: &mut Context<'_>, keys: Args<'_>) -> Outcome {
    for key in keys.iter() {
        ctx.core.read_as::<Source>(ctx.database, Key::new(key))?;
    }
    Ok(())
}

/// The values of keys that have been looked up.
fn inputs<'c>(core: &'c Core, database: usize, keys: Args<'_>, weights: &[f64]) -> Vec<Input<'c>> {
    let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
    let inputs = keys.iter().zip(weights).map(|(key, weight)| Input {
        source: core.view_as(database, Key::new(key)),
        weight,
    });
    inputs.collect()
}

/// Every member of any input. Scores are added in the order of the inputs' sizes, as Redis does: sums of doubles depend on
/// it. O(members of all).
fn union<'c>(inputs: &mut [Input<'c>], aggregate: Aggregate) -> Scores<'c> {
    inputs.sort_by_key(Input::len);
    let largest = inputs.last().map_or(0, Input::len);
    let mut scores = Scores::with_capacity_and_hasher(largest, hashing::state());
    for (member, score) in inputs.iter().flat_map(Input::iter) {
        let total = scores.entry(normal(member));
        total
            .and_modify(|total| *total = aggregate.apply(*total, score))
            .or_insert(score);
    }
    scores
}

/// The members of all inputs. O(members of the smallest times inputs).
fn intersection<'i, 'c>(
    inputs: &'i mut [Input<'c>],
    aggregate: Aggregate,
) -> impl Iterator<Item = (Element<'c>, f64)> + use<'i, 'c> {
    inputs.sort_by_key(Input::len);
    let (smallest, others) = match &*inputs {
        [smallest, others @ ..] => (Some(smallest), others),
        [] => (None, &[][..]),
    };
    let members = smallest.map(Input::iter).into_iter().flatten();
    members.filter_map(move |(member, score)| {
        let mut digits = itoa::Buffer::new();
        let text = member.text(&mut digits);
        let mut scores = others.iter().map(|other| other.score(text));
        let total = scores.try_fold(score, |total, score| Some(aggregate.apply(total, score?)))?;
        Some((member, total))
    })
}

/// The members of the first input that are in none of the others. O(members of all), and no more than O(members of the
/// first times inputs) by far.
fn difference<'c>(inputs: &[Input<'c>]) -> Vec<(Element<'c>, f64)> {
    let [first, others @ ..] = inputs else {
        return Vec::new();
    };
    let members = others.iter().map(Input::len).fold(first.len(), usize::saturating_add);
    let lookups = first.len().saturating_mul(inputs.len());
    if lookups / 2 <= members {
        let is_elsewhere = |member: Element<'_>| {
            let mut digits = itoa::Buffer::new();
            let text = member.text(&mut digits);
            others.iter().any(|other| other.score(text).is_some())
        };
        return first.iter().filter(|&(member, _)| !is_elsewhere(member)).collect();
    }
    let mut left = Scores::with_capacity_and_hasher(first.len(), hashing::state());
    left.extend(first.iter().map(|(member, score)| (normal(member), score)));
    for (member, _) in others.iter().flat_map(Input::iter) {
        if left.is_empty() {
            break;
        }
        left.remove(&normal(member));
    }
    left.into_iter().collect()
}

fn send(ctx: &mut Context<'_>, args: Args<'_>, operation: Operation) -> Outcome {
    let request = Request::read(ctx, args, 1, operation)?;
    let result = request.run(ctx.core, ctx.database);
    let reply = &mut ctx.reply;
    let shape = match request.with_scores {
        true => Shape::with_scores(reply),
        false => Shape::Members,
    };
    shape.begin(reply, result.len());
    for (member, score) in result {
        shape.member(reply, member, score);
    }
    Ok(())
}

fn store(ctx: &mut Context<'_>, args: Args<'_>, operation: Operation, event: &str) -> Outcome {
    let request = Request::read(ctx, args, 2, operation)?;
    let limits = ZsetMut::limits(&ctx.core.settings);
    let result = request.run(ctx.core, ctx.database);
    let len = result.len();
    let value = (len > 0).then(|| ZsetBuilder::from_ordered(result.iter().copied(), limits));
    let destination = ctx.key(&args, 1);
    store_result(ctx, destination, value, 1, (Class::ZSET, event));
    ctx.reply.len(len);
    Ok(())
}

/// ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
pub(super) fn zunion(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    send(ctx, args, Operation::Union)
}

/// ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
pub(super) fn zinter(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    send(ctx, args, Operation::Intersection)
}

/// ZDIFF numkeys key [key ...] [WITHSCORES]
pub(super) fn zdiff(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    send(ctx, args, Operation::Difference)
}

/// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
pub(super) fn zunionstore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(ctx, args, Operation::Union, "zunionstore")
}

/// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
pub(super) fn zinterstore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(ctx, args, Operation::Intersection, "zinterstore")
}

/// ZDIFFSTORE destination numkeys key [key ...]
pub(super) fn zdiffstore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(ctx, args, Operation::Difference, "zdiffstore")
}

/// ZINTERCARD numkeys key [key ...] [LIMIT limit]
pub(super) fn zintercard(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (keys, mut at) = Request::keys(ctx, args, 1)?;
    look_up(ctx, keys)?;
    let mut limit = 0;
    while let Some(option) = args.get(at) {
        let Some(value) = args.get(at + 1).filter(|_| option.eq_ignore_ascii_case(b"limit")) else {
            return syntax_error();
        };
        limit = match parse_i64(value) {
            Some(limit) if limit >= 0 => limit as usize,
            _ => return Err("ERR LIMIT can't be negative".into()),
        };
        at += 2;
    }
    // A limit of zero is none.
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut inputs = inputs(ctx.core, ctx.database, keys, &[]);
    let count = intersection(&mut inputs, Aggregate::Sum).take(limit).count();
    ctx.reply.len(count);
    Ok(())
}
