"""Check: is an SQLiteEngine's file whole, and what is in it?"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from stomp_tx.address import base_of
from stomp_tx.engine.sqlite import file
from stomp_tx.engine.sqlite.damage import is_damage
from stomp_tx.engine.sqlite.reader import as_far_as_it_goes, reading, version_of
from stomp_tx.engine.sqlite.row_values import FAR_OFF, HIGHEST, LARGEST, is_name, is_text, is_topic_of
from stomp_tx.engine.sqlite.salvage import Gap, Salvage, joined, numbers

FINDINGS = 5  # of each kind that are told one by one


@dataclass
class QueueReport:
    """A queue as it is in the file.

    messages, octets -- that persist; octets of their frames
    spilled -- messages that don't persist and are here for want of memory
    expires -- when the first message does, in milliseconds since 1970; 0: none does
    topic -- the one it is bound to
    selector -- which messages of the topic it keeps; empty: all; None: nobody has said
    unreadable -- positions, from the first to the last, where the file is damaged
    missing -- messages that it should have, and has not: those at such positions, and any that are gone
    """

    name: str
    topic: str | None
    messages: int = 0
    octets: int = 0
    spilled: int = 0
    expires: int = 0
    selector: str | None = None
    unreadable: list[Gap] = field(default_factory=list)
    missing: int = 0


@dataclass
class Report:
    """What a check has found.

    version -- of the schema; 0: it can't be read
    queues -- all of them, with all their messages where ``is_whole``
    problems -- for a person to read; empty if the file is good
    """

    version: int = 0
    is_whole: bool = False
    queues: list[QueueReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """Those that persist."""
        return sum(queue.messages for queue in self.queues)

    @property
    def octets(self) -> int:
        """Of their frames."""
        return sum(queue.octets for queue in self.queues)


def check(path: str) -> Report:
    """What is in the file, and what is wrong with it.  Changes nothing.

    Raises StompError where that can't be told: no such file, some other program's, one that may not be read.
    """
    return reading(path, lambda source: _examine(source.connection, path))


def _examine(connection: sqlite3.Connection, path: str) -> Report:
    report = Report()
    try:
        connection.execute("BEGIN")
        try:
            report.version = version_of(connection, path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            connection.execute("ROLLBACK")
            as_far_as_it_goes(connection)
            connection.execute("BEGIN")
            report.version = version_of(connection, path)
            report.problems.append(f"the file ends too soon ({error})")
        connection.execute(f"PRAGMA cache_size = -{file.CACHE}")
        pages_are_good = _check_pages(connection, report)
        connection.execute("PRAGMA cell_size_check = ON")
        if _check_schema(connection, report):
            _check_rows(connection, report, deep=not pages_are_good)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise  # nothing is said about the file
        report.is_whole = False
        report.problems.append(f"it can't be read to its end: {error}")
    return report


def _check_pages(connection: sqlite3.Connection, report: Report) -> bool:
    try:
        rows = connection.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        rows = _first_finding(connection) or [(str(error),)]
    lines = [line for (text,) in rows for line in text.splitlines()]
    found = [line for line in lines if line != "ok" and not line.startswith("***")]
    _tell(report, "findings", found)
    return not found


def _first_finding(connection: sqlite3.Connection) -> list[tuple[str]]:
    """SQLite may have a finding, and then come to a page with which it can't go on."""
    try:
        return connection.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return []


def _check_schema(connection: sqlite3.Connection, report: Report) -> bool:
    """Are all tables there?"""
    wanted = sqlite3.connect(":memory:")
    try:
        for number, statements in file.versions().items():
            if number <= report.version:
                wanted.executescript(statements)
        expected = _schema(wanted)
    finally:
        wanted.close()
    found = _schema(connection)
    for (kind, name), statement in expected.items():
        if (kind, name) not in found:
            report.problems.append(f"the {kind} {name} is missing")
        elif found[kind, name] != statement:
            report.problems.append(f"the {kind} {name} is not as version {report.version} has it")
    return all(key in found for key in expected if key[0] == "table")


def _schema(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(kind, name): statement for kind, name, statement in rows}


_ROWS = """
SELECT position, expires, size, persistent, head,
    typeof(position) = 'integer' AND position BETWEEN 1 AND {highest}
    AND typeof(attempts) = 'integer' AND attempts BETWEEN 0 AND {largest}
    AND typeof(expires) = 'integer' AND expires BETWEEN 0 AND {highest}
    AND typeof(size) = 'integer' AND size BETWEEN 0 AND {largest}
    AND persistent IN (0, 1)
    AND typeof(head) = 'blob' AND typeof(body) = 'blob'
    {body}
FROM message WHERE queue = ? AND
"""
_BODY = "AND substr(body, -1) IS NOT NULL"  # it is read to its end
_QUEUES = """
SELECT number, name, topic, length, octets, typeof(mark) = 'integer' AND mark BETWEEN 0 AND {highest}
FROM queue WHERE
"""
_BOUNDS = {"highest": HIGHEST, "largest": LARGEST}
_SELECTORS = "SELECT queue, text, typeof(text) = 'text' AND unsifted IN (0, 1) FROM selector ORDER BY queue"


@dataclass
class _Counted:
    """What a queue says that it has, and what was found."""

    queue: QueueReport
    told: tuple[object, object]
    rows: int = 0
    octets: int = 0


