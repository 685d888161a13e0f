//! Commands for places: sorted sets whose scores are geohashes (see [`crate::types::geo`]).
//!
//! Here are those that concern single members; [`search`] has those that look for members in an area.

mod search;
#[cfg(test)]
mod tests;

use super::expiry::syntax_error;
use super::handlers::Family;
use super::sorted_sets::add::{AddOptions, add_members};
use crate::format::number::{four_decimals, parse_double};
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::failure::{Failure, NOT_FLOAT};
use crate::server::{Context, Outcome};
use crate::types::geo::Point;
use crate::types::zset::ZsetRef;

pub const COMMANDS: Family = &[
    ("geoadd", geoadd),
    ("geodist", geodist),
    ("geohash", geohash),
    ("geopos", geopos),
    ("georadius", search::georadius),
    ("georadius_ro", search::georadius_ro),
    ("georadiusbymember", search::georadiusbymember),
    ("georadiusbymember_ro", search::georadiusbymember_ro),
    ("geosearch", search::geosearch),
    ("geosearchstore", search::geosearchstore),
];

/// Reads a longitude and the latitude behind it.
fn parse_point(args: Args<'_>, at: usize) -> Result<Point, Failure> {
    let number = |text: &[u8]| parse_double(text).ok_or_else(|| Failure::from(NOT_FLOAT));
    let (longitude, latitude) = (number(args.at(at))?, number(args.at(at + 1))?);
    let point = Point { longitude, latitude };
    if !point.is_valid() {
        return Err(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}").into());
    }
    Ok(point)
}

/// Metres of a unit of length.
fn parse_unit(text: &[u8]) -> Result<f64, Failure> {
    let known: [(&[u8], f64); 4] = [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let found = known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found
        .map(|(_, metres)| metres)
        .ok_or_else(|| "ERR unsupported unit provided. please use M, KM, FT, MI".into())
}

fn reply_point(reply: &mut Reply, point: Point) {
    reply.array(2);
    reply.coordinate(point.longitude);
    reply.coordinate(point.latitude);
}

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]
fn geoadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut options = AddOptions::default();
    let mut first = 2;
    while let Some(option) = args.get(first) {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"nx") {
            options.only_absent = true;
        } else if is(b"xx") {
            options.only_present = true;
        } else if is(b"ch") {
            options.count_changed = true;
        } else {
            break;
        }
        first += 1;
    }
    let rest = args.len() - first;
    if rest == 0 || !rest.is_multiple_of(3) || options.only_absent && options.only_present {
        return syntax_error();
    }
    let places = (first..args.len()).step_by(3);
    for at in places.clone() {
        parse_point(args, at)?;
    }
    let score = |at| parse_point(args, at).map(Point::score).unwrap_or_default();
    let members = places.map(|at| (args.at(at + 2), move || score(at)));
    let key = ctx.key(&args, 1);
    add_members(ctx, key, options, members)
}

/// GEODIST key member1 member2 [M | KM | FT | MI]
fn geodist(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 5 {
        return syntax_error();
    }
    let unit = args.get(4).map_or(Ok(1.0), parse_unit)?;
    let key = ctx.key(&args, 1);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    let place = |member| zset?.score(member).map(Point::from_score);
    match (place(args.at(2)), place(args.at(3))) {
        (Some(one), Some(other)) => ctx.reply.bulk(four_decimals(one.distance(other) / unit).as_bytes()),
        _ => ctx.reply.null(),
    }
    Ok(())
}

/// GEOHASH key [member ...]
fn geohash(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    for_each_place(ctx, args, |reply, place| match place {
        Some(place) => reply.bulk(place.geohash()),
        None => reply.null(),
    })
}

/// GEOPOS key [member ...]
fn geopos(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    for_each_place(ctx, args, |reply, place| match place {
        Some(place) => reply_point(reply, place),
        None => reply.null_array(),
    })
}

/// Writes something for each member in the arguments.
fn for_each_place(ctx: &mut Context<'_>, args: Args<'_>, write: impl Fn(&mut Reply, Option<Point>)) -> Outcome {
    let key = ctx.key(&args, 1);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    let members = args.from(2).iter();
    ctx.reply.array(members.len());
    for member in members {
        let score = zset.and_then(|zset| zset.score(member));
        write(ctx.reply, score.map(Point::from_score));
    }
    Ok(())
}
