"""Starting and ending servers: each in an empty directory of its own, on a free loopback port."""

import contextlib
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import machine
from client import Client, ServerError, encode

ROOT = Path(__file__).resolve().parents[2]
FLOOR = "floor"
ARGUMENTS = "--port PORT --bind 127.0.0.1 --save '' --appendonly no"
START_SECONDS = 10
STOP_SECONDS = 30


@dataclass(frozen=True)
class Spec:
    """A server by name, and the command that starts it, with the word PORT where its port goes."""

    name: str
    command: str

    def arguments(self, port):
        return [word.replace("PORT", str(port)) for word in shlex.split(self.command)]


def aeolus_spec():
    return Spec("aeolus", f"{shlex.quote(str(ROOT / 'target/release/aeolus'))} {ARGUMENTS}")


def installed_peers():
    """The Redis and Valkey servers on the PATH."""
    programs = {"redis": "redis-server", "valkey": "valkey-server"}
    return [Spec(name, f"{program} {ARGUMENTS}") for name, program in programs.items() if shutil.which(program)]


def parse_specs(texts):
    """`name=command` pairs; a bare name stands for the default command of that server."""
    known = {spec.name: spec for spec in [aeolus_spec(), *installed_peers()]}
    specs = []
    for text in texts:
        name, equals, command = text.partition("=")
        if equals:
            specs.append(Spec(name, command))
        elif name in known:
            specs.append(known[name])
        else:
            raise SystemExit(f"{name}: not one of {', '.join(known)}; give it as name=command")
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names) or FLOOR in names:
        raise SystemExit(f"server names must differ, and {FLOOR} is taken")
    for spec in specs:
        if "PORT" not in spec.command:
            raise SystemExit(f"{spec.name}: the command does not say PORT")
    return specs


def build_aeolus():
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)


def build_floor(directory):
    """Compile floor.c; None, with a reason, where that is impossible (no compiler, no epoll)."""
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        return None, "no floor and so no own cost: there is no C compiler"
    binary = Path(directory).resolve() / FLOOR
    source = Path(__file__).with_name("floor.c")
    for tuning in (["-march=native"], []):
        command = [compiler, "-O3", *tuning, "-o", str(binary), str(source)]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return Spec(FLOOR, f"{shlex.quote(str(binary))} PORT"), ""
    return None, "no floor and so no own cost: floor.c does not compile here (it needs epoll)"


class Server:
    """A running server."""

    def __init__(self, spec, port, process):
        self.name = spec.name
        self.port = port
        self.pid = process.pid

    def client(self):
        return Client(self.port)

    def cpu_seconds(self):
        return machine.cpu_seconds(self.pid)

    def resident_bytes(self):
        return machine.resident_bytes(self.pid)

    def settle(self, quiet=0.02, limit=3.0):
        """Wait until the server rests, so that work left from preparing is not charged to what follows.

        Rest is an interval of 100 ms with under `quiet` of it on the CPU; `limit` is in seconds.
        """
        deadline = time.monotonic() + limit
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.1)
            now = self.cpu_seconds()
            if now - before < 0.1 * quiet:
                return
            before = now


@contextlib.contextmanager
def running(spec, pinning):
    """Start a server, wait until it answers, and end it, by its pid, whatever happens in between."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{spec.name}-", ignore_cleanup_errors=True) as directory:
        port = free_port()
        with open(Path(directory) / "log", "w", encoding="utf-8") as log:
            try:
                process = subprocess.Popen(
                    pinning.server_prefix() + spec.arguments(port),
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise SystemExit(f"{spec.name} cannot be started: {error}") from error
        try:
            _wait_until_ready(spec, port, process, Path(directory) / "log")
            yield Server(spec, port, process)
        finally:
            _stop(process)


def free_port():
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(spec, port, process, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(encode("PING"))
                if probe.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.02)
    tail = log.read_text(encoding="utf-8", errors="replace")[-1000:]
    raise SystemExit(f"{spec.name} does not answer on port {port}; its last words:\n{tail}")


def _stop(process):
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def version(spec, pinning):
    """What the server says it is, from INFO: its own version field if it has one, else redis_version."""
    with running(spec, pinning) as server, server.client() as client:
        try:
            text = client.call("INFO", "server").decode(errors="replace")
        except (ServerError, AttributeError):
            return "unknown"
    for field in ("aeolus_version", "valkey_version", "redis_version"):
        found = re.search(rf"^{field}:(\S+)", text, re.MULTILINE)
        if found:
            return found.group(1)
    return "unknown"
