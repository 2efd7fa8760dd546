"""What survives the end of the broker's process, and what its owner is told when the file can't be used."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from stomp_tx.wire.parser import FrameParser
from tests.e2e.full_disk import CAN_NOT_WRITE, may_write_only
from tests.e2e.running import PATIENCE, TWISTD, Broker, Peer, broker, environment, eventually, peer_of, run

ANY_PORT = ("--port", "tcp:0:interface=127.0.0.1")
PUT_A_BACKUP = "`stomp-tx check` tells what is lost; `stomp-tx repair` it, or put a backup in its place"
ON_FILE = (*ANY_PORT, "--engine", "sqlite:kept.db")


def sends(peer: Peer, queue: str, *bodies: str, headers: str = "persistent:true") -> None:
    """They are on the disk when this returns."""
    for number, body in enumerate(bodies):
        peer.says(f"SEND destination:{queue} {headers} receipt:{number}", body)
    for number in range(len(bodies)):
        assert f"receipt-id:{number}" in peer.hears("RECEIPT").split("\n")


def subscribes(peer: Peer, queue: str, prefetch: int = 1000, ack: str = "client-individual") -> None:
    peer.says(
        f"SUBSCRIBE id:{queue} destination:{queue} ack:{ack} prefetch-count:{prefetch} receipt:subscribed"
    )
    peer.hears("RECEIPT")


def takes(peer: Peer) -> tuple[str, dict[str, str]]:
    """The next message: its body and headers."""
    head, _, body = peer.hears("MESSAGE").partition("\n\n")
    return body, dict(line.split(":", 1) for line in head.split("\n")[1:])


def is_empty(peer: Peer, queue: str) -> bool:
    """Nothing more comes from it than what is sent now."""
    peer.says(f"SEND destination:{queue} persistent:true", "the last")
    return takes(peer)[0] == "the last"


# -- what survives ----------------------------------------------------------------------------------------


def test_an_orderly_stop_keeps_the_order_and_how_often_each_was_delivered(tmp_path: Path) -> None:
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann, peer_of(running) as bob:
        sends(ann.connects(), "/queue/a", "refused twice")
        subscribes(bob.connects(), "/queue/a", prefetch=2)
        refused = takes(bob)
        for _ in range(2):
            bob.says(f"NACK id:{refused[1]['ack']}")
            refused = takes(bob)
        assert refused[1]["redelivery-count"] == "2"
        sends(ann, "/queue/a", "taken", "untouched", "untouched too")
        assert takes(bob)[0] == "taken"
        running.process.send_signal(signal.SIGTERM)
        for peer in (ann, bob):
            peer.hears_the_end()
            peer.socket.close()
        assert running.process.wait(PATIENCE) == 0
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a")
        found = [takes(bob) for _ in range(4)]
        assert [
            (body, headers.get("redelivered"), headers.get("redelivery-count")) for body, headers in found
        ] == [
            ("refused twice", "true", "3"),
            ("taken", "true", "1"),
            ("untouched", None, None),
            ("untouched too", None, None),
        ]
        assert is_empty(bob, "/queue/a")


def test_a_kill_keeps_what_was_receipted_and_not_what_was_acknowledged(tmp_path: Path) -> None:
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann, peer_of(running) as bob:
        sends(ann.connects(), "/queue/a", "first", "second", "third", "fourth")
        subscribes(bob.connects(), "/queue/a", prefetch=2)
        first, second = takes(bob), takes(bob)
        bob.says(f"ACK id:{first[1]['ack']} receipt:acknowledged")
        assert takes(bob)[0] == "third"  # there is room for it now
        assert "receipt-id:acknowledged" in bob.hears("RECEIPT")
        assert (second[0], second[1].get("redelivered")) == ("second", None)
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a")
        found = [takes(bob) for _ in range(3)]
        assert [body for body, _ in found] == ["second", "third", "fourth"]
        assert [headers.get("redelivered") for _, headers in found[:2]] == ["true", "true"]
        assert is_empty(bob, "/queue/a")


def test_a_kill_keeps_transactions_whole_durable_subscriptions_and_names(tmp_path: Path) -> None:
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann, peer_of(running) as bob:
        ann.connects()
        bob.connects().says("SUBSCRIBE id:1 destination:/topic/t durable-subscription:bob receipt:subscribed")
        bob.hears("RECEIPT")
        bob.says("DISCONNECT receipt:bye")
        bob.hears("RECEIPT")
        sends(ann, "/topic/t", "news")
        sends(ann, "/queue/a", "once", headers="persistent:true message-dedupe-id:1")
        for name in ("whole", "unfinished"):
            ann.says(f"BEGIN transaction:{name}")
            for number in range(2):
                ann.says(f"SEND destination:/queue/a persistent:true transaction:{name}", f"{name} {number}")
        ann.says("COMMIT transaction:whole receipt:whole")
        ann.hears("RECEIPT")
        running.stop(signal.SIGKILL)
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann, peer_of(running) as bob:
        sends(ann.connects(), "/queue/a", "once", headers="persistent:true message-dedupe-id:1")
        subscribes(bob.connects(), "/queue/a")
        assert [takes(bob)[0] for _ in range(3)] == ["once", "whole 0", "whole 1"]
        assert is_empty(bob, "/queue/a")
        bob.says("SUBSCRIBE id:1 destination:/topic/t durable-subscription:bob receipt:subscribed")
        bob.hears("RECEIPT")
        assert takes(bob)[0] == "news"


def test_only_what_is_persistent_outlives_the_broker(tmp_path: Path) -> None:
    with broker(tmp_path, *ON_FILE) as running:
        with peer_of(running) as ann:
            sends(ann.connects(), "/queue/a", "transient", headers="x:y")
            sends(ann, "/queue/a", "persistent")
        assert running.stop() == 0
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a")
        assert takes(bob)[0] == "persistent"


def test_by_default_the_file_is_where_the_broker_runs(tmp_path: Path) -> None:
    with broker(tmp_path, *ANY_PORT) as running:
        with peer_of(running) as ann:
            sends(ann.connects(), "/queue/a", "kept")
        assert running.stop() == 0
    assert (tmp_path / "stomp.db").exists()
    with broker(tmp_path, *ANY_PORT) as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a")
        assert takes(bob)[0] == "kept"


@pytest.mark.parametrize("umask", ["000", "022"])
def test_what_it_writes_is_for_its_own_user_only(tmp_path: Path, umask: str) -> None:
    command = ("sh", "-c", f'umask {umask}; exec "$@"', "sh", *TWISTD)
    with broker(tmp_path, *ANY_PORT, command=command) as running, peer_of(running) as ann:
        sends(ann.connects(), "/queue/a", "kept")
        modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    del modes["broker.log"]  # (which this test makes)
    names = ("stomp.db", "stomp.db-shm", "stomp.db-wal", "stomp.db.lock", "stomp.db.reserve")
    assert modes == dict.fromkeys(names, 0o600)


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_long_backlog_is_drained_in_order_across_a_restart(tmp_path: Path, signum: int) -> None:
    count, before = 50_000, 20_000
    with broker(tmp_path, *ON_FILE) as running:
        with peer_of(running) as ann, peer_of(running) as bob:
            send = b"SEND\ndestination:/queue/a\npersistent:true\n\n"
            ann.connects().socket.sendall(b"".join(b"%b%d\0" % (send, number) for number in range(count)))
            ann.says("DISCONNECT receipt:safe")
            ann.hears("RECEIPT")
            subscribes(bob.connects(), "/queue/a", ack="client")
            assert drains(bob, before) == list(range(before))
        running.stop(signum)
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a", ack="client")
        assert drains(bob, count - before) == list(range(before, count))
        assert is_empty(bob, "/queue/a")


def drains(peer: Peer, count: int) -> list[int]:
    """The next so many messages, acknowledged: the numbers that are their bodies."""
    parser = FrameParser()
    parser.version = "1.2"
    numbers: list[int] = []
    while octets := peer.receives():
        parser.feed(octets)
        while (frame := parser.next_frame()) is not None:
            if frame.command == "RECEIPT":
                return numbers
            if len(numbers) < count:
                numbers.append(int(frame.body))
                if len(numbers) % 500 == 0:
                    receipt = " receipt:all" if len(numbers) == count else ""
                    peer.says(f"ACK id:{frame.headers['ack']}{receipt}")
    raise AssertionError(f"the connection ended after {len(numbers)}")


# -- when the disk is full --------------------------------------------------------------------------------


def let_write(running: Broker, octets: int) -> None:
    """From now on none of its files may be larger."""
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))


def fills_the_disk(peer: Peer) -> tuple[list[str], str]:
    """The bodies whose receipts came, and the ERROR that came instead of one."""
    receipted: list[str] = []
    for number in range(1000):
        body = f"{number}-".ljust(10_000, "x")
        peer.says(f"SEND destination:/queue/a persistent:true receipt:{number}", body)
        answer = peer.hears_a_frame()
        if not answer.startswith("RECEIPT"):
            return receipted, answer
        receipted.append(body)
    raise AssertionError("the disk never was full")


def test_a_full_disk_is_an_error_to_producers_and_loses_nothing_that_was_receipted(tmp_path: Path) -> None:
    with broker(tmp_path, *ON_FILE, command=may_write_only(1_000_000)) as running:
        with peer_of(running) as ann:
            receipted, error = fills_the_disk(ann.connects())
            assert receipted
            assert error.startswith("ERROR\n")
            assert f"\nreceipt-id:{len(receipted)}\n" in error
            assert CAN_NOT_WRITE in error
            assert str(tmp_path) not in error
            ann.hears_the_end()
        with peer_of(running) as bob:
            bob.connects().says("SUBSCRIBE id:1 destination:/queue/b receipt:1")
            bob.hears("RECEIPT")
            for _ in range(10):
                bob.says("SEND destination:/queue/b", "not persistent")
                assert takes(bob)[0] == "not persistent"
        assert CAN_NOT_WRITE in running.log
        assert str(tmp_path / "kept.db") in running.log
        assert "Traceback" not in running.log
        running.stop(signal.SIGKILL)
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a")
        assert [takes(bob)[0] for _ in receipted] == receipted
        assert is_empty(bob, "/queue/a")


def test_when_there_is_room_again_the_broker_goes_on(tmp_path: Path) -> None:
    with broker(tmp_path, *ON_FILE, command=may_write_only(1_000_000)) as running:
        with peer_of(running) as ann:
            receipted, _ = fills_the_disk(ann.connects())
        let_write(running, resource.RLIM_INFINITY)
        with peer_of(running) as ann:
            sends(ann.connects(), "/queue/a", "later")
            subscribes(ann, "/queue/a")
            assert [takes(ann)[0] for _ in range(len(receipted) + 1)] == [*receipted, "later"]
            assert is_empty(ann, "/queue/a")
        eventually(lambda: "the file can be written again" in running.log, "the log says so")
        assert running.stop() == 0


def test_what_could_not_be_acknowledged_comes_again(tmp_path: Path) -> None:
    bodies = [f"{number}-".ljust(10_000, "x") for number in range(20)]
    with broker(tmp_path, *ON_FILE) as running:
        with peer_of(running) as ann, peer_of(running) as bob:
            sends(ann.connects(), "/queue/a", *bodies)
            subscribes(bob.connects(), "/queue/a")
            held = [takes(bob) for _ in bodies]
            let_write(running, 100_000)
            bob.says(f"ACK id:{held[0][1]['ack']} receipt:acknowledged")
            while (error := bob.hears_a_frame()).startswith("MESSAGE"):
                pass  # it may come again before its consumer is told
            assert error.startswith("ERROR\n") and "\nreceipt-id:acknowledged\n" in error
        let_write(running, resource.RLIM_INFINITY)
        with peer_of(running) as bob:
            subscribes(bob.connects(), "/queue/a")
            found = [takes(bob) for _ in bodies]
            assert [body for body, _ in found] == bodies
            assert {headers["redelivered"] for _, headers in found} == {"true"}
        running.stop(signal.SIGKILL)
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as bob:
        subscribes(bob.connects(), "/queue/a")
        assert [takes(bob)[0] for _ in bodies] == bodies
        assert is_empty(bob, "/queue/a")


# -- what can't start -------------------------------------------------------------------------------------


def refused(folder: Path, engine: str = "sqlite:kept.db") -> str:
    """The one line that a broker ends with which can't use its file."""
    ended = run(folder, *ANY_PORT, "--engine", engine)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if "stomp: " in line]
    assert len(lines) == 1, said
    return lines[0].partition("stomp: ")[2]


