"""A broker in a process of its own, and a client that is nothing but a socket."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stomp_tx.testing.process import PATIENCE, environment, eventually, run_broker
from stomp_tx.testing.process import BrokerProcess as Broker

__all__ = [
    "CHECKOUT",
    "PATIENCE",
    "TWIST",
    "TWISTD",
    "Broker",
    "Peer",
    "broker",
    "environment",
    "eventually",
    "over_tcp",
    "peer_of",
    "run",
]

CHECKOUT = Path(__file__).resolve().parents[2]
TWISTD = (str(Path(sys.executable).parent / "twistd"), "--nodaemon", "--pidfile=")
TWIST = (sys.executable, "-m", "twisted", "--log-format=text")


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


@contextmanager
def broker(folder: Path, *arguments: str, **more: Any) -> Iterator[Broker]:
    """A broker that listens, and is gone afterwards; see run_broker."""
    try:
        with run_broker(*arguments, folder=folder, **{"command": TWISTD, **more}) as running:
            yield running
    finally:
        for reserve in folder.glob("*.reserve"):
            reserve.unlink()  # the folders of tests are kept, and this is large


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
        text = self.hears_a_frame()
        assert text.split("\n", 1)[0] == command, text
        return text

    def hears_a_frame(self) -> str:
        """The next frame, whichever it is."""
        while b"\0" not in self._heard:
            octets = self.socket.recv(65536)
            assert octets, f"the end of the connection came after {self._heard!r}"
            self._heard += octets
        frame, _, self._heard = self._heard.partition(b"\0")
        return frame.decode().lstrip("\r\n")

    def receives(self) -> bytes:
        """What comes next, of whichever frames; empty: the end of the connection."""
        octets, self._heard = self._heard, b""
        return octets or self.socket.recv(65536)

    def hears_the_end(self) -> None:
        rest = self._heard.strip(b"\n") + self.socket.recv(65536)
        assert rest == b"", rest

    def connects(self) -> Peer:
        self.says("CONNECT accept-version:1.2 host:/ login:ann passcode:open-sesame")
        self.hears("CONNECTED")
        return self

    def exchanges_a_message(self) -> None:
        """It hears what it sends, through a queue."""
        self.says("SUBSCRIBE id:1 destination:/queue/a receipt:subscribed")
        self.hears("RECEIPT")
        self.says("SEND destination:/queue/a", "hello")
        assert self.hears("MESSAGE").endswith("\n\nhello")


def peer_of(running: Broker) -> Peer:
    """A connection to it, on which nothing was said yet."""
    return over_tcp(running.port())


def over_tcp(port: int, host: str = "127.0.0.1") -> Peer:
    return Peer(socket.create_connection((host, port), timeout=PATIENCE))
