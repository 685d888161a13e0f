//! Rounds of random commands: each starts on empty servers, so that a failing round is a program of its own.

use super::compare::Compare;
use super::families::{self, Family, Form};
use super::grammar::{self, Node};
use super::values::{Filler, SPOILERS};
use crate::support::random::Random;

/// Commands of a round, without those that examine the outcome.
const ROUND: usize = 800;

/// Commands between two examinations of the keys.
const BATCH: usize = 200;

/// Commands that transactions are made of.
const TRANSACTED: &[&str] = &[
    "APPEND",
    "DECR",
    "DEL",
    "EXISTS",
    "GET",
    "GETDEL",
    "HDEL",
    "HGET",
    "HLEN",
    "HSET",
    "HSETNX",
    "INCR",
    "LLEN",
    "LPOP",
    "LPUSH",
    "LRANGE",
    "MGET",
    "MSET",
    "MSETNX",
    "RENAME",
    "RPOP",
    "RPUSH",
    "SADD",
    "SCARD",
    "SET",
    "SETNX",
    "SISMEMBER",
    "SREM",
    "STRLEN",
    "TYPE",
];

/// A command and how its replies are compared.
#[derive(Clone, Debug)]
pub struct Request {
    pub args: Vec<Vec<u8>>,
    pub compare: Compare,
}

impl Request {
    pub fn new<A: AsRef<[u8]>>(args: &[A], compare: Compare) -> Request {
        Request {
            args: args.iter().map(|arg| arg.as_ref().to_vec()).collect(),
            compare,
        }
    }

    /// The command's name in capitals.
    pub fn name(&self) -> String {
        self.args
            .first()
            .map_or_else(String::new, |name| String::from_utf8_lossy(name).to_ascii_uppercase())
    }
}

/// A syntax line, read.
struct Rule {
    family: &'static Family,
    form: &'static Form,
    nodes: Vec<Node>,
}

