//! Commands for vector sets.
//!
//! They came to Redis 8.0 as a module, which shows: the table has their numbers of arguments unchecked, errors name them in
//! upper case, and the keyspace hears of their changes only what is true of any key.

mod search;
mod vector;

use std::collections::HashSet;

use super::drawing::{Selection, is_walk, make_room};
use super::handlers::Family;
use super::table::errors::wrong_arity;
use super::values::{NewCollection, delete_emptied};
use crate::format::number::parse_i64;
use crate::keyspace::NewValue;
use crate::resp::request::Args;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};
use crate::types::vector_set::{Projection, Quantization, Shape, VectorSet};
use vector::{Given, given};

pub const COMMANDS: Family = &[
    ("vadd", vadd),
    ("vcard", vcard),
    ("vdim", vdim),
    ("vemb", vemb),
    ("vgetattr", vgetattr),
    ("vinfo", vinfo),
    ("vismember", vismember),
    ("vlinks", vlinks),
    ("vrandmember", vrandmember),
    ("vrem", vrem),
    ("vsetattr", vsetattr),
    ("vsim", search::vsim),
];

/// How far to look for neighbors of a new element, unless it says so.
const DEFAULT_EF: usize = 200;
const MOST_EF: i64 = 1_000_000;
/// Links that a node has, unless it is said.
const DEFAULT_M: usize = 16;
const M: std::ops::RangeInclusive<i64> = 4..=4096;
/// Numbers that a projection may have: 64 MiB of them.
const MOST_PROJECTED: usize = 1 << 24;

fn arity_error<T>(ctx: &Context<'_>) -> Result<T, Failure> {
    Err(wrong_arity(&ctx.spec.name.to_ascii_uppercase()).into())
}

/// The error of a number of arguments that is not in a range.
fn check_arity(ctx: &Context<'_>, args: &Args<'_>, allowed: impl std::ops::RangeBounds<usize>) -> Outcome {
    match allowed.contains(&args.len()) {
        true => Ok(()),
        false => arity_error(ctx),
    }
}

/// A whole number from 1 up to `most`.
fn number(text: Option<&[u8]>, most: i64) -> Option<usize> {
    let number = parse_i64(text?)?;
    (1..=most).contains(&number).then_some(number as usize)
}

/// Notes a write. The keyspace hears nothing of it.
fn written(ctx: &mut Context<'_>, key: &[u8]) {
    ctx.core.dirty += 1;
    ctx.core.touched(ctx.database, key);
}

/// What stands behind the element of VADD.
struct AddOptions<'a> {
    form: Quantization,
    m: usize,
    ef: usize,
    attribute: Option<&'a [u8]>,
}

fn add_options<'a>(words: Args<'a>) -> Result<AddOptions<'a>, Failure> {
    let mut options = AddOptions {
        form: Quantization::Int8,
        m: DEFAULT_M,
        ef: DEFAULT_EF,
        attribute: None,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        // Candidates are looked for aside in Redis; here nothing is aside.
        if is("CAS") {
            continue;
        }
        if is("NOQUANT") {
            options.form = Quantization::Float;
        } else if is("BIN") {
            options.form = Quantization::Binary;
        } else if is("Q8") {
            options.form = Quantization::Int8;
        } else {
            let Some(value) = words.next() else {
                return Err("ERR invalid option after element".into());
            };
            if is("EF") {
                options.ef = number(Some(value), MOST_EF).ok_or("ERR invalid EF")?;
            } else if is("M") {
                let m = parse_i64(value).filter(|m| M.contains(m));
                options.m = m.ok_or("ERR invalid M")? as usize;
            } else if is("SETATTR") {
                options.attribute = Some(value);
            } else {
                return Err("ERR invalid option after element".into());
            }
        }
    }
    Ok(options)
}

fn mismatch<T>(got: usize, has: usize) -> Result<T, Failure> {
    Err(format!("ERR Vector dimension mismatch - got {got} but set has {has}").into())
}

/// Whether a set takes a vector that was given so.
fn check_shape(set: &VectorSet, given: &Given, options: &AddOptions<'_>) -> Outcome {
    if options.form != set.form() {
        return Err("ERR asked quantization mismatch with existing vector set".into());
    }
    if options.m != set.m() {
        return Err("ERR asked M value mismatch with existing vector set".into());
    }
    let len = given.vector.len();
    match (set.projection(), given.reduce) {
        (None, None) if len == set.dim() => Ok(()),
        (None, Some(_)) if len == set.dim() => {
            Err("ERR cannot add projection to existing set without projection".into())
        }
        (Some(projection), Some(reduce)) if reduce == set.dim() => check_input(projection, len),
        _ => mismatch(len, set.dim()),
    }
}

