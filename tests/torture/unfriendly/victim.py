"""Victim: the broker under load, its memory and its end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stomp_tx.testing.process import BrokerProcess, run_broker

MOST = 8 << 30
"""Octets that the broker may map: a machine that others use, too, has to survive."""

TOO_LARGE = 4 << 30
"""Octets that it may have: the load ends there."""

COMMAND = (
    sys.executable,
    "-c",
    f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MOST}, {MOST}))\n"
    "from twisted.scripts.twistd import run; run()",
    "--nodaemon",
    "--pidfile=",
)


class Victim:
    """It runs, and is killed after so many seconds whatever happens.

    Octets of memory:
    start -- when it listened
    peak -- at most, so far
    """

    def __init__(self, running: BrokerProcess, seconds: float) -> None:
        self.running = running
        self.start = self.peak = self.resident
        self._process = running.process
        self._killer = threading.Timer(seconds, self._process.kill)
        self._killer.daemon = True
        self._killer.start()
        self._done = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    @property
    def resident(self) -> int:
        return self._memory("VmRSS")

    @property
    def dead(self) -> str:
        """How it ended; empty: it runs."""
        code = self._process.poll()
        return "" if code is None else f"the broker ended with {code}: {self.running.log[-300:]}"

    def must_end(self) -> str:
        """Why the load on it has to end."""
        if self._process.poll() is not None:
            return "the broker is gone"
        return f"the broker has more than {TOO_LARGE >> 30} GiB" if self.peak > TOO_LARGE else ""

    def stop(self, patience: float) -> float | None:
        """Seconds from SIGTERM to its end; None: it was killed after all of these."""
        began = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
        return time.monotonic() - began

    def close(self) -> None:
        self._killer.cancel()
        self._done.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.peak = max(self.peak, self._memory("VmHWM"))

    def _memory(self, name: str) -> int:
        try:
            status = Path(f"/proc/{self.running.process.pid}/status").read_text()
        except OSError:
            return 0
        found = status.partition(f"{name}:")[2].split()
        return int(found[0]) << 10 if found else 0


@contextmanager
def victim(folder: Path, options: Sequence[str], seconds: float) -> Iterator[Victim]:
    """A broker with these options in that folder, for so many seconds at most."""
    with run_broker(*options, folder=folder, command=COMMAND) as running:
        one = Victim(running, seconds)
        try:
            yield one
        finally:
            one.close()
