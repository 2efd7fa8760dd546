"""Queue: a destination that gives each message to one subscription."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from twisted.internet.interfaces import IReactorTime

from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.demand import Demand
from stomp_tx.broker.destinations.destination import Destination
from stomp_tx.broker.destinations.exclusive import ExclusiveConsumer
from stomp_tx.broker.destinations.group_dispatch import GroupDispatch
from stomp_tx.broker.destinations.redelivery import Redeliverer
from stomp_tx.broker.destinations.refused_messages import RefusedMessages
from stomp_tx.broker.destinations.round_robin import RoundRobin
from stomp_tx.broker.destinations.selecting_consumers import SelectingConsumers
from stomp_tx.broker.destinations.subscription import Source, Subscription
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.interfaces import IClaim, IEngine
from stomp_tx.message import PERSISTENT, Batch, Message, Outcome


class Queue(Destination):
    """Round-robin among the subscriptions that are ready: that have credit, and room in their connection.

    The engine is asked for as many messages as they have credit together, so each that arrives has somebody
    to go to.  What a subscription refused goes to another, or waits a while where there is no other.

    Of those ready the ones of the highest rank come first.  While there is an exclusive subscription it is
    the only one that is given any.  Selecting consumers (who want some of the messages) ask the engine for
    none: they look at what waits, and are asked about what comes.  A message of a group goes to who has that
    group.
    """

    __slots__ = (
        "_claim",
        "_demand",
        "_engine",
        "_exclusive",
        "_groups",
        "_held_back",
        "_holds",
        "_ready",
        "_redeliverer",
        "_refused",
        "_round_robin",
        "_selecting",
        "_selecting_was_first",
        "_use_credit",
    )

    stores = True

    def __init__(
        self,
        address: str,
        engine: IEngine,
        clock: IReactorTime,
        settings: BrokerSettings,
        policy: Policy,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(address, clock, settings, policy, dead_letters, engine.settle)
        self._engine = engine
        self._round_robin = RoundRobin()
        self._ready: deque[Subscription] = self._round_robin.ready
        self._use_credit: Callable[[Subscription], None] = self._round_robin.use_credit
        self._exclusive = ExclusiveConsumer()
        self._selecting: SelectingConsumers | None = None
        self._selecting_was_first = False
        self._groups: GroupDispatch | None = None
        self._holds = 0  # for so many reasons nobody is given any
        self._held_back: list[Subscription] = []  # who was ready then
        self._claim: IClaim = engine.consume(address, self.take)
        self._demand = Demand(self._claim)
        self._refused = RefusedMessages()
        self._redeliverer = Redeliverer(
            self._refused, self._round_robin, self._demand, engine.settle, self.ends_if_over, clock
        )

    def take(self, message: Message) -> bool:
        """What the engine calls with each message: give it to the next in turn.

        True: it is done with; False: it will be settled.
        """
        keeping = message.keeping
        if keeping is not None and keeping is not PERSISTENT:
            if keeping.expires and self._dead_letters.is_over(message):
                self._refused.discard(message.id)
                self._expire(message)
                self._claim.request(1)  # nobody's credit was used
                return False
            if keeping.group is not None:
                return (self._groups or self._start_groups()).take(message, keeping.group)
        if message.attempts and message.id in self._refused:
            self._redeliverer.take(message)
            return False
        if self._selecting is not None:
            return self._take_or_select(message)
        ready = self._ready
        if not ready:
            self._engine.settle(message, Outcome.RELEASED)  # asked for by one who left meanwhile
            return False
        subscription = ready[0]
        self._use_credit(subscription)
        return subscription.offer(message)

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        if subscription.exclusive:
            self._choose_exclusive()
        if self._groups is not None:
            self._groups.has_come()
        if not self._exclusive.bars(subscription):
            self._admit(subscription)

    def remove(self, subscription: Subscription) -> None:
        self.leave(subscription)
        self.subscriptions.pop(subscription, None)
        self._remove_selecting(subscription)
        self._refused.forget(subscription)
        if self._groups is not None and self._groups.has_left(subscription) and self._selecting is not None:
            self._selecting.begin_anew()
        if subscription is self._exclusive.active:
            # In the next turn: what it had not acknowledged comes back in this one, and belongs first.
            self._clock.callLater(0, self._choose_exclusive)

    def pause(self, subscription: Subscription) -> None:
        self.leave(subscription)

    def resume(self, subscription: Subscription) -> None:
        self.enter(subscription)

    def give_credit(self, subscription: Subscription, count: int) -> None:
        credit = subscription.credit = subscription.credit + count
        if subscription.ready:
            self._claim.request(count)
        elif credit > 0 and not subscription.paused:
            self.enter(subscription)

    def take_credit(self, subscription: Subscription, count: int) -> None:
        self.leave(subscription)  # and takes back what it asked of the engine
        subscription.credit -= count
        self.enter(subscription)

    def top_up(self, subscription: Subscription) -> None:
        subscription.credit += 1
        if subscription.ready and subscription is not self._redeliverer.entering:
            self._claim.request(1)

    def replenish(self, subscription: Subscription) -> None:
        self.give_credit(subscription, subscription.prefetch - subscription.credit)

    def enter(self, subscription: Subscription) -> None:
        """It can be given messages, if it is one of ours and was not ready before."""
        if (
            subscription.ready
            or subscription.paused
            or subscription.credit <= 0
            or subscription not in self.subscriptions
            or self._exclusive.bars(subscription)
        ):
            return
        if self._groups is not None and not self._groups.give_held(subscription):
            return
        if subscription.wants is not None:
            if self._selecting is not None:
                self._selecting.look(subscription)
            return
        subscription.ready = True
        self._round_robin.add(subscription)
        if self._refused.held:
            self._redeliverer.give_to(subscription)
        if subscription.ready:
            self._claim.request(subscription.credit)

    def leave(self, subscription: Subscription) -> None:
        """It can be given none."""
        if subscription.ready:
            subscription.ready = False
            self._round_robin.remove(subscription)
            if subscription is not self._redeliverer.entering:
                self._claim.request(-subscription.credit)

    def _choose_exclusive(self) -> None:
        """One may have come or gone that gets all."""
        if self._holds:
            return  # see ``release``
        if not self._exclusive.choose(self.subscriptions):
            return
        for subscription in list(self.subscriptions):
            if self._exclusive.bars(subscription):
                self.leave(subscription)
                self._remove_selecting(subscription)
                if self._groups is not None:
                    self._groups.has_left(subscription)
            else:
                self._admit(subscription)
        if self._groups is not None:
            self._groups.has_come()

    def _admit(self, subscription: Subscription) -> None:
        """Nothing bars it any more."""
        if subscription.wants is not None:
            self._add_selecting(subscription)
        else:
            self.enter(subscription)

    # -- while some comes back ----------------------------------------------------------------------------

    def queues(self) -> Iterable[Source]:
        return (self,)

    def hold(self) -> None:
        self._holds += 1
        if self._holds > 1:
            return
        self._exclusive.bars_everyone = True
        self._held_back = list(self._round_robin)
        for subscription in self._held_back:
            self.leave(subscription)
        if self._selecting is not None:
            self._selecting.is_held = True
            self._claim.watch(None)

    def release(self) -> None:
        self._holds -= 1
        if self._holds:
            return
        self._exclusive.bars_everyone = False
        self._choose_exclusive()
        held_back, self._held_back = self._held_back, []
        for subscription in (*held_back, *self.subscriptions):
            if not self._exclusive.bars(subscription):
                self._admit(subscription)
        if self._selecting is not None and self._selecting.is_held:
            self._selecting.is_held = False
            self._claim.watch(self._selecting.noticed)
            self._selecting.look_again()

    # -- those with a selector: what they ask for ---------------------------------------------------------

    def _add_selecting(self, subscription: Subscription) -> None:
        if self._selecting is None:
            self._selecting = SelectingConsumers(self, self._clock)
            self._claim.watch(self._selecting.noticed)
        if subscription not in self._selecting:
            self._selecting.add(subscription)

    def _remove_selecting(self, subscription: Subscription) -> None:
        if self._selecting is not None:
            self._selecting.remove(subscription)
            if not self._selecting:
                self._selecting = None
                self._claim.watch(None)

    def _take_or_select(self, message: Message) -> bool:
        """It may be the turn of one with a selector, who wants it: they and the others take turns."""
        assert self._selecting is not None
        ready = self._ready
        next_one = ready[0] if ready else None
        selecting = None
        if next_one is None or not self._selecting_was_first:
            selecting = self._selecting.next_for(message)
        self._selecting_was_first = selecting is not None
        if selecting is not None and (next_one is None or selecting.rank >= next_one.rank):
            self._claim.request(1)  # the credit that was asked for was not used
            selecting.use_credit()
            return selecting.offer(message)
        if next_one is None:
            self._engine.settle(message, Outcome.RELEASED)
            return False
        self._use_credit(next_one)
        return next_one.offer(message)

    def browse(self, after: int) -> Iterator[list[Message]]:
        pages: Iterator[list[Message]] = self._engine.browse(self.address, after)
        return pages

    def wait(self, message: Message, subscription: Subscription) -> float:
        if self._groups is not None and self._groups.is_kept_from(subscription, message):
            return -1.0
        return self.redelivery_wait(message, subscription)

    def unwanted(self, message: Message, subscription: Subscription) -> None:
        spurns = subscription.spurns
        if (
            spurns is not None
            and spurns(message)
            and not any(one.accepts(message) for one in self.subscriptions)
        ):
            self._engine.withdraw(message)

    def pick(self, message: Message, subscription: Subscription) -> bool | None:
        picked: bool | None = self._claim.pick(message)
        if not picked:
            return picked
        self._refused.discard(message.id)
        if self.ends_if_over(message):
            return True
        if message.keeping is not None and message.keeping.group is not None:
            (self._groups or self._start_groups()).groups.assign(message, subscription)
        subscription.use_credit()
        if subscription.offer(message):
            self._engine.settle(message, Outcome.ACCEPTED)
        return True

    # -- groups: what they ask for ------------------------------------------------------------------------

    def _start_groups(self) -> GroupDispatch:
        self._groups = GroupDispatch(
            self, self._engine, self._claim, self._demand, self._round_robin, self._refused, self._clock
        )
        return self._groups

    def take_in_turn(self, message: Message) -> bool:
        if self._selecting is not None:
            return self._take_or_select(message)
        if not self._ready:
            self._engine.settle(message, Outcome.RELEASED)
            return False
        subscription = self._ready[0]
        self._use_credit(subscription)
        return subscription.offer(message)

    def next_for(self, message: Message) -> Subscription | None:
        if self._selecting is not None:
            selecting = self._selecting.next_for(message)
            if selecting is not None:
                return selecting
        return self._ready[0] if self._ready else None

    def candidates(self) -> Iterator[Subscription]:
        exclusive = self._exclusive.active
        if exclusive is not None:
            if exclusive in self.subscriptions:  # (else another one is chosen in this turn)
                yield exclusive
            return
        yield from (*self._ready, *self.subscriptions)

    def redelivery_wait(self, message: Message, subscription: Subscription) -> float:
        if not message.attempts or message.id not in self._refused:
            return 0.0
        return self._refused.wait(message.id, subscription, self._clock.seconds())

    def selectors_look_again(self) -> None:
        if self._selecting is not None:
            self._selecting.look_again()

    # -- the end of one -----------------------------------------------------------------------------------

    def refuse(self, message: Message, subscription: Subscription) -> None:
        anybody, same = subscription.redelivery.wait(message.attempts + 1)
        now = self._clock.seconds()
        self._refused.refuse(message, subscription, now + anybody, now + same, now)

    def ends_if_over(self, message: Message) -> bool:
        return message.keeping is not None and self._dead_letters.is_over(message) and self._expire(message)

    def _expire(self, message: Message) -> bool:
        """Nobody gets it."""
        instead = self._dead_letters.expired(message)
        self._engine.commit(Batch(instead, [(message, Outcome.ACCEPTED)]))
        return True

    @property
    def held(self) -> int:
        return self._demand.held

    def lingers(self) -> float:
        if self._holds:
            return 1.0  # who subscribes meanwhile is not to get what belongs behind
        return self._refused.latest() - self._clock.seconds()  # what was refused waits its time

    def close(self) -> None:
        self._claim.stop()
        self._redeliverer.stop()
        held = [*self._refused.clear(), *([] if self._groups is None else self._groups.groups.clear())]
        for message in sorted(held, key=lambda one: -one.position):
            self._engine.settle(message, Outcome.RELEASED)
