//! List commands that take from one list and give to another, or from the first of several lists; at once or, when there
//! is nothing to take, later (see [`crate::server::blocking`]).

use super::handlers::Family;
use super::lists::{pop_many, pop_name};
use super::values::{ListMut, delete_emptied, new_list};
use crate::keyspace::{Key, Type};
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::blocking::{Wait, timeout_seconds};
use crate::server::context::integer;
use crate::server::failure::{Failure, SYNTAX};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::list::End;

pub const COMMANDS: Family = &[
    ("blmove", blmove),
    ("blmpop", blmpop),
    ("brpoplpush", brpoplpush),
    ("lmove", lmove),
    ("lmpop", lmpop),
    ("rpoplpush", rpoplpush),
];

/// LEFT or RIGHT.
fn end_named(word: &[u8]) -> Result<End, Failure> {
    if word.eq_ignore_ascii_case(b"left") {
        Ok(End::Head)
    } else if word.eq_ignore_ascii_case(b"right") {
        Ok(End::Tail)
    } else {
        Err(SYNTAX.into())
    }
}

/// From which end an element is taken, and to which it goes.
#[derive(Clone, Copy)]
struct Ends {
    from: End,
    to: End,
}

impl Ends {
    const RIGHT_LEFT: Ends = Ends {
        from: End::Tail,
        to: End::Head,
    };

    fn parse(args: &Args<'_>) -> Result<Ends, Failure> {
        Ok(Ends {
            from: end_named(args.at(3))?,
            to: end_named(args.at(4))?,
        })
    }
}

/// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
fn lmove(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ends = Ends::parse(&args)?;
    move_or_null(ctx, args, ends)
}

/// RPOPLPUSH source destination
fn rpoplpush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    move_or_null(ctx, args, Ends::RIGHT_LEFT)
}

fn move_or_null(ctx: &mut Context<'_>, args: Args<'_>, ends: Ends) -> Outcome {
    if !move_one(ctx, &args, ends)? {
        ctx.reply.null();
    }
    Ok(())
}

/// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
fn blmove(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ends = Ends::parse(&args)?;
    move_or_wait(ctx, args, ends, 5)
}

/// BRPOPLPUSH source destination timeout
fn brpoplpush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    move_or_wait(ctx, args, Ends::RIGHT_LEFT, 3)
}

fn move_or_wait(ctx: &mut Context<'_>, args: Args<'_>, ends: Ends, timeout: usize) -> Outcome {
    let timeout = timeout_seconds(args.at(timeout), ctx.now())?;
    if move_one(ctx, &args, ends)? {
        // It has not waited, or not in vain: whoever plays the records must not wait either.
        match args.len() {
            4 => ctx.record(&[b"RPOPLPUSH", args.at(1), args.at(2)]),
            _ => ctx.record(&[b"LMOVE", args.at(1), args.at(2), args.at(3), args.at(4)]),
        }
        return Ok(());
    }
    if ctx.core.in_transaction {
        // What LMOVE would answer, unlike the null array of a timeout.
        ctx.reply.null();
        return Ok(());
    }
    ctx.wait(Wait::for_value(vec![Box::from(args.at(1))], Type::List, timeout))
}

/// Moves an element from the list of the first argument to that of the second and answers with it; false if there is
/// none. O(1), in a small list O(bytes).
fn move_one(ctx: &mut Context<'_>, args: &Args<'_>, ends: Ends) -> Result<bool, Failure> {
    let (source, destination) = (ctx.key(args, 1), ctx.key(args, 2));
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, source)? else {
        return Ok(false);
    };
    if source.bytes == destination.bytes {
        rotate(&mut list, ends, ctx.reply);
        told_moved(ctx, source, destination, ends, false);
        return Ok(true);
    }
    // The destination's type is looked at before anything is taken.
    ctx.core.write_as::<ListMut>(ctx.database, destination)?;
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, source)? else {
        return Ok(false);
    };
    let Some(moved) = list.pop_moved(ends.from) else {
        return Ok(false);
    };
    let emptied = list.view().is_empty();
    list.shrink();
    ctx.reply.bulk(&moved.text);
    match ctx.core.write_as::<ListMut>(ctx.database, destination)? {
        Some(mut list) => list.push_moved(ends.to, &moved),
        None => {
            let texts = std::iter::once(&moved.text[..]);
            let list = new_list(ends.to, texts, &ctx.core.settings);
            ctx.core.create(ctx.database, destination, list);
        }
    }
    told_moved(ctx, source, destination, ends, emptied);
    Ok(true)
}

/// Moves an element within a list, which stays as long as it is.
fn rotate(list: &mut ListMut<'_>, ends: Ends, reply: &mut Reply) {
    let Some(moved) = list.pop_moved(ends.from) else {
        return;
    };
    reply.bulk(&moved.text);
    list.push_moved(ends.to, &moved);
    list.shrink();
}

/// One write for both lists; the event of the push comes first.
fn told_moved(ctx: &mut Context<'_>, source: Key<'_>, destination: Key<'_>, ends: Ends, emptied: bool) {
    let pushed = match ends.to {
        End::Head => "lpush",
        End::Tail => "rpush",
    };
    let popped = match ends.from {
        End::Head => "lpop",
        End::Tail => "rpop",
    };
    ctx.core.touched(ctx.database, destination.bytes);
    ctx.notify(Class::LIST, pushed, destination.bytes);
    ctx.changed(Class::LIST, popped, source.bytes);
    if emptied {
        delete_emptied(ctx, source);
    }
}