def with_messages(folder: Path, count: int = 500, size: int = 1000) -> Path:
    """The file of a broker that has stopped, in which so many messages wait in /queue/a."""
    with broker(folder, *ON_FILE) as running:
        with peer_of(running) as ann:
            sends(ann.connects(), "/queue/a", *(f"{number}-".ljust(size, "x") for number in range(count)))
        assert running.stop() == 0
    return folder / "kept.db"


def test_a_second_broker_with_the_same_file_ends_and_the_first_goes_on(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann:
        sends(ann.connects(), "/queue/a", "before")
        path, process = tmp_path / "kept.db", running.process.pid
        assert refused(other, f"sqlite:{path}") == (
            f"another broker uses {path}: end process {process}, or give this one another file"
        )
        sends(ann, "/queue/a", "after")
        subscribes(ann, "/queue/a")
        assert [takes(ann)[0] for _ in range(2)] == ["before", "after"]
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann:
        ann.connects()  # the lock went with the process


@pytest.mark.parametrize("damage", ["noise", "text", "half"])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, damage: str) -> None:
    path = with_messages(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "noise": Random(1).randbytes(len(whole)),
            "text": b"hello\n" * 1000,
            "half": whole[: len(whole) // 2],
        }[damage]
    )
    before = path.read_bytes()
    line = refused(tmp_path)
    assert line.startswith(f"{path} is damaged: ")
    assert line.endswith(PUT_A_BACKUP)
    assert path.read_bytes() == before


