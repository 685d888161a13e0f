//! The latency monitor: spikes by event, as `latency-monitor-threshold` asks for them.

use std::collections::{BTreeMap, VecDeque};

/// Spikes kept of an event.
const KEPT: usize = 160;

/// One event's spikes: Unix second and milliseconds, at most one a second, the worst of it.
#[derive(Clone, Debug, Default)]
pub struct Spikes {
    pub samples: VecDeque<(i64, u64)>,
    pub max: u64,
}

#[derive(Default)]
pub struct LatencyMonitor {
    events: BTreeMap<&'static str, Spikes>,
}

impl LatencyMonitor {
    /// Notes that `event` took `millis`, if that reaches the threshold (0 turns the monitor off).
    pub fn note(&mut self, event: &'static str, second: i64, millis: u64, threshold: u64) {
        if threshold == 0 || millis < threshold {
            return;
        }
        let spikes = self.events.entry(event).or_default();
        spikes.max = spikes.max.max(millis);
        match spikes.samples.back_mut() {
            Some(last) if last.0 == second => last.1 = last.1.max(millis),
            _ => {
                spikes.samples.push_back((second, millis));
                if spikes.samples.len() > KEPT {
                    spikes.samples.pop_front();
                }
            }
        }
    }

    pub fn get(&self, event: &[u8]) -> Option<(&'static str, &Spikes)> {
        self.events
            .iter()
            .find(|(name, _)| name.as_bytes() == event)
            .map(|(name, spikes)| (*name, spikes))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Spikes)> {
        self.events.iter().map(|(name, spikes)| (*name, spikes))
    }

    /// Forgets the named events, or all; gives how many there were. Unlike the other lookups this one ignores case, as
    /// in Redis.
    pub fn reset(&mut self, names: &[&[u8]]) -> usize {
        let before = self.events.len();
        let named = |event: &str| names.iter().any(|name| name.eq_ignore_ascii_case(event.as_bytes()));
        self.events.retain(|event, _| !names.is_empty() && !named(event));
        before - self.events.len()
    }
}
