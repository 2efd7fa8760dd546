"""Intake: whether messages are taken into the file: not while its disk is full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stomp_tx.engine.room import Room
from stomp_tx.engine.sqlite.group import Group
from stomp_tx.engine.sqlite.journal import Journal
from stomp_tx.engine.sqlite.open_file import OpenFile
from stomp_tx.engine.sqlite.writer import Worker

LOOK = 5.0
"""Seconds between two looks at whether the disk has room again."""


class Intake:
    """Gives the group where messages become rows: the journal's next, or one that is refused.

    group -- gives that
    is_open -- there is room for more
    """

    log = Logger()

    def __init__(
        self,
        opened: OpenFile,
        journal: Journal,
        room: Room,
        clock: IReactorTime,
        worker: Worker,
        spills: bool,
    ) -> None:
        """``spills``: what is too much for the memory is to be taken as well."""
        self.group: Callable[[], Group] = journal.group
        self.is_open = True
        room.spills = spills
        self._file = opened
        self._journal = journal
        self._room = room
        self._clock = clock
        self._worker = worker
        self._spills = spills
        self._look_at = 0.0
        self._is_looking = False

    def look(self) -> None:
        """Something was written, or was not: is there room now?"""
        if self._file.reserve.takes is self.is_open:
            return
        self.is_open = self._file.reserve.takes
        self._room.spills = self._spills and self.is_open
        if self.is_open:
            self.group = self._journal.group
            self.log.info("{path} has room again: persistent messages are taken", path=self._file.path)
            self._room.wake_some()
        else:
            self.group = self._journal.refused
            self.log.critical(
                "the disk of {path} is full: persistent messages are refused, ACKs and deletions go on in the"
                " room of {reserve}, as long as that lasts: make room on the disk, or consume what waits",
                path=self._file.path,
                reserve=self._file.reserve.path,
            )

    def sweep(self) -> None:
        """Called now and then: while the reserve is gone, can it be made again?"""
        if not self._file.reserve.is_gone or self._is_looking or self._clock.seconds() < self._look_at:
            return
        self._is_looking = True
        self._look_at = self._clock.seconds() + LOOK
        self._worker.run(self._file.make_reserve_again, self._has_looked)

    def _has_looked(self, success: bool, result: Any) -> None:
        self._is_looking = False
        if success:
            self.look()
