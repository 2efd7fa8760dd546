"""A broker's file with messages in it, for backups and checks."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stomp_tx.engine.sqlite.check import Report
from stomp_tx.errors import StompError
from tests.engine.sqlite.test_engine import Files
from tests.scratch import scratch

NOBODY = 65534
CHECKOUT = Path(__file__).parents[2]


class Kept(Files):
    """A broker's file with messages in it, in a folder of its own."""

    def setUp(self) -> None:
        self.folder = scratch(self)
        super().setUp()

    def mktemp(self) -> str:
        return str(self.folder / "stomp.db")

    def target(self, name: str = "copy.db") -> str:
        return str(self.folder / name)

    def digests(self) -> dict[str, str]:
        """What is in the folder, octet for octet."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.iterdir()
            if not path.name.endswith("-shm")  # who reads a log says so there
        }

    def names(self) -> set[str]:
        return set(os.listdir(self.folder))

    def becomes(self, path: str) -> None:
        """This file is the engine's from now on."""
        self.dies()
        self.path = path
        self.open()

    def bodies(self, path: str) -> list[tuple[str, int]]:
        self.becomes(path)
        return [(message.body.decode(), message.attempts) for message in self.taker().got]

    def execute(self, statement: str, *values: Any) -> None:
        """By somebody else, while no broker runs."""
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                connection.execute(statement, values)
        finally:
            connection.close()

    def refused(self, call: Callable[..., object], *arguments: object) -> str:
        """Why that is refused, for a person."""
        error = self.assertRaises(StompError, call, *arguments)
        return f"{error.summary}: {error.detail}"

    def leaves_a_log(self) -> str:
        """The path of what a broker leaves that is killed: a file, and its log."""
        killed = self.target("killed.db")
        for ending in ("", "-wal"):
            shutil.copy(f"{self.path}{ending}", f"{killed}{ending}")
        return killed


def endless(connection: sqlite3.Connection, report: Report) -> None:
    """What takes SQLite very long, with Ctrl-C pressed."""
    pressed = []

    def press() -> int:
        if not pressed:
            pressed.append(True)
            raise KeyboardInterrupt
        return 0

    connection.set_progress_handler(press, 100)
    connection.execute(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    ).fetchone()


def overwrite(path: str, pages: Any, length: int = 4096) -> None:
    with open(path, "r+b") as stream:
        for page in pages:
            stream.seek(page * 4096)
            stream.write(b"\xa5" * length)


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
