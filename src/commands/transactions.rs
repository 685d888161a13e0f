//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! Queueing itself is no command: [`crate::server::dispatch`] does it with whatever else a client sends meanwhile.

use super::handlers::Family;
use super::table::CommandSpec;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::call::Call;
use crate::server::owned::OwnedRequest;
use crate::server::stopwatch::Stopwatch;
use crate::server::transaction::Commit;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("discard", discard),
    ("exec", exec),
    ("multi", multi),
    ("unwatch", unwatch),
    ("watch", watch),
];

/// MULTI
fn multi(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    if !ctx.core.open_transaction(ctx.session) {
        return Err("ERR MULTI calls can not be nested".into());
    }
    ctx.reply.ok();
    Ok(())
}

/// DISCARD
fn discard(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let is_open = ctx.session().is_queueing();
    if !is_open {
        return Err("ERR DISCARD without MULTI".into());
    }
    ctx.core.end_transaction(ctx.session);
    ctx.reply.ok();
    Ok(())
}

/// EXEC
fn exec(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    match ctx.core.commit(ctx.session) {
        Commit::NotOpen => Err("ERR EXEC without MULTI".into()),
        Commit::Refused => Err("EXECABORT Transaction discarded because of previous errors.".into()),
        Commit::Disturbed => {
            ctx.reply.null_array();
            Ok(())
        }
        Commit::Run(queue) => {
            run(ctx, &queue);
            Ok(())
        }
    }
}

/// Runs the queued commands one after the other; what fails does not stop the others.
fn run(ctx: &mut Context<'_>, queue: &[OwnedRequest]) {
    ctx.reply.array(queue.len());
    ctx.core.in_transaction = true;
    let mut told = Reply::default();
    let mut started = Stopwatch::read();
    for request in queue {
        let call = Call {
            session: ctx.session,
            spec: request.spec,
            args: request.args(),
            hashes: &[],
            big: None,
            started,
        };
        started = ctx.core.call(call, &mut ctx.reply);
        // A subscription's confirmation stands where the reply would; anything else that the client is told waits, or a
        // message would stand among the replies.
        let place = if is_confirmed(request.spec) {
            &mut ctx.reply
        } else {
            &mut told
        };
        ctx.core.take_pushed(ctx.session, place);
    }
    ctx.session().reply.bytes = told.bytes;
    ctx.core.in_transaction = false;
}

/// Whether pushes are what the command answers with.
fn is_confirmed(spec: &CommandSpec) -> bool {
    spec.name.ends_with("subscribe")
}

/// WATCH key [key ...]
fn watch(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if ctx.session().is_queueing() {
        return Err("ERR WATCH inside MULTI is not allowed".into());
    }
    for index in 1..args.len() {
        let key = ctx.key(&args, index);
        ctx.core.watch(ctx.session, ctx.database, key);
    }
    ctx.reply.ok();
    Ok(())
}

/// UNWATCH
fn unwatch(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.core.unwatch(ctx.session);
    ctx.reply.ok();
    Ok(())
}
