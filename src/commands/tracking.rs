//! CLIENT TRACKING and its kin: a client says what it caches (see [`crate::server::tracking`]).

use std::collections::BTreeSet;

use super::expiry::syntax_error;
use super::handlers::Family;
use crate::resp::request::Args;
use crate::server::client_line::redirection;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::session::ClientId;
use crate::server::tracking::{Choice, Tracker};
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("client|caching", caching),
    ("client|getredir", getredir),
    ("client|tracking", tracking),
    ("client|trackinginfo", trackinginfo),
];

/// The options of CLIENT TRACKING.
#[derive(Default)]
struct Options {
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    redirect: Option<ClientId>,
    prefixes: Vec<Box<[u8]>>,
}

impl Options {
    fn parse(ctx: &Context<'_>, args: Args<'_>) -> Result<Self, Failure> {
        let mut options = Options::default();
        let mut at = 3;
        while let Some(option) = args.get(at) {
            match (&option.to_ascii_lowercase()[..], args.get(at + 1)) {
                (b"redirect", Some(id)) => {
                    if options.redirect.is_some() {
                        return Err("ERR A client can only redirect to a single other client".into());
                    }
                    options.redirect = redirect_target(ctx, id)?;
                    at += 1;
                }
                (b"prefix", Some(prefix)) => {
                    options.prefixes.push(prefix.into());
                    at += 1;
                }
                (b"bcast", _) => options.broadcast = true,
                (b"optin", _) => options.opt_in = true,
                (b"optout", _) => options.opt_out = true,
                (b"noloop", _) => options.no_loop = true,
                _ => return syntax_error(),
            }
            at += 1;
        }
        Ok(options)
    }

    /// What is wrong with these options by themselves, or for a client that tracks already.
    fn check(&self, before: Option<&Tracker>) -> Outcome {
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err("ERR PREFIX option requires BCAST mode to be enabled".into());
        }
        if before.is_some_and(|before| before.broadcast != self.broadcast) {
            return Err(
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
                 re-enabling it with a different mode."
                    .into(),
            );
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err("ERR OPTIN and OPTOUT are not compatible with BCAST".into());
        }
        if self.opt_in && self.opt_out {
            return Err("ERR You can't specify both OPTIN mode and OPTOUT mode".into());
        }
        let switched = |before: &Tracker| {
            self.opt_in && before.choice == Choice::OptOut || self.opt_out && before.choice == Choice::OptIn
        };
        if before.is_some_and(switched) {
            return Err(
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
                 re-enabling it with a different mode."
                    .into(),
            );
        }
        self.check_prefixes(before)
    }

    /// No prefix may be the beginning of another, or the client would hear twice of what is below both.
    fn check_prefixes(&self, before: Option<&Tracker>) -> Outcome {
        let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
        let refuse = |prefix: &[u8], other: &[u8], which: &str| {
            let text: [&[u8]; 7] = [
                b"ERR Prefix '",
                prefix,
                b"' overlaps with ",
                which.as_bytes(),
                b" prefix '",
                other,
                b"'. Prefixes for a single client must not overlap.",
            ];
            Err(text.concat().into())
        };
        for (at, prefix) in self.prefixes.iter().enumerate() {
            let had = before.into_iter().flat_map(|before| &before.prefixes);
            if let Some(other) = had.into_iter().find(|other| overlap(prefix, other)) {
                return refuse(prefix, other, "an existing");
            }
            if let Some(other) = self.prefixes[at + 1..].iter().find(|other| overlap(prefix, other)) {
                return refuse(prefix, other, "another provided");
            }
        }
        Ok(())
    }

    fn tracker(self) -> Tracker {
        let mut prefixes: BTreeSet<Box<[u8]>> = self.prefixes.into_iter().collect();
        // Without a prefix a client in broadcast mode hears of everything, besides what it heard of before.
        if self.broadcast && prefixes.is_empty() {
            prefixes.insert(Box::default());
        }
        Tracker {
            broadcast: self.broadcast,
            choice: match (self.opt_in, self.opt_out) {
                (true, _) => Choice::OptIn,
                (_, true) => Choice::OptOut,
                _ => Choice::All,
            },
            no_loop: self.no_loop,
            redirect: self.redirect,
            broken: false,
            caching: false,
            prefixes,
            prefix_bytes: 0,
        }
    }
}

