"""Lockout: logins that fail are slow, and after too many of them an address stays outside for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Network
from math import ceil
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import LoginDenied

REMEMBERED = 10_000
"""Addresses of which it is remembered that logins failed."""

NETWORK = 10
"""As many times the failures that lock one /64 network of IPv6 out lock out the /48 that it is of.

Who has one has 65 536 of the others.
"""

SLOWEST = 5.0
"""Seconds that the answer to a failed login is held back at most; the first one's is SLOWEST / 64."""

UNIX = "unix"
"""The place of all clients of unix sockets.  One must not lock out the others: they only wait longer."""

T = TypeVar("T")


class Lockout:
    """Counts the logins that failed, by place (see door.place_of).

    locked -- called with (place, seconds) when one is locked out
    """

    def __init__(
        self, settings: BrokerSettings, clock: IReactorTime, locked: Callable[[str, float], None]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._locked = locked
        self._failures: OrderedDict[str, list[float]] = OrderedDict()  # when they were, by place
        self._until: dict[str, float] = {}  # places that are locked out
        self._logging_in: dict[str, DeferredSemaphore] = {}

    def must_be_open(self, place: str) -> None:
        """Raises LoginDenied while the address is locked out."""
        for one in (place, *_wider(place)):
            until = self._until.get(one)
            if until is None:
                continue
            left = until - self._clock.seconds()
            if left > 0:
                raise LoginDenied(
                    f"too many logins failed from your address: try again in {ceil(left)} seconds"
                )
            del self._until[one]

    def in_turn(self, place: str, log_in: Callable[[], Deferred[T]]) -> Deferred[T]:
        """Log in, when fewer from there do at the same time than may fail; the others find the door locked.

        ``log_in`` says whether it failed (see ``failed``) before it is done.
        """

        def checked() -> Deferred[T]:
            self.must_be_open(place)
            return log_in()

        if not self._settings.login_failures:
            return maybeDeferred(checked)
        turns = self._logging_in.get(place)
        if turns is None:
            turns = self._logging_in[place] = DeferredSemaphore(self._settings.login_failures)

        def done(result: T) -> T:
            if turns.tokens == turns.limit - 1 and not turns.waiting:
                self._logging_in.pop(place, None)
            return result

        return turns.run(lambda: maybeDeferred(checked).addBoth(done))

    def failed(self, place: str) -> float:
        """A login from there failed: it is told so after so many seconds."""
        for wider in _wider(place):
            self._count(wider, NETWORK * self._settings.login_failures)
        count = self._count(place, self._settings.login_failures)
        return SLOWEST / 2.0 ** max(0, 7 - count)

    def _count(self, place: str, most: int) -> int:
        """One more failure; how many there are now.  With ``most`` (0: any number) it is locked out."""
        settings = self._settings
        now = self._clock.seconds()
        failures = [when for when in self._failures.get(place, ()) if when > now - settings.login_window]
        failures.append(now)
        self._failures[place] = failures
        self._failures.move_to_end(place)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        if most and len(failures) >= most and place != UNIX:
            del self._failures[place]
            if len(self._until) >= REMEMBERED:
                self._until = {one: until for one, until in self._until.items() if until > now}
                while len(self._until) >= REMEMBERED:
                    del self._until[next(iter(self._until))]
            self._until[place] = now + settings.lockout
            self._locked(place, settings.lockout)
        return len(failures)

    def hold_back(self, seconds: float) -> Deferred[None]:
        """Fires after so long."""
        return deferLater(self._clock, seconds)


def _wider(place: str) -> tuple[str, ...]:
    """The network that it is part of, where one client may have all of it."""
    if not place.endswith("/64"):
        return ()
    return (str(IPv6Network(place).supernet(new_prefix=48)),)