/// Makes rounds; the same seed makes the same rounds.
pub struct Generator {
    random: Random,
    rules: Vec<Rule>,
    /// Each rule's index, as often as its weight says.
    lottery: Vec<usize>,
    all_keys: Vec<&'static [u8]>,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let rules: Vec<Rule> = families::ALL
            .iter()
            .flat_map(|family| family.forms.iter().map(move |form| (*family, form)))
            .filter(|(_, form)| wanted(form.name()))
            .map(|(family, form)| Rule {
                family,
                form,
                nodes: grammar::parse(form.syntax),
            })
            .collect();
        assert!(
            !rules.is_empty(),
            "AEOLUS_DIFF_ONLY and AEOLUS_DIFF_SKIP leave no command"
        );
        let weights = rules.iter().enumerate();
        Generator {
            random: Random::new(seed),
            lottery: weights
                .flat_map(|(index, rule)| vec![index; rule.form.weight])
                .collect(),
            rules,
            all_keys: families::ALL.iter().flat_map(|family| family.keys).copied().collect(),
        }
    }

    /// One program: a clean start, commands, and every [`BATCH`] of them a look at all keys.
    pub fn round(&mut self) -> Vec<Request> {
        let lottery = self.swarm();
        let mut round = preamble();
        for count in 1..=ROUND {
            if self.random.below(100) < 2 && wanted("MULTI") {
                self.add_transaction(&lottery, &mut round);
            } else {
                let rule = *self.random.pick(&lottery);
                self.add_command(rule, &mut round);
            }
            if count % BATCH == 0 {
                self.add_metadata_probes(&mut round);
            }
        }
        self.add_content_probes(&mut round);
        round
    }

    /// The lottery without a random third of the rules. With all of them in every round, some commands would mask
    /// others: no value grows large while another command deletes all of them every so often. Groce and others,
    /// "Swarm Testing" (2012), found more faults by leaving features out.
    fn swarm(&mut self) -> Vec<usize> {
        let kept: Vec<bool> = self.rules.iter().map(|_| self.random.percent(67)).collect();
        let lottery: Vec<usize> = self.lottery.iter().copied().filter(|&rule| kept[rule]).collect();
        if lottery.is_empty() {
            self.lottery.clone()
        } else {
            lottery
        }
    }

    /// MULTI, a few commands and EXEC, or most of that. EXEC's reply holds all the others, so only commands are taken
    /// in which the peers agree: of two in which they do not, ours may follow one peer in each, and neither in both.
    fn add_transaction(&mut self, lottery: &[usize], round: &mut Vec<Request>) {
        let exact: Vec<usize> = lottery
            .iter()
            .copied()
            .filter(|&rule| {
                let form = self.rules[rule].form;
                form.compare == Compare::Exact && !form.forget && TRANSACTED.contains(&form.name())
            })
            .collect();
        if exact.is_empty() {
            return;
        }
        if self.random.percent(20) {
            let key = *self.random.pick(&self.all_keys);
            round.push(Request::new(&[b"WATCH", key], Compare::Exact));
        }
        if self.random.percent(95) {
            round.push(Request::new(&["MULTI"], Compare::Exact));
        }
        for _ in 0..self.random.below(6) {
            let rule = *self.random.pick(&exact);
            self.add_command(rule, round);
        }
        let end = *self
            .random
            .pick(&["EXEC", "EXEC", "EXEC", "DISCARD", "MULTI", "UNWATCH"]);
        round.push(Request::new(&[end], Compare::Exact));
        // Whatever that was, nothing is queued behind it.
        round.push(Request::new(&["DISCARD"], Compare::Exact));
    }

    fn add_command(&mut self, rule: usize, round: &mut Vec<Request>) {
        let rule = &self.rules[rule];
        let filler = Filler {
            keys: rule.family.keys,
            all_keys: &self.all_keys,
        };
        let mut args = Vec::new();
        let mut fill = |slot, random: &mut Random| filler.fill(slot, random);
        grammar::expand(&rule.nodes, &mut self.random, &mut fill, &mut args);
        let (compare, steady, forget) = (rule.form.compare, rule.form.steady, rule.form.forget);
        // A random pick leaves the servers with different values: the key is deleted at once.
        let delete = forget.then(|| Request::new(&[b"DEL".as_slice(), &args[1]], Compare::Shape));
        if !steady {
            self.spoil(&mut args);
        }
        self.vary_case(&mut args[0]);
        round.push(Request { args, compare });
        round.extend(delete);
    }

    /// Makes about one command in fifteen wrong: an argument lost, added, replaced or doubled.
    fn spoil(&mut self, args: &mut Vec<Vec<u8>>) {
        let random = &mut self.random;
        let spoiler = random.pick(SPOILERS).to_vec();
        match random.below(60) {
            0 => args.truncate(1 + random.below(args.len())),
            1 => args.push(spoiler),
            2 if args.len() > 1 => {
                let at = 1 + random.below(args.len() - 1);
                args[at] = spoiler;
            }
            3 if args.len() > 1 => {
                let at = 1 + random.below(args.len() - 1);
                let twice = args[at].clone();
                args.insert(at, twice);
            }
            _ => {}
        }
    }

    fn vary_case(&mut self, name: &mut [u8]) {
        match self.random.below(10) {
            0 => name.make_ascii_lowercase(),
            1 => name[0].make_ascii_lowercase(),
            _ => {}
        }
    }

    fn add_metadata_probes(&self, round: &mut Vec<Request>) {
        const NEAR: Compare = Compare::Near(5000);
        for key in &self.all_keys {
            let probes = [
                Request::new(&[b"TYPE".as_slice(), key], Compare::Exact),
                Request::new(&[b"OBJECT".as_slice(), b"ENCODING", key], Compare::Exact),
                Request::new(&[b"PEXPIRETIME".as_slice(), key], NEAR),
            ];
            round.extend(probes.into_iter().filter(|probe| wanted(&probe.name())));
        }
    }

    /// Reads every value whole; a key answers one of these and says WRONGTYPE to the others.
    fn add_content_probes(&self, round: &mut Vec<Request>) {
        for key in &self.all_keys {
            for probe in families::ALL.iter().filter_map(|family| family.content.as_ref()) {
                let args = [&[probe.command, key], probe.arguments].concat();
                let request = Request::new(&args, probe.compare);
                round.extend(wanted(&request.name()).then_some(request));
            }
        }
    }
}

/// Brings all servers to the same state, whatever the last round left. HELLO counts connections: only its shape.
pub fn preamble() -> Vec<Request> {
    vec![
        // A program that was cut short may have left a transaction open.
        Request::new(&["DISCARD"], Compare::Exact),
        Request::new(&["HELLO", "2"], Compare::Shape),
        Request::new(&["SELECT", "0"], Compare::Exact),
        Request::new(&["FLUSHALL"], Compare::Exact),
    ]
}

/// Whether `AEOLUS_DIFF_ONLY` and `AEOLUS_DIFF_SKIP` leave the command `name`.
pub fn wanted(name: &str) -> bool {
    let lists = |variable: &str| {
        std::env::var(variable)
            .ok()
            .map(|names| names.split(',').any(|listed| listed.eq_ignore_ascii_case(name)))
    };
    lists("AEOLUS_DIFF_ONLY").unwrap_or(true) && !lists("AEOLUS_DIFF_SKIP").unwrap_or(false)
}
