"""Clients that say all they have to say and then close their side, as ``socat`` and shell scripts do."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stomp_tx.auth.passwords import PasswordFile
from tests.e2e.running import PATIENCE, Broker, Peer, broker, environment, eventually, over_tcp

FOR_EVER = str(PATIENCE * 10)
"""A ``linger`` that no test waits for: what ends at all has ended before it."""

CONNECT = "CONNECT accept-version:1.2 host:h login:ann passcode:open-sesame"
WAYS = ("tcp", "haproxy", "unix")


@pytest.fixture(params=["memory:", "sqlite:kept.db"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    PasswordFile(str(tmp_path / "users")).add("ann", "open-sesame")
    options = (
        *("--port", "tcp:0:interface=127.0.0.1"),
        *("--port", "haproxy:tcp:0:interface=127.0.0.1"),
        *("--port", f"unix:{tmp_path}/stomp.sock"),
        *("--auth", "passwd:users", "--engine", request.param, "--set", f"broker.linger={FOR_EVER}"),
    )
    with broker(tmp_path, *options, ports=len(WAYS)) as one:
        yield one


def peer(running: Broker, way: str, folder: Path) -> Peer:
    if way == "unix":
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(PATIENCE)
        unix.connect(f"{folder}/stomp.sock")
        return Peer(unix)
    if way == "tcp":
        return over_tcp(running.port("tcp"))
    one = over_tcp(running.port("haproxy:tcp"))
    one.socket.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 61613\r\n")
    return one


def script(*frames: tuple[str, str]) -> bytes:
    return b"".join("\n".join([*head.split(" "), "", f"{body}\0"]).encode() for head, body in frames)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_accepted_is_receipted_and_then_the_connection_ends(
    running: Broker, way: str, tmp_path: Path
) -> None:
    """All at once: nobody waits for CONNECTED, and the passcode's hash takes its time."""
    sends = [(f"SEND destination:/queue/a persistent:true receipt:{number}", "x") for number in range(300)]
    with peer(running, way, tmp_path) as ann:
        ann.socket.sendall(script((CONNECT, ""), *sends))
        ann.socket.shutdown(socket.SHUT_WR)
        ann.hears("CONNECTED")
        for number in range(300):
            assert f"receipt-id:{number}" in ann.hears("RECEIPT").split("\n")
        ann.hears_the_end()


@pytest.mark.parametrize("way", WAYS)
def test_disconnect_s_receipt_too(running: Broker, way: str, tmp_path: Path) -> None:
    send = "SEND destination:/queue/a persistent:true", "x"
    with peer(running, way, tmp_path) as ann:
        ann.socket.sendall(script((CONNECT, ""), send, ("DISCONNECT receipt:bye", "")))
        ann.socket.shutdown(socket.SHUT_WR)
        ann.hears("CONNECTED")
        assert "receipt-id:bye" in ann.hears("RECEIPT")
        ann.hears_the_end()


@pytest.mark.parametrize("way", WAYS)
def test_half_a_frame_is_an_error_behind_what_is_owed(running: Broker, way: str, tmp_path: Path) -> None:
    send = "SEND destination:/queue/a persistent:true receipt:1", "x"
    with peer(running, way, tmp_path) as ann:
        ann.socket.sendall(script((CONNECT, ""), send) + b"SEND\ndestination:/queue/a\n\nno NUL\n")
        ann.socket.shutdown(socket.SHUT_WR)
        ann.hears("CONNECTED")
        ann.hears("RECEIPT")
        assert "in the middle of a frame" in ann.hears("ERROR")
        ann.hears_the_end()


@pytest.mark.parametrize("way", WAYS)
def test_who_closes_the_whole_connection_is_gone_with_receipts_owed(
    running: Broker, way: str, tmp_path: Path
) -> None:
    sends = [(f"SEND destination:/queue/a persistent:true receipt:{number}", "x") for number in range(300)]
    with peer(running, way, tmp_path) as ann:
        ann.says(CONNECT)
        ann.hears("CONNECTED")
        ann.socket.sendall(script(*sends))
    eventually(lambda: "disconnected" in running.log, "the broker sees the end")
    with peer(running, way, tmp_path) as bob:
        bob.says(CONNECT)
        bob.hears("CONNECTED")
        bob.says("SUBSCRIBE id:1 destination:/queue/a")
        for _ in range(300):
            bob.hears("MESSAGE")


def test_a_client_whose_broker_closes_its_side_has_lost_it(tmp_path: Path) -> None:
    """It waits for no answer that can't come, and closes, though the broker would read on."""
    with socket.create_server(("127.0.0.1", 0)) as port:
        port.settimeout(PATIENCE)
        command = (sys.executable, "-m", "stomp_tx", "send", "/queue/a", "hello")
        url = f"stomp://127.0.0.1:{port.getsockname()[1]}"
        with subprocess.Popen(
            [*command, "--url", url], env=environment(), stderr=subprocess.PIPE, text=True
        ) as client:
            try:
                theirs, _ = port.accept()
                with Peer(theirs) as broker:
                    theirs.settimeout(PATIENCE)
                    broker.hears("CONNECT")
                    broker.says("CONNECTED version:1.2")
                    broker.hears("SEND")
                    theirs.shutdown(socket.SHUT_WR)
                    assert client.communicate(timeout=PATIENCE)[1].count("the connection was lost") == 1
                    assert client.returncode != 0
                    broker.hears_the_end()
            finally:
                client.kill()


@pytest.mark.parametrize("whole", [False, True], ids=["half", "whole"])
def test_what_it_held_goes_to_others_at_once(running: Broker, tmp_path: Path, whole: bool) -> None:
    """Whether it closes its own side or the connection: a broker can't tell which."""
    with peer(running, "tcp", tmp_path) as ann, peer(running, "tcp", tmp_path) as bob:
        for one in (ann, bob):
            one.says(CONNECT)
            one.hears("CONNECTED")
        ann.says("SUBSCRIBE id:1 destination:/queue/a ack:client-individual")
        ann.says("SEND destination:/queue/a persistent:true", "x")
        ann.hears("MESSAGE")
        if whole:
            ann.socket.close()
        else:
            ann.socket.shutdown(socket.SHUT_WR)
        bob.says("SUBSCRIBE id:1 destination:/queue/a")
        assert bob.hears("MESSAGE").endswith("\n\nx")
        if not whole:
            ann.hears_the_end()
