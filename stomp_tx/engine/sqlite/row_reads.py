"""Messages, read from the rows of the file page by page."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from stomp_tx.address import priority_of
from stomp_tx.engine.sqlite.damage import Damage, forget_pages, is_damage
from stomp_tx.engine.sqlite.row_values import HIGHEST
from stomp_tx.message import GROUP, LAST_VALUE, PERSISTENT, USUAL_PRIORITY, Keeping, Message

PAGE = 1000  # messages that are read at once
PAGE_OCTETS = 1024 * 1024  # of their frames, where that is more than one message
_COLUMNS = "position, attempts, expires, size, persistent, head, body"


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
