"""BrokerProcess: a real broker, ``twistd stomp``, in a process of its own on a free port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import stomp_tx

COMMAND = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile=")

PATIENCE = 20.0
"""Seconds, for anything that takes well under one."""


class BrokerProcess:
    """A running broker, which listens.

    process -- the subprocess
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, ports: int = 1) -> None:
        """
        log -- the file that it writes its log to
        ports -- on how many it is to listen; this waits until it does

        Raises AssertionError with its log when it does not.
        """
        self.process = process
        self._log = log
        eventually(lambda: process.poll() is not None or len(self.ports) >= ports, "the broker listens")
        if len(self.ports) < ports:
            raise AssertionError(f"the broker ended with {process.poll()}:\n{self.log}")

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8")

    @property
    def ports(self) -> list[str]:
        """Where it listens, port numbers filled in: ``tcp:40001:interface=127.0.0.1``."""
        return re.findall(r"\[stomp_tx#info\] STOMP 1.0-1.2 at (\S+)", self.log)

    def port(self, kind: str = "tcp") -> int:
        """The number of the first port of that kind."""
        found = next(re.search(r":(\d+)", port) for port in self.ports if port.startswith(f"{kind}:"))
        assert found is not None
        return int(found[1])

    @property
    def endpoint(self) -> str:
        """What a client connects to."""
        return f"tcp:127.0.0.1:{self.port()}"

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Its exit code, after this signal."""
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE)


@contextmanager
def run_broker(
    *arguments: str,
    folder: Path | None = None,
    ports: int = 1,
    command: Sequence[str] = COMMAND,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[BrokerProcess]:
    """A broker that listens, and is gone afterwards.

    arguments -- those of ``twistd stomp``; none: a free port of 127.0.0.1, and messages in memory
    folder -- where it runs, and writes ``broker.log``; None: one that is gone afterwards
    ports -- how many the arguments name
    env -- added to the environment
    """
    if folder is None:
        with (
            TemporaryDirectory(prefix="stomp-tx-") as made,
            run_broker(
                *arguments, folder=Path(made), ports=ports, command=command, env=env, pass_fds=pass_fds
            ) as broker,
        ):
            yield broker
        return
    log = folder / "broker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "stomp", *(arguments or DEFAULT)],
            cwd=folder,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
        )
    try:
        yield BrokerProcess(process, log, ports)
    finally:
        process.kill()
        process.wait()


DEFAULT = ("--port", "tcp:0:interface=127.0.0.1", "--engine", "memory:")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a process that finds this package's plugins, installed or not."""
    here = str(Path(stomp_tx.__file__).parents[1])
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **(more or {})}


def eventually(true: Callable[[], object], what: str) -> None:
    """Return once ``true()`` is; raise AssertionError if it is not before patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.01)
