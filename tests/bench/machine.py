"""The machine under the measurement: where processes run, what they have used, what it is called.

Linux answers from /proc. Elsewhere `ps` does, with a coarser clock, and nothing can be pinned; the
report says so, because unpinned figures on a busy machine differ by tens of percent.
"""

import os
import platform
import re
import resource
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Pinning:
    """Which CPU the servers get and which the clients get; None where that is left to the system."""

    server_cpu: int | None
    client_cpu: int | None
    note: str

    def server_prefix(self):
        """What to put before a server's command so that it starts on its CPU."""
        return [] if self.server_cpu is None else ["taskset", "-c", str(self.server_cpu)]

    def pin_this_process(self):
        """Move this process, and with it every load generator it starts, to the client's CPU."""
        if self.client_cpu is not None:
            os.sched_setaffinity(0, {self.client_cpu})


def plan_pinning():
    """One CPU for the server, another for the client, on different cores if there are two."""
    if not hasattr(os, "sched_getaffinity") or not shutil.which("taskset"):
        return Pinning(None, None, "not pinned: this system has no taskset, expect more noise")
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return Pinning(None, None, "not pinned: one CPU, shared by server and client, so throughput halves")
    server = cpus[0]
    siblings = _siblings(server)
    client = next((cpu for cpu in cpus[1:] if cpu not in siblings), cpus[1])
    shared = ", two threads of one core" if client in siblings else ""
    return Pinning(server, client, f"server on CPU {server}, client on CPU {client}{shared}")


def _siblings(cpu):
    """The CPUs that are hardware threads of the same core: "0,4" or "0-1" in the kernel's words."""
    text = _read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    numbers = set()
    for part in re.findall(r"\d+(?:-\d+)?", text):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def cpu_seconds(pid):
    """User and system time of a process so far, in seconds, from the finest clock there is."""
    for clock in (_schedstat_seconds, _tick_seconds):
        try:
            return clock(pid)
        except (OSError, ValueError, IndexError):
            continue
    return _ps_seconds(pid)


def _schedstat_seconds(pid):
    """Exact to the nanosecond, summed over the threads that live."""
    threads = os.listdir(f"/proc/{pid}/task")
    return sum(int(_read(f"/proc/{pid}/task/{thread}/schedstat").split()[0]) for thread in threads) / 1e9


def _tick_seconds(pid):
    """Exact to a tick, 10 ms as a rule: utime and stime are fields 14 and 15, counted from 1."""
    after_name = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _ps_seconds(pid):
    """`ps` prints [[days-]hours:]minutes:seconds."""
    text = subprocess.run(["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    days, _, clock = text.strip().rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400 * int(days or 0)


def resident_bytes(pid):
    """Physical memory a process holds, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+)", _read(f"/proc/{pid}/status"))
    if found:
        return 1024 * int(found.group(1))
    text = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    return 1024 * int(text)


def raise_file_limit():
    """Allow as many open sockets as the system lets us; servers started later inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        pass  # a lower limit only costs the data set of idle connections
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def describe(pinning):
    """The facts a reader needs to judge the figures."""
    model = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    return {
        "cpu": model.group(1).strip() if model else platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "pinning": pinning.note,
    }


def load_average():
    """Runnable processes over the last minute: other work at the start makes every figure doubtful."""
    return os.getloadavg()[0]


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
