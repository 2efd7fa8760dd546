"""Door: how many may come in from one address, and who has to stay outside for a while."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable
from math import ceil
from typing import TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredSemaphore, maybeDeferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.task import deferLater

from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import LimitExceeded, LoginDenied

REMEMBERED = 10_000
"""Addresses of which it is remembered that logins failed."""

SLOWEST = 5.0
"""Seconds that the answer to a failed login is held back at most; the first one's is SLOWEST / 64."""

T = TypeVar("T")


class Door:
    """Counts connections by address and by user, and logins that failed by address.

    locked -- called with (place, seconds) when an address is locked out
    """

    def __init__(
        self, settings: BrokerSettings, clock: IReactorTime, locked: Callable[[str, float], None]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._locked = locked
        self._inside = 0
        self._from: Counter[str] = Counter()
        self._of: Counter[str] = Counter()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()  # when they were, by place
        self._until: dict[str, float] = {}  # places that are locked out
        self._logging_in: dict[str, DeferredSemaphore] = {}

    # -- connections --------------------------------------------------------------------------------------

    def enter(self, place: str) -> None:
        """One more connection from there.  Raises StompError when it may not come in."""
        settings = self._settings
        self.must_be_open(place)
        if settings.connections and self._inside >= settings.connections:
            raise LimitExceeded("too many connections", "the broker has as many as it takes: come later")
        if settings.connections_per_address and self._from[place] >= settings.connections_per_address:
            raise LimitExceeded(
                "too many connections", f"an address may have {settings.connections_per_address}"
            )
        self._inside += 1
        self._from[place] += 1

    def leave(self, place: str) -> None:
        """One that has come in is gone."""
        self._inside -= 1
        _one_less(self._from, place)

    def enter_as(self, user: str) -> None:
        """A connection is this user's.  Raises LimitExceeded."""
        most = self._settings.connections_per_user
        if most and self._of[user] >= most:
            raise LimitExceeded("too many connections", f"a user may have {most}")
        self._of[user] += 1

    def leave_as(self, user: str) -> None:
        """It is no more."""
        _one_less(self._of, user)

    # -- logins -------------------------------------------------------------------------------------------

    def must_be_open(self, place: str) -> None:
        """Raises LoginDenied while the address is locked out."""
        until = self._until.get(place)
        if until is None:
            return
        left = until - self._clock.seconds()
        if left > 0:
            raise LoginDenied(f"too many logins failed from your address: try again in {ceil(left)} seconds")
        del self._until[place]

    def in_turn(self, place: str, log_in: Callable[[], Deferred[T]]) -> Deferred[T]:
        """Log in, when not too many from there do at the same time: no faster than failures are counted."""
        turns = self._logging_in.get(place)
        if turns is None:
            turns = self._logging_in[place] = DeferredSemaphore(max(1, self._settings.login_failures))

        def done(result: T) -> T:
            if turns.tokens == turns.limit - 1 and not turns.waiting:
                self._logging_in.pop(place, None)
            return result

        def checked() -> Deferred[T]:
            self.must_be_open(place)
            return log_in()

        return turns.run(lambda: maybeDeferred(checked).addBoth(done))

    def failed(self, place: str) -> Deferred[None]:
        """A login from there failed; fires when it may be told so."""
        settings = self._settings
        now = self._clock.seconds()
        failures = [when for when in self._failures.get(place, ()) if when > now - settings.login_window]
        failures.append(now)
        self._failures[place] = failures
        self._failures.move_to_end(place)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        if settings.login_failures and len(failures) >= settings.login_failures:
            del self._failures[place]
            if len(self._until) >= REMEMBERED:
                self._until = {one: until for one, until in self._until.items() if until > now}
                while len(self._until) >= REMEMBERED:
                    del self._until[next(iter(self._until))]
            self._until[place] = now + settings.lockout
            self._locked(place, settings.lockout)
        seconds = min(SLOWEST, SLOWEST / 64 * 2 ** (len(failures) - 1))
        return deferLater(self._clock, seconds, lambda: None)


def place_of(address: IAddress) -> str:
    """What connections are counted by: an IPv4 address; the first half of an IPv6 one; or its kind."""
    if isinstance(address, IPv4Address):
        return address.host
    if not isinstance(address, IPv6Address):
        return "unix"
    try:
        host = ipaddress.IPv6Address(address.host.partition("%")[0])
    except ValueError:
        return address.host
    if host.ipv4_mapped is not None:
        return str(host.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(host) >> 64 << 64, 64)))


def _one_less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
