"""Ctrl-C: whenever it comes, and as often."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from stomp_tx.testing.process import PATIENCE, environment
from tests.cli.commandline import process

DURING_IMPORT = """
import os, signal, sys
from stomp_tx.__main__ import main

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["DURING"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
sys.exit(main())
"""

AMID_A_COMMAND = """
import os, signal, sys
from stomp_tx.__main__ import main
import stomp_tx.cli.commands.passwd as passwd

def _passcode(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        print("cleaned up")

passwd._passcode = _passcode
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["stomp_tx.cli.commands.send", "twisted.internet.reactor"])
@pytest.mark.parametrize("more", [[], ["--reconnect"]])
def test_during_import(module: str, more: list[str]) -> None:
    ran = process(
        *("subscribe", "/queue/a", "--url", "stomp://127.0.0.1:1", *more),
        command=(sys.executable, "-c", DURING_IMPORT),
        environ={"DURING": module},
        capture_output=True,
    )
    assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (130, "", "stomp-tx: interrupted")


def test_two_quick_ones_let_a_command_clean_up() -> None:
    command = (sys.executable, "-c", AMID_A_COMMAND)
    ran = process("passwd", "add", "file", "ann", command=command, capture_output=True)
    assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (130, "cleaned up\n", "stomp-tx: interrupted")


class SilentBroker:
    """Lets one client in, and says what it is told to, but answers nothing by itself."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE)
        self.port = self._listening.getsockname()[1]
        self._heard = b""

    def lets_in(self) -> None:
        self._peer, _ = self._listening.accept()
        self._peer.settimeout(PATIENCE)
        self.hears(b"CONNECT\n")
        self.says(b"CONNECTED\nversion:1.2\n\n\0")

    def says(self, frames: bytes) -> None:
        self._peer.sendall(frames)

    def hears(self, what: bytes) -> None:
        while what not in self._heard:
            came = self._peer.recv(65536)
            assert came, self._heard
            self._heard += came

    def close(self) -> None:
        self._peer.close()
        self._listening.close()


def test_a_second_one_does_not_wait_for_a_broker_that_does_not_answer() -> None:
    broker = SilentBroker()
    listening = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "stomp_tx",
            "subscribe",
            "/queue/a",
            "--url",
            f"stomp://127.0.0.1:{broker.port}",
        ],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        broker.lets_in()
        broker.hears(b"SUBSCRIBE\nreceipt:1\n")
        broker.says(
            b"RECEIPT\nreceipt-id:1\n\n\0MESSAGE\nsubscription:1\nmessage-id:1\nack:1\ndestination:/queue/a\n\nhi\0"
        )
        broker.hears(b"ACK\n")
        listening.send_signal(signal.SIGINT)
        broker.hears(b"DISCONNECT\n")
        listening.send_signal(signal.SIGINT)
        out, err = listening.communicate(timeout=PATIENCE)
        assert (listening.returncode, out, err) == (
            130,
            "/queue/a  1    2 octets\nhi\n",
            "stomp-tx: interrupted\n",
        )
    finally:
        listening.kill()
        listening.wait()
        broker.close()


def test_what_is_ignored_stays_ignored() -> None:
    code = (
        "import signal, sys; from stomp_tx.cli.interrupts import INTERRUPTS;"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); INTERRUPTS.take(); signal.raise_signal(signal.SIGHUP);"
        "INTERRUPTS.give_back(); print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    assert process(command=(sys.executable, "-c", code), capture_output=True).stdout == "True\n"
