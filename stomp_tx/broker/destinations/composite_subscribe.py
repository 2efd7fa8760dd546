"""CompositeSubscribe: what a subscription to several destinations at once has subscribed to.

It has a part at each of them, which is a subscription there like any other, and gives on what it gets.  The
parts share the credit of the whole: when that is used up, all of them pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime

from stomp_tx.address import base_of, is_topic
from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.destination import Destination
from stomp_tx.broker.destinations.subscription import Source, Subscription, Terms
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Batch, Message, Outcome

PLENTY = 1_000_000
"""The credit of a part: it is the whole's that counts."""


class Part(Subscription):
    """A subscription's share in one of its destinations.

    in_flight -- how many messages of it wait for their ACK
    matched -- it is there because of a pattern
    """

    __slots__ = ("_composite", "_whole", "in_flight", "matched")

    def __init__(self, whole: Subscription, composite: CompositeSubscribe, matched: bool) -> None:
        terms = Terms(
            whole.id,
            whole.number,
            whole.mode,
            PLENTY,
            whole.redelivery,
            whole.rank,
            whole.exclusive,
            whole.wants,
            whole.wants_retained,
            whole.dialect,  # (what it spurns concerns durable subscriptions alone)
        )
        super().__init__(whole.version, terms, whole.paused or whole.credit <= 0, whole.exhausted)
        self._whole = whole
        self._composite = composite
        self.in_flight = 0
        self.matched = matched

    @property
    def is_idle(self) -> bool:
        """Can the destination be left until a message comes there?"""
        return self.matched and not self.in_flight and not self.destination.held

    def offer(self, message: Message) -> bool:
        self._composite.use_credit()
        if self.mode != "auto":
            self.in_flight += 1
        done = self._whole.offer(message)
        self.destination.top_up(self)
        return done


class CompositeSubscribe(Destination):
    """The destinations of one subscription: queues, those that match its patterns among them, and topics."""

    __slots__ = ("_engine", "_join", "_leave", "_parts", "_whole", "may_match")

    _whole: Subscription

    def __init__(
        self,
        address: str,
        engine: IEngine,
        clock: IReactorTime,
        settings: BrokerSettings,
        dead_letters: DeadLetters,
        join: Callable[[Subscription, str], None],
        leave: Callable[[Subscription], None],
        may_match: Callable[[str], bool],
    ) -> None:
        """
        address -- all of them, with commas between
        join, leave -- put a part in force at an address, and end it
        may_match -- says whether a pattern may find that queue
        """
        super().__init__(address, clock, settings, Policy(), dead_letters, self._settle)
        self._engine = engine
        self._join = join
        self._leave = leave
        self.may_match = may_match
        self._parts: dict[str, Part] = {}  # by address

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        self._whole = subscription

    def join(self, address: str, matched: bool = False) -> None:
        """From now on it has subscribed to this one too: a queue, or topics with commas between.

        matched -- a queue that a pattern has found: it may be left while nothing is there
        """
        if not self.subscriptions:
            return
        part = self._parts[address] = Part(self._whole, self, matched)
        self._join(part, address)

    @property
    def matched(self) -> list[str]:
        """The queues that its patterns have found."""
        return [address for address, part in self._parts.items() if part.matched]

    @property
    def count(self) -> int:
        """How many addresses it has subscribed to."""
        return len(self._parts)

    def leave_idle(self) -> None:
        """Leave those queues of its patterns in which nothing waits, and of which nothing is out."""
        for address, part in list(self._parts.items()):
            if part.is_idle and not self._engine.depth(address)[0]:
                del self._parts[address]
                self._leave(part)

    def queues(self) -> Iterable[Source]:
        return [queue for part in self._parts.values() for queue in part.destination.queues()]

    def reads(self, address: str) -> bool:
        return address in self._parts

    def remove(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription, None)
        for part in self._parts.values():
            self._leave(part)  # and is kept: what it holds is still to be given back

    def use_credit(self) -> None:
        """One of the parts was given a message."""
        whole = self._whole
        whole.credit -= 1
        if whole.credit <= 0:
            self._pause_parts()
            if whole.mode == "auto":
                whole.exhausted.append(whole)

    def _pause_parts(self) -> None:
        for part in self._parts.values():
            if not part.paused:
                part.paused = True
                part.destination.pause(part)

    def _resume_parts(self) -> None:
        """They can be given messages, as far as the credit goes; who was last comes first the next time."""
        whole = self._whole
        parts = list(self._parts.items())
        for address, part in parts:
            if whole.paused or whole.credit <= 0 or whole not in self.subscriptions:
                return
            if part.paused:
                part.paused = False
                if len(parts) > 1:
                    self._parts[address] = self._parts.pop(address)
                part.destination.resume(part)

    def pause(self, subscription: Subscription) -> None:
        self._pause_parts()

    def resume(self, subscription: Subscription) -> None:
        self._resume_parts()

    def give_credit(self, subscription: Subscription, count: int) -> None:
        subscription.credit += count
        self._resume_parts()

    def take_credit(self, subscription: Subscription, count: int) -> None:
        subscription.credit -= count
        if subscription.credit <= 0:
            self._pause_parts()

    def replenish(self, subscription: Subscription) -> None:
        subscription.credit = subscription.prefetch
        self._resume_parts()

    def close(self) -> None:
        pass

    # -- what becomes of a message is the business of the destination it came from --------------------------

    def _settle(self, message: Message, outcome: Outcome) -> Safe:
        if is_topic(message.address):
            return None
        self._part_of(message).in_flight -= 1
        safe: Safe = self._engine.settle(message, outcome)
        return safe

    def _part_of(self, message: Message) -> Part:
        address = base_of(message.address)
        found = self._parts.get(address)
        if found is None:
            # A topic's, that is one of several of the same part.
            found = next(part for name, part in self._parts.items() if is_topic(name))
        return found

    def conclude(self, message: Message, subscription: Subscription, outcome: Outcome, batch: Batch) -> None:
        part = self._part_of(message)
        part.in_flight -= 1
        part.destination.conclude(message, part, outcome, batch)

    def give_back(self, message: Message, subscription: Subscription, batch: Batch) -> None:
        part = self._part_of(message)
        part.in_flight -= 1
        part.destination.give_back(message, part, batch)
