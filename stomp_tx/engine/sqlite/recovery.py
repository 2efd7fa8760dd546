"""Recovery: what is done to the file at the start, after whatever end there was."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

from stomp_tx.engine.sqlite.damage import forget_pages, is_damage
from stomp_tx.engine.sqlite.file import transaction


def recover(connection: sqlite3.Connection) -> None:
    """What may have been handed out comes marked so; what spilled is gone.

    Where a queue is damaged neither is done to it: its mark stays.  Raises sqlite3.Error.
    """
    execute = connection.execute
    marks = execute("SELECT number, mark FROM queue WHERE mark > 0").fetchall()
    work: list[Callable[[], None]] = [partial(_count_attempts, execute, *mark) for mark in marks]
    work += [partial(_remove_spilled, execute, number) for number in _numbers(connection)]
    if not _done(connection, work):
        for one in work:
            _done(connection, [one])


def _done(connection: sqlite3.Connection, work: list[Callable[[], None]]) -> bool:
    """All of it together, or nothing where there is damage in its way: False."""
    try:
        with transaction(connection):
            for one in work:
                one()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        forget_pages(connection)
        return False
    return True


Execute = Callable[..., sqlite3.Cursor]


def _count_attempts(execute: Execute, number: int, mark: int) -> None:
    execute(
        "UPDATE message SET attempts = 1 WHERE queue = ? AND position <= ? AND attempts = 0", (number, mark)
    )
    execute("UPDATE queue SET mark = 0 WHERE number = ?", (number,))


def _numbers(connection: sqlite3.Connection) -> list[int]:
    """Of the queues in which some has spilled; or of all."""
    try:
        found = connection.execute("SELECT DISTINCT queue FROM message WHERE persistent = 0").fetchall()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        forget_pages(connection)
        found = connection.execute("SELECT number FROM queue").fetchall()
    return [number for (number,) in found]


def _remove_spilled(execute: Execute, number: int) -> None:
    (length, octets) = execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM message WHERE persistent = 0 AND queue = ?", (number,)
    ).fetchone()
    execute(
        "UPDATE queue SET length = length - ?, octets = octets - ? WHERE number = ?", (length, octets, number)
    )
    execute("DELETE FROM message WHERE persistent = 0 AND queue = ?", (number,))


def astray(connection: sqlite3.Connection) -> list[int]:
    """Numbers of messages' queues that there are not, as far as that can be read: only damage makes them."""
    found: list[int] = []
    number = 0
    try:
        while True:
            (number,) = connection.execute(
                "SELECT min(queue) FROM message WHERE queue > ?", (number,)
            ).fetchone()
            if not isinstance(number, int):
                return found
            known = "SELECT 1 FROM queue WHERE number = ?1 UNION ALL SELECT 1 FROM doomed WHERE number = ?1"
            if connection.execute(known, (number,)).fetchone() is None:
                found.append(number)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    return found
