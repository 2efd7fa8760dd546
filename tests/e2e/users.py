"""Users of a broker in a process of its own, and who connects from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.running import PATIENCE, Broker, Peer, environment, over_tcp

ANY_PORT = ("--port", "tcp:0:interface=127.0.0.1")
PROXIED = ("--port", "haproxy:tcp:0:interface=127.0.0.1")


def stomp_tx(folder: Path, *arguments: str, stdin: str = "") -> str:
    """What the command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "stomp_tx", *arguments],
        cwd=folder,
        env=environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def passwd(folder: Path, *users: str) -> tuple[str, str]:
    """Options for a broker with these users, whose passcodes are their names backwards."""
    for user in users:
        stomp_tx(folder, "passwd", "add", "--stdin", "users", user, stdin=f"{user[::-1]}\n")
    return "--auth", "passwd:users"


def as_user(peer: Peer, user: str, passcode: str | None = None) -> Peer:
    shown = user[::-1] if passcode is None else passcode
    peer.says(f"CONNECT accept-version:1.2 host:h login:{user} passcode:{shown}")
    return peer


def from_address(running: Broker, address: str) -> Peer:
    """A connection for which the proxy in front says that it comes from there."""
    peer = over_tcp(running.port("haproxy:tcp"))
    peer.socket.sendall(f"PROXY TCP4 {address} 127.0.0.1 40000 61613\r\n".encode())
    return peer