def test_a_file_that_is_damaged_in_the_middle_harms_no_other_queue(tmp_path: Path) -> None:
    path = with_messages(tmp_path, 3000, 500)  # (longer bodies have pages of their own)
    octets = bytearray(path.read_bytes())
    middle = len(octets) // 2 // 4096 * 4096
    octets[middle : middle + 40 * 4096] = Random(1).randbytes(40 * 4096)
    path.write_bytes(octets)
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann, peer_of(running) as bob:
        subscribes(ann.connects(), "/queue/a")
        assert takes(ann)[0].startswith("0-")
        eventually(lambda: "/queue/a stands still" in running.log, "the log says so")
        assert f"use `stomp-tx repair {path}`" in running.log
        subscribes(bob.connects(), "/queue/b")
        bob.says("SEND destination:/queue/b", "hello")
        assert takes(bob)[0] == "hello"
        sends(bob, "/queue/a", "behind")
        assert "Traceback" not in running.log
        assert running.stop() == 0
    ran = subprocess.run(
        [sys.executable, "-m", "stomp_tx", "repair", str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr) == (1, ""), ran
    assert "lost: /queue/a: " in ran.stdout
    with broker(tmp_path, *ON_FILE) as running, peer_of(running) as ann:
        subscribes(ann.connects(), "/queue/a", prefetch=10_000)
        numbers = []
        while (body := takes(ann)[0]) != "behind":
            numbers.append(int(body.partition("-")[0]))
        assert numbers == sorted(set(numbers))
        assert numbers[0] in (0, 1) and numbers[-1] == 2999 and 2000 < len(numbers) < 3000
        assert "stands still" not in running.log


def test_the_file_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    with closing(sqlite3.connect(path)) as theirs, theirs:
        theirs.execute("CREATE TABLE invoice (number INTEGER)")
    before = path.read_bytes()
    assert refused(tmp_path) == (
        f"{path} is some other program's file: give the broker a file of its own: --engine sqlite:PATH"
    )
    assert path.read_bytes() == before


def test_the_file_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = with_messages(tmp_path, 1)
    with closing(sqlite3.connect(path)) as newer, newer:
        (version,) = newer.execute("PRAGMA user_version").fetchone()
        newer.execute("PRAGMA user_version = 99")
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    assert refused(tmp_path) == (
        f"{path} was written by a newer stomp-tx: its version is 99, this program's is {version}:"
        " use that one, or a backup from before"
    )
    assert path.read_bytes() == before


def nowhere(folder: Path) -> Path:
    return folder / "there" / "is" / "none"


def under_a_file(folder: Path) -> Path:
    (folder / "file").write_text("no folder")
    return folder / "file"


def of_the_kernel(folder: Path) -> Path:
    return Path("/proc")  # where root can't make files either


@pytest.mark.parametrize("place", [nowhere, under_a_file, of_the_kernel])
def test_a_folder_that_can_not_be_written_to(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    path = place(tmp_path) / "kept.db"
    line = refused(tmp_path, f"sqlite:{path}")
    assert str(path) in line
    assert line.startswith("can't ")
    assert line.endswith("the broker needs a folder that it can write to")


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "kept.db").mkdir()
    assert refused(tmp_path).startswith(f"can't open {tmp_path / 'kept.db'}: ")


@pytest.mark.skipif(shutil.which("chattr") is None, reason="there is no chattr here")
def test_a_file_that_can_not_be_written_to(tmp_path: Path) -> None:
    path = with_messages(tmp_path, 1)
    frozen = subprocess.run(["chattr", "+i", str(path)], capture_output=True)
    if os.geteuid() != 0 or frozen.returncode:
        pytest.skip("no right to freeze a file, or no such file system")
    try:
        line = refused(tmp_path)
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)
    assert str(path) in line
    assert line.endswith("the file or its folder can't be written by this user: see to its owner and mode")


def test_a_signal_while_the_file_is_opened_ends_it_in_order(tmp_path: Path) -> None:
    """No port is open by then: nobody is let in who would be thrown out."""
    with broker(tmp_path, *ON_FILE) as running:
        assert running.stop() == 0
    busy = sqlite3.connect(tmp_path / "kept.db", isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")  # the broker waits for its end
    lock = tmp_path / "kept.db.lock"
    with broker(tmp_path, *ON_FILE, ports=0) as running:
        eventually(lambda: lock.read_text() == f"{running.process.pid}\n", "it opens the file")
        running.process.send_signal(signal.SIGTERM)
        assert "STOMP 1.0-1.2 at" not in running.log
        busy.execute("ROLLBACK")
        assert running.process.wait(PATIENCE) == 0
    busy.close()
