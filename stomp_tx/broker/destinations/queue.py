"""Queue: a destination that gives each message to one subscription."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.destination import Destination
from stomp_tx.broker.destinations.message_groups import MessageGroups
from stomp_tx.broker.destinations.redelivery import RefusedMessages
from stomp_tx.broker.destinations.round_robin import RoundRobin
from stomp_tx.broker.destinations.selecting_consumers import SelectingConsumers
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.interfaces import IEngine
from stomp_tx.message import PERSISTENT, Batch, Message, Outcome

HELD = 10_000
"""Messages that one queue holds back at a time, refused ones and those of groups; others wait behind them."""


class Queue(Destination):
    """Round-robin among the subscriptions that are ready: that have credit, and room in their connection.

    The engine is asked for as many messages as they have credit together, so each that arrives has somebody
    to go to.  What a subscription refused goes to another, or waits a while where there is no other.

    Of those ready the ones of the highest rank come first.  While there is an exclusive subscription it is
    the only one that is given any.  Choosers (who want some of the messages) ask the engine for none: they
    look at what waits, and are asked about what comes.  A message of a group goes to who has that group.
    """

    __slots__ = (
        "_active",
        "_chooser_was_first",
        "_choosers",
        "_claim",
        "_engine",
        "_entering",
        "_groups",
        "_overdrawn",
        "_ready",
        "_refusals",
        "_timer",
        "_timer_at",
        "_turns",
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
        self._turns = RoundRobin()
        self._ready = self._turns.ready
        self._active: Subscription | None = None  # the exclusive one
        self._entering: Subscription | None = None  # it is ready, and its credit was not asked for yet
        self._choosers: SelectingConsumers | None = None
        self._chooser_was_first = False
        self._groups: MessageGroups | None = None
        self._refusals = RefusedMessages()
        self._overdrawn = 0  # of the messages that are held, those for which no other one was asked
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0  # by the clock: a timer's own time may be the time of day
        self._claim = engine.consume(address, self.take)

    def take(self, message: Message) -> bool:
        """The engine's taker: give it to the next in turn."""
        keeping = message.keeping
        if keeping is not None and keeping is not PERSISTENT:
            if keeping.expires and self._dead_letters.is_over(message):
                self._refusals.discard(message.id)
                self._bury(message)
                self._claim.request(1)  # nobody's credit was used
                return False
            if keeping.group is not None:
                return self._take_of_group(message, keeping.group)
        if message.attempts and message.id in self._refusals:
            return self._take_refused(message)
        if self._choosers is not None:
            return self._take_or_choose(message)
        ready = self._ready
        if not ready:
            self._engine.settle(message, Outcome.RELEASED)  # asked for by one who left meanwhile
            return False
        subscription = ready[0]
        self._use_credit(subscription)
        return subscription.offer(message)

    def _use_credit(self, subscription: Subscription) -> None:
        """Of the one whose turn it is: then it is the next one's."""
        ready = self._ready
        credit = subscription.credit = subscription.credit - 1
        if credit <= 0:
            ready.popleft()
            subscription.ready = False
            if not ready:
                self._turns.settle()
            if subscription.mode == "auto":
                subscription.exhausted.append(subscription)
        elif len(ready) > 1:
            ready.rotate(-1)

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        if subscription.exclusive:
            self._choose_active()
        if self._groups is not None and self._groups.orphans:
            self._clock.callLater(0, self._adopt)
        if self._is_barred(subscription):
            return
        if subscription.wants is not None:
            self._add_chooser(subscription)
        else:
            self._enter(subscription)

    def remove(self, subscription: Subscription) -> None:
        self._leave(subscription)
        self.subscriptions.pop(subscription, None)
        self._remove_chooser(subscription)
        self._refusals.forget(subscription)
        if self._groups is not None and self._groups.leave(subscription):
            # What it had not acknowledged comes back in this turn, and belongs before what was held for it.
            self._clock.callLater(0, self._adopt)
            if self._choosers is not None:
                self._choosers.begin_anew()
        if subscription is self._active:
            # For the same reason.
            self._clock.callLater(0, self._choose_active)

    def pause(self, subscription: Subscription) -> None:
        self._leave(subscription)

    def resume(self, subscription: Subscription) -> None:
        self._enter(subscription)

    def give_credit(self, subscription: Subscription, count: int) -> None:
        credit = subscription.credit = subscription.credit + count
        if subscription.ready:
            self._claim.request(count)
        elif credit > 0 and not subscription.paused:
            self._enter(subscription)

    def take_credit(self, subscription: Subscription, count: int) -> None:
        self._leave(subscription)  # and takes back what it asked of the engine
        subscription.credit -= count
        self._enter(subscription)

    def top_up(self, subscription: Subscription) -> None:
        subscription.credit += 1
        if subscription.ready and subscription is not self._entering:
            self._claim.request(1)

    def replenish(self, subscription: Subscription) -> None:
        self.give_credit(subscription, subscription.prefetch - subscription.credit)

    def _enter(self, subscription: Subscription) -> None:
        """It can be given messages, if it is one of ours and was not ready before."""
        if (
            subscription.ready
            or subscription.paused
            or subscription.credit <= 0
            or subscription not in self.subscriptions
            or self._is_barred(subscription)
        ):
            return
        if self._groups is not None and self._groups.holds_for(subscription):
            self._give_held(subscription)
            if subscription.credit <= 0 or subscription.paused or self._groups.holds_for(subscription):
                return
        if subscription.wants is not None:
            if self._choosers is not None:
                self._choosers.look(subscription)
            return
        subscription.ready = True
        self._turns.add(subscription)
        if self._refusals.held:
            self._entering = subscription
            try:
                self._offer_held()
            finally:
                self._entering = None
        if subscription.ready:
            self._claim.request(subscription.credit)

    def _leave(self, subscription: Subscription) -> None:
        if subscription.ready:
            subscription.ready = False
            self._turns.remove(subscription)
            if subscription is not self._entering:
                self._claim.request(-subscription.credit)

    # -- the exclusive one --------------------------------------------------------------------------------

    def _is_barred(self, subscription: Subscription) -> bool:
        """Is there another one that gets all?"""
        return self._active is not None and self._active is not subscription

    def _choose_active(self) -> None:
        """Of the exclusive ones that there are now, the first of the highest rank gets all."""
        exclusive = [one for one in self.subscriptions if one.exclusive]
        active = max(exclusive, key=lambda one: one.rank, default=None)
        if active is self._active:
            return
        self._active = active
        for subscription in list(self.subscriptions):
            if self._is_barred(subscription):
                self._leave(subscription)
                self._remove_chooser(subscription)
                if self._groups is not None and self._groups.leave(subscription):
                    self._clock.callLater(0, self._adopt)
            elif subscription.wants is not None:
                self._add_chooser(subscription)
            else:
                self._enter(subscription)

    # -- choosers -----------------------------------------------------------------------------------------

    def _add_chooser(self, subscription: Subscription) -> None:
        if self._choosers is None:
            self._choosers = SelectingConsumers(self, self._clock)
            self._claim.watch(self._choosers.noticed)
        if subscription not in self._choosers:
            self._choosers.add(subscription)

    def _remove_chooser(self, subscription: Subscription) -> None:
        if self._choosers is not None:
            self._choosers.remove(subscription)
            if not self._choosers:
                self._choosers = None
                self._claim.watch(None)

    def _take_in_turn(self, message: Message) -> bool:
        """Whoever's turn it is, whatever group it is of."""
        if self._choosers is not None:
            return self._take_or_choose(message)
        if not self._ready:
            self._engine.settle(message, Outcome.RELEASED)
            return False
        subscription = self._ready[0]
        self._use_credit(subscription)
        return subscription.offer(message)

    def _take_or_choose(self, message: Message) -> bool:
        """The next in turn may be a chooser who wants it: they and the others take turns."""
        assert self._choosers is not None
        ready = self._ready
        next_one = ready[0] if ready else None
        chooser = None
        if next_one is None or not self._chooser_was_first:
            chooser = self._choosers.next_for(message)
        self._chooser_was_first = chooser is not None
        if chooser is not None and (next_one is None or chooser.rank >= next_one.rank):
            self._claim.request(1)  # the credit that was asked for was not used
            self._use_own_credit(chooser)
            return chooser.offer(message)
        if next_one is None:
            self._engine.settle(message, Outcome.RELEASED)
            return False
        self._use_credit(next_one)
        return next_one.offer(message)

    def _use_own_credit(self, subscription: Subscription) -> None:
        """Of one that has asked the engine for nothing."""
        subscription.credit -= 1
        if subscription.credit <= 0 and subscription.mode == "auto":
            subscription.exhausted.append(subscription)

    def browse(self, after: int) -> Iterator[list[Message]]:
        pages: Iterator[list[Message]] = self._engine.browse(self.address, after)
        return pages

    def may_have(self, message: Message, subscription: Subscription) -> float:
        group, groups = None if message.keeping is None else message.keeping.group, self._groups
        if group is not None and groups is not None and not groups.is_open_to(subscription, group):
            owner = groups.owner(group)
            if owner is None or _wants(owner, message):
                return -1.0
        return self._wait_of(message, subscription)

    def unwanted(self, message: Message, subscription: Subscription) -> None:
        spurns = subscription.spurns
        if (
            spurns is not None
            and spurns(message)
            and not any(_wants(one, message) for one in self.subscriptions)
        ):
            self._engine.withdraw(message)

    def give(self, message: Message, subscription: Subscription) -> bool | None:
        picked: bool | None = self._claim.pick(message)
        if not picked:
            return picked
        self._refusals.discard(message.id)
        if self._is_over(message):
            self._bury(message)
            return True
        if message.keeping is not None and message.keeping.group is not None:
            if self._groups is None:
                self._groups = MessageGroups()
            self._groups.assign(message, subscription)
        self._use_own_credit(subscription)
        if subscription.offer(message):
            self._engine.settle(message, Outcome.ACCEPTED)
        return True

    # -- groups -------------------------------------------------------------------------------------------

    def _take_of_group(self, message: Message, group: str) -> bool:
        """It goes to who has its group, or is held until that one can be given more."""
        groups = self._groups
        if groups is None:
            groups = self._groups = MessageGroups()
        is_free = groups.is_free(group)
        owner = self._next_owner(message) if is_free else groups.owner(group)
        if owner is None and is_free:
            self._engine.settle(message, Outcome.RELEASED)
            return False
        if owner is not None and not _wants(owner, message):
            return self._take_in_turn(message)
        wait = 0.0 if owner is None else self._wait_of(message, owner)
        if owner is None or wait or groups.holds_for(owner) or not self._can_be_given(owner):
            if owner is not None:
                groups.claim(group, owner)
                self._leave(owner)  # until it has been given what is held for it
            groups.hold(message)
            if wait and owner is not None:
                self._clock.callLater(wait, self._enter, owner)
            self._ask_for_another()
            return False
        self._refusals.discard(message.id)
        groups.assign(message, owner)
        if owner.ready:
            self._use_credit_of(owner)
        else:
            self._claim.request(1)
            self._use_own_credit(owner)
        return owner.offer(message)

    def _wait_of(self, message: Message, subscription: Subscription) -> float:
        """How many seconds it is until this one may have it again."""
        if not message.attempts or message.id not in self._refusals:
            return 0.0
        return self._refusals.wait(message.id, subscription, self._clock.seconds())

    def _next_owner(self, message: Message) -> Subscription | None:
        if self._choosers is not None:
            chooser = self._choosers.next_for(message)
            if chooser is not None:
                return chooser
        return self._ready[0] if self._ready else None

    def _can_be_given(self, subscription: Subscription) -> bool:
        if subscription.wants is not None:
            return subscription.credit > 0 and not subscription.paused
        return subscription.ready

    def _use_credit_of(self, subscription: Subscription) -> None:
        """Of one that is ready, whoever's turn it is."""
        if self._ready[0] is subscription:
            self._use_credit(subscription)
            return
        subscription.credit -= 1
        if subscription.credit <= 0:
            subscription.ready = False
            self._turns.remove(subscription)
            if subscription.mode == "auto":
                subscription.exhausted.append(subscription)

    def _ask_for_another(self) -> None:
        """One is held, and nobody's credit was used."""
        if self.held > HELD:
            self._overdrawn += 1
        else:
            self._claim.request(1)

    def _give_held(self, subscription: Subscription) -> None:
        """What is held for it, because of its groups, as far as it has credit."""
        assert self._groups is not None
        while subscription.credit > 0 and not subscription.paused and self._groups.holds_for(subscription):
            message = self._groups.first_for(subscription)
            wait = self._wait_of(message, subscription)
            if wait:
                self._clock.callLater(wait, self._enter, subscription)
                return  # and nothing else before it
            self._groups.release(message, subscription)
            self._make_up(1)
            if not _wants(subscription, message):
                self._engine.settle(message, Outcome.RELEASED)
                continue
            self._refusals.discard(message.id)
            if self._is_over(message):
                self._bury(message)
                continue
            self._groups.assign(message, subscription)
            self._use_own_credit(subscription)
            if subscription.offer(message):
                self._engine.settle(message, Outcome.ACCEPTED)

    def _adopt(self) -> None:
        """Somebody has left: others get its groups, and what was held for it."""
        groups = self._groups
        if groups is None or not self.subscriptions:
            return
        for group in groups.orphans:
            owner = self._who_wants(groups.first_of(group))
            if owner is None:
                messages = groups.drop(group)
                self._make_up(len(messages))
                batch = Batch(settled=[(message, Outcome.RELEASED) for message in messages])
                self._engine.commit(batch)
                continue
            if len(self._ready) > 1:
                self._ready.rotate(-1)
            groups.adopt(group, owner)
            self._leave(owner)
            self._enter(owner)  # and gets what was held first
        if self._choosers is not None:
            self._choosers.look_again()

    def _who_wants(self, message: Message) -> Subscription | None:
        """The first that may have it, those that are ready before the others; None: nobody."""
        if self._active is not None:
            return self._active if _wants(self._active, message) else None
        for subscription in (*self._ready, *self.subscriptions):
            if _wants(subscription, message):
                return subscription
        return None

    def _make_up(self, count: int) -> None:
        """So many are held no more: ask for those that were not asked for because of them."""
        more = min(self._overdrawn, count)
        if more:
            self._overdrawn -= more
            self._claim.request(more)

    # -- the end of one -----------------------------------------------------------------------------------

    def _is_over(self, message: Message) -> bool:
        return message.keeping is not None and self._dead_letters.is_over(message)

    def _bury(self, message: Message) -> None:
        """It has expired: nobody gets it."""
        instead = self._dead_letters.expired(message)
        self._engine.commit(Batch(instead, [(message, Outcome.ACCEPTED)]))

    # -- refused messages ---------------------------------------------------------------------------------

    def refuse(self, message: Message, subscription: Subscription) -> None:
        anybody, same = subscription.redelivery.wait(message.attempts + 1)
        now = self._clock.seconds()
        self._refusals.refuse(message, subscription, now + anybody, now + same, now)

    def _take_refused(self, message: Message) -> bool:
        """The engine gave us one that somebody refused: it is held until somebody may have it."""
        self._refusals.hold(message, self._clock.seconds())
        self._ask_for_another()
        self._offer_held()
        return False

    def _offer_held(self) -> None:
        """Somebody is ready, or some have been held long enough: give them in turn."""
        now = self._clock.seconds()
        ready = self._ready
        idle = 0
        while idle < len(ready):
            subscription = ready[0]
            message = self._refusals.next_for(subscription, now)
            if message is None:
                ready.rotate(-1)
                idle += 1
                continue
            over = self._is_over(message)
            uses = 0 if over or subscription is self._entering else 1
            if self._overdrawn:
                self._overdrawn -= 1
                uses -= 1  # it was asked for already
            if over:
                self._bury(message)
            else:
                idle = 0
                self._use_credit(subscription)
                if subscription.offer(message):
                    self._engine.settle(message, Outcome.ACCEPTED)
            self._claim.request(-uses)
        self._set_timer()

    def _set_timer(self) -> None:
        now = self._clock.seconds()
        time = self._refusals.next_time(now)
        timer = self._timer
        if timer is not None and timer.active():
            if time is not None and self._timer_at <= time:
                return
            timer.cancel()
        self._timer = None
        if time is not None:
            self._timer_at = time
            self._timer = self._clock.callLater(time - now, self._offer_held)

    @property
    def held(self) -> int:
        return self._refusals.held + (0 if self._groups is None else self._groups.held)

    def lingers(self) -> float:
        return self._refusals.latest() - self._clock.seconds()  # what was refused waits its time

    def close(self) -> None:
        self._claim.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        held = [*self._refusals.clear(), *([] if self._groups is None else self._groups.clear())]
        for message in sorted(held, key=lambda one: -one.position):
            self._engine.settle(message, Outcome.RELEASED)


def _wants(subscription: Subscription, message: Message) -> bool:
    return subscription.wants is None or subscription.wants(message)
