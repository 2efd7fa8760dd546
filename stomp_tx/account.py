"""Account: for whom memory is taken, and how much."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref


class Owner:
    """Somebody for whom memory is taken.

    name -- who it is, for logs
    octets -- taken for them now
    """

    __slots__ = ("__weakref__", "name", "octets")

    def __init__(self, name: str) -> None:
        self.name = name
        self.octets = 0

    def __repr__(self) -> str:
        return f"<Owner {self.name}, {self.octets} octets>"


NOBODY = Owner("nobody")
"""For the broker's own work, and for what a file held when it was opened."""


class Account:
    """How much memory is taken in all, and for whom.

    Who keeps a message charges its owner with its size, and releases it when the message goes: an engine for
    its queues, ``charge`` and ``release`` for everything else.

    elsewhere -- octets that are not in queues
    held -- of those, in frames that wait for room
    lent -- octets that are kept beyond what there is room for, until deliveries are acknowledged
    moved -- called with ``elsewhere`` when that has changed by a ``step`` of octets
    """

    __slots__ = ("_most", "_owners", "_queued", "_told", "elsewhere", "held", "lent", "moved", "step")

    def __init__(self, queued: Callable[[], int]) -> None:
        """``queued`` gives the octets that an engine's queues take."""
        self.elsewhere = 0
        self.held = 0
        self.lent = 0
        self.step = 1024 * 1024
        self.moved: Callable[[int], None] | None = None
        self._told = 0
        self._queued = queued
        # An owner is known as long as somebody has it: a session, or a message.
        self._owners: dict[str, ref[Owner]] = {}
        self._most = 64  # then those are looked for that nobody has any more

    @property
    def octets(self) -> int:
        """Taken in all."""
        return self._queued() + self.elsewhere

    @property
    def owners(self) -> list[Owner]:
        """Those that there are, but for NOBODY."""
        return [owner for found in self._owners.values() if (owner := found()) is not None]

    def owner(self, name: str) -> Owner:
        """The one of that name, the same one as long as anybody has it."""
        found = self._owners.get(name)
        owner = None if found is None else found()
        if owner is None:
            owner = Owner(name)
            self._owners[name] = ref(owner)
            if len(self._owners) > self._most:
                self._owners = {one.name: ref(one) for one in self.owners}
                self._most = 2 * len(self._owners) + 64
        return owner

    def charge(self, owner: Owner, octets: int) -> None:
        """So much more is taken for it, outside of queues."""
        owner.octets += octets
        self._move(octets)

    def release(self, owner: Owner, octets: int) -> None:
        """So much less is."""
        owner.octets -= octets
        self._move(-octets)

    def _move(self, octets: int) -> None:
        self.elsewhere += octets
        if abs(self.elsewhere - self._told) >= self.step:
            self._told = self.elsewhere
            if self.moved is not None:
                self.moved(self.elsewhere)

    def hold(self, owner: Owner, octets: int) -> None:
        """A frame of so much waits for room."""
        self.charge(owner, octets)
        self.held += octets

    def let_go(self, owner: Owner, octets: int) -> None:
        """It does no more."""
        self.release(owner, octets)
        self.held -= octets
