//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! Queueing itself is no command: [`crate::server::dispatch`] does it with whatever else a client sends meanwhile.

use std::collections::VecDeque;

use super::handlers::Family;
use super::table::CommandSpec;
use crate::acl::log::Place;
use crate::acl::selector::Denied;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::call::Call;
use crate::server::owned::OwnedRequest;
use crate::server::session::{Blocked, SessionIndex};
use crate::server::stopwatch::{Stopwatch, Ticks};
use crate::server::transaction::Commit;
use crate::server::{Context, Core, Outcome};

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
            run(ctx, queue);
            Ok(())
        }
    }
}

/// Runs the queued commands one after the other; what fails does not stop the others.
fn run(ctx: &mut Context<'_>, requests: Vec<OwnedRequest>) {
    ctx.reply.array(requests.len());
    ctx.session().executing = Some(requests.len());
    let queue = Queue {
        spec: ctx.spec,
        requests: requests.into(),
        told: Reply::default(),
        started: Stopwatch::read(),
    };
    match queue.go_on(ctx.core, ctx.session, ctx.reply) {
        Ok(told) => ctx.session().reply.bytes = told,
        Err(queue) => ctx.core.postpone(queue),
    }
}

/// What EXEC has yet to run.
pub struct Queue {
    /// EXEC itself.
    spec: &'static CommandSpec,
    requests: VecDeque<OwnedRequest>,
    /// What the client was told meanwhile.
    told: Reply,
    started: Ticks,
}

impl Queue {
    /// EXEC's spec, and when it began.
    pub fn call(&self) -> (&'static CommandSpec, Ticks) {
        (self.spec, self.started)
    }

    /// Runs the commands and gives what the client is to be told behind their replies.
    ///
    /// # Errors
    /// What is left, if a command has called a script that has not ended.
    pub fn go_on(mut self, core: &mut Core, session: SessionIndex, reply: &mut Reply) -> Result<Vec<u8>, Queue> {
        core.in_transaction = true;
        let mut started = Stopwatch::read();
        while let Some(request) = self.requests.pop_front() {
            let denied = core.denied(session, request.spec, request.args(), Place::Transaction);
            if let Some((denied, _)) = denied {
                core.count_error(Some(request.spec), b"NOPERM", false);
                reply.error(rules_changed(denied));
                continue;
            }
            let call = Call {
                session,
                spec: request.spec,
                args: request.args(),
                hashes: &[],
                big: None,
                started,
            };
            started = core.call(call, reply);
            // A subscription's confirmation stands where the reply would; anything else that the client is told waits, or
            // a message would stand among the replies.
            match is_confirmed(request.spec) {
                true => core.take_pushed(session, reply),
                false => core.take_pushed(session, &mut self.told),
            }
            if core.session(session).blocked == Some(Blocked::Running) {
                core.in_transaction = false;
                return Err(self);
            }
        }
        core.in_transaction = false;
        core.session(session).executing = None;
        Ok(self.told.bytes)
    }
}

/// What stands in the place of a reply if the client may not run the command any longer that it has queued.
fn rules_changed(denied: Denied) -> String {
    let reason = match denied {
        Denied::Command => "no permission to execute the command or subcommand",
        Denied::Key(_) => "no permission to touch the specified keys",
        Denied::Channel(_) => "no permission to access one of the channels used as argument to the command",
    };
    format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is \
         no longer allowed for the following reason: {reason}"
    )
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

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn a_client_is_shown_amid_its_transaction_until_that_has_ended() {
        let mut server = Server::start();
        for line in ["MULTI", "CLIENT INFO", "PING"] {
            server.ask(line);
        }
        let amid = server.ask("EXEC");
        assert!(amid.contains(" flags=x ") && amid.contains(" multi=2 "), "{amid}");
        let after = server.ask("CLIENT INFO");
        assert!(after.contains(" flags=N ") && after.contains(" multi=-1 "), "{after}");
    }
}
