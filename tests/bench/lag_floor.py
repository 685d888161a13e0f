"""The least lag there can be: all `expired` events ready beforehand, and sent with one write at the deadline.

usage: lag_floor.py COUNT CHANNEL

Listens on a port of its own choice and prints it. The first client says the deadline, a line with
milliseconds of Unix time, and is then sent the events. What it notes beyond zero is the time that
waking up and reading take it, whatever server sends.
"""

import socket
import sys
import time

SPIN_SECONDS = 0.001


def main():
    count, channel = int(sys.argv[1]), sys.argv[2]
    events = b"".join(_message(channel, f"probe:{number}") for number in range(count))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        client, _ = listener.accept()
    with client:
        deadline = int(client.makefile("rb").readline()) / 1000
        time.sleep(max(0.0, deadline - time.time() - SPIN_SECONDS))
        while time.time() < deadline:
            pass
        client.sendall(events)
        # Until the client has read it all and hangs up.
        client.recv(1)


def _message(*words):
    bulks = "".join(f"${len(word)}\r\n{word}\r\n" for word in ("message", *words))
    return f"*3\r\n{bulks}".encode()


if __name__ == "__main__":
    main()