/// The client named by REDIRECT; 0 is nobody.
fn redirect_target(ctx: &Context<'_>, text: &[u8]) -> Result<Option<ClientId>, Failure> {
    let id = integer(text)?;
    if id == 0 {
        return Ok(None);
    }
    let mut sessions = ctx.core.sessions();
    match sessions.find(|session| session.id.0 as i64 == id && !session.doomed) {
        Some(session) => Ok(Some(session.id)),
        None => Err("ERR The client ID you want redirect to does not exist".into()),
    }
}

/// CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
fn tracking(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(ctx, args)?;
    if args.at(2).eq_ignore_ascii_case(b"on") {
        let before = ctx.session().tracking.as_deref().cloned();
        options.check(before.as_ref())?;
        let tracker = options.tracker();
        ctx.core.track(ctx.session, tracker);
    } else if args.at(2).eq_ignore_ascii_case(b"off") {
        ctx.core.untrack(ctx.session);
    } else {
        return syntax_error();
    }
    ctx.reply.ok();
    Ok(())
}

/// CLIENT CACHING <YES | NO>
fn caching(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let wanted = match args.at(2) {
        word if word.eq_ignore_ascii_case(b"yes") => Choice::OptIn,
        word if word.eq_ignore_ascii_case(b"no") => Choice::OptOut,
        _ => Choice::All,
    };
    let Some(tracker) = ctx.session().tracking.as_deref_mut() else {
        return Err(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
                    enabled"
                .into(),
        );
    };
    match wanted {
        Choice::All => return syntax_error(),
        Choice::OptIn if tracker.choice != wanted => {
            return Err("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.".into());
        }
        Choice::OptOut if tracker.choice != wanted => {
            return Err("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.".into());
        }
        Choice::OptIn | Choice::OptOut => tracker.caching = true,
    }
    ctx.reply.ok();
    Ok(())
}

/// CLIENT GETREDIR
fn getredir(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let id = redirection(ctx.session().tracking.as_deref());
    ctx.reply.int(id);
    Ok(())
}

/// CLIENT TRACKINGINFO
fn trackinginfo(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let tracker = ctx.session().tracking.as_deref().cloned();
    let reply = &mut ctx.reply;
    reply.map(3);
    reply.bulk("flags");
    let flags = flags(tracker.as_ref());
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag));
    reply.bulk("redirect");
    reply.int(redirection(tracker.as_ref()));
    reply.bulk("prefixes");
    let prefixes = tracker.map(|tracker| tracker.prefixes).unwrap_or_default();
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

