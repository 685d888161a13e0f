//! Unions, intersections and differences of sets.
//!
//! Results are gathered in a [`SetBuilder`], also those that are only sent: it knows what is in it already. Which form a
//! stored result gets depends on the way it came about, as `OBJECT ENCODING` shows, so the ways are Redis's: the choice
//! between the two algorithms of a difference is part of that.

use std::cmp::Reverse;
use std::ops::Range;

use super::handlers::Family;
use super::values::{NewCollection, SetMut, ViewMut, store_result};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::core::Core;
use crate::server::failure::{Failure, SYNTAX};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::listpack::Element;
use crate::types::set::{Form, SetBuilder, SetLimits, SetRef};

pub const COMMANDS: Family = &[
    ("sdiff", sdiff),
    ("sdiffstore", sdiffstore),
    ("sinter", sinter),
    ("sintercard", sintercard),
    ("sinterstore", sinterstore),
    ("sunion", sunion),
    ("sunionstore", sunionstore),
];

/// Part of the work of asking for each member of the first set that counts when the algorithms of a difference are
/// compared: it is the quicker one where sets overlap.
const ASKING_DISCOUNT: usize = 2;

/// Puts into the builder what becomes of the sets, `None` those of absent keys.
type Combine = fn(&[Option<SetRef<'_>>], &mut SetBuilder, &SetLimits);

/// SUNION key [key ...]
fn sunion(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    send(ctx, args, union)
}

/// SUNIONSTORE destination key [key ...]
fn sunionstore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(ctx, args, "sunionstore", union)
}

/// SDIFF key [key ...]
fn sdiff(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    send(ctx, args, difference)
}

/// SDIFFSTORE destination key [key ...]
fn sdiffstore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(ctx, args, "sdiffstore", difference)
}

/// SINTERSTORE destination key [key ...]
fn sinterstore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(ctx, args, "sinterstore", intersection)
}

/// SINTER key [key ...]
fn sinter(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let keys = look_up(ctx, &args, 1..args.len())?;
    let sets = views(ctx.core, ctx.database, &keys);
    ctx.reply.deferred(Reply::set, |reply| {
        let mut found = 0;
        intersect(&sets, |member| {
            reply.element(member);
            found += 1;
            true
        });
        found
    });
    Ok(())
}

/// SINTERCARD numkeys key [key ...] [LIMIT limit]
fn sintercard(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = match integer(args.at(1)) {
        Ok(count @ 1..) => count as usize,
        _ => return Err("ERR numkeys should be greater than 0".into()),
    };
    if count > args.len() - 2 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    let mut limit = usize::MAX;
    let mut index = 2 + count;
    while let Some(option) = args.get(index) {
        let value = args.get(index + 1).ok_or(SYNTAX)?;
        if !option.eq_ignore_ascii_case(b"limit") {
            return Err(SYNTAX.into());
        }
        limit = match integer(value) {
            Ok(0) => usize::MAX,
            Ok(limit @ 1..) => limit as usize,
            _ => return Err("ERR LIMIT can't be negative".into()),
        };
        index += 2;
    }
    let keys = look_up(ctx, &args, 2..2 + count)?;
    let sets = views(ctx.core, ctx.database, &keys);
    let mut found = 0;
    intersect(&sets, |_| {
        found += 1;
        found < limit
    });
    ctx.reply.len(found);
    Ok(())
}

/// The keys of the arguments in `range`. Fails if one holds another type, whatever the others hold.
fn look_up<'k>(ctx: &mut Context<'_>, args: &Args<'k>, range: Range<usize>) -> Result<Vec<Key<'k>>, Failure> {
    range
        .map(|index| {
            let key = ctx.key(args, index);
            ctx.core.read_as::<SetRef>(ctx.database, key)?;
            Ok(key)
        })
        .collect()
}

/// The sets of keys that have been looked up.
fn views<'c>(core: &'c Core, database: usize, keys: &[Key<'_>]) -> Vec<Option<SetRef<'c>>> {
    keys.iter().map(|&key| core.view_as(database, key)).collect()
}

/// Answers with the result.
fn send(ctx: &mut Context<'_>, args: Args<'_>, combine: Combine) -> Outcome {
    let keys = look_up(ctx, &args, 1..args.len())?;
    let limits = SetMut::limits(&ctx.core.settings);
    let sets = views(ctx.core, ctx.database, &keys);
    let integers = sets.iter().flatten().all(|set| set.form() == Form::Intset);
    // A listpack would be searched for every member that is added.
    let mut result = SetBuilder::new(if integers { Form::Intset } else { Form::Table });
    combine(&sets, &mut result, &limits);
    let members = result.as_ref();
    ctx.reply.set(members.len());
    members.iter().for_each(|member| ctx.reply.element(member));
    if let SetBuilder::Table(set) = result {
        let (_, graveyard, _) = ctx.core.writer(ctx.database);
        graveyard.bury(Some(set as _));
    }
    Ok(())
}

/// Stores the result under the first key and answers with its length.
fn store(ctx: &mut Context<'_>, args: Args<'_>, event: &str, combine: Combine) -> Outcome {
    let keys = look_up(ctx, &args, 2..args.len())?;
    let limits = SetMut::limits(&ctx.core.settings);
    let sets = views(ctx.core, ctx.database, &keys);
    let mut result = SetBuilder::new(Form::Intset);
    combine(&sets, &mut result, &limits);
    let len = result.as_ref().len();
    let value = (len > 0).then(|| NewCollection::from(result));
    store_result(ctx, ctx.key(&args, 1), value, 1, (Class::SET, event));
    ctx.reply.len(len);
    Ok(())
}

/// Adds the members of all sets. O(members).
fn union(sets: &[Option<SetRef<'_>>], result: &mut SetBuilder, limits: &SetLimits) {
    for set in sets.iter().flatten() {
        add_all(*set, result, limits);
    }
}

fn add_all(set: SetRef<'_>, result: &mut SetBuilder, limits: &SetLimits) {
    let mut digits = itoa::Buffer::new();
    for member in set.iter() {
        result.add(member.text(&mut digits), limits);
    }
}

/// Shows `tell` the members of all sets, in the order of the smallest, until it says false. Nothing if a set is absent.
/// O(members of the smallest set, for each set).
fn intersect(sets: &[Option<SetRef<'_>>], mut tell: impl FnMut(Element<'_>) -> bool) {
    let Some(sets) = by_size(sets) else { return };
    let Some((smallest, others)) = sets.split_first() else {
        return;
    };
    let mut digits = itoa::Buffer::new();
    for member in smallest.iter() {
        let text = member.text(&mut digits);
        if others.iter().all(|set| set.contains(text)) && !tell(member) {
            return;
        }
    }
}

/// The sets from the smallest on; `None` if one is absent.
fn by_size<'a>(sets: &[Option<SetRef<'a>>]) -> Option<Vec<SetRef<'a>>> {
    let mut sets: Vec<SetRef> = sets.iter().copied().collect::<Option<_>>()?;
    sets.sort_by_key(|set| set.len());
    Some(sets)
}

