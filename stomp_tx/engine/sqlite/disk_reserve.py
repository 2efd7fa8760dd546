"""DiskReserve: room on the disk that is kept back, so that messages can be deleted when the disk is full."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import suppress

from stomp_tx.engine.sqlite import private_files, row_writes
from stomp_tx.engine.sqlite.changes import Changes
from stomp_tx.engine.sqlite.file import CHECKPOINT

FULL = "database or disk is full"
"""What SQLite says then."""

SHORT = 1024 * 1024
"""Octets: with less room on the disk any fault of it is taken for want of room."""

_CHECKPOINT = 256  # pages in the log while there is little room
_PIECE = bytes(1024 * 1024)


class DiskReserve:
    """A file beside the engine's, removed when the disk is full: deletions too need room, in SQLite's log.

    All but the start runs in the worker.  From the reactor's thread ``is_gone`` and ``takes`` may be read.

    is_gone -- the room is released: it is for settlements and deletions
    takes -- messages may be added: the reserve is there or not wanted, or the file has room within
    fault -- why there can't be one, where that is not for want of room; there is none then
    """

    def __init__(self, path: str, octets: int) -> None:
        """``octets``: its size; 0: none is wanted."""
        self.path = f"{path}.reserve"
        self._beside = path
        self.octets = octets
        self.is_gone = False
        self.takes = True
        self.fault = ""
        self._absorbed = 0  # octets of messages that were added in the room released

    # -- start --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """See that it is there."""
        with suppress(OSError):
            if self.octets and os.stat(self.path).st_size == self.octets:
                return
        self._remove()
        if self.octets and not self._make(self.octets):
            self.is_gone = True
            self.takes = False

    def would_help(self) -> bool:
        """Is there no room but this?"""
        return os.path.exists(self.path) and self._room() < SHORT

    def release_at_start(self) -> None:
        """The file could not be opened without this room."""
        self.is_gone, self.takes = True, False
        self._remove()

    # -- in the worker ------------------------------------------------------------------------------------

    def write(self, connection: sqlite3.Connection, changes: Changes) -> bool:
        """As ``row_writes.write``; when the disk is full once more, in the room released.

        Of messages that are added so much is written there that enough is left for those who delete.
        """
        if not self.octets:
            return row_writes.write(connection, changes)
        if self.is_gone and not self.takes:
            self._absorb(changes)
        try:
            more = row_writes.write(connection, changes)
        except sqlite3.Error as error:
            if not self._is_full(error):
                raise
            self._release(connection)
            self._absorb(changes)
            more = row_writes.write(connection, changes)
        if self.is_gone:
            self.look(connection)
        return more

    def look(self, connection: sqlite3.Connection) -> None:
        """Has the file enough room within, for messages to be added?"""
        (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        self.takes = pages * size >= (self.octets // 2 if self.takes else self.octets)

    def make_again(self, connection: sqlite3.Connection) -> None:
        """Make it, if there is room for it and some more."""
        if self._room() >= self.octets + self.octets // 4 and self._make(self.octets):
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
            self.is_gone, self.takes = False, True
            self._absorbed = 0
        else:
            self._empty_log(connection)
            self.look(connection)

    def _absorb(self, changes: Changes) -> None:
        """Count what is added.  Raises sqlite3.OperationalError when that is too much."""
        added = sum(message.size for part in changes.parts for message in part.added)
        if not added:
            return
        if self._absorbed + added > self.octets // 4:
            raise sqlite3.OperationalError(FULL)
        self._absorbed += added

    def _is_full(self, error: sqlite3.Error) -> bool:
        # Where the index of the log can't grow SQLite calls that an I/O error.
        return "full" in str(error) or ("disk I/O" in str(error) and self._room() < SHORT)

    def _release(self, connection: sqlite3.Connection) -> None:
        self.is_gone, self.takes = True, False
        self._remove()
        self._empty_log(connection)

    def _empty_log(self, connection: sqlite3.Connection) -> None:
        """Bring what is in the log to its places, if they have room: then it needs none."""
        with suppress(sqlite3.Error, OSError):
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
            fits = pages * size - os.stat(self._beside).st_size <= self._room()
            # Where it does not fit, trying would use up the room and be in vain.
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT if fits else 0}")
            if fits:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- the file -----------------------------------------------------------------------------------------

    def _remove(self) -> None:
        with suppress(OSError):
            os.unlink(self.path)

    def _room(self) -> int:
        """Octets that are free on the disk."""
        try:
            return shutil.disk_usage(os.path.dirname(self.path)).free
        except OSError:
            return 0

    def _make(self, octets: int) -> bool:
        """False: there is no room for it."""
        try:
            with open(self.path, "wb", opener=private_files.opener) as file:
                _allocate(file.fileno(), octets)
        except OSError as error:
            self._remove()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return False
            self.fault = (error.strerror or str(error)).lower()
            self.octets = 0
        return True


def _allocate(descriptor: int, octets: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, octets)
        return
    while octets > 0:
        octets -= os.write(descriptor, _PIECE[:octets])
