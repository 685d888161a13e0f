//! The three servers and what a round does to them.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use super::compare::{Compare, same};
use super::generator::{Request, preamble, wanted};
use super::report::{Difference, Report};
use super::shrink;
use crate::support::client::{Client, closed, encode, encode_into};
use crate::support::reply::{Reply, show};
use crate::support::server::{Binary, Server};

/// How long a server may take over one reply of a round.
const ANSWER: Duration = Duration::from_secs(10);

/// How long to look for a shorter program: enough for thousands of runs, unless each ends in [`ANSWER`]'s timeout.
const SHRINKING: Duration = Duration::from_secs(60);

/// A server and a connection to it, both replaced when they fail.
struct Target {
    binary: Binary,
    settings: Vec<(String, String)>,
    server: Server,
    client: Client,
}

impl Target {
    fn start(binary: Binary, settings: &[(&str, &str)]) -> Target {
        let server = Server::start_with(binary, settings);
        let client = connect(&server);
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Target {
            binary,
            settings: settings.iter().map(owned).collect(),
            server,
            client,
        }
    }

    fn recover(&mut self) {
        if !self.server.is_running() {
            let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (&**name, &**value)).collect();
            self.server = Server::start_with(self.binary, &settings);
        }
        self.client = connect(&self.server);
    }

    /// The replies to `program`, the sending of which ended in `sent`; a lost connection is a reply of its own.
    fn read(&mut self, sent: io::Result<()>, program: &[Request]) -> Vec<Vec<u8>> {
        let mut replies = Vec::with_capacity(program.len());
        let mut failure = sent.err();
        while failure.is_none() && replies.len() < program.len() {
            match self.client.read_reply() {
                Ok(reply) => replies.push(reply),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            let words = if closed(&error) {
                "closed".into()
            } else {
                error.to_string()
            };
            replies.resize(program.len(), format!("(connection failed: {words})").into_bytes());
            self.recover();
        }
        replies
    }
}

fn connect(server: &Server) -> Client {
    let client = server.connect();
    client.set_read_timeout(ANSWER).expect("a timeout that is not zero");
    client
}

/// The server under test and its two peers.
pub struct Rig {
    ours: Target,
    redis: Target,
    valkey: Target,
}

/// What the three answered to one program, reply by reply.
struct Answers {
    ours: Vec<Vec<u8>>,
    redis: Vec<Vec<u8>>,
    valkey: Vec<Vec<u8>>,
}

impl Rig {
    /// Starts all three. Their slow logs stay empty: what a busy machine makes slow is no property of a server. The peers
    /// look 500 times a second whose time is up, instead of ten times, so that a millisecond's wait does not take them 100.
    pub fn start(settings: &[(&str, &str)]) -> Rig {
        let settings = &[settings, &[("slowlog-log-slower-than", "-1"), ("hz", "500")]].concat();
        Rig {
            ours: Target::start(Binary::UnderTest, settings),
            redis: Target::start(Binary::Redis, settings),
            valkey: Target::start(Binary::Valkey, settings),
        }
    }

    /// Sends a round, compares, and shrinks what differs.
    pub fn run(&mut self, round: &[Request], report: &mut Report) {
        let answers = self.ask(round);
        report.count(round.len());
        for (index, request) in round.iter().enumerate() {
            let verdict = answers.verdict(index, request.compare);
            match verdict {
                Verdict::Same => {}
                Verdict::PeersDiffer(side) => {
                    report.peers_differ(request, side, &answers.redis[index], &answers.valkey[index]);
                }
                // The states have parted: nothing after this says anything new.
                Verdict::Different => return self.examine(&round[..=index], &answers, report),
            }
        }
    }

    /// Iterates over the keys in small steps and compares them with KEYS: every key at least once, nothing else.
    pub fn scan_everything(&mut self, report: &mut Report) {
        if !wanted("SCAN") || !wanted("KEYS") {
            return;
        }
        let client = &mut self.ours.client;
        let Ok(outcome) = scan(client) else {
            self.ours.recover();
            return report.fail("SCAN", "SCAN 0 COUNT 3 ...: no proper reply".into());
        };
        if let Some(difference) = outcome {
            report.fail("SCAN", difference);
        }
    }

