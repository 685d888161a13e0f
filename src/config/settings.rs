//! The table of settings: every setting of Redis 7.2, its default, its range and whether it does anything here.
//!
//! An entry gives the name (and an older one), the field, its type and default, the values it may take, when it may
//! change, and its status. To add a setting is to add an entry; to bring an inert one to life is to change its last
//! word. The default and range of every setting are Redis's, so that a `redis.conf` written for it loads unchanged; the one
//! default that differs is in the tests' list `OTHER_DEFAULTS`. Some settings and names of newer servers are there so that
//! the `redis.conf` of Redis 8 and the `valkey.conf` of Valkey 9 load too.

use super::choice::{
    AclPubsubDefault, AppendFsync, ClusterEndpointType, DisklessLoad, LogLevel, MaxmemoryPolicy, OomScoreAdj,
    Permission, PropagationErrorBehavior, RdbVersionCheck, SanitizeDumpPayload, Supervised, SyslogFacility,
    TlsAuthClients,
};
use super::compound::{
    BindAddresses, KeyspaceEvents, MemoryOrPercent, OomScores, OutputBufferLimits, Percentiles, Primary, SavePoints,
    ShutdownOptions,
};
use super::table::Access::{Hidden, Protected, Runtime, Startup};
use super::table::Status::{self, Active, Inert};
use super::table::{Setting, settings};
use super::value::Domain::{Any, Checked, Memory, Octal, Unset, UnsetOrChecked, Whole};
use super::value::{Directory, INT_MAX, LONG_MAX, Text, Value};

/// The smallest query buffer and bulk length limits: below a megabyte ordinary clients would break.
const MIB: i128 = 1 << 20;
/// The largest TCP port.
const PORT_MAX: i128 = u16::MAX as i128;

const ALLOCATOR: Status = Inert("it always does where the system lets that thread stand back");
const CLUSTER: Status = Inert("there is no cluster mode");
const DEFRAG: Status = Inert("the allocator's size classes leave little to defragment");
const OS: Status = Inert("process-wide tuning of the operating system is left to its own tools");
const REPLICATION: Status = Inert("replication does not read it yet");
const SYSLOG: Status = Inert("messages go to the log file or standard output only");
const TEST_AID: Status = Inert("it exists for tests of Redis's own internals");
const THREADS: Status = Inert("everything runs on one thread");
const TLS_GROUPS: Status = Inert("keys are exchanged over elliptic curves only");
const TLS_PASSWORDS: Status = Inert("keys must not be encrypted");
const TLS_SESSIONS: Status = Inert("sessions are forgotten when there are too many");

