//! What the integration tests share: servers started on free ports, and a client that sees raw bytes.
//!
//! Tests compare *bytes*, not parsed values, because a Redis client library forgives: it hides whether a null came as
//! `$-1` or `*-1`, and whether a number came as `:1` or `$1`. So the client here only finds where a reply ends
//! ([`reply::length`]) and hands over the bytes in between.
//!
//! Nothing here sleeps for luck: every wait is for a condition, with a deadline after which the test fails.
#![allow(dead_code)] // every test target compiles this module and uses its own part of it

pub mod chunks;
pub mod client;
pub mod os;
pub mod random;
pub mod replicas;
pub mod reply;
pub mod server;

use std::time::{Duration, Instant};

/// How long any single condition may take before a test gives up: generous, since test machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Polls `condition` every millisecond until it holds; panics with `what` after [`PATIENCE`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a missing peer server is a failure (`CI=true`) or a printed skip.
pub fn must_have_peers() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
