"""Backup: a consistent copy of an SQLiteEngine's file, while a broker may use it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from stomp_tx.engine.sqlite import file, file_lock, private_files
from stomp_tx.engine.sqlite.file_lock import FileLock
from stomp_tx.engine.sqlite.reader import Source, connect, is_of_writing, must_be_a_file, reading, version_of
from stomp_tx.errors import ConfigurationError, EngineError, StompError

Progress = Callable[[int, int], object]
"""Called now and then with the octets that were written and about how many it will be; may raise."""

_sync_content = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter

OFTEN = 50  # steps of SQLite's machine between two looks at what happens: a row takes about four
UNSYNCED = 8 * 1024 * 1024  # octets of a copy that are on their way to the disk at most


@dataclass(frozen=True)
class Saved:
    """What a backup has in it; ``octets`` are of the messages' frames, ``size`` are the copy's own."""

    messages: int
    queues: int
    octets: int
    size: int


def back_up(path: str, target: str, force: bool = False, progress: Progress | None = None) -> Saved:
    """A copy of the file as it is now, which a broker can use; it is on the disk when this returns.

    Until then it is ``target.part``, and gone if this fails.  Raises StompError, saying what to do.

    Of SQLite's two ways this is VACUUM INTO.  The backup API begins anew whenever some other connection has
    written between two of its steps: beside a broker that committed 1,500 times a second it began 13,000
    times in 15 seconds and was not done.  VACUUM INTO reads one snapshot, and leaves out what was deleted.

    What it writes is synced bit by bit: the broker's next small sync might wait for all of it otherwise.

    Once the snapshot is let go of, the broker's next commit would move all that the log has gathered into
    the file before any other commit.  So that is done here, where nobody waits for it.

    Measured with 1.7 GB beside a broker that took 1,600 messages a second (10 seconds, a log of 150 MB), the
    longest that a commit waited: 170 to 210 ms; without the help at the end 530, without the syncs 510,
    without both 1,020.  All of that is at the end; half of those during the copy waited 2 ms, not 1.2.
    """
    file_lock.must_be_possible()
    must_be_a_file(path)
    with _place(path, target, force) as place:

        def copy(source: Source) -> Saved:
            version_of(source.connection, path)
            return _copy(source, place, progress)

        saved = reading(path, copy, helps=True)
        place.finish()
    return saved


class _Place:
    """Where a copy is written: ``part``, which becomes ``target``."""

    def __init__(self, target: str, descriptor: int) -> None:
        self.target = target
        self.part = f"{target}.part"
        self.descriptor = descriptor
        self.is_finished = False

    def finish(self) -> None:
        os.fsync(self.descriptor)
        _remove(_beside(self.target))  # the log of what was there: SQLite would read it into the copy
        os.replace(self.part, self.target)
        self.is_finished = True
        folder = os.open(os.path.dirname(self.target), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _place(path: str, target: str, force: bool) -> Iterator[_Place]:
    """A place for the copy, that nobody else uses; nothing is left there unless it was finished."""
    whole = os.path.abspath(target)
    _must_not_be_the_same(path, target)
    with ExitStack() as stack:
        if os.path.lexists(whole) or _beside(whole):
            if not force:
                raise ConfigurationError(
                    f"{target} exists already", "name another target, or replace it with --force"
                )
            stack.enter_context(_unused(whole, target))
        place = _Place(whole, -1)
        try:
            place.descriptor = _open_alone(place.part)
            stack.callback(os.close, place.descriptor)
            try:
                _remove(_beside(place.part))
                yield place
            finally:
                if not place.is_finished:  # (otherwise a new one may be some other backup's)
                    _remove([place.part, *_beside(place.part)])
        except OSError as error:
            raise _target_error(target, error.strerror or str(error)) from None


def _must_not_be_the_same(path: str, target: str) -> None:
    ours = os.path.realpath(path)
    theirs = os.path.realpath(target)
    if theirs in {f"{ours}{ending}" for ending in ("", ".lock", ".reserve", *private_files.BESIDE)} or (
        os.path.exists(theirs) and os.path.samefile(ours, theirs)
    ):
        raise ConfigurationError(f"{target} is the broker's own file", "name another target")
    if os.path.isdir(theirs):
        inside = os.path.join(target, os.path.basename(ours))
        raise ConfigurationError(f"{target} is a folder", f"name a file in it: {inside}")
    if os.path.exists(theirs) and not os.path.isfile(theirs):
        raise ConfigurationError(f"{target} is no file", "name another target")


def _beside(name: str) -> list[str]:
    """What SQLite has beside a file, or has left there when its process was killed."""
    return [beside for ending in private_files.BESIDE if os.path.exists(beside := f"{name}{ending}")]


def _remove(names: list[str]) -> None:
    for name in names:
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass


@contextmanager
def _unused(target: str, name: str) -> Iterator[None]:
    """No broker uses the file that is to be replaced, nor begins to."""
    if not os.path.exists(f"{target}.lock"):
        yield  # no broker ever did
        return
    try:
        held = FileLock(target, make=False)
    except ConfigurationError as error:
        raise ConfigurationError(f"can't replace {name}", f"{error}: stop it first") from None
    with held:
        yield


def _open_alone(part: str) -> int:
    """The descriptor of a new, empty file that no other backup writes, and only this user may read.

    Raises OSError or ConfigurationError.
    """
    _clear(part)
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, private_files.MODE)
    except FileExistsError:
        raise _another(part) from None
    try:
        _must_be_ours(descriptor, part)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _clear(part: str) -> None:
    """Remove what a killed backup left: somebody may have it open, whatever mode it is given now."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        _must_be_ours(descriptor, part)
        os.unlink(part)
    finally:
        os.close(descriptor)


