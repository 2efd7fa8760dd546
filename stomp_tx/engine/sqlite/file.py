"""The file of an SQLiteEngine: who may use it, its version, and its connections."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from stomp_tx.engine.sqlite import private_files
from stomp_tx.engine.sqlite.file_lock import must_be_a_file, must_have_one_name
from stomp_tx.errors import ConfigurationError, EngineError, StompError

APPLICATION = 0x53544D50  # "STMP": whose file it is (PRAGMA application_id)
CACHE = 8 * 1024  # KiB of pages that one connection keeps
CHECKPOINT = 4000  # pages in the log, before they go to their places in the file
BUSY = 5000  # milliseconds to wait for somebody else who writes: a person with the sqlite3 program


def versions() -> dict[int, str]:
    """The statements that make each version of the schema from the one before."""
    found = {}
    for file in files("stomp_tx.engine.sqlite").joinpath("schema").iterdir():
        number = re.match(r"([0-9]{4})[^/]*\.sql$", file.name)
        if number is not None:
            found[int(number[1])] = file.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def connect(path: str, read_only: bool = False) -> sqlite3.Connection:
    """A connection in which transactions begin and end where we say so, to a file that is there.

    Raises sqlite3.Error.
    """
    name = f"{Path(path).absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=read_only)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY}")
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        connection.execute("PRAGMA cell_size_check = ON")  # damage is noticed before it is made messages of
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_writing(path: str) -> sqlite3.Connection:
    """The connection that writes: a new file is made, an older version brought up to date.

    A new one is readable to this user only.  Raises StompError, saying what to do.
    """
    try:
        private_files.make(path)
    except OSError as error:
        raise _unopened(path, (error.strerror or str(error)).lower()) from None
    try:
        connection = connect(path)
        try:
            check_version(connection, path)  # before anything is changed
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # on macOS fsync alone does not reach the disk
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
            connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT * 4096}")
            _bring_up_to_date(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise file_error(path, error) from None
    return connection


def open_for_reading(path: str) -> sqlite3.Connection:
    """A connection that sees what was committed, and changes nothing.  Raises StompError."""
    if not os.path.exists(path):
        raise ConfigurationError(f"there is no {path}", "a broker with --engine sqlite:PATH makes it")
    try:
        connection = connect(path, read_only=True)
        try:
            check_version(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise file_error(path, error) from None
    return connection


def check_version(connection: sqlite3.Connection, path: str) -> int:
    """The version of the file's schema, 0 for a new one.  Raises ConfigurationError if it is not ours."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and (application or version or tables):
        raise ConfigurationError(
            f"{path} is some other program's file", "give the broker a file of its own: --engine sqlite:PATH"
        )
    newest = max(versions())
    if version > newest:
        raise ConfigurationError(
            f"{path} was written by a newer stomp-tx",
            f"its version is {version}, this program's is {newest}: use that one, or a backup from before",
        )
    return int(version)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written within is committed at its end, or nothing of it.  Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk, and faults of one, end the transaction by themselves
            connection.execute("ROLLBACK")
        raise


def _bring_up_to_date(connection: sqlite3.Connection, path: str) -> None:
    version = check_version(connection, path)
    for number, statements in versions().items():
        if number > version:
            # executescript would commit in between.
            with transaction(connection):
                for statement in _split(statements):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {number}")
    with transaction(connection):  # fails where nothing can be written
        connection.execute("DELETE FROM queue WHERE 0")


def _split(statements: str) -> list[str]:
    found, rest = [], ""
    for line in statements.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def must_be_usable(path: str) -> None:
    """Raises StompError when the file can't be what a broker writes to, or be made; changes nothing."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        for name in (path, f"{path}.lock"):
            with suppress(FileNotFoundError):
                os.stat(name)
    except OSError as error:
        raise _unopened(path, (error.strerror or str(error)).lower()) from None
    must_have_one_name(path)
    must_be_a_file(f"{path}.lock")
    if os.path.exists(path):
        open_for_reading(path).close()
        if not os.access(path, os.W_OK):
            raise EngineError(f"can't write {path}", _READ_ONLY)
    elif not os.path.isdir(folder):
        raise _unopened(path)
    if not os.access(folder, os.W_OK):
        raise EngineError(f"can't write {folder}", _READ_ONLY)


# -- what goes wrong --------------------------------------------------------------------------------------

_FULL = "the disk is full, or the file may not grow: make room; what was receipted is safe"
_FAULTY = "the disk, or what mounts it, fails, or the file may not grow; what was receipted is safe"
_READ_ONLY = "the file or its folder can't be written by this user: see to its owner and mode"
_CORRUPT = "`stomp-tx check` tells what is lost; `stomp-tx repair` it, or put a backup in its place"


def file_error(path: str, error: sqlite3.Error) -> StompError:
    """What SQLite says of the file, and what to do about it."""
    text = str(error)
    if "unable to open" in text:
        return _unopened(path)
    if "readonly" in text or "read-only" in text:
        return EngineError(f"can't write {path}", _READ_ONLY)
    if "full" in text:
        return EngineError(f"can't write {path}: {text}", _FULL)
    if "disk I/O" in text:
        return EngineError(f"can't read or write {path}: {text}", _FAULTY)
    if any(word in text for word in ("malformed", "not a database", "corrupt", "decode")):
        return EngineError(f"{path} is damaged: {text}", _CORRUPT)
    if "locked" in text:
        return EngineError(f"{path} is locked", "some other program writes to it: end it")
    return EngineError(f"{path}: {text}")


def _unopened(path: str, why: str = "") -> ConfigurationError:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return ConfigurationError(f"can't open {path}", f"there is no folder {folder}: make it")
    return ConfigurationError(f"can't open {path}" + (f": {why}" if why else ""), _READ_ONLY)
