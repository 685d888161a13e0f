//! Users with random rules, here and in valkey-server: what is said of the rules must be the same bytes, and so must every
//! refusal of a random command. redis-server 7.0.15 is not asked: it words refusals and describes users otherwise.
//!
//! A program has two connections to each server: an administrator, who is the default user and changes others, and a client
//! that is one of those. Of the client's commands only refusals are compared, whether there is one and its words; what the
//! commands answer otherwise is the other tests' concern.

use std::io;
use std::time::{Duration, Instant};

use super::compare::{Compare, same};
use super::generator::{Generator, Request};
use crate::support::chunks::without_chunks;
use crate::support::client::{Client, closed, encode_into};
use crate::support::random::Random;
use crate::support::reply::show;
use crate::support::server::{Binary, Server};

const ANSWER: Duration = Duration::from_secs(10);
const SHRINKING: Duration = Duration::from_secs(30);

const USERS: &[&str] = &["ann", "bob", "Bob", "k\u{e9}"];

/// Rules that are some, mostly.
const RULES: &[&str] = &[
    "on",
    "on",
    "ON",
    "off",
    "nopass",
    ">p",
    ">p",
    ">q",
    "<p",
    "resetpass",
    "reset",
    "clearselectors",
    "sanitize-payload",
    "skip-sanitize-payload",
    "allkeys",
    "~*",
    "resetkeys",
    "~k*",
    "~a",
    "~[a-m]*",
    "~?",
    "%R~*",
    "%W~*",
    "%RW~s*",
    "%r~l*",
    "%WR~h:*",
    "%R~z*",
    "%W~z*",
    "allchannels",
    "&*",
    "resetchannels",
    "&a*",
    "&?",
    "&news",
    "+@all",
    "+@all",
    "allcommands",
    "-@all",
    "nocommands",
    "+@read",
    "-@read",
    "+@write",
    "-@write",
    "+@string",
    "-@list",
    "+@keyspace",
    "-@dangerous",
    "+@admin",
    "-@slow",
    "+@fast",
    "-@blocking",
    "+@connection",
    "-@scripting",
    "+@pubsub",
    "+@SET",
    "+@stream",
    "-@geo",
    "+get",
    "-get",
    "+SET",
    "+mget",
    "+config",
    "-config",
    "+config|get",
    "-config|set",
    "+CLIENT|id",
    "+client",
    "-client|setname",
    "+object|encoding",
    "+select|0",
    "+select|1",
    "+sort",
    "-sort",
    "+sort_ro",
    "+memory|usage",
    "+xinfo|stream",
    "(+get ~a)",
    "(+@write %W~k*)",
    "(+@all ~* &*)",
    "(+@all -@write %R~*)",
    "(+publish &news)",
    "(~x)",
    "()",
    "#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "!ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "",
];

/// Words that are no rules, or hardly. None of keys by access: `%~a` ends the peer, and after `allkeys` both that and the pattern
/// are wrong, of which either may be told.
const NO_RULES: &[&str] = &[
    "x",
    "+",
    "-",
    "+@",
    "-@",
    "~",
    "&",
    ">",
    "<",
    "<nosuch",
    "#",
    "!",
    "#zz",
    "#BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
    "+nosuch",
    "-nosuch",
    "+@nosuch",
    "+config|nosuch",
    "-config|nosuch",
    "+config|",
    "-config|",
    "+|",
    "+|get",
    "+get|",
    "+config|get|x",
    "+select|0|1",
    "-select|0",
    "+@all|x",
    "(",
    ")",
    "(+get",
    "+get)",
    "(on)",
    "(+nosuch)",
    "((+get))",
    "(+get ~a) ",
    "( +get\t~a )",
    "(reset)",
    "all",
    "resetall",
    "onn",
];

/// A request, and whether the administrator makes it.
type Step = (bool, Request);

struct Side {
    server: Server,
    admin: Client,
    client: Client,
}

