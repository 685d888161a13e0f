//! Which clients CLIENT LIST and CLIENT KILL mean: those that every filter given fits.

use super::expiry::syntax_error;
use crate::acl::UserId;
use crate::resp::request::Args;
use crate::server::client_line::{self, LETTERS};
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::session::{ClientId, Redirects, Session};
use crate::server::{Core, SessionIndex};
use crate::timer::Millis;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    Normal,
    Master,
    Replica,
    PubSub,
}

impl ClientType {
    fn parse(text: &[u8]) -> Result<Self, Failure> {
        let types: [(&[u8], Self); 6] = [
            (b"normal", Self::Normal),
            (b"master", Self::Master),
            (b"primary", Self::Master),
            (b"replica", Self::Replica),
            (b"slave", Self::Replica),
            (b"pubsub", Self::PubSub),
        ];
        let found = types.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        found
            .map(|(_, kind)| kind)
            .ok_or_else(|| [b"ERR Unknown client type '", text, b"'"].concat().into())
    }

    fn of(session: &Session) -> Self {
        if session.is_primary {
            Self::Master
        } else if session.replica.is_some() {
            Self::Replica
        } else if session.is_subscriber() {
            Self::PubSub
        } else {
            Self::Normal
        }
    }
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Id,
    Type,
    Address,
    OwnAddress,
    Ip,
    User,
    Name,
    LibName,
    LibVersion,
    Flags,
    Capabilities,
    Database,
    Age,
    Idle,
}

impl Subject {
    fn named(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"id" => Self::Id,
            b"type" => Self::Type,
            b"addr" => Self::Address,
            b"laddr" => Self::OwnAddress,
            b"ip" => Self::Ip,
            b"user" => Self::User,
            b"name" => Self::Name,
            b"lib-name" => Self::LibName,
            b"lib-ver" => Self::LibVersion,
            b"flags" => Self::Flags,
            b"capa" => Self::Capabilities,
            b"db" => Self::Database,
            b"maxage" => Self::Age,
            b"idle" => Self::Idle,
            _ => return None,
        })
    }

    /// Of time there is only the least.
    fn can_be_negated(self) -> bool {
        !matches!(self, Self::Age | Self::Idle)
    }
}

/// What is wanted of a subject.
#[derive(Debug)]
enum Wanted<'a> {
    /// In order, each as often as it was said.
    Ids(Vec<ClientId>),
    Type(ClientType),
    User(UserId),
    Text(&'a [u8]),
    /// A database, or the least seconds.
    Number(i64),
}

#[derive(Debug)]
struct Filter<'a> {
    subject: Subject,
    negated: bool,
    wanted: Wanted<'a>,
}

impl Filter<'_> {
    fn fits(&self, session: &Session, now: Millis) -> bool {
        self.is_as_wanted(session, now) != self.negated
    }

    fn is_as_wanted(&self, session: &Session, now: Millis) -> bool {
        let names = session.names.as_deref();
        // What was never told is not even equal to nothing.
        let is_told = |told: Option<&[u8]>, wanted: &[u8]| told.is_some_and(|told| !told.is_empty() && told == wanted);
        match (self.subject, &self.wanted) {
            (_, Wanted::Ids(ids)) => ids.binary_search(&session.id).is_ok(),
            (_, Wanted::Type(kind)) => *kind == ClientType::of(session),
            (_, Wanted::User(user)) => session.is_user(*user),
            (Subject::Database, Wanted::Number(database)) => session.database as i64 == *database,
            (Subject::Age, Wanted::Number(age)) => now.as_secs() - session.created.as_secs() >= *age,
            (_, Wanted::Number(idle)) => now.as_secs() - session.last_interaction.as_secs() >= *idle,
            (Subject::Address, Wanted::Text(address)) => *address == session.peer().as_bytes(),
            (Subject::OwnAddress, Wanted::Text(address)) => *address == session.own_address().as_bytes(),
            (Subject::Ip, Wanted::Text(ip)) => session.ip().is_some_and(|own| own.as_bytes() == *ip),
            (Subject::Name, Wanted::Text(name)) => is_told(names.map(|names| &*names.name), name),
            (Subject::LibName, Wanted::Text(name)) => is_told(names.map(|names| &*names.lib_name), name),
            (Subject::LibVersion, Wanted::Text(version)) => is_told(names.map(|names| &*names.lib_version), version),
            (Subject::Capabilities, Wanted::Text(letters)) => {
                letters.is_empty() || session.redirects != Redirects::Nothing
            }
            (_, Wanted::Text(letters)) => {
                let flags = client_line::flags(session);
                letters.iter().all(|letter| flags.as_bytes().contains(letter))
            }
        }
    }
}

