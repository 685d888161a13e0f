//! Replication with real servers at the other end of the link: whoever is primary and whoever is replica, under a load and
//! with the link cut again and again, both end with the same data at the same offset.

mod backups;
mod diskless_load;
mod failover;
mod matrix;
mod roles;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use support::random::Random;
use support::replicas::{digest, follow, info, must_agree, number, wait_until_up};
use support::server::{Binary, Server};
use support::wait_until;

const DEBUGGING: (&str, &str) = ("enable-debug-command", "yes");

/// A server with settings beside those that every test needs.
fn start(binary: Binary, settings: &[(&str, &str)]) -> Server {
    let all: Vec<_> = [DEBUGGING, ("repl-diskless-sync-delay", "0")]
        .into_iter()
        .chain(settings.iter().copied())
        .collect();
    Server::start_with(binary, &all)
}

/// Writes of every kind, from a thread of its own until it is stopped.
struct Load {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Load {
    fn on(server: &Server, seed: u64) -> Load {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (mut client, stopped, written) = (server.connect(), stop.clone(), count.clone());
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(seed);
            while !stopped.load(Ordering::Relaxed) {
                for line in write(&mut random, written.load(Ordering::Relaxed)) {
                    client.ask(&line);
                }
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        Load { stop, count, thread }
    }

    /// Waits until there are so many writes.
    fn wait_for(&self, count: usize) {
        wait_until("the load has written enough", || {
            self.count.load(Ordering::Relaxed) >= count
        });
    }

    /// Ends it.
    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load goes on until it is stopped");
    }
}

/// One write, as one command or as a transaction.
fn write(random: &mut Random, count: usize) -> Vec<String> {
    let key = random.below(200);
    let small = random.below(20);
    let line = match random.below(14) {
        0 => format!("SET s:{key} value:{count}"),
        1 => format!("SET e:{key} {count} PX {}", random.below(500) + 1),
        2 => format!("RPUSH l:{key} {count} {count} {}", "x".repeat(small * 20)),
        3 => format!("LPOP l:{key} 2"),
        4 => format!("HSET h:{key} f:{small} {count}"),
        5 => format!("PEXPIRE h:{key} {}", random.below(1000) + 1),
        6 => format!("ZADD z:{key} {count}.5 m:{small}"),
        7 => format!("SADD i:{key} {count}"),
        8 => format!("SPOP i:{key}"),
        9 => format!("XADD x:{key} MAXLEN ~ 50 * field {count}"),
        10 => format!("SELECT {}", random.below(3)),
        11 => format!("INCRBYFLOAT f:{key} 0.1"),
        12 => format!("DEL s:{key} l:{}", random.below(200)),
        _ => {
            return vec![
                "MULTI".to_owned(),
                format!("INCR n:{key}"),
                format!("SET t:{key} {count} EX 100"),
                "EXEC".to_owned(),
            ];
        }
    };
    vec![line]
}
