"""Logins: how long a crowd takes to get in, when its passcodes have to be compared and when they need not be.

`python -m benchmarks.logins HASH COUNT` compares one passcode so often, in as many threads as the broker has
for that, and prints the seconds it took.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import frames
from benchmarks.load import PATIENCE, LoadError, Slice, shown
from benchmarks.runner import Case, Row, Settings, Target
from benchmarks.servers import CHECKOUT, CORES, Server, Site
from stomp_tx.auth.checkers.worker_threads import AT_A_TIME
from stomp_tx.auth.passwords import HASHER, is_right

USERS = 100
RECONNECTS = 1000
LIFETIME = 600  # seconds after which the broker ends by itself
PASSCODE = "secret"


def logins(server: Server, settings: Settings) -> Slice:
    """Seconds for all users at once after a start, against the hashing alone; then for them to come back."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        hash = HASHER.hash(PASSCODE)
        (folder / "users").write_text("".join(f"{user(number)}:{hash}\n" for number in range(USERS)))
        guarded = Server("guarded", Site(folder, "memory:", CORES, LIFETIME))
        try:
            guarded.wait()
            before = hashing(hash)
            cold, cold_cpu = crowd(guarded, USERS, USERS)
            after = hashing(hash)
            warm, warm_cpu = crowd(guarded, RECONNECTS, USERS)
        finally:
            guarded.stop()
    alone = (before + after) / 2
    return Slice(
        {
            "hashing alone": alone,
            "logins cold": cold,
            "cold / hashing": cold / alone,
            "cold CPU": cold_cpu,
            "logins warm": warm,
            "warm CPU": warm_cpu,
        }
    )


def user(number: int) -> str:
    return f"user{number % USERS}"


def hashing(hash: str) -> float:
    """Seconds that as many comparisons take as there are users, on all cores."""
    ran = subprocess.run(
        (sys.executable, "-m", "benchmarks.logins", hash, str(USERS)),
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, CORES),
    )
    return float(ran.stdout)


def crowd(server: Server, count: int, at_a_time: int) -> tuple[float, float]:
    """Seconds until so many have got CONNECTED, and of the server's CPU; so many are connected at a time."""
    poll = selectors.DefaultSelector()
    before, began = server.cpu(), time.monotonic()
    coming = iter(range(count))
    got_in = 0

    def come() -> None:
        number = next(coming, None)
        if number is not None:
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", server.port))
            poll.register(sock, selectors.EVENT_WRITE, number)

    for _ in range(at_a_time):
        come()
    while poll.get_map():
        ready = poll.select(PATIENCE)
        if not ready:
            raise LoadError(f"{got_in} of {count} have logged in, then nothing happened")
        for key, events in ready:
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if events & selectors.EVENT_WRITE:
                sock.sendall(frames.connect(user(key.data), PASSCODE))
                poll.modify(sock, selectors.EVENT_READ)
                continue
            answer = sock.recv(65536)
            if not answer.startswith(b"CONNECTED\n"):
                raise LoadError(f"after {got_in} of {count} had logged in: {shown(answer)}")
            got_in += 1
            poll.unregister(sock)
            sock.close()
            come()
    return time.monotonic() - began, server.cpu() - before


CASE = Case(
    "logins",
    f"{USERS} users log in at once after a start; then they come back {RECONNECTS:,} times",
    (
        Row("hashing alone", "s"),
        Row("logins cold", "s"),
        Row("cold / hashing", "ratio", Target("<=", 1.2)),
        Row("cold CPU", "s"),
        Row("logins warm", "s", Target("<=", 10)),
        Row("warm CPU", "s"),
    ),
    logins,
    servers=("stomp_tx",),
    rounds=1,
    note="Measured with a broker of its own, on all cores; CPU is the broker's.",
)


def main() -> None:
    hash, count = sys.argv[1:]
    began = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        if not all(threads.map(is_right, [hash] * int(count), [PASSCODE] * int(count))):
            raise SystemExit("the hash is of another passcode")
    print(time.monotonic() - began)


if __name__ == "__main__":
    main()
