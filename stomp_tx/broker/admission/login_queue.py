"""LoginQueue: who is trying to log in, and who waits for that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from stomp_tx.broker.admission.lockout import SLOWEST, Lockout, site_of
from stomp_tx.broker.admission.login_attempt import LoginAttempt
from stomp_tx.errors import LoginDenied

T = TypeVar("T")


class LoginQueue:
    """Lets as many try at a time as may fail before one of them is locked out.

    Otherwise all guesses could be made at once, before the first of them has failed.  Those behind wait, in
    the order in which they came, and find the door locked if it has come to that.
    """

    def __init__(self, lockout: Lockout) -> None:
        self._lockout = lockout
        self._sites: dict[str, _Site] = {}

    async def in_turn(self, attempt: LoginAttempt, log_in: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What comes of ``log_in``, which tells the lockout if it has failed before it is done.

        Raises LoginDenied, and does not begin, while this login is locked out or the address is: after as
        long as a failure can take, for a client that tries again at once.  Cancelled before its turn, it
        never begins.
        """
        name = site_of(attempt.place)
        site = self._sites.get(name)
        if site is None:
            site = self._sites[name] = _Site(self._lockout)
        try:
            await site.turn(attempt)
        except LoginDenied:
            await self._lockout.hold_back(SLOWEST)
            raise
        finally:
            self._forget(name)
        # No ``finally``, which would let others try when a broker is thrown away as it is.
        return await Deferred.fromCoroutine(log_in()).addBoth(self._done, name, site, attempt)

    def _done(self, result: T, name: str, site: _Site, attempt: LoginAttempt) -> T:
        site.done(attempt)
        self._forget(name)
        return result

    def _forget(self, name: str) -> None:
        site = self._sites.get(name)
        if site is not None and site.is_empty:
            del self._sites[name]


class _Site:
    """Those of one site, see lockout.site_of.  Its places take turns."""

    def __init__(self, lockout: Lockout) -> None:
        self._lockout = lockout
        self._trying: list[LoginAttempt] = []
        self._waiting: OrderedDict[str, OrderedDict[Deferred[None], LoginAttempt]] = OrderedDict()  # by place
        self._is_letting = False

    @property
    def is_empty(self) -> bool:
        return not self._trying and not self._waiting

    def turn(self, attempt: LoginAttempt) -> Deferred[None]:
        """Fires when it may try; fails with LoginDenied."""
        turn: Deferred[None] = Deferred(lambda turn: self._leave(turn, attempt))
        self._waiting.setdefault(attempt.place, OrderedDict())[turn] = attempt
        self._let()
        return turn

    def done(self, attempt: LoginAttempt) -> None:
        """It has been tried."""
        self._trying.remove(attempt)
        self._let()

    def _leave(self, turn: Deferred[None], attempt: LoginAttempt) -> None:
        waiting = self._waiting[attempt.place]
        del waiting[turn]
        if not waiting:
            del self._waiting[attempt.place]

    def _let(self) -> None:
        """Let the next ones try.  Those whom it makes done at once come back here while it runs."""
        if self._is_letting:
            return
        self._is_letting = True
        try:
            held_up = 0
            # Who is held up is so by one that is trying, of their place; or all are, by those of all places.
            while held_up < min(len(self._waiting), len(self._trying) + 1):
                place, waiting = next(iter(self._waiting.items()))
                turn, attempt = next(iter(waiting.items()))
                self._waiting.move_to_end(place)
                try:
                    self._lockout.must_be_open_to(attempt)
                except LoginDenied as error:
                    self._leave(turn, attempt)
                    turn.errback(error)
                    continue
                if not self._lockout.may_fail(attempt, self._trying):
                    held_up += 1
                    continue
                self._leave(turn, attempt)
                self._trying.append(attempt)
                turn.callback(None)
                held_up = 0
        finally:
            self._is_letting = False
