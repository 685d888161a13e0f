//! List commands that look for elements and change lists elsewhere than at their ends.

use super::handlers::Family;
use super::ranges;
use super::values::{ListMut, delete_emptied};
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::{integer, with_magnitude};
use crate::server::failure::{Failure, NO_SUCH_KEY, OUT_OF_RANGE, SYNTAX};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::list::{Beside, Direction, End, ListRef};
use crate::types::listpack::Needle;

pub const COMMANDS: Family = &[
    ("linsert", linsert),
    ("lpos", lpos),
    ("lrem", lrem),
    ("lset", lset),
    ("ltrim", ltrim),
];

/// LSET key index element
fn lset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, key)? else {
        return Err(NO_SUCH_KEY.into());
    };
    let index = integer(args.at(2))?;
    let len = list.view().len();
    // An index before the start is past the end too: the list makes room for the element before it looks.
    let index = ranges::position(index, len).unwrap_or(len);
    if !list.set(index, args.at(3)) {
        return Err(OUT_OF_RANGE.into());
    }
    list.shrink();
    ctx.changed(Class::LIST, "lset", key.bytes);
    ctx.reply.ok();
    Ok(())
}

/// LINSERT key BEFORE|AFTER pivot element
fn linsert(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let side = match args.at(2) {
        word if word.eq_ignore_ascii_case(b"before") => Beside::Before,
        word if word.eq_ignore_ascii_case(b"after") => Beside::After,
        _ => return Err(SYNTAX.into()),
    };
    let key = ctx.key(&args, 1);
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    if !list.insert_beside(args.at(3), side, args.at(4)) {
        ctx.reply.int(-1);
        return Ok(());
    }
    let len = list.view().len();
    ctx.changed(Class::LIST, "linsert", key.bytes);
    ctx.reply.len(len);
    Ok(())
}

/// LREM key count element: the first `count`, the last `-count`, or with 0 all that are equal.
fn lrem(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = with_magnitude(args.at(2))?;
    let (direction, most) = match count {
        0 => (Direction::Forward, usize::MAX),
        1.. => (Direction::Forward, count as usize),
        _ => (Direction::Backward, count.unsigned_abs() as usize),
    };
    let key = ctx.key(&args, 1);
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let removed = list.remove(args.at(3), most, direction);
    ctx.reply.len(removed);
    if removed == 0 {
        return Ok(());
    }
    let emptied = list.view().is_empty();
    list.shrink();
    ctx.changed_times(removed, Class::LIST, "lrem", key.bytes);
    if emptied {
        delete_emptied(ctx, key);
    }
    Ok(())
}

/// LTRIM key start stop. The event is sent also when nothing had to go.
fn ltrim(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (start, stop) = (integer(args.at(2))?, integer(args.at(3))?);
    let key = ctx.key(&args, 1);
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, key)? else {
        ctx.reply.ok();
        return Ok(());
    };
    let len = list.view().len();
    let kept = ranges::positions(start, stop, len);
    // A list of which nothing stays is deleted as a whole.
    if !kept.is_empty() {
        let cut = [
            list.remove_at(End::Tail, len - kept.end),
            list.remove_at(End::Head, kept.start),
        ];
        list.shrink();
        let (_, graveyard, _) = ctx.core.writer(ctx.database);
        for list in cut.into_iter().flatten() {
            graveyard.bury(Some(list));
        }
    }
    ctx.reply.ok();
    ctx.changed_times(len - kept.len(), Class::LIST, "ltrim", key.bytes);
    if kept.is_empty() {
        delete_emptied(ctx, key);
    }
    Ok(())
}

/// What LPOS looks for.
struct Search {
    direction: Direction,
    /// The first match that counts, from 1.
    rank: u64,
    /// How many matches are told, as an array; `None` is one by itself.
    count: Option<usize>,
    /// How many elements are compared.
    most: usize,
}

impl Search {
    fn parse(args: &Args<'_>) -> Result<Search, Failure> {
        let mut search = Search {
            direction: Direction::Forward,
            rank: 1,
            count: None,
            most: usize::MAX,
        };
        let mut index = 3;
        while let Some(option) = args.get(index) {
            let value = args.get(index + 1).ok_or(SYNTAX)?;
            if option.eq_ignore_ascii_case(b"rank") {
                search.set_rank(with_magnitude(value)?)?;
            } else if option.eq_ignore_ascii_case(b"count") {
                search.count = Some(unlimited_if_zero(value, "ERR COUNT can't be negative")?);
            } else if option.eq_ignore_ascii_case(b"maxlen") {
                search.most = unlimited_if_zero(value, "ERR MAXLEN can't be negative")?;
            } else {
                return Err(SYNTAX.into());
            }
            index += 2;
        }
        Ok(search)
    }

