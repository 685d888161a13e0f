//! Looking for members in an area: GEOSEARCH, and GEORADIUS with its kin, which came before it.
//!
//! The cells that cover the area are read one by one, each a range of scores. What lies in them is kept if it lies in the
//! area too, in the order in which it is met, and is sorted only if the order or the nearest are asked for.

use std::cmp::Ordering;

use super::{parse_point, parse_unit, reply_point};
use crate::commands::expiry::syntax_error;
use crate::commands::values::{ViewMut, ZsetBuilder, ZsetMut, store_result};
use crate::format::number::{four_decimals, parse_double};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::geo::{Area, Point, Shape, integer_of, sort_front};
use crate::types::listpack::Element;
use crate::types::zset::{ScoreRange, ZsetRef, compare_members};

/// Which of the commands is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Radius { may_store: bool },
    RadiusByMember { may_store: bool },
    Search,
    SearchStore,
}

impl Command {
    /// Whether the centre and the area are named by options.
    fn is_search(self) -> bool {
        matches!(self, Command::Search | Command::SearchStore)
    }

    fn may_store(self) -> bool {
        matches!(
            self,
            Command::Radius { may_store: true } | Command::RadiusByMember { may_store: true }
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Nearest,
    Furthest,
}

/// Where the result goes.
#[derive(Clone, Copy, Debug)]
struct Destination {
    /// The index of the key's argument.
    key: usize,
    event: &'static str,
}

/// What is asked for besides the area.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    with_distance: bool,
    with_hash: bool,
    with_coordinates: bool,
    sort: Option<Sort>,
    /// How many at most, if not all.
    count: Option<usize>,
    /// Whether any so many will do, rather than the first in order.
    any: bool,
    destination: Option<Destination>,
    /// Whether distances become the scores of what is stored.
    store_distances: bool,
}

/// A member found.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    member: Element<'a>,
    score: f64,
    point: Point,
    /// Metres from the centre.
    distance: f64,
}

/// A request as it is read: parts of it are named in any order.
struct Request {
    command: Command,
    options: Options,
    center: Option<Point>,
    /// The centre is a member, whose place is not known if there is no such key.
    from_member: bool,
    from_point: bool,
    shape: Option<(Shape, f64)>,
}

/// Reads a length that must not be negative.
fn parse_length(text: &[u8], what: &str) -> Result<f64, Failure> {
    parse_double(text).ok_or_else(|| format!("ERR need numeric {what}").into())
}

/// Reads `radius unit` from argument `at` on.
fn parse_circle(args: Args<'_>, at: usize) -> Result<(Shape, f64), Failure> {
    let radius = parse_length(args.at(at), "radius")?;
    if radius < 0.0 {
        return Err("ERR radius cannot be negative".into());
    }
    Ok((Shape::Circle { radius }, parse_unit(args.at(at + 1))?))
}

/// Reads `width height unit` from argument `at` on.
fn parse_box(args: Args<'_>, at: usize) -> Result<(Shape, f64), Failure> {
    let width = parse_length(args.at(at), "width")?;
    let height = parse_length(args.at(at + 1), "height")?;
    if width < 0.0 || height < 0.0 {
        return Err("ERR height or width cannot be negative".into());
    }
    Ok((Shape::Box { width, height }, parse_unit(args.at(at + 2))?))
}

fn place_of(zset: ZsetRef<'_>, member: &[u8]) -> Result<Point, Failure> {
    let score = zset.score(member);
    score
        .map(Point::from_score)
        .ok_or_else(|| "ERR could not decode requested zset member".into())
}

impl Request {
    /// Reads a request about `zset`, the value of its source.
    fn read(command: Command, args: Args<'_>, zset: Option<ZsetRef<'_>>) -> Result<Self, Failure> {
        let mut request = Request {
            command,
            options: Options::default(),
            center: None,
            from_member: false,
            from_point: false,
            shape: None,
        };
        let first = request.read_positional(args, zset)?;
        request.read_options(args, first, zset)?;
        request.check(args)?;
        Ok(request)
    }

    /// Reads what stands in front of the options; gives where these begin.
    fn read_positional(&mut self, args: Args<'_>, zset: Option<ZsetRef<'_>>) -> Result<usize, Failure> {
        match self.command {
            Command::Radius { .. } => {
                self.center = Some(parse_point(args, 2)?);
                self.shape = Some(parse_circle(args, 4)?);
                Ok(6)
            }
            Command::RadiusByMember { .. } => {
                // Without a source nothing is found whatever the area, and Redis does not look at it.
                if let Some(zset) = zset {
                    self.center = Some(place_of(zset, args.at(2))?);
                    self.shape = Some(parse_circle(args, 3)?);
                }
                Ok(5)
            }
            Command::Search => Ok(2),
            Command::SearchStore => {
                self.options.destination = Some(Destination {
                    key: 1,
                    event: "geosearchstore",
                });
                Ok(3)
            }
        }
    }

