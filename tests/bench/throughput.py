"""Requests per second, latency and server CPU per request, by redis-benchmark.

All servers run side by side, each workload goes to every server in turn (A B C, A B C), and a round
repeats the whole list. The machine's speed drifts with heat and with its neighbours; taking turns lets
the drift fall on all servers alike, and figures are compared within a round before the median is taken.
"""

import contextlib
import csv
import itertools
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

import servers
from client import ServerError, batches, encode

SECTION = "throughput"
RUN_SECONDS = 120
VALUE = "x" * 64


@dataclass(frozen=True)
class Workload:
    """A command repeated by `clients` connections, `pipeline` requests at a time."""

    name: str
    requests: int
    pipeline: int
    command: str  # in redis-benchmark's words: __rand_int__ becomes a random key number
    clients: int = 50
    key: str = ""  # deleted beforehand, so that every round starts from the same state
    fill: str = ""  # what `key` then gets: see _FILLS

    def arguments(self, keyspace):
        words = [word.replace("VALUE", VALUE) for word in self.command.split()]
        return ["-P", str(self.pipeline), "-c", str(self.clients), "-r", str(keyspace), *words]

    def single_request(self):
        """One request of the workload."""
        return self.command.replace("VALUE", VALUE).replace("__rand_int__", "000000000001").split()


_GET = "GET key:__rand_int__"
_SET = "SET key:__rand_int__ VALUE"
_MSET = "MSET" + 10 * " key:__rand_int__ VALUE"

WORKLOADS = (
    Workload("get-p1", 120_000, 1, _GET),
    Workload("set-p1", 120_000, 1, _SET),
    Workload("get-p1-c1000", 120_000, 1, _GET, clients=1000),
    Workload("get-p16", 1_000_000, 16, _GET),
    Workload("set-p16", 1_000_000, 16, _SET),
    Workload("get-p100", 1_500_000, 100, _GET),
    Workload("set-p100", 1_500_000, 100, _SET),
    Workload("mset10-p16", 120_000, 16, _MSET),
    Workload("incr-p16", 1_000_000, 16, "INCR counter:__rand_int__"),
    Workload("lpush-p16", 800_000, 16, "LPUSH mylist element", key="mylist"),
    Workload("lpop-p16", 800_000, 16, "LPOP mylist", key="mylist", fill="list"),
    Workload("sadd-p16", 800_000, 16, "SADD myset element:__rand_int__", key="myset"),
    Workload("hset-p16", 800_000, 16, "HSET myhash element:__rand_int__ value", key="myhash"),
    Workload("zadd-p16", 500_000, 16, "ZADD myzset __rand_int__ element:__rand_int__", key="myzset"),
    Workload("zpopmin-p16", 500_000, 16, "ZPOPMIN myzset", key="myzset", fill="zset"),
    Workload("xadd-p16", 500_000, 16, "XADD mystream * field value", key="mystream"),
    Workload("lrange100-p1", 60_000, 1, "LRANGE mylist 0 99", key="mylist", fill="short list"),
    Workload("lrange600-p1", 20_000, 1, "LRANGE mylist 0 599", key="mylist", fill="short list"),
)


def _list(elements):
    for _ in range(0, elements, 100):
        yield encode("RPUSH", "mylist", *["element"] * 100)


def _zset(elements):
    for start in range(0, elements, 100):
        members = ((number * 7919 % 1_000_003, f"element:{number:012}") for number in range(start, start + 100))
        yield encode("ZADD", "myzset", *itertools.chain.from_iterable(members))


_FILLS = {
    "": lambda _: (),
    "list": _list,
    "zset": _zset,
    "short list": lambda _: _list(1000),
}


def run(specs, floor, sizes, pinning, selected, results):
    """Append one sample for each workload, server and round to results["throughput"]."""
    workloads = [workload for workload in WORKLOADS if selected(f"{SECTION}/{workload.name}")]
    if not workloads:
        return
    generator = load_generator()
    results["machine"]["load_generator"] = _version(generator)
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(servers.running(spec, pinning)) for spec in [*specs, *([floor] if floor else [])]]
        started = [server for server in started if _loaded(server, sizes.keys, results)]
        for round_number, workload in itertools.product(range(sizes.rounds), workloads):
            print(f"throughput, round {round_number + 1} of {sizes.rounds}: {workload.name}", file=sys.stderr)
            for server in started:
                try:
                    sample = measure(generator, server, workload, sizes)
                except (ServerError, OSError) as error:
                    results["notes"].append(f"{workload.name} on {server.name}: {error}")
                    continue
                results[SECTION].append({"round": round_number, **sample})


def load_generator():
    """redis-benchmark, or its twin from Valkey."""
    for name in ("redis-benchmark", "valkey-benchmark"):
        if shutil.which(name):
            return name
    raise SystemExit("redis-benchmark is not installed: it comes with Redis, on Debian in the package redis-tools")


def _version(generator):
    return subprocess.run([generator, "--version"], capture_output=True, text=True, check=False).stdout.strip()


def load(server, keys):
    """Load what GET finds, SET overwrites and INCR counts on, under the names redis-benchmark makes."""
    with server.client() as client:
        client.load(batches(encode("SET", f"key:{number:012}", VALUE) for number in range(keys)))
        client.load(batches(encode("SET", f"counter:{number:012}", number) for number in range(keys)))


def _loaded(server, keys, results):
    if server.name == servers.FLOOR:
        return True
    try:
        load(server, keys)
    except (ServerError, OSError) as error:
        results["notes"].append(f"no throughput of {server.name}, loading it failed: {error}")
        return False
    return True


def measure(generator, server, workload, sizes):
    """One sample of a workload on a server, which is prepared for it first."""
    requests = max(1000, int(workload.requests * sizes.requests))
    if server.name != servers.FLOOR:
        _prepare(server, workload, requests)
    server.settle()
    before = server.cpu_seconds()
    row = _benchmark(generator, server.port, requests, workload.arguments(sizes.keys))
    spent = server.cpu_seconds() - before
    return {
        "workload": workload.name,
        "server": server.name,
        "requests": requests,
        "rps": float(row["rps"]),
        "p50_ms": float(row["p50_latency_ms"]),
        "p99_ms": float(row["p99_latency_ms"]),
        "cpu_us": 1e6 * spent / requests,
    }


def _prepare(server, workload, requests):
    """Bring the key to its first state, having seen that the server knows the command at all.

    redis-benchmark counts error replies as replies, so a missing command would look like a fast one.
    """
    with server.client() as client:
        client.call(*workload.single_request())
        if workload.key:
            client.call("DEL", workload.key)
        client.load(batches(_FILLS[workload.fill](requests), 50))


def _benchmark(generator, port, requests, arguments):
    """The last row of redis-benchmark's CSV output, by column name."""
    command = [generator, "-h", "127.0.0.1", "-p", str(port), "-n", str(requests), "--csv", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ServerError(f"not done within {RUN_SECONDS} s") from None
    lines = [line for line in re.split(r"[\r\n]+", done.stdout) if line.startswith('"')]
    rows = list(csv.DictReader(lines))
    if done.returncode != 0 or not rows or "p99_latency_ms" not in rows[-1]:
        raise ServerError(f"{generator} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return rows[-1]