    fn set_rank(&mut self, rank: i64) -> Result<(), Failure> {
        self.direction = match rank {
            0 => {
                return Err(concat!(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... ",
                    "or use negative to start from the end of the list"
                )
                .into());
            }
            1.. => Direction::Forward,
            _ => Direction::Backward,
        };
        self.rank = rank.unsigned_abs();
        Ok(())
    }

    /// The positions of the matches that count, of the elements that are compared. O(n).
    fn matches<'a>(&self, list: ListRef<'a>, needle: &'a Needle<'a>) -> impl Iterator<Item = usize> + use<'a> {
        let (last, direction) = (list.len().saturating_sub(1), self.direction);
        let first = match direction {
            Direction::Forward => 0,
            Direction::Backward => last,
        };
        list.walk(first, direction)
            .take(self.most)
            .enumerate()
            .filter(|(_, element)| needle.matches(*element))
            .skip(usize::try_from(self.rank - 1).unwrap_or(usize::MAX))
            .map(move |(steps, _)| match direction {
                Direction::Forward => steps,
                Direction::Backward => last - steps,
            })
    }
}

/// A limit that 0 lifts. `error` answers what is no such number.
fn unlimited_if_zero(text: &[u8], error: &'static str) -> Result<usize, Failure> {
    match integer(text) {
        Ok(0) => Ok(usize::MAX),
        Ok(limit @ 1..) => Ok(limit as usize),
        _ => Err(error.into()),
    }
}

/// LPOS key element [RANK rank] [COUNT count] [MAXLEN len]
fn lpos(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let search = Search::parse(&args)?;
    let key = ctx.key(&args, 1);
    let list = ctx.core.read_as::<ListRef>(ctx.database, key)?;
    let needle = Needle::new(args.at(2));
    let mut found = list.into_iter().flat_map(|list| search.matches(list, &needle));
    let Some(count) = search.count else {
        match found.next() {
            Some(position) => ctx.reply.len(position),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    ctx.reply.deferred(Reply::array, |reply| {
        found.take(count).map(|position| reply.len(position)).count()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn elements_are_removed_from_the_side_of_the_sign() {
        let mut server = Server::start();
        server.ask("RPUSH l a b a c a");
        assert_eq!(server.ask("LREM l -1 a"), ":1|");
        assert_eq!(server.ask("LRANGE l 0 -1"), "*4|$1|a|$1|b|$1|a|$1|c|");
        assert_eq!(server.ask("LREM l 1 a"), ":1|");
        assert!(
            server
                .ask("LREM l -9223372036854775808 b")
                .starts_with("-ERR value is out of range")
        );
        assert_eq!(server.ask("LREM l -9223372036854775807 b"), ":1|");
        assert_eq!(server.ask("LREM l 0 x"), ":0|");
        assert_eq!(server.ask("LTRIM l 5 9"), "+OK|");
        assert_eq!(server.ask("EXISTS l"), ":0|");
    }

    #[test]
    fn a_list_that_shrinks_becomes_a_listpack_again() {
        let mut server = Server::start();
        let long = "x".repeat(9000);
        for (push, shrink) in [
            ("RPUSH l a b LONG", "LREM l 1 LONG"),
            ("RPUSH l a b LONG", "LTRIM l 0 1"),
            ("RPUSH l LONG", "LSET l 0 c"),
        ] {
            server.ask(&push.replace("LONG", &long));
            assert_eq!(server.ask("OBJECT ENCODING l"), "$9|quicklist|");
            server.ask(&shrink.replace("LONG", &long));
            assert_eq!(server.ask("OBJECT ENCODING l"), "$8|listpack|", "{shrink}");
            server.ask("DEL l");
        }
        // An element that is not put in has made room all the same.
        server.ask("RPUSH l a");
        assert_eq!(server.ask(&format!("LINSERT l BEFORE x {long}")), ":-1|");
        assert_eq!(server.ask("OBJECT ENCODING l"), "$9|quicklist|");
    }

    #[test]
    fn positions_are_told_from_either_side() {
        let mut server = Server::start();
        server.ask("RPUSH l a b c 1 2 3 c c");
        assert_eq!(server.ask("LPOS l c"), ":2|");
        assert_eq!(server.ask("LPOS l c RANK 2"), ":6|");
        assert_eq!(server.ask("LPOS l c RANK -1 COUNT 2"), "*2|:7|:6|");
        assert_eq!(server.ask("LPOS l c COUNT 0 MAXLEN 7"), "*2|:2|:6|");
        assert_eq!(server.ask("LPOS l c RANK 9"), "$-1|");
        assert_eq!(server.ask("LPOS nosuch c COUNT 0"), "*0|");
    }
}
