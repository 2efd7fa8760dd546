"""Shares: who may have more kept in memory, and who waits until they may."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.account import Account, Owner
from stomp_tx.line import Line

TIMES = 4
"""An owner may have so many times what is left of the memory: alone four fifths of it."""

NOBODY_OVER = TIMES / (TIMES + 1)
"""While no more than this part of the memory is taken, nobody can have more than their share."""

ALARM, ALL_CLEAR = 0.95, 0.85
"""From this part of the memory on nobody has more kept, until it is down to that one."""

ENOUGH = 0.9
"""Who waits goes on when they have no more than this part of their share."""

LOOK = 0.05
"""Seconds from one look at those who wait to the next."""

AT_ONCE = 500
"""Those who go on at one look."""


class Shares:
    """Divides the memory: what one owner has never keeps another one from theirs.

    memory -- octets, in all
    are_kept -- is anybody held to their share?  Otherwise everybody may have more.
    """

    def __init__(self, account: Account, memory: int, clock: IReactorTime, are_kept: bool = True) -> None:
        self.memory = memory
        self.are_kept = are_kept
        self._account = account
        self._clock = clock
        self._line = Line()
        self._looking: IDelayedCall | None = None
        self._is_alarmed = False

    @property
    def is_alarmed(self) -> bool:
        """Is nearly all memory taken, whoever has it?"""
        if not self.are_kept:
            return False
        octets = self._account.octets
        if octets >= ALARM * self.memory:
            self._is_alarmed = True
        elif octets <= ALL_CLEAR * self.memory:
            self._is_alarmed = False
        return self._is_alarmed

    def threshold(self) -> int:
        """Octets from which on an owner is over its share."""
        return TIMES * (self.memory - self._account.octets)

    def may_keep(self, owner: Owner, octets: int = 0, part: float = 1.0) -> bool:
        """Is there room for so much more of this owner's, or in a part of its share?"""
        if self.is_alarmed:
            return False
        if not self.are_kept:
            return True
        return owner.octets + octets <= part * (self.threshold() - TIMES * octets)

    def charge(self, owner: Owner, octets: int) -> bool:
        """So much more is kept for it, outside of queues.  Is it over its share with that?"""
        self._account.charge(owner, octets)
        return not self.may_keep(owner)

    def can_ever_keep(self, octets: int) -> bool:
        """Would there be room for it if nothing else were kept?"""
        return not self.are_kept or octets <= ENOUGH * NOBODY_OVER * self.memory

    def wait(self, owner: Owner, is_next: bool) -> Deferred[None]:
        """Fires when it is the turn of one of the owner's: when there is some room for those again."""
        if self._looking is None:
            self._looking = self._clock.callLater(LOOK, self._look)
        return self._line.add(owner, is_next)

    def _look(self) -> None:
        self._looking = None
        left = AT_ONCE
        goes_on = True
        while goes_on and left > 0:
            goes_on = False
            for owner in self._line.owners():
                if left > 0 and owner in self._line and self.may_keep(owner, 0, ENOUGH):
                    goes_on = True
                    left -= 1
                    self._line.take_of(owner).callback(None)
        if self._line and self._looking is None:
            self._looking = self._clock.callLater(LOOK if left else 0, self._look)