impl Side {
    fn start(binary: Binary) -> Side {
        let settings = &[("slowlog-log-slower-than", "-1"), ("hz", "500")];
        let server = Server::start_with(binary, settings);
        let (admin, client) = (connect(&server), connect(&server));
        Side { server, admin, client }
    }

    fn connection(&mut self, is_admin: bool) -> &mut Client {
        match is_admin {
            true => &mut self.admin,
            false => &mut self.client,
        }
    }

    /// Reads a reply to each of the steps, which are all one connection's. One that is closed says so, and is replaced.
    fn read(&mut self, sent: io::Result<()>, is_admin: bool, count: usize) -> Vec<Vec<u8>> {
        let mut replies = Vec::new();
        let mut failure = sent.err();
        while failure.is_none() && replies.len() < count {
            match self.connection(is_admin).read_reply() {
                Ok(reply) => replies.push(reply),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            let words = match closed(&error) {
                true => "(closed)".to_owned(),
                false => format!("({error})"),
            };
            replies.resize(count, words.into_bytes());
            assert!(self.server.is_running(), "{}", self.server.log());
            *self.connection(is_admin) = connect(&self.server);
        }
        replies
    }
}

fn connect(server: &Server) -> Client {
    let client = server.connect();
    client.set_read_timeout(ANSWER).expect("a timeout that is not zero");
    client
}

/// Where two servers differed, and what they said.
struct Found {
    at: usize,
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

/// What makes all programs begin in the same state. The client's is kept apart from its commands, which may be refused.
fn beginning() -> Vec<Step> {
    let request = |words: &[&str]| Request::new(words, Compare::Shape);
    let deluser = [&["ACL", "DELUSER"][..], USERS].concat();
    vec![
        (true, request(&["RESET"])),
        (true, request(&deluser)),
        (true, request(&["ACL", "LOG", "RESET"])),
        (true, request(&["FLUSHALL"])),
    ]
}

/// The first difference between the two, in a program that starts anew.
fn difference(ours: &mut Side, valkey: &mut Side, program: &[Step]) -> Option<Found> {
    // Whoever the client was.
    ours.client = connect(&ours.server);
    valkey.client = connect(&valkey.server);
    let whole = [&beginning(), program].concat();
    let skipped = whole.len() - program.len();
    let mut at = 0;
    // The peer leaves out its answer to a login that fails behind unsent ones.
    for steps in whole.chunk_by(|one, other| one.0 == other.0 && other.1.name() != "AUTH") {
        let is_admin = steps[0].0;
        let mut bytes = Vec::new();
        steps
            .iter()
            .for_each(|(_, request)| encode_into(&mut bytes, &request.args));
        let sent = [&mut *ours, &mut *valkey].map(|side| side.connection(is_admin).send(&bytes));
        let [sent_here, sent_there] = sent;
        let here = ours.read(sent_here, is_admin, steps.len());
        let there = valkey.read(sent_there, is_admin, steps.len());
        for (((_, request), ours), theirs) in steps.iter().zip(here).zip(there) {
            let agree = match is_admin || request.name() == "AUTH" || request.name() == "ACL" {
                true => same(request.compare, &ours, &theirs),
                false => !(is_refusal(&ours) || is_refusal(&theirs)) || ours == theirs,
            };
            if !agree && at >= skipped {
                let at = at - skipped;
                return Some(Found { at, ours, theirs });
            }
            at += 1;
        }
    }
    None
}

fn is_refusal(reply: &[u8]) -> bool {
    let is_in = |words: &[u8]| reply.windows(words.len()).any(|part| part == words);
    reply.starts_with(b"-NOPERM") || reply.starts_with(b"(") || reply.starts_with(b"-") && is_in(b"ACL")
}

/// Random programs.
struct Programs {
    random: Random,
    commands: Generator,
    pool: Vec<Request>,
}

impl Programs {
    fn command(&mut self) -> Request {
        if self.pool.is_empty() {
            self.pool = self.commands.round();
            // Logins in a transaction are such that the peer does not answer.
            self.pool
                .retain(|request| !["MULTI", "EXEC", "DISCARD"].contains(&request.name().as_str()));
            self.random.shuffle(&mut self.pool);
        }
        self.pool.pop().expect("a round has commands")
    }

