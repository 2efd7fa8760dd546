"""A newcomer whose broker does not run, or whose passcode is wrong, sees what is wrong at once."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.running import CHECKOUT, PATIENCE, broker, environment
from tests.e2e.users import ANY_PORT, passwd

TUTORIAL = (CHECKOUT / "docs" / "tutorial.md").read_text(encoding="utf-8")
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"^```python name=(\S+)\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL))
CONNECT, SERVICE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[:2]
ASYNCIO = re.search(
    r"^```python\n(.*?)^```$",
    (CHECKOUT / "docs" / "how-to" / "asyncio.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
assert ASYNCIO is not None
SERVICES = {
    "kitchen": PROGRAMS["kitchen.py"],
    "guest": PROGRAMS["guest.py"],
    "readme": SERVICE,
    "asyncio": ASYNCIO[1],
    "reconnecting": (CHECKOUT / "examples" / "reconnecting.py").read_text(encoding="utf-8"),
}
"""Programs with a StompClientService."""

LOGS = """
import sys
from twisted.logger import globalLogBeginner, textFileLogObserver
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
"""

WRONG = ', login="ann", passcode="wrong")'


@pytest.fixture
def port() -> Iterator[str]:
    """Where nobody listens, and nobody will."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield str(one.getsockname()[1])


@contextmanager
def running(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


@pytest.mark.parametrize("name", SERVICES)
def test_no_broker(name: str, port: str, tmp_path: Path) -> None:
    with running(SERVICES[name].replace("61613", port).replace("61614", port), tmp_path) as program:
        assert program.stdout is not None and program.stderr is not None
        said = program.stdout.readline() if name == "reconnecting" else program.stderr.readline()
        assert "attempt 1" in said and "Connection was refused" in said
        if name != "reconnecting":
            assert f"tcp:127.0.0.1:{port}" in said


@pytest.mark.parametrize("name", ["kitchen", "guest"])
def test_wrong_passcode(name: str, tmp_path: Path) -> None:
    with broker(tmp_path, *ANY_PORT, *passwd(tmp_path, "ann")) as one:
        code = SERVICES[name].replace('61613")', "61613" + '"' + WRONG).replace("61613", str(one.port()))
        with running(code, tmp_path) as program:
            assert program.stderr is not None
            said = program.stderr.readline()
            assert "gives up" in said and "the login or the passcode is wrong" in said
            if name == "guest":
                assert "LoginRefused" in program.stderr.read()
                assert program.wait(PATIENCE) == 1


def test_one_connection(port: str, tmp_path: Path) -> None:
    with running(CONNECT.replace("61613", port), tmp_path) as program:
        assert program.stderr is not None
        *before, why = program.stderr.read().strip().splitlines()
        said = f"no connection to tcp:127.0.0.1:{port}: Connection was refused"
        assert why.startswith(f"stomp_tx.errors.NoConnection: {said}")
        assert "opening.py" not in "".join(before)  # what goes on within is of no use
        assert program.wait(PATIENCE) == 1


def test_a_program_that_logs_has_it_in_its_log_and_nowhere_else(port: str, tmp_path: Path) -> None:
    code = LOGS + PROGRAMS["kitchen.py"].replace("61613", port)
    with running(code, tmp_path) as program:
        assert program.stdout is not None and program.stderr is not None
        for line in program.stdout:
            if "attempt 1 to connect failed" in line:
                break
        program.terminate()
        assert program.stderr.read() == ""
