"""A broker's file, for tests of the commands that look at it."""

import contextlib
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite import file
from tests.scratch import scratch


class FileCase(SynchronousTestCase):
    """A file with one queue, in which two messages wait."""

    def setUp(self):
        self.folder = scratch(self)
        self.path = self.folder / "stomp.db"
        file.open_for_writing(str(self.path)).close()
        self.add("/queue/a", 1, 2)

    def add(self, name, number, count, expires=0, topic=None):
        self.execute("INSERT INTO queue VALUES (?, ?, ?, ?, ?, 0)", number, name, topic, count, count * 1000)
        for position in range(1, count + 1):
            self.execute(
                "INSERT INTO message VALUES (?, ?, 0, ?, 1000, 1, ?, ?)",
                *(number, position, expires, b"id\0/queue/a", b"x" * 900),
            )

    def execute(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)
