"""How a group of changes gets into the file, all of it or nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable

from stomp_tx.engine.sqlite.changes import Changes, Part
from stomp_tx.engine.sqlite.damage import Unwritable, forget_pages, is_damage
from stomp_tx.engine.sqlite.file import transaction
from stomp_tx.message import OVERHEAD

SIZES = (1024, 512, 256, 128, 64, 32, 16)  # of the statements that insert rows
NUMBERS = 9  # of one row in them
BIG = 64 * 1024  # octets of a body, from which on its row has a statement of its own
DOOMED = 5000  # rows of queues that are no more, removed with each group


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
