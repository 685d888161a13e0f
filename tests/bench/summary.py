"""From raw samples to figures and tables. Everything printed or drawn is computed here, from the JSON alone."""

import statistics
from dataclasses import dataclass

import expiry
import memory
import servers
import stalls
import throughput

MISSING = "-"


@dataclass(frozen=True)
class Table:
    """`key` marks its place in docs/benchmarks.md."""

    key: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    words: int = 1  # how many columns, from the left, hold words and not figures

    def as_text(self):
        widths = [max(len(row[column]) for row in [self.columns, *self.rows]) for column in range(len(self.columns))]
        lines = [self.title]
        for row in [self.columns, *self.rows]:
            padded = [cell.ljust(width) for cell, width in zip(row[: self.words], widths)]
            padded += [cell.rjust(width) for cell, width in zip(row[self.words :], widths[self.words :])]
            lines.append("  ".join(padded).rstrip())
        return "\n".join(lines)

    def as_markdown(self):
        rule = ["---"] * self.words + ["---:"] * (len(self.columns) - self.words)
        return "\n".join("| " + " | ".join(row) + " |" for row in [self.columns, rule, *self.rows])


def server_names(results):
    """The servers compared, in the order given; the floor is not one of them."""
    return [server["name"] for server in results["servers"]]


def values(samples, row, figure):
    """Group samples as {row: {server: [figure of each sample]}}, rows in the order they were measured."""
    table = {}
    for sample in samples:
        table.setdefault(sample[row], {}).setdefault(sample["server"], []).append(figure(sample))
    return table


def medians(table):
    return {row: {server: statistics.median(each) for server, each in by.items()} for row, by in table.items()}


def cpu_per_request(results):
    """Microseconds of server CPU, {workload: {server or floor: [one a round]}}."""
    return values(results[throughput.SECTION], "workload", lambda sample: sample["cpu_us"])


def own_cost(results):
    """CPU per request less the floor's of the same round, in microseconds; empty without a floor."""
    samples = results[throughput.SECTION]
    floor = {(s["workload"], s["round"]): s["cpu_us"] for s in samples if s["server"] == servers.FLOOR}
    comparable = [s for s in samples if s["server"] != servers.FLOOR and (s["workload"], s["round"]) in floor]
    return values(comparable, "workload", lambda s: s["cpu_us"] - floor[s["workload"], s["round"]])


def bytes_per_element(results):
    def figure(sample):
        return (sample["bytes_after"] - sample["bytes_before"]) / sample["elements"]

    return values(results[memory.SECTION], "dataset", figure)


def longest_waits(results):
    """Milliseconds, {event: {server: [one a sample]}}."""
    return values(results[stalls.SECTION], "event", lambda sample: sample["max_ms"])


def expiry_p99(results):
    """Milliseconds, {background: {server: [lag]}}; the whole wait where over one in a hundred never came."""
    return values(results[expiry.SECTION], "background", lambda sample: _lag(sample, 0.99) or 1000 * sample["wait_s"])


def tables(results):
    """Every table there are samples for."""
    built = [
        _figure_table("own-cost", "own cost: server CPU per request above the floor, us", results, own_cost(results)),
        _figure_table("cpu", "server CPU per request, us", results, cpu_per_request(results), with_floor=True),
        _throughput_table(results),
        _latency_table(results),
        _memory_table(results),
        _stall_table(results),
        _expiry_table(results),
    ]
    return [table for table in built if table.rows]


def machine_facts(results):
    """(what, value) pairs: where, when and with what the figures were measured."""
    machine = results["machine"]
    facts = [
        ("measured", f"{results['when']}, {results['mode']} mode"),
        ("machine", f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['kernel']}"),
        ("pinning", machine["pinning"]),
        ("load at the start", f"{machine['load_average']:.2f}"),
    ]
    if "load_generator" in machine:
        facts.append(("load generator", machine["load_generator"]))
    return facts + [(server["name"], f"{server['version']}: `{server['command']}`") for server in results["servers"]]


def _figure_table(key, title, results, table, with_floor=False):
    """The median, and half the distance between the extremes if there are several rounds."""
    names = server_names(results) + ([servers.FLOOR] if with_floor and _has_floor(results) else [])

    def cell(each):
        spread = f" ±{(max(each) - min(each)) / 2:.2f}" if len(each) > 1 else ""
        return f"{statistics.median(each):.2f}{spread}"

    return Table(key, title, ["workload", *names], _rows(table, names, cell))


def _throughput_table(results):
    table = values(results[throughput.SECTION], "workload", lambda sample: sample["rps"])
    names = server_names(results) + ([servers.FLOOR] if _has_floor(results) else [])
    rows = _rows(table, names, lambda each: f"{statistics.median(each) / 1000:.0f}")
    return Table("throughput", "throughput, thousand requests a second", ["workload", *names], rows)


def _latency_table(results):
    names = server_names(results)
    table = values(results[throughput.SECTION], "workload", lambda sample: (sample["p50_ms"], sample["p99_ms"]))

    def cell(each):
        p50s, p99s = zip(*each)
        return f"{statistics.median(p50s):.2f} / {statistics.median(p99s):.2f}"

    return Table("latency", "latency under that load, p50 / p99 ms", ["workload", *names], _rows(table, names, cell))


def _memory_table(results):
    names = server_names(results)
    meanings = {data_set.name: data_set.meaning for data_set in memory.DATA_SETS}
    meanings[memory.CONNECTIONS] = memory.CONNECTIONS_MEANING
    rows = _rows(bytes_per_element(results), names, lambda each: f"{statistics.median(each):,.1f}", meanings)
    return Table("memory", "resident bytes per element", ["data set", "one element", *names], rows, words=2)


def _stall_table(results):
    names = server_names(results)
    meanings = {name: meaning for name, (meaning, _) in stalls.EVENTS.items()}
    rows = _rows(longest_waits(results), names, lambda each: f"{max(each):.2f}", meanings)
    return Table("stalls", "longest PING while it happens, ms", ["event", "what happens", *names], rows, words=2)


def _expiry_table(results):
    rows = []
    for sample in results[expiry.SECTION]:
        quantiles = (_lag(sample, quantile) for quantile in (0.5, 0.99, 1.0))
        late = f"over {1000 * sample['wait_s']:.0f}"
        cells = [late if lag is None else f"{lag:.1f}" for lag in quantiles]
        arrived = f"{len(sample['lags_ms'])} of {sample['probes']}"
        rows.append([f"{sample['background']:,}", sample["server"], arrived, *cells])
    columns = ["keys not due", "server", "arrived", "p50", "p99", "max"]
    return Table("expiry", "lag of expired events behind the deadline, ms", columns, rows, words=2)


def _lag(sample, quantile):
    """The lag within which `quantile` of all probes expired; None if not that many did."""
    position = max(0, int(quantile * sample["probes"]) - 1)
    ordered = sorted(sample["lags_ms"])
    return ordered[position] if position < len(ordered) else None


def _rows(table, names, cell, meanings=None):
    rows = []
    for row, by_server in table.items():
        label = [row] if meanings is None else [row, meanings.get(row, "")]
        rows.append(label + [cell(by_server[name]) if name in by_server else MISSING for name in names])
    return rows


def _has_floor(results):
    return any(sample["server"] == servers.FLOOR for sample in results[throughput.SECTION])
