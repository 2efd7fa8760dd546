"""A broker in a process of its own, and a client that is nothing but a socket."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TWISTD = (str(Path(sys.executable).parent / "twistd"), "--nodaemon", "--pidfile=")
TWIST = (sys.executable, "-m", "twisted", "--log-format=text")
PATIENCE = 20.0  # seconds, for anything that takes well under one


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a process that finds the checkout's plugin, installed or not."""
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **(more or {})}


def run(folder: Path, *arguments: str, command: Sequence[str] = TWISTD) -> subprocess.CompletedProcess[str]:
    """``twistd stomp`` with these arguments, to its end; for what is expected not to start."""
    return subprocess.run(
        [*command, "stomp", *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


class Broker:
    """A running broker: ``ports`` are the endpoint strings it says it listens at."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, ports: int) -> None:
        self.process = process
        self._log = log
        eventually(lambda: process.poll() is not None or len(self.ports) >= ports, "the broker listens")
        if len(self.ports) < ports:
            raise AssertionError(f"the broker ended with {process.poll()}:\n{self.log}")

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def ports(self) -> list[str]:
        return re.findall(r"\[stomp_tx#info\] STOMP 1.0-1.2 at (\S+)", self.log)

    def port(self, kind: str = "tcp") -> int:
        """The port number that the kind of endpoint got."""
        found = next(re.search(r":(\d+)", port) for port in self.ports if port.startswith(f"{kind}:"))
        assert found is not None
        return int(found[1])

    def connect(self) -> Peer:
        return over_tcp(self.port())

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Its exit code, after this signal."""
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE)


@contextmanager
def broker(
    folder: Path,
    *arguments: str,
    ports: int = 1,
    command: Sequence[str] = TWISTD,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[Broker]:
    """A broker that listens, and is gone afterwards."""
    log = folder / "broker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "stomp", *arguments],
            cwd=folder,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
        )
    try:
        yield Broker(process, log, ports)
    finally:
        process.kill()
        process.wait()


def eventually(true: object, what: str) -> None:
    """Return once ``true()`` is; fail if it is not before patience ends."""
    assert callable(true)
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.01)


class Peer:
    """The other end of a connection: says octets, hears frames."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._heard = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def says(self, frame: str, body: str = "") -> None:
        """``says("SEND destination:/queue/a", "hello")``: blanks part the header lines."""
        self.socket.sendall("\n".join([*frame.split(" "), "", f"{body}\0"]).encode())

    def hears(self, command: str) -> str:
        """The next frame, which has this command."""
        while b"\0" not in self._heard:
            octets = self.socket.recv(65536)
            assert octets, f"the end of the connection came instead of {command}, after {self._heard!r}"
            self._heard += octets
        frame, _, self._heard = self._heard.partition(b"\0")
        text = frame.decode().lstrip("\r\n")
        assert text.split("\n", 1)[0] == command, text
        return text

    def hears_the_end(self) -> None:
        rest = self._heard.strip(b"\n") + self.socket.recv(65536)
        assert rest == b"", rest

    def connects(self) -> Peer:
        self.says("CONNECT accept-version:1.2 host:localhost login:ann passcode:open-sesame")
        self.hears("CONNECTED")
        return self

    def exchanges_a_message(self) -> None:
        """It hears what it sends, through a queue."""
        self.says("SUBSCRIBE id:1 destination:/queue/a receipt:subscribed")
        self.hears("RECEIPT")
        self.says("SEND destination:/queue/a", "hello")
        assert self.hears("MESSAGE").endswith("\n\nhello")


def over_tcp(port: int, host: str = "127.0.0.1") -> Peer:
    return Peer(socket.create_connection((host, port), timeout=PATIENCE))
