//! What a run found, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use super::generator::Request;
use super::rig::Side;
use crate::support::reply::show;

/// A reply that equals neither peer's.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The command's name in capitals.
    pub name: String,
    pub ours: Vec<u8>,
    pub redis: Vec<u8>,
    pub valkey: Vec<u8>,
}

impl Difference {
    /// Differences of one class have one cause, as a rule: the command, and how the replies begin.
    fn class(&self) -> String {
        format!("{} {} {}", self.name, beginning(&self.ours), beginning(&self.valkey))
    }
}

/// Where the peers differ: the command, and how their replies begin.
type PeerClass = (String, String, String);

/// Counts and texts of one run.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    commands: u64,
    classes: BTreeSet<String>,
    failures: Vec<String>,
    peers: BTreeMap<PeerClass, BTreeMap<Side, u64>>,
}

impl Report {
    pub fn new(seed: u64) -> Report {
        Report {
            seed,
            commands: 0,
            classes: BTreeSet::new(),
            failures: Vec::new(),
            peers: BTreeMap::new(),
        }
    }

    pub fn commands(&self) -> u64 {
        self.commands
    }

    pub fn failures(&self) -> usize {
        self.failures.len()
    }

    pub fn count(&mut self, commands: usize) {
        self.commands += commands as u64;
    }

    /// Notes that the peers differ and which of them ours follows.
    pub fn peers_differ(&mut self, request: &Request, side: Side, redis: &[u8], valkey: &[u8]) {
        let class = (request.name(), beginning(redis), beginning(valkey));
        *self.peers.entry(class).or_default().entry(side).or_default() += 1;
    }

    /// Whether no difference of this class has been reported yet.
    pub fn is_new(&mut self, difference: &Difference) -> bool {
        self.classes.insert(difference.class())
    }

    /// Reports `program`, shrunk from `found`, unless shrinking led to a class reported before.
    pub fn different(&mut self, program: &[Request], found: &Difference, difference: &Difference) {
        if difference.class() != found.class() && !self.classes.insert(difference.class()) {
            return;
        }
        let mut text = String::new();
        for request in program {
            let args: Vec<String> = request.args.iter().map(|arg| format!("\"{}\"", show(arg))).collect();
            let _ = writeln!(text, "    {}", args.join(" "));
        }
        let _ = writeln!(text, "  ours:   {}", show(&difference.ours));
        let _ = writeln!(text, "  redis:  {}", show(&difference.redis));
        let _ = writeln!(text, "  valkey: {}", show(&difference.valkey));
        self.failures.push(text);
    }

    /// Notes a failure that has no program.
    pub fn fail(&mut self, name: &str, text: String) {
        if self.classes.insert(name.to_owned()) {
            self.failures.push(format!("    {text}\n"));
        }
    }

    /// Prints rate and classes to standard error (shown with `--nocapture`, or when the test fails).
    pub fn print(&self, title: &str, elapsed: Duration) {
        let rate = self.commands as f64 / elapsed.as_secs_f64().max(1e-9);
        eprintln!(
            "{title}: {} commands, {rate:.0} a second, seed {}",
            self.commands, self.seed
        );
        for ((name, redis, valkey), sides) in &self.peers {
            let count = |side| sides.get(&side).copied().unwrap_or(0);
            let (as_redis, as_valkey) = (count(Side::Redis), count(Side::Valkey));
            eprintln!("  {name}: redis {redis} valkey {valkey}; ours as redis {as_redis}, as valkey {as_valkey}");
        }
    }

    pub fn assert_clean(&self) {
        let failures = self.failures.len();
        let text = self.failures.join("\n");
        assert!(
            failures == 0,
            "{failures} differences (AEOLUS_DIFF_SEED={}):\n\n{text}",
            self.seed
        );
    }
}

/// The first words of a reply: enough to tell what kind of answer it is.
fn beginning(reply: &[u8]) -> String {
    let line = reply.split(|&byte| byte == b'\r').next().unwrap_or_default();
    match line.first() {
        Some(b'-') => show(&line[..line.len().min(70)]),
        Some(b'+' | b'(') => show(&line[..line.len().min(30)]),
        Some(&kind) => (kind as char).to_string(),
        None => String::new(),
    }
}