def _check_rows(connection: sqlite3.Connection, report: Report, deep: bool) -> None:
    """The promises of the schema that SQLite doesn't know of.  ``deep``: bodies are read as well."""
    doomed = _doomed(connection, report)
    counted = _queues(connection, report, doomed)
    found: dict[str, list[str]] = {"odd": [], "headless": [], "unreadable": []}
    for number, one in counted.items():
        _count_rows(connection, number, one, found, deep)
    _tell(report, "messages", found["odd"])
    _tell(report, "messages", found["headless"])
    _tell(report, "places", found["unreadable"])
    astray = numbers(connection) - counted.keys() - doomed
    _tell(report, "queues", [_astray(connection, number) for number in sorted(astray)])
    wrong = []
    for one in counted.values():
        for what, told, has in zip(("messages", "octets"), one.told, (one.rows, one.octets), strict=True):
            if told != has:
                wrong.append(f"queue {one.queue.name!r} says that it has {told} {what}, and has {has}")
        told = one.told[0]
        one.queue.missing = max(0, told - one.rows) if isinstance(told, int) else 0
    _tell(report, "queues", wrong)
    report.queues = sorted(_together([one.queue for one in counted.values()]), key=lambda queue: queue.name)
    report.is_whole = not any(queue.unreadable or queue.missing for queue in report.queues)
    for address, name, time in connection.execute("SELECT address, name, time FROM seen"):
        if not (is_text(address) and is_text(name) and isinstance(time, float) and abs(time) < FAR_OFF):
            report.problems.append(f"the name {name!r}, remembered for {address!r}, has odd values")
            break


def _doomed(connection: sqlite3.Connection, report: Report) -> set[int]:
    """Numbers of queues that are being removed."""
    rows = Salvage(connection, "SELECT number FROM doomed WHERE", "number")
    doomed = {number for (number,) in rows}
    _tell(report, "places", [f"the table doomed can't be read at {gap}" for gap in rows.gaps])
    return doomed


def _queues(connection: sqlite3.Connection, report: Report, doomed: set[int]) -> dict[int, _Counted]:
    counted = {}
    odd = []
    rows = Salvage(connection, _QUEUES.format(**_BOUNDS), "number")
    for number, name, topic, length, octets, sound in rows:
        counted[number] = _Counted(QueueReport(str(name), topic), (length, octets))
        if not (sound and is_name(name) and is_topic_of(topic)):
            odd.append(f"queue {name!r} has values that none can have")
        if number in doomed:
            odd.append(f"queue {name!r} is there, and is being removed")
    if report.version > 1:
        _check_selectors(connection, counted, odd)
    _tell(report, "queues", odd)
    _tell(report, "places", [f"the table queue can't be read at {gap}" for gap in rows.gaps])
    return dict(sorted(counted.items(), key=lambda pair: pair[1].queue.name))


def _count_rows(
    connection: sqlite3.Connection, number: int, one: _Counted, found: dict[str, list[str]], deep: bool
) -> None:
    queue = one.queue
    bad = []
    rows = Salvage(
        connection, _ROWS.format(body=_BODY if deep else "", **_BOUNDS), "position", number, careful=deep
    )
    for position, expires, size, persistent, head, sound in rows:
        if not sound:
            found["odd"].append(f"message {position} of {queue.name!r} has values that none can have")
            bad.append(Gap(position, position))
            continue
        if not _is_head(head):
            found["headless"].append(f"message {position} of {queue.name!r} has no readable headers")
            bad.append(Gap(position, position))
        one.rows += 1
        one.octets += size
        if persistent:
            queue.messages += 1
            queue.octets += size
        else:
            queue.spilled += 1
        if expires and (not queue.expires or expires < queue.expires):
            queue.expires = expires
    found["unreadable"] += [f"queue {queue.name!r} can't be read at {gap}" for gap in rows.gaps]
    queue.unreadable = joined([*rows.gaps, *bad])


def _astray(connection: sqlite3.Connection, number: int) -> str:
    rows = Salvage(connection, "SELECT position FROM message WHERE queue = ? AND", "position", number)
    return f"{sum(1 for _ in rows)} messages of no queue, number {number}"


def _check_selectors(connection: sqlite3.Connection, counted: dict[int, _Counted], odd: list[str]) -> None:
    for number, text, sound in connection.execute(_SELECTORS):
        queue = counted[number].queue if number in counted else None
        if queue is None or queue.topic is None:
            odd.append(f"a selector of no bound queue, number {number}")
        elif not sound or not is_text(text):
            odd.append(f"the selector of {queue.name!r} has values that none can have")
        else:
            queue.selector = text


def _together(queues: list[QueueReport]) -> list[QueueReport]:
    """The lanes of a queue as one: what has another priority is in a row of its own."""
    found: dict[str, QueueReport] = {}
    for one in queues:
        name = base_of(one.name)
        queue = found.setdefault(name, QueueReport(name, one.topic))
        queue.topic = queue.topic or one.topic
        queue.selector = one.selector if queue.selector is None else queue.selector
        queue.messages += one.messages
        queue.octets += one.octets
        queue.spilled += one.spilled
        queue.expires = min(queue.expires or one.expires, one.expires or queue.expires)
        queue.unreadable = joined([*queue.unreadable, *one.unreadable])
        queue.missing += one.missing
    return list(found.values())


def _is_head(head: bytes) -> bool:
    """Id, destination, and as many names as values."""
    count = head.count(b"\0")
    if not count or not count % 2:
        return False
    try:
        head.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tell(report: Report, kind: str, found: list[str]) -> None:
    report.problems += found[:FINDINGS]
    if len(found) > FINDINGS:
        report.problems.append(f"... and {len(found) - FINDINGS} more {kind} like that")
