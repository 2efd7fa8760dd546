"""Heart-beats: saying something in time, and noticing that nothing is heard (STOMP 1.2, "Heart-beating")."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from stomp_tx.timer import Timer

EARLY = 0.95
"""A beat leaves after this part of its interval, so that it arrives within it."""

LATE = 0.25
"""When a timer fires later than this part of its interval, it was our own loop that was late."""


class Beat:
    """Calls ``beat`` whenever nothing was said for ``every`` seconds.  ``said`` tells it that something was.

    One timer, moved only when it fires: saying something costs one look at the clock.
    """

    def __init__(self, clock: IReactorTime, every: float, beat: Callable[[], None]) -> None:
        self._clock = clock
        self._wait = every * EARLY
        self._beat = beat
        self._last = clock.seconds()
        self._timer = Timer(clock)
        self._timer.set(self._wait, self._fire)

    def said(self) -> None:
        """Something was given to the transport just now."""
        self._last = self._clock.seconds()

    def _fire(self) -> None:
        now = self._clock.seconds()
        wait = self._last + self._wait - now
        if wait <= 0:
            self._beat()
            self._last = now
            wait = self._wait
        self._timer.set(wait, self._fire)

    def stop(self) -> None:
        """End; may be called again."""
        self._timer.cancel()


class Monitor:
    """Calls ``silent`` once, when nothing was heard for ``within`` seconds.

    ``within`` includes the error margin.  Where the loop itself was late, what the peer said may still wait
    to be read, and is, before it counts as silent; where it was very late (the machine slept, and maybe the
    peer's, too) the peer is given its time anew.
    """

    def __init__(self, clock: IReactorTime, within: float, silent: Callable[[], None]) -> None:
        self._clock = clock
        self._within = within
        self._silent = silent
        self._last = clock.seconds()
        self._due = self._last + within
        self._timer = Timer(clock)
        self._timer.set(within, self._fire)

    def heard(self) -> None:
        """Octets arrived just now: any octets, half a frame or a lone line end."""
        self._last = self._clock.seconds()

    def _fire(self) -> None:
        now = self._clock.seconds()
        if now - self._due > LATE * self._within:
            self._last = now
        wait = self._last + self._within - now
        if wait <= 0:
            # What has come already is read before the timers of the next turn.
            self._timer.set(0, self._look_again)
        else:
            self._schedule(wait)

    def _look_again(self) -> None:
        wait = self._last + self._within - self._clock.seconds()
        if wait <= 0:
            self._silent()
        else:
            self._schedule(wait)

    def _schedule(self, wait: float) -> None:
        self._due = self._clock.seconds() + wait
        self._timer.set(wait, self._fire)

    def suspend(self) -> None:
        """Nothing is being read: silence means nothing."""
        self.stop()

    def resume(self) -> None:
        """Reading goes on; the time begins anew."""
        self._last = self._clock.seconds()
        self._schedule(self._within)

    def stop(self) -> None:
        """End; may be called again."""
        self._timer.cancel()