/// Everything that was said of the clients to list or to kill.
#[derive(Debug, Default)]
pub struct Filters<'a> {
    filters: Vec<Filter<'a>>,
    /// SKIPME: whoever asks is not among them.
    without_caller: bool,
}

impl<'a> Filters<'a> {
    /// Those of CLIENT KILL, which spares the caller unless it says otherwise.
    pub fn sparing_the_caller() -> Self {
        Self {
            without_caller: true,
            ..Self::default()
        }
    }

    /// The client that has this address.
    pub fn address(address: &'a [u8]) -> Self {
        let mut filters = Self::default();
        filters.put(Subject::Address, false, Wanted::Text(address));
        filters
    }

    /// Reads options and their values, from the third argument on. What is said twice counts as it was said last, except
    /// that ids add up.
    pub fn read(mut self, args: Args<'a>, core: &Core) -> Result<Self, Failure> {
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let option = option.to_ascii_lowercase();
            let Some(value) = args.get(at + 1) else {
                return syntax_error();
            };
            at += 2;
            if option == b"skipme" {
                self.without_caller = yes_or_no(value)?;
                continue;
            }
            let Some((subject, negated)) = subject_of(&option) else {
                return syntax_error();
            };
            if subject == Subject::Id {
                let (ids, next) = ids_from(args, at - 1)?;
                self.put_ids(negated, ids);
                at = next;
            } else {
                self.put(subject, negated, parse(subject, negated, value, core)?);
            }
        }
        Ok(self)
    }

    fn put(&mut self, subject: Subject, negated: bool, wanted: Wanted<'a>) {
        self.filters
            .retain(|filter| (filter.subject, filter.negated) != (subject, negated));
        self.filters.push(Filter {
            subject,
            negated,
            wanted,
        });
    }

    fn put_ids(&mut self, negated: bool, mut ids: Vec<ClientId>) {
        for filter in &self.filters {
            if let (Wanted::Ids(earlier), true) = (&filter.wanted, filter.negated == negated) {
                ids.extend(earlier);
            }
        }
        ids.sort_unstable();
        self.put(Subject::Id, negated, Wanted::Ids(ids));
    }

    pub fn fit(&self, session: &Session, caller: SessionIndex, now: Millis) -> bool {
        !(self.without_caller && session.index == caller) && self.filters.iter().all(|filter| filter.fits(session, now))
    }
}

/// Whether an option of this name could follow a list of ids.
pub fn is_filter(word: &[u8]) -> bool {
    let word = word.to_ascii_lowercase();
    word == b"skipme" || subject_of(&word).is_some()
}

/// The subject that an option in small letters names, and whether it is about those that are otherwise.
fn subject_of(option: &[u8]) -> Option<(Subject, bool)> {
    match option.strip_prefix(b"not-") {
        Some(name) => Some((Subject::named(name).filter(|subject| subject.can_be_negated())?, true)),
        None => Some((Subject::named(option)?, false)),
    }
}

/// The ids from an argument on, and where they end.
fn ids_from(args: Args<'_>, start: usize) -> Result<(Vec<ClientId>, usize), Failure> {
    let mut ids = vec![parse_id(args.at(start))?];
    let mut at = start + 1;
    while let Some(text) = args.get(at).filter(|text| integer(text).is_ok()) {
        ids.push(parse_id(text)?);
        at += 1;
    }
    Ok((ids, at))
}

fn parse<'a>(subject: Subject, negated: bool, value: &'a [u8], core: &Core) -> Result<Wanted<'a>, Failure> {
    // How messages call a negated option; those that are not go by another name in each.
    let option = |name: &'static str, plain: &'static str| {
        if negated {
            format!("NOT-{name}")
        } else {
            plain.to_owned()
        }
    };
    Ok(match subject {
        Subject::Type => Wanted::Type(ClientType::parse(value)?),
        Subject::User => Wanted::User(
            core.acl
                .find(value)
                .ok_or([b"ERR No such user '", value, b"'"].concat())?,
        ),
        Subject::Database => Wanted::Number(parse_database(value, &option("DB", "DB"), core.settings.databases)?),
        Subject::Age => Wanted::Number(parse_seconds(value, "maxage")?),
        Subject::Idle => Wanted::Number(parse_seconds(value, "idle")?),
        Subject::Flags => {
            let name = option("FLAGS", "provided");
            Wanted::Text(check_letters(value, &LETTERS, "flags", &name)?)
        }
        Subject::Capabilities => Wanted::Text(check_letters(value, b"r", "capa", &option("CAPA", "provided"))?),
        _ => Wanted::Text(value),
    })
}

fn parse_id(text: &[u8]) -> Result<ClientId, Failure> {
    match integer(text).map(u64::try_from) {
        Ok(Ok(id)) if id > 0 => Ok(ClientId(id)),
        _ => Err("ERR client-id should be greater than 0".into()),
    }
}

