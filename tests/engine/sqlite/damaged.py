"""Real files that are damaged: pages overwritten, heads cut off, rows gone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from twisted.logger import globalLogPublisher

from stomp_tx.engine.sqlite.engine import SQLiteEngine
from tests.engine.sqlite.kept import Kept

PAGE = 4096

GARBAGE: dict[str, Callable[[bytes, int], bytes]] = {
    "zeroes": lambda page, seed: bytes(PAGE),
    "noise": lambda page, seed: Random(seed).randbytes(PAGE),
    "half noise": lambda page, seed: page[: PAGE // 2] + Random(seed).randbytes(PAGE // 2),
    "places": lambda page, seed: page[:12] + Random(seed).randbytes(12) + page[24:],
    "fewer rows": lambda page, seed: page[:3] + b"\0\2" + page[5:],
}
"""Ways in which a page can be wrong: what was there, and a seed."""


def body(queue: str, number: int) -> str:
    """Some 8 of these are on one page."""
    return f"{queue}-{number:04}-" + "x" * 400


def page_of(path: str, text: str) -> int:
    """Of the file, the last one that has this."""
    place = Path(path).read_bytes().rfind(text.encode())
    assert place > 0, f"{text} is not in {path}"
    return place // PAGE


def damage(path: str, page: int, how: str) -> None:
    with open(path, "r+b") as stream:
        stream.seek(page * PAGE)
        whole = stream.read(PAGE)
        stream.seek(page * PAGE)
        stream.write(GARBAGE[how](whole, page)[: len(whole)])


class Damaged(Kept):
    """A file with messages in two queues, which come by turns, and an engine of which little is in memory."""

    COUNT = 120

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[str] = []
        self.told: list[tuple[str, int, str]] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)

    def _log(self, event: dict[str, Any]) -> None:
        if event["log_level"].name in ("critical", "warn"):
            self.logged.append(event["log_format"].format_map({"path": "", **event}))

    def open(self, **limits: Any) -> SQLiteEngine:
        engine = super().open(**{"window_length": 20, **limits})
        engine.damaged = lambda *facts: self.told.append(facts)
        return engine

    def afresh(self) -> None:
        """As at the beginning."""
        self.dies()
        for name in self.names():
            os.unlink(self.target(name))
        self.open()
        self.logged.clear()
        self.told.clear()

    def fill(self, *queues: str, **keeping: Any) -> None:
        for number in range(self.COUNT):
            for queue in queues or ("a", "b"):
                self.engine.append(self.message(body(queue, number), f"/queue/{queue}", **keeping))
            if number % 10 == 9:
                self.turn()

    def settle_in(self) -> None:
        """Have all that was written in the file itself."""
        assert self.engine._file.writer is not None
        self.engine._file.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def hit(self, *numbers: int, queue: str = "a", how: str = "noise") -> None:
        """Damage the pages where these are."""
        for page in {page_of(self.path, body(queue, number)) for number in numbers}:
            damage(self.path, page, how)

    def damaged(self, *numbers: int, queue: str = "a", how: str = "noise", **keeping: Any) -> None:
        """A new engine on a file that is damaged there."""
        self.fill(**keeping)
        self.stops()
        self.hit(*numbers, queue=queue, how=how)
        self.open()

    def changed(self, statement: str, *values: Any) -> None:
        """By somebody else; then a new engine."""
        self.stops()
        self.execute(statement, *values)
        self.open()

    def sweep(self, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        self.seconds += seconds
        self.engine.expire(int(self.seconds * 1000), lambda message: [])
        self.turn()

    def which(self, taker: Any) -> list[int]:
        """Of the messages that it got."""
        return [int(message.body.split(b"-")[1]) for message in taker.got]

    def of_row(self, number: int, queue: int = 1) -> int:
        """Its position."""
        with sqlite3.connect(self.path) as connection:
            (position,) = connection.execute(
                "SELECT position FROM message WHERE queue = ? ORDER BY position LIMIT 1 OFFSET ?",
                (queue, number),
            ).fetchone()
        connection.close()
        return int(position)

    def size(self) -> int:
        """Pages of the file."""
        return os.path.getsize(self.path) // PAGE
