"""Rows: what stands in the file of an SQLiteEngine, as messages; and how a group of changes is written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from math import inf
from typing import Any, NamedTuple

from stomp_tx.address import priority_of
from stomp_tx.engine.file import transaction
from stomp_tx.message import GROUP, LAST_VALUE, OVERHEAD, PERSISTENT, USUAL_PRIORITY, Keeping, Message

SIZES = (1024, 512, 256, 128, 64, 32, 16)  # of the statements that insert rows
NUMBERS = 9  # of one row in them
BIG = 64 * 1024  # octets of a body, from which on its row has a statement of its own
DOOMED = 5000  # rows of queues that are no more, removed with each group

PAGE = 1000  # messages that are read at once
PAGE_OCTETS = 1024 * 1024  # of their frames, where that is more than one message


def _insert(count: int) -> str:
    """One statement for up to that many rows; what is not used is NULL.

    Each call into SQLite gives up Python's lock and must get it back from a busy reactor.  One call for many
    rows does so once; ``executemany`` would for each row, and comes down to some 2,000 rows a second.

    All heads and bodies are one parameter, ?1, cut up by SQLite, which does not hold that lock; to bind each
    would, and takes half a microsecond.  The numbers of a row end with where its head begins there, and the
    lengths of its head and of its body.
    """
    rows = ",".join([f"({','.join('?' * NUMBERS)})"] * count)
    return (
        "INSERT INTO message SELECT column1, column2, column3, column4, column5, column6,"
        " substr(?1, column7, column8), substr(?1, column7 + column8, column9)"
        f" FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
    )


def _items(count: int) -> str:
    return ", ".join(f"json_extract(value, '$[{index}]')" for index in range(count))


_INSERT = {count: _insert(count) for count in SIZES}
_INSERT_BIG = f"INSERT INTO message VALUES ({','.join('?' * 8)})"
_COLUMNS = "position, attempts, expires, size, persistent, head, body"


class QueueRow(NamedTuple):
    """A row of the table queue."""

    number: int
    name: str
    topic: str | None
    length: int
    octets: int
    mark: int


class Part:
    """What one commit changes in one queue.

    added, removed -- messages
    cut -- all rows up to this position are removed as well
    rows, octets -- by how many the queue grows with that, in the file
    row -- the queue's own, as it is afterwards
    """

    __slots__ = ("added", "cut", "octets", "removed", "row", "rows")

    row: QueueRow

    def __init__(self) -> None:
        self.added: list[Message] = []
        self.removed: list[Message] = []
        self.cut = 0
        self.rows = 0
        self.octets = 0

    def grow(self, length: int = 0, octets: int = 0) -> None:
        """Nothing more will be added: count it.

        length, octets -- of all rows that the queue has, where there is a cut
        """
        added, removed = self.added, self.removed
        if self.cut:
            added = [one for one in added if one.position > self.cut]
            removed = [one for one in removed if one.position > self.cut]
        self.rows = len(added) - len(removed)
        grown = sum([one.size for one in added]) - sum([one.size for one in removed])
        self.octets = grown - OVERHEAD * self.rows  # memory's
        if self.cut:
            self.rows -= length
            self.octets -= octets


class Changes:
    """What one commit changes in the file."""

    __slots__ = ("attempts", "doomed", "dropped", "emptied", "forgotten", "parts", "seen", "selectors")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.attempts: dict[tuple[int, int], int] = {}  # of messages that stay, by queue and position
        self.dropped: list[int] = []  # numbers of queues that are no more, and may have rows
        self.emptied: list[int] = []  # the same where they have none
        self.seen: list[tuple[str, str, float]] = []  # address, name, stamp
        self.selectors: dict[int, tuple[str, bool]] = {}  # text and unsifted, by the queue's number
        self.forgotten: float | None = None  # names with a lower stamp go
        self.doomed = False  # are there messages of queues that are no more?


def write(connection: sqlite3.Connection, changes: Changes) -> bool:
    """Commit all of it, or nothing; it is on the disk afterwards.  True: doomed messages may be left.

    Raises sqlite3.Error.
    """
    with transaction(connection):
        return _write(connection, changes)


def _write(connection: sqlite3.Connection, changes: Changes) -> bool:
    execute = connection.execute
    if changes.dropped:
        numbers = json.dumps(changes.dropped)
        execute("INSERT INTO doomed SELECT value FROM json_each(?)", (numbers,))
    if changes.dropped or changes.emptied:
        numbers = json.dumps(changes.dropped + changes.emptied)
        execute("DELETE FROM queue WHERE number IN (SELECT value FROM json_each(?))", (numbers,))
        execute("DELETE FROM selector WHERE queue IN (SELECT value FROM json_each(?))", (numbers,))
    if changes.parts:
        execute(
            f"INSERT INTO queue SELECT {_items(6)} FROM json_each(?) WHERE true"
            " ON CONFLICT (number) DO UPDATE SET topic = excluded.topic,"
            " length = excluded.length, octets = excluded.octets, mark = excluded.mark",
            (json.dumps([part.row for part in changes.parts]),),
        )
        _write_added(connection, changes.parts)
    for part in changes.parts:
        if part.removed:
            execute(
                "DELETE FROM message WHERE queue = ? AND position IN (SELECT value FROM json_each(?))",
                (part.row.number, json.dumps([message.position for message in part.removed])),
            )
        if part.cut:
            execute("DELETE FROM message WHERE queue = ? AND position <= ?", (part.row.number, part.cut))
    if changes.attempts:
        execute(
            "UPDATE message SET attempts = json_extract(value, '$[0]') FROM json_each(?)"
            " WHERE queue = json_extract(value, '$[1]') AND position = json_extract(value, '$[2]')",
            (json.dumps([(count, *row) for row, count in changes.attempts.items()]),),
        )
    if changes.selectors:
        execute(
            f"INSERT OR REPLACE INTO selector SELECT {_items(3)} FROM json_each(?)",
            (json.dumps([(number, *row) for number, row in changes.selectors.items()]),),
        )
    if changes.seen:
        execute(
            f"INSERT OR REPLACE INTO seen SELECT {_items(3)} FROM json_each(?)",
            (json.dumps(changes.seen),),
        )
    if changes.forgotten is not None:
        execute("DELETE FROM seen WHERE time < ?", (changes.forgotten,))
    return (changes.doomed or bool(changes.dropped)) and _remove_doomed(connection)


def _write_added(connection: sqlite3.Connection, parts: list[Part]) -> None:
    numbers: list[int | None] = []
    octets: list[bytes] = []
    start = 1  # SQLite counts from 1
    for part in parts:
        queue = part.row.number
        for message in part.added:
            headers = message.headers
            # (No header holds a NUL: it ends a frame.)
            head = "\0".join([message.id, message.destination, *headers, *headers.values()]).encode()
            body = message.body
            keeping = message.keeping
            row = (
                queue,
                message.position,
                message.attempts,
                0 if keeping is None else keeping.expires,
                message.size - OVERHEAD,
                keeping is not None and keeping.persistent,
            )
            if len(body) >= BIG:
                connection.execute(_INSERT_BIG, (*row, head, body))
                continue
            numbers += row
            numbers += (start, len(head), len(body))
            octets += (head, body)
            start += len(head) + len(body)
            if len(numbers) == NUMBERS * SIZES[0]:
                connection.execute(_INSERT[SIZES[0]], (b"".join(octets), *numbers))
                numbers, octets, start = [], [], 1
    if numbers:
        size = next(size for size in reversed(SIZES) if NUMBERS * size >= len(numbers))
        numbers += [None] * (NUMBERS * size - len(numbers))
        connection.execute(_INSERT[size], (b"".join(octets), *numbers))


def _remove_doomed(connection: sqlite3.Connection) -> bool:
    left = DOOMED
    for doomed in connection.execute("SELECT number FROM doomed LIMIT ?", (DOOMED,)).fetchall():
        removed = connection.execute(
            "DELETE FROM message WHERE queue = ?1"
            " AND position IN (SELECT position FROM message WHERE queue = ?1 LIMIT ?2)",
            (*doomed, left),
        ).rowcount
        left -= max(removed, 1)
        if left <= 0:
            return True
        connection.execute("DELETE FROM doomed WHERE number = ?", doomed)
    return False


# -- reading ----------------------------------------------------------------------------------------------


def page(connection: sqlite3.Connection, number: int, name: str, after: int, until: int) -> list[Message]:
    """The next messages of a queue with positions above ``after``, and no higher than ``until``."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM message WHERE queue = ? AND position > ? AND position <= ?"
        " ORDER BY position LIMIT ?",
        (number, after, until, PAGE),
    )
    return _messages(name, rows)