fn parse_seconds(text: &[u8], what: &str) -> Result<i64, Failure> {
    match integer(text) {
        Ok(seconds) if seconds > 0 => Ok(seconds),
        Ok(_) => Err(format!("ERR {what} should be greater than 0").into()),
        Err(_) => Err(format!("ERR {what} is not an integer or out of range").into()),
    }
}

fn parse_database(text: &[u8], what: &str, databases: i32) -> Result<i64, Failure> {
    match integer(text).map(i32::try_from) {
        Ok(Ok(database)) if (0..databases).contains(&database) => Ok(database.into()),
        Ok(Ok(_)) => Err(format!("ERR {what} number should be between 0 and {}", databases - 1).into()),
        _ => Err(format!("ERR {what} is not an integer or out of range").into()),
    }
}

fn check_letters<'a>(text: &'a [u8], known: &[u8], what: &str, option: &str) -> Result<&'a [u8], Failure> {
    if text.iter().all(|letter| known.contains(letter)) {
        return Ok(text);
    }
    let reason = format!("ERR Unknown {what} found in the {option} filter: ");
    Err([reason.as_bytes(), text].concat().into())
}

fn yes_or_no(text: &[u8]) -> Result<bool, Failure> {
    match text {
        _ if text.eq_ignore_ascii_case(b"yes") => Ok(true),
        _ if text.eq_ignore_ascii_case(b"no") => Ok(false),
        _ => syntax_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::Server;

    /// A server with a second client of id 2, which has told everything that can be told.
    fn server_of_two() -> Server {
        let mut server = Server::start();
        let other = server.core.open(SessionIndex(1));
        other.addresses = "[::1]:7 127.0.0.1:6379".into();
        other.database = 3;
        other.no_evict = true;
        let names = other.names_mut();
        names.name = b"other".as_slice().into();
        names.lib_name = b"lib".as_slice().into();
        names.lib_version = b"1.2".as_slice().into();
        server.ask("CLIENT CAPA redirect");
        server.at(5_000);
        server
    }

    /// The ids that CLIENT LIST tells.
    fn listed(server: &mut Server, filters: &str) -> Vec<String> {
        let reply = server.ask(&format!("CLIENT LIST {filters}"));
        let ids = reply.split("id=").skip(1);
        let ids = ids.filter_map(|rest| rest.split_once(" addr="));
        ids.map(|(id, _)| id.to_owned()).collect()
    }

    #[test]
    fn a_client_is_listed_by_what_it_is_and_by_what_it_is_not() {
        let mut server = server_of_two();
        let filters = [
            "ID 2",
            "ADDR [::1]:7",
            "IP ::1",
            "NAME other",
            "LIB-NAME lib",
            "LIB-VER 1.2",
            "DB 3",
            "FLAGS e",
        ];
        for filter in filters {
            assert_eq!(listed(&mut server, filter), ["2"], "{filter}");
            assert_eq!(listed(&mut server, &format!("NOT-{filter}")), ["1"], "{filter}");
        }
        assert_eq!(listed(&mut server, "CAPA r"), ["1"]);
        assert_eq!(listed(&mut server, "NOT-CAPA r"), ["2"]);
        assert_eq!(listed(&mut server, "FLAGS N"), ["1"]);
        assert_eq!(listed(&mut server, "NOT-FLAGS eT"), ["1", "2"]);
    }

    #[test]
    fn all_filters_must_fit() {
        let mut server = server_of_two();
        assert_eq!(listed(&mut server, "TYPE normal"), ["1", "2"]);
        assert_eq!(listed(&mut server, "TYPE normal SKIPME yes"), ["2"]);
        assert_eq!(listed(&mut server, "ID 2 1 2 DB 3"), ["2"]);
        assert_eq!(listed(&mut server, "ID 2 TYPE normal ID 1"), ["1", "2"]);
        assert_eq!(listed(&mut server, "ID 2 1"), ["2", "1"]);
        assert_eq!(listed(&mut server, "NAME nobody NAME other"), ["2"]);
        assert_eq!(listed(&mut server, "NAME other DB 0"), [""; 0]);
    }

    #[test]
    fn time_is_in_whole_seconds() {
        let mut server = server_of_two();
        assert_eq!(listed(&mut server, "IDLE 5"), ["2"]);
        assert_eq!(listed(&mut server, "IDLE 6"), [""; 0]);
        assert_eq!(listed(&mut server, "MAXAGE 5"), ["1", "2"]);
        assert_eq!(server.ask("CLIENT KILL NOT-IP 127.0.0.1 IDLE 5"), ":1|");
        assert_eq!(listed(&mut server, "MAXAGE 5"), ["1"]);
    }
}
