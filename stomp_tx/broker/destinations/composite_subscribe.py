"""CompositeSubscribe: what a subscription to several destinations at once has subscribed to.

It has a part at each of them, which is a subscription there like any other, and gives on what it gets.  The
parts share the credit of the whole: when that is used up, all of them pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.interfaces import IReactorTime

from stomp_tx.address import base_of, is_topic
from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.destination import Destination
from stomp_tx.broker.destinations.subscription import Source, Subscription, Terms
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.broker.slices import Slices
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Batch, Message, Outcome

TURN = 0.05
"""Seconds after which others have their turn, where more queues match than a subscription may have."""

PLENTY = 1_000_000
"""The credit of a part: it is the whole's that counts."""


class Part(Subscription):
    """A subscription's share in one of its destinations.

    in_flight -- how many messages of it wait for their ACK
    had_its_turn -- it was given a message
    is_leaving -- it is given none until those in flight are settled, or others have had a turn
    matched -- it is there because of a pattern
    """

    __slots__ = ("_composite", "_whole", "had_its_turn", "in_flight", "is_leaving", "matched")

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
        self.had_its_turn = False
        self.is_leaving = False
        self.in_flight = 0
        self.matched = matched

    @property
    def is_idle(self) -> bool:
        """Can the destination be left until a message comes there?"""
        return self.matched and not self.in_flight and not self.destination.held

    def offer(self, message: Message) -> bool:
        self._composite.use_credit()
        self.had_its_turn = True
        if self.mode != "auto":
            self.in_flight += 1
        done = self._whole.offer(message)
        self.destination.top_up(self)
        return done


class CompositeSubscribe(Destination):
    """The destinations of one subscription: queues, those that match its patterns among them, and topics."""

    __slots__ = (
        "_engine",
        "_has_more",
        "_is_taking_turns",
        "_join",
        "_join_if_room",
        "_leave",
        "_look_again",
        "_parts",
        "_slices",
        "_waiting",
        "_whole",
        "may_match",
    )

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
        slices: Slices,
        join_if_room: Callable[[CompositeSubscribe, str], None],
        look_again: Callable[[CompositeSubscribe], None],
    ) -> None:
        """
        address -- all of them, with commas between
        join, leave -- put a part in force at an address, and end it
        may_match -- says whether a pattern may find that queue
        join_if_room -- called with it and a queue of its patterns whose turn it is
        look_again -- called with it when it has room for queues of its patterns that it does not know
        """
        super().__init__(address, clock, settings, Policy(), dead_letters, self._settle)
        self._engine = engine
        self._join = join
        self._leave = leave
        self.may_match = may_match
        self._parts: dict[str, Part] = {}  # by address
        self._slices = slices
        self._join_if_room = join_if_room
        self._look_again = look_again
        self._waiting: dict[str, None] = {}  # queues of its patterns whose turn it is not yet
        self._has_more = False  # there are more of those
        self._is_taking_turns = False

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

    # -- where there are more queues than it may get messages of at a time --------------------------------

    @property
    def is_behind(self) -> bool:
        """Do queues of its patterns wait for their turn?"""
        return bool(self._waiting) or self._has_more

    def wait_for_turn(self, queue: str) -> None:
        """It gets messages of this one when another one has had its turn."""
        if len(self._waiting) < self._settings.wildcard_queues:
            self._waiting[queue] = None
        else:
            self._has_more = self._has_more or queue not in self._waiting
        self._take_turns_soon()

    def _take_turns_soon(self) -> None:
        if not self._is_taking_turns:
            self._is_taking_turns = True
            self._clock.callLater(TURN, self._take_turns)

    def _take_turns(self) -> None:
        self._is_taking_turns = False
        self._slices.do(self._taking_turns())

    def _taking_turns(self) -> Iterator[None]:
        """Leave queues that have had their turn, and that have nothing in flight; others come in."""
        most = self._settings.wildcard_queues
        for address, part in list(self._parts.items()):
            waiting = self._engine.depth(address)[0]
            if not self._waiting or self._parts.get(address) is not part or not self.subscriptions:
                break
            if part.is_idle and (part.had_its_turn or not waiting):
                del self._parts[address]
                self._leave(part)
                if waiting:
                    self._waiting[address] = None  # behind the others
                self._let_in(most)
            elif part.is_leaving:
                part.is_leaving = part.had_its_turn = False  # who ACKs many at once may wait for more
            elif part.matched and part.had_its_turn and self._whole.credit <= 0:
                part.is_leaving = True
            yield
        if not self._waiting:
            for part in self._parts.values():
                part.is_leaving = part.had_its_turn = False  # nobody wants its place any more
        self._resume_parts()
        self._let_in(most)
        if self.subscriptions and not self._waiting and self._has_more:
            self._has_more = False
            self._look_again(self)
        if self.subscriptions and self.is_behind:
            self._take_turns_soon()

    def _let_in(self, most: int) -> None:
        while self._waiting and self.count < most and self.subscriptions:
            address = next(iter(self._waiting))
            del self._waiting[address]
            if self._engine.depth(address)[0]:
                self._join_if_room(self, address)
                return

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
            if part.paused and not part.is_leaving:
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