def exists(connection: sqlite3.Connection, number: int, position: int) -> bool:
    """Has the queue a message there?"""
    found = connection.execute(
        "SELECT 1 FROM message WHERE queue = ? AND position = ?", (number, position)
    ).fetchone()
    return found is not None


def expired(
    connection: sqlite3.Connection, number: int, name: str, now: int, after: int, until: int
) -> list[Message]:
    """Some that have expired by now, of the same; found by an index."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM message WHERE queue = ? AND expires > 0 AND expires <= ?"
        " AND position > ? AND position <= ? ORDER BY expires LIMIT ?",
        (number, now, after, until, PAGE),
    )
    return _messages(name, rows)


def _messages(address: str, rows: sqlite3.Cursor) -> list[Message]:
    """As many as one page may have.  Raises sqlite3.DatabaseError for what is no message."""
    found = []
    octets = 0
    try:
        for row in rows:
            found.append(_message(address, row))
            octets += row[3]
            if octets >= PAGE_OCTETS:
                break
    except ValueError as error:
        raise sqlite3.DatabaseError(f"a message is malformed: {error}") from error
    finally:
        rows.close()  # an open one would keep the log from being emptied
    return found


def next_expiry(connection: sqlite3.Connection, number: int, now: int = 0) -> int:
    """When the first message of a queue expires, of those that will after ``now``; 0: none does."""
    (found,) = connection.execute(
        "SELECT min(expires) FROM message WHERE queue = ? AND expires > 0 AND expires > ?", (number, now)
    ).fetchone()
    return found or 0


def _message(address: str, row: tuple[Any, ...]) -> Message:
    position, attempts, expires, size, persistent, head, body = row
    message_id, destination, *rest = head.decode().split("\0")
    count = len(rest) // 2
    headers = dict(zip(rest[:count], rest[count:], strict=True))
    message = Message(message_id, destination, address, headers, body, size)
    message.position = position
    message.attempts = attempts
    priority = priority_of(address)
    if expires or priority is not None or GROUP in headers or LAST_VALUE in headers:
        message.keeping = Keeping(
            bool(persistent),
            expires,
            None,
            USUAL_PRIORITY if priority is None else priority,
            headers.get(GROUP) or None,
            headers.get(LAST_VALUE) or None,
        )
    elif persistent:
        message.keeping = PERSISTENT
    return message


# -- the start --------------------------------------------------------------------------------------------


def recover(connection: sqlite3.Connection) -> None:
    """After whatever end there was: what may have been handed out comes marked so; what spilled is gone."""
    execute = connection.execute
    with transaction(connection):
        for number, mark in execute("SELECT number, mark FROM queue WHERE mark > 0").fetchall():
            execute(
                "UPDATE message SET attempts = 1 WHERE queue = ? AND position <= ? AND attempts = 0",
                (number, mark),
            )
        execute("UPDATE queue SET mark = 0 WHERE mark > 0")
        spilled = "SELECT queue, count(*), sum(size) FROM message WHERE persistent = 0 GROUP BY queue"
        for number, length, octets in execute(spilled).fetchall():
            execute(
                "UPDATE queue SET length = length - ?, octets = octets - ? WHERE number = ?",
                (length, octets, number),
            )
        execute("DELETE FROM message WHERE persistent = 0")


def queues(connection: sqlite3.Connection) -> Iterator[tuple[QueueRow, int, int]]:
    """Each queue, the position of its last message (0: it has none), and when the first one expires."""
    for row in connection.execute("SELECT number, name, topic, length, octets, mark FROM queue").fetchall():
        queue = QueueRow(*row)
        (last,) = connection.execute(
            "SELECT max(position) FROM message WHERE queue = ?", (queue.number,)
        ).fetchone()
        yield queue, last or 0, next_expiry(connection, queue.number)


def selectors(connection: sqlite3.Connection) -> dict[int, tuple[str, bool]]:
    """Text and unsifted of the selectors, by the number of their queue."""
    found = connection.execute("SELECT queue, text, unsifted FROM selector").fetchall()
    return {number: (text, bool(unsifted)) for number, text, unsifted in found}


def latest_stamp(connection: sqlite3.Connection) -> float | None:
    """The highest stamp of a name; None: there is no name."""
    (found,) = connection.execute("SELECT max(time) FROM seen").fetchone()
    return None if found is None else float(found)


def seen(connection: sqlite3.Connection) -> Iterator[list[tuple[str, str]]]:
    """Pages of (address, name) of the names that are remembered, oldest first."""
    after = (-inf, "", "")
    while True:
        found = connection.execute(
            "SELECT time, address, name FROM seen WHERE (time, address, name) > (?, ?, ?)"
            " ORDER BY time, address, name LIMIT ?",
            (*after, PAGE),
        ).fetchall()
        if not found:
            return
        yield [(address, name) for _, address, name in found]
        after = found[-1]


def forget(connection: sqlite3.Connection, names: list[tuple[str, str]]) -> None:
    """(address, name): these are not remembered any more."""
    connection.execute(
        f"DELETE FROM seen WHERE (address, name) IN (SELECT {_items(2)} FROM json_each(?))",
        (json.dumps(names),),
    )


def some_are_doomed(connection: sqlite3.Connection) -> bool:
    """Are there messages of queues that are no more?"""
    return connection.execute("SELECT 1 FROM doomed").fetchone() is not None


def last_number(connection: sqlite3.Connection) -> int:
    """The highest number that a queue has or had."""
    (found,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM (SELECT number FROM queue UNION ALL SELECT number FROM doomed)"
    ).fetchone()
    return int(found)
