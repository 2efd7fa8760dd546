"""``stomp-tx reply``."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stomp_tx.testing import BrokerProcess
from stomp_tx.testing.process import PATIENCE
from tests.cli.test_messaging import Shell


class Office:
    """Those who reply, to be ended with the test."""

    def __init__(self, broker: BrokerProcess, queue: str) -> None:
        self.shell = Shell(broker)
        self.queue = queue
        self._replying: list[subprocess.Popen[str]] = []

    def replies(self, *arguments: str) -> subprocess.Popen[str]:
        replying = self.shell.begins("reply", self.queue, *arguments)
        self._replying.append(replying)
        return replying

    def asks(self, body: str) -> str:
        return self.shell.says("request", self.queue, body, "--format", "raw")

    def close(self) -> None:
        for one in self._replying:
            one.kill()
            one.communicate(timeout=PATIENCE)


@pytest.fixture
def office(stomp_broker: BrokerProcess, request: pytest.FixtureRequest) -> Iterator[Office]:
    office = Office(stomp_broker, f"/queue/{request.node.name}")
    yield office
    office.close()


def test_with_a_body(office: Office) -> None:
    replying = office.replies("ok", "--count", "2")
    assert [office.asks("well?"), office.asks("well?")] == ["ok", "ok"]
    assert replying.wait(PATIENCE) == 0


def test_with_what_a_command_writes(office: Office) -> None:
    replying = office.replies("--command", "tr a-z A-Z", "--count", "1")
    assert office.asks("hello") == "HELLO"
    assert replying.wait(PATIENCE) == 0


def test_several_at_a_time(office: Office, tmp_path: Path) -> None:
    """The first one ends when the second one has begun: they meet at a pipe."""
    os.mkfifo(tmp_path / "pipe")
    answers = f"{office.queue}.answers"
    for what in ("read", "write"):
        office.shell.says("send", office.queue, f"{what}\n", "-H", f"reply-to:{answers}")
    command = f"cd {tmp_path}; read what; if [ $what = read ]; then cat pipe; else echo hi | tee pipe; fi"
    office.replies("--command", command, "--concurrency", "2")
    assert office.shell.says("subscribe", answers, "--count", "2", "--format", "raw") == "hi\nhi\n"


def test_a_command_that_fails_refuses_the_request(office: Office) -> None:
    office.shell.says("send", office.queue, "hello", "-H", "reply-to:/queue/none")
    replying = office.replies("--command", "exit 3")
    assert replying.stderr is not None
    assert replying.stderr.readline().endswith("the command has ended with status 3\n")
    replying.send_signal(signal.SIGINT)
    assert replying.wait(PATIENCE) == 130
    shown = office.shell.says("subscribe", office.queue, "--count", "1", "--format", "json")
    assert '"body": "hello"' in shown


def test_a_command_that_takes_too_long_is_killed(office: Office) -> None:
    office.shell.says("send", office.queue, "hello", "-H", "reply-to:/queue/none")
    replying = office.replies("--command", "exec sleep 1000", "--command-timeout", "0.1")
    assert replying.stderr is not None
    assert "the command took more than 0.1 seconds" in replying.stderr.readline()


@pytest.mark.parametrize("arguments", [[], ["ok", "--command", "date"]])
def test_it_takes_one_or_the_other(office: Office, arguments: list[str]) -> None:
    ran = office.shell.run("reply", office.queue, *arguments)
    assert (ran.returncode, ran.stderr) == (2, "stomp-tx: it takes a BODY or a --command: one of them\n")
