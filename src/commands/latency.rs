//! LATENCY: spikes that the latency monitor recorded, and how the run times of commands are distributed.

use std::fmt::Write;

use super::handlers::Family;
use super::table::{self, CommandSpec, help, is_visible};
use crate::format::sparkline::{Point, sparkline};
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::core::Core;
use crate::server::latency::Spikes;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("latency|doctor", doctor),
    ("latency|graph", graph),
    ("latency|help", help),
    ("latency|histogram", histogram),
    ("latency|history", history),
    ("latency|latest", latest),
    ("latency|reset", reset),
];

/// LATENCY LATEST
fn latest(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let events = ctx.core.latency.iter();
    ctx.reply.array(events.len());
    for (event, spikes) in events {
        let (second, millis) = spikes.samples.back().copied().unwrap_or_default();
        ctx.reply.array(4);
        ctx.reply.bulk(event);
        ctx.reply.int(second);
        ctx.reply.int(millis as i64);
        ctx.reply.int(spikes.max as i64);
    }
    Ok(())
}

/// LATENCY HISTORY event
fn history(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some((_, spikes)) = ctx.core.latency.get(args.at(2)) else {
        ctx.reply.array(0);
        return Ok(());
    };
    ctx.reply.array(spikes.samples.len());
    for &(second, millis) in &spikes.samples {
        ctx.reply.array(2);
        ctx.reply.int(second);
        ctx.reply.int(millis as i64);
    }
    Ok(())
}

/// LATENCY RESET [event [event ...]]
fn reset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = ctx.core.latency.reset(&args.from(2).to_vec());
    ctx.reply.len(count);
    Ok(())
}

/// LATENCY GRAPH event
fn graph(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some((event, spikes)) = ctx.core.latency.get(args.at(2)) else {
        let error = [b"ERR No samples available for event '", args.at(2), b"'"].concat();
        return Err(error.into());
    };
    let text = draw(event, spikes, ctx.core.now().as_secs());
    ctx.reply.verbatim("txt", text);
    Ok(())
}

/// Columns of a graph; more samples go to a second one below.
const COLUMNS: usize = 80;
/// Lines of a graph without its labels.
const ROWS: usize = 4;

fn draw(event: &str, spikes: &Spikes, now: i64) -> String {
    let points = spikes.samples.iter().map(|&(second, millis)| Point {
        value: millis,
        label: age(now - second),
    });
    let points: Vec<Point> = points.collect();
    let values = || points.iter().map(|point| point.value);
    let (high, low) = (values().max().unwrap_or(0), values().min().unwrap_or(0));
    let max = spikes.max;
    let rule = "-".repeat(COLUMNS);
    let chart = sparkline(&points, COLUMNS, ROWS);
    format!("{event} - high {high} ms, low {low} ms (all time high {max} ms)\n{rule}\n{chart}")
}

/// How long ago something was, in the largest unit of which there is at least one.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        86400.. => format!("{}d", seconds / 86400),
    }
}

/// LATENCY HISTOGRAM [command [command ...]]
///
/// A container stands for its subcommands; names that are no command's are passed over.
fn histogram(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let named = args.from(2);
    let core = &*ctx.core;
    ctx.reply.deferred(Reply::map, |reply| {
        if named.len() == 0 {
            return table::all()
                .iter()
                .filter(|spec| reply_histogram(reply, core, spec))
                .count();
        }
        let specs = named
            .iter()
            .filter_map(table::lookup_full)
            .filter(|spec| is_visible(spec));
        let with_subcommands = specs.flat_map(|spec| std::iter::once(spec).chain(spec.subcommands()));
        with_subcommands
            .filter(|spec| reply_histogram(reply, core, spec))
            .count()
    });
    Ok(())
}

/// Writes a command's distribution; false if it has none.
fn reply_histogram(reply: &mut Reply, core: &Core, spec: &CommandSpec) -> bool {
    let Some(histogram) = &core.command_stats[usize::from(spec.id)].latency else {
        return false;
    };
    reply.bulk(spec.name);
    reply.map(2);
    reply.bulk("calls");
    reply.int(histogram.count() as i64);
    reply.bulk("histogram_usec");
    let buckets = histogram.by_doubling_micros();
    reply.map(buckets.len());
    for (micros, calls) in buckets {
        reply.int(micros as i64);
        reply.int(calls as i64);
    }
    true
}

