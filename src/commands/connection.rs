//! Commands about the connection itself.

use super::handlers::Family;
use crate::resp::reply::Protocol;
use crate::resp::request::Args;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[("ping", ping), ("echo", echo)];

/// PING [message]. To a RESP2 subscriber it answers as a message would come.
fn ping(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err("ERR wrong number of arguments for 'ping' command".into());
    }
    let session = ctx.session();
    if session.protocol == Protocol::Resp2 && session.is_subscriber() {
        ctx.reply.array(2);
        ctx.reply.bulk(b"pong");
        ctx.reply.bulk(args.get(1).unwrap_or_default());
        return Ok(());
    }
    match args.get(1) {
        Some(message) => ctx.reply.bulk(message),
        None => ctx.reply.simple("PONG"),
    }
    Ok(())
}

fn echo(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.reply.bulk(args.at(1));
    Ok(())
}
