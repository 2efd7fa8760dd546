"""GroupDispatch: gives each message of a group to the subscription that has its group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from stomp_tx.broker.destinations.demand import Demand
from stomp_tx.broker.destinations.message_groups import MessageGroups
from stomp_tx.broker.destinations.refused_messages import RefusedMessages
from stomp_tx.broker.destinations.round_robin import RoundRobin
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.interfaces import IClaim, IEngine
from stomp_tx.message import Batch, Message, Outcome


class GroupedQueue(Protocol):
    """What it asks its queue."""

    def next_for(self, message: Message) -> Subscription | None:
        """Whose turn it is to get this message, if it is of no group; None: nobody's."""

    def candidates(self) -> Iterator[Subscription]:
        """All that may get messages, those that are ready before the others."""

    def take_in_turn(self, message: Message) -> bool:
        """Give it to whoever's turn it is.  True: it is done with; False: it will be settled."""

    def redelivery_wait(self, message: Message, subscription: Subscription) -> float:
        """How many seconds it is until this one, which may have refused it, may have it."""

    def enter(self, subscription: Subscription) -> None:
        """It can be given messages again."""

    def leave(self, subscription: Subscription) -> None:
        """It can be given none."""

    def ends_if_over(self, message: Message) -> bool:
        """Has it expired?  Then it has been settled, and nobody gets it."""

    def selectors_look_again(self) -> None:
        """Those with a selector may have what they could not have before."""


class GroupDispatch:
    """Of one queue, from the first message of a group on.

    A message whose subscription can't be given more now is held for it, and that one leaves the rotation
    until it has been given all that is held for it: so the messages of a group keep their order.
    """

    __slots__ = ("_claim", "_clock", "_demand", "_engine", "_queue", "_refused", "_round_robin", "groups")

    def __init__(
        self,
        queue: GroupedQueue,
        engine: IEngine,
        claim: IClaim,
        demand: Demand,
        round_robin: RoundRobin,
        refused: RefusedMessages,
        clock: IReactorTime,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._claim = claim
        self._demand = demand
        self._round_robin = round_robin
        self._refused = refused
        self._clock = clock
        self.groups = MessageGroups()

    def take(self, message: Message, group: str) -> bool:
        """Give it to who has its group, or hold it until that one can be given more.

        True: it is done with; False: it will be settled.
        """
        groups = self.groups
        is_free = groups.is_free(group)
        owner = self._queue.next_for(message) if is_free else groups.owner(group)
        if owner is None and is_free:
            self._engine.settle(message, Outcome.RELEASED)
            return False
        if owner is not None and not owner.accepts(message):
            return self._queue.take_in_turn(message)
        wait = 0.0 if owner is None else self._queue.redelivery_wait(message, owner)
        if owner is None or wait or groups.holds_for(owner) or not _can_be_given(owner):
            if owner is not None:
                groups.claim(group, owner)
                self._queue.leave(owner)  # until it has been given what is held for it
            groups.hold(message)
            if wait and owner is not None:
                self._clock.callLater(wait, self._queue.enter, owner)
            self._demand.hold()
            return False
        self._refused.discard(message.id)
        groups.assign(message, owner)
        if owner.ready:
            self._round_robin.use_credit_of(owner)
        else:
            self._claim.request(1)
            owner.use_credit()
        return owner.offer(message)

    def give_held(self, subscription: Subscription) -> bool:
        """What is held for it, as far as it has credit.  True: nothing is any more, and it takes others."""
        while self.groups.holds_for(subscription):
            if subscription.credit <= 0 or subscription.paused:
                return False
            message = self.groups.first_for(subscription)
            wait = self._queue.redelivery_wait(message, subscription)
            if wait:
                self._clock.callLater(wait, self._queue.enter, subscription)
                return False  # and nothing else before it
            self.groups.release(message, subscription)
            self._demand.release(1)
            if not subscription.accepts(message):
                self._engine.settle(message, Outcome.RELEASED)
                continue
            self._refused.discard(message.id)
            if self._queue.ends_if_over(message):
                continue
            self.groups.assign(message, subscription)
            subscription.use_credit()
            if subscription.offer(message):
                self._engine.settle(message, Outcome.ACCEPTED)
        return subscription.credit > 0 and not subscription.paused

    def is_kept_from(self, subscription: Subscription, message: Message) -> bool:
        """Is it of a group that another one has, who wants it?"""
        group = None if message.keeping is None else message.keeping.group
        if group is None or self.groups.is_open_to(subscription, group):
            return False
        owner = self.groups.owner(group)
        return owner is None or owner.accepts(message)

    def has_come(self) -> None:
        """Somebody may get messages since now, and may get groups that nobody has."""
        if self.groups.orphans:
            self._clock.callLater(0, self._adopt)

    def has_left(self, subscription: Subscription) -> bool:
        """It has no group any more.  True: others get them in the next turn."""
        if not self.groups.leave(subscription):
            return False
        # What it had not acknowledged comes back in this turn, and belongs before what was held for it.
        self._clock.callLater(0, self._adopt)
        return True

    def _adopt(self) -> None:
        """Others get the groups that nobody has, and what is held of them."""
        groups = self.groups
        if next(self._queue.candidates(), None) is None:
            return
        for group in groups.orphans:
            message = groups.first_of(group)
            owner = next((one for one in self._queue.candidates() if one.accepts(message)), None)
            if owner is None:
                messages = groups.drop(group)
                self._demand.release(len(messages))
                batch = Batch(settled=[(message, Outcome.RELEASED) for message in messages])
                self._engine.commit(batch)
                continue
            if len(self._round_robin.ready) > 1:
                self._round_robin.ready.rotate(-1)
            groups.adopt(group, owner)
            self._queue.leave(owner)
            self._queue.enter(owner)  # and gets what was held first
        self._queue.selectors_look_again()


def _can_be_given(subscription: Subscription) -> bool:
    if subscription.wants is not None:
        return subscription.credit > 0 and not subscription.paused
    return subscription.ready
