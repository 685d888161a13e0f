//! Set commands.

use std::collections::HashSet;

use super::drawing::{Selection, is_walk, make_room};
use super::expiry::syntax_error;
use super::handlers::Family;
use super::values::{SetMut, delete_emptied, new_set};
use crate::keyspace::Key;
use crate::resp::request::Args;
use crate::server::context::{positive, with_magnitude};
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::listpack::Element;
use crate::types::set::SetRef;

pub const COMMANDS: Family = &[
    ("sadd", sadd),
    ("scard", scard),
    ("sismember", sismember),
    ("smembers", smembers),
    ("smismember", smismember),
    ("smove", smove),
    ("spop", spop),
    ("srandmember", srandmember),
    ("srem", srem),
];

/// SADD key member [member ...]
fn sadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let members = args.from(2).iter();
    let added = match ctx.core.write_as::<SetMut>(ctx.database, key)? {
        Some(mut set) => {
            set.expect(members.len());
            members.filter(|member| set.add(member)).count()
        }
        None => {
            let (set, added) = new_set(members, &ctx.core.settings);
            ctx.core.create(ctx.database, key, set);
            added
        }
    };
    if added > 0 {
        ctx.changed_times(added, Class::SET, "sadd", key.bytes);
    }
    ctx.reply.len(added);
    Ok(())
}

/// SREM key member [member ...]
fn srem(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let removed = args.from(2).iter().filter(|member| set.remove(member)).count();
    let emptied = set.view().is_empty();
    if removed > 0 {
        ctx.changed_times(removed, Class::SET, "srem", key.bytes);
    }
    if emptied {
        delete_emptied(ctx, key);
    }
    ctx.reply.len(removed);
    Ok(())
}

/// SCARD key
fn scard(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<SetRef>(ctx.database, key)?;
    ctx.reply.len(set.map_or(0, SetRef::len));
    Ok(())
}

/// SISMEMBER key member
fn sismember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<SetRef>(ctx.database, key)?;
    let is_member = set.is_some_and(|set| set.contains(args.at(2)));
    ctx.reply.int(i64::from(is_member));
    Ok(())
}

/// SMISMEMBER key member [member ...]
fn smismember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<SetRef>(ctx.database, key)?;
    let members = args.from(2).iter();
    ctx.reply.array(members.len());
    for member in members {
        let is_member = set.is_some_and(|set| set.contains(member));
        ctx.reply.int(i64::from(is_member));
    }
    Ok(())
}

/// SMEMBERS key
fn smembers(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(set) = ctx.core.read_as::<SetRef>(ctx.database, key)? else {
        ctx.reply.set(0);
        return Ok(());
    };
    ctx.reply.set(set.len());
    set.iter().for_each(|member| ctx.reply.element(member));
    Ok(())
}

/// SMOVE source destination member
fn smove(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (source, destination, member) = (ctx.key(&args, 1), ctx.key(&args, 2), args.at(3));
    let mut is_member = false;
    if let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, source)? {
        is_member = set.view().contains(member);
        // The destination's type matters also where there is nothing to move.
        ctx.core.write_as::<SetMut>(ctx.database, destination)?;
    }
    if is_member && source.bytes != destination.bytes {
        move_member(ctx, source, destination, member)?;
    }
    ctx.reply.int(i64::from(is_member));
    Ok(())
}

/// Moves a member that is there to another key, which has a set or nothing.
fn move_member(ctx: &mut Context<'_>, source: Key<'_>, destination: Key<'_>, member: &[u8]) -> Outcome {
    let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, source)? else {
        return Ok(());
    };
    set.remove(member);
    let emptied = set.view().is_empty();
    ctx.changed(Class::SET, "srem", source.bytes);
    if emptied {
        delete_emptied(ctx, source);
    }
    let added = match ctx.core.write_as::<SetMut>(ctx.database, destination)? {
        Some(mut set) => set.add(member),
        None => {
            let (set, _) = new_set(std::iter::once(member), &ctx.core.settings);
            ctx.core.create(ctx.database, destination, set);
            true
        }
    };
    if added {
        ctx.changed(Class::SET, "sadd", destination.bytes);
    }
    Ok(())
}

/// SRANDMEMBER key [count]. A negative count may draw a member more than once.
fn srandmember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let wanted = args.get(2).map(|_| drawn_count(&args)).transpose()?;
    let key = ctx.key(&args, 1);
    let mut random = ctx.core.random.fork();
    let mut random = || random.u64(..);
    let set = ctx.core.read_as::<SetRef>(ctx.database, key)?;
    let reply = &mut ctx.reply;
    let Some(count) = wanted else {
        match set.and_then(|set| set.random(&mut random)) {
            Some(member) => reply.element(member),
            None => reply.null(),
        }
        return Ok(());
    };
    let Some(set) = set.filter(|_| count != 0) else {
        reply.array(0);
        return Ok(());
    };
    let Ok(count) = usize::try_from(count) else {
        let count = count.unsigned_abs() as usize;
        make_room(reply, count)?;
        reply.array(count);
        (0..count)
            .filter_map(|_| set.random(&mut random))
            .for_each(|member| reply.element(member));
        return Ok(());
    };
    let count = count.min(set.len());
    reply.array(count);
    draw_different(set, count, &mut random, |member| reply.element(member));
    Ok(())
}

fn drawn_count(args: &Args<'_>) -> Result<i64, Failure> {
    if args.len() > 3 {
        return syntax_error();
    }
    with_magnitude(args.at(2))
}

