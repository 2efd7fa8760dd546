"""ExclusiveConsumer: the one that gets all messages of a queue, while it is there."""

from __future__ import annotations

from collections.abc import Iterable

from stomp_tx.broker.destinations.subscription import Subscription


class ExclusiveConsumer:
    """Of those that asked to be exclusive, the first of the highest rank.

    active -- that one; None: nobody is, and all get messages
    bars_everyone -- nobody gets any for now
    """

    __slots__ = ("active", "bars_everyone")

    def __init__(self) -> None:
        self.active: Subscription | None = None
        self.bars_everyone = False

    def bars(self, subscription: Subscription) -> bool:
        """Does another one get all, or nobody any?"""
        return self.bars_everyone or (self.active is not None and self.active is not subscription)

    def choose(self, subscriptions: Iterable[Subscription]) -> bool:
        """Choose among those that there are now.  True: it is another one than before."""
        exclusive = [one for one in subscriptions if one.exclusive]
        before, self.active = self.active, max(exclusive, key=lambda one: one.rank, default=None)
        return self.active is not before
