"""Rows: what stands in the file of an SQLiteEngine, as messages; and how a group of changes is written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any, NamedTuple

from stomp_tx.address import is_address, is_topic, priority_of
from stomp_tx.engine.sqlite.damage import Damage, Unwritable, forget_pages, is_damage
from stomp_tx.engine.sqlite.file import transaction
from stomp_tx.message import GROUP, LAST_VALUE, OVERHEAD, PERSISTENT, USUAL_PRIORITY, Keeping, Message

SIZES = (1024, 512, 256, 128, 64, 32, 16)  # of the statements that insert rows
NUMBERS = 9  # of one row in them
BIG = 64 * 1024  # octets of a body, from which on its row has a statement of its own
DOOMED = 5000  # rows of queues that are no more, removed with each group

HIGHEST = 2**62  # of any number in a row: no file gets so far, and what comes next must be one, too
FAR_OFF = 1e12  # of a stamp: seconds, some 30,000 years of them
LARGEST = 2**48  # the same of octets and lengths, of which there are sums

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

    __slots__ = (
        "attempts",
        "doomed",
        "dropped",
        "emptied",
        "forgotten",
        "parts",
        "seen",
        "selectors",
        "tidies",
    )

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.attempts: dict[tuple[int, int], int] = {}  # of messages that stay, by queue and position
        self.dropped: list[int] = []  # numbers of queues that are no more, and may have rows
        self.emptied: list[int] = []  # the same where they have none
        self.seen: list[tuple[str, str, float]] = []  # address, name, stamp
        self.selectors: dict[int, tuple[str, bool]] = {}  # text and unsifted, by the queue's number
        self.forgotten: float | None = None  # names with a lower stamp go
        self.doomed = False  # are there messages of queues that are no more?
        self.tidies = True  # some of those go


def write(connection: sqlite3.Connection, changes: Changes) -> bool:
    """Commit all of it, or nothing; it is on the disk afterwards.  True: doomed messages may be left.

    Raises sqlite3.Error; for damage Unwritable, which says whose.
    """
    try:
        with transaction(connection):
            return _write(connection, changes)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        raise _whose(connection, changes, str(error)) from error


def _whose(connection: sqlite3.Connection, changes: Changes, why: str) -> Unwritable:
    """Which queues' part of it can't be written, each tried alone."""
    adding = {
        part.row.number
        for part in changes.parts
        if part.added and _fails(connection, lambda part=part: _write_added(connection, [part]))  # type: ignore[misc]
    }
    removing = {
        part.row.number
        for part in changes.parts
        if part.removed and _fails(connection, lambda part=part: _remove(connection, part))  # type: ignore[misc]
    }
    removing |= {
        part.row.number
        for part in changes.parts
        if part.cut and _fails(connection, lambda part=part: _cut(connection, part))  # type: ignore[misc]
    }
    for row in changes.attempts.items():
        if row[0][0] not in removing and _fails(
            connection,
            lambda row=row: _write_attempts(connection, dict([row])),  # type: ignore[misc]
        ):
            removing.add(row[0][0])
    # (With those that are dropped now, there may be others next time.)
    tidying = changes.tidies and _fails(connection, lambda: _remove_doomed(connection, changes.dropped))
    return Unwritable(why, adding, removing, tidying)


def _fails(connection: sqlite3.Connection, work: Callable[[], object]) -> bool:
    """Is there damage in its way?  It is not done."""
    forget_pages(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        work()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return True
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        forget_pages(connection)
    return False


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
            _remove(connection, part)
        if part.cut:
            _cut(connection, part)
    if changes.attempts:
        _write_attempts(connection, changes.attempts)
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
    return changes.tidies and (changes.doomed or bool(changes.dropped)) and _remove_doomed(connection)


def _remove(connection: sqlite3.Connection, part: Part) -> None:
    connection.execute(
        "DELETE FROM message WHERE queue = ? AND position IN (SELECT value FROM json_each(?))",
        (part.row.number, json.dumps([message.position for message in part.removed])),
    )


def _cut(connection: sqlite3.Connection, part: Part) -> None:
    connection.execute("DELETE FROM message WHERE queue = ? AND position <= ?", (part.row.number, part.cut))


def _write_attempts(connection: sqlite3.Connection, attempts: dict[tuple[int, int], int]) -> None:
    connection.execute(
        "UPDATE message SET attempts = json_extract(value, '$[0]') FROM json_each(?)"
        " WHERE queue = json_extract(value, '$[1]') AND position = json_extract(value, '$[2]')",
        (json.dumps([(count, *row) for row, count in attempts.items()]),),
    )


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


def _remove_doomed(connection: sqlite3.Connection, also: Iterable[int] = ()) -> bool:
    left = DOOMED
    # (One that there is could be named by damage alone.)
    waiting = connection.execute(
        "SELECT number FROM doomed WHERE number NOT IN (SELECT number FROM queue) LIMIT ?", (DOOMED,)
    ).fetchall()
    for doomed in [*waiting, *((number,) for number in also)]:
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


class Page(NamedTuple):
    """The next messages of a queue; and where it can't be read any further, if that is right after them."""

    messages: list[Message]
    damage: Damage | None


