"""Running one case: the servers start together, take their turns in every round, and are ended together."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.certificate import Certificate
from benchmarks.load import LoadError, Slice
from benchmarks.servers import CORES, Server, ServerUnavailable, Site
from brokers import rabbitmq

SLOW = 6.0  # seconds; a server whose slice took longer is not asked again: the run stays bounded
LOADS = 3  # but a slice may take so many times the seconds asked for
LIFETIME = 1200  # seconds after which a server ends by itself, besides the time for the backlog
IN_MEMORY = ("tmpfs", "ramfs")  # file systems where fsync does nothing
SLOWEST = 5000  # messages per second at which the backlog, filled and drained, is given up


@dataclass(frozen=True)
class Settings:
    """What the command line decides."""

    seconds: float = 1.0
    rounds: int = 5
    backlog: int = 200_000  # messages
    engine: str | None = None  # None: memory, or a file in the temporary folder where the case is durable


@dataclass(frozen=True)
class Target:
    """What stomp_tx has to reach: a ratio against a server, or, against none, a figure in the row's unit."""

    sign: str
    value: float
    against: str = ""

    def met(self, found: float) -> bool:
        return found >= self.value if self.sign == ">=" else found <= self.value

    def __str__(self) -> str:
        return f"{self.sign} {self.value:.3g} {self.against}".rstrip()


@dataclass(frozen=True)
class Row:
    """One line of the table; `name` is the key of its figure in a Slice."""

    name: str
    unit: str
    target: Target | None = None


@dataclass(frozen=True)
class Case:
    """One load: what a slice of it does to a server, and the rows it fills."""

    name: str
    about: str
    rows: tuple[Row, ...]
    measure: Callable[[Server, Settings], Slice]
    servers: tuple[str, ...] = ("relay", "baseline", "stomp_tx")
    durable: bool = False  # the broker keeps a file, and servers have every core
    tls: bool = False
    rounds: int | None = None  # None: as many as the command line says
    note: str = ""

    def run(self, names: Sequence[str], settings: Settings) -> Result:
        """Slices of every server in turn, round by round; a failing server leaves the case with a reason."""
        result = Result(self)
        rounds = self.rounds or settings.rounds
        with ExitStack() as stack:
            servers = start(self, [name for name in names if name in self.servers], stack, settings, result)
            for turn in range(1, rounds + 1):
                for server in servers:
                    if result.wants(server.name):
                        progress(f"{self.name}: round {turn} of {rounds}, {server.name}")
                        spent = self._take(server, settings, result)
                        if spent > max(SLOW, LOADS * settings.seconds) and turn < rounds:
                            result.slow.add(server.name)
        return result

    def _take(self, server: Server, settings: Settings, result: Result) -> float:
        """One slice into the result; gives the seconds it took."""
        started = time.monotonic()
        try:
            result.add(server.name, self.measure(server, settings))
        except (LoadError, OSError, ServerUnavailable) as error:
            result.errors[server.name] = f"{error}; its last line: {server.last_words()}"
        return time.monotonic() - started


@dataclass
class Result:
    """What a case showed: per server its slices in the order of the rounds, or why there are none."""

    case: Case
    slices: dict[str, list[Slice]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, found: Slice) -> None:
        self.slices.setdefault(name, []).append(found)

    def wants(self, name: str) -> bool:
        """Whether the server goes on to the next round."""
        return name not in self.errors and name not in self.slow

    def figures(self, name: str, row: Row) -> list[float]:
        """The row's figure in each round."""
        return [found.figures[row.name] for found in self.slices.get(name, ())]

    def median(self, name: str, row: Row) -> float | None:
        figures = self.figures(name, row)
        return statistics.median(figures) if figures else None

    def ratio(self, row: Row, against: str) -> float | None:
        """stomp_tx over another server: the median of the rounds' ratios, since a round shares its noise."""
        pairs = zip(self.figures("stomp_tx", row), self.figures(against, row), strict=False)
        ratios = [ours / theirs for ours, theirs in pairs if theirs]
        return statistics.median(ratios) if ratios else None

    def met(self, row: Row) -> bool | None:
        """Whether the row's target is reached; None without a target or without the figures."""
        if row.target is None:
            return None
        found = self.ratio(row, row.target.against) if row.target.against else self.median("stomp_tx", row)
        return None if found is None else row.target.met(found)

    def cpu(self, name: str) -> tuple[float, float] | None:
        """Median shares of a core, the generator's and the server's; None where no server was measured."""
        slices = self.slices.get(name)
        if not slices or not any(found.server_cpu for found in slices):
            return None
        return (
            statistics.median(found.generator_cpu for found in slices),
            statistics.median(found.server_cpu for found in slices),
        )


def start(
    case: Case, names: Sequence[str], stack: ExitStack, settings: Settings, result: Result
) -> list[Server]:
    """The servers that accept connections, ended with the stack; the result is told why others do not."""
    try:
        site = make_site(case, stack, settings, result)
    except ImportError:
        result.errors.update(dict.fromkeys(names, "TLS needs the packages of twisted[tls]"))
        return []
    started = []
    for name in names:
        if name == "rabbitmq" and not rabbitmq.installed():
            result.notes.append(rabbitmq.ABSENT)
            continue
        started.append(server := Server(name, site))
        stack.callback(server.stop)
    ready = []
    for server in started:
        try:
            server.wait()
        except ServerUnavailable as error:
            result.errors[server.name] = str(error)
        else:
            ready.append(server)
    return ready


def make_site(case: Case, stack: ExitStack, settings: Settings, result: Result) -> Site:
    """A temporary folder that goes with the stack, and what else the servers of the case share."""
    # /tmp is in memory on many machines, /var/tmp hardly anywhere.
    where = os.environ.get("TMPDIR", "/var/tmp") if case.durable else None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-", dir=where)))
    if case.durable and filesystem(folder) in IN_MEMORY:
        result.notes.append(f"{folder.parent} is in memory, where storing costs nothing: set TMPDIR.")
    return Site(
        folder,
        settings.engine or (f"sqlite:{folder}/stomp_tx.db" if case.durable else "memory:"),
        # The generator's core belongs to it alone, except where servers have threads to use it with: a
        # scheduler of RabbitMQ for each core, and the broker's thread for its file. Confined to one core of
        # two, RabbitMQ lost a third of its speed; the generator takes a sixth of its core there.
        CORES if case.durable else CORES[1:] or CORES,
        LIFETIME + settings.backlog * 2 // SLOWEST,
        Certificate(folder) if case.tls else None,
    )


def filesystem(folder: Path) -> str:
    """The type of the file system a folder is on; empty where the kernel does not tell."""
    device = folder.stat().st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        if mount.split()[2] == f"{os.major(device)}:{os.minor(device)}":
            return kind.split()[0]
    return ""


def progress(text: str) -> None:
    """One line that the next one overwrites, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
