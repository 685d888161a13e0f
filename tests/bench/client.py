"""A small RESP2 client: single calls, and bulk loading that keeps up with the servers.

redis-benchmark makes the load that is measured; this client prepares data sets and probes latency.
"""

import itertools
import socket


class ServerError(Exception):
    """The server answered with an error, or hung up."""


def encode(*arguments):
    """One request: an array of bulk strings. Arguments may be bytes, text or numbers."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


PING = encode("PING")
_FENCE = encode("ECHO", "end-of-batch")
_FENCE_REPLY = b"$12\r\nend-of-batch\r\n"


def batches(requests, size=500):
    """Group encoded requests into byte strings of `size` requests, so that a send carries many."""
    requests = iter(requests)
    while group := list(itertools.islice(requests, size)):
        yield b"".join(group)


class Client:
    """One blocking connection."""

    def __init__(self, port, timeout=120):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._input.close()
        self.socket.close()

    def call(self, *arguments):
        """Send one request and wait for its reply."""
        self.send(*arguments)
        return self.reply()

    def send(self, *arguments):
        self.socket.sendall(encode(*arguments))

    def reply(self):
        """The next reply: bytes, int, None or a list. An error reply raises ServerError."""
        line = self._input.readline()
        if not line.endswith(b"\r\n"):
            raise ServerError("connection closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ServerError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._input.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        return rest

    def load(self, chunks):
        """Send chunks of requests, each as soon as the one before it is answered."""
        for chunk in chunks:
            self.start_batch(chunk)
            self.finish_batch()

    def start_batch(self, chunk):
        """Send a chunk of requests and, behind it, an ECHO that marks the end of its replies.

        Parsing a million replies in Python would take longer than producing them; the marker spares it.
        """
        self.socket.sendall(chunk + _FENCE)

    def finish_batch(self):
        """Wait until the batch is answered. Any error among the replies raises ServerError."""
        received = bytearray()
        while not received.endswith(_FENCE_REPLY):
            data = self.socket.recv(1 << 20)
            if not data:
                raise ServerError("connection closed while loading")
            received += data
        first_error = 0 if received.startswith(b"-") else received.find(b"\r\n-") + 2
        if received[first_error : first_error + 1] == b"-":
            raise ServerError(received[first_error:].split(b"\r\n", 1)[0].decode(errors="replace"))