def page(connection: sqlite3.Connection, number: int, name: str, after: int, until: int) -> Page:
    """The next messages of a queue with positions above ``after``, and no higher than ``until``.

    Raises sqlite3.Error, but none for damage.
    """
    found: list[Message] = []

    def read(limit: int) -> int:
        before = len(found)
        last = found[-1].position if found else after
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM message WHERE queue = ? AND position > ? AND position <= ?"
            " ORDER BY position LIMIT ?",
            (number, last, until, limit),
        )
        for message in _messages(name, rows):
            if not last < message.position <= until:
                raise sqlite3.DatabaseError("its messages are in disorder")
            found.append(message)
            last = message.position
        return len(found) - before

    try:
        read(PAGE)
    except sqlite3.Error as error:
        damage = _damage(connection, after, error)
    else:
        return Page(found, None)
    try:
        # Python asks for the next row before it gives one: the last one in front of the damage was not given.
        while len(found) < PAGE and read(1):
            pass
    except sqlite3.Error as error:
        damage = _damage(connection, after, error)
    return Page(found, damage._replace(after=found[-1].position if found else after))


def _damage(connection: sqlite3.Connection, after: int, error: sqlite3.Error) -> Damage:
    if not is_damage(error):
        raise error
    forget_pages(connection)
    return Damage(after, str(error))


def exists(connection: sqlite3.Connection, number: int, position: int) -> bool:
    """Has the queue a message there?"""
    found = connection.execute(
        "SELECT 1 FROM message WHERE queue = ? AND position = ?", (number, position)
    ).fetchone()
    return found is not None


def expired(connection: sqlite3.Connection, number: int, name: str, now: int, after: int, until: int) -> Page:
    """Some that have expired by now, of the same; found by an index."""
    found: list[Message] = []
    try:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM message WHERE queue = ? AND expires > 0 AND expires <= ?"
            " AND position > ? AND position <= ? ORDER BY expires LIMIT ?",
            (number, now, after, until, PAGE),
        )
        found += _messages(name, rows)
    except sqlite3.Error as error:
        return Page(found, _damage(connection, after, error))
    return Page(found, None)


def _messages(address: str, rows: sqlite3.Cursor) -> Iterator[Message]:
    """As many as one page may have.  Raises sqlite3.DatabaseError for what is no message."""
    octets = 0
    try:
        for row in rows:
            try:
                yield message_of(address, row)
            except ValueError as error:
                raise sqlite3.DatabaseError(f"message {row[0]} is malformed: {error}") from error
            octets += row[3]
            if octets >= PAGE_OCTETS:
                break
    finally:
        rows.close()  # an open one would keep the log from being emptied


def next_expiry(connection: sqlite3.Connection, number: int, now: int = 0) -> int:
    """When the first message of a queue expires, of those that will after ``now``; 0: none does."""
    (found,) = connection.execute(
        "SELECT min(expires) FROM message WHERE queue = ? AND expires > 0 AND expires > ? AND expires <= ?",
        (number, now, HIGHEST),
    ).fetchone()
    return int(found or 0)


def message_of(address: str, row: tuple[Any, ...]) -> Message:
    """Of a row with all columns but the first, in their order.  Raises ValueError for what is no message."""
    position, attempts, expires, size, persistent, head, body = row
    if not type(position) is type(attempts) is type(expires) is type(size) is int:
        raise ValueError("a number is none")
    if not type(head) is type(body) is bytes:
        raise ValueError("it has no headers, or no body")
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


def is_name(value: object) -> bool:
    """Can a queue have this name?"""
    return is_text(value) and is_address(str(value))


def is_topic_of(value: object) -> bool:
    """Can a queue be bound to this?"""
    return value is None or (
        is_text(value) and all(is_address(one) and is_topic(one) for one in str(value).split(","))
    )


def is_text(value: object) -> bool:
    """Is it text that has an encoding?"""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


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
