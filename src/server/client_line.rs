//! The line that CLIENT LIST, CLIENT INFO and the log show of a client: `id=3 addr=127.0.0.1:50000 ...`.
//!
//! The fields and their order are Redis 7.2's, since monitoring tools parse them. Where this server has nothing to
//! measure (a request's arguments stay in the input buffer) a field shows what Redis shows of a client that has none.

use super::session::{Redirects, Session};
use super::tracking::Tracker;
use super::transaction::Transaction;
use crate::resp::reply::Protocol;
use crate::timer::Millis;

/// One client, as of `now` in Unix time.
pub fn client_line(session: &Session, now: Millis) -> String {
    let seconds_since = |past: Millis| now.since(past).max(0) / 1000;
    let subscriptions = session.subscriptions.as_deref();
    let names = session.names.as_deref();
    let transaction = session.transaction.as_deref();
    let queued = session.executing.or_else(|| transaction.and_then(Transaction::queued));
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let fields: [(&str, String); 29] = [
        ("id", session.id.0.to_string()),
        ("addr", session.peer().to_owned()),
        ("laddr", session.own_address().to_owned()),
        ("fd", session.fd.to_string()),
        ("name", text(names.map(|names| &*names.name))),
        ("age", seconds_since(session.created).to_string()),
        ("idle", seconds_since(session.last_interaction).to_string()),
        ("flags", flags(session)),
        ("db", session.database.to_string()),
        ("sub", subscriptions.map_or(0, |subs| subs.channels.len()).to_string()),
        ("psub", subscriptions.map_or(0, |subs| subs.patterns.len()).to_string()),
        (
            "ssub",
            subscriptions.map_or(0, |subs| subs.shard_channels.len()).to_string(),
        ),
        ("multi", queued.map_or("-1".to_owned(), |queued| queued.to_string())),
        ("qbuf", session.input_len.to_string()),
        (
            "qbuf-free",
            session.input_bytes.saturating_sub(session.input_len).to_string(),
        ),
        ("argv-mem", "0".to_owned()),
        (
            "multi-mem",
            transaction.map_or(0, Transaction::queued_bytes).to_string(),
        ),
        // There is one reply buffer, so its size is also its peak.
        ("rbs", session.reply.bytes.capacity().to_string()),
        ("rbp", session.reply.bytes.capacity().to_string()),
        ("obl", session.reply.bytes.len().to_string()),
        ("oll", usize::from(session.backlog_bytes > 0).to_string()),
        ("omem", session.backlog_bytes.to_string()),
        ("tot-mem", session.memory().to_string()),
        ("events", if session.backlog_bytes > 0 { "rw" } else { "r" }.to_owned()),
        ("cmd", session.last_command.map_or("NULL", |spec| spec.name).to_owned()),
        (
            "user",
            session
                .user
                .as_ref()
                .map_or("(superuser)".into(), |user| text(Some(&*user.name))),
        ),
        ("redir", redirection(session.tracking.as_deref()).to_string()),
        (
            "resp",
            if session.protocol == Protocol::Resp3 { "3" } else { "2" }.to_owned(),
        ),
        ("lib-name", text(names.map(|names| &*names.lib_name))),
    ];
    let mut line = String::with_capacity(320);
    for (name, value) in fields {
        line.extend([name, "=", &value, " "]);
    }
    line.extend(["lib-ver=", &text(names.map(|names| &*names.lib_version))]);
    line
}

/// Whom a client lets be told of changes in its place: 0 is nobody, -1 that it does not track.
pub fn redirection(tracker: Option<&Tracker>) -> i64 {
    tracker.map_or(-1, |tracker| tracker.redirect.map_or(0, |id| id.0 as i64))
}

/// Every letter that [`flags`] may have in Redis or in Valkey. Some never appear here: what they stand for is over by the
/// time anybody could look (`u`, `A`), or is of clusters (`i`, `E`).
pub const LETTERS: [u8; 21] = *b"OSMPxbtRBdcuAUreTIiEN";

/// A letter for everything that sets a client apart, or `N`.
pub fn flags(session: &Session) -> String {
    let tracker = session.tracking.as_deref();
    let transaction = session.transaction.as_deref();
    let letters = [
        ('S', session.replica.is_some()),
        ('M', session.is_primary),
        ('O', session.monitor),
        ('P', session.is_subscriber()),
        ('x', session.is_queueing() || session.executing.is_some()),
        ('b', session.blocked.is_some()),
        ('t', tracker.is_some()),
        ('R', tracker.is_some_and(|tracker| tracker.broken)),
        ('B', tracker.is_some_and(|tracker| tracker.broadcast)),
        ('d', transaction.is_some_and(Transaction::is_disturbed)),
        ('c', session.closing),
        ('U', session.unix_socket),
        ('r', session.redirects == Redirects::Writes),
        ('e', session.no_evict),
        ('T', session.no_touch),
        ('I', session.imports),
    ];
    let set: String = letters
        .iter()
        .filter(|(_, set)| *set)
        .map(|(letter, _)| *letter)
        .collect();
    if set.is_empty() { "N".to_owned() } else { set }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session::{ClientId, SessionIndex};
    use crate::server::testing::Server;

    #[test]
    fn a_fresh_client_has_every_field_in_order() {
        let mut session = Session::new(ClientId(3), SessionIndex(0), Millis(1_000));
        session.addresses = "127.0.0.1:50000 127.0.0.1:6379".into();
        session.fd = 8;
        session.names_mut().name = b"me".as_slice().into();
        let line = client_line(&session, Millis(63_500));
        let start = "id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=8 name=me age=62 idle=62 flags=N db=0 sub=0 \
                     psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 \
                     tot-mem=";
        assert!(line.starts_with(start), "{line}");
        let end = " events=r cmd=NULL user=(superuser) redir=-1 resp=2 lib-name= lib-ver=";
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn letters_stand_in_the_order_of_redis() {
        let mut server = Server::start();
        server.ask("WATCH k");
        server.ask("CLIENT TRACKING on BCAST");
        assert_eq!(flags(server.core.session(SessionIndex(0))), "tB");
        server.ask("SET k v");
        assert_eq!(flags(server.core.session(SessionIndex(0))), "tBd");
        server.ask("MULTI");
        assert_eq!(flags(server.core.session(SessionIndex(0))), "xtBd");
        server.ask("EXEC");
        server.ask("BLPOP l 0");
        assert_eq!(flags(server.core.session(SessionIndex(0))), "btB");
    }
}
