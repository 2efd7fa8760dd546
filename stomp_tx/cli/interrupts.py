"""Interrupts: Ctrl-C, SIGTERM and SIGHUP, of which the first lets a command end in order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

INTERRUPTED = 128 + signal.SIGINT  # as a shell has it
"""The exit status of who was interrupted."""

_NUMBERS = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))  # Windows has no SIGHUP
_DEFAULT = (signal.SIG_DFL, signal.default_int_handler)

_SHOW_CURSOR = b"\x1b[?25h"


class Interrupts:
    """What an interrupt does while a command runs; it never ends in a traceback.

    The first one raises KeyboardInterrupt, or calls what ``ended_by`` was given.  Who is impatient, and
    interrupts again, ends the process at once; but what cleans up after a KeyboardInterrupt (a file that is
    half written) is not disturbed by the second one.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._end: Callable[[], object] = _raise
        self._most = 2  # interrupts before the one that ends it at once
        self._count = 0
        self._was_said = False

    def take(self) -> None:
        """From now on they come here, but for those that somebody (nohup) has made to be ignored."""
        self._count, self._was_said = 0, False
        for number in _NUMBERS:
            before = signal.getsignal(number)
            if before in _DEFAULT:
                self._before[number] = before
                signal.signal(number, self._come)

    def give_back(self) -> None:
        """They do what they did before."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def take_again(self) -> None:
        """Somebody (the reactor) has put handlers in the place of these."""
        for number in self._before:
            signal.signal(number, self._come)

    def is_over(self) -> None:
        """The command is done; the next one ends the process at once, and says nothing."""
        self._most, self._count, self._was_said = 0, 0, True

    @contextmanager
    def ended_by(self, end: Callable[[], object]) -> Iterator[None]:
        """In this block the first one calls that (between any two instructions), and the next one leaves."""
        before = self._end, self._most
        self._end, self._most = end, 1
        try:
            yield
        finally:
            self._end, self._most = before

    def say(self, more: str = "") -> None:
        """One line on stderr."""
        if not self._was_said:
            self._was_said = True
            print(f"stomp-tx: interrupted{more and f'; {more}'}", file=sys.stderr, flush=True)

    def _come(self, number: int, frame: object) -> None:
        self._count += 1
        if self._count > self._most:
            if os.isatty(2):
                _write(_SHOW_CURSOR)  # a bar may have hidden it
            if not self._was_said:
                _write(b"stomp-tx: interrupted\n")  # whoever is interrupted may be amid a print
            os._exit(INTERRUPTED)
        if self._count == 1:
            self._end()


def _raise() -> NoReturn:
    raise KeyboardInterrupt


def _write(octets: bytes) -> None:
    with suppress(OSError):  # nobody looks
        os.write(2, octets)


INTERRUPTS = Interrupts()
"""Those of this process."""
