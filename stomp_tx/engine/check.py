"""Check: is an SQLiteEngine's file whole, and what is in it?"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from stomp_tx.address import base_of
from stomp_tx.engine import file
from stomp_tx.engine.reading import reading, version_of

FINDINGS = 5  # of each kind that are told one by one


@dataclass
class QueueReport:
    """A queue as it is in the file.

    messages, octets -- that persist; octets of their frames
    spilled -- messages that don't persist and are here for want of memory
    expires -- when the first message does, in milliseconds since 1970; 0: none does
    topic -- the one it is bound to
    selector -- which messages of the topic it keeps; empty: all; None: nobody has said
    """

    name: str
    topic: str | None
    messages: int = 0
    octets: int = 0
    spilled: int = 0
    expires: int = 0
    selector: str | None = None


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
        report.version = version_of(connection, path)
        connection.execute(f"PRAGMA cache_size = -{file.CACHE}")
        _check_pages(connection, report)
        if _check_schema(connection, report):
            _check_rows(connection, report)
            report.is_whole = True
    except sqlite3.OperationalError:
        raise  # nothing is said about the file
    except sqlite3.DatabaseError as error:
        report.problems.append(f"it can't be read to its end: {error}")
    return report


def _check_pages(connection: sqlite3.Connection, report: Report) -> None:
    found = [line for (text,) in connection.execute("PRAGMA integrity_check") for line in text.splitlines()]
    _tell(report, "findings", [line for line in found if line != "ok" and not line.startswith("***")])


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
SELECT queue, position, expires, size, persistent, head,
    typeof(position) = 'integer' AND position > 0
    AND typeof(attempts) = 'integer' AND attempts >= 0
    AND typeof(expires) = 'integer' AND expires >= 0
    AND typeof(size) = 'integer' AND size >= 0
    AND persistent IN (0, 1)
    AND typeof(head) = 'blob' AND typeof(body) = 'blob'
FROM message
"""
_QUEUES = """
SELECT number, name, topic, length, octets,
    typeof(name) = 'text' AND typeof(topic) IN ('text', 'null') AND typeof(mark) = 'integer' AND mark >= 0
FROM queue ORDER BY name
"""
_SELECTORS = "SELECT queue, text, typeof(text) = 'text' AND unsifted IN (0, 1) FROM selector ORDER BY queue"


def _check_rows(connection: sqlite3.Connection, report: Report) -> None:
    """The promises of the schema that SQLite doesn't know of."""
    doomed = {number for (number,) in connection.execute("SELECT number FROM doomed")}
    queues: dict[object, QueueReport] = {}
    counters: dict[object, tuple[object, object]] = {}
    odd_queues = []
    for number, name, topic, length, octets, sound in connection.execute(_QUEUES):
        queues[number] = QueueReport(str(name), topic)
        counters[number] = length, octets
        if not sound or not (_is_text(name) and _is_text(topic or "")):
            odd_queues.append(f"queue {name!r} has values that none can have")
        if number in doomed:
            odd_queues.append(f"queue {name!r} is there, and is being removed")
    report.queues += queues.values()
    if report.version > 1:
        _check_selectors(connection, queues, odd_queues)
    rows = {number: [0, 0] for number in queues}
    odd, unreadable = [], []
    astray: dict[object, int] = {}
    for number, position, expires, size, persistent, head, sound in connection.execute(_ROWS):
        queue = queues.get(number)
        if queue is None:
            if number not in doomed:
                astray[number] = astray.get(number, 0) + 1
            continue
        if not sound:
            odd.append(f"message {position} of {queue.name!r} has values that none can have")
            continue
        if not _is_head(head):
            unreadable.append(f"message {position} of {queue.name!r} has no readable headers")
        count = rows[number]
        count[0] += 1
        count[1] += size
        if persistent:
            queue.messages += 1
            queue.octets += size
        else:
            queue.spilled += 1
        if expires and (not queue.expires or expires < queue.expires):
            queue.expires = expires
    _tell(report, "queues", odd_queues)
    _tell(report, "messages", odd)
    _tell(report, "messages", unreadable)
    _tell(
        report,
        "queues",
        [f"{count} messages of no queue, number {number}" for number, count in astray.items()],
    )
    wrong = []
    for number, queue in queues.items():
        for what, told, counted in zip(("messages", "octets"), counters[number], rows[number], strict=True):
            if told != counted:
                wrong.append(f"queue {queue.name!r} says that it has {told} {what}, and has {counted}")
    _tell(report, "queues", wrong)
    report.queues = _together(report.queues)
    for address, name, time in connection.execute("SELECT address, name, time FROM seen"):
        if not (_is_text(address) and _is_text(name) and isinstance(time, float)):
            report.problems.append(f"the name {name!r}, remembered for {address!r}, has odd values")
            break


def _check_selectors(
    connection: sqlite3.Connection, queues: dict[object, QueueReport], odd: list[str]
) -> None:
    for number, text, sound in connection.execute(_SELECTORS):
        queue = queues.get(number)
        if queue is None or queue.topic is None:
            odd.append(f"a selector of no bound queue, number {number}")
        elif not sound or not _is_text(text):
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
    return list(found.values())


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


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
