"""Account: for whom memory is taken, and how much."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakValueDictionary


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
    """

    __slots__ = ("_owners", "_queued", "elsewhere", "held")

    def __init__(self, queued: Callable[[], int]) -> None:
        """``queued`` gives the octets that an engine's queues take."""
        self.elsewhere = 0
        self.held = 0
        self._queued = queued
        # An owner is known as long as somebody has it: a session, or a message.
        self._owners: WeakValueDictionary[str, Owner] = WeakValueDictionary()

    @property
    def octets(self) -> int:
        """Taken in all."""
        return self._queued() + self.elsewhere

    @property
    def owners(self) -> list[Owner]:
        """Those that there are, but for NOBODY."""
        return list(self._owners.values())

    def owner(self, name: str) -> Owner:
        """The one of that name, the same one as long as anybody has it."""
        owner = self._owners.get(name)
        if owner is None:
            owner = self._owners[name] = Owner(name)
        return owner

    def charge(self, owner: Owner, octets: int) -> None:
        """So much more is taken for it, outside of queues."""
        owner.octets += octets
        self.elsewhere += octets

    def release(self, owner: Owner, octets: int) -> None:
        """So much less is."""
        owner.octets -= octets
        self.elsewhere -= octets

    def hold(self, owner: Owner, octets: int) -> None:
        """A frame of so much waits for room."""
        self.charge(owner, octets)
        self.held += octets

    def let_go(self, owner: Owner, octets: int) -> None:
        """It does no more."""
        self.release(owner, octets)
        self.held -= octets
