"""What must be so in the broker's file, whenever it was killed."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path


def faults(path: Path, emptied: bool) -> list[str]:
    """What is wrong in it, while no broker runs.  ``emptied``: after an orderly stop, with no message left.

    It looks at a copy: the broker itself shall find SQLite's log as it was left.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in path.parent.glob(f"{path.name}*"):
            if not file.name.endswith((".lock", "-shm")):
                shutil.copy(file, folder)
        connection = sqlite3.connect(Path(folder, path.name))
        try:
            return _faults(connection, emptied)
        finally:
            connection.close()


def _faults(connection: sqlite3.Connection, emptied: bool) -> list[str]:
    execute = connection.execute
    found = [f"integrity_check: {line}" for (line,) in execute("PRAGMA integrity_check") if line != "ok"]
    if not execute("SELECT 1 FROM sqlite_master").fetchone():
        return found  # it was killed before it had made its tables
    found += [
        f"{name}: its row says {length} messages, {octets} octets; it has {rows}, {sum_of_octets}"
        for name, length, octets, rows, sum_of_octets in execute(
            "SELECT queue.name, length, octets, count(position), coalesce(sum(size), 0)"
            " FROM queue LEFT JOIN message ON message.queue = number GROUP BY number"
        )
        if (length, octets) != (rows, sum_of_octets)
    ]
    found += [
        f"messages of queue {number}, which is not there"
        for (number,) in execute(
            "SELECT DISTINCT queue FROM message"
            " WHERE queue NOT IN (SELECT number FROM queue UNION SELECT number FROM doomed)"
        )
    ]
    if emptied:
        found += [
            f"left in {table}: {row}"
            for table, rows in (
                ("message", "SELECT queue, position FROM message"),
                ("queue", "SELECT * FROM queue WHERE topic IS NULL OR mark > 0"),
                ("doomed", "SELECT * FROM doomed"),
            )
            for row in execute(f"{rows} LIMIT 3")
        ]
    return found
