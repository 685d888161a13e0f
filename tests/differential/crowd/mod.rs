//! Several clients at once: the same random conversation on all three servers, and everything each client hears must be
//! the same bytes.
//!
//! A conversation is a list of steps, each one command of one client. After each step the rig waits until the server has
//! come to rest, so what a client hears belongs to that step whoever caused it: a reply, a message, an invalidation, or
//! what it had been waiting for. Time is never raced against: a client waits for ever, or so briefly that the rig waits
//! for its answer before the next step; a key expires in a step of its own, which ends when it is gone.
//!
//! - [`conversation`] makes the steps;
//! - [`stage`] is one server with the clients on it.

mod conversation;
mod stage;

use std::time::{Duration, Instant};

use conversation::{Conversation, Step, Writer};
use stage::{Stage, replies};

use super::report::Report;
use crate::support::chunks::without_chunks;
use crate::support::reply::show;
use crate::support::server::Binary;

/// How long to look for a shorter conversation.
const SHRINKING: Duration = Duration::from_secs(60);

/// What one client hears after one step, where ours equals neither peer's.
#[derive(Clone, Debug)]
struct Difference {
    step: usize,
    client: usize,
    heard: [Vec<u8>; 3],
}

/// Runs conversations until `wanted` steps are taken or `patience` differences found.
pub fn examine(seed: u64, wanted: u64, patience: usize) {
    let mut stages = [Binary::UnderTest, Binary::Redis, Binary::Valkey].map(Stage::start);
    let mut writer = Writer::new(seed);
    let mut report = Report::new(seed);
    let start = Instant::now();
    while report.commands() < wanted && report.failures() < patience {
        let conversation = writer.conversation();
        report.count(conversation.steps.len());
        if let Some(found) = play(&mut stages, &conversation) {
            let (conversation, found) = shrink(&mut stages, conversation, found);
            report.fail(&class(&conversation, &found), text(&conversation, &found));
        }
    }
    report.print("several clients", start.elapsed());
    report.assert_clean();
}

/// Plays a conversation up to its first difference.
fn play(stages: &mut [Stage; 3], conversation: &Conversation) -> Option<Difference> {
    let first_id = stages.iter().map(Stage::next_id).max().unwrap_or_default();
    for stage in stages.iter_mut() {
        stage.begin(&conversation.protocols, first_id);
    }
    for (index, step) in conversation.steps.iter().enumerate() {
        if !stages.iter_mut().all(|stage| stage.can_take(step)) {
            // One that already waits would make the end of a short wait depend on the time; on all servers alike,
            // unless they have parted, which the next thing that is heard shows.
            continue;
        }
        for stage in stages.iter_mut() {
            stage.take(step);
        }
        let [ours, redis, valkey] = stages.each_mut().map(|stage| stage.hear(step));
        for client in 0..conversation.protocols.len() {
            let heard = [&ours[client], &redis[client], &valkey[client]].map(Vec::clone);
            if !is_alike(&heard) {
                return Some(Difference {
                    step: index,
                    client,
                    heard,
                });
            }
        }
    }
    None
}

/// Whether ours is what one of the peers says. Where they differ, a client that said much at once may hear one thing as
/// of one of them and the next as of the other: each must then be of one of them, whatever their order.
fn is_alike([ours, redis, valkey]: &[Vec<u8>; 3]) -> bool {
    if ours == redis || ours == valkey {
        return true;
    }
    let (ours, redis, valkey) = (replies(ours), replies(redis), replies(valkey));
    redis != valkey
        && (ours.len() == redis.len() || ours.len() == valkey.len())
        && ours.iter().all(|reply| redis.contains(reply) || valkey.contains(reply))
}

fn shrink(
    stages: &mut [Stage; 3],
    mut conversation: Conversation,
    mut found: Difference,
) -> (Conversation, Difference) {
    conversation.steps.truncate(found.step + 1);
    let protocols = conversation.protocols.clone();
    let deadline = Instant::now() + SHRINKING;
    let steps = without_chunks(conversation.steps, |steps: &[Step]| {
        if Instant::now() >= deadline {
            return false;
        }
        let candidate = Conversation {
            protocols: protocols.clone(),
            steps: steps.to_vec(),
        };
        match play(stages, &candidate) {
            Some(difference) => {
                found = difference;
                true
            }
            None => false,
        }
    });
    (Conversation { protocols, steps }, found)
}

/// Differences of one class have one cause, as a rule: the command, and who hears of it.
fn class(conversation: &Conversation, found: &Difference) -> String {
    let step = conversation.steps.get(found.step);
    let name = step.map_or_else(String::new, Step::name);
    let own = step.is_some_and(|step| step.client == found.client);
    let begin = |heard: &[u8]| show(&heard[..heard.len().min(12)]);
    format!("{name} {own} {} {}", begin(&found.heard[0]), begin(&found.heard[2]))
}

fn text(conversation: &Conversation, found: &Difference) -> String {
    let mut text = format!("protocols: {:?}\n", conversation.protocols);
    for step in &conversation.steps {
        text.push_str(&format!("    {step}\n"));
    }
    let [ours, redis, valkey] = found.heard.each_ref().map(|heard| show(heard));
    let name = conversation::name(found.client);
    text.push_str(&format!(
        "  after step {}, {name} hears\n  ours:   {ours}\n  redis:  {redis}\n  valkey: {valkey}\n",
        found.step + 1
    ));
    text
}

#[test]
fn either_peer_may_be_followed_in_each_reply() {
    let heard = |texts: [&str; 3]| texts.map(|text| text.as_bytes().to_vec());
    assert!(is_alike(&heard(["+a\r\n-y\r\n", "+a\r\n-x\r\n", "+b\r\n-y\r\n"])));
    assert!(!is_alike(&heard(["+a\r\n-z\r\n", "+a\r\n-x\r\n", "+b\r\n-y\r\n"])));
    assert!(!is_alike(&heard(["+a\r\n", "+a\r\n-x\r\n", "+b\r\n-y\r\n"])));
    assert!(!is_alike(&heard(["+a\r\n+b\r\n", "+b\r\n+a\r\n", "+b\r\n+a\r\n"])));
}
