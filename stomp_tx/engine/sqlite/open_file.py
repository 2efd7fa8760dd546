"""OpenFile: an engine's file while it is in use: its lock, its connections, the room beside it."""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Callable

from twisted.logger import Logger

from stomp_tx.engine.sqlite import file, file_lock, private_files, recovery
from stomp_tx.engine.sqlite.changes import Changes
from stomp_tx.engine.sqlite.disk_reserve import DiskReserve
from stomp_tx.engine.sqlite.file_lock import FileLock
from stomp_tx.errors import ConfigurationError, StompError

OLDEST = (3, 35)
"""The SQLite that is needed at least."""


class OpenFile:
    """One engine uses it at a time.

    path -- the real one, as soon as it is open
    writer, reader -- its connections; None: it is not open.  The first one is the worker's
    reserve -- room on the disk for when that is full
    """

    log = Logger()

    def __init__(self, path: str, reserve_octets: int) -> None:
        self.path = path
        self._reserve_octets = reserve_octets
        self.reserve = DiskReserve(path, reserve_octets)
        self.writer: sqlite3.Connection | None = None
        self.reader: sqlite3.Connection | None = None
        self._lock: FileLock | None = None

    def check(self) -> None:
        """Raises StompError when it could not be opened; changes nothing."""
        _must_be_possible()
        file.must_be_usable(os.path.realpath(self.path))

    def open(self, restore: Callable[[sqlite3.Connection], None]) -> None:
        """Open it, and ``restore`` what is there, by the connection that writes.  Raises StompError."""
        _must_be_possible()
        self.path = os.path.realpath(self.path)  # whoever comes by another name finds the same lock
        self.reserve = DiskReserve(self.path, self._reserve_octets)
        self._lock = FileLock(self.path)
        try:
            restore(self._open())
        except sqlite3.Error as error:
            self.close()
            raise file.file_error(self.path, error) from None
        except BaseException:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        self.reserve.start()
        try:
            writer = self._connect()
        except (sqlite3.Error, StompError):
            if not self.reserve.would_help():
                raise
            self._close_connections()
            self.reserve.release_at_start()
            writer = self._connect()
        self._warn_of_readers()
        return writer

    def _connect(self) -> sqlite3.Connection:
        self.writer = writer = file.open_for_writing(self.path)
        self.reader = file.open_for_reading(self.path)
        recovery.recover(writer)
        if self.reserve.is_gone:
            self.reserve.look(writer)
        return writer

    def _warn_of_readers(self) -> None:
        """Of a file from before: a new one is private.  Whether its mode was meant, only a person knows."""
        if found := private_files.open_to_others(self.path):
            self.log.warn(
                "every user of this machine may use {path}, and the messages in it; if that is not meant:"
                " chmod 600 {files}",
                path=self.path,
                files=shlex.join(found),
            )

    def write(self, changes: Changes) -> bool:
        """Runs in the worker; see ``row_writes.write``."""
        assert self.writer is not None
        return self.reserve.write(self.writer, changes)

    def make_reserve_again(self) -> None:
        """Runs in the worker: if there is room for it."""
        assert self.writer is not None
        self.reserve.make_again(self.writer)

    def reading(self) -> sqlite3.Connection:
        """The connection that sees what was committed."""
        assert self.reader is not None
        return self.reader

    def name(self) -> str:
        """The path."""
        return self.path

    def describe(self, error: sqlite3.Error) -> tuple[StompError, StompError]:
        """To clients, whom the path is no business of, and to the operator."""
        return file.file_error("the broker's file", error), file.file_error(self.path, error)

    def close(self) -> None:
        """Others may use it."""
        self._close_connections()
        if self._lock is not None:
            self._lock.close()
        self._lock = None

    def _close_connections(self) -> None:
        for connection in (self.reader, self.writer):
            if connection is not None:
                connection.close()
        self.reader = self.writer = None


def _must_be_possible() -> None:
    file_lock.must_be_possible()
    if sqlite3.sqlite_version_info < OLDEST:
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} is too old",
            f"the file needs {OLDEST[0]}.{OLDEST[1]} or newer; --engine memory: needs none",
        )
