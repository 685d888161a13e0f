//! The same random commands to this server, to redis-server 7.0.15 and to valkey-server 8.0.1: the replies must be the
//! same bytes.
//!
//! The peers are the specification. Where they agree, ours must equal them. Where they differ (Valkey follows Redis
//! 7.2, which prints doubles differently and changed a few commands; some error texts changed with the name), ours must
//! equal one of them, and the run prints what differed and whom ours followed.
//!
//! - [`families`] says which commands exist: one table a family, one line of syntax a command;
//! - [`grammar`] reads those lines, [`values`] fills their slots from small pools of nasty values, [`generator`] makes
//!   whole rounds of commands from them, some of them spoilt on purpose;
//! - [`compare`] says when two replies are the same;
//! - [`rig`] sends a round to the three servers and finds the first difference;
//! - [`shrink`] makes the shortest program that still shows it;
//! - [`access`] gives users random rules and compares what is said of them and what is refused, with Valkey alone;
//! - [`crowd`] lets several clients talk at once, which wait, watch, subscribe and cache, and compares what each hears.
//!
//! Settings, from the environment: `AEOLUS_DIFF_COMMANDS` (how many, 100,000 unless told), `AEOLUS_DIFF_SEED`,
//! `AEOLUS_DIFF_ONLY` and `AEOLUS_DIFF_SKIP` (command names separated by commas), `AEOLUS_DIFF_FAILURES` (how many
//! different differences to shrink before giving up, 5 unless told), `AEOLUS_BIN` (another binary as the one tested).

mod access;
mod compare;
mod crowd;
mod families;
mod generator;
mod grammar;
#[path = "../support/payloads.rs"]
mod payloads;
mod report;
mod rig;
mod shrink;
#[path = "../support/mod.rs"]
mod support;
mod values;

use std::time::Instant;

use generator::Generator;
use report::Report;
use rig::Rig;
use support::server::Binary;

/// Limits as they are shipped.
const DEFAULT_LIMITS: &[(&str, &str)] = &[];

/// Limits so small that a handful of elements makes a value change its encoding.
const TIGHT_LIMITS: &[(&str, &str)] = &[
    ("hash-max-listpack-entries", "6"),
    ("hash-max-listpack-value", "40"),
    ("list-max-listpack-size", "5"),
    ("set-max-intset-entries", "4"),
    ("zset-max-listpack-entries", "6"),
    ("zset-max-listpack-value", "40"),
    ("stream-node-max-entries", "4"),
    ("hll-sparse-max-bytes", "200"),
];

#[test]
fn same_replies_with_default_limits() {
    examine("default limits", DEFAULT_LIMITS, 1);
}

#[test]
fn same_replies_with_tight_limits() {
    examine("tight limits", TIGHT_LIMITS, 2);
}

/// A twentieth of the commands asked for: after each of these the servers must come to rest.
#[test]
fn several_clients_hear_the_same() {
    if !Binary::Redis.available() || !Binary::Valkey.available() {
        return;
    }
    let wanted = number_from_env("AEOLUS_DIFF_COMMANDS", 100_000) / 20;
    let seed = number_from_env("AEOLUS_DIFF_SEED", 20_240_601);
    let patience = number_from_env("AEOLUS_DIFF_FAILURES", 5) as usize;
    crowd::examine(seed, wanted, patience);
}

/// A tenth of the commands asked for.
#[test]
fn users_are_refused_the_same() {
    if !Binary::Valkey.available() {
        return;
    }
    let wanted = number_from_env("AEOLUS_DIFF_COMMANDS", 100_000) / 10;
    let seed = number_from_env("AEOLUS_DIFF_SEED", 20_240_601);
    let patience = number_from_env("AEOLUS_DIFF_FAILURES", 5) as usize;
    access::examine(seed, wanted, patience);
}

/// Half of the commands asked for, since two tests share them.
fn examine(title: &str, limits: &[(&str, &str)], salt: u64) {
    if !Binary::Redis.available() || !Binary::Valkey.available() {
        return;
    }
    let wanted = number_from_env("AEOLUS_DIFF_COMMANDS", 100_000) / 2;
    let seed = number_from_env("AEOLUS_DIFF_SEED", 20_240_601);
    let patience = number_from_env("AEOLUS_DIFF_FAILURES", 5) as usize;
    let mut generator = Generator::new(seed.wrapping_mul(31).wrapping_add(salt));
    let mut rig = Rig::start(limits);
    let mut report = Report::new(seed);
    let start = Instant::now();
    while report.commands() < wanted && report.failures() < patience {
        let round = generator.round();
        rig.run(&round, &mut report);
        rig.scan_everything(&mut report);
    }
    report.print(title, start.elapsed());
    report.assert_clean();
}

fn number_from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}