    fn read_options(&mut self, args: Args<'_>, first: usize, zset: Option<ZsetRef<'_>>) -> Outcome {
        let mut at = first;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            let values = args.len() - at - 1;
            let options = &mut self.options;
            at += 1;
            if is(b"withdist") {
                options.with_distance = true;
            } else if is(b"withhash") {
                options.with_hash = true;
            } else if is(b"withcoord") {
                options.with_coordinates = true;
            } else if is(b"any") {
                options.any = true;
            } else if is(b"asc") {
                options.sort = Some(Sort::Nearest);
            } else if is(b"desc") {
                options.sort = Some(Sort::Furthest);
            } else if is(b"count") && values >= 1 {
                options.count = Some(parse_count(args.at(at))?);
                at += 1;
            } else if is(b"storedist") && self.command == Command::SearchStore {
                options.store_distances = true;
            } else if (is(b"store") || is(b"storedist")) && values >= 1 && self.command.may_store() {
                options.destination = Some(Destination {
                    key: at,
                    event: "georadiusstore",
                });
                options.store_distances = is(b"storedist");
                at += 1;
            } else if self.command.is_search() {
                at += self.read_area(args, at, zset)?;
            } else {
                return syntax_error();
            }
        }
        Ok(())
    }

    /// Reads one of the options that name the area, with its values from argument `at` on; gives how many these are. An
    /// option may come again, but not beside its alternative.
    fn read_area(&mut self, args: Args<'_>, at: usize, zset: Option<ZsetRef<'_>>) -> Result<usize, Failure> {
        let is = |name: &[u8]| args.at(at - 1).eq_ignore_ascii_case(name);
        let values = args.len() - at;
        let (is_circle, is_box) = match self.shape {
            Some((Shape::Circle { .. }, _)) => (true, false),
            Some((Shape::Box { .. }, _)) => (false, true),
            None => (false, false),
        };
        if is(b"frommember") && values >= 1 && !self.from_point {
            if let Some(zset) = zset {
                self.center = Some(place_of(zset, args.at(at))?);
            }
            self.from_member = true;
            Ok(1)
        } else if is(b"fromlonlat") && values >= 2 && !self.from_member {
            self.center = Some(parse_point(args, at)?);
            self.from_point = true;
            Ok(2)
        } else if is(b"byradius") && values >= 2 && !is_box {
            self.shape = Some(parse_circle(args, at)?);
            Ok(2)
        } else if is(b"bybox") && values >= 3 && !is_circle {
            self.shape = Some(parse_box(args, at)?);
            Ok(3)
        } else {
            syntax_error()
        }
    }

    /// Refuses what does not go together or is missing.
    fn check(&self, args: Args<'_>) -> Outcome {
        let options = &self.options;
        if options.destination.is_some() && (options.with_distance || options.with_hash || options.with_coordinates) {
            let what = match self.command {
                Command::SearchStore => "GEOSEARCHSTORE",
                Command::Search | Command::Radius { .. } | Command::RadiusByMember { .. } => {
                    "STORE option in GEORADIUS"
                }
            };
            return Err(format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options").into());
        }
        let named = |what: &str| -> Failure {
            let name = args.at(0);
            // What Redis formats as a text of C ends at a NUL.
            let name = name.split(|&byte| byte == 0).next().unwrap_or(name);
            [b"ERR exactly one of ", what.as_bytes(), b" can be specified for ", name]
                .concat()
                .into()
        };
        if self.command.is_search() && !self.from_member && !self.from_point {
            return Err(named("FROMMEMBER or FROMLONLAT"));
        }
        if self.command.is_search() && self.shape.is_none() {
            return Err(named("BYRADIUS and BYBOX"));
        }
        if options.any && options.count.is_none() {
            return Err("ERR the ANY argument requires COUNT argument".into());
        }
        Ok(())
    }

    /// The area, unless its centre is a member of a key that is not there.
    fn area(&self) -> Option<Area> {
        let (shape, unit) = self.shape?;
        Some(Area {
            center: self.center?,
            shape,
            unit,
        })
    }
}

fn parse_count(text: &[u8]) -> Result<usize, Failure> {
    match integer(text)? {
        count if count > 0 => Ok(count as usize),
        _ => Err("ERR COUNT must be > 0".into()),
    }
}