    /// The first difference of a program on fresh data, if there is one.
    pub fn first_difference(&mut self, program: &[Request]) -> Option<Difference> {
        let mut whole = preamble();
        whole.extend_from_slice(program);
        let answers = self.ask(&whole);
        let index =
            (0..whole.len()).find(|&index| answers.verdict(index, whole[index].compare) == Verdict::Different)?;
        Some(answers.difference(index, &whole[index]))
    }

    fn examine(&mut self, program: &[Request], answers: &Answers, report: &mut Report) {
        let index = program.len() - 1;
        let found = answers.difference(index, &program[index]);
        if !report.is_new(&found) {
            return;
        }
        let program = &program[preamble().len().min(index)..];
        let deadline = Instant::now() + SHRINKING;
        let (program, difference) = match self.first_difference(program) {
            Some(first) => shrink::shrink(program.to_vec(), first, |candidate| {
                (Instant::now() < deadline)
                    .then(|| self.first_difference(candidate))
                    .flatten()
            }),
            // It depends on something that is not in the program, such as the time.
            None => (program.to_vec(), found.clone()),
        };
        report.different(&program, &found, &difference);
    }

    fn ask(&mut self, program: &[Request]) -> Answers {
        let mut bytes = Vec::new();
        for request in program {
            encode_into(&mut bytes, &request.args);
        }
        // All three get to work before the first is read.
        let ours = self.ours.client.send(&bytes);
        let redis = self.redis.client.send(&bytes);
        let valkey = self.valkey.client.send(&bytes);
        Answers {
            ours: self.ours.read(ours, program),
            redis: self.redis.read(redis, program),
            valkey: self.valkey.read(valkey, program),
        }
    }
}

/// Whom a reply follows where the peers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Redis,
    Valkey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    PeersDiffer(Side),
    Different,
}

impl Answers {
    fn verdict(&self, index: usize, compare: Compare) -> Verdict {
        let (ours, redis, valkey) = (&self.ours[index], &self.redis[index], &self.valkey[index]);
        let as_valkey = same(compare, ours, valkey);
        let as_redis = same(compare, ours, redis);
        match (as_valkey, as_redis) {
            (true, true) => Verdict::Same,
            (true, false) => Verdict::PeersDiffer(Side::Valkey),
            (false, true) => Verdict::PeersDiffer(Side::Redis),
            (false, false) => Verdict::Different,
        }
    }

    fn difference(&self, index: usize, request: &Request) -> Difference {
        Difference {
            name: request.name(),
            ours: self.ours[index].clone(),
            redis: self.redis[index].clone(),
            valkey: self.valkey[index].clone(),
        }
    }
}

/// What is wrong with SCAN over the selected database, if anything.
fn scan(client: &mut Client) -> io::Result<Option<String>> {
    let malformed = |_| io::Error::from(io::ErrorKind::InvalidData);
    let all = client.call(&["KEYS", "*"])?;
    let all = Reply::parse(&all).map_err(malformed)?;
    let expected: BTreeSet<Vec<u8>> = all.items.iter().map(|key| key.text().to_vec()).collect();
    let mut seen = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    // More steps than there are keys and empty buckets in so small a database: an iteration must end.
    for _ in 0..10_000 {
        client.send(&encode(&[b"SCAN", &*cursor, b"COUNT", b"3"]))?;
        let reply = client.read_reply()?;
        let reply = Reply::parse(&reply).map_err(malformed)?;
        let [next, keys] = reply.items.as_slice() else {
            return Ok(Some(format!("SCAN answered {}", show(reply.raw))));
        };
        seen.extend(keys.items.iter().map(|key| key.text().to_vec()));
        cursor = next.text().to_vec();
        if cursor == b"0" {
            return Ok((seen != expected).then(|| format!("SCAN saw {seen:?}, KEYS {expected:?}")));
        }
    }
    Ok(Some("SCAN does not come back to cursor 0".into()))
}
