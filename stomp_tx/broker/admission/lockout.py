"""Lockout: logins that fail are slow, and after too many of them there is no way in for a while."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv6Network
from math import ceil

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from stomp_tx.broker.admission.login_attempt import LoginAttempt
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import LoginDenied

REMEMBERED = 10_000
"""Places of which it is remembered that logins failed."""

LOGINS = 100
"""Logins of one place that are remembered at least; where more may fail before it is locked out, those."""

LOGINS_IN_ALL = 100_000
"""The same of all places together: of more, those go whose place failed longest ago."""

MANY = 10
"""As many times the failures that lock out one login from a place lock out the place."""

NETWORK = 10
"""As many times what locks out one /64 network of IPv6 locks out the /48 that it is of.

Who has one has 65 536 of the others.
"""

SLOWEST = 5.0
"""Seconds that the answer to a failed login is held back at most; the first one's is SLOWEST / 64."""

STEPS = 7
"""Failures until it is the slowest: each takes twice as long as the one before."""

UNIX = "unix"
"""The place of all clients of unix sockets.  One must not lock out the others: they only wait longer."""


class _Login:
    """One login from one place.

    times -- when it failed, since it was locked out
    last -- when it did so last
    until -- when it is let in again, if it is locked out
    is_named -- is it of a login, and not of a token or certificate?
    """

    __slots__ = ("is_named", "last", "times", "until")

    def __init__(self, is_named: bool) -> None:
        self.times: list[float] = []
        self.last = self.until = 0.0
        self.is_named = is_named


class _Place:
    """When logins from there failed, and which: the one that failed last is the last one."""

    __slots__ = ("logins", "times")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.logins: OrderedDict[bytes, _Login] = OrderedDict()

    def names(self, since: float) -> set[bytes]:
        """Which logins failed since then."""
        return {key for key, login in self.logins.items() if login.is_named and login.last > since}


