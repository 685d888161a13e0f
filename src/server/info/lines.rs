//! The lines of INFO whose number depends on what happened: a line a command, an error code, a database.

use std::fmt::Write;

use super::View;
use crate::commands::table::{self, CommandSpec};
use crate::config::compound::format_percentile;
use crate::server::append_only::State;
use crate::server::stats::CommandStats;
use crate::timer::Millis;

// Writing to a String cannot fail, so the results of `write!` are dropped throughout.

/// How long a shutdown will wait, if one does, and the addresses listened on, one line a kind of socket.
pub fn listeners(view: &View<'_>, out: &mut String) {
    if let Some(left) = view.core.shutdown_in() {
        let _ = write!(out, "shutdown_in_milliseconds:{left}\r\n");
    }
    let settings = &view.core.settings;
    let addresses = settings.bind.0.iter().map(|address| format!(",bind={address}"));
    let addresses: String = addresses.collect();
    if settings.port != 0 {
        let _ = write!(out, "listener0:name=tcp{addresses},port={}\r\n", settings.port);
    }
    if !settings.unixsocket.is_empty() {
        let _ = write!(out, "listener1:name=unix,bind={}\r\n", settings.unixsocket);
    }
    if settings.tls_port != 0 {
        let _ = write!(out, "listener2:name=tls{addresses},port={}\r\n", settings.tls_port);
    }
}

/// What is told of the append-only file while there is one, and of loading while it goes on.
pub fn persistence(view: &View<'_>, out: &mut String) {
    append_only(view, out);
    loading(view, out);
}

/// What a replica tells of its primary.
pub fn primary(view: &View<'_>, out: &mut String) {
    let core = view.core;
    let Some(link) = &core.replication.link else { return };
    let now = core.monotonic;
    let ago = |past: Millis| now.since(past).max(0) / 1000;
    let (status, heard) = match link.is_up() {
        true => ("up", ago(link.heard)),
        false => ("down", -1),
    };
    let offset = core.propagation.offset;
    let read = offset + link.unapplied() as u64;
    let _ = write!(
        out,
        "master_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{status}\r\nmaster_last_io_seconds_ago:{heard}\r\n\
         master_sync_in_progress:{}\r\nslave_read_repl_offset:{read}\r\nslave_repl_offset:{offset}\r\n",
        link.address.host,
        link.address.port,
        u8::from(link.is_syncing()),
    );
    if link.is_syncing() {
        let (total, received) = link
            .transfer()
            .map_or((None, 0), |transfer| (transfer.total, transfer.received));
        let known = total.unwrap_or(0);
        let percent = 100.0 * received as f64 / known.max(1) as f64;
        let _ = write!(
            out,
            "master_sync_total_bytes:{}\r\nmaster_sync_read_bytes:{received}\r\nmaster_sync_left_bytes:{}\r\n\
             master_sync_perc:{:.2}\r\nmaster_sync_last_io_seconds_ago:{}\r\n",
            total.map_or(0, |total| total as i64),
            known as i64 - received as i64,
            if total.is_some() { percent } else { 0.0 },
            ago(link.heard),
        );
    }
    if !link.is_up() {
        let _ = write!(out, "master_link_down_since_seconds:{}\r\n", ago(link.down_since));
    }
    let settings = &core.settings;
    let _ = write!(
        out,
        "slave_priority:{}\r\nslave_read_only:{}\r\nreplica_announced:{}\r\n",
        settings.replica_priority,
        u8::from(settings.replica_read_only),
        u8::from(settings.replica_announced)
    );
}

/// A line for each replica.
pub fn replicas(view: &View<'_>, out: &mut String) {
    if let Some(good) = view.core.good_replicas() {
        let _ = write!(out, "min_slaves_good_slaves:{good}\r\n");
    }
    for (number, replica) in view.core.replica_lines().iter().enumerate() {
        let (ip, port, state) = (&replica.ip, replica.port, replica.state);
        let (offset, lag) = (replica.acked, replica.lag);
        let _ = write!(
            out,
            "slave{number}:ip={ip},port={port},state={state},offset={offset},lag={lag}\r\n"
        );
    }
}