fn check_input(projection: &Projection, len: usize) -> Outcome {
    if projection.input() == len {
        return Ok(());
    }
    Err(format!(
        "ERR Input dimension mismatch for projection - got {len} but projection expects {}",
        projection.input()
    )
    .into())
}

/// A set for a first vector that was given so.
fn new_set(given: &Given, options: &AddOptions<'_>) -> Result<VectorSet, Failure> {
    let len = given.vector.len();
    let projection = match given.reduce {
        Some(reduce) if len.saturating_mul(reduce) > MOST_PROJECTED => {
            return Err("ERR invalid vector specification".into());
        }
        Some(reduce) => Some(Projection::new(len, reduce)),
        None => None,
    };
    Ok(VectorSet::new(Shape {
        dim: given.reduce.unwrap_or(len),
        form: options.form,
        m: options.m,
        projection,
    }))
}

/// VADD key [REDUCE dim] FP32 vector | VALUES num value [value ...] element [CAS] [NOQUANT | Q8 | BIN] [EF num]
/// [SETATTR attribute] [M num]
fn vadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 5..)?;
    let given = given(&args, 2, true)?;
    let Some(element) = args.get(given.end) else {
        return arity_error(ctx);
    };
    let options = add_options(args.from(given.end + 1))?;
    let key = ctx.key(&args, 1);
    let add = |set: &mut VectorSet, given: Given| {
        let point = set.prepare(given.vector);
        let is_new = set.add(element, point, options.ef);
        if let Some(attribute) = options.attribute {
            set.set_attribute(element, attribute);
        }
        is_new
    };
    let is_new = match ctx.core.write_as::<&mut VectorSet>(ctx.database, key)? {
        Some(set) => {
            check_shape(set, &given, &options)?;
            add(set, given)
        }
        None => {
            let mut set = Box::new(new_set(&given, &options)?);
            add(&mut set, given);
            let set = NewCollection::Large(NewValue::boxed(set));
            ctx.core.create(ctx.database, key, set);
            true
        }
    };
    written(ctx, key.bytes);
    ctx.reply.bool(is_new);
    Ok(())
}

/// VREM key element
fn vrem(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 3..=3)?;
    let key = ctx.key(&args, 1);
    let set = ctx.core.write_as::<&mut VectorSet>(ctx.database, key)?;
    let (removed, emptied) = set.map_or((false, false), |set| (set.remove(args.at(2)), set.is_empty()));
    if removed {
        written(ctx, key.bytes);
    }
    if emptied {
        delete_emptied(ctx, key);
    }
    ctx.reply.bool(removed);
    Ok(())
}

/// VSETATTR key element attribute
fn vsetattr(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 4..=4)?;
    let key = ctx.key(&args, 1);
    let set = ctx.core.write_as::<&mut VectorSet>(ctx.database, key)?;
    let is_set = set.is_some_and(|set| set.set_attribute(args.at(2), args.at(3)));
    if is_set {
        written(ctx, key.bytes);
    }
    ctx.reply.bool(is_set);
    Ok(())
}

/// The set of a key and the node of the element behind it, if both are there.
fn element<'c>(ctx: &'c mut Context<'_>, args: &Args<'_>) -> Result<Option<(&'c VectorSet, u32)>, Failure> {
    let key = ctx.key(args, 1);
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    Ok(set.and_then(|set| Some((set, set.find(args.at(2))?))))
}

/// VCARD key
fn vcard(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 2..=2)?;
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    ctx.reply.len(set.map_or(0, VectorSet::len));
    Ok(())
}

/// VDIM key
fn vdim(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 2..=2)?;
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    let dim = set.map(VectorSet::dim).ok_or("ERR key does not exist")?;
    ctx.reply.len(dim);
    Ok(())
}

/// VISMEMBER key element
fn vismember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 3..=3)?;
    let is_member = element(ctx, &args)?.is_some();
    ctx.reply.bool(is_member);
    Ok(())
}

/// VGETATTR key element
fn vgetattr(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 3..=3)?;
    let found = element(ctx, &args)?;
    let attribute = found.map(|(set, node)| set.attribute(node).to_vec());
    ctx.reply
        .bulk_or_null(attribute.filter(|attribute| !attribute.is_empty()));
    Ok(())
}

