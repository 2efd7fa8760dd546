"""GivingBack: what becomes of deliveries that nobody will acknowledge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stomp_tx.broker.destinations.ack_modes import Delivery
from stomp_tx.broker.destinations.subscription import Source, Subscription
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.slices import Slices
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Batch

PART = 100
"""Deliveries that are given back in one go, and one commit: a millisecond.  More are in parts."""


class GivingBack:
    """Gives the deliveries of one session back to where they came from."""

    __slots__ = ("_engine", "_receipts", "_slices")

    def __init__(self, engine: IEngine, slices: Slices, receipts: Receipts) -> None:
        self._engine = engine
        self._slices = slices
        self._receipts = receipts

    def hold(self, subscriptions: Iterable[Subscription], count: int) -> list[Source]:
        """Before these end, which hold no more than so many: their queues, for ``give_back``.

        Where it is done in parts nobody is given any of these queues until it is done: what comes back last
        may be what belongs first.
        """
        if count <= PART:
            return []
        sources = list(dict.fromkeys(source for one in subscriptions for source in one.destination.queues()))
        for source in sources:
            source.hold()
        return sources

    def give_back(self, held: list[Delivery], sources: Iterable[Source] = ()) -> Safe:
        """No ACK or NACK will come for these, oldest first.  None: that is done; else it fires when it is.

        sources -- what ``hold`` has given
        """
        if len(held) > PART:
            return self._slices.do(self._in_parts(held, sources))
        self._commit(held)
        for source in sources:
            source.release()
        return None

    def give_back_now(self, held: Iterable[Delivery]) -> None:
        """The same in one go, for what came by subscriptions that have ended: theirs can't be held."""
        self._commit(held)

    def _in_parts(self, held: list[Delivery], sources: Iterable[Source]) -> Iterator[None]:
        try:
            while held:  # the last first: so each part comes before what is there already
                part = held[-PART:]
                del held[-PART:]
                self._commit(part)
                yield
        finally:
            for source in sources:
                source.release()

    def _commit(self, held: Iterable[Delivery]) -> None:
        batch = Batch()
        for message, subscription in held:
            subscription.destination.give_back(message, subscription, batch)
        if batch.settled:
            self._receipts.watch(self._engine.commit(batch))