    fn rules(&mut self) -> Vec<&'static str> {
        let spoilt = self.random.percent(20);
        let mut rules: Vec<&str> = (0..self.random.below(6))
            .map(|_| *self.random.pick::<&str>(RULES))
            .collect();
        if spoilt {
            let at = self.random.below(rules.len() + 1);
            let word: &'static str = self.random.pick::<&'static str>(NO_RULES);
            rules.insert(at, word);
        }
        rules
    }

    fn admin(&mut self, words: &[&str]) -> Step {
        (true, Request::new(words, Compare::Exact))
    }

    fn setuser(&mut self) -> Step {
        let user = *self.random.pick(USERS);
        let rules = self.rules();
        self.admin(&[&["ACL", "SETUSER", user][..], &rules].concat())
    }

    fn dryrun(&mut self) -> Step {
        let user = *self.random.pick(USERS);
        let command = self.command();
        let mut args: Vec<Vec<u8>> = ["ACL", "DRYRUN", user].map(|word| word.as_bytes().to_vec()).into();
        args.extend(command.args);
        (true, Request::new(&args, Compare::Exact))
    }

    fn login(&mut self) -> Step {
        let user = *self.random.pick(USERS);
        let password = *self.random.pick(&["p", "p", "p", "q", ""]);
        (false, Request::new(&["AUTH", user, password], Compare::Exact))
    }

    fn program(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..3 {
            let user = *self.random.pick(USERS);
            let mut words = vec!["ACL", "SETUSER", user, "on", ">p"];
            words.extend(self.rules());
            steps.push(self.admin(&words));
        }
        for _ in 0..30 {
            let user = *self.random.pick(USERS);
            let step = match self.random.below(20) {
                0..6 => self.setuser(),
                6..9 => self.admin(&["ACL", "GETUSER", user]),
                9 => self.admin(&["ACL", "LIST"]),
                10 => self.admin(&["ACL", "USERS"]),
                11 => self.admin(&["ACL", "DELUSER", user, "nosuch"]),
                12..16 => self.dryrun(),
                _ => {
                    steps.push(self.login());
                    steps.push((false, Request::new(&["ACL", "WHOAMI"], Compare::Exact)));
                    for _ in 0..self.random.below(20) {
                        let command = self.command();
                        steps.push((false, command));
                    }
                    continue;
                }
            };
            steps.push(step);
        }
        steps
    }
}

/// Compares so many commands; panics with what differed, at most `patience` programs.
pub fn examine(seed: u64, wanted: u64, patience: usize) {
    let (mut ours, mut valkey) = (Side::start(Binary::UnderTest), Side::start(Binary::Valkey));
    let mut programs = Programs {
        random: Random::new(seed),
        commands: Generator::new(seed),
        pool: Vec::new(),
    };
    let (mut done, mut faults) = (0, Vec::<String>::new());
    while done < wanted && faults.len() < patience {
        let program = programs.program();
        done += program.len() as u64;
        let Some(found) = difference(&mut ours, &mut valkey, &program) else {
            continue;
        };
        let deadline = Instant::now() + SHRINKING;
        let program = without_chunks(program[..=found.at].to_vec(), |program| {
            Instant::now() < deadline && difference(&mut ours, &mut valkey, program).is_some()
        });
        let found = difference(&mut ours, &mut valkey, &program).unwrap_or(found);
        let told = description(&program, &found);
        eprintln!("{told}");
        faults.push(told);
    }
    println!("access: {done} commands, seed {seed}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn description(program: &[Step], found: &Found) -> String {
    let mut text = String::new();
    for (is_admin, request) in program {
        let words: Vec<String> = request.args.iter().map(|arg| show(arg)).collect();
        let who = if *is_admin { "admin " } else { "client" };
        text += &format!("  {who} {}\n", words.join(" "));
    }
    text + &format!("  ours:   {}\n  valkey: {}\n", show(&found.ours), show(&found.theirs))
}
