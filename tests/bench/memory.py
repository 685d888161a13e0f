"""Resident bytes per element: (RSS after loading - RSS of the fresh server) / elements.

RSS is what the machine has lost, whatever a server's own accounting says: it includes allocator slack
and tables that are half empty. Every data set goes into a fresh server; the same bytes go to each.
"""

import sys
import time
from dataclasses import dataclass
from typing import Callable, Iterable

import machine
import servers
from client import Client, ServerError, batches, encode

SECTION = "memory"


@dataclass(frozen=True)
class DataSet:
    """`elements` is what the bytes are divided by: keys, members, entries or connections."""

    name: str
    meaning: str
    elements: int
    requests: Callable[[int], Iterable[bytes]]


def _strings(length, ttl=False):
    value = b"v" * length

    def requests(count):
        for number in range(count):
            key = b"key:%012d" % (number * 7919 % 1_000_000_007)
            yield encode("SET", key, value, "EX", 86400 + number % 100_000) if ttl else encode("SET", key, value)

    return requests


def _counters(count):
    return (encode("INCRBY", f"c:{number}", number) for number in range(count))


def _small_hashes(count):
    for number in range(count):
        fields = [word for field in range(10) for word in (f"field{field}", f"value{number + field}")]
        yield encode("HSET", f"user:{number}", *fields)


def _small_int_sets(count):
    return (encode("SADD", f"is:{number}", *range(number, number + 20)) for number in range(count))


def _one_set(count):
    return (encode("SADD", "s", f"member:{number}") for number in range(count))


def _one_sorted_set(count):
    return (encode("ZADD", "z", number * 7919 % 1_000_003, f"member:{number}") for number in range(count))


def _one_hash(count):
    return (encode("HSET", "h", f"field:{number}", f"value:{number}") for number in range(count))


def _one_list(count):
    return (encode("RPUSH", "l", f"element:{number}") for number in range(count))


def _one_stream(count):
    return (encode("XADD", "x", "*", "temp", number % 100, "hum", number % 77) for number in range(count))


DATA_SETS = (
    DataSet("str8", "16-byte key, 8-byte value", 1_000_000, _strings(8)),
    DataSet("str32", "16-byte key, 32-byte value", 1_000_000, _strings(32)),
    DataSet("str32+ttl", "the same with a TTL", 1_000_000, _strings(32, ttl=True)),
    DataSet("str200", "16-byte key, 200-byte value", 500_000, _strings(200)),
    DataSet("counter", "INCRBY on its own key", 1_000_000, _counters),
    DataSet("hash10", "hash of ten short fields", 100_000, _small_hashes),
    DataSet("intset", "set of twenty integers", 100_000, _small_int_sets),
    DataSet("bigset", "member of one big set", 1_000_000, _one_set),
    DataSet("bigzset", "member of one big sorted set", 1_000_000, _one_sorted_set),
    DataSet("bighash", "field of one big hash", 1_000_000, _one_hash),
    DataSet("biglist", "element of one long list", 1_000_000, _one_list),
    DataSet("stream", "entry of one stream, two fields", 1_000_000, _one_stream),
)

CONNECTIONS = "conns"
CONNECTIONS_MEANING = "idle connection that sent one SET"
CONNECTIONS_COUNT = 5000


def run(specs, sizes, pinning, selected, results):
    """Append one sample for each data set and server to results["memory"]."""
    for data_set in DATA_SETS:
        if not selected(f"{SECTION}/{data_set.name}"):
            continue
        print(f"memory: {data_set.name}", file=sys.stderr)
        elements = int(data_set.elements * sizes.elements)
        chunks = list(batches(data_set.requests(elements)))
        for spec in specs:
            _sample(spec, pinning, sizes.rest, results, data_set.name, elements, lambda server: _load(server, chunks))
    if selected(f"{SECTION}/{CONNECTIONS}"):
        print(f"memory: {CONNECTIONS}", file=sys.stderr)
        count = min(int(CONNECTIONS_COUNT * sizes.elements), machine.raise_file_limit() - 200)
        for spec in specs:
            _sample(spec, pinning, sizes.rest, results, CONNECTIONS, count, lambda server: _connect(server, count))


def _sample(spec, pinning, rest, results, name, elements, fill):
    """Measure around `fill`, which returns the connections to close afterwards."""
    with servers.running(spec, pinning) as server:
        server.settle()
        before = server.resident_bytes()
        try:
            connections = fill(server)
        except (ServerError, OSError) as error:
            results["notes"].append(f"{name} on {spec.name}: {error}")
            return
        time.sleep(rest)
        server.settle()
        after = server.resident_bytes()
        for connection in connections:
            connection.close()
    results[SECTION].append(
        {"dataset": name, "server": spec.name, "elements": elements, "bytes_before": before, "bytes_after": after}
    )


def _load(server, chunks):
    with server.client() as client:
        client.load(chunks)
    return []


def _connect(server, count):
    connections = []
    for _ in range(count):
        connections.append(Client(server.port))
        connections[-1].call("SET", "k", "v")
    return connections