/// Draws `count` different members of a set that has as many. O(count) from a table of many more, else O(members).
fn draw_different<'s>(
    set: SetRef<'s>,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut tell: impl FnMut(Element<'s>),
) {
    if let SetRef::Table(table) = set
        && !is_walk(count, table.len())
    {
        let mut seen = HashSet::with_capacity(count);
        while seen.len() < count {
            let Some(member) = table.random(random) else { return };
            if seen.insert(member) {
                tell(Element::Str(member));
            }
        }
        return;
    }
    let mut selection = Selection::new(count, set.len());
    for member in set.iter() {
        if selection.is_done() {
            return;
        }
        if selection.takes(random) {
            tell(member);
        }
    }
}

/// SPOP key [count]
fn spop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return syntax_error();
    }
    let count = args.get(2).map(positive).transpose()?;
    let key = ctx.key(&args, 1);
    match count {
        Some(count) => pop_many(ctx, key, count as usize),
        None => pop_one(ctx, key),
    }
}

fn pop_one(ctx: &mut Context<'_>, key: Key<'_>) -> Outcome {
    let (mut random, recording) = (ctx.core.random.fork(), ctx.core.propagation.is_on);
    let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, key)? else {
        ctx.reply.null();
        return Ok(());
    };
    let (reply, mut taken) = (&mut ctx.reply, Vec::new());
    set.pop_with(&mut || random.u64(..), |member| {
        reply.element(member);
        if recording {
            taken.push(member.to_vec());
        }
    });
    let emptied = set.view().is_empty();
    popped(ctx, key, 1, emptied);
    record_popped(ctx, key, &taken);
    Ok(())
}

fn pop_many(ctx: &mut Context<'_>, key: Key<'_>, count: usize) -> Outcome {
    let (mut random, recording) = (ctx.core.random.fork(), ctx.core.propagation.is_on);
    let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, key)? else {
        ctx.reply.set(0);
        return Ok(());
    };
    let len = set.view().len();
    let count = count.min(len);
    let reply = &mut ctx.reply;
    reply.set(count);
    if count == 0 {
        return Ok(());
    }
    if count == len {
        // All of them: read them where they are, and delete the key as a whole.
        set.view().iter().for_each(|member| reply.element(member));
        popped(ctx, key, count, true);
        ctx.record(&[b"DEL", key.bytes]);
        return Ok(());
    }
    let mut taken = Vec::new();
    for _ in 0..count {
        set.pop_with(&mut || random.u64(..), |member| {
            reply.element(member);
            if recording {
                taken.push(member.to_vec());
            }
        });
    }
    popped(ctx, key, count, false);
    record_popped(ctx, key, &taken);
    Ok(())
}

/// Records which members it was.
fn record_popped(ctx: &mut Context<'_>, key: Key<'_>, members: &[Vec<u8>]) {
    let mut words: Vec<&[u8]> = vec![b"SREM", key.bytes];
    words.extend(members.iter().map(Vec::as_slice));
    ctx.record(&words);
}

fn popped(ctx: &mut Context<'_>, key: Key<'_>, count: usize, emptied: bool) {
    ctx.changed_times(count, Class::SET, "spop", key.bytes);
    if emptied {
        delete_emptied(ctx, key);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::server::testing::Server;

    #[test]
    fn as_many_members_are_drawn_as_were_asked_for() {
        for size in [5, 100, 2000] {
            let mut server = Server::start();
            (0..size).for_each(|n| drop(server.ask(&format!("SADD s m{n}"))));
            let mut draw = |count: i64| -> Vec<String> {
                let reply = server.ask(&format!("SRANDMEMBER s {count}"));
                reply
                    .split('|')
                    .filter(|word| word.starts_with('m'))
                    .map(str::to_owned)
                    .collect()
            };
            for count in [1, 4, 90, 600, 1500, 3000] {
                let drawn = draw(count);
                assert_eq!(drawn.len() as i64, count.min(size), "{count} of {size}");
                assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
                assert_eq!(draw(-count).len() as i64, count);
            }
        }
    }

    #[test]
    fn a_draw_too_large_to_answer_is_refused() {
        let mut server = Server::start();
        server.ask("SADD s a");
        for count in ["-9223372036854775807", "-9223372036854775808"] {
            let reply = server.ask(&format!("SRANDMEMBER s {count}"));
            assert!(reply.starts_with("-ERR value is out of range"), "{reply}");
        }
    }

    #[test]
    fn a_member_moves_once() {
        let mut server = Server::start();
        server.ask("SADD a 1 2");
        server.ask("SADD b x");
        assert_eq!(server.ask("SMOVE a b 1"), ":1|");
        assert_eq!(server.ask("SMOVE a b 1"), ":0|");
        assert_eq!(server.ask("SMOVE a a 2"), ":1|");
        assert_eq!(server.ask("SMOVE a c 2"), ":1|");
        assert_eq!(server.ask("EXISTS a"), ":0|");
        assert_eq!(server.ask("SMEMBERS b"), "*2|$1|x|$1|1|");
        assert_eq!(server.ask("OBJECT ENCODING c"), "$6|intset|");
        server.ask("SET s x");
        assert_eq!(server.ask("SMOVE a s 1"), ":0|");
        assert!(server.ask("SMOVE b s nosuch").starts_with("-WRONGTYPE"));
    }
}
