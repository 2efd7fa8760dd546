"""The tutorial and the how-to pages: every program, test and command in them is run as it stands there.

A block of ``python`` is a program, whose output is in the block of ``text`` behind it; with ``name=`` it is a
file for the commands that follow.  In a block of ``console`` lines that begin with ``$`` are commands and
the others are what they print; ``...`` stands for anything.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stomp_tx.testing import run_broker
from tests.e2e.running import CHECKOUT, PATIENCE, environment, eventually

PAGES = [CHECKOUT / "docs" / "tutorial.md", *sorted((CHECKOUT / "docs" / "how-to").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: name=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("python3 -m venv", ". venv", "pip install", "twistd --nodaemon stomp\n")
"""Commands that the test has done already, in its own way."""


class Reader:
    """Somebody who does what a page says."""

    def __init__(self, folder: Path, port: int, tls_port: int, stack: ExitStack) -> None:
        self.folder = folder
        self.ports = {"61613": str(port), "61617": str(tls_port)}
        self.env = environment(
            {
                "STOMP_URL": f"stomp://127.0.0.1:{port}",
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "XDG_CONFIG_HOME": str(folder),
                "COLUMNS": "100",
            }
        )
        self.stack = stack

    def reads(self, page: str) -> None:
        printed: str | None = None
        for kind, name, text in BLOCK.findall(page):
            for port, ours in self.ports.items():
                text = text.replace(port, ours)
            if kind == "python" and name:
                (self.folder / name).write_text(text)
            elif kind == "python":
                assert printed is None, "a program without its output"
                printed = self.runs(sys.executable, "-W", "error", "-c", text)
            elif kind == "text":
                assert printed == text
                printed = None
            elif kind == "console":
                self.types(text)
            else:
                raise AssertionError(f"a block of {kind}")
        assert printed is None, "a program without its output"

    def runs(self, *command: str) -> str:
        ran = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=PATIENCE
        )
        assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
        return ran.stdout

    def types(self, text: str) -> None:
        for command, expected in re.findall(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            if command.startswith(ELSEWHERE):
                continue
            if command.endswith("&\n"):
                self.stack.enter_context(self.background(command.rstrip("&\n")))
                continue
            ran = subprocess.run(
                ["bash", "-c", f"set -o pipefail; {command}"],
                cwd=self.folder,
                env=self.env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=2 * PATIENCE,
            )
            assert ran.returncode == 0, (command, ran.stdout)
            pattern = re.escape(expected.strip()).replace(r"\.\.\.", "(?s:.*)")
            assert re.search(pattern, ran.stdout), (command, ran.stdout)

    @contextmanager
    def background(self, command: str) -> Iterator[None]:
        words = shlex.split(command)
        if words[0] == "twistd":
            words.insert(1, "--pidfile=")
        process = subprocess.Popen(
            words, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for port in self.ports.values():
                if port in command:
                    eventually(lambda port=port: accepts(port), f"{command} listens")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


@pytest.mark.parametrize("path", PAGES, ids=[path.stem for path in PAGES])
def test_page(path: Path, tmp_path: Path, unused_port: int) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(run_broker())
        reader = Reader(tmp_path, broker.port(), unused_port, stack)
        reader.reads(path.read_text(encoding="utf-8"))


def accepts(port: str) -> bool:
    """Does somebody listen there?"""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", int(port))) == 0


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_the_pages_that_pages_name_exist() -> None:
    for path in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), (path.name, target)
