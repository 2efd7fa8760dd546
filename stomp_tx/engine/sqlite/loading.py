"""What a broker loads from its file when it starts, but for the messages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from math import inf

from stomp_tx.engine.sqlite.changes import QueueRow
from stomp_tx.engine.sqlite.damage import is_damage
from stomp_tx.engine.sqlite.row_reads import PAGE, next_expiry
from stomp_tx.engine.sqlite.row_values import FAR_OFF, HIGHEST, LARGEST, is_name, is_topic_of


def queues(connection: sqlite3.Connection) -> Iterator[tuple[QueueRow, int | None, int]]:
    """Each queue, the position of its last message (0: it has none), and when the first one expires.

    Where damage is in the way, the position is None and the time the earliest.  Raises sqlite3.Error.
    """
    for row in connection.execute("SELECT number, name, topic, length, octets, mark FROM queue").fetchall():
        queue = QueueRow(*row)
        if not (is_name(queue.name) and is_topic_of(queue.topic) and _are_numbers(queue)):
            raise sqlite3.DatabaseError(f"queue {queue.number} is malformed")
        last: int | None
        try:
            (last,) = connection.execute(
                "SELECT coalesce(max(position), 0) FROM message WHERE queue = ? AND position <= ?",
                (queue.number, HIGHEST),
            ).fetchone()
            if not isinstance(last, int):
                last = None
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            last = None
        try:
            expires = next_expiry(connection, queue.number)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            expires = 1
        yield queue, last, expires


def _are_numbers(queue: QueueRow) -> bool:
    if not type(queue.length) is type(queue.octets) is type(queue.mark) is int:
        return False
    return abs(queue.length) <= LARGEST and abs(queue.octets) <= LARGEST and abs(queue.mark) <= HIGHEST


def selectors(connection: sqlite3.Connection) -> tuple[dict[int, tuple[str, bool]], set[int]]:
    """Text and unsifted of the selectors, by the number of their queue; and where there is no text."""
    found: dict[int, tuple[str, bool]] = {}
    unreadable = set()
    # (One that can't be decoded would hide the others.)
    query = "SELECT queue, typeof(text), CAST(text AS BLOB), unsifted FROM selector"
    for number, kind, octets, unsifted in connection.execute(query).fetchall():
        try:
            if kind != "text":
                raise ValueError
            found[number] = octets.decode(), bool(unsifted)
        except ValueError:
            unreadable.add(number)
    return found, unreadable


def latest_stamp(connection: sqlite3.Connection) -> float | None:
    """The highest stamp of a name; None: there is no name."""
    (found,) = connection.execute(
        "SELECT max(time) FROM seen WHERE typeof(time) = 'real' AND time < ?", (FAR_OFF,)
    ).fetchone()
    return None if found is None else float(found)


def seen(connection: sqlite3.Connection) -> Iterator[list[tuple[str, str]]]:
    """Pages of (address, name) of the names that are remembered, oldest first."""
    after = (-inf, "", "")
    while True:
        found = connection.execute(
            "SELECT time, address, name FROM seen WHERE (time, address, name) > (?, ?, ?)"
            " AND typeof(address) = 'text' AND typeof(name) = 'text' ORDER BY time, address, name LIMIT ?",
            (*after, PAGE),
        ).fetchall()
        if not found:
            return
        yield [(address, name) for _, address, name in found]
        after = found[-1]


def forget(connection: sqlite3.Connection, names: list[tuple[str, str]]) -> None:
    """(address, name): these are not remembered any more."""
    connection.execute(
        "DELETE FROM seen WHERE (address, name) IN"
        " (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))",
        (json.dumps(names),),
    )


def some_are_doomed(connection: sqlite3.Connection) -> bool:
    """Are there messages of queues that are no more?"""
    return connection.execute("SELECT 1 FROM doomed").fetchone() is not None


def last_number(connection: sqlite3.Connection) -> int:
    """The highest number that a queue has or had."""
    (found,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM (SELECT number FROM queue UNION ALL SELECT number FROM doomed)"
        " WHERE number <= ?",
        (HIGHEST,),
    ).fetchone()
    try:
        # (A damaged file may have messages of no queue: no new queue gets those.)
        (of_messages,) = connection.execute(
            "SELECT max(queue) FROM message WHERE queue <= ?", (HIGHEST,)
        ).fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        of_messages = None
    return max(int(found), of_messages if isinstance(of_messages, int) else 0)
