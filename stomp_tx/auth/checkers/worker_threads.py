"""WorkerThreads: a few threads that check passcodes, and a queue for them in which places take turns."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from stomp_tx.auth.credentials import GuessAbandoned
from stomp_tx.errors import LimitExceeded

AT_A_TIME = 2
"""Threads, and so passcodes that are checked at a time: each takes 64 MiB and a good part of a processor."""

WAITING = 2000
"""No more than that wait for their turn; how long each may wait is up to whoever asks."""

FAVOURED = 10_000
"""Places of which it is remembered that somebody came in from there."""

_Job = tuple[Callable[[], bool], "Deferred[bool]"]
_Waiting = OrderedDict[str, deque[_Job]]


class WorkerThreads:
    """Does work in threads, for one place after the other, so that the burst of one is not everybody's.

    Every other turn is for places from which somebody came in before, see ``favour``.  Who waits does so here
    and not in the threads' own queue: that one can't be left, and would be worked off when the broker stops.
    """

    def __init__(self, reactor: Any, pool: ThreadPool | None = None) -> None:
        self._reactor = reactor
        self._pool = pool
        self._working = 0
        self._count = 0
        self._known: _Waiting = OrderedDict()
        self._others: _Waiting = OrderedDict()
        self._known_next = True
        self._favoured: OrderedDict[str, None] = OrderedDict()

    def favour(self, place: str) -> None:
        """Somebody came in from there: they are not the ones who only try, nor are those behind them."""
        if place in self._others:
            self._known.setdefault(place, deque()).extend(self._others.pop(place))
        self._favoured[place] = None
        self._favoured.move_to_end(place)
        if len(self._favoured) > FAVOURED:
            self._favoured.popitem(last=False)

    def do(self, place: str, work: Callable[[], bool]) -> Deferred[bool]:
        """What comes of the work; cancelled before its turn, it is never done.

        Cancelled later it fails with GuessAbandoned.
        Raises LimitExceeded when too many wait, and none of another place has more waiting than this one.
        """
        waiting = self._known if place in self._favoured else self._others
        if self._count >= WAITING:
            self._make_room(waiting, place)
        job: _Job = (work, Deferred(lambda _: self._leave(place, job)))
        waiting.setdefault(place, deque()).append(job)
        self._count += 1
        self._start()
        return job[1]

    def stop(self) -> None:
        """Whoever waits waits for nothing; what is under way ends within a moment."""
        self._known.clear()
        self._others.clear()
        self._count = 0
        if self._pool is not None:
            self._pool.stop()

    def _make_room(self, waiting: _Waiting, place: str) -> None:
        """Send away the last one of the place that has most waiting, if those are more than of this place."""
        some = self._others or self._known
        longest = max(some, key=lambda one: len(some[one]))
        mine = len(waiting.get(place, ()))
        if waiting is some and len(some[longest]) <= mine + 1:
            raise too_many()
        if waiting is self._others and some is self._known:
            raise too_many()
        some[longest][-1][1].errback(too_many())
        self._drop(some, longest, some[longest][-1])

    def _leave(self, place: str, job: _Job) -> None:
        for waiting in (self._known, self._others):
            if job in waiting.get(place, ()):
                self._drop(waiting, place, job)
                return
        job[1].errback(GuessAbandoned())

    def _drop(self, waiting: _Waiting, place: str, job: _Job) -> None:
        waiting[place].remove(job)
        self._count -= 1
        if not waiting[place]:
            del waiting[place]

    def _start(self) -> None:
        while self._count and self._working < AT_A_TIME:
            first, second = self._known, self._others
            if not self._known_next:
                first, second = second, first
            self._known_next = not self._known_next
            work, found = self._next(first or second)
            self._working += 1
            doing: Deferred[bool] = deferToThreadPool(self._reactor, self._threads(), work)
            doing.addBoth(self._done, found)

    def _next(self, waiting: _Waiting) -> _Job:
        place, jobs = waiting.popitem(last=False)
        job = jobs.popleft()
        self._count -= 1
        if jobs:
            waiting[place] = jobs  # behind the others
        return job

    def _done(self, result: Any, found: Deferred[bool]) -> None:
        self._working -= 1
        if not found.called:
            found.callback(result)
        self._start()

    def _threads(self) -> ThreadPool:
        if self._pool is None:
            self._pool = ThreadPool(0, AT_A_TIME, "passcodes")
            self._pool.start()
            self._reactor.addSystemEventTrigger("during", "shutdown", self.stop)
        return self._pool


def too_many() -> LimitExceeded:
    return LimitExceeded("too many logins at a time", "connect again later")