/// Adds what all sets have. The result starts as an intset only if the smallest set is one, and becomes one in the end if
/// it can.
fn intersection(sets: &[Option<SetRef<'_>>], result: &mut SetBuilder, limits: &SetLimits) {
    let Some(smallest) = by_size(sets).and_then(|sets| sets.first().copied()) else {
        return;
    };
    if smallest.form() != Form::Intset {
        *result = SetBuilder::new(Form::Listpack);
    }
    let mut digits = itoa::Buffer::new();
    intersect(sets, |member| {
        result.add(member.text(&mut digits), limits);
        true
    });
    result.narrow(limits);
}

/// Adds what the first set has and no other. Either by asking the others for each of its members, the largest first, or
/// by adding all of them and removing those of the others: whichever is less work. O(members of the first set, for each
/// set) or O(members of all sets).
fn difference(sets: &[Option<SetRef<'_>>], result: &mut SetBuilder, limits: &SetLimits) {
    let Some((&Some(first), others)) = sets.split_first() else {
        return;
    };
    let mut others: Vec<SetRef> = others.iter().copied().flatten().collect();
    let asking = first.len() * (others.len() + 1) / ASKING_DISCOUNT;
    let removing = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    let mut digits = itoa::Buffer::new();
    if asking <= removing {
        others.sort_by_key(|set| Reverse(set.len()));
        for member in first.iter() {
            let text = member.text(&mut digits);
            if !others.iter().any(|set| set.contains(text)) {
                result.add(text, limits);
            }
        }
        return;
    }
    add_all(first, result, limits);
    for set in others {
        for member in set.iter() {
            result.remove(member.text(&mut digits));
        }
        if result.as_ref().is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn results_take_the_form_of_their_members() {
        let mut server = Server::start();
        server.ask("SADD ints 3 1 2");
        server.ask("SADD words 2 3 a");
        assert_eq!(server.ask("SINTER ints words"), "*2|$1|2|$1|3|");
        assert_eq!(server.ask("SINTERSTORE d words ints"), ":2|");
        assert_eq!(server.ask("OBJECT ENCODING d"), "$6|intset|");
        assert_eq!(server.ask("SUNIONSTORE d words ints"), ":4|");
        assert_eq!(server.ask("OBJECT ENCODING d"), "$8|listpack|");
        assert_eq!(server.ask("SDIFF ints words nosuch"), "*1|$1|1|");
        assert_eq!(server.ask("SDIFFSTORE d ints ints"), ":0|");
        assert_eq!(server.ask("EXISTS d"), ":0|");
    }

    #[test]
    fn both_ways_to_a_difference_agree() {
        let mut server = Server::start();
        (0..300).for_each(|n| drop(server.ask(&format!("SADD large {n}"))));
        server.ask("SADD small 5 7 x");
        assert_eq!(server.ask("SDIFFSTORE d large small small small"), ":298|");
        assert_eq!(server.ask("SISMEMBER d 7"), ":0|");
        assert_eq!(server.ask("SDIFFSTORE d small large"), ":1|");
        assert_eq!(server.ask("SMEMBERS d"), "*1|$1|x|");
        assert_eq!(server.ask("SDIFFSTORE large large small"), ":298|");
    }

    #[test]
    fn counting_an_intersection_stops_at_its_limit() {
        let mut server = Server::start();
        server.ask("SADD a 1 2 3");
        server.ask("SADD b 1 2 3 4");
        assert_eq!(server.ask("SINTERCARD 2 a b"), ":3|");
        assert_eq!(server.ask("SINTERCARD 2 a b LIMIT 2"), ":2|");
        assert_eq!(server.ask("SINTERCARD 2 a b LIMIT 0"), ":3|");
        assert_eq!(server.ask("SINTERCARD 2 a nosuch"), ":0|");
        server.ask("SET s x");
        assert!(server.ask("SINTERCARD 2 nosuch s").starts_with("-WRONGTYPE"));
    }
}
