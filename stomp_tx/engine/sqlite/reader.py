"""Reads an SQLiteEngine's file from another process, whether a broker uses it or not.

What is read is one snapshot: what was committed when it began.  A broker goes on committing meanwhile, into
the log beside its file, which can't be emptied until the reading ends.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from stomp_tx.engine.sqlite import file
from stomp_tx.errors import ConfigurationError, EngineError, StompError

Result = TypeVar("Result")

RESTORE = "stop the broker; then `stomp-tx repair` keeps what can be read, or put a backup in its place"
"""What to do about a file that has problems."""

_WHICH = "name the file that the broker has: --engine sqlite:PATH"


def must_be_a_file(path: str) -> None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise ConfigurationError(f"there is no {path}", _WHICH) from None
    except OSError as error:
        raise ConfigurationError(f"can't open {path}: {(error.strerror or str(error)).lower()}") from None
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path} is no file", _WHICH)
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"this user may not read {path}", "be the user that the broker runs as")


def version_of(connection: sqlite3.Connection, path: str) -> int:
    try:
        version = file.check_version(connection, path)
    except ConfigurationError as error:
        # (What it advises is meant for those who start a broker.)
        detail = error.detail if "newer" in error.summary else _WHICH
        raise ConfigurationError(error.summary, detail) from None
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        if _begins_like_ours(path):
            raise
        raise ConfigurationError(
            f"{path} is no broker's file, or its beginning is lost ({error})",
            f"{_WHICH}; or stop the broker, keep a copy of its file, and put a backup in its place",
        ) from None
    if not version:
        raise ConfigurationError(f"{path} is empty: no broker has used it yet", _WHICH)
    return version


def _begins_like_ours(path: str) -> bool:
    # Closing this undoes the locks that SQLite has on the file, in this process: a file nobody can use.
    with open(path, "rb") as stream:
        beginning = stream.read(100)
    return beginning[68:72] == file.APPLICATION.to_bytes(4, "big")


def connect(path: str, mode: str) -> sqlite3.Connection:
    name = f"{Path(os.path.abspath(path)).as_uri()}?mode={mode}"
    connection = sqlite3.connect(name, uri=True, isolation_level=None)
    connection.text_factory = _text
    connection.execute(f"PRAGMA busy_timeout = {file.BUSY}")
    return connection


def as_far_as_it_goes(connection: sqlite3.Connection) -> None:
    """Have it read a file that ends too soon: usually SQLite refuses to read any of it."""
    connection.execute("PRAGMA writable_schema = ON")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


class Source:
    """A connection that only reads, and maybe one to help the broker with."""

    def __init__(self, path: str, quiet: bool, helps: bool) -> None:
        self._path = path
        self._helper = self._open_helper() if helps and not quiet else None
        # SQLite would make a log even to read, and a folder that can't be written to would do for no reading
        # at all.  Where there is none nobody uses the file, and none is needed.
        self.connection = connect(path, "ro&immutable=1" if quiet else "ro")
        # Python sees no signal while SQLite is busy, but for what it calls.
        self.connection.set_progress_handler(lambda: 0, 100_000)

    def _open_helper(self) -> sqlite3.Connection | None:
        try:
            helper = connect(self._path, "rw")
            helper.execute("PRAGMA checkpoint_fullfsync = ON")
            helper.execute("SELECT count(*) FROM sqlite_master").fetchone()  # it opens the log now, not later
        except sqlite3.Error:
            return None  # this user may not: the broker will do it
        self._log = self._log_size()
        return helper

    def _log_size(self) -> int:
        try:
            return os.path.getsize(f"{self._path}-wal")
        except OSError:
            return 0

    def relieve(self) -> None:
        """Move what the log has gathered since into the file: nothing of the snapshot is needed any more."""
        if self._helper is not None and self._log_size() > self._log:
            try:
                self._helper.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error:
                pass  # the broker will do it

    def close(self) -> None:
        # The helper first: the last one to close a file moves its log, and that should not be us.
        if self._helper is not None:
            self._helper.close()
        self.connection.close()


def reading(path: str, work: Callable[[Source], Result], helps: bool = False) -> Result:
    """What the work makes of a connection that only reads.  Raises StompError."""
    whole = os.path.realpath(path)
    while True:
        must_be_a_file(path)
        before = _state(whole)
        quiet = before[0]
        try:
            source = Source(whole, quiet, helps)
            try:
                result = work(source)
            finally:
                source.close()
        except (sqlite3.Error, StompError) as error:
            if quiet and _state(whole) != before:
                continue
            if isinstance(error, StompError):
                raise
            if "interrupted" in str(error):
                raise KeyboardInterrupt from None
            raise source_error(path, error) from None
        if quiet and _state(whole) != before:
            continue  # a broker began to use it: what was read may be anything
        return result


def _state(path: str) -> tuple[bool, tuple[int, ...]]:
    """Does nobody use the file?  And what shows whether somebody did meanwhile."""
    found = os.stat(path)
    quiet = not any(os.path.exists(f"{path}{ending}") for ending in ("-wal", "-journal"))
    return quiet, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def is_of_writing(error: sqlite3.Error) -> bool:
    """The source is only read: was it the copy that could not be written?"""
    if "full" in str(error):
        return True
    name = getattr(error, "sqlite_errorname", None)  # Python 3.11
    return "disk I/O" in str(error) and (name is None or "READ" not in name)


def source_error(path: str, error: sqlite3.Error) -> StompError:
    text = str(error)
    if "unable to open" in text or "readonly" in text:
        return ConfigurationError(
            f"can't read {path} and what is beside it ({text})",
            "be the user that the broker runs as; or copy it, its -wal and its -shm into a folder that this"
            " user can write to",
        )
    if "disk I/O" in text:
        return EngineError(f"can't read {path}: {text}", "the disk may be failing: see the system's log")
    return file.file_error(path, error)
