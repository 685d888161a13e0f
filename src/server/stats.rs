//! What the server counts: totals, rates, and time per command.

use crate::timer::Millis;

/// Totals since the start or CONFIG RESETSTAT; the names are INFO's.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub total_connections_received: u64,
    pub total_commands_processed: u64,
    pub total_net_input_bytes: u64,
    pub total_net_output_bytes: u64,
    pub rejected_connections: u64,
    pub expired_keys: u64,
    /// Fields of hashes that have expired.
    pub expired_subkeys: u64,
    /// Keys the wheel deleted later than 1 ms after their deadline.
    pub expired_late_keys: u64,
    /// The worst lag of an expired key, or of a field, behind its deadline, in ms.
    pub expire_lag_max_ms: u64,
    /// The sum of all expired keys' lags, in ms.
    pub expire_lag_sum_ms: u64,
    /// Ticks that left due keys to the next one.
    pub expire_time_cap_reached: u64,
    /// Time spent on deleting keys whose time had come.
    pub expire_nanos: u64,
    pub sync_full: u64,
    pub sync_partial_ok: u64,
    pub sync_partial_err: u64,
    pub total_net_repl_input_bytes: u64,
    pub total_net_repl_output_bytes: u64,
    pub evicted_keys: u64,
    pub evicted_clients: u64,
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub total_error_replies: u64,
    pub unexpected_error_replies: u64,
    pub total_reads_processed: u64,
    pub total_writes_processed: u64,
    pub client_query_buffer_limit_disconnections: u64,
    pub client_output_buffer_limit_disconnections: u64,
    pub eventloop_cycles: u64,
    pub eventloop_duration_usec: u64,
    pub eventloop_duration_cmd_usec: u64,
    pub total_eviction_exceeded_time_usec: u64,
    /// These four since the start.
    pub acl_access_denied_auth: u64,
    pub acl_access_denied_cmd: u64,
    pub acl_access_denied_key: u64,
    pub acl_access_denied_channel: u64,
}

impl Stats {
    /// CONFIG RESETSTAT. What was refused to users stays counted: who tries what may not be theirs is not to be forgotten
    /// for the sake of a measurement.
    pub fn reset(&mut self) {
        *self = Stats {
            acl_access_denied_auth: self.acl_access_denied_auth,
            acl_access_denied_cmd: self.acl_access_denied_cmd,
            acl_access_denied_key: self.acl_access_denied_key,
            acl_access_denied_channel: self.acl_access_denied_channel,
            ..Stats::default()
        };
    }
}

/// A rate averaged over the last sixteen samples, as Redis's `instantaneous_*`.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: [u64; 16],
    at: usize,
    last_total: u64,
    last_time: Millis,
}

impl Rate {
    /// Notes the total as of `now`.
    pub fn sample(&mut self, total: u64, now: Millis) {
        let elapsed = now.since(self.last_time).max(1) as u64;
        self.samples[self.at % 16] = total.saturating_sub(self.last_total) * 1000 / elapsed;
        self.at += 1;
        self.last_total = total;
        self.last_time = now;
    }

    /// Units a second.
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / 16
    }
}

/// What a command has cost so far.
#[derive(Clone, Debug, Default)]
pub struct CommandStats {
    pub calls: u64,
    pub nanos: u64,
    pub rejected: u64,
    pub failed: u64,
    pub latency: Option<Box<Histogram>>,
}

/// Eight steps to each doubling of nanoseconds: a reading is at most an eighth off, in 2 KB.
const STEPS_LOG: u32 = 3;
const BUCKETS: usize = 40 << STEPS_LOG;

/// How often each latency occurred.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: [0; BUCKETS],
            total: 0,
        }
    }
}

impl Histogram {
    #[inline]
    fn bucket(nanos: u64) -> usize {
        let nanos = nanos.max(1 << STEPS_LOG);
        let doubling = 63 - nanos.leading_zeros();
        let step = (nanos >> (doubling - STEPS_LOG)) & ((1 << STEPS_LOG) - 1);
        (((doubling as usize) << STEPS_LOG) + step as usize).min(BUCKETS - 1)
    }

    /// The largest value that falls into a bucket, in ns.
    fn upper(bucket: usize) -> u64 {
        let (doubling, step) = (bucket >> STEPS_LOG, (bucket & ((1 << STEPS_LOG) - 1)) as u64);
        if doubling < STEPS_LOG as usize {
            return 1 << STEPS_LOG;
        }
        ((1u64 << STEPS_LOG) + step + 1) << (doubling - STEPS_LOG as usize)
    }

    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.counts[Self::bucket(nanos)] += 1;
        self.total += 1;
    }

    pub fn count(&self) -> u64 {
        self.total
    }

    /// The value at a percentile (0 to 100), in ns.
    pub fn percentile(&self, percentile: f64) -> u64 {
        let want = ((percentile / 100.0 * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= want {
                return Self::upper(bucket);
            }
        }
        0
    }

    /// Cumulative counts at doubling limits, from the first with any to the one that holds all; limits that would add
    /// none are left out. The limits are labelled in microseconds as Redis labels them: 1024 ns, 2048 ns and so on are
    /// each widened to the end of the 1/128 step they begin, hence 1, 2, 4, 8, 16 and then 33, 66, 132.
    pub fn by_doubling_micros(&self) -> Vec<(u64, u64)> {
        let mut out: Vec<(u64, u64)> = Vec::new();
        let mut limit = 1u64;
        loop {
            let seen = (0..BUCKETS)
                .filter(|&b| Self::upper(b) <= limit * 1024)
                .map(|b| self.counts[b])
                .sum::<u64>();
            if seen > out.last().map_or(0, |last| last.1) {
                let nanos = limit * 1024;
                out.push(((nanos + nanos / 128 - 1) / 1000, seen));
            }
            if seen == self.total || limit > 1 << 40 {
                return out;
            }
            limit *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_an_eighth() {
        let mut histogram = Histogram::default();
        for nanos in 1..=10_000u64 {
            histogram.record(nanos * 100);
        }
        for (percentile, want) in [(50.0, 500_000.0), (99.0, 990_000.0), (100.0, 1_000_000.0)] {
            let got = histogram.percentile(percentile) as f64;
            assert!((got / want - 1.0).abs() < 0.13, "{percentile}: {got}");
        }
        assert_eq!(histogram.by_doubling_micros().last(), Some(&(1056, 10_000)));
    }
}
