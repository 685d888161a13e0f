//! The table of INFO: every section and field, in Redis 7.2's order, with the function of the core that gives its value.
//!
//! Our own fields stand at the ends of sections, where they move no other. A field about something that this server
//! does not have is here all the same, since tools expect it: with zero, or the word Redis uses for "nothing of the
//! kind happened".

use crate::server::append_only::State;
use crate::server::pubsub::Topic;
use std::fmt::{Display, Write};

use super::View;
use super::figures::human;
use super::lines;
use crate::config::REDIS_VERSION;
use crate::config::choice::Supervised;
use crate::scripting::Kind;
use crate::server::core::Core;
use crate::server::os;

/// A part of INFO that can be asked for by name.
pub struct Section {
    /// As its heading has it; clients may write it in any case.
    pub name: &'static str,
    /// Whether it is shown when no section is named.
    pub default: bool,
    pub items: &'static [Item],
}

/// Writes values into a report.
pub type Writer = fn(&View<'_>, &mut String);

pub enum Item {
    /// `name:value`.
    Field(&'static str, Writer),
    /// As many lines as there are things to tell of.
    Lines(Writer),
}

/// Makes fields from `name => value` rows, and lines from `.. function;`; `$view` names the [`View`] in the values.
macro_rules! items {
    ($view:ident; $($name:literal => $value:expr,)* $(.. $lines:path; $($own:literal => $own_value:expr,)*)*) => {
        &[
            $(Item::Field($name, |#[allow(unused_variables)] $view, out| put(out, $value)),)*
            $(Item::Lines($lines), $(Item::Field($own, |#[allow(unused_variables)] $view, out| put(out, $own_value)),)*)*
        ]
    };
}

fn put(out: &mut String, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

/// The value of fields about what does not exist here.
const NONE: u8 = 0;

pub const SECTIONS: &[Section] = &[
    section("Server", SERVER),
    section("Clients", CLIENTS),
    section("Memory", MEMORY),
    section("Persistence", PERSISTENCE),
    section("Stats", STATS),
    section("Replication", REPLICATION),
    section("CPU", CPU),
    section("Modules", &[]),
    on_request("Commandstats", &[Item::Lines(lines::command_stats)]),
    section("Errorstats", &[Item::Lines(lines::error_stats)]),
    on_request("Latencystats", &[Item::Lines(lines::latency_stats)]),
    section("Cluster", CLUSTER),
    section("Keyspace", &[Item::Lines(lines::databases)]),
];

const fn section(name: &'static str, items: &'static [Item]) -> Section {
    Section {
        name,
        default: true,
        items,
    }
}

const fn on_request(name: &'static str, items: &'static [Item]) -> Section {
    Section {
        name,
        default: false,
        items,
    }
}

const SERVER: &[Item] = items! { view;
    "redis_version" => REDIS_VERSION,
    "redis_git_sha1" => "00000000",
    "redis_git_dirty" => NONE,
    "redis_build_id" => NONE,
    "redis_mode" => "standalone",
    "os" => os::system_name(),
    "arch_bits" => usize::BITS,
    "monotonic_clock" => "POSIX clock_gettime",
    "multiplexing_api" => if cfg!(target_os = "linux") { "epoll" } else { "kqueue" },
    "atomicvar_api" => "c11-builtin",
    // Redis's words for a compiler that is not gcc.
    "gcc_version" => "0.0.0",
    "process_id" => std::process::id(),
    "process_supervised" => supervisor(view.core.settings.supervised),
    "run_id" => &view.core.facts.run_id,
    "tcp_port" => view.core.settings.shown_port(),
    "server_time_usec" => os::unix_micros(),
    "uptime_in_seconds" => view.core.monotonic.as_secs(),
    "uptime_in_days" => view.core.monotonic.as_secs() / (24 * 3600),
    "hz" => view.core.settings.hz,
    "configured_hz" => view.core.settings.hz,
    "lru_clock" => view.core.now().as_secs() & 0xff_ffff,
    "executable" => &view.core.facts.executable,
    "config_file" => &view.core.facts.config_file,
    "io_threads_active" => NONE,
    .. lines::listeners;
    "aeolus_version" => env!("CARGO_PKG_VERSION"),
    "availability_zone" => &view.core.settings.availability_zone,
};

fn supervisor(supervised: Supervised) -> &'static str {
    match supervised {
        Supervised::Upstart => "upstart",
        Supervised::Systemd => "systemd",
        Supervised::Auto => "unknown",
        Supervised::No => "no",
    }
}

const CLIENTS: &[Item] = items! { view;
    "connected_clients" => view.core.session_count().saturating_sub(view.core.replication.replicas.len()),
    "cluster_connections" => NONE,
    "maxclients" => view.core.settings.maxclients,
    "client_recent_max_input_buffer" => view.core.sessions().map(|session| session.input_bytes).max().unwrap_or(0),
    "client_recent_max_output_buffer" => view.core.sessions().map(|session| session.output_bytes()).max().unwrap_or(0),
    "blocked_clients" => view.core.sessions().filter(|session| session.blocked.is_some()).count(),
    "tracking_clients" => view.core.tracking.clients(),
    "clients_in_timeout_table" => NONE,
    "total_blocking_keys" => view.core.waiting.key_counts().0,
    "total_blocking_keys_on_nokey" => view.core.waiting.key_counts().1,
    "pubsub_clients" => view.core.sessions().filter(|session| session.is_subscriber()).count(),
    "watching_clients" => view.core.sessions().filter(|session| session.is_watching()).count(),
    "total_watched_keys" => view.core.watched.key_count(),
    "paused_reason" => view.core.paused().map_or("none", |paused| paused.reason),
    "paused_actions" => view.core.paused().map_or("none", |paused| if paused.all { "all" } else { "write" }),
    "paused_timeout_milliseconds" => view.core.paused().map_or(0, |paused| paused.millis),
};

const MEMORY: &[Item] = items! { view;
    "used_memory" => view.memory.used,
    "used_memory_human" => human(view.memory.used as u64),
    "used_memory_rss" => view.memory.rss,
    "used_memory_rss_human" => human(view.memory.rss as u64),
    "used_memory_peak" => view.memory.peak,
    "used_memory_peak_human" => human(view.memory.peak as u64),
    "used_memory_peak_perc" => percent(view.memory.peak_percent()),
    "used_memory_overhead" => view.memory.overhead(),
    "used_memory_startup" => view.memory.startup,
    "used_memory_dataset" => view.memory.dataset(),
    "used_memory_dataset_perc" => percent(view.memory.dataset_percent()),
    "allocator_allocated" => view.memory.allocator.allocated,
    "allocator_active" => view.memory.allocator.active,
    "allocator_resident" => view.memory.allocator.resident,
    "total_system_memory" => os::installed_memory(),
    "total_system_memory_human" => human(os::installed_memory()),
    "used_memory_lua" => view.core.scripts.vm_memory(Kind::Scripts),
    "used_memory_vm_eval" => view.core.scripts.vm_memory(Kind::Scripts),
    "used_memory_lua_human" => human(view.core.scripts.vm_memory(Kind::Scripts) as u64),
    "used_memory_scripts_eval" => view.core.scripts.cache_memory(),
    "number_of_cached_scripts" => view.core.scripts.len(),
    "number_of_functions" => view.core.libraries().map_or(0, |libraries| libraries.function_count()),
    "number_of_libraries" => view.core.libraries().map_or(0, |libraries| libraries.len()),
    "used_memory_vm_functions" => view.core.scripts.vm_memory(Kind::Functions),
    "used_memory_vm_total" => view.core.scripts.vm_total(),
    "used_memory_vm_total_human" => human(view.core.scripts.vm_total() as u64),
    "used_memory_functions" => view.core.functions_memory(),
    "used_memory_scripts" => view.core.scripts.cache_memory() + view.core.functions_memory(),
    "used_memory_scripts_human" => human((view.core.scripts.cache_memory() + view.core.functions_memory()) as u64),
    "maxmemory" => view.core.settings.maxmemory,
    "maxmemory_human" => human(view.core.settings.maxmemory),
    "maxmemory_policy" => view.core.settings.maxmemory_policy.word(),
    "allocator_frag_ratio" => hundredths(view.memory.allocator_fragmentation().ratio),
    "allocator_frag_bytes" => view.memory.allocator_fragmentation().bytes,
    "allocator_rss_ratio" => hundredths(view.memory.allocator_rss().ratio),
    "allocator_rss_bytes" => view.memory.allocator_rss().bytes,
    "rss_overhead_ratio" => hundredths(view.memory.rss_overhead().ratio),
    "rss_overhead_bytes" => view.memory.rss_overhead().bytes,
    "mem_fragmentation_ratio" => hundredths(view.memory.fragmentation().ratio),
    "mem_fragmentation_bytes" => view.memory.fragmentation().bytes,
    "mem_not_counted_for_evict" => view.core.uncounted_memory(),
    "mem_replication_backlog" => view.memory.backlog,
    "mem_total_replication_buffers" => view.core.replication.stream.memory(),
    "mem_clients_slaves" => view.memory.replicas,
    "mem_clients_normal" => view.memory.clients,
    "mem_cluster_links" => NONE,
    "mem_aof_buffer" => view.core.append_only.pending.capacity(),
    "mem_allocator" => format!("jemalloc-{}", crate::memory::allocator_version()),
    "active_defrag_running" => NONE,
    "lazyfree_pending_objects" => view.core.keyspace.graveyard.pending(),
    "lazyfreed_objects" => view.core.keyspace.graveyard.freed,
};

const PERSISTENCE: &[Item] = items! { view;
    "loading" => u8::from(view.core.is_loading()),
    "async_loading" => u8::from(view.core.is_loading_aside()),
    "current_cow_peak" => view.core.snapshots.running.map_or(0, |_| view.core.snapshots.most_copied),
    "current_cow_size" => view.core.snapshots.running.map_or(0, |running| running.progress.copied),
    "current_cow_size_age" => view.core.snapshots.running.map_or(0, |running| view.core.now().since(running.told) / 1000),
    "current_fork_perc" => hundredths(snapshot_percent(view.core)),
    "current_save_keys_processed" => view.core.snapshots.running.map_or(0, |running| running.progress.keys),
    "current_save_keys_total" => view.core.snapshots.running.map_or(0, |running| running.keys),
    "rdb_changes_since_last_save" => view.core.dirty,
    "rdb_bgsave_in_progress" => u8::from(view.core.snapshots.running.is_some()),
    "rdb_last_save_time" => view.core.snapshots.last_save.as_secs(),
    "rdb_last_bgsave_status" => if view.core.snapshots.is_ok { "ok" } else { "err" },
    "rdb_last_bgsave_time_sec" => view.core.snapshots.last_duration.map_or(NEVER.into(), |ms| ms / 1000),
    "rdb_current_bgsave_time_sec" =>
        view.core.snapshots.running.map_or(NEVER.into(), |running| view.core.now().since(running.started) / 1000),
    "rdb_saves" => view.core.snapshots.saves,
    "rdb_last_cow_size" => view.core.snapshots.last_copied,
    "rdb_last_load_keys_expired" => view.core.last_load.expired,
    "rdb_last_load_keys_loaded" => view.core.last_load.keys,
    "aof_enabled" => u8::from(view.core.append_only.state != State::Off),
    "aof_rewrite_in_progress" => u8::from(view.core.append_only.rewriting.is_some()),
    "aof_rewrite_scheduled" => u8::from(view.core.append_only.is_scheduled),
    "aof_last_rewrite_time_sec" => view.core.append_only.last_duration.map_or(NEVER.into(), |ms| ms / 1000),
    "aof_current_rewrite_time_sec" =>
        view.core.append_only.rewriting.as_ref().map_or(NEVER.into(), |rewriting| view.core.now().since(rewriting.started) / 1000),
    "aof_last_bgrewrite_status" => if view.core.append_only.is_rewrite_ok { "ok" } else { "err" },
    "aof_rewrites" => view.core.append_only.rewrites,
    "aof_rewrites_consecutive_failures" => view.core.append_only.failures,
    "aof_last_write_status" => if view.core.append_only.error().is_none() { "ok" } else { "err" },
    "aof_last_cow_size" => view.core.append_only.last_copied,
    "module_fork_in_progress" => NONE,
    "module_fork_last_cow_size" => NONE,
    .. lines::persistence;
};

/// How much of the keys a child has written.
fn snapshot_percent(core: &Core) -> f64 {
    let running = core.snapshots.running.filter(|running| running.keys > 0);
    running.map_or(0.0, |running| {
        100.0 * running.progress.keys as f64 / running.keys as f64
    })
}

/// How long something took that has not been done yet.
const NEVER: i8 = -1;

const STATS: &[Item] = items! { view;
    "total_connections_received" => view.core.stats.total_connections_received,
    "total_commands_processed" => view.core.stats.total_commands_processed,
    "instantaneous_ops_per_sec" => view.core.ops_rate.per_second(),
    "total_net_input_bytes" => view.core.stats.total_net_input_bytes,
    "total_net_output_bytes" => view.core.stats.total_net_output_bytes,
    "total_net_repl_input_bytes" => view.core.stats.total_net_repl_input_bytes,
    "total_net_repl_output_bytes" => view.core.stats.total_net_repl_output_bytes,
    "instantaneous_input_kbps" => hundredths(view.core.input_rate.per_second() as f64 / 1024.0),
    "instantaneous_output_kbps" => hundredths(view.core.output_rate.per_second() as f64 / 1024.0),
    "instantaneous_input_repl_kbps" => hundredths(0.0),
    "instantaneous_output_repl_kbps" => hundredths(0.0),
    "rejected_connections" => view.core.stats.rejected_connections,
    "sync_full" => view.core.stats.sync_full,
    "sync_partial_ok" => view.core.stats.sync_partial_ok,
    "sync_partial_err" => view.core.stats.sync_partial_err,
    "expired_keys" => view.core.stats.expired_keys,
    // Redis estimates it by sampling; the wheel misses no key, so none it could have deleted is left to be stale.
    "expired_stale_perc" => hundredths(0.0),
    "expired_time_cap_reached_count" => view.core.stats.expire_time_cap_reached,
    "expire_cycle_cpu_milliseconds" => view.core.stats.expire_nanos / 1_000_000,
    "evicted_keys" => view.core.stats.evicted_keys,
    "evicted_clients" => view.core.stats.evicted_clients,
    "total_eviction_exceeded_time" => view.core.stats.total_eviction_exceeded_time_usec / 1000,
    "current_eviction_exceeded_time" => NONE,
    "keyspace_hits" => view.core.stats.keyspace_hits,
    "keyspace_misses" => view.core.stats.keyspace_misses,
    "pubsub_channels" => view.core.pubsub.count(Topic::Channel),
    "pubsub_patterns" => view.core.pubsub.count(Topic::Pattern),
    "pubsubshard_channels" => view.core.pubsub.count(Topic::ShardChannel),
    "latest_fork_usec" => view.core.snapshots.fork_micros,
    "total_forks" => view.core.snapshots.forks,
    "migrate_cached_sockets" => view.core.migrations.kept(),
    "slave_expires_tracked_keys" => view.core.own_deadlines.count(),
    "active_defrag_hits" => NONE,
    "active_defrag_misses" => NONE,
    "active_defrag_key_hits" => NONE,
    "active_defrag_key_misses" => NONE,
    "total_active_defrag_time" => NONE,
    "current_active_defrag_time" => NONE,
    "tracking_total_keys" => view.core.tracking.keys(),
    "tracking_total_items" => view.core.tracking.items(),
    "tracking_total_prefixes" => view.core.tracking.prefixes(),
    "unexpected_error_replies" => view.core.stats.unexpected_error_replies,
    "total_error_replies" => view.core.stats.total_error_replies,
    "dump_payload_sanitizations" => NONE,
    "total_reads_processed" => view.core.stats.total_reads_processed,
    "total_writes_processed" => view.core.stats.total_writes_processed,
    "io_threaded_reads_processed" => NONE,
    "io_threaded_writes_processed" => NONE,
    "reply_buffer_shrinks" => NONE,
    "reply_buffer_expands" => NONE,
    "eventloop_cycles" => view.core.stats.eventloop_cycles,
    "eventloop_duration_sum" => view.core.stats.eventloop_duration_usec,
    "eventloop_duration_cmd_sum" => command_micros(view.core),
    "instantaneous_eventloop_cycles_per_sec" => view.core.cycle_rate.per_second(),
    "instantaneous_eventloop_duration_usec" => cycle_micros(view.core),
    "acl_access_denied_auth" => view.core.stats.acl_access_denied_auth,
    "acl_access_denied_cmd" => view.core.stats.acl_access_denied_cmd,
    "acl_access_denied_key" => view.core.stats.acl_access_denied_key,
    "acl_access_denied_channel" => view.core.stats.acl_access_denied_channel,
    "expired_subkeys" => view.core.stats.expired_subkeys,
    "expire_lag_max_ms" => view.core.stats.expire_lag_max_ms,
    "expire_lag_avg_ms" => hundredths(expire_lag_average(view.core)),
    "expired_late_keys" => view.core.stats.expired_late_keys,
    "expire_time_cap_reached" => view.core.stats.expire_time_cap_reached,
    "client_query_buffer_limit_disconnections" => view.core.stats.client_query_buffer_limit_disconnections,
    "client_output_buffer_limit_disconnections" => view.core.stats.client_output_buffer_limit_disconnections,
};

/// Microseconds spent in commands.
fn command_micros(core: &Core) -> u64 {
    core.command_stats.iter().map(|stats| stats.nanos).sum::<u64>() / 1000
}

/// Microseconds a tick takes, of late.
fn cycle_micros(core: &Core) -> u64 {
    let (busy, cycles) = (core.cycle_time_rate.per_second(), core.cycle_rate.per_second());
    busy.checked_div(cycles).unwrap_or(0)
}

/// How far behind its deadline a key was deleted on average, in milliseconds.
fn expire_lag_average(core: &Core) -> f64 {
    core.stats.expire_lag_sum_ms as f64 / core.stats.expired_keys.max(1) as f64
}

/// What stands where there is no replication ID.
const NO_ID: &str = "0000000000000000000000000000000000000000";

/// The number of the first byte in the backlog; the first of all is 1.
fn backlog_start(core: &Core) -> u64 {
    let stream = &core.replication.stream;
    if stream.is_kept() { stream.first() + 1 } else { 0 }
}

const REPLICATION: &[Item] = items! { view;
    "role" => if view.core.replication.is_replica() { "slave" } else { "master" },
    .. lines::primary;
    "connected_slaves" => view.core.replication.replicas.len(),
    .. lines::replicas;
    "master_failover_state" => view.core.replication.failover.as_ref().map_or("no-failover", |failover| failover.word()),
    "master_replid" => &view.core.replication.id,
    "master_replid2" => view.core.replication.former.as_ref().map_or(NO_ID, |former| &former.id),
    "master_repl_offset" => view.core.propagation.offset,
    "second_repl_offset" => view.core.replication.former.as_ref().map_or(-1, |former| former.until as i64 + 1),
    "repl_backlog_active" => u8::from(view.core.replication.stream.is_kept()),
    "repl_backlog_size" => view.core.settings.repl_backlog_size,
    "repl_backlog_first_byte_offset" => backlog_start(view.core),
    "repl_backlog_histlen" => view.core.replication.stream.held(),
};

const CPU: &[Item] = items! { view;
    "used_cpu_sys" => cpu_seconds(view.cpu.system),
    "used_cpu_user" => cpu_seconds(view.cpu.user),
    "used_cpu_sys_children" => cpu_seconds(view.children_cpu.system),
    "used_cpu_user_children" => cpu_seconds(view.children_cpu.user),
    "used_cpu_sys_main_thread" => cpu_seconds(view.thread_cpu.system),
    "used_cpu_user_main_thread" => cpu_seconds(view.thread_cpu.user),
};

const CLUSTER: &[Item] = items! { view;
    "cluster_enabled" => NONE,
};

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

fn hundredths(value: f64) -> String {
    format!("{value:.2}")
}

fn cpu_seconds(value: f64) -> String {
    format!("{value:.6}")
}
