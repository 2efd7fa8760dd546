"""Innocent: who has nothing to do with it, in a process of its own: no other's slowness is measured.

python -m tests.torture.unfriendly.innocent PORT stored|plain
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from typing import Any

from tests.e2e.running import CHECKOUT
from tests.torture.unfriendly import frames

USER = "ann"
PING = f"/queue/{USER}.ping"
KEPT = f"/queue/{USER}.kept"
EVERY = 0.02


class Innocent:
    """The process.  ``mark`` tells, and forgets, the worst wait so far."""

    def __init__(self, port: int, kind: str) -> None:
        """``plain``: it hears what it sends to its queue; ``stored``: it gets a RECEIPT for what is kept."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.unfriendly.innocent", str(port), kind],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError("the innocent connection could not begin")

    def mark(self) -> dict[str, Any]:
        """worst: seconds; waits: seconds of the one that is not answered; answered: how many; gone: why."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("mark\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def main(port: int, kind: str) -> None:
    stored = kind == "stored"
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(frames.connect(USER))
    _answer(sock, b"CONNECTED")
    if not stored:
        sock.sendall(frames.subscribe("1", PING, receipt="s"))
        _answer(sock, b"RECEIPT")
    sock.setblocking(False)
    print("ready", flush=True)
    worst, answered, sent, began, gone = 0.0, 0, 0, 0.0, ""
    next_one = time.monotonic()
    heard = b""
    while True:
        now = time.monotonic()
        if not began and not gone and now >= next_one:
            sent += 1
            if stored:
                octets = frames.send(KEPT, str(sent).encode(), persistent="true", receipt=sent, uid=sent)
            else:
                octets = frames.send(PING, str(sent).encode())
            began = time.monotonic()
            try:
                sock.send(octets)
            except OSError as error:
                gone = str(error)
        watched = [sys.stdin] if gone else [sys.stdin, sock]
        readable, _, _ = select.select(watched, [], [], max(0.0, next_one - now) if not began else 1.0)
        if sock in readable:
            try:
                octets = sock.recv(1 << 16)
            except OSError:
                octets = b""
            heard += octets
            if not octets:
                gone = gone or "the broker has closed the connection"
            if b"ERROR\n" in heard:
                gone = heard.decode().partition("\n\n")[0]
            if b"\0" in heard:
                now = time.monotonic()
                if not gone:
                    worst, answered = max(worst, now - began), answered + 1
                heard, began, next_one = heard.rpartition(b"\0")[2].strip(b"\n"), 0.0, max(now, began + EVERY)
        if sys.stdin in readable:
            if not sys.stdin.readline():
                return
            waits = time.monotonic() - began if began else 0.0
            print(
                json.dumps({"worst": max(worst, waits), "waits": waits, "answered": answered, "gone": gone}),
                flush=True,
            )
            worst = 0.0


def _answer(sock: socket.socket, command: bytes) -> None:
    heard = b""
    while b"\0" not in heard:
        octets = sock.recv(65536)
        assert octets, heard
        heard += octets
    assert heard.startswith(command), heard


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
