"""RepairCopy: what can be read of a damaged file, row by row into a new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stomp_tx.address import base_of
from stomp_tx.engine.sqlite import file, row_reads, row_values
from stomp_tx.engine.sqlite.damage import forget_pages, is_damage
from stomp_tx.engine.sqlite.salvage import Gap, Salvage, joined, numbers

Progress = Callable[[int, int], object]
"""Called now and then with the octets that were looked at, and about how many it will be; may raise."""

AT_ONCE = 500  # messages that are written at once


@dataclass
class Loss:
    """What a queue had, and has not any more.

    messages -- how many, by what the queue said that it has
    places -- where they were, as far as that is known
    """

    queue: str
    messages: int
    places: list[Gap]


@dataclass
class Repaired:
    """What is in the file now; ``octets`` are of the messages' frames.

    kept -- where the damaged file is
    losses -- of each queue that has any
    unnamed -- queues that are named anew, for their names are lost
    names_lost -- names for de-duplication may be lost
    selectors_lost -- the same of selectors: those subscriptions keep all, until somebody subscribes
    unbound -- durable subscriptions whose topics are lost: they get nothing new until then
    """

    kept: str = ""
    messages: int = 0
    queues: int = 0
    octets: int = 0
    losses: list[Loss] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    names_lost: bool = False
    selectors_lost: bool = False
    unbound: list[str] = field(default_factory=list)


class RepairCopy:
    """From a damaged file to a new one."""

    def __init__(
        self,
        source: sqlite3.Connection,
        target: sqlite3.Connection,
        total: int,
        progress: Progress | None,
    ) -> None:
        self._source = source
        self._target = target
        self._total = total
        self._progress = progress or (lambda done, total: None)
        self._done = 0
        self._result = Repaired()

    def run(self, version: int) -> Repaired:
        for number, statements in file.versions().items():
            if number <= version:
                self._target.executescript(statements)
        self._target.execute(f"PRAGMA application_id = {file.APPLICATION}")
        self._target.execute(f"PRAGMA user_version = {version}")
        with file.transaction(self._target):
            doomed = {
                number for (number,) in Salvage(self._source, "SELECT number FROM doomed WHERE", "number")
            }
            queues = self._queues()
            taken: set[str] = set()
            # (One that is there and is named here is named by damage alone: a broker removes nothing of it.)
            for number in sorted(queues.keys() | (numbers(self._source) - doomed)):
                self._copy_queue(number, queues.get(number), taken)
            if version > 1:
                self._copy_selectors()
            self._copy_names()
        return self._result

    def _columns(self, table: str) -> list[str]:
        return [row[1] for row in self._target.execute(f"PRAGMA table_info({table})")]

    # -- queues -------------------------------------------------------------------------------------------

    def _queues(self) -> dict[int, dict[str, Any]]:
        """Their rows, by number; of those that can't be read, what an index has."""
        columns = self._columns("queue")
        select = f"SELECT {', '.join(columns)} FROM queue WHERE"
        found = {
            row[0]: dict(zip(columns, row, strict=True)) for row in Salvage(self._source, select, "number")
        }
        for order in ("name", "name DESC"):
            select = f"SELECT number, name FROM queue INDEXED BY sqlite_autoindex_queue_1 ORDER BY {order}"
            self._take(select, lambda row: found.setdefault(row[0], {"name": row[1]}))
        return {number: row for number, row in found.items() if isinstance(number, int)}

    def _take(self, select: str, take: Callable[[tuple[Any, ...]], object]) -> bool:
        """Rows up to the damage.  False: there is some."""
        try:
            for row in self._source.execute(select):
                take(row)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            forget_pages(self._source)
            return False
        return True

    def _copy_queue(self, number: int, row: dict[str, Any] | None, taken: set[str]) -> None:
        row = row or {}
        name = f"/queue/repaired.{number}"
        has_name = row_values.is_name(row.get("name")) and row["name"] not in taken
        if has_name:
            name = row["name"]
        taken.add(name)
        topic = row.get("topic")
        if not row_values.is_topic_of(topic):
            topic = None
            self._result.unbound.append(base_of(name))
        length, octets, kept, bad = self._copy_messages(number, name)
        told = row.get("length")
        lost = max(told - kept, 0) if type(told) is int else len(bad)
        if bad or lost:
            self._result.losses.append(Loss(base_of(name), lost, bad))
        if not length and topic is None:
            return
        if not has_name:
            self._result.unnamed.append(name)
        mark = row.get("mark")
        values = {
            "number": number,
            "name": name,
            "topic": topic,
            "length": length,
            "octets": octets,
            "mark": mark if type(mark) is int and 0 < mark <= row_values.HIGHEST else 0,
        }
        columns = self._columns("queue")
        self._insert("queue", columns, [tuple(values.get(column) for column in columns)])
        self._result.queues += 1
        self._result.messages += length
        self._result.octets += octets

    def _copy_messages(self, number: int, name: str) -> tuple[int, int, int, list[Gap]]:
        """Gives messages and octets; how many there were, with what does not persist; what can't be read."""
        columns = self._columns("message")
        select = f"SELECT position, {', '.join(columns)} FROM message WHERE queue = ? AND"
        found = 0
        bad = []
        waiting = []
        salvage = Salvage(self._source, select, "position", number)
        for row in salvage:
            values = dict(zip(columns, row[1:], strict=True))
            if not _is_message(name, values):
                bad.append(Gap(row[0], row[0]))
                continue
            if not values["persistent"]:
                found += 1
                continue  # what has spilled does not outlive a broker
            waiting.append(row[1:])
            self._done += values["size"]
            if len(waiting) >= AT_ONCE:
                self._insert("message", columns, waiting)
                waiting = []
                self._progress(self._done, max(self._done, self._total))
        self._insert("message", columns, waiting)
        # (Some may have come twice, from pages that lead to the same.)
        length, octets = self._target.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM message WHERE queue = ?", (number,)
        ).fetchone()
        return length, octets, length + found, joined([*salvage.gaps, *bad])

    def _insert(self, table: str, columns: list[str], values: list[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * len(columns))
        self._target.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", values)

    def _copy_selectors(self) -> None:
        columns = self._columns("selector")
        salvage = Salvage(self._source, f"SELECT {', '.join(columns)} FROM selector WHERE", "queue")
        bound = {
            number for (number,) in self._target.execute("SELECT number FROM queue WHERE topic NOT NULL")
        }
        found = [row for row in salvage if row[0] in bound]
        good = [row for row in found if row_values.is_text(row[1]) and row[2] in (0, 1)]
        self._insert("selector", columns, good)
        self._result.selectors_lost = bool(salvage.gaps) or len(good) < len(found)

    # -- names for de-duplication -------------------------------------------------------------------------

    def _copy_names(self) -> None:
        columns = self._columns("seen")

        def take(row: tuple[Any, ...]) -> None:
            values = dict(zip(columns, row, strict=True))
            time = values["time"]
            if not (row_values.is_text(values["address"]) and row_values.is_text(values["name"])):
                return
            if type(time) is float and abs(time) < row_values.FAR_OFF:
                self._insert("seen", columns, [row])

        # The table and its index have the same.
        orders = ("address, name", "address DESC, name DESC", "time, address, name", "time DESC")
        select = f"SELECT {', '.join(columns)} FROM seen ORDER BY"
        self._result.names_lost = not any(self._take(f"{select} {order}", take) for order in orders)


def _is_message(address: str, values: dict[str, Any]) -> bool:
    """Would a broker take it?"""
    wanted = ("position", "attempts", "expires", "size", "persistent", "head", "body")
    try:
        row_reads.message_of(address, tuple(values[column] for column in wanted))
    except ValueError:
        return False
    return (
        0 < values["position"] <= row_values.HIGHEST
        and 0 <= values["expires"] <= row_values.HIGHEST
        and 0
        <= min(values["attempts"], values["size"])
        <= max(values["attempts"], values["size"])
        <= row_values.LARGEST
        and values["persistent"] in (0, 1)
    )