fn flags(tracker: Option<&Tracker>) -> Vec<&'static str> {
    let Some(tracker) = tracker else { return vec!["off"] };
    let flags = [
        ("on", true),
        ("bcast", tracker.broadcast),
        ("optin", tracker.choice == Choice::OptIn),
        ("caching-yes", tracker.choice == Choice::OptIn && tracker.caching),
        ("optout", tracker.choice == Choice::OptOut),
        ("caching-no", tracker.choice == Choice::OptOut && tracker.caching),
        ("noloop", tracker.no_loop),
        ("broken_redirect", tracker.broken),
    ];
    flags.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).collect()
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn nothing_outlasts_a_flush_though_nobody_tracks_just_then() {
        let mut server = Server::start();
        let reader = server.connect();
        for line in ["HELLO 3", "CLIENT TRACKING ON", "GET a", "CLIENT TRACKING OFF"] {
            server.ask_as(reader, line);
        }
        server.ask("FLUSHALL");
        assert_eq!(server.core.tracking.items(), 0);
        server.ask_as(reader, "CLIENT TRACKING ON");
        server.ask("SET a 1");
        assert_eq!(server.take_reply_of(reader), "");
    }

    #[test]
    fn a_change_is_told_once_to_those_who_read_the_key() {
        let mut server = Server::start();
        let reader = server.connect();
        server.ask_as(reader, "HELLO 3");
        server.ask_as(reader, "CLIENT TRACKING ON");
        server.ask_as(reader, "MGET a b");
        server.ask("SET a 1");
        server.ask("SET a 2");
        assert_eq!(server.take_reply_of(reader), ">2|$10|invalidate|*1|$1|a|");
        // Its own change comes behind the reply, also that of a transaction.
        server.ask_as(reader, "GET a");
        server.ask_as(reader, "MULTI");
        server.ask_as(reader, "SET a 3");
        server.ask_as(reader, "PING");
        assert_eq!(
            server.ask_as(reader, "EXEC").as_deref(),
            Some("*2|+OK|+PONG|>2|$10|invalidate|*1|$1|a|")
        );
        server.ask("FLUSHALL");
        assert_eq!(server.take_reply_of(reader), ">2|$10|invalidate|_|");
        assert_eq!(server.core.tracking.items(), 0);
    }

    #[test]
    fn what_a_client_is_to_forget_never_reaches_another() {
        let mut server = Server::start();
        let (reader, other) = (server.connect(), server.connect());
        for client in [reader, other] {
            server.ask_as(client, "HELLO 3");
        }
        server.ask_as(reader, "CLIENT TRACKING ON");
        server.ask_as(reader, "GET a");
        for line in ["MULTI", "SET a 1", "CLIENT TRACKING OFF"] {
            server.ask_as(reader, line);
        }
        assert_eq!(
            server.ask_as(reader, "EXEC").as_deref(),
            Some("*2|+OK|+OK|>2|$10|invalidate|*1|$1|a|")
        );
        assert_eq!(server.ask_as(other, "CLIENT TRACKING ON").as_deref(), Some("+OK|"));
    }

    #[test]
    fn an_expired_key_is_told() {
        let mut server = Server::start();
        let reader = server.connect();
        server.ask_as(reader, "HELLO 3");
        server.ask_as(reader, "CLIENT TRACKING ON");
        server.at(0).ask("SET a 1 PX 10");
        server.ask_as(reader, "GET a");
        server.at(10).expire_due();
        assert_eq!(server.take_reply_of(reader), ">2|$10|invalidate|*1|$1|a|");
    }

    #[test]
    fn clients_choose_what_they_track() {
        let mut server = Server::start();
        let reader = server.connect();
        server.ask_as(reader, "HELLO 3");
        server.ask_as(reader, "CLIENT TRACKING ON OPTIN");
        server.ask_as(reader, "GET a");
        server.ask_as(reader, "CLIENT CACHING YES");
        server.ask_as(reader, "GET b");
        server.ask_as(reader, "GET c");
        server.ask("MSET a 1 b 1 c 1");
        assert_eq!(server.take_reply_of(reader), ">2|$10|invalidate|*1|$1|b|");
    }

    #[test]
    fn broadcasts_come_once_a_tick_below_their_prefixes() {
        let mut server = Server::start();
        let (reader, other) = (server.connect(), server.connect());
        for client in [reader, other] {
            server.ask_as(client, "HELLO 3");
        }
        server.ask_as(reader, "CLIENT TRACKING ON BCAST PREFIX a: PREFIX b: NOLOOP");
        server.ask_as(other, "CLIENT TRACKING ON BCAST");
        server.ask("MSET a:1 x c x");
        server.ask_as(reader, "SET a:2 x");
        server.core.broadcast_changes();
        assert_eq!(server.take_reply_of(reader), ">2|$10|invalidate|*1|$3|a:1|");
        assert_eq!(server.take_reply_of(other), ">2|$10|invalidate|*3|$3|a:1|$3|a:2|$1|c|");
        assert_eq!(
            server.ask_as(reader, "CLIENT TRACKING ON BCAST PREFIX a:2").as_deref(),
            Some(
                "-ERR Prefix 'a:2' overlaps with an existing prefix 'a:'. Prefixes for a single client must not \
                 overlap.|"
            )
        );
    }

    #[test]
    fn resp2_clients_are_told_through_another_connection() {
        let mut server = Server::start();
        let (reader, ear) = (server.connect(), server.connect());
        server.ask_as(ear, "SUBSCRIBE __redis__:invalidate");
        server.ask_as(reader, "CLIENT TRACKING ON REDIRECT 3");
        server.ask_as(reader, "GET a");
        server.ask("SET a 1");
        assert_eq!(
            server.take_reply_of(ear),
            "*3|$7|message|$20|__redis__:invalidate|*1|$1|a|"
        );
        server.core.ask_close(ear, true);
        server.ask_as(reader, "GET a");
        server.ask("SET a 2");
        assert_eq!(
            server.ask_as(reader, "CLIENT TRACKINGINFO").as_deref(),
            Some("*6|$5|flags|*2|$2|on|$15|broken_redirect|$8|redirect|:3|$8|prefixes|*0|")
        );
    }

    #[test]
    fn the_table_of_keys_is_bounded() {
        let mut server = Server::start();
        let reader = server.connect();
        server.core.settings.tracking_table_max_keys = 10;
        server.ask_as(reader, "HELLO 3");
        server.ask_as(reader, "CLIENT TRACKING ON");
        for key in 0..500 {
            server.ask_as(reader, &format!("GET {key}"));
        }
        assert!(server.core.limit_tracking());
        while server.core.limit_tracking() {}
        assert_eq!(server.core.tracking.keys(), 10);
        assert_eq!(server.take_reply_of(reader).matches("invalidate").count(), 490);
    }
}
