//! WAIT and WAITAOF: an answer once what the client wrote last is safe, here or elsewhere.

use super::handlers::Family;
use crate::keyspace::Type;
use crate::resp::request::Args;
use crate::server::append_only::State;
use crate::server::blocking::{Nothing, Wait, timeout_millis};
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};
use crate::timer::Millis;

const NO_WAIT: &str = "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.";
const NO_WAITAOF: &str = "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.";

pub const COMMANDS: Family = &[("wait", wait), ("waitaof", waitaof)];

/// WAIT numreplicas timeout
fn wait(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if ctx.core.replication.is_replica() {
        return Err(NO_WAIT.into());
    }
    let replicas = integer(args.at(1))?;
    let timeout = timeout_millis(args.at(2), ctx.now())?;
    let safety = ctx.core.safety_of(ctx.session);
    if safety.replicas as i64 >= replicas || ctx.core.in_transaction {
        Nothing::Replicas.write(ctx.reply, safety);
        return Ok(());
    }
    wait_for_safety(ctx, timeout, Nothing::Replicas)
}

/// WAITAOF numlocal numreplicas timeout
fn waitaof(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let local = integer(args.at(1))?;
    if !(0..=1).contains(&local) {
        return Err("ERR value is out of range, value must between 0 and 1".into());
    }
    let replicas = integer(args.at(2))?;
    if replicas < 0 {
        return Err("ERR value is out of range, must be positive".into());
    }
    let timeout = timeout_millis(args.at(3), ctx.now())?;
    if ctx.core.replication.is_replica() {
        return Err(NO_WAITAOF.into());
    }
    if local > 0 && ctx.core.append_only.state == State::Off {
        let text = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
        return Err(Failure::from(text));
    }
    let safety = ctx.core.safety_of(ctx.session);
    let is_enough = safety.synced_replicas as i64 >= replicas && (local == 0 || safety.is_local);
    if is_enough || ctx.core.in_transaction {
        Nothing::SafePlaces.write(ctx.reply, safety);
        return Ok(());
    }
    wait_for_safety(ctx, timeout, Nothing::SafePlaces)
}

