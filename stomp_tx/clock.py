"""A clock for measuring how long something took, whatever is done to the machine's time of day."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import classImplements


class MonotonicClock:
    """A reactor's timers, and seconds that only go forward.

    A reactor's own ``seconds`` may be the time of day, which an administrator or NTP sets: a peer would seem
    to have been silent for an hour.  Timers are the reactor's still: where its time is set back they come
    later by as much, and whoever set them looks here for what has really passed.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        return time.monotonic()

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> IDelayedCall:
        later: IDelayedCall = self._reactor.callLater(delay, callable, *args, **kwargs)
        return later

    def getDelayedCalls(self) -> list[IDelayedCall]:
        return list(self._reactor.getDelayedCalls())


classImplements(MonotonicClock, IReactorTime)
