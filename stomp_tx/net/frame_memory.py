"""FrameMemory: how much memory all connections together may keep for frames that have not come whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IAddress

from stomp_tx.errors import LimitExceeded, StompError

FREE = 64 * 1024
"""Octets of an unfinished frame that are not counted: what is left at the end of most reads."""


class Keeper(Protocol):
    """A connection that frames arrive on."""

    def peer(self) -> IAddress: ...

    def end_for(self, error: StompError) -> None: ...


class FrameMemory:
    """Counts the octets of unfinished frames, and ends a connection when they are too many.

    It is the one with the largest, of those at the place where the most is kept: who keeps much loses it, and
    not whoever comes next.  Nobody is made to wait instead: for a frame whose sender has stopped in its
    middle that would be for ever.

    most -- octets, 0: any number
    place_of -- what connections are counted by
    """

    def __init__(self, most: int, place_of: Callable[[IAddress], str]) -> None:
        self._most = most
        self._place_of = place_of
        self._kept: dict[Keeper, int] = {}
        self.octets = 0

    def kept(self, keeper: Keeper, octets: int) -> None:
        """This connection keeps so much of a frame now."""
        before = self._kept.get(keeper, 0) if self._kept else 0
        if octets > FREE:
            self._kept[keeper] = octets
        elif before:
            del self._kept[keeper]
            octets = 0
        else:
            return
        self.octets += octets - before
        if self._most and self.octets > self._most and octets > before:
            self._make_room()

    def _make_room(self) -> None:
        places = {keeper: self._place_of(keeper.peer()) for keeper in self._kept}
        of_place: Counter[str] = Counter()
        for keeper, place in places.items():
            of_place[place] += self._kept[keeper]
        worst = max(self._kept, key=lambda keeper: (of_place[places[keeper]], self._kept[keeper]))
        worst.end_for(
            LimitExceeded(
                "too much under way",
                "frames that have not come whole take too much memory, and yours most of it: send it later",
            )
        )