/// Waits until some write has become safe, which wakes all who wait so.
fn wait_for_safety(ctx: &mut Context<'_>, timeout: Option<Millis>, on_timeout: Nothing) -> Outcome {
    if !ctx.core.waiting.is_retrying() {
        ctx.core.replication.wants_acks = true;
    }
    ctx.wait(Wait {
        keys: Vec::new(),
        for_type: Type::String,
        timeout,
        when_gone: false,
        on_timeout,
        argv: None,
    })
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn what_is_synced_is_told_to_those_who_wait() {
        let mut server = Server::start();
        assert!(
            server
                .ask("WAITAOF 1 0 0")
                .starts_with("-ERR WAITAOF cannot be used when numlocal")
        );
        assert_eq!(server.ask("WAITAOF 0 0 100"), "*2|:0|:0|");
        assert_eq!(server.ask("CONFIG SET appendonly yes"), "+OK|");
        server.core.look_at_child();
        server.ask("SET a 1");
        assert_eq!(server.core.propagate(), Ok(()));
        assert_eq!(server.ask("WAITAOF 1 0 0"), "");
        // A round begins the sync, the next tick hears that it has ended.
        server.at(1000).core.tend_log();
        assert_eq!(server.core.propagate(), Ok(()));
        assert_eq!(server.ask("WAITAOF 1 0 0"), "*2|:1|:0|*2|:1|:0|");
        server.ask("CONFIG SET appendfsync always");
        server.ask("SET a 2");
        assert_eq!(server.ask("WAITAOF 1 0 0"), "");
        assert_eq!(server.core.propagate(), Ok(()));
        assert_eq!(server.ask("PING"), "*2|:1|:0|+PONG|");
    }

    #[test]
    fn a_sync_is_of_what_was_written_before_it_began() {
        let mut server = Server::start();
        server.ask("CONFIG SET appendonly yes");
        server.core.look_at_child();
        server.ask("SET a 1");
        assert_eq!(server.core.propagate(), Ok(()));
        // Recorded in this tick, whose round begins a sync before it is written.
        server.ask("SET a 2");
        server.at(1000).core.tend_log();
        assert_eq!(server.core.propagate(), Ok(()));
        assert_eq!(server.ask("WAITAOF 1 0 0"), "");
        server.at(2000).core.tend_log();
        assert_eq!(server.core.propagate(), Ok(()));
        assert_eq!(server.ask("PING"), "*2|:1|:0|+PONG|");
        // What stands in an increment that was left is synced too, though nothing is written to the next.
        server.ask("SET a 3");
        server.ask("BGREWRITEAOF");
        server.core.look_at_child();
        server.at(3000).core.tend_log();
        assert_eq!(server.ask("WAITAOF 1 0 0"), "*2|:1|:0|");
    }

    #[test]
    fn who_waits_for_the_disk_hears_that_there_is_no_log_any_more() {
        let mut server = Server::start();
        let waiter = server.connect();
        server.ask("CONFIG SET appendonly yes");
        server.core.look_at_child();
        let gone = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.|";
        for replicas in 0..2 {
            server.ask_as(waiter, "SET a 1");
            server.ask_as(waiter, &format!("WAITAOF 1 {replicas} 0"));
            assert_eq!(server.ask("CONFIG SET appendonly no"), "+OK|");
            assert_eq!(server.core.propagate(), Ok(()));
            assert_eq!(server.take_reply_of(waiter), gone);
            server.ask("CONFIG SET appendonly yes");
            server.core.look_at_child();
        }
        // Not even amid a transaction does anybody hear too early that nothing is safe.
        server.ask_as(waiter, "WAITAOF 0 1 0");
        for line in ["MULTI", "CONFIG SET appendonly no", "EXEC"] {
            server.ask(line);
        }
        assert_eq!(server.core.propagate(), Ok(()));
        assert_eq!(server.take_reply_of(waiter), "");
    }

    #[test]
    fn a_new_log_is_safe_up_to_where_its_base_was_made() {
        let mut server = Server::start();
        server.ask("CONFIG SET appendonly yes appendfsync no");
        server.core.look_at_child();
        server.ask("SET a 1");
        assert_eq!(server.core.propagate(), Ok(()));
        server.ask("CONFIG SET appendonly no");
        server.ask("CONFIG SET appendonly yes");
        server.core.look_at_child();
        assert_eq!(server.ask("WAITAOF 1 0 0"), "*2|:1|:0|");
        // As when the data of another primary have come, whose offset is lower.
        server.ask("CONFIG SET appendonly no");
        server.core.propagation.offset = 7;
        server.ask("CONFIG SET appendonly yes");
        server.core.look_at_child();
        assert_eq!(server.core.synced_offset(), Some(7));
    }

    #[test]
    fn nobody_waits_longer_than_asked() {
        let mut server = Server::start();
        assert_eq!(server.ask("WAIT 0 100"), ":0|");
        assert_eq!(server.ask("WAIT 1 100"), "");
        server.at(101).core.end_late_waits();
        assert_eq!(server.ask("WAITAOF 0 1 100"), ":0|");
        server.at(300).core.end_late_waits();
        assert_eq!(server.ask("PING"), "*2|:0|:0|+PONG|");
        for (line, error) in [
            (
                "WAITAOF 2 0 0",
                "-ERR value is out of range, value must between 0 and 1|",
            ),
            ("WAITAOF 0 -1 0", "-ERR value is out of range, must be positive|"),
            ("WAITAOF 0 0 -1", "-ERR timeout is negative|"),
            ("WAITAOF x 0 0", "-ERR value is not an integer or out of range|"),
            ("WAITAOF 0 0 x", "-ERR timeout is not an integer or out of range|"),
            ("WAIT 1 x", "-ERR timeout is not an integer or out of range|"),
        ] {
            assert_eq!(server.ask(line), error, "{line}");
        }
    }
}
