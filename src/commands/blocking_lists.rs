//! List commands that wait: served at once if they can be, else when a key gets a list (see [`crate::server::blocking`]).

use super::handlers::Family;
use super::lists::{pop_name, pop_one};
use super::values::ListMut;
use crate::keyspace::Type;
use crate::resp::request::Args;
use crate::server::blocking::{Wait, timeout_seconds};
use crate::server::{Context, Outcome};
use crate::types::list::End;

pub const COMMANDS: Family = &[("blpop", blpop), ("brpop", brpop)];

/// BLPOP key [key ...] timeout
fn blpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    blocking_pop(ctx, args, End::Head)
}

/// BRPOP key [key ...] timeout
fn brpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    blocking_pop(ctx, args, End::Tail)
}

/// Pops from the first key that has a list.
fn blocking_pop(ctx: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    let last = args.len() - 1;
    let timeout = timeout_seconds(args.at(last), ctx.now())?;
    for index in 1..last {
        let key = ctx.key(&args, index);
        // Looked up for changing: a key that is missing is waited for, and neither counted nor told as a miss.
        if ctx.core.write_as::<ListMut>(ctx.database, key)?.is_some() {
            ctx.reply.array(2);
            ctx.reply.bulk(key.bytes);
            ctx.record(&[pop_name(end), key.bytes]);
            return pop_one(ctx, key, end);
        }
    }
    ctx.wait(Wait::for_value(
        args.iter().take(last).skip(1).map(Box::from).collect(),
        Type::List,
        timeout,
    ))
}

#[cfg(test)]
mod tests {
    use crate::server::core::Effect;
    use crate::server::testing::Server;

    #[test]
    fn those_who_wait_are_served_in_their_order() {
        let mut server = Server::start();
        let (first, second) = (server.connect(), server.connect());
        assert_eq!(server.ask_as(first, "BLPOP a b 0").as_deref(), Some(""));
        assert_eq!(server.ask_as(second, "BLPOP b 0").as_deref(), Some(""));
        assert_eq!(server.ask("RPUSH b 1 2 3"), ":3|");
        assert_eq!(server.take_reply_of(first), "*2|$1|b|$1|1|");
        assert_eq!(server.take_reply_of(second), "*2|$1|b|$1|2|");
        assert_eq!(server.core.effects, [Effect::Resume(first), Effect::Resume(second)]);
        assert_eq!(server.ask("LRANGE b 0 -1"), "*1|$1|3|");
        assert!(server.core.waiting.is_empty());
    }

    #[test]
    fn a_timeout_comes_after_its_last_millisecond() {
        let mut server = Server::start();
        let waiter = server.connect();
        server.at(10).ask_as(waiter, "BLPOP a 0.5");
        assert_eq!(server.core.waiting.next_due().map(|due| due.0 <= 511), Some(true));
        for early in [100, 510] {
            server.at(early);
            assert!(!server.core.end_late_waits());
            assert_eq!(server.take_reply_of(waiter), "", "{early}");
        }
        server.at(511).core.end_late_waits();
        assert_eq!(server.take_reply_of(waiter), "*-1|");
        assert!(server.core.waiting.is_empty());
        assert_eq!(server.ask_as(waiter, "PING").as_deref(), Some("+PONG|"));
    }

    #[test]
    fn a_key_that_is_waited_for_is_no_miss() {
        let mut server = Server::start();
        server.listen();
        server.ask("MULTI");
        server.ask("BLPOP a 0");
        assert_eq!(server.ask("EXEC"), "*1|_|");
        assert_eq!(server.core.stats.keyspace_misses, 0);
    }

    #[test]
    fn another_type_wakes_nobody() {
        let mut server = Server::start();
        let waiter = server.connect();
        server.ask_as(waiter, "BLPOP a 0");
        server.ask("SET a x");
        server.ask("DEL a");
        assert_eq!(server.take_reply_of(waiter), "");
        server.ask("RPUSH b x");
        server.ask("RENAME b a");
        assert_eq!(server.take_reply_of(waiter), "*2|$1|a|$1|x|");
    }

    #[test]
    fn a_client_that_is_gone_takes_nothing() {
        let mut server = Server::start();
        let (gone, waiter) = (server.connect(), server.connect());
        server.ask_as(gone, "BLPOP a 0");
        server.ask_as(waiter, "BLPOP a 0");
        server.core.ask_close(gone, true);
        server.ask("RPUSH a x");
        assert_eq!(server.take_reply_of(waiter), "*2|$1|a|$1|x|");
    }

    #[test]
    fn nobody_waits_in_a_transaction() {
        let mut server = Server::start();
        let waiter = server.connect();
        server.ask_as(waiter, "BLPOP a 0");
        server.ask("MULTI");
        for line in ["BLPOP b 0", "RPUSH a 1", "LPOP a", "RPUSH a 2"] {
            assert_eq!(server.ask(line), "+QUEUED|");
        }
        assert_eq!(server.ask("EXEC"), "*4|*-1|:1|$1|1|:1|");
        // Only what is left at the end of the transaction is given away.
        assert_eq!(server.take_reply_of(waiter), "*2|$1|a|$1|2|");
    }

    #[test]
    fn info_counts_the_keys_that_are_waited_for() {
        let mut server = Server::start();
        let waiter = server.connect();
        server.ask_as(waiter, "BLPOP a b a 0");
        let info = server.ask("INFO clients");
        assert!(info.contains("|blocked_clients:1|"), "{info}");
        assert!(info.contains("|total_blocking_keys:2|"), "{info}");
        assert!(info.contains("|total_blocking_keys_on_nokey:0|"), "{info}");
        server.ask("RPUSH b x");
        assert!(server.ask("INFO clients").contains("|total_blocking_keys:0|"));
    }

    #[test]
    fn a_client_is_unblocked_by_another() {
        let mut server = Server::start();
        let waiter = server.connect();
        server.ask_as(waiter, "BLPOP a 0");
        assert_eq!(server.ask("CLIENT UNBLOCK 2 ERROR"), ":1|");
        assert_eq!(
            server.take_reply_of(waiter),
            "-UNBLOCKED client unblocked via CLIENT UNBLOCK|"
        );
        assert_eq!(server.ask("CLIENT UNBLOCK 2"), ":0|");
    }

    #[test]
    fn leftovers_of_long_timeouts_do_not_pile_up() {
        let mut server = Server::start();
        let waiter = server.connect();
        for _ in 0..20_000 {
            server.ask_as(waiter, "BLPOP a 100000");
            server.ask("RPUSH a x");
            server.take_reply_of(waiter);
            while server.core.end_late_waits() {}
        }
        assert!(server.core.waiting.leftovers() < 10_000);
    }
}
