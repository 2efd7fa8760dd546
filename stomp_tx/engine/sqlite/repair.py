"""Repair: a file without its damage, of all that can be read; what was damaged is kept beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from stomp_tx.engine.sqlite import private_files
from stomp_tx.engine.sqlite.check import check
from stomp_tx.engine.sqlite.file_lock import FileLock
from stomp_tx.engine.sqlite.reader import (
    as_far_as_it_goes,
    connect,
    is_of_writing,
    must_be_a_file,
    source_error,
    version_of,
)
from stomp_tx.engine.sqlite.repair_copy import Progress, RepairCopy, Repaired
from stomp_tx.errors import ConfigurationError, EngineError


def repair(path: str, progress: Progress | None = None) -> Repaired | None:
    """Put in the place of a damaged file a good one, with all that can be read; None: it was good.

    The damaged one is not changed, but named ``path.damaged``: nothing is lost by this that was not before.
    No broker may use it meanwhile.  Raises StompError; then all is as it was.
    """
    must_be_a_file(path)
    whole = os.path.realpath(path)
    with closing(FileLock(whole, make=False)):
        if not check(whole).problems:
            return None
        _empty_log(whole, path)
        try:
            return _replace(whole, f"{whole}.repaired", progress)
        except OSError as error:
            raise EngineError(
                f"can't write beside {path}: {(error.strerror or str(error)).lower()}",
                "it takes as much room again as the file",
            ) from None


def _replace(path: str, part: str, progress: Progress | None) -> Repaired:
    try:
        repaired = _repaired(path, part, progress)
        if problems := check(part).problems:
            raise EngineError(f"what can be read of {path} makes no good file", problems[0])
        repaired.kept = _put_in_place(path, part)
    finally:
        _remove(part)
    return repaired


def _remove(part: str) -> None:
    for name in (part, f"{part}-journal"):
        if os.path.lexists(name):
            os.unlink(name)


def _empty_log(path: str, name: str) -> None:
    """Move what a killed broker has left in its log into the file: it must not be read into the new one."""
    if not any(os.path.exists(f"{path}{ending}") for ending in private_files.BESIDE):
        return
    try:
        connection = connect(path, "rw")
        try:
            as_far_as_it_goes(connection)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise source_error(name, error) from None
    if os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal"):
        raise ConfigurationError(
            f"some other program has {name} open", "end it: a backup, a check, or the sqlite3 program"
        )


def _repaired(path: str, part: str, progress: Progress | None) -> Repaired:
    _remove(part)  # of one that was killed
    if shutil.disk_usage(os.path.dirname(path)).free < os.path.getsize(path):
        raise EngineError(
            f"the disk has no room for what is repaired of {path}",
            "it takes as much as the file: make room, or move the file to another disk before",
        )
    private_files.make(part)
    source = connect(path, "ro&immutable=1")
    try:
        source.execute("PRAGMA cell_size_check = ON")
        as_far_as_it_goes(source)
        source.set_progress_handler(lambda: 0, 100_000)  # for Ctrl-C
        target = sqlite3.connect(part, isolation_level=None)
        try:
            target.execute("PRAGMA synchronous = OFF")  # it is synced when it is whole
            return RepairCopy(source, target, os.path.getsize(path), progress).run(version_of(source, path))
        finally:
            target.close()
    except sqlite3.Error as error:
        if "interrupted" in str(error):
            raise KeyboardInterrupt from None
        if is_of_writing(error):
            raise EngineError(
                f"can't write {part}: {error}",
                "the disk is full, or files may not be so large: make room, or move the file elsewhere",
            ) from None
        raise source_error(path, error) from None
    finally:
        source.close()


def _put_in_place(path: str, part: str) -> str:
    """Gives the name that the damaged file has now."""
    before = os.stat(path)
    descriptor = os.open(part, os.O_RDWR)
    try:
        os.fchmod(descriptor, before.st_mode & 0o777)
        if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, before.st_uid, before.st_gid)  # root repairs what is the broker's
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    kept = next(name for name in _kept_names(path) if not os.path.lexists(name))
    for ending in private_files.BESIDE:
        if os.path.exists(f"{path}{ending}"):
            os.unlink(f"{path}{ending}")  # they are empty
    try:
        os.link(path, kept)  # at no moment there is no file: a broker that starts would make an empty one
    except OSError:
        os.rename(path, kept)  # where files have one name each
    os.replace(part, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


def _kept_names(path: str) -> Iterator[str]:
    yield f"{path}.damaged"
    number = 2
    while True:
        yield f"{path}.damaged-{number}"
        number += 1
