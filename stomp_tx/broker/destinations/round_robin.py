"""RoundRobin: whose turn it is to be given the next message of a queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from stomp_tx.broker.destinations.subscription import Subscription


class RoundRobin:
    """The subscriptions that are ready, in turn; those of a lower rank come when no higher one is ready.

    ready -- those of the highest rank that there is, the next one first; empty only when there are none
    """

    __slots__ = ("_lower", "_rank", "ready")

    def __init__(self) -> None:
        self.ready: deque[Subscription] = deque()
        self._rank = 0  # of those
        self._lower: dict[int, deque[Subscription]] = {}  # the others, by rank

    def __iter__(self) -> Iterator[Subscription]:
        yield from list(self.ready)
        for rank in sorted(self._lower, reverse=True):
            yield from list(self._lower[rank])

    def add(self, subscription: Subscription) -> None:
        """It is ready."""
        rank = subscription.rank
        if not self.ready:
            self._rank = rank
        elif rank < self._rank:
            self._lower.setdefault(rank, deque()).append(subscription)
            return
        elif rank > self._rank:
            self._lower[self._rank] = self.ready.copy()
            self.ready.clear()
            self._rank = rank
        self.ready.append(subscription)

    def remove(self, subscription: Subscription) -> None:
        """It is not ready any more."""
        if subscription.rank == self._rank:
            self.ready.remove(subscription)
            self._refill()
        else:
            lower = self._lower[subscription.rank]
            lower.remove(subscription)
            if not lower:
                del self._lower[subscription.rank]

    def use_credit(self, subscription: Subscription) -> None:
        """The one whose turn it is, is given a message: then it is the next one's turn."""
        ready = self.ready
        credit = subscription.credit = subscription.credit - 1
        if credit <= 0:
            ready.popleft()
            subscription.ready = False
            if not ready:
                self._refill()
            if subscription.mode == "auto":
                subscription.exhausted.append(subscription)
        elif len(ready) > 1:
            ready.rotate(-1)

    def use_credit_of(self, subscription: Subscription) -> None:
        """One that is ready is given a message, whoever's turn it is."""
        if self.ready[0] is subscription:
            self.use_credit(subscription)
            return
        subscription.credit -= 1
        if subscription.credit <= 0:
            subscription.ready = False
            self.remove(subscription)
            if subscription.mode == "auto":
                subscription.exhausted.append(subscription)

    def _refill(self) -> None:
        """One has left ``ready``: if it was the last of its rank, the next rank's turn has come."""
        if not self.ready and self._lower:
            self._rank = max(self._lower)
            self.ready.extend(self._lower.pop(self._rank))
