"""Attempts: who is trying to log in, and who waits for that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred

from stomp_tx.broker.attempt import Attempt
from stomp_tx.broker.lockout import SLOWEST, Lockout, site_of
from stomp_tx.errors import LoginDenied

T = TypeVar("T")


class Attempts:
    """Lets as many try at a time as may fail before one of them is locked out.

    Otherwise all guesses could be made at once, before the first of them has failed.  Those behind wait, in
    the order in which they came, and find the door locked if it has come to that.
    """

    def __init__(self, lockout: Lockout) -> None:
        self._lockout = lockout
        self._sites: dict[str, _Site] = {}

    async def in_turn(self, attempt: Attempt, log_in: Callable[[], Awaitable[T]]) -> T:
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
        try:
            return await log_in()
        finally:
            site.done(attempt)
            self._forget(name)

    def _forget(self, name: str) -> None:
        site = self._sites.get(name)
        if site is not None and site.is_empty:
            del self._sites[name]


class _Site:
    """Those of one site, see lockout.site_of."""

    def __init__(self, lockout: Lockout) -> None:
        self._lockout = lockout
        self._trying: list[Attempt] = []
        self._waiting: OrderedDict[Deferred[None], Attempt] = OrderedDict()
        self._is_letting = False

    @property
    def is_empty(self) -> bool:
        return not self._trying and not self._waiting

    def turn(self, attempt: Attempt) -> Deferred[None]:
        """Fires when it may try; fails with LoginDenied."""
        turn: Deferred[None] = Deferred(self._leave)
        self._waiting[turn] = attempt
        self._let()
        return turn

    def done(self, attempt: Attempt) -> None:
        """It has been tried."""
        self._trying.remove(attempt)
        self._let()

    def _leave(self, turn: Deferred[None]) -> None:
        del self._waiting[turn]

    def _let(self) -> None:
        """Let the next ones try.  Those whom it makes done at once come back here while it runs."""
        if self._is_letting:
            return
        self._is_letting = True
        try:
            while self._waiting:
                turn, attempt = next(iter(self._waiting.items()))
                try:
                    self._lockout.must_be_open_to(attempt)
                except LoginDenied as error:
                    del self._waiting[turn]
                    turn.errback(error)
                    continue
                if not self._lockout.may_fail(attempt, self._trying):
                    return
                del self._waiting[turn]
                self._trying.append(attempt)
                turn.callback(None)
        finally:
            self._is_letting = False
