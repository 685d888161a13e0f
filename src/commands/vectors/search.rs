//! VSIM.

use super::vector::given;
use super::{check_arity, check_input, mismatch, number};
use crate::format::number::parse_double;
use crate::resp::request::Args;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};
use crate::types::vector_set::filter::Filter;
use crate::types::vector_set::{OwnedPoint, VectorSet, Wanted};

/// How many are found, unless it is said.
const DEFAULT_COUNT: usize = 10;
/// How far to look, unless it is said.
const DEFAULT_EF: usize = 100;
/// How many nodes a filter is asked about for each that is wanted, unless it is said.
const DEFAULT_FILTER_EF: usize = 100;

/// A distance as clients see it: 1 for the same direction, 0 for the opposite one.
pub fn score(distance: f32) -> f64 {
    1.0 - f64::from(distance) / 2.0
}

struct Options {
    with_scores: bool,
    count: usize,
    ef: usize,
    /// The farthest that is told of.
    epsilon: f64,
    filter: Option<Filter>,
    filter_ef: Option<usize>,
    /// Whether every element is looked at.
    truth: bool,
}

fn options(words: Args<'_>) -> Result<Options, Failure> {
    let mut options = Options {
        with_scores: false,
        count: DEFAULT_COUNT,
        ef: DEFAULT_EF,
        epsilon: f64::INFINITY,
        filter: None,
        filter_ef: None,
        truth: false,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        if is("WITHSCORES") {
            options.with_scores = true;
        } else if is("TRUTH") {
            options.truth = true;
        } else if is("NOTHREAD") {
            // There never is one.
        } else {
            let value = words.next().ok_or("ERR syntax error in VSIM command")?;
            if is("COUNT") {
                options.count = number(Some(value), i64::MAX).ok_or("ERR invalid COUNT")?;
            } else if is("EF") {
                options.ef = number(Some(value), i64::MAX).ok_or("ERR invalid EF")?;
            } else if is("EPSILON") {
                let epsilon = parse_double(value).filter(|epsilon| *epsilon > 0.0);
                options.epsilon = epsilon.ok_or("ERR invalid EPSILON")?;
            } else if is("FILTER") {
                options.filter = Some(filter(value)?);
            } else if is("FILTER-EF") {
                options.filter_ef = Some(number(Some(value), i64::MAX).ok_or("ERR invalid FILTER-EF")?);
            } else {
                return Err("ERR syntax error in VSIM command".into());
            }
        }
    }
    Ok(options)
}

fn filter(expression: &[u8]) -> Result<Filter, Failure> {
    Filter::new(expression).map_err(|error| {
        let text = b"ERR syntax error in FILTER expression near: ";
        [text, &expression[error.at..]].concat().into()
    })
}

/// What is looked for, and where the options begin.
fn subject(set: &VectorSet, args: &Args<'_>) -> Result<(OwnedPoint, usize), Failure> {
    if args.at(2).eq_ignore_ascii_case(b"ELE") {
        let node = set.find(args.at(3)).ok_or("ERR element not found in set")?;
        return Ok((OwnedPoint::new(set.vector(node), set.form()).0, 4));
    }
    let given = given(args, 2, false)?;
    let len = given.vector.len();
    match set.projection() {
        // One that is as short as those that are kept was projected before.
        Some(projection) if len != set.dim() => check_input(projection, len)?,
        _ if len != set.dim() => return mismatch(len, set.dim()),
        _ => return Ok((OwnedPoint::new(given.vector, set.form()).0, given.end)),
    }
    Ok((set.prepare(given.vector).0, given.end))
}

/// VSIM key ELE element | FP32 vector | VALUES num value [value ...] [WITHSCORES] [COUNT num] [EPSILON num] [EF num]
/// [FILTER expression] [FILTER-EF num] [TRUTH] [NOTHREAD]
pub fn vsim(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 4..)?;
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    let Some(set) = set else {
        ctx.reply.array(0);
        return Ok(());
    };
    let (point, end) = subject(set, &args)?;
    let options = options(args.from(end))?;
    let mut passes = options
        .filter
        .as_ref()
        .map(|filter| |node: u32| filter.matches(set.attribute(node)));
    let effort = options
        .filter_ef
        .unwrap_or(options.count.saturating_mul(DEFAULT_FILTER_EF));
    let wanted = |ef: usize, passes| Wanted {
        ef: ef.min(set.len()),
        filter: passes,
    };
    let passes = passes
        .as_mut()
        .map(|passes| (passes as &mut dyn FnMut(u32) -> bool, effort));
    let mut found = match options.truth {
        true => set.search_all(point.point(), wanted(options.count, passes)),
        false => set.search(point.point(), wanted(options.ef.max(options.count), passes)),
    };
    found.truncate(options.count);
    found.retain(|near| f64::from(near.distance()) <= options.epsilon);
    let reply = &mut ctx.reply;
    match options.with_scores {
        true => reply.map(found.len()),
        false => reply.array(found.len()),
    }
    for near in found {
        reply.bulk(set.name(near.node()));
        if options.with_scores {
            reply.double(score(near.distance()));
        }
    }
    Ok(())
}
