"""Slices: long work is done a slice at a time, so that nobody waits for all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from stomp_tx.interfaces import Safe

SECONDS = 0.01
"""How long all of it together may take in one turn of the reactor, but for its last piece."""

PIECES = 1000
"""Pieces that are done in one turn, however fast: who gets what comes of them wants to say something, too."""

Pieces = Iterator[object]
"""Some work: it does a piece of it, of less than a millisecond, whenever it is asked for the next one."""

_DONE = object()


class _Work(NamedTuple):
    pieces: Pieces
    done: Deferred[None]


class Slices:
    """All long work of a broker shares the slice of each turn, piece by piece in turn.

    Work that fits into what is left of the slice is done at once.
    """

    __slots__ = ("_clock", "_is_working", "_next", "_pieces", "_seconds", "_works")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._works: deque[_Work] = deque()
        self._next: IDelayedCall | None = None
        self._is_working = False
        self._seconds = SECONDS  # left of this turn's slice
        self._pieces = PIECES

    def do(self, pieces: Pieces) -> Safe:
        """Do all of it.  None: it is done; else a Deferred that fires when it is.

        What the work raises is raised here, or what the Deferred fails with.
        """
        work = _Work(pieces, Deferred())
        self._works.append(work)
        if not self._is_working and self._has_time:
            self._work()
        if not work.done.called:
            return work.done
        failures: list[Failure] = []
        work.done.addErrback(failures.append)
        if failures:
            failures[0].raiseException()
        return None

    @property
    def _has_time(self) -> bool:
        return self._seconds > 0 and self._pieces > 0

    def _work(self) -> None:
        """For what is left of the slice."""
        self._is_working = True
        clock, works = self._clock, self._works
        until = clock.seconds() + self._seconds
        try:
            while works and self._has_time:
                work = works.popleft()
                if self._do_piece(work):
                    works.append(work)
                self._pieces -= 1
                self._seconds = until - clock.seconds()
        finally:
            self._is_working = False
        # Small works use so little of it that no turn is begun for each.
        if self._next is None and (works or self._pieces < PIECES // 2 or self._seconds < SECONDS / 2):
            self._next = self._clock.callLater(0, self._begin_turn)

    def _do_piece(self, work: _Work) -> bool:
        """True: there is more of it."""
        try:
            if next(work.pieces, _DONE) is not _DONE:
                return True
        except Exception:
            work.done.errback()
        else:
            work.done.callback(None)
        return False

    def _begin_turn(self) -> None:
        self._next = None
        self._seconds, self._pieces = SECONDS, PIECES
        if self._works:
            self._work()