/// How VINFO and VEMB call a form.
fn form_name(form: Quantization) -> &'static str {
    match form {
        Quantization::Float => "f32",
        Quantization::Int8 => "int8",
        Quantization::Binary => "bin",
    }
}

/// VEMB key element [RAW]
fn vemb(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 3..)?;
    let raw = match args.len() {
        3 => false,
        4 if args.at(3).eq_ignore_ascii_case(b"RAW") => true,
        _ => return Err("ERR invalid option".into()),
    };
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    let reply = &mut ctx.reply;
    let Some((set, node)) = set.and_then(|set| Some((set, set.find(args.at(2))?))) else {
        reply.null();
        return Ok(());
    };
    if raw {
        let (point, range) = (set.point(node), set.point(node).range());
        reply.array(3 + usize::from(range.is_some()));
        reply.simple(form_name(set.form()));
        reply.bulk(point.raw());
        reply.double(set.length(node).into());
        range.into_iter().for_each(|range| reply.double(range.into()));
        return Ok(());
    }
    reply.array(set.dim());
    set.vector(node)
        .into_iter()
        .for_each(|component| reply.double(component.into()));
    Ok(())
}

/// VINFO key
fn vinfo(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 2..=2)?;
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    let reply = &mut ctx.reply;
    let Some(set) = set else {
        reply.null_array();
        return Ok(());
    };
    let facts = [
        ("hnsw-m", set.m()),
        ("vector-dim", set.dim()),
        ("projection-input-dim", set.projection().map_or(0, Projection::input)),
        ("size", set.len()),
        ("max-level", set.top_level()),
        ("attributes-count", set.attributes()),
        ("vset-uid", set.id() as usize),
        ("hnsw-max-node-uid", set.added() as usize),
    ];
    reply.map(1 + facts.len());
    reply.simple("quant-type");
    reply.simple(form_name(set.form()));
    for (name, value) in facts {
        reply.simple(name);
        reply.len(value);
    }
    Ok(())
}

/// VLINKS key element [WITHSCORES]: the links on each level, from the highest on.
fn vlinks(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 3..=4)?;
    let with_scores = args.len() == 4;
    if with_scores && !args.at(3).eq_ignore_ascii_case(b"WITHSCORES") {
        return arity_error(ctx);
    }
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    let reply = &mut ctx.reply;
    let Some((set, node)) = set.and_then(|set| Some((set, set.find(args.at(2))?))) else {
        reply.null();
        return Ok(());
    };
    reply.array(1 + set.level(node));
    for level in (0..=set.level(node)).rev() {
        let links = set.links(node, level);
        match with_scores {
            true => reply.map(links.len()),
            false => reply.array(links.len()),
        }
        for &link in links {
            reply.bulk(set.name(link));
            if with_scores {
                reply.double(search::score(set.point(node).distance(set.point(link))));
            }
        }
    }
    Ok(())
}

/// VRANDMEMBER key [count]
fn vrandmember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_arity(ctx, &args, 2..=3)?;
    let count = match args.get(2) {
        Some(count) => Some(parse_i64(count).ok_or("ERR COUNT value is not an integer")?),
        None => None,
    };
    let key = ctx.key(&args, 1);
    let mut random = ctx.core.random.fork();
    let set = ctx.core.read_as::<&VectorSet>(ctx.database, key)?;
    let reply = &mut ctx.reply;
    let Some(count) = count else {
        match set {
            Some(set) => reply.bulk(set.name(random.u32(..set.len() as u32))),
            None => reply.null(),
        }
        return Ok(());
    };
    let Some(set) = set.filter(|_| count != 0) else {
        reply.array(0);
        return Ok(());
    };
    let nodes = set.len() as u32;
    let Ok(count) = usize::try_from(count) else {
        let count = count.unsigned_abs() as usize;
        make_room(reply, count)?;
        reply.array(count);
        (0..count).for_each(|_| reply.bulk(set.name(random.u32(..nodes))));
        return Ok(());
    };
    let count = count.min(set.len());
    reply.array(count);
    if is_walk(count, set.len()) {
        let mut selection = Selection::new(count, set.len());
        let taken = (0..nodes).filter(|_| selection.takes(&mut || random.u64(..)));
        taken.for_each(|node| reply.bulk(set.name(node)));
        return Ok(());
    }
    let mut seen = HashSet::with_capacity(count);
    while seen.len() < count {
        let node = random.u32(..nodes);
        if seen.insert(node) {
            reply.bulk(set.name(node));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
