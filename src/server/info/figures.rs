//! Where the memory goes: the figures that INFO, MEMORY STATS and MEMORY DOCTOR share.

use crate::memory::{AllocatorStats, allocator_stats};
use crate::server::core::Core;
use crate::server::os;
use crate::server::session::Session;

/// Bytes, measured once for a whole report so that its lines agree with each other.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// What the allocator has handed out, in whole size classes.
    pub used: usize,
    pub peak: usize,
    pub startup: usize,
    /// Resident bytes of the process.
    pub rss: usize,
    /// Buffers and sessions of clients, without replicas.
    pub clients: usize,
    /// Sessions of replicas, and what they have yet to take beyond the backlog.
    pub replicas: usize,
    /// The rest of the replication stream.
    pub backlog: usize,
    /// Records that wait for the append-only file.
    pub log: usize,
    /// Table and timer wheel of each database that has keys, by its number.
    pub databases: Vec<(usize, TableBytes)>,
    pub keys: usize,
    pub allocator: AllocatorStats,
}

/// What a database costs beside its entries.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableBytes {
    pub table: usize,
    pub wheel: usize,
}

impl Figures {
    /// O(clients + databases), and some microseconds for the allocator's own statistics.
    pub fn measure(core: &Core) -> Figures {
        let allocator = allocator_stats();
        let used = core.used_memory();
        let filled = core.keyspace.databases().filter(|(_, db)| !db.is_empty());
        let databases = filled.map(|(index, db)| {
            let (table, wheel) = (db.table_bytes(), db.wheel_bytes());
            (index, TableBytes { table, wheel })
        });
        let is_replica = |session: &&Session| session.replica.as_ref().is_some_and(|replica| replica.is_bound());
        let replicas = core.sessions().filter(is_replica).map(Session::memory).sum::<usize>();
        let owed = match core.replication.replicas.is_empty() {
            true => 0,
            false => core.memory_owed_to_replicas(),
        };
        Figures {
            used,
            replicas: replicas + owed,
            backlog: core.replication.stream.memory() - owed,
            log: core.append_only.pending.capacity(),
            peak: core.memory_peak.max(used),
            startup: core.facts.startup_bytes,
            rss: os::resident_memory().unwrap_or(allocator.resident),
            clients: core.sessions().map(Session::memory).sum::<usize>() - replicas,
            databases: databases.collect(),
            keys: core.keyspace.databases().map(|(_, db)| db.len()).sum(),
            allocator,
        }
    }

    /// What is not data: the bare process, its clients, and the structures around the keys.
    pub fn overhead(&self) -> usize {
        let tables: usize = self.databases.iter().map(|(_, bytes)| bytes.table + bytes.wheel).sum();
        self.startup + self.clients + self.replicas + self.backlog + self.log + tables
    }

    pub fn dataset(&self) -> usize {
        self.used.saturating_sub(self.overhead())
    }

    /// Bytes beyond those of the bare process.
    pub fn net(&self) -> usize {
        self.used.saturating_sub(self.startup)
    }

    pub fn dataset_percent(&self) -> f64 {
        100.0 * ratio(self.dataset(), self.net())
    }

    pub fn peak_percent(&self) -> f64 {
        100.0 * ratio(self.used, self.peak)
    }

    pub fn bytes_per_key(&self) -> usize {
        self.net().checked_div(self.keys).unwrap_or(0)
    }

    /// Memory in runs of pages that hold something, against what is handed out of it.
    pub fn allocator_fragmentation(&self) -> Excess {
        Excess::of(self.allocator.active, self.allocator.allocated)
    }

    /// Pages the allocator keeps, against those that hold something.
    pub fn allocator_rss(&self) -> Excess {
        Excess::of(self.allocator.resident, self.allocator.active)
    }

    /// Resident memory that is not the allocator's: code, stacks.
    pub fn rss_overhead(&self) -> Excess {
        Excess::of(self.rss, self.allocator.resident)
    }

    /// All resident memory, against what is in use.
    pub fn fragmentation(&self) -> Excess {
        Excess::of(self.rss, self.used)
    }
}

/// How much larger one figure is than another, as INFO tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excess {
    pub ratio: f64,
    pub bytes: i64,
}

impl Excess {
    fn of(larger: usize, smaller: usize) -> Excess {
        Excess {
            ratio: ratio(larger, smaller),
            bytes: larger as i64 - smaller as i64,
        }
    }
}

/// Zero if there is nothing to compare with.
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Bytes as people read them: `512B`, `1.50K`, `2.00G`.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    for unit in ["K", "M", "G", "T"] {
        if value < 1024.0 {
            return format!("{value:.2}{unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.2}P")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_largest_unit_that_fits() {
        let cases: [(u64, &str); 6] = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (916_384, "894.91K"),
            (25_276_510_208, "23.54G"),
            (1 << 50, "1.00P"),
        ];
        for (bytes, want) in cases {
            assert_eq!(human(bytes), want);
        }
    }

    #[test]
    fn parts_add_up_and_nothing_divides_by_zero() {
        let empty = Figures::default();
        assert_eq!((empty.dataset_percent(), empty.bytes_per_key()), (0.0, 0));
        let figures = Figures {
            used: 1000,
            peak: 2000,
            startup: 400,
            clients: 100,
            databases: vec![(0, TableBytes { table: 150, wheel: 50 })],
            keys: 6,
            ..Figures::default()
        };
        assert_eq!((figures.overhead(), figures.dataset()), (700, 300));
        assert_eq!((figures.dataset_percent(), figures.peak_percent()), (50.0, 50.0));
        assert_eq!(figures.bytes_per_key(), 100);
    }
}