/// LATENCY DOCTOR
fn doctor(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let text = diagnosis(ctx.core);
    ctx.reply.verbatim("txt", text);
    Ok(())
}

fn diagnosis(core: &Core) -> String {
    let threshold = core.settings.latency_monitor_threshold;
    if core.latency.iter().len() == 0 {
        return match threshold {
            0 => {
                "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n".into()
            }
            _ => format!("No command or event has taken {threshold} ms or longer so far.\n"),
        };
    }
    let mut out = String::from("Latency spikes were recorded:\n\n");
    for (number, (event, spikes)) in (1..).zip(core.latency.iter()) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{number}. {event}: {}", Summary::of(spikes));
    }
    out.push_str("\nWhat may help:\n\n");
    for advice in advice(core) {
        let _ = writeln!(out, "- {advice}");
    }
    out
}

/// What stands out of an event's spikes.
struct Summary {
    count: usize,
    average: u64,
    /// The mean distance from the average.
    deviation: u64,
    /// Seconds from one spike to the next, on average.
    period: f64,
    worst: u64,
}

impl Summary {
    fn of(spikes: &Spikes) -> Summary {
        let count = spikes.samples.len();
        let divisor = count.max(1) as u64;
        let values = || spikes.samples.iter().map(|&(_, millis)| millis);
        let average = values().sum::<u64>() / divisor;
        let first = spikes.samples.front().map_or(0, |sample| sample.0);
        let last = spikes.samples.back().map_or(0, |sample| sample.0);
        Summary {
            count,
            average,
            deviation: values().map(|millis| millis.abs_diff(average)).sum::<u64>() / divisor,
            period: (last - first) as f64 / count.saturating_sub(1).max(1) as f64,
            worst: spikes.max,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary {
            count,
            average,
            deviation,
            period,
            worst,
        } = self;
        match count {
            1 => write!(f, "1 spike of {average} ms")?,
            _ => write!(
                f,
                "{count} spikes, one in {period:.2} s, of {average} ms on average (mean deviation {deviation} ms)"
            )?,
        }
        write!(f, "; the worst ever took {worst} ms.")
    }
}

fn advice(core: &Core) -> Vec<String> {
    let settings = &core.settings;
    let threshold_micros = settings.latency_monitor_threshold.saturating_mul(1000);
    let (limit, saw) = (settings.slowlog_log_slower_than, |event: &[u8]| {
        core.latency.get(event).is_some()
    });
    let mut advice = Vec::new();
    if limit < 0 || settings.slowlog_max_len == 0 {
        advice.push("The slow log is off, so the commands that were slow are not known. Turn it on.".into());
    } else if limit > threshold_micros && threshold_micros > 0 {
        advice.push(format!(
            "Commands are recorded here sooner than in the slow log. CONFIG SET slowlog-log-slower-than \
             {threshold_micros} makes both record the same."
        ));
    }
    if saw(b"command") {
        advice.push("SLOWLOG GET shows the commands that were slow; all others waited for them.".into());
        advice.push("Commands over whole collections (KEYS, SMEMBERS, SORT, large ranges) have counterparts that work in steps: the SCAN family, and ranges with limits.".into());
    }
    if saw(b"fast-command") {
        advice.push(
            "Even simple commands were slow. That points at the machine: swapping, a busy processor, or a virtual \
             machine that is not scheduled."
                .into(),
        );
    }
    advice
}

/// LATENCY HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help::help(args.at(0), "latency", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_show_height_and_age() {
        let spikes = Spikes {
            samples: [(999, 1050), (1000, 1300)].into(),
            max: 1300,
        };
        let rule = "-".repeat(80);
        assert_eq!(
            draw("command", &spikes, 1000),
            format!(
                "command - high 1300 ms, low 1050 ms (all time high 1300 ms)\n{rule}\n #\n |\n |\n_|\n  \n10\nss\n"
            )
        );
        let ages = [(59, "59s"), (60, "1m"), (7200, "2h"), (90_000, "1d")];
        ages.into_iter()
            .for_each(|(seconds, want)| assert_eq!(age(seconds), want));
    }

    #[test]
    fn a_summary_tells_average_spread_and_period() {
        let spikes = Spikes {
            samples: [(100, 10), (104, 30), (110, 20)].into(),
            max: 50,
        };
        assert_eq!(
            Summary::of(&spikes).to_string(),
            "3 spikes, one in 5.00 s, of 20 ms on average (mean deviation 6 ms); the worst ever took 50 ms."
        );
    }
}
