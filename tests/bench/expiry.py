"""How late keys expire, seen from outside: the lag of their `expired` events behind the deadline.

A thousand probe keys share one absolute deadline, beside keys whose deadline is an hour away. A server
that looks for expired keys by sampling finds few of the probes among many that are not due, and keeps
memory for the rest; clients that wait for the event wait with it. Events that have not come when the
wait is over are missing from the sample, and count as later than any that came. The floor is what the
subscriber itself needs: see lag_floor.py.
"""

import subprocess
import sys
import time
from pathlib import Path

import servers
from client import Client, ServerError, batches, encode

SECTION = "expiry"
PROBES = 1000
LEAD_SECONDS = 1.5
CHANNEL = "__keyevent@0__:expired"


def run(specs, sizes, pinning, selected, results):
    """Append one sample for each background and server to results["expiry"]."""
    for background in sizes.expiry_backgrounds:
        if not selected(f"{SECTION}/{background}"):
            continue
        print(f"expiry: beside {background} keys", file=sys.stderr)
        try:
            _note(results, background, servers.FLOOR, _floor_lags(pinning, sizes.expiry_wait), sizes.expiry_wait)
        except (OSError, ValueError) as error:
            results["notes"].append(f"expiry beside {background} keys, no floor: {error}")
        for spec in specs:
            try:
                lags = _lags(spec, pinning, background, sizes.expiry_wait)
            except (ServerError, OSError) as error:
                results["notes"].append(f"expiry beside {background} keys on {spec.name}: {error}")
                continue
            _note(results, background, spec.name, lags, sizes.expiry_wait)


def _note(results, background, name, lags, wait):
    sample = {"background": background, "server": name, "probes": PROBES, "wait_s": wait}
    results[SECTION].append({**sample, "lags_ms": [round(lag, 2) for lag in lags]})


def _floor_lags(pinning, wait):
    """The lags of events that a process on the servers' CPU has ready, and sends at the deadline."""
    floor = Path(__file__).with_name("lag_floor.py")
    command = [*pinning.server_prefix(), sys.executable, str(floor), str(PROBES), CHANNEL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        with Client(int(process.stdout.readline())) as events:
            deadline = int((time.time() + LEAD_SECONDS) * 1000)
            events.socket.sendall(f"{deadline}\r\n".encode())
            return _arrivals(events, deadline, wait)


def _lags(spec, pinning, background, wait):
    """Milliseconds from the deadline to the arrival of each event, in order of arrival."""
    with servers.running(spec, pinning) as server, server.client() as client, server.client() as events:
        client.call("CONFIG", "SET", "notify-keyspace-events", "Ex")
        client.load(_volatile("background", background, int(time.time() * 1000) + 3_600_000))
        events.call("SUBSCRIBE", CHANNEL)
        deadline = int((time.time() + LEAD_SECONDS) * 1000)
        client.load(_volatile("probe", PROBES, deadline))
        return _arrivals(events, deadline, wait)


def _volatile(prefix, count, deadline):
    value = "v" * 64
    return batches(encode("SET", f"{prefix}:{number}", value, "PXAT", deadline) for number in range(count))


def _arrivals(events, deadline, wait):
    lags = []
    give_up = deadline / 1000 + wait
    while len(lags) < PROBES and (left := give_up - time.time()) > 0:
        events.socket.settimeout(left)
        try:
            events.reply()
        except TimeoutError:
            break
        lags.append(time.time() * 1000 - deadline)
    return lags
