"""FileLock: one broker at a time uses a file."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO

from stomp_tx.engine.sqlite import private_files
from stomp_tx.errors import ConfigurationError

_held: set[tuple[int, int]] = set()
"""Device and inode of the files that this process has locked."""


def must_be_possible() -> None:
    """Raises ConfigurationError where files can't be locked: on Windows."""
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            f"no messages in files on {sys.platform}",
            "it has no flock, which keeps a second broker from the file: write --engine memory:, or run the"
            " broker on Linux, macOS or BSD",
        ) from None


def lock(descriptor: int) -> None:
    """Lock an open file until all copies of its descriptor are closed, or the process ends.

    Raises BlockingIOError when another process has it, and any other OSError when it can't be locked.
    """
    import fcntl  # not above: Windows has none

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Keeps other brokers away from a file, by whatever name they come, until it is closed.

    There are two locks.  One is on FILE.lock, which says who has it.  The other is on the file itself: it
    holds where somebody has removed FILE.lock, and against another name of the file (a hard link).

    Take it before SQLite opens the file, and close it after SQLite has closed it: closing any descriptor of
    a file undoes SQLite's own locks in this process.  Ours is flock's, which SQLite's have nothing to do
    with, so that other programs may read the file meanwhile.  The process's end undoes both.
    """

    def __init__(self, path: str, make: bool = True) -> None:
        """``make``: an empty file where there is none.  Raises ConfigurationError when a broker uses it."""
        path = os.path.realpath(path)
        self._file: int | None = None
        self._identity: tuple[int, int] | None = None
        self._beside = _lock_beside(path)
        try:
            if make:
                _make(path)
            if os.path.exists(path):
                self._lock_itself(path)
        except BaseException:
            self.close()
            raise

    def _lock_itself(self, path: str) -> None:
        must_have_one_name(path)
        status = os.stat(path)
        identity = status.st_dev, status.st_ino
        if identity in _held:  # before a descriptor is opened that would have to be closed
            raise _in_use(path, f"process {os.getpid()}")
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise ConfigurationError(f"can't read {path}", _advice(error)) from None
        try:
            lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise _in_use(path) from None
        self._file, self._identity = descriptor, identity
        _held.add(identity)

    def close(self) -> None:
        """Others may use it."""
        if self._file is not None and self._identity is not None:
            _held.discard(self._identity)
            os.close(self._file)
            self._file = None
        self._beside.close()

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def must_be_a_file(path: str) -> None:
    """Raises ConfigurationError when it is there and is anything else: to open a pipe waits for ever."""
    if os.path.isdir(path):
        raise ConfigurationError(f"can't open {path}", "it is a folder: name a file")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ConfigurationError(f"can't open {path}", "it is a pipe, a socket or a device: name a file")


def must_have_one_name(path: str) -> None:
    """Raises ConfigurationError when it is no file, or has several names."""
    must_be_a_file(path)
    if os.path.exists(path) and (names := os.stat(path).st_nlink) > 1:
        raise ConfigurationError(
            f"{path} has {names} names (hard links)",
            "what SQLite keeps beside a file belongs to one of its names: leave it that one",
        )


def _make(path: str) -> None:
    try:
        private_files.make(path)
    except OSError as error:
        raise ConfigurationError(f"can't write {path}", _advice(error)) from None


def _lock_beside(path: str) -> IO[str]:
    beside = f"{path}.lock"
    try:
        must_be_a_file(beside)
        held = open(beside, "a+", opener=private_files.opener)  # noqa: SIM115  (it stays open)
    except OSError as error:
        raise ConfigurationError(f"can't write {beside}", _advice(error)) from None
    try:
        lock(held.fileno())
    except OSError:
        held.seek(0)
        pid = held.read().strip()
        held.close()
        raise _in_use(path, f"process {pid}" if pid else "it") from None
    with suppress(OSError):  # a disk that is full has no room for that either
        held.truncate(0)
        os.write(held.fileno(), f"{os.getpid()}\n".encode())
    return held


def _in_use(path: str, who: str = "it") -> ConfigurationError:
    return ConfigurationError(f"another broker uses {path}", f"end {who}, or give this one another file")


def _advice(error: OSError) -> str:
    return f"{(error.strerror or str(error)).lower()}: the broker needs a folder that it can write to"