class Lockout:
    """Counts the logins that failed, by place (see connection_limits.place_of) and login, and by place.

    One client with a wrong passcode locks out itself, and nobody else at its address.

    locked -- called with (place, seconds, login) when logins are locked out; login is None when all are
    """

    def __init__(
        self,
        settings: BrokerSettings,
        clock: IReactorTime,
        locked: Callable[[str, float, str | None], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._locked = locked
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._remembered = 0  # logins, of all places
        self._until: dict[str, float] = {}  # places that are locked out

    # -- may they? ----------------------------------------------------------------------------------------

    def must_be_open(self, place: str) -> None:
        """Raises LoginDenied while the address is locked out."""
        for one, _ in _scopes(place):
            until = self._until.get(one)
            if until is None:
                continue
            left = until - self._clock.seconds()
            if left > 0:
                raise _later("too many logins failed from your address", left)
            del self._until[one]

    def must_be_open_to(self, attempt: LoginAttempt) -> None:
        """Raises LoginDenied while that login is locked out there, or the address is."""
        self.must_be_open(attempt.place)
        for one, _ in _scopes(attempt.place):
            login = self._login(one, attempt.key)
            if login is not None:
                left = login.until - self._clock.seconds()
                if left > 0:
                    raise _later(
                        "too many logins of this user failed from your address"
                        if attempt.login
                        else "too many tokens or certificates from your address were refused",
                        left,
                    )

    def may_fail(self, attempt: LoginAttempt, trying: Sequence[LoginAttempt]) -> bool:
        """Could this one fail, and all that are being tried, and no more had failed than may?

        ``trying`` are those of its site, see ``site_of``.
        """
        if not trying or not self._settings.login_failures:
            return True
        if len(trying) >= self._settings.login_failures:
            return False
        since = self._clock.seconds() - self._settings.login_window
        for one, times in _scopes(attempt.place):
            if one == UNIX:
                continue
            most = times * self._settings.login_failures
            here = [other for other in trying if (one, times) in _scopes(other.place)]
            place, login = self._places.get(one) or _Place(), self._login(one, attempt.key)
            if len(here) + _since(place.times, since) >= MANY * most:
                return False
            same = sum(other.key == attempt.key for other in here)
            if same + (0 if login is None else _since(login.times, since)) >= most:
                return False
            if attempt.login:
                names = place.names(since) | {other.key for other in here if other.login}
                if len(names | {attempt.key}) > most:
                    return False
        return True

    # -- what became of it --------------------------------------------------------------------------------

    def failed(self, attempt: LoginAttempt) -> float:
        """It failed: it is told so after so many seconds."""
        steps = 0
        for one, times in _scopes(attempt.place):
            steps = self._count(one, attempt, times * self._settings.login_failures)
        return SLOWEST / 2.0 ** max(0, STEPS - steps)

    def hold_back(self, seconds: float) -> Deferred[None]:
        """Fires after so long."""
        return deferLater(self._clock, seconds)

    def _count(self, name: str, attempt: LoginAttempt, most: int) -> int:
        """One more failure; how slow that has become.  Of one login ``most`` may fail; 0: any number."""
        now = self._clock.seconds()
        since = now - self._settings.login_window
        place = self._place(name)
        before = len(place.logins)
        login = place.logins.setdefault(attempt.key, _Login(bool(attempt.login)))
        place.logins.move_to_end(attempt.key)
        login.last = now
        kept = MANY * max(most, STEPS)
        for times in (place.times, login.times):
            del times[: bisect_right(times, since)]
            times.append(now)
            del times[:-kept]
        _forget(place.logins, since, now, max(MANY * most, LOGINS))
        self._remembered += len(place.logins) - before
        while self._remembered > LOGINS_IN_ALL and len(self._places) > 1:
            self._drop(next(iter(self._places)))
        steps = max(len(login.times), len(place.times) // MANY)
        if most and name != UNIX:
            if len(place.times) >= MANY * most or len(place.names(since)) >= most:
                self._lock(name, now)
            elif len(login.times) >= most:
                login.times.clear()
                login.until = now + self._settings.lockout
                self._locked(name, self._settings.lockout, attempt.login)
        return steps

    def _lock(self, name: str, now: float) -> None:
        """Nobody from there is let in."""
        self._drop(name)
        if len(self._until) >= REMEMBERED:
            self._until = {one: until for one, until in self._until.items() if until > now}
            while len(self._until) >= REMEMBERED:
                del self._until[next(iter(self._until))]
        self._until[name] = now + self._settings.lockout
        self._locked(name, self._settings.lockout, None)

    def _place(self, name: str) -> _Place:
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = _Place()
            if len(self._places) > REMEMBERED:
                self._drop(next(iter(self._places)))
        self._places.move_to_end(name)
        return place

    def _drop(self, name: str) -> None:
        self._remembered -= len(self._places.pop(name).logins)

    def _login(self, name: str, key: bytes) -> _Login | None:
        place = self._places.get(name)
        return None if place is None else place.logins.get(key)


def site_of(place: str) -> str:
    """The widest that it is a part of, and that one client may have: of IPv6, the /48."""
    return _scopes(place)[0][0]


@lru_cache(REMEMBERED)
def _scopes(place: str) -> tuple[tuple[str, int], ...]:
    """What a failure from there counts for, widest first, and as how many places."""
    if not place.endswith("/64"):
        return ((place, 1),)
    return (str(IPv6Network(place).supernet(new_prefix=48)), NETWORK), (place, 1)


def _since(times: list[float], since: float) -> int:
    return len(times) - bisect_right(times, since)


def _forget(logins: OrderedDict[bytes, _Login], since: float, now: float, most: int) -> None:
    """Those that count no more; and of more than ``most``, those that failed longest ago."""
    while logins:
        oldest = next(iter(logins.values()))
        if len(logins) <= most and (oldest.last > since or oldest.until > now):
            return
        logins.popitem(last=False)


def _later(why: str, seconds: float) -> LoginDenied:
    return LoginDenied(f"{why}: try again in {ceil(seconds)} seconds")