fn append_only(view: &View<'_>, out: &mut String) {
    let log = &view.core.append_only;
    if log.state == State::Off {
        return;
    }
    let _ = write!(
        out,
        "aof_current_size:{}\r\naof_base_size:{}\r\naof_pending_rewrite:{}\r\naof_buffer_length:{}\r\n\
         aof_pending_bio_fsync:{}\r\naof_delayed_fsync:{}\r\n",
        log.size,
        log.base_size,
        u8::from(log.is_scheduled),
        log.pending.len(),
        u8::from(log.is_syncing),
        log.delayed
    );
}

fn loading(view: &View<'_>, out: &mut String) {
    let Some(loading) = &view.core.loading else { return };
    let (total, loaded) = (loading.total(), loading.loaded());
    let (_, left) = loading.seconds(view.core.monotonic);
    let percent = 100.0 * loaded as f64 / total.max(1) as f64;
    let _ = write!(
        out,
        "loading_start_time:{}\r\nloading_total_bytes:{total}\r\nloading_rdb_used_mem:{}\r\n\
         loading_loaded_bytes:{loaded}\r\nloading_loaded_perc:{percent:.2}\r\nloading_eta_seconds:{left}\r\n",
        loading.started.as_secs(),
        loading.memory_then()
    );
}

/// What each command that was asked for has cost.
pub fn command_stats(view: &View<'_>, out: &mut String) {
    for (spec, stats) in by_command(view) {
        if stats.calls + stats.rejected + stats.failed == 0 {
            continue;
        }
        let micros = stats.nanos / 1000;
        let each = micros as f64 / stats.calls.max(1) as f64;
        let _ = write!(
            out,
            "cmdstat_{}:calls={},usec={micros},usec_per_call={each:.2},rejected_calls={},failed_calls={}\r\n",
            spec.name, stats.calls, stats.rejected, stats.failed
        );
    }
}

/// Error replies by code, in the codes' order.
pub fn error_stats(view: &View<'_>, out: &mut String) {
    for (code, count) in &view.core.error_stats {
        let _ = write!(out, "errorstat_{code}:count={count}\r\n");
    }
}

/// The percentiles that `latency-tracking-info-percentiles` asks for, in microseconds.
pub fn latency_stats(view: &View<'_>, out: &mut String) {
    let settings = &view.core.settings;
    if !settings.latency_tracking {
        return;
    }
    for (spec, stats) in by_command(view) {
        let Some(histogram) = &stats.latency else { continue };
        let percentiles = settings.latency_tracking_info_percentiles.0.iter().map(|&percentile| {
            let micros = histogram.percentile(percentile) as f64 / 1000.0;
            format!("p{}={micros:.3}", format_percentile(percentile))
        });
        let percentiles: Vec<_> = percentiles.collect();
        let _ = write!(
            out,
            "latency_percentiles_usec_{}:{}\r\n",
            spec.name,
            percentiles.join(",")
        );
    }
}

/// The databases that have keys.
pub fn databases(view: &View<'_>, out: &mut String) {
    let now = view.core.now();
    for (index, db) in view.core.keyspace.databases().filter(|(_, db)| !db.is_empty()) {
        let (keys, expires, ttl) = (db.len(), db.volatile(), db.average_ttl(now));
        let timed = db.timed();
        let _ = write!(
            out,
            "db{index}:keys={keys},expires={expires},avg_ttl={ttl},subexpiry={timed}\r\n"
        );
    }
}

fn by_command<'a>(view: &'a View<'_>) -> impl Iterator<Item = (&'static CommandSpec, &'a CommandStats)> {
    table::all().iter().zip(&view.core.command_stats)
}
