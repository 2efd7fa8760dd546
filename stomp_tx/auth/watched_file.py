"""WatchedFile: what is in a file, read again when it has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.logger import Logger

from stomp_tx.errors import ConfigurationError

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What ``parse(octets, path)`` makes of a file; it raises ConfigurationError for what it can't use.

    Once it was good it stays so: what can't be read or used later, because somebody is just writing it, or
    has made a mistake, changes nothing, and the log says so once.
    """

    log = Logger()

    def __init__(self, path: str, parse: Callable[[bytes, str], T], advice: str = "") -> None:
        """``advice``: what to do when there is no such file."""
        self.path = os.path.abspath(path)
        self._parse = parse
        self._advice = advice
        self._stamp: tuple[int, ...] = ()
        self._value: T
        self._is_good = False
        self._fault = ""

    def get(self) -> T:
        """Raises ConfigurationError while the file never could be read and used."""
        try:
            self._read()
            self._is_good, self._fault = True, ""
        except ConfigurationError as error:
            if not self._is_good:
                raise
            if self._fault != error.summary:
                self._fault = error.summary
                self.log.error("{fault}: what was there before still counts", fault=error.summary)
        return self._value

    def _read(self) -> None:
        try:
            status = os.stat(self.path)
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp != self._stamp:
                with open(self.path, "rb") as file:
                    self._value = self._parse(file.read(), self.path)
                self._stamp = stamp
        except FileNotFoundError:
            raise ConfigurationError(f"there is no file {self.path}", self._advice) from None
        except OSError as error:
            raise ConfigurationError(f"can't read {self.path}: {error.strerror}") from None
