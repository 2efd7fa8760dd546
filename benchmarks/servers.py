"""The servers under load: each a process of its own on 127.0.0.1, ended by whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.certificate import Certificate
from brokers import rabbitmq
from stomp_tx.auth.passwords import PasswordFile

NAMES = ("relay", "baseline", "rabbitmq", "guarded", "stomp_tx")
CHECKOUT = Path(__file__).resolve().parent.parent
START = 60.0  # seconds within which a server has to accept connections; RabbitMQ takes seven on two cores
CORES = sorted(os.sched_getaffinity(0))  # the first is the generator's
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile=")


class ServerUnavailable(Exception):
    """The server did not come up; the message says what it printed last."""


@dataclass(frozen=True)
class Site:
    """Where servers run and what they share: all of a case run on the same."""

    folder: Path
    engine: str
    cores: Collection[int]
    lifetime: int  # seconds after which a server ends by itself, whatever became of the generator
    certificate: Certificate | None = None

    def endpoint(self, port: int) -> str:
        """A server endpoint string."""
        return self.certificate.endpoint(port) if self.certificate else f"tcp:{port}:interface=127.0.0.1"

    def prepare(self) -> None:
        """In the child, before the server's program: both settings outlive exec."""
        signal.alarm(self.lifetime)
        os.sched_setaffinity(0, self.cores)


@dataclass(frozen=True)
class Program:
    """What starts a server, and what has to run before it and be ended after it."""

    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    environment: Mapping[str, str] | None = None  # None: the generator's


class Server:
    """One server; accepts connections once `wait` has returned, and until `stop`."""

    def __init__(self, name: str, site: Site) -> None:
        self.name, self.site = name, site
        self.login = "guest" if name in ("rabbitmq", "guarded") else ""
        self.port = free_port()
        self._log = site.folder / f"{name}-{self.port}.log"
        self._processes: list[subprocess.Popen[bytes]] = []
        starts = program(name, self.port, site)
        try:
            for command in (*starts.before, starts.command):
                self._start(command, starts.environment)
        except BaseException:
            self.stop()
            raise
        self._process = self._processes[-1]

    def _start(self, command: tuple[str, ...], environment: Mapping[str, str] | None) -> None:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=self.site.prepare,
            )
        self._processes.append(process)

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
        """End every process; return when they are gone."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

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


def program(name: str, port: int, site: Site) -> Program:
    """What starts the server of that name, listening on that port."""
    if name == "rabbitmq":
        epmd_port = free_port()
        environment = rabbitmq.environment(site.folder, port, epmd_port, free_port())
        return Program((str(rabbitmq.SCRIPT),), (rabbitmq.epmd(epmd_port),), environment)
    endpoint = site.endpoint(port)
    if name == "guarded":
        return Program((*TWISTD, "stomp", "--port", endpoint, "--engine", site.engine, *guard(site.folder)))
    if name == "stomp_tx":
        return Program((*TWISTD, "stomp", "--port", endpoint, "--engine", site.engine))
    return Program((sys.executable, "-m", f"benchmarks.{name}", endpoint))


ROLES = """
[groups]
staff = ["guest"]
[roles.everybody]
users = ["*"]
allow = ["subscribe /topic/news.>"]
deny = ["all /queue/secret.>", "all /topic/secret.>"]
[roles.staff]
groups = ["staff"]
allow = ["send,subscribe,create /queue/bench-*", "send,subscribe /topic/bench-*", "all >"]
"""


def guard(folder: Path) -> tuple[str, ...]:
    """The options of a broker with users and roles."""
    users, config = folder / "users", folder / "guarded.toml"
    PasswordFile(str(users)).add("guest", "guest")
    config.write_text(ROLES, encoding="utf-8")
    return "--auth", f"passwd:{users}", "--config", str(config)


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
