//! MEMORY: what keys cost, where the rest goes, and what to do about it.
//!
//! The allocator counts every byte it hands out, so the figures are sums of real size classes and not estimates.

use std::fmt::Write;

use super::expiry::syntax_error;
use super::handlers::Family;
use super::table::help;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::info::figures::{Figures, human};
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("memory|doctor", doctor),
    ("memory|help", help),
    ("memory|malloc-stats", malloc_stats),
    ("memory|purge", purge),
    ("memory|stats", stats),
    ("memory|usage", usage),
];

/// MEMORY USAGE key [SAMPLES count]
///
/// SAMPLES is checked and otherwise ignored: values know what they cost, so nothing has to be estimated from samples.
fn usage(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut at = 3;
    while let Some(option) = args.get(at) {
        let Some(count) = args.get(at + 1).filter(|_| option.eq_ignore_ascii_case(b"samples")) else {
            return syntax_error();
        };
        if integer(count)? < 0 {
            return syntax_error();
        }
        at += 2;
    }
    let key = ctx.key(&args, 2);
    match ctx.core.peek(ctx.database, key) {
        Some(entry) => ctx.reply.len(entry.memory()),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// One line of MEMORY STATS.
enum Statistic {
    Bytes(i64),
    Ratio(f64),
}

/// MEMORY STATS
fn stats(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let figures = Figures::measure(ctx.core);
    let (before, after) = (before_databases(&figures), after_databases(&figures));
    ctx.reply.map(before.len() + figures.databases.len() + after.len());
    reply_statistics(ctx.reply, &before);
    for (index, bytes) in &figures.databases {
        ctx.reply.bulk(format!("db.{index}"));
        ctx.reply.map(3);
        for (name, bytes) in [
            ("overhead.hashtable.main", bytes.table),
            ("overhead.hashtable.expires", bytes.wheel),
            ("overhead.hashtable.slot-to-keys", 0),
        ] {
            ctx.reply.bulk(name);
            ctx.reply.len(bytes);
        }
    }
    reply_statistics(ctx.reply, &after);
    Ok(())
}

fn reply_statistics(reply: &mut Reply, statistics: &[(&str, Statistic)]) {
    for (name, statistic) in statistics {
        reply.bulk(name);
        match *statistic {
            Statistic::Bytes(bytes) => reply.int(bytes),
            // Redis computes these in single precision, which shows in the digits.
            Statistic::Ratio(ratio) => reply.double(f64::from(ratio as f32)),
        }
    }
}

fn before_databases(figures: &Figures) -> Vec<(&'static str, Statistic)> {
    let bytes = |bytes: usize| Statistic::Bytes(bytes as i64);
    vec![
        ("peak.allocated", bytes(figures.peak)),
        ("total.allocated", bytes(figures.used)),
        ("startup.allocated", bytes(figures.startup)),
        ("replication.backlog", bytes(figures.backlog)),
        ("clients.slaves", bytes(figures.replicas)),
        ("clients.normal", bytes(figures.clients)),
        ("cluster.links", bytes(0)),
        ("aof.buffer", bytes(figures.log)),
        ("lua.caches", bytes(0)),
        ("functions.caches", bytes(0)),
    ]
}

fn after_databases(figures: &Figures) -> Vec<(&'static str, Statistic)> {
    let bytes = |bytes: usize| Statistic::Bytes(bytes as i64);
    let (fragmentation, allocator_rss) = (figures.allocator_fragmentation(), figures.allocator_rss());
    let (rss_overhead, total) = (figures.rss_overhead(), figures.fragmentation());
    vec![
        ("overhead.total", bytes(figures.overhead())),
        ("keys.count", bytes(figures.keys)),
        ("keys.bytes-per-key", bytes(figures.bytes_per_key())),
        ("dataset.bytes", bytes(figures.dataset())),
        ("dataset.percentage", Statistic::Ratio(figures.dataset_percent())),
        ("peak.percentage", Statistic::Ratio(figures.peak_percent())),
        ("allocator.allocated", bytes(figures.allocator.allocated)),
        ("allocator.active", bytes(figures.allocator.active)),
        ("allocator.resident", bytes(figures.allocator.resident)),
        ("allocator-fragmentation.ratio", Statistic::Ratio(fragmentation.ratio)),
        ("allocator-fragmentation.bytes", Statistic::Bytes(fragmentation.bytes)),
        ("allocator-rss.ratio", Statistic::Ratio(allocator_rss.ratio)),
        ("allocator-rss.bytes", Statistic::Bytes(allocator_rss.bytes)),
        ("rss-overhead.ratio", Statistic::Ratio(rss_overhead.ratio)),
        ("rss-overhead.bytes", Statistic::Bytes(rss_overhead.bytes)),
        ("fragmentation", Statistic::Ratio(total.ratio)),
        ("fragmentation.bytes", Statistic::Bytes(total.bytes)),
    ]
}

/// Below this many bytes in use, ratios say nothing.
const WORTH_A_LOOK: usize = 5 << 20;
/// Ratios beyond these are remarked on, if they cost more than [`WORTH_A_CURE`] bytes.
const HIGH_PEAK: f64 = 1.5;
const HIGH_FRAGMENTATION: f64 = 1.4;
const WORTH_A_CURE: i64 = 10 << 20;
/// Bytes of buffers a client may have on average.
const LARGE_CLIENT: usize = 200 << 10;

/// MEMORY DOCTOR
fn doctor(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let figures = Figures::measure(ctx.core);
    let text = diagnosis(&figures, ctx.core.session_count());
    ctx.reply.verbatim("txt", text);
    Ok(())
}

fn diagnosis(figures: &Figures, clients: usize) -> String {
    if figures.used < WORTH_A_LOOK {
        let used = human(figures.used as u64);
        return format!("Only {used} are in use. That is too little to tell anything from; ask again with data.\n");
    }
    let findings = findings(figures, clients);
    if findings.is_empty() {
        return "Nothing about the use of memory looks wrong.\n".into();
    }
    let mut out = String::from("Some figures are worth a look:\n");
    for finding in findings {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n* {finding}\n");
    }
    out
}

fn findings(figures: &Figures, clients: usize) -> Vec<String> {
    let mut findings = Vec::new();
    if figures.peak as f64 > figures.used as f64 * HIGH_PEAK {
        let (peak, used) = (human(figures.peak as u64), human(figures.used as u64));
        findings.push(format!(
            "Peak: {peak} were in use once, {used} are now. The allocator may still hold what was freed, which makes \
             the fragmentation ratio look bad; MEMORY PURGE gives it back."
        ));
    }
    let excesses = [
        (
            figures.allocator_fragmentation(),
            "Allocator fragmentation: pages are partly empty, mostly after many deletions among keys of other sizes. \
             New data fills them; a restart from saved data does away with them.",
        ),
        (
            figures.allocator_rss(),
            "Unused pages: the allocator keeps pages that hold nothing. MEMORY PURGE gives them back.",
        ),
        (
            figures.rss_overhead(),
            "Process overhead: much resident memory is not the allocator's. Look at what else the process maps.",
        ),
    ];
    for (excess, advice) in excesses {
        if excess.ratio > HIGH_FRAGMENTATION && excess.bytes > WORTH_A_CURE {
            let bytes = human(excess.bytes as u64);
            findings.push(format!("{advice} (ratio {:.2}, {bytes})", excess.ratio));
        }
    }
    if figures.clients / clients.max(1) > LARGE_CLIENT {
        let bytes = human(figures.clients as u64);
        findings.push(format!(
            "Client buffers: {bytes} for {clients} clients. Some send faster than they read, or send very large \
             requests; CLIENT LIST shows which, and client-output-buffer-limit bounds them."
        ));
    }
    findings
}

/// MEMORY MALLOC-STATS
fn malloc_stats(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.verbatim("txt", crate::memory::allocator_report());
    Ok(())
}

/// MEMORY PURGE
fn purge(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    crate::memory::purge();
    ctx.reply.ok();
    Ok(())
}

/// MEMORY HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help::help(args.at(0), "memory", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::AllocatorStats;

    #[test]
    fn the_doctor_remarks_on_what_stands_out() {
        let mib = |count: usize| count << 20;
        let mut figures = Figures {
            used: mib(100),
            peak: mib(110),
            rss: mib(125),
            clients: 4096,
            allocator: AllocatorStats {
                allocated: mib(100),
                active: mib(105),
                resident: mib(120),
            },
            ..Figures::default()
        };
        assert!(findings(&figures, 2).is_empty());
        figures.allocator.active = mib(150);
        figures.peak = mib(400);
        figures.clients = mib(2);
        let found = findings(&figures, 2);
        let topics: Vec<_> = found.iter().filter_map(|text| text.split(':').next()).collect();
        assert_eq!(topics, ["Peak", "Allocator fragmentation", "Client buffers"]);
        assert!(diagnosis(&Figures::default(), 1).starts_with("Only 0B"));
    }
}
