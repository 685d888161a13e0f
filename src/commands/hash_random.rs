//! HRANDFIELD: fields drawn by lot.

use std::collections::HashSet;

use super::drawing::{Selection, is_walk, make_room};
use super::expiry::syntax_error;
use super::handlers::Family;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::Args;
use crate::server::context::with_magnitude;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};
use crate::types::hash::HashRef;
use crate::types::listpack::Element;

pub const COMMANDS: Family = &[("hrandfield", hrandfield)];

/// HRANDFIELD key [count [WITHVALUES]]. A negative count may draw a field more than once.
fn hrandfield(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let wanted = args.get(2).map(|_| parse(args)).transpose()?;
    let key = ctx.key(&args, 1);
    let mut random = ctx.core.random.fork();
    let mut random = || random.u64(..);
    let hash = ctx.core.read_as::<HashRef>(ctx.database, key)?;
    let reply = &mut ctx.reply;
    let Some((count, with_values)) = wanted else {
        match hash.and_then(|hash| hash.random(&mut random)) {
            Some((field, _)) => reply.element(field),
            None => reply.null(),
        }
        return Ok(());
    };
    let Some(hash) = hash.filter(|_| count != 0) else {
        reply.array(0);
        return Ok(());
    };
    let drawn = match usize::try_from(count) {
        Ok(count) => count.min(hash.len()),
        Err(_) => {
            let drawn = count.unsigned_abs() as usize;
            make_room(reply, drawn)?;
            drawn
        }
    };
    announce(reply, drawn, with_values);
    let mut tell = |(field, value)| show(reply, field, with_values.then_some(value));
    match count {
        ..0 => (0..drawn).filter_map(|_| hash.random(&mut random)).for_each(tell),
        _ if is_walk(drawn, hash.len()) || hash.is_packed() => {
            draw_walking(hash, drawn, &mut random, tell);
        }
        _ => {
            let mut seen = HashSet::new();
            while seen.len() < drawn {
                let Some((field, value)) = hash.random(&mut random) else {
                    break;
                };
                if seen.insert(field.to_vec()) {
                    tell((field, value));
                }
            }
        }
    }
    Ok(())
}

/// The count, and whether values are wanted.
fn parse(args: Args<'_>) -> Result<(i64, bool), Failure> {
    let count = with_magnitude(args.at(2))?;
    match args.get(3) {
        _ if args.len() > 4 => syntax_error(),
        None => Ok((count, false)),
        Some(word) if !word.eq_ignore_ascii_case(b"withvalues") => syntax_error(),
        Some(_) if count.unsigned_abs() > i64::MAX as u64 / 2 => Err("ERR value is out of range".into()),
        Some(_) => Ok((count, true)),
    }
}

/// RESP3 has an array for each pair, RESP2 one flat array.
fn announce(reply: &mut Reply, count: usize, with_values: bool) {
    let flat = with_values && reply.protocol == Protocol::Resp2;
    reply.array(if flat { count * 2 } else { count });
}

fn show(reply: &mut Reply, field: Element<'_>, value: Option<Element<'_>>) {
    if value.is_some() && reply.protocol == Protocol::Resp3 {
        reply.array(2);
    }
    reply.element(field);
    if let Some(value) = value {
        reply.element(value);
    }
}

/// Draws `count` different fields in one walk. O(fields).
fn draw_walking<'h>(
    hash: HashRef<'h>,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut tell: impl FnMut((Element<'h>, Element<'h>)),
) {
    let mut selection = Selection::new(count, hash.len());
    for pair in hash.iter() {
        if selection.is_done() {
            return;
        }
        if selection.takes(random) {
            tell(pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::server::testing::Server;

    /// The fields that a reply names.
    fn fields(reply: &str) -> Vec<String> {
        let words = reply.split('|').filter(|word| word.starts_with('f'));
        words.map(str::to_owned).collect()
    }

    #[test]
    fn every_form_draws_as_many_as_it_was_asked_for() {
        for size in [5, 2000] {
            let mut server = Server::start();
            (0..size).for_each(|n| drop(server.ask(&format!("HSET h f{n} v{n}"))));
            for count in [1usize, 3, 5, 1000, 3000] {
                let drawn = fields(&server.ask(&format!("HRANDFIELD h {count}")));
                assert_eq!(drawn.len(), count.min(size), "{count} of {size}");
                assert_eq!(
                    drawn.iter().collect::<BTreeSet<_>>().len(),
                    drawn.len(),
                    "all different"
                );
                assert_eq!(fields(&server.ask(&format!("HRANDFIELD h -{count}"))).len(), count);
            }
        }
    }

    #[test]
    fn every_field_is_drawn_at_some_time() {
        let mut server = Server::start();
        (0..10).for_each(|n| drop(server.ask(&format!("HSET h f{n} v"))));
        let mut seen = BTreeSet::new();
        for _ in 0..300 {
            seen.extend(fields(&server.ask("HRANDFIELD h 2")));
        }
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn a_reply_that_no_memory_holds_is_refused() {
        let mut server = Server::start();
        server.ask("HSET h f v");
        let refused = "-ERR value is out of range|";
        assert_eq!(server.ask("HRANDFIELD h -4611686018427387903 WITHVALUES"), refused);
        assert_eq!(server.ask("HRANDFIELD h -9223372036854775807"), refused);
    }

    #[test]
    fn pairs_are_arrays_in_resp3_only() {
        let mut server = Server::start();
        server.ask("HSET h f v");
        assert_eq!(server.ask("HRANDFIELD h 1 WITHVALUES"), "*2|$1|f|$1|v|");
        server.ask("HELLO 3");
        assert_eq!(server.ask("HRANDFIELD h 1 WITHVALUES"), "*1|*2|$1|f|$1|v|");
    }
}
