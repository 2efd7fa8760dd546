"""A client whose machine is gone without a word: what it held goes to others.

Broker and client have a network of their own each, with a cable between that the test pulls out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import CHECKOUT, PATIENCE, TWISTD, Peer, broker, environment

pytestmark = pytest.mark.slow

THEIRS, OURS = "192.0.2.1", "192.0.2.2"  # addresses for examples: no machine has one

GHOST = f"""
import sys, time
from tests.e2e.running import over_tcp
with over_tcp(int(sys.argv[1]), "{OURS}") as peer:
    peer.connects()
    peer.says("SUBSCRIBE id:1 destination:/queue/a ack:client-individual")
    message = peer.hears("MESSAGE")
    peer.says("SEND destination:/queue/heard", message.rpartition("\\n")[2])
    time.sleep({PATIENCE * 100})
"""


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def within(network: str) -> tuple[str, ...]:
    return "ip", "netns", "exec", network


@pytest.fixture
def networks() -> Iterator[tuple[str, str]]:
    """The names of the broker's and of the client's."""
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` here (iproute2), which makes networks")
    if os.geteuid() != 0:
        pytest.skip("only root may make networks")
    ours, theirs = (f"stomp-{name}-{os.getpid()}" for name in ("broker", "client"))
    made = []
    try:
        try:
            for network in (ours, theirs):
                ip("netns", "add", network)
                made.append(network)
            ip(
                "link",
                "add",
                "cable",
                "netns",
                ours,
                "type",
                "veth",
                "peer",
                "name",
                "cable",
                "netns",
                theirs,
            )
            for network, address in ((ours, OURS), (theirs, THEIRS)):
                ip("-n", network, "address", "add", f"{address}/24", "dev", "cable")
                ip("-n", network, "link", "set", "cable", "up")
        except OSError as error:
            pytest.skip(f"networks can't be made here: {error}")
        yield ours, theirs
    finally:
        for network in made:
            ip("netns", "delete", network)


def test_what_a_client_held_that_has_vanished_goes_to_others(
    networks: tuple[str, str], tmp_path: Path
) -> None:
    ours, theirs = networks
    options = ("--port", f"tcp:0:interface={OURS}", "--port", f"unix:{tmp_path}/sock", "--allow-anonymous")
    soon = ("tcp_keepalive=1", "tcp_keepalive_interval=1", "tcp_keepalive_probes=2")
    settings = (part for one in soon for part in ("--set", f"broker.{one}"))
    with (
        broker(tmp_path, *options, *settings, ports=2, command=(*within(ours), *TWISTD)) as running,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.settimeout(10 * PATIENCE)  # by default a connection is asked after a minute
        unix.connect(f"{tmp_path}/sock")
        bob = Peer(unix).connects()
        bob.says("SUBSCRIBE id:heard destination:/queue/heard")
        ghost = subprocess.Popen(
            [*within(theirs), sys.executable, "-c", GHOST, str(running.port())],
            cwd=CHECKOUT,
            env=environment(),
        )
        try:
            bob.says("SEND destination:/queue/a", "hello")
            # The broker's system knows by this that the ghost has got it: nothing is on its way to it.
            assert bob.hears("MESSAGE").endswith("\n\nhello")
            ip("-n", theirs, "link", "set", "cable", "down")
            bob.says("SUBSCRIBE id:a destination:/queue/a")
            assert bob.hears("MESSAGE").endswith("\n\nhello")
        finally:
            ghost.kill()
            ghost.wait()
        assert f"({THEIRS}" in running.log
