"""PageReader: what is read from the file, lane by lane, whatever the disk does meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from twisted.logger import Logger

from stomp_tx.engine.sqlite import file, row_reads
from stomp_tx.engine.sqlite.damage import Damage
from stomp_tx.engine.sqlite.damaged_queues import DamagedQueues
from stomp_tx.engine.sqlite.stored import Stored
from stomp_tx.message import Message
from stomp_tx.printable import printable

T = TypeVar("T")


class PageReader:
    """None of its answers raises for what a disk does.

    A lane that can't be read is not read again before the next ``sweep``: a disk that fails takes its time.
    Where it is damaged it stands still.

    stuck -- lanes that go on after the next sweep
    """

    log = Logger()

    def __init__(
        self, reader: Callable[[], sqlite3.Connection], path: Callable[[], str], damaged_queues: DamagedQueues
    ):
        """
        reader -- gives the connection
        path -- gives the file's
        damaged_queues -- is told of damage
        """
        self._reader = reader
        self._path = path
        self._damaged_queues = damaged_queues
        self.stuck: dict[Stored, None] = {}
        self._unreadable: set[Stored] = set()  # those of which the log has told so
        self._not_now: set[Stored] = set()  # those that are not read before the next sweep

    def page(self, lane: Stored, after: int) -> list[Message] | None:
        """The next messages of a lane after a position; None: they can't be read now."""
        damage = lane.damage
        until = lane.arrived if damage is None else damage.after
        if damage is not None and after >= until:
            return None
        page = self._page(lane, after, until)
        if page is None or (not page.messages and (page.damage or damage) is not None):
            return None
        return page.messages

    def _page(self, lane: Stored, after: int, until: int) -> row_reads.Page | None:
        page = self._read(lane, lambda reader: row_reads.page(reader, lane.number, lane.name, after, until))
        if page is not None:
            if page.damage is not None and (lane.damage is None or page.damage.after < lane.damage.after):
                self._damaged_queues.found(lane, page.damage)
            lane.mark.count_attempts(page.messages)
        return page

    def misses(self, lane: Stored, missing: int) -> None:
        """So many messages should be there, and are not."""
        self._damaged_queues.found(lane, Damage(lane.horizon, "some are missing", missing))

    def more(self, lane: Stored, surplus: int) -> int:
        """How many messages follow on those that the lane says it has, and a surplus: some, if any."""
        if surplus:
            self._damaged_queues.miscounted(lane)
            lane.length_stored += surplus
        if lane.horizon >= lane.arrived:
            return 0
        page = self._page(lane, lane.horizon, lane.arrived)
        if page is None:
            return 0
        found = [message for message in page.messages if message.position not in lane.removing]
        if found:
            self._damaged_queues.miscounted(lane)
            lane.length_stored += len(found)
        return len(found) or int(page.damage is not None)

    def one(self, lane: Stored, position: int) -> Message | None:
        """The message at that position; None: it is not there, or it can't be read now."""
        page = self._page(lane, position - 1, position)
        return page.messages[0] if page is not None and page.messages else None

    def has(self, lane: Stored, position: int) -> bool:
        """Is that message still there?"""
        return bool(self._read(lane, lambda reader: row_reads.exists(reader, lane.number, position)))

    def expired(self, lane: Stored, now: int) -> row_reads.Page | None:
        """Some that have expired by now, above the horizon; None: they can't be read now."""
        return self._read(
            lane,
            lambda reader: row_reads.expired(reader, lane.number, lane.name, now, lane.horizon, lane.arrived),
        )

    def next_expiry(self, lane: Stored, now: int) -> int:
        """When the first one will after ``now``; 0: none does, or that can't be read now."""
        return self._read(lane, lambda reader: row_reads.next_expiry(reader, lane.number, now)) or 0

    def _read(self, lane: Stored, read: Callable[[sqlite3.Connection], T]) -> T | None:
        if lane in self._not_now:
            return None
        try:
            found = read(self._reader())
        except sqlite3.Error as error:
            fault = file.file_error(self._path(), error)
            if lane not in self._unreadable and lane.damage is None:
                self.log.critical(
                    "{queue} can't be read: {fault}", queue=printable(lane.name), fault=fault.line
                )
            self._unreadable.add(lane)
            self._not_now.add(lane)
            self.stuck[lane] = None
            return None
        self._unreadable.discard(lane)
        return found

    def may_be_read(self, lane: Stored) -> bool:
        """Now; else after the next sweep."""
        return lane not in self._not_now

    @property
    def can_all_be_read(self) -> bool:
        """Could each be, the last time?"""
        return not self._unreadable

    def sweep(self) -> None:
        """Called every second or so: what could not be read is tried again, where somebody waits for it."""
        self._not_now.clear()
        for lane in self._damaged_queues.to_be_read():
            assert lane.damage is not None
            page = self._page(lane, lane.damage.after, lane.arrived)
            if page is not None and page.damage is None:
                # It was read wrong, or somebody has mended it.
                self._damaged_queues.readable(lane)
                lane.go_on()
                lane.look_again()
        stuck = list(self.stuck)
        self.stuck.clear()
        for lane in stuck:
            lane.go_on()

    def forget(self, lane: Stored) -> None:
        """It is no more."""
        self.stuck.pop(lane, None)
        self._unreadable.discard(lane)
        self._not_now.discard(lane)
        self._damaged_queues.forget(lane)