impl Options {
    /// The members of the area that are asked for, in order.
    fn find<'a>(&self, zset: ZsetRef<'a>, area: &Area) -> Vec<Found<'a>> {
        // Any members will do: no more are looked for.
        let enough = if self.any { self.count } else { None };
        let mut found = find_all(zset, area, enough.unwrap_or(usize::MAX));
        let count = self.count.unwrap_or(usize::MAX).min(found.len());
        let sort = match self.sort {
            // The nearest, if so many and not just any.
            None if self.count.is_some() && !self.any => Some(Sort::Nearest),
            sort => sort,
        };
        if let Some(sort) = sort {
            let compare = |one: &Found<'_>, other: &Found<'_>| sort.compare(one.distance, other.distance);
            if count == found.len() {
                found.sort_by(compare);
            } else {
                sort_front(&mut found, count, compare);
            }
        }
        found.truncate(count);
        found
    }
}

impl Sort {
    fn compare(self, one: f64, other: f64) -> Ordering {
        match self {
            Sort::Nearest => one.total_cmp(&other),
            Sort::Furthest => other.total_cmp(&one),
        }
    }
}

/// The members of the area, cell by cell, until there are `enough`. O(log n) a cell, and O(1) for each member in the cells;
/// in a listpack O(n) a cell.
fn find_all<'a>(zset: ZsetRef<'a>, area: &Area, enough: usize) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for cell in area.cells() {
        if found.len() >= enough {
            break;
        }
        let range = ScoreRange {
            min: cell.first_score(),
            max: cell.end_score(),
            min_exclusive: false,
            max_exclusive: true,
        };
        let members = zset.iter(zset.score_ranks(&range), false);
        let places = members.filter_map(|(member, score)| {
            let point = Point::from_score(score);
            let distance = area.distance_within(point)?;
            Some(Found {
                member,
                score,
                point,
                distance,
            })
        });
        let left = enough - found.len();
        found.extend(places.take(left));
    }
    found
}

fn run(ctx: &mut Context<'_>, args: Args<'_>, command: Command) -> Outcome {
    let source = ctx.key(&args, if command == Command::SearchStore { 2 } else { 1 });
    let limits = ZsetMut::limits(&ctx.core.settings);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, source)?;
    let request = Request::read(command, args, zset)?;
    let options = &request.options;
    let unit = request.shape.map_or(1.0, |(_, unit)| unit);
    let found = match (zset, request.area()) {
        (Some(zset), Some(area)) => options.find(zset, &area),
        _ => Vec::new(),
    };
    let Some(destination) = options.destination else {
        ctx.reply.array(found.len());
        found.iter().for_each(|found| options.write(ctx.reply, found, unit));
        return Ok(());
    };
    let count = found.len();
    let value = (count > 0).then(|| {
        let score = |found: &Found<'_>| match options.store_distances {
            true => found.distance / unit,
            false => found.score,
        };
        let mut members: Vec<_> = found.iter().map(|found| (found.member, score(found))).collect();
        members.sort_unstable_by(compare_members);
        ZsetBuilder::from_ordered(members.into_iter(), limits)
    });
    let key = Key::new(args.at(destination.key));
    store_result(ctx, key, value, count, (Class::ZSET, destination.event));
    ctx.reply.len(count);
    Ok(())
}

impl Options {
    fn write(&self, reply: &mut Reply, found: &Found<'_>, unit: f64) {
        let extras = [self.with_distance, self.with_hash, self.with_coordinates];
        let extras = extras.into_iter().filter(|&wanted| wanted).count();
        if extras > 0 {
            reply.array(1 + extras);
        }
        reply.element(found.member);
        if self.with_distance {
            reply.bulk(four_decimals(found.distance / unit).as_bytes());
        }
        if self.with_hash {
            reply.int(integer_of(found.score));
        }
        if self.with_coordinates {
            reply_point(reply, found.point);
        }
    }
}

/// GEORADIUS key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC] [STORE key | STOREDIST key]
pub(super) fn georadius(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Command::Radius { may_store: true })
}

/// GEORADIUS_RO key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC]
pub(super) fn georadius_ro(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Command::Radius { may_store: false })
}

/// GEORADIUSBYMEMBER key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC] [STORE key | STOREDIST key]
pub(super) fn georadiusbymember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Command::RadiusByMember { may_store: true })
}

/// GEORADIUSBYMEMBER_RO key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC]
pub(super) fn georadiusbymember_ro(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Command::RadiusByMember { may_store: false })
}

/// GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius unit | BYBOX width height unit>
/// [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]
pub(super) fn geosearch(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Command::Search)
}

/// GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude>
/// <BYRADIUS radius unit | BYBOX width height unit> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]
pub(super) fn geosearchstore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(ctx, args, Command::SearchStore)
}
