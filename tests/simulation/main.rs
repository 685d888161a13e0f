//! Whole clusters in one process: the servers' real cores on a network, a clock and disks that a seed decides about.
//!
//! Three to seven servers replicate in chains and stars. Wires delay bytes and deliver them in pieces, hold no more than so
//! many, and break at any byte; servers stop for seconds, crash and start again from their disks, with or without what
//! was not synced, are promoted and demoted and change places; clients write, and wait for acknowledgements. Checked all along: WAIT never promises more replicas than have the write, and nothing grows
//! without bound. Checked in the end, when the faults stop and one server is everybody's primary: all offsets agree, and
//! all data are equal, so that nothing was applied twice or not at all.
//!
//! `AEOLUS_SEEDS=10000 cargo test --release --test simulation` runs so many seeds, beginning at `AEOLUS_SEED` (1);
//! a failure names the seed, and `AEOLUS_SEED=n AEOLUS_SEEDS=1` replays it, with the log if `AEOLUS_LOG` is set.

mod node;
#[path = "../support/random.rs"]
#[allow(dead_code)] // this test uses its own part of it
mod random;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use aeolus::{hashing, log};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn replicas_end_as_their_primary() {
    hashing::seed_with([1, 2, 3, 4]);
    if std::env::var_os("AEOLUS_LOG").is_none() {
        log::set_level(log::Level::Nothing);
    }
    let (first, count) = (number("AEOLUS_SEED", 1), number("AEOLUS_SEEDS", 200));
    for seed in first..first + count {
        let ran = catch_unwind(AssertUnwindSafe(|| world::World::new(seed).run()));
        if let Err(panic) = ran {
            eprintln!(
                "Seed {seed} failed: AEOLUS_SEED={seed} AEOLUS_SEEDS=1 AEOLUS_LOG=1 cargo test --test simulation"
            );
            std::panic::resume_unwind(panic);
        }
    }
}
