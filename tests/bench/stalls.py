"""The longest wait of a small request while the server is busy with something big.

A server with one thread makes everybody wait for its longest piece of work. A probe sends PING after
PING on a connection of its own while another connection sets off the event; every round trip is timed.
One Python thread does both, so the two never take the CPU from each other: the event's request is sent
without waiting for its reply, then the probe runs. The event `idle` shows what the machine itself adds.
"""

import gc
import sys
import time

import servers
from client import PING, ServerError, batches, encode

SECTION = "stall"
GROW_BATCH = 20
LOADED_PER_SECOND = 100_000
VALUE = "v" * 64


class Probe:
    """Times PING round trips."""

    def __init__(self, server, watch):
        self._client = server.client()
        self._watch = watch
        self.seconds = []

    def __enter__(self):
        gc.disable()
        return self

    def __exit__(self, *_):
        gc.enable()
        self._client.close()

    def ping(self):
        start = time.perf_counter()
        self._client.socket.sendall(PING)
        if not self._client.socket.recv(64):
            raise ServerError("connection closed")
        self.seconds.append(time.perf_counter() - start)

    def watch(self, seconds):
        """PING for so long, in the default mode, and for a part of it in the quick one."""
        end = time.perf_counter() + seconds * self._watch
        while time.perf_counter() < end:
            self.ping()

    def sample(self):
        """Milliseconds: the quantiles, and every wait above one."""
        ordered = sorted(1000 * second for second in self.seconds)
        return {
            "pings": len(ordered),
            "p50_ms": ordered[len(ordered) // 2],
            "p99_ms": ordered[len(ordered) * 99 // 100],
            "max_ms": ordered[-1],
            "over_1_ms": [round(wait, 3) for wait in ordered if wait > 1],
        }


def _strings(count, *options):
    return batches(encode("SET", f"key:{number}", VALUE, *options) for number in range(count))


def _zset(count):
    for start in range(0, count, 50):
        words = [word for number in range(start, start + 50) for word in (number * 7919 % 1_000_003, f"m:{number}")]
        yield encode("ZADD", "z", *words)


def _hash(count):
    for start in range(0, count, 50):
        yield encode("HSET", "h", *[word for number in range(start, start + 50) for word in (f"f:{number}", "v" * 40)])


def _idle(_server, _client, probe, _keys):
    probe.watch(2)


def _one_request(fill, request, seconds):
    """An event that is one request on prepared data."""

    def event(server, client, probe, keys):
        client.load(fill(keys))
        server.settle()
        client.send(*request)
        probe.watch(seconds)
        client.reply()

    return event


def _expire_all(server, client, probe, keys):
    """All keys share a deadline, far enough away to load them first."""
    deadline = time.time() + 2 + keys / LOADED_PER_SECOND
    client.load(_strings(keys, "PXAT", int(deadline * 1000)))
    server.settle()
    early = deadline - time.time() - 0.2
    if early < 0:
        raise ServerError("loading took longer than the keys had to live")
    time.sleep(early)
    probe.watch(4)


def _grow(_server, client, probe, keys):
    """The table doubles again and again: PINGs wait behind twenty SETs each, from no keys to 1.2 times `keys`."""
    for chunk in batches((encode("SET", f"key:{number}", VALUE) for number in range(keys * 6 // 5)), GROW_BATCH):
        client.start_batch(chunk)
        probe.ping()
        client.finish_batch()


EVENTS = {
    "idle": ("nothing: the machine's own noise", _idle),
    "del-zset": ("DEL of a big sorted set", _one_request(lambda n: batches(_zset(n), 20), ("DEL", "z"), 1)),
    "unlink-zset": ("UNLINK of the same", _one_request(lambda n: batches(_zset(n), 20), ("UNLINK", "z"), 1)),
    "expire-hash": ("a big hash expires", _one_request(lambda n: batches(_hash(n), 20), ("PEXPIRE", "h", 10), 1.5)),
    "flushall": ("FLUSHALL of all keys", _one_request(_strings, ("FLUSHALL",), 1)),
    "expire-all": ("all keys expire in one millisecond", _expire_all),
    "grow": ("the key table grows", _grow),
    "bgsave": ("BGSAVE of all keys", _one_request(_strings, ("BGSAVE",), 3)),
}


def run(specs, sizes, pinning, selected, results):
    """Append one sample for each event and server to results["stall"]."""
    for name, (_, event) in EVENTS.items():
        if not selected(f"{SECTION}/{name}"):
            continue
        print(f"stalls: {name}", file=sys.stderr)
        for spec in specs:
            try:
                sample = _measure(spec, pinning, event, sizes)
            except (ServerError, OSError) as error:
                results["notes"].append(f"{name} on {spec.name}: {error}")
                continue
            results[SECTION].append({"event": name, "server": spec.name, "keys": sizes.stall_keys, **sample})


def _measure(spec, pinning, event, sizes):
    with servers.running(spec, pinning) as server, server.client() as client, Probe(server, sizes.watch) as probe:
        event(server, client, probe, sizes.stall_keys)
        return probe.sample()