settings! {
    // Network.
    /// TCP port to listen on; 0 opens none.
    "port" port: u16 = 6379, Whole(0, PORT_MAX), Runtime, Active;
    /// Addresses to listen on. One after a `-` may be missing; `*` and `::*` stand for all.
    "bind" bind: BindAddresses = BindAddresses::all(), Any, Runtime, Active;
    /// Local address that connections to a primary come from.
    "bind-source-addr" bind_source_addr: Text = "".into(), Unset, Runtime, Active;
    /// Path of a Unix socket to listen on; empty opens none.
    "unixsocket" unixsocket: Text = "".into(), Unset, Startup, Active;
    /// Permissions of the Unix socket; 0 leaves them to the umask.
    "unixsocketperm" unixsocketperm: u32 = 0, Octal(0, 0o777), Startup, Active;
    /// Connections the kernel may hold until they are accepted.
    "tcp-backlog" tcp_backlog: i32 = 511, Whole(0, INT_MAX), Startup, Active;
    /// Seconds between probes of a silent connection; 0 sends none.
    "tcp-keepalive" tcp_keepalive: i32 = 300, Whole(0, INT_MAX), Runtime, Active;
    /// Seconds after which an idle client is disconnected; 0 means never.
    "timeout" timeout: i32 = 0, Whole(0, INT_MAX), Runtime, Active;
    /// The most clients connected at once.
    "maxclients" maxclients: u32 = 10_000, Whole(1, u32::MAX as i128), Runtime, Active;
    /// Whether clients from other machines are refused while `requirepass` is not set.
    "protected-mode" protected_mode: bool = true, Any, Runtime, Active;
    /// Mark put on sockets for packet filters; 0 sets none.
    "socket-mark-id" socket_mark_id: u32 = 0, Whole(0, u32::MAX as i128), Startup, OS;
    /// Bytes that one argument of a command may have at most.
    "proto-max-bulk-len" proto_max_bulk_len: i64 = 512 << 20, Memory(MIB, LONG_MAX), Runtime, Active;
    /// Bytes of unexecuted input at which a client is disconnected.
    "client-query-buffer-limit" client_query_buffer_limit: u64 = 1 << 30, Memory(MIB, LONG_MAX), Runtime, Active;
    /// Bytes of unsent output at which a client is disconnected: at once beyond the hard limit, after a while beyond
    /// the soft one.
    "client-output-buffer-limit" client_output_buffer_limit: OutputBufferLimits =
        OutputBufferLimits::standard(), Any, Runtime, Active;
    /// Memory that all clients together may use before the largest are disconnected; 0 means no limit.
    "maxmemory-clients" maxmemory_clients: MemoryOrPercent =
        MemoryOrPercent::Bytes(0), Any, Runtime, Active;

    // The process.
    /// Whether to go to the background at start.
    "daemonize" daemonize: bool = false, Any, Startup, Active;
    /// Which supervisor is told that the server is ready.
    "supervised" supervised: Supervised = Supervised::No, Any, Startup, Inert("no supervisor is told that the server is ready");
    /// File the process ID is written to.
    "pidfile" pidfile: Text = "".into(), Unset, Startup, Active;
    /// File messages are appended to; empty means standard output.
    "logfile" logfile: Text = "".into(), Any, Startup, Active;
    /// The least severe messages that are logged.
    "loglevel" loglevel: LogLevel = LogLevel::Notice, Any, Runtime, Active;
    /// Whether messages go to syslog.
    "syslog-enabled" syslog_enabled: bool = false, Any, Startup, SYSLOG;
    /// The program's name in syslog.
    "syslog-ident" syslog_ident: Text = "redis".into(), Any, Startup, SYSLOG;
    /// The syslog facility.
    "syslog-facility" syslog_facility: SyslogFacility = SyslogFacility::Local0, Any, Startup, SYSLOG;
    /// Whether a crash leaves a report in the log.
    "crash-log-enabled" crash_log_enabled: bool = true, Any, Runtime, Active;
    /// Whether messages tell nothing that users have stored. A setting of Redis 7.4 and of Valkey.
    "hide-user-data-from-log" hide_user_data_from_log: bool = false, Any, Runtime, Inert("messages tell no keys and no values");
    /// Whether a crash checks memory.
    "crash-memcheck-enabled" crash_memcheck_enabled: bool = true, Any, Runtime, Inert("a crash checks no memory");
    /// Whether a logo is shown even when the output is no terminal.
    "always-show-logo" always_show_logo: bool = false, Any, Startup, Inert("there is no logo");
    /// Whether the process title shows what the server does.
    "set-proc-title" set_proc_title: bool = true, Any, Startup, OS;
    /// What the process title says.
    "proc-title-template" proc_title_template: Text =
        "{title} {listen-addr} {server-mode}".into(), Checked(title_template), Runtime, OS;
    /// Where in a cloud the server runs, for clients that ask INFO or HELLO. A setting of Valkey.
    "availability-zone" availability_zone: Text = "".into(), Any, Runtime, Active;
    /// Number of databases to `SELECT` from.
    "databases" databases: i32 = 16, Whole(1, INT_MAX), Startup, Active;
    /// Working directory: where snapshots and append-only files are.
    "dir" dir: Directory = Directory::current(), Any, Protected, Active;
    /// How often a second housekeeping runs when there is some; values outside of 1 to 500 are brought within.
    "hz" hz: i32 = 10, Whole(0, INT_MAX), Runtime, Inert("nothing runs on a heartbeat; INFO reports the value");
    /// Whether `hz` rises with the number of clients.
    "dynamic-hz" dynamic_hz: bool =
        true, Any, Runtime, Inert("housekeeping is driven by deadlines, not by a fixed rate");
    /// Seconds a shutdown waits for replicas that lag.
    "shutdown-timeout" shutdown_timeout: i32 = 10, Whole(0, INT_MAX), Runtime, Active;
    /// How SIGINT shuts the server down.
    "shutdown-on-sigint" shutdown_on_sigint: ShutdownOptions = ShutdownOptions::default(), Any, Runtime, Active;
    /// How SIGTERM shuts the server down.
    "shutdown-on-sigterm" shutdown_on_sigterm: ShutdownOptions = ShutdownOptions::default(), Any, Runtime, Active;
    /// Whether transparent huge pages are turned off for the process.
    "disable-thp" disable_thp: bool = true, Any, Startup, Active;
    /// Whether the kernel's out-of-memory score is set.
    "oom-score-adj" oom_score_adj: OomScoreAdj = OomScoreAdj::No, Any, Runtime, OS;
    /// Out-of-memory scores of a primary, a replica and a saving child.
    "oom-score-adj-values" oom_score_adj_values: OomScores = OomScores([0, 200, 800]), Any, Runtime, OS;
    /// CPUs the server runs on.
    "server_cpulist" server_cpulist: Text = "".into(), Unset, Startup, OS;
    /// CPUs that background threads run on.
    "bio_cpulist" bio_cpulist: Text = "".into(), Unset, Startup, THREADS;
    /// CPUs that a rewrite of the append-only file runs on.
    "aof_rewrite_cpulist" aof_rewrite_cpulist: Text = "".into(), Unset, Startup, OS;
    /// CPUs that a saving child runs on.
    "bgsave_cpulist" bgsave_cpulist: Text = "".into(), Unset, Startup, OS;
    /// Threads that read and write sockets.
    "io-threads" io_threads: i32 = 1, Whole(1, 128), Startup, THREADS;
    /// Whether those threads also read.
    "io-threads-do-reads" io_threads_do_reads: bool = false, Any, Startup, THREADS;
    /// Warnings to start in spite of.
    "ignore-warnings" ignore_warnings: Text = "".into(), Any, Runtime, Inert("no warning stops the server");
    /// Locale by which `SORT ALPHA` compares.
    "locale-collate" locale_collate: Text = "".into(), Checked(byte_locale), Runtime, Inert("texts compare by bytes");

    // Who may do what.
    /// Password clients must give; empty asks for none.
    "requirepass" requirepass: Text = "".into(), Unset, Runtime, Active;
    /// Who may change settings that name files the server writes.
    "enable-protected-configs" enable_protected_configs: Permission = Permission::No, Any, Startup, Active;
    /// Who may use `DEBUG`.
    "enable-debug-command" enable_debug_command: Permission = Permission::No, Any, Startup, Active;
    /// Who may use `MODULE`.
    "enable-module-command" enable_module_command: Permission = Permission::No, Any, Startup, Active;
    /// File with the users; a name here is an error at start.
    "aclfile" aclfile: Text = "".into(), Any, Startup, Active;
    /// Which channels a new user may use.
    "acl-pubsub-default" acl_pubsub_default: AclPubsubDefault = AclPubsubDefault::Resetchannels, Any, Runtime, Active;
    /// Entries that `ACL LOG` keeps.
    "acllog-max-len" acllog_max_len: u64 = 128, Whole(0, LONG_MAX), Runtime, Active;

    // Memory.
    /// Bytes of data at which keys are evicted; 0 means no limit.
    "maxmemory" maxmemory: u64 = 0, Memory(0, u64::MAX as i128), Runtime, Active;
    /// Which key goes when memory is full.
    "maxmemory-policy" maxmemory_policy: MaxmemoryPolicy = MaxmemoryPolicy::Noeviction, Any, Runtime, Active;
    /// Keys looked at to choose one for eviction.
    "maxmemory-samples" maxmemory_samples: i32 = 5, Whole(1, INT_MAX), Runtime, Active;
    /// How long eviction may keep a command waiting: 0 hardly, 100 until memory suffices.
    "maxmemory-eviction-tenacity" maxmemory_eviction_tenacity: i32 = 10, Whole(0, 100), Runtime, Active;
    /// How slowly the access counter of a key saturates.
    "lfu-log-factor" lfu_log_factor: i32 = 10, Whole(0, INT_MAX), Runtime, Active;
    /// Minutes after which the access counter of an idle key is decremented; 0 means never.
    "lfu-decay-time" lfu_decay_time: i32 = 1, Whole(0, INT_MAX), Runtime, Active;
    /// How hard expired keys are looked for.
    "active-expire-effort" active_expire_effort: i32 =
        1, Whole(1, 10), Runtime, Inert("keys expire at their deadline, driven by the timer wheel");
    /// Whether evicted values are freed in slices.
    "lazyfree-lazy-eviction" lazyfree_lazy_eviction: bool = false, Any, Runtime, Inert("large values are always freed in slices");
    /// Whether expired values are freed in slices.
    "lazyfree-lazy-expire" lazyfree_lazy_expire: bool = false, Any, Runtime, Inert("large values are always freed in slices");
    /// Whether overwritten values are freed in slices.
    "lazyfree-lazy-server-del" lazyfree_lazy_server_del: bool = false, Any, Runtime, Inert("large values are always freed in slices");
    /// Whether `DEL` behaves as `UNLINK`.
    "lazyfree-lazy-user-del" lazyfree_lazy_user_del: bool = false, Any, Runtime, Inert("large values are always freed in slices");
    /// Whether `FLUSHALL`, `FLUSHDB` and `SCRIPT FLUSH` are asynchronous unless told otherwise.
    "lazyfree-lazy-user-flush" lazyfree_lazy_user_flush: bool = false, Any, Runtime, Inert("large values are always freed in slices");
    /// Whether spare time is spent on growing tables.
    "activerehashing" activerehashing: bool =
        true, Any, Runtime, Inert("tables grow a segment at a time, with nothing left over");
    /// Whether the allocator returns memory on a thread of its own.
    "jemalloc-bg-thread" jemalloc_bg_thread: bool = true, Any, Runtime, ALLOCATOR;
    /// Whether values are moved to reduce fragmentation.
    "activedefrag" activedefrag: bool = false, Any, Runtime, DEFRAG;
    /// Wasted bytes below which nothing is moved.
    "active-defrag-ignore-bytes" active_defrag_ignore_bytes: u64 = 100 << 20, Memory(1, LONG_MAX), Runtime, DEFRAG;
    /// Percent of waste at which moving starts.
    "active-defrag-threshold-lower" active_defrag_threshold_lower: i32 = 10, Whole(0, 1000), Runtime, DEFRAG;
    /// Percent of waste at which most effort is made.
    "active-defrag-threshold-upper" active_defrag_threshold_upper: i32 = 100, Whole(0, 1000), Runtime, DEFRAG;
    /// Percent of CPU spent at the lower threshold.
    "active-defrag-cycle-min" active_defrag_cycle_min: i32 = 1, Whole(1, 99), Runtime, DEFRAG;
    /// Percent of CPU spent at the upper threshold.
    "active-defrag-cycle-max" active_defrag_cycle_max: i32 = 25, Whole(1, 99), Runtime, DEFRAG;
    /// Elements of a value that are moved in one go.
    "active-defrag-max-scan-fields" active_defrag_max_scan_fields: u64 = 1000, Whole(1, LONG_MAX), Runtime, DEFRAG;
    /// Keys remembered for client-side caching; 0 means no limit.
    "tracking-table-max-keys" tracking_table_max_keys: u64 =
        1_000_000, Whole(0, LONG_MAX), Runtime, Active;

    // Encodings.
    /// Fields up to which a hash is packed.
    "hash-max-listpack-entries" ("hash-max-ziplist-entries") hash_max_listpack_entries: u64 =
        512, Whole(0, LONG_MAX), Runtime, Active;
    /// Bytes of a field or value up to which a hash is packed.
    "hash-max-listpack-value" ("hash-max-ziplist-value") hash_max_listpack_value: u64 =
        64, Memory(0, LONG_MAX), Runtime, Active;
    /// Elements in a node of a list; -1 to -5 mean 4, 8, 16, 32 or 64 KiB instead.
    "list-max-listpack-size" ("list-max-ziplist-size") list_max_listpack_size: i32 =
        -2, Whole(i32::MIN as i128, INT_MAX), Runtime, Active;
    /// Nodes at each end of a list that are not compressed; 0 compresses none.
    "list-compress-depth" list_compress_depth: i32 = 0, Whole(0, INT_MAX), Runtime, Inert("lists are not compressed");
    /// Integers up to which a set is a sorted array of them.
    "set-max-intset-entries" set_max_intset_entries: u64 = 512, Whole(0, LONG_MAX), Runtime, Active;
    /// Members up to which a set is packed.
    "set-max-listpack-entries" set_max_listpack_entries: u64 = 128, Whole(0, LONG_MAX), Runtime, Active;
    /// Bytes of a member up to which a set is packed.
    "set-max-listpack-value" set_max_listpack_value: u64 = 64, Memory(0, LONG_MAX), Runtime, Active;
    /// Members up to which a sorted set is packed.
    "zset-max-listpack-entries" ("zset-max-ziplist-entries") zset_max_listpack_entries: u64 =
        128, Whole(0, LONG_MAX), Runtime, Active;
    /// Bytes of a member up to which a sorted set is packed.
    "zset-max-listpack-value" ("zset-max-ziplist-value") zset_max_listpack_value: u64 =
        64, Memory(0, LONG_MAX), Runtime, Active;
    /// Bytes in a node of a stream; 0 means no limit.
    "stream-node-max-bytes" stream_node_max_bytes: u64 = 4096, Memory(0, LONG_MAX), Runtime, Active;
    /// Entries in a node of a stream; 0 means no limit.
    "stream-node-max-entries" stream_node_max_entries: i64 = 100, Whole(0, LONG_MAX), Runtime, Active;
    /// Bytes up to which a HyperLogLog is sparse.
    "hll-sparse-max-bytes" hll_sparse_max_bytes: u64 = 3000, Memory(0, LONG_MAX), Runtime, Active;

    // Observing the server.
    /// Which events on keys are published.
    "notify-keyspace-events" notify_keyspace_events: KeyspaceEvents = KeyspaceEvents::default(), Any, Runtime, Active;
    /// Microseconds from which a command is logged as slow; -1 logs none, 0 all.
    "slowlog-log-slower-than" ("commandlog-execution-slower-than") slowlog_log_slower_than: i64 = 10_000, Whole(-1, LONG_MAX), Runtime, Active;
    /// Entries the slow log keeps.
    "slowlog-max-len" ("commandlog-slow-execution-max-len") slowlog_max_len: u64 = 128, Whole(0, LONG_MAX), Runtime, Active;
    /// Bytes from which a command's request is logged as large; -1 logs none, 0 all. A setting of Valkey, as the next three.
    "commandlog-request-larger-than" commandlog_request_larger_than: i64 = 1 << 20, Whole(-1, LONG_MAX), Runtime, Active;
    /// Bytes from which a command's reply is logged as large; -1 logs none, 0 all.
    "commandlog-reply-larger-than" commandlog_reply_larger_than: i64 = 1 << 20, Whole(-1, LONG_MAX), Runtime, Active;
    /// Large requests that the command log keeps.
    "commandlog-large-request-max-len" commandlog_large_request_max_len: u64 = 128, Whole(0, LONG_MAX), Runtime, Active;
    /// Large replies that the command log keeps.
    "commandlog-large-reply-max-len" commandlog_large_reply_max_len: u64 = 128, Whole(0, LONG_MAX), Runtime, Active;
    /// Milliseconds from which an event is recorded for `LATENCY`; 0 records none.
    "latency-monitor-threshold" latency_monitor_threshold: i64 = 0, Whole(0, LONG_MAX), Runtime, Active;
    /// Whether the time commands take is recorded.
    "latency-tracking" latency_tracking: bool = true, Any, Runtime, Active;
    /// Percentiles that `INFO latencystats` reports.
    "latency-tracking-info-percentiles" latency_tracking_info_percentiles: Percentiles =
        Percentiles(vec![50.0, 99.0, 99.9]), Any, Runtime, Active;
    /// Milliseconds after which a script no longer keeps others waiting without an answer.
    "busy-reply-threshold" ("lua-time-limit") busy_reply_threshold: i64 = 5000, Whole(0, LONG_MAX), Runtime, Active;

    /// Whether scripts find the functions that later versions of Lua have no more, as of the start.
    "lua-enable-deprecated-api" lua_enable_deprecated_api: bool = false, Any, Hidden, Active;

    // Snapshots.
    /// When to save a snapshot: after so many seconds if there were so many changes.
    "save" save: SavePoints = SavePoints::standard(), Any, Runtime, Active;
    /// Name of the snapshot, in `dir`.
    "dbfilename" dbfilename: Text = "dump.rdb".into(), Checked(file_name_only), Protected, Active;
    /// Whether long texts in snapshots and in the replies of DUMP are compressed.
    "rdbcompression" rdbcompression: bool = true, Any, Runtime, Active;
    /// Whether a snapshot ends with a checksum.
    "rdbchecksum" rdbchecksum: bool = true, Any, Startup, Active;
    /// Version of the format that snapshots are written in: 10 is for Redis 7.0 and later, 11 for 7.2, 12 for 7.4. Fields
    /// with deadlines need 12 and raise it by themselves. A setting of our own.
    "rdb-version" rdb_version: i32 = 10, Whole(10, 12), Runtime, Active;
    /// Whether to try to read files of versions that are not known. A setting of Valkey.
    "rdb-version-check" rdb_version_check: RdbVersionCheck =
        RdbVersionCheck::Strict, Any, Runtime, Inert("all versions that are known are read, of Redis and of Valkey, and no others");
    /// Whether a snapshot is forced to disk bit by bit.
    "rdb-save-incremental-fsync" rdb_save_incremental_fsync: bool = true, Any, Runtime, Active;
    /// Whether snapshots made for replication alone are deleted.
    "rdb-del-sync-files" rdb_del_sync_files: bool = false, Any, Runtime, REPLICATION;
    /// Whether writes fail after a snapshot failed.
    "stop-writes-on-bgsave-error" stop_writes_on_bgsave_error: bool = true, Any, Runtime, Active;
    /// Whether the nodes of streams from outside are checked to their ends; `clients` is for those that clients restore, and
    /// trusts files, the primary and users with `skip-sanitize-payload`. A trusted node that is broken ends the server when it is
    /// read. All other values are always checked. Redis's default is `no`: here a bad payload shall not end the server.
    "sanitize-dump-payload" sanitize_dump_payload: SanitizeDumpPayload = SanitizeDumpPayload::Yes, Any, Runtime, Active;

    // The append-only file.
    /// Whether every write is appended to a file.
    "appendonly" appendonly: bool = false, Any, Runtime, Active;
    /// What append-only files are called.
    "appendfilename" appendfilename: Text = "appendonly.aof".into(), Checked(append_file_name), Startup, Active;
    /// Where they are, in `dir`.
    "appenddirname" appenddirname: Text = "appendonlydir".into(), Checked(append_directory_name), Startup, Active;
    /// When they are forced to disk.
    "appendfsync" appendfsync: AppendFsync = AppendFsync::Everysec, Any, Runtime, Active;
    /// Whether they are not while a child saves.
    "no-appendfsync-on-rewrite" no_appendfsync_on_rewrite: bool = false, Any, Runtime, Active;
    /// Percent of growth at which they are rewritten; 0 means never.
    "auto-aof-rewrite-percentage" auto_aof_rewrite_percentage: i32 = 100, Whole(0, INT_MAX), Runtime, Active;
    /// Bytes below which they are not.
    "auto-aof-rewrite-min-size" auto_aof_rewrite_min_size: i64 = 64 << 20, Memory(0, LONG_MAX), Runtime, Active;
    /// Whether a file with a torn end is loaded up to there.
    "aof-load-truncated" aof_load_truncated: bool = true, Any, Runtime, Active;
    /// Whether a rewritten file starts as a snapshot.
    "aof-use-rdb-preamble" aof_use_rdb_preamble: bool = true, Any, Runtime, Active;
    /// Whether a rewrite is forced to disk bit by bit.
    "aof-rewrite-incremental-fsync" aof_rewrite_incremental_fsync: bool = true, Any, Runtime, Active;
    /// Whether the time is noted in the file.
    "aof-timestamp-enabled" aof_timestamp_enabled: bool = false, Any, Runtime, Active;

    // Replication.
    /// Host and port of the server to be a replica of.
    "replicaof" ("slaveof") replicaof: Primary = Primary::default(), Any, Startup, Active;
    /// User a replica presents to its primary.
    "masteruser" ("primaryuser") masteruser: Text = "".into(), Unset, Runtime, Active;
    /// Password a replica presents to its primary.
    "masterauth" ("primaryauth") masterauth: Text = "".into(), Unset, Runtime, Active;
    /// Whether a replica refuses writes.
    "replica-read-only" ("slave-read-only") replica_read_only: bool = true, Any, Runtime, Active;
    /// Whether a replica answers while it has lost its primary.
    "replica-serve-stale-data" ("slave-serve-stale-data") replica_serve_stale_data: bool =
        true, Any, Runtime, Active;
    /// Which replica Sentinel prefers: the lowest number, 0 never.
    "replica-priority" ("slave-priority") replica_priority: i32 = 100, Whole(0, INT_MAX), Runtime, Active;
    /// Whether Sentinel reports this replica.
    "replica-announced" replica_announced: bool = true, Any, Runtime, Active;
    /// Address a replica says it has.
    "replica-announce-ip" ("slave-announce-ip") replica_announce_ip: Text = "".into(), Unset, Runtime, Active;
    /// Port a replica says it has; 0 is the real one.
    "replica-announce-port" ("slave-announce-port") replica_announce_port: u16 =
        0, Whole(0, PORT_MAX), Runtime, Active;
    /// Whether a replica leaves eviction to its primary.
    "replica-ignore-maxmemory" ("slave-ignore-maxmemory") replica_ignore_maxmemory: bool =
        true, Any, Runtime, Active;
    /// Whether nothing expires or is evicted while another server's data are copied in; `CLIENT IMPORT-SOURCE` lets who does
    /// that see keys that have expired. A setting of Valkey.
    "import-mode" import_mode: bool = false, Any, Runtime, Active;
    /// Whether a replica drops its old data in slices.
    "replica-lazy-flush" ("slave-lazy-flush") replica_lazy_flush: bool = false, Any, Runtime, Inert("old data are always dropped in slices");
    /// Whether a replica goes on when it cannot write to disk.
    "replica-ignore-disk-write-errors" replica_ignore_disk_write_errors: bool = false, Any, Runtime, Inert("what the primary sends is always applied, and an error of the disk logged");
    /// Bytes of history kept for replicas that come back.
    "repl-backlog-size" repl_backlog_size: u64 = 1 << 20, Memory(1, LONG_MAX), Runtime, Active;
    /// Seconds the history is kept without replicas; 0 means for ever.
    "repl-backlog-ttl" repl_backlog_ttl: i64 = 3600, Whole(0, LONG_MAX), Runtime, Active;
    /// Seconds of silence after which a link is considered lost.
    "repl-timeout" repl_timeout: i32 = 60, Whole(1, INT_MAX), Runtime, Active;
    /// Seconds between pings to replicas.
    "repl-ping-replica-period" ("repl-ping-slave-period") repl_ping_replica_period: i32 =
        10, Whole(1, INT_MAX), Runtime, Active;
    /// Whether small packets to replicas are held back to be joined.
    "repl-disable-tcp-nodelay" repl_disable_tcp_nodelay: bool = false, Any, Runtime, Inert("small packets are never held back");
    /// Whether a snapshot goes to replicas without touching the disk.
    "repl-diskless-sync" repl_diskless_sync: bool = true, Any, Runtime, Active;
    /// Seconds to wait for further replicas before sending one.
    "repl-diskless-sync-delay" repl_diskless_sync_delay: i32 = 5, Whole(0, INT_MAX), Runtime, Active;
    /// Replicas at which not to wait longer; 0 means no such number.
    "repl-diskless-sync-max-replicas" repl_diskless_sync_max_replicas: i32 = 0, Whole(0, INT_MAX), Runtime, Active;
    /// Whether a replica loads a snapshot without storing it: it is kept in memory until it is whole.
    "repl-diskless-load" repl_diskless_load: DisklessLoad = DisklessLoad::Disabled, Any, Runtime, Active;
    /// Whether a snapshot comes over a connection of its own. A setting of Valkey.
    "dual-channel-replication-enabled" dual_channel_replication_enabled: bool =
        false, Any, Runtime, Inert("a snapshot and the writes behind it come over one connection");
    /// Replicas that must be connected for writes to be accepted.
    "min-replicas-to-write" ("min-slaves-to-write") min_replicas_to_write: i32 =
        0, Whole(0, INT_MAX), Runtime, Active;
    /// Seconds of silence up to which a replica counts as connected.
    "min-replicas-max-lag" ("min-slaves-max-lag") min_replicas_max_lag: i32 =
        10, Whole(0, INT_MAX), Runtime, Active;
    /// What to do when a replicated command fails.
    "propagation-error-behavior" propagation_error_behavior: PropagationErrorBehavior =
        PropagationErrorBehavior::Ignore, Any, Runtime, Active;

    // TLS.
    /// TCP port for connections under TLS; 0 opens none.
    "tls-port" tls_port: u16 = 0, Whole(0, PORT_MAX), Runtime, Active;
    /// File with the server's certificate and those that vouch for it (PEM).
    "tls-cert-file" tls_cert_file: Text = "".into(), Unset, Runtime, Active;
    /// File with its private key, not encrypted (PEM).
    "tls-key-file" tls_key_file: Text = "".into(), Unset, Runtime, Active;
    /// Password of that key.
    "tls-key-file-pass" tls_key_file_pass: Text = "".into(), Unset, Runtime, TLS_PASSWORDS;
    /// File with a certificate for connections to other servers; the server's own if there is none.
    "tls-client-cert-file" tls_client_cert_file: Text = "".into(), Unset, Runtime, Active;
    /// File with the key of that.
    "tls-client-key-file" tls_client_key_file: Text = "".into(), Unset, Runtime, Active;
    /// Password of that key.
    "tls-client-key-file-pass" tls_client_key_file_pass: Text = "".into(), Unset, Runtime, TLS_PASSWORDS;
    /// Parameters for Diffie-Hellman.
    "tls-dh-params-file" tls_dh_params_file: Text = "".into(), Unset, Runtime, TLS_GROUPS;
    /// File with the certificates that vouch for those of peers.
    "tls-ca-cert-file" tls_ca_cert_file: Text = "".into(), Unset, Runtime, Active;
    /// Directory of such files, by any names.
    "tls-ca-cert-dir" tls_ca_cert_dir: Text = "".into(), Unset, Runtime, Active;
    /// Whether clients under TLS must present a certificate.
    "tls-auth-clients" tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes, Any, Runtime, Active;
    /// Whether a replica uses TLS to its primary.
    "tls-replication" tls_replication: bool = false, Any, Runtime, Active;
    /// Whether MIGRATE uses TLS to its target.
    "tls-cluster" tls_cluster: bool = false, Any, Runtime, Active;
    /// Versions of TLS that are allowed: of TLSv1.2 and TLSv1.3, those named; both if empty.
    "tls-protocols" tls_protocols: Text = "".into(), Unset, Runtime, Active;
    /// Ciphers of TLS 1.2, as OpenSSL writes such lists.
    "tls-ciphers" tls_ciphers: Text = "".into(), Unset, Runtime, Active;
    /// Ciphers of TLS 1.3, by the names OpenSSL has for them.
    "tls-ciphersuites" tls_ciphersuites: Text = "".into(), Unset, Runtime, Active;
    /// Whether the server's order of ciphers counts.
    "tls-prefer-server-ciphers" tls_prefer_server_ciphers: bool = false, Any, Runtime, Active;
    /// Whether sessions are resumed.
    "tls-session-caching" tls_session_caching: bool = true, Any, Runtime, Active;
    /// Sessions kept for that; 0 means as many as there may be, which is 131072.
    "tls-session-cache-size" tls_session_cache_size: i32 = 20_480, Whole(0, INT_MAX), Runtime, Active;
    /// Seconds they are kept.
    "tls-session-cache-timeout" tls_session_cache_timeout: i32 = 300, Whole(0, INT_MAX), Runtime, TLS_SESSIONS;

    // Cluster.
    /// Whether the server is a node of a cluster.
    "cluster-enabled" cluster_enabled: bool = false, Any, Startup, CLUSTER;
    /// File in which a node keeps what it knows of the cluster.
    "cluster-config-file" cluster_config_file: Text = "nodes.conf".into(), Any, Startup, CLUSTER;
    /// Port of the cluster bus; 0 is 10000 above `port`.
    "cluster-port" cluster_port: u16 = 0, Whole(0, PORT_MAX), Startup, CLUSTER;
    /// Milliseconds of silence after which a node is taken for failed.
    "cluster-node-timeout" cluster_node_timeout: i64 = 15_000, Whole(0, LONG_MAX), Runtime, CLUSTER;
    /// Milliseconds between pings on the cluster bus.
    "cluster-ping-interval" cluster_ping_interval: i64 = 0, Whole(0, LONG_MAX), Hidden, CLUSTER;
    /// Replicas a primary keeps before one may move to another.
    "cluster-migration-barrier" cluster_migration_barrier: i32 = 1, Whole(0, INT_MAX), Runtime, CLUSTER;
    /// How stale a replica may be and still take over.
    "cluster-replica-validity-factor" ("cluster-slave-validity-factor") cluster_replica_validity_factor: i32 =
        10, Whole(0, INT_MAX), Runtime, CLUSTER;
    /// Whether a replica never takes over by itself.
    "cluster-replica-no-failover" ("cluster-slave-no-failover") cluster_replica_no_failover: bool =
        false, Any, Runtime, CLUSTER;
    /// Whether all slots must be served for any to be.
    "cluster-require-full-coverage" cluster_require_full_coverage: bool = true, Any, Runtime, CLUSTER;
    /// Whether reads are answered while the cluster is down.
    "cluster-allow-reads-when-down" cluster_allow_reads_when_down: bool = false, Any, Runtime, CLUSTER;
    /// Whether sharded Pub/Sub works while the cluster is down.
    "cluster-allow-pubsubshard-when-down" cluster_allow_pubsubshard_when_down: bool = true, Any, Runtime, CLUSTER;
    /// Whether replicas move to primaries that have none.
    "cluster-allow-replica-migration" cluster_allow_replica_migration: bool = true, Any, Runtime, CLUSTER;
    /// Bytes waiting on a link of the bus at which it is closed; 0 means no limit.
    "cluster-link-sendbuf-limit" cluster_link_sendbuf_limit: u64 = 0, Memory(0, u64::MAX as i128), Runtime, CLUSTER;
    /// Address a node says it has.
    "cluster-announce-ip" cluster_announce_ip: Text = "".into(), Unset, Runtime, CLUSTER;
    /// Port a node says it has.
    "cluster-announce-port" cluster_announce_port: u16 = 0, Whole(0, PORT_MAX), Runtime, CLUSTER;
    /// TLS port a node says it has.
    "cluster-announce-tls-port" cluster_announce_tls_port: u16 = 0, Whole(0, PORT_MAX), Runtime, CLUSTER;
    /// Port of the bus a node says it has.
    "cluster-announce-bus-port" cluster_announce_bus_port: u16 = 0, Whole(0, PORT_MAX), Runtime, CLUSTER;
    /// Host name a node says it has.
    "cluster-announce-hostname" cluster_announce_hostname: Text =
        "".into(), UnsetOrChecked(host_name), Runtime, CLUSTER;
    /// Name of a node in messages for people.
    "cluster-announce-human-nodename" cluster_announce_human_nodename: Text =
        "".into(), UnsetOrChecked(node_name), Runtime, CLUSTER;
    /// How redirections name a node.
    "cluster-preferred-endpoint-type" cluster_preferred_endpoint_type: ClusterEndpointType =
        ClusterEndpointType::Ip, Any, Runtime, CLUSTER;

    // Aids to testing that `CONFIG GET` shows only by their exact names.
    /// Whether old append-only files are left in place.
    "aof-disable-auto-gc" aof_disable_auto_gc: bool = false, Any, Hidden, Active;
    /// Microseconds to wait after each key loaded.
    "key-load-delay" key_load_delay: i32 = 0, Whole(i32::MIN as i128, INT_MAX), Hidden, Active;
    /// Microseconds to wait after each key saved.
    "rdb-key-save-delay" rdb_key_save_delay: i32 = 0, Whole(i32::MIN as i128, INT_MAX), Hidden, Active;
    /// Bytes loaded between looking at clients.
    "loading-process-events-interval-bytes" loading_process_events_interval_bytes: i64 =
        2 << 20, Whole(1024, INT_MAX), Hidden, TEST_AID;
    /// Whether a panic exits with status 1 instead of aborting.
    "use-exit-on-panic" use_exit_on_panic: bool = false, Any, Hidden, Active;
    /// Milliseconds after which a stuck command is reported; 0 means never.
    "watchdog-period" watchdog_period: i32 = 0, Whole(0, INT_MAX), Hidden, TEST_AID;
}

