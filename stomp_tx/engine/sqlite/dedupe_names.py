"""StoredNames: those names in the file that each destination has taken; see engine/dedupe.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from stomp_tx.engine.dedupe import DedupeNames
from stomp_tx.engine.sqlite import loading
from stomp_tx.engine.sqlite.changes import Changes
from stomp_tx.engine.sqlite.dedupe_stamps import DedupeStamps
from stomp_tx.engine.sqlite.file import transaction

SLACK = 1.0
"""Seconds for which a name stays in the file when the memory has forgotten it: never the other way round."""


class StoredNames:
    """Has the names outlive the process: none is forgotten early, whatever the machine's time of day does."""

    def __init__(self, dedupe: DedupeNames, seconds: Callable[[], float], window: float) -> None:
        """
        dedupe -- the same in memory
        seconds -- that only go forward
        window -- seconds for which a name is remembered
        """
        self._dedupe = dedupe
        self._seconds = seconds
        self._stay = window + SLACK
        self._tidied_at: float | None = None  # then some can go; None: there are none
        self._stamps = DedupeStamps(seconds, 0.0)

    def restore(self, connection: sqlite3.Connection, now: float) -> None:
        """At the start: ``now`` gives the seconds since 1970, which matter for the first name of all."""
        latest = loading.latest_stamp(connection)
        self._stamps = DedupeStamps(self._seconds, now if latest is None else latest)
        with transaction(connection):
            for page in loading.seen(connection):
                too_many = self._dedupe.restore(page)
                if too_many:
                    loading.forget(connection, too_many)
                self.come()

    def note(self, changes: Changes, address: str, name: str) -> None:
        """It is written with these changes."""
        changes.seen.append((address, name, self._stamps.new()))
        self.come()

    def come(self) -> None:
        """There are some: they go in time."""
        if self._tidied_at is None:
            self._tidied_at = self._seconds() + self._stay

    def are_old(self) -> bool:
        """Can some of them go?"""
        return self._tidied_at is not None and self._seconds() > self._tidied_at

    def tidy(self, changes: Changes) -> None:
        """Those go with these changes."""
        self._tidied_at = None
        changes.forgotten = self._stamps.ago(self._stay)
