"""MessageGroups: messages of one group go to one subscription at a time, in their order."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict

from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.message import Message

GROUPS = 10_000
"""Groups of one queue whose subscription is remembered; of more, the one that was assigned first is not."""

CLOSING = "-1"
"""The ``JMSXGroupSeq`` of the last message of a group: what comes after it may go to anybody."""


def _place(message: Message) -> int:
    return message.position


class MessageGroups:
    """Who has which group of one queue, and what is held for them because they can't be given more now.

    held -- how many messages are
    """

    __slots__ = ("_held", "_orphans", "_owners", "held")

    def __init__(self) -> None:
        self._owners: OrderedDict[str, Subscription] = OrderedDict()
        self._held: dict[Subscription, list[Message]] = {}  # in their order
        self._orphans: dict[str, list[Message]] = {}  # the same, whose subscription has ended
        self.held = 0

    def owner(self, group: str) -> Subscription | None:
        """Who has it; None: nobody."""
        return self._owners.get(group)

    def is_free(self, group: str) -> bool:
        """May anybody have it?"""
        return group not in self._owners and group not in self._orphans

    def is_open_to(self, subscription: Subscription, group: str) -> bool:
        """May this one have it?"""
        return self.is_free(group) or self._owners.get(group) is subscription

    def claim(self, group: str, subscription: Subscription) -> None:
        """It has that group from now on, unless somebody has it."""
        if group not in self._owners:
            self._owners[group] = subscription
            if len(self._owners) > GROUPS:
                self._forget_one()

    def assign(self, message: Message, subscription: Subscription) -> None:
        """This message of a group goes to that subscription, and those after it will."""
        assert message.keeping is not None and message.keeping.group is not None
        group = message.keeping.group
        if message.headers.get("JMSXGroupSeq") == CLOSING:
            self._owners.pop(group, None)
        else:
            self.claim(group, subscription)

    def _forget_one(self) -> None:
        for group, owner in self._owners.items():
            if owner not in self._held:
                del self._owners[group]
                return

    def hold(self, message: Message) -> None:
        """Its subscription gets it later; or it waits until somebody has its group."""
        assert message.keeping is not None and message.keeping.group is not None
        group = message.keeping.group
        owner = self._owners.get(group)
        if owner is None:
            insort(self._orphans.setdefault(group, []), message, key=_place)
        else:
            insort(self._held.setdefault(owner, []), message, key=_place)
        self.held += 1

    def holds_for(self, subscription: Subscription) -> bool:
        """Is anything held for it?"""
        return subscription in self._held

    def first_for(self, subscription: Subscription) -> Message:
        """The first that is held for it."""
        return self._held[subscription][0]

    def release(self, message: Message, subscription: Subscription) -> None:
        """It is given one that was held for it."""
        waiting = self._held[subscription]
        waiting.remove(message)
        if not waiting:
            del self._held[subscription]
        self.held -= 1

    def leave(self, subscription: Subscription) -> bool:
        """It has ended, and has no group any more.  True: there are some now that nobody has."""
        its = [name for name, owner in self._owners.items() if owner is subscription]
        for group in its:
            del self._owners[group]
        for message in self._held.pop(subscription, ()):
            assert message.keeping is not None and message.keeping.group is not None
            self._orphans.setdefault(message.keeping.group, []).append(message)
        return bool(its or self._orphans)

    def first_of(self, group: str) -> Message:
        """The first that is held of a group that nobody has."""
        return self._orphans[group][0]

    def drop(self, group: str) -> list[Message]:
        """What is held of it, held no more."""
        dropped = self._orphans.pop(group)
        self.held -= len(dropped)
        return dropped

    def adopt(self, group: str, subscription: Subscription) -> None:
        """It has that group from now on, and what is held of it."""
        self._owners[group] = subscription
        waiting = self._held.setdefault(subscription, [])
        waiting += self._orphans.pop(group)
        waiting.sort(key=_place)

    @property
    def orphans(self) -> list[str]:
        """The groups that nobody has, of which something is held."""
        return list(self._orphans)

    def clear(self) -> list[Message]:
        """All that is held, which is held no more."""
        held = [message for waiting in self._held.values() for message in waiting]
        held += [message for waiting in self._orphans.values() for message in waiting]
        self._held.clear()
        self._orphans.clear()
        self._owners.clear()
        self.held = 0
        return held