/// A snapshot's name must not lead out of the working directory.
fn file_name_only(text: &[u8]) -> Result<(), &'static str> {
    if text.contains(&b'/') {
        Err("dbfilename can't be a path, just a filename")
    } else {
        Ok(())
    }
}

fn append_file_name(text: &[u8]) -> Result<(), &'static str> {
    match text {
        [] => Err("appendfilename can't be empty"),
        _ if text.contains(&b'/') => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

fn append_directory_name(text: &[u8]) -> Result<(), &'static str> {
    match text {
        [] => Err("appenddirname can't be empty"),
        _ if text.contains(&b'/') => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

fn host_name(text: &[u8]) -> Result<(), &'static str> {
    /// The longest name of a node, in bytes.
    const MAX: usize = 255;
    if text.len() > MAX {
        return Err("Hostnames must be less than 256 characters");
    }
    if text
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    {
        return Ok(());
    }
    Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
}

/// Collation follows bytes, so only the locales that do are known.
fn byte_locale(text: &[u8]) -> Result<(), &'static str> {
    let known: [&[u8]; 4] = [b"", b"C", b"POSIX", b"C.UTF-8"];
    if known.contains(&text) {
        Ok(())
    } else {
        Err("Invalid locale name")
    }
}

/// A process title must not come out empty and may name only known variables. `{{` stands for a brace.
fn title_template(text: &[u8]) -> Result<(), &'static str> {
    const INVALID: &str = "template format is invalid or contains unknown variables";
    /// Variables that always have a value; the others may be empty.
    const FILLED: [&[u8]; 4] = [b"listen-addr", b"server-mode", b"port", b"tls-port"];
    const OTHERS: [&[u8]; 3] = [b"title", b"config-file", b"unixsocket"];
    let mut says_something = false;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'{' {
            says_something = true;
            continue;
        }
        if let Some(after) = rest.strip_prefix(b"{") {
            says_something = true;
            rest = after;
            continue;
        }
        let end = rest.iter().position(|&b| b == b'}').ok_or(INVALID)?;
        let variable = &rest[..end];
        if !FILLED.contains(&variable) && !OTHERS.contains(&variable) {
            return Err(INVALID);
        }
        says_something |= FILLED.contains(&variable);
        rest = &rest[end + 1..];
    }
    if says_something { Ok(()) } else { Err(INVALID) }
}

/// A node's name stands among other marks in the cluster's file, so these are kept out of it.
fn node_name(text: &[u8]) -> Result<(), &'static str> {
    let mark = |b: &u8| b"!#$%&()*+;<>?@[]^{|}~".contains(b);
    if text.iter().any(mark) {
        Err("Announced human node name contained invalid character")
    } else {
        Ok(())
    }
}
