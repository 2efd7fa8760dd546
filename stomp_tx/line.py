"""Line: who waits for room, owners in turn."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred

from stomp_tx.account import Owner


class Line:
    """Each owner's come in their order; owners take turns, so that none waits for all of another's."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[Owner, deque[Deferred[None]]] = {}  # the owner whose turn it is first

    def __bool__(self) -> bool:
        return bool(self._of)

    def __contains__(self, owner: Owner) -> bool:
        return owner in self._of

    def owners(self) -> list[Owner]:
        """Those who wait, in the order of their turns."""
        return list(self._of)

    def add(self, owner: Owner, is_next: bool) -> Deferred[None]:
        """Fires when it is its turn; may be cancelled.  ``is_next``: before all others."""
        turn: Deferred[None] = Deferred(lambda turn: self._discard(owner, turn))
        if is_next:
            others = self._of.pop(owner, None)
            self._of = {owner: deque([turn, *(others or ())]), **self._of}
        else:
            self._of.setdefault(owner, deque()).append(turn)
        return turn

    def _discard(self, owner: Owner, turn: Deferred[None]) -> None:
        theirs = self._of[owner]
        theirs.remove(turn)
        if not theirs:
            del self._of[owner]

    def take(self) -> Deferred[None]:
        """The one whose turn it is: it waits no more."""
        return self.take_of(next(iter(self._of)))

    def take_of(self, owner: Owner) -> Deferred[None]:
        """The first one of an owner who has some; it is other owners' turn then."""
        theirs = self._of.pop(owner)
        turn = theirs.popleft()
        if theirs:
            self._of[owner] = theirs
        return turn
