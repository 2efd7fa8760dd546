"""The servers under load: each a process of its own on 127.0.0.1, ended by whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.certificate import Certificate

NAMES = ("relay", "baseline", "stomp_tx")
CHECKOUT = Path(__file__).resolve().parent.parent
START = 20.0  # seconds within which a server has to accept connections
CORES = sorted(os.sched_getaffinity(0))  # the first is the generator's, the others are the servers'
LIFETIME = 900  # seconds after which a server ends by itself, whatever became of the generator
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile=")


class ServerUnavailable(Exception):
    """The server did not come up; the message says what it printed last."""


class Server:
    """One server process; accepts connections once `wait` has returned, and until `stop`."""

    def __init__(
        self, name: str, folder: Path, engine: str = "memory:", certificate: Certificate | None = None
    ) -> None:
        self.name, self.certificate = name, certificate
        self.port = free_port()
        endpoint = certificate.endpoint(self.port) if certificate else f"tcp:{self.port}:interface=127.0.0.1"
        self._log = folder / f"{name}-{self.port}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command(name, endpoint, engine),
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=prepare,
            )

    def wait(self) -> None:
        """Return when the server accepts connections; otherwise raise ServerUnavailable."""
        deadline = time.monotonic() + START
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
                return
            except OSError:
                time.sleep(0.02)
        code = self._process.poll()
        what = f"did not listen within {START:.0f} s" if code is None else f"ended with code {code}"
        raise ServerUnavailable(f"{self.name} {what}: {self.last_words()}")

    def stop(self) -> None:
        """End the process; return when it is gone."""
        self._process.terminate()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """The last line the server printed."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"

    def cpu(self) -> float:
        """Seconds of CPU the process has used, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, proc(5)

    def resident(self) -> float:
        """KiB of memory the process occupies."""
        for line in Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return float(line.split()[1])
        raise ServerUnavailable(f"{self.name}: the kernel tells no Rss")


def command(name: str, endpoint: str, engine: str) -> tuple[str, ...]:
    """What starts the server of that name on a server endpoint string."""
    if name == "stomp_tx":
        return (*TWISTD, "stomp", "--port", endpoint, "--engine", engine)
    return (sys.executable, "-m", f"benchmarks.{name}", endpoint)


def prepare() -> None:
    """In the child, before the server's program: both settings outlive exec."""
    signal.alarm(LIFETIME)  # the server ends even when the generator is killed
    if len(CORES) > 1:
        os.sched_setaffinity(0, CORES[1:])


def keep_to_one_core() -> None:
    """The generator's side of the same bargain.

    Left to the scheduler, a pair that talks in turns lands now on one core and now on two, and latency
    halves or doubles with it."""
    if len(CORES) > 1:
        os.sched_setaffinity(0, CORES[:1])


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
