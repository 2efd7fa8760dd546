"""A full disk: nothing more is taken, what is there can be acknowledged, and then it goes on.

On a file system of its own, which only root can make.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Broker, Peer, broker, eventually, peer_of
from tests.e2e.test_durability import subscribes

SETTINGS = """
port = ["tcp:0:interface=127.0.0.1"]
engine = "sqlite:small/kept.db"

[engine_limits]
reserve_octets = "8 MiB"
"""
REFUSED = "persistent messages are refused"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A broker's folder; ``small`` in it, where its messages are, is on a file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        (tmp_path / "stomp.toml").write_text(SETTINGS)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fills(running: Broker, queue: str = "/queue/a") -> list[str]:
    """Send until that is refused; gives the bodies whose receipts came."""
    receipted: list[str] = []
    with peer_of(running) as ann:
        ann.connects()
        for number in range(10_000):
            body = f"{number}-".ljust(10_000, "x")
            ann.says(f"SEND destination:{queue} persistent:true receipt:{number}", body)
            answer = ann.hears_a_frame()
            if not answer.startswith("RECEIPT"):
                assert "disk is full" in answer, answer
                ann.hears_the_end()
                return receipted
            receipted.append(body)
    raise AssertionError("the disk never was full")


def is_refused(running: Broker) -> bool:
    with peer_of(running) as ann:
        ann.connects().says("SEND destination:/queue/b persistent:true receipt:1", "x")
        return "disk is full" in ann.hears_a_frame()


def acknowledges(peer: Peer, count: int) -> list[str]:
    """So many messages, each with a receipt; gives the bodies."""
    found: list[str] = []
    receipts = 0
    while receipts < count:
        head, _, body = peer.hears_a_frame().partition("\n\n")
        if head.startswith("RECEIPT"):
            receipts += 1
            continue
        assert head.startswith("MESSAGE"), head
        if len(found) < count:
            found.append(body)
            (ack,) = (line for line in head.split("\n") if line.startswith("ack:"))
            peer.says(f"ACK id:{ack[4:]} receipt:{len(found)}")
    return found


def fill_up(folder: Path) -> Path:
    """Another program takes all that is left."""
    other = folder / "other"
    with other.open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return other


def test_what_waits_can_be_acknowledged_and_then_there_is_room_again(small: Path) -> None:
    with broker(small.parent, "--config", "stomp.toml") as running:
        assert (small / "kept.db.reserve").stat().st_mode & 0o777 == 0o600
        receipted = fills(running)
        assert not (small / "kept.db.reserve").exists()
        assert is_refused(running)
        half = len(receipted) // 4
        with peer_of(running) as bob:
            subscribes(bob.connects(), "/queue/a", prefetch=1)
            assert acknowledges(bob, half) == receipted[:half]
        assert running.log.count(REFUSED) == 1
        running.stop(signal.SIGKILL)
    with broker(small.parent, "--config", "stomp.toml") as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a", prefetch=1)
        assert acknowledges(bob, len(receipted) - half) == receipted[half:]
        eventually(lambda: "has room again" in running.log or not is_refused(running), "it goes on")
        with peer_of(running) as ann:
            ann.connects().says("SEND destination:/queue/b persistent:true receipt:1", "later")
            ann.hears("RECEIPT")
        assert "Traceback" not in running.log
        assert running.stop() == 0


def test_so_it_is_where_another_program_takes_the_last_room(small: Path) -> None:
    with broker(small.parent, "--config", "stomp.toml") as running:
        with peer_of(running) as ann:
            ann.connects()
            for number in range(600):
                body = str(number).ljust(5000)
                ann.says(f"SEND destination:/queue/a persistent:true receipt:{number}", body)
                ann.hears("RECEIPT")
        other = fill_up(small)
        fills(running, "/queue/c")
        assert is_refused(running)
        with peer_of(running) as bob:
            subscribes(bob.connects(), "/queue/a", prefetch=1)
            assert [int(body) for body in acknowledges(bob, 300)] == list(range(300))
        os.unlink(other)
        eventually(lambda: running.log.count("has room again") == 1, "there is room again")
        assert (small / "kept.db.reserve").exists()
        assert not is_refused(running)
        fill_up(small)
        assert running.stop() == 0
    with broker(small.parent, "--config", "stomp.toml") as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a", prefetch=1)
        assert [int(body) for body in acknowledges(bob, 300)] == list(range(300, 600))
        assert REFUSED in running.log
        assert "Traceback" not in running.log
        os.unlink(small / "other")
        eventually(lambda: "has room again" in running.log, "there is room again")
        assert (small / "kept.db.reserve").exists()
        assert not is_refused(running)