/// The arguments of LMPOP and BLMPOP: `numkeys key [key ...] LEFT|RIGHT [COUNT count]`.
struct ManyPop {
    /// The first key's argument and the one behind the last.
    keys: std::ops::Range<usize>,
    end: End,
    count: usize,
}

impl ManyPop {
    /// Parses from argument `first` on.
    fn parse(args: &Args<'_>, first: usize) -> Result<ManyPop, Failure> {
        let keys = match integer(args.at(first)) {
            Ok(keys @ 1..) => keys as usize,
            _ => return Err("ERR numkeys should be greater than 0".into()),
        };
        let behind = (first + 1).saturating_add(keys);
        let end = end_named(args.get(behind).ok_or(SYNTAX)?)?;
        let count = match (args.get(behind + 1), args.get(behind + 2), args.get(behind + 3)) {
            (None, ..) => 1,
            (Some(word), Some(count), None) if word.eq_ignore_ascii_case(b"count") => match integer(count) {
                Ok(count @ 1..) => count as usize,
                _ => return Err("ERR count should be greater than 0".into()),
            },
            // A wrong count is told before a second option.
            (Some(word), Some(count), Some(_)) if word.eq_ignore_ascii_case(b"count") => match integer(count) {
                Ok(1..) => return Err(SYNTAX.into()),
                _ => return Err("ERR count should be greater than 0".into()),
            },
            _ => return Err(SYNTAX.into()),
        };
        Ok(ManyPop {
            keys: first + 1..behind,
            end,
            count,
        })
    }

    /// Pops from the first key that has a list and answers with that; false if none has.
    fn serve(&self, ctx: &mut Context<'_>, args: &Args<'_>) -> Result<bool, Failure> {
        for index in self.keys.clone() {
            let key = ctx.key(args, index);
            if let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, key)? {
                let count = list.view().len().min(self.count);
                ctx.reply.array(2);
                ctx.reply.bulk(key.bytes);
                let mut digits = itoa::Buffer::new();
                ctx.record(&[pop_name(self.end), key.bytes, digits.format(count).as_bytes()]);
                pop_many(ctx, key, self.end, self.count)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]
fn lmpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !ManyPop::parse(&args, 1)?.serve(ctx, &args)? {
        ctx.reply.null_array();
    }
    Ok(())
}

/// BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]
fn blmpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let pop = ManyPop::parse(&args, 2)?;
    let timeout = timeout_seconds(args.at(1), ctx.now())?;
    if pop.serve(ctx, &args)? {
        return Ok(());
    }
    ctx.wait(Wait::for_value(
        pop.keys.map(|index| Box::from(args.at(index))).collect(),
        Type::List,
        timeout,
    ))
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn a_list_rotates_into_itself() {
        let mut server = Server::start();
        server.ask("RPUSH l a b c");
        assert_eq!(server.ask("LMOVE l l LEFT RIGHT"), "$1|a|");
        assert_eq!(server.ask("RPOPLPUSH l l"), "$1|a|");
        assert_eq!(server.ask("LRANGE l 0 -1"), "*3|$1|a|$1|b|$1|c|");
    }

    #[test]
    fn an_integer_out_of_a_quicklist_takes_no_room() {
        // 7 bytes of frame, 78 elements of 103 and one of 134 make 8,175 of 8,192: a text of 19 more is too much.
        let mut server = Server::start();
        let (long, wide) = ("x".repeat(9000), "y".repeat(130));
        let hundred = "x".repeat(100);
        let mut encoding_after = |source: &str| {
            server.ask("DEL d s");
            (0..78).for_each(|_| drop(server.ask(&format!("RPUSH d {hundred}"))));
            server.ask(&format!("RPUSH d {wide}"));
            server.ask(source);
            server.ask("LMOVE s d LEFT RIGHT");
            server.ask("OBJECT ENCODING d")
        };
        assert_eq!(encoding_after("RPUSH s 1234567890123456789"), "$9|quicklist|");
        assert_eq!(
            encoding_after(&format!("RPUSH s 1234567890123456789 {long}")),
            "$8|listpack|"
        );
    }

    #[test]
    fn nothing_is_taken_for_a_wrong_destination() {
        let mut server = Server::start();
        server.ask("SET s x");
        server.ask("RPUSH l a");
        assert!(server.ask("LMOVE l s LEFT LEFT").starts_with("-WRONGTYPE"));
        assert_eq!(server.ask("RPOPLPUSH l m"), "$1|a|");
        assert_eq!(server.ask("EXISTS l m"), ":1|");
    }

    #[test]
    fn a_moved_element_serves_who_waits_for_the_destination() {
        let mut server = Server::start();
        let (first, second) = (server.connect(), server.connect());
        server.ask_as(first, "BLMOVE a b LEFT RIGHT 0");
        server.ask_as(second, "BLMPOP 0 2 x b LEFT COUNT 5");
        assert_eq!(server.ask("RPUSH a 1"), ":1|");
        assert_eq!(server.take_reply_of(first), "$1|1|");
        assert_eq!(server.take_reply_of(second), "*2|$1|b|*1|$1|1|");
        assert_eq!(server.ask("EXISTS a b"), ":0|");
        server.ask("MULTI");
        server.ask("BRPOPLPUSH a b 0");
        server.ask("BLMPOP 0 1 a LEFT");
        assert_eq!(server.ask("EXEC"), "*2|$-1|*-1|");
    }
}
