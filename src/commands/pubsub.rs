//! Pub/Sub: messages to whoever listens at that moment, kept nowhere.
//!
//! What SUBSCRIBE and its kin answer are pushes, one a channel, in the form of the messages that will follow. They are
//! therefore sent even to a client that has turned replies off.

use super::handlers::Family;
use super::table::help::help;
use crate::format::glob;
use crate::resp::request::Args;
use crate::server::pubsub::Topic;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("psubscribe", psubscribe),
    ("publish", publish),
    ("pubsub|channels", channels),
    ("pubsub|help", pubsub_help),
    ("pubsub|numpat", numpat),
    ("pubsub|numsub", numsub),
    ("pubsub|shardchannels", shardchannels),
    ("pubsub|shardnumsub", shardnumsub),
    ("punsubscribe", punsubscribe),
    ("spublish", spublish),
    ("ssubscribe", ssubscribe),
    ("subscribe", subscribe),
    ("sunsubscribe", sunsubscribe),
    ("unsubscribe", unsubscribe),
];

/// SUBSCRIBE channel [channel ...]
fn subscribe(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    join(ctx, args, Topic::Channel, "subscribe")
}

/// PSUBSCRIBE pattern [pattern ...]
fn psubscribe(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    join(ctx, args, Topic::Pattern, "psubscribe")
}

/// UNSUBSCRIBE [channel ...]
fn unsubscribe(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    leave(ctx, args, Topic::Channel, "unsubscribe")
}

/// PUNSUBSCRIBE [pattern ...]
fn punsubscribe(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    leave(ctx, args, Topic::Pattern, "punsubscribe")
}

/// SSUBSCRIBE shardchannel [shardchannel ...]
fn ssubscribe(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if ctx.core.in_transaction {
        return Err("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client".into());
    }
    join(ctx, args, Topic::ShardChannel, "ssubscribe")
}

/// SUNSUBSCRIBE [shardchannel ...]
fn sunsubscribe(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    leave(ctx, args, Topic::ShardChannel, "sunsubscribe")
}

fn join(ctx: &mut Context<'_>, args: Args<'_>, topic: Topic, event: &str) -> Outcome {
    for name in args.from(1).iter() {
        ctx.core.subscribe(ctx.session, topic, name);
        confirm(ctx, topic, event, Some(name));
    }
    Ok(())
}

/// Leaves what is named, or everything of its kind; a client that has nothing to leave is told so once.
fn leave(ctx: &mut Context<'_>, args: Args<'_>, topic: Topic, event: &str) -> Outcome {
    if args.len() > 1 {
        for name in args.from(1).iter() {
            ctx.core.unsubscribe(ctx.session, topic, name);
            confirm(ctx, topic, event, Some(name));
        }
        return Ok(());
    }
    let names = ctx
        .session()
        .subscriptions
        .as_ref()
        .map(|subscriptions| subscriptions.of(topic).clone());
    let names = names.unwrap_or_default();
    for name in &names {
        ctx.core.unsubscribe(ctx.session, topic, name);
        confirm(ctx, topic, event, Some(name));
    }
    if names.is_empty() {
        confirm(ctx, topic, event, None);
    }
    Ok(())
}

/// Tells what was joined or left and how many subscriptions there are now.
fn confirm(ctx: &mut Context<'_>, topic: Topic, event: &str, name: Option<&[u8]>) {
    let count = ctx.session().subscription_count(topic);
    ctx.core.push(ctx.session, |reply| {
        reply.push(3);
        reply.bulk(event);
        reply.bulk_or_null(name);
        reply.len(count);
    });
}

/// PUBLISH channel message
fn publish(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let receivers = ctx.core.publish(args.at(1), args.at(2));
    let words: [&[u8]; 3] = [b"PUBLISH", args.at(1), args.at(2)];
    ctx.core.record_for_replicas(ctx.database, &words);
    ctx.reply.len(receivers);
    Ok(())
}

/// SPUBLISH shardchannel message
fn spublish(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let receivers = ctx.core.publish_in_shard(args.at(1), args.at(2));
    let words: [&[u8]; 3] = [b"SPUBLISH", args.at(1), args.at(2)];
    ctx.core.record_for_replicas(ctx.database, &words);
    ctx.reply.len(receivers);
    Ok(())
}

/// PUBSUB CHANNELS [pattern]
fn channels(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    list(ctx, args, Topic::Channel, "CHANNELS")
}

/// PUBSUB SHARDCHANNELS [pattern]
fn shardchannels(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    list(ctx, args, Topic::ShardChannel, "SHARDCHANNELS")
}

fn list(ctx: &mut Context<'_>, args: Args<'_>, topic: Topic, subcommand: &str) -> Outcome {
    if args.len() > 3 {
        return Err(format!(
            "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try PUBSUB HELP."
        )
        .into());
    }
    let mut names = ctx.core.pubsub.names(topic);
    names.retain(|name| args.get(2).is_none_or(|pattern| glob::matches(pattern, name, false)));
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name));
    Ok(())
}

/// PUBSUB NUMSUB [channel ...]
fn numsub(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, Topic::Channel)
}

/// PUBSUB SHARDNUMSUB [shardchannel ...]
fn shardnumsub(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, Topic::ShardChannel)
}

fn count(ctx: &mut Context<'_>, args: Args<'_>, topic: Topic) -> Outcome {
    let names = args.from(2);
    ctx.reply.array(names.len() * 2);
    for name in names.iter() {
        ctx.reply.bulk(name);
        ctx.reply.len(ctx.core.pubsub.subscribers(topic, name));
    }
    Ok(())
}

/// PUBSUB NUMPAT
fn numpat(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.len(ctx.core.pubsub.count(Topic::Pattern));
    Ok(())
}

/// PUBSUB HELP
fn pubsub_help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help(args.at(0), "pubsub", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn a_silent_client_still_gets_its_messages_behind_the_reply() {
        let mut server = Server::start();
        server.ask("HELLO 3");
        assert_eq!(server.ask("SUBSCRIBE a"), ">3|$9|subscribe|$1|a|:1|");
        assert_eq!(server.ask("PUBLISH a x"), ":1|>3|$7|message|$1|a|$1|x|");
        server.ask("CLIENT REPLY OFF");
        assert_eq!(server.ask("PUBLISH a x"), ">3|$7|message|$1|a|$1|x|");
        assert_eq!(server.ask("UNSUBSCRIBE"), ">3|$11|unsubscribe|$1|a|:0|");
        assert_eq!(server.ask("UNSUBSCRIBE"), ">3|$11|unsubscribe|_|:0|");
    }

    #[test]
    fn channels_and_patterns_are_counted_together_and_listed_apart() {
        let mut server = Server::start();
        server.ask("HELLO 3");
        server.ask("SUBSCRIBE a a");
        assert_eq!(server.ask("PSUBSCRIBE [ab]"), ">3|$10|psubscribe|$4|[ab]|:2|");
        assert_eq!(server.ask("PUBSUB NUMSUB a b"), "*4|$1|a|:1|$1|b|:0|");
        assert_eq!(server.ask("PUBSUB CHANNELS [ab]"), "*1|$1|a|");
        assert_eq!(server.ask("PUBSUB NUMPAT"), ":1|");
        assert_eq!(server.ask("RESET"), "+RESET|");
        assert_eq!(server.ask("PUBSUB CHANNELS"), "*0|");
    }
}