def _must_be_ours(descriptor: int, part: str) -> None:
    """Raises ConfigurationError: another backup writes it, or has just made its target of it."""
    try:
        file_lock.lock(descriptor)
        if os.path.samestat(os.fstat(descriptor), os.stat(part)):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise _another(part)


def _another(part: str) -> ConfigurationError:
    return ConfigurationError(f"another backup writes {part}", "wait for it, or name another target")


def _copy(source: Source, place: _Place, progress: Progress | None) -> Saved:
    connection = source.connection
    connection.execute(f"PRAGMA cache_size = -{file.CACHE}")
    pages, free, page = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    total = (pages - free) * page
    available = shutil.disk_usage(os.path.dirname(place.target)).free
    if available < total:
        # The broker's file may be on the same disk: it would have no room either.
        raise EngineError(
            f"the disk has no room for {place.target}",
            f"it takes about {total // 1024**2 + 1} MiB, {available // 1024**2} MiB are free",
        )
    os.ftruncate(place.descriptor, 0)
    failed: list[BaseException] = []
    synced = 0

    def look() -> int:
        nonlocal synced
        try:
            size = os.fstat(place.descriptor).st_size
            if size - synced >= UNSYNCED:
                _sync_content(place.descriptor)
                synced = size
                if progress is not None:
                    progress(size, max(size, total))
        except BaseException as error:
            failed.append(error)
            return 1
        return 0

    connection.set_progress_handler(look, OFTEN)
    try:
        # (As octets: the name may be none in UTF-8.)
        connection.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(place.part),))
    except sqlite3.Error as error:
        if failed:
            raise failed[0] from None
        if is_of_writing(error):
            raise _target_error(place.target, str(error)) from None
        raise
    source.relieve()
    return _saved(place)


def _saved(place: _Place) -> Saved:
    copy = connect(place.part, "ro&immutable=1")
    try:
        messages, octets, queues = copy.execute(
            "SELECT coalesce(sum(length), 0), coalesce(sum(octets), 0), count(*) FROM queue"
        ).fetchone()
        spilled, spilled_octets = copy.execute(
            "SELECT count(*), coalesce(sum(message.size), 0) FROM message JOIN queue ON queue = number"
            " WHERE persistent = 0"
        ).fetchone()
    finally:
        copy.close()
    messages -= spilled
    octets -= spilled_octets
    return Saved(messages, queues, octets, os.fstat(place.descriptor).st_size)


def _target_error(target: str, text: str) -> StompError:
    text = text.lower()
    if "no such file" in text:
        folder = os.path.dirname(os.path.abspath(target))
        return ConfigurationError(f"can't write {target}", f"there is no folder {folder}: make it")
    if "denied" in text or "read-only" in text or "not permitted" in text:
        return ConfigurationError(
            f"can't write {target}: {text}", "name a folder that this user can write to, or be another user"
        )
    return EngineError(
        f"can't write {target}: {text}",
        "the disk is full, or files may not be so large: make room, or name a target elsewhere",
    )
