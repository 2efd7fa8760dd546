"""Destinations: what a Queue (queue.py) and a Topic have in common, and the Topic."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.message_headers import REASON
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Batch, Message, Outcome


class Destination:
    """What the two have in common: an address, a policy, and who has subscribed.

    ``stores`` says whether what was not acknowledged is kept for others.
    """

    __slots__ = ("_clock", "_dead_letters", "_settings", "address", "policy", "settle", "subscriptions")

    stores = False

    def __init__(
        self,
        address: str,
        clock: IReactorTime,
        settings: BrokerSettings,
        policy: Policy,
        dead_letters: DeadLetters,
        settle: Callable[[Message, Outcome], Safe],
    ) -> None:
        self.address = address
        self.policy = policy
        self._dead_letters = dead_letters
        self.settle = settle  # what became of a message it gave: a queue's is the engine's own
        self.subscriptions: dict[Subscription, None] = {}
        self._clock = clock
        self._settings = settings

    def reads(self, address: str) -> bool:
        """Do its subscriptions get what is sent to this address?"""
        return self.address == address

    def add(self, subscription: Subscription) -> None:
        """Give it messages from now on."""
        raise NotImplementedError

    def remove(self, subscription: Subscription) -> None:
        """Give it no more; what it holds is its session's to give back."""
        raise NotImplementedError

    def pause(self, subscription: Subscription) -> None:
        """Its connection has as much to send as it takes."""
        raise NotImplementedError

    def resume(self, subscription: Subscription) -> None:
        """Its connection has room again."""
        raise NotImplementedError

    def give_credit(self, subscription: Subscription, count: int) -> None:
        """It takes so many more."""
        raise NotImplementedError

    def top_up(self, subscription: Subscription) -> None:
        """It has been given one message, and its credit stays as it is."""
        raise NotImplementedError

    def take_credit(self, subscription: Subscription, count: int) -> None:
        """It takes so many fewer: what it had acknowledged is in flight again (ABORT)."""
        raise NotImplementedError

    def replenish(self, subscription: Subscription) -> None:
        """What it was given has been written: mode auto, whose credit nobody's ACK gives back."""
        raise NotImplementedError

    def refuse(self, message: Message, subscription: Subscription) -> None:
        """This subscription has refused it (NACK): told before it is settled as REJECTED."""
        raise NotImplementedError

    def conclude(self, message: Message, subscription: Subscription, outcome: Outcome, batch: Batch) -> None:
        """What becomes of a message that was acknowledged or refused, put into a batch."""
        if outcome is Outcome.REJECTED:
            outcome = self._next_try(message, subscription, batch)
        elif outcome is Outcome.ENDED:
            self._end(message, "rejected", self.policy, subscription, batch)
        if self.stores:
            batch.settled.append((message, Outcome.ACCEPTED if outcome is Outcome.ENDED else outcome))

    def give_back(self, message: Message, subscription: Subscription, batch: Batch) -> None:
        """What becomes of a message whose subscription has ended, put into a batch."""
        if not self.stores:
            return  # nobody else waits for it
        outcome = Outcome.REJECTED
        if self._was_the_last_try(message, self.policy.attempts_lost):
            outcome = Outcome.ACCEPTED
            self._end(message, "attempts", self.policy, subscription, batch)
        batch.settled.append((message, outcome))

    def _next_try(self, message: Message, subscription: Subscription, batch: Batch) -> Outcome:
        nack = self.policy.nack
        if nack is None:
            nack = "redeliver" if subscription.redelivery.is_asked_for else subscription.dialect.nack
        if nack != "redeliver" and REASON not in message.headers:
            policy = self.policy if nack == "dead-letter" else None
            self._end(message, "rejected", policy, subscription, batch)
            return Outcome.ENDED
        if self._was_the_last_try(message, subscription.redelivery.attempts):
            self._end(message, "attempts", self.policy, subscription, batch)
            return Outcome.ENDED
        self.refuse(message, subscription)
        return Outcome.REJECTED

    def _was_the_last_try(self, message: Message, attempts: int) -> bool:
        # A dead letter has nowhere to go.
        return 0 < attempts <= message.attempts + 1 and REASON not in message.headers

    def _end(
        self, message: Message, reason: str, policy: Policy | None, by: Subscription, batch: Batch
    ) -> None:
        instead = self._dead_letters.instead_of(message, reason, policy, by.dialect)
        if instead is not None:
            batch.appended.append(instead)

    @property
    def held(self) -> int:
        """How many messages it holds back, that nobody can be given yet."""
        return 0

    def lingers(self) -> float:
        """For how many seconds it stays when nobody has subscribed any more."""
        return 0.0

    def close(self) -> None:
        """Nobody has subscribed any more."""
        raise NotImplementedError


class Topic(Destination):
    """Everyone who has subscribed hears each message; what was sent before is not heard.

    A subscription that can't be given more (its connection is full, or it has no credit) has a backlog; when
    that is full it loses the oldest, or its connection ends, as the settings say.
    """

    __slots__ = ("_choosers", "_dropped", "_everyone", "_retained", "_stops", "_too_slow")

    def __init__(
        self,
        address: str,
        engine: IEngine,
        clock: IReactorTime,
        settings: BrokerSettings,
        policy: Policy,
        dead_letters: DeadLetters,
        dropped: Callable[[Subscription, Message], None],
        too_slow: Callable[[Subscription], None],
        retained: Callable[[str], list[Message]],
    ) -> None:
        """
        address -- of the topic, or several with commas between, or patterns of them
        dropped, too_slow -- see SubscriptionRegistry
        retained -- gives what is retained of such an address
        """
        # Nobody else waits for what one subscriber of a topic does not take.
        super().__init__(address, clock, settings, policy, dead_letters, lambda message, outcome: None)
        self._everyone: tuple[Subscription, ...] = ()  # but for those who want some messages only
        self._choosers: tuple[Subscription, ...] = ()  # those
        self._dropped = dropped
        self._too_slow = too_slow
        self._retained = retained
        self._stops = [engine.listen(part, self.heard) for part in address.split(",")]

    def heard(self, message: Message) -> None:
        """The engine's listener."""
        if message.keeping is not None and self._dead_letters.is_over(message):
            return  # its transaction took too long
        for subscription in self._everyone:
            if subscription.backlog is not None:
                self._keep(subscription, message)
            elif not subscription.offer(message):
                subscription.credit -= 1
                if subscription.credit <= 0:
                    subscription.backlog = deque()
        if self._choosers:
            self._choose(message)

    def _choose(self, message: Message) -> None:
        """The same for those who want some messages only."""
        for subscription in self._choosers:
            if subscription.wants is not None and subscription.wants(message):
                self._hear(subscription, message)

    def _hear(self, subscription: Subscription, message: Message) -> None:
        if subscription.backlog is not None:
            self._keep(subscription, message)
        elif not subscription.offer(message):
            subscription.credit -= 1
            if subscription.credit <= 0:
                subscription.backlog = deque()

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        self._group()
        if subscription.paused:
            subscription.backlog = deque()
        if subscription.wants_retained:
            for message in self._retained(self.address):
                if subscription.wants is None or subscription.wants(message):
                    self._hear(subscription, message)

    def remove(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription, None)
        self._group()
        subscription.backlog = None

    def _group(self) -> None:
        self._everyone = tuple(one for one in self.subscriptions if one.wants is None)
        self._choosers = tuple(one for one in self.subscriptions if one.wants is not None)

    def pause(self, subscription: Subscription) -> None:
        if subscription.backlog is None:
            subscription.backlog = deque()

    def resume(self, subscription: Subscription) -> None:
        self._drain(subscription)

    def give_credit(self, subscription: Subscription, count: int) -> None:
        subscription.credit += count
        if subscription.backlog is not None:
            self._drain(subscription)

    def take_credit(self, subscription: Subscription, count: int) -> None:
        subscription.credit -= count
        if subscription.credit <= 0 and subscription.backlog is None:
            subscription.backlog = deque()

    def top_up(self, subscription: Subscription) -> None:
        if subscription.mode != "auto":
            subscription.credit += 1  # and one fewer when this has returned

    def replenish(self, subscription: Subscription) -> None:
        self._drain(subscription)

    def refuse(self, message: Message, subscription: Subscription) -> None:
        if subscription not in self.subscriptions:
            return  # it ended between a NACK in a transaction and COMMIT
        # Its credit is given back for the NACK, and is taken again until the message has been given again.
        self.take_credit(subscription, 1)
        again = message.again()
        _, same = subscription.redelivery.wait(again.attempts)
        self._clock.callLater(same, self._give_again, again, subscription)

    def _give_again(self, message: Message, subscription: Subscription) -> None:
        if subscription not in self.subscriptions:
            return
        subscription.credit += 1
        if subscription.backlog is None:
            subscription.backlog = deque()
        subscription.backlog.appendleft(message)
        subscription.backlog_octets += message.size
        self._drain(subscription)

    def _keep(self, subscription: Subscription, message: Message) -> None:
        backlog = subscription.backlog
        assert backlog is not None
        settings = self._settings
        backlog.append(message)
        subscription.backlog_octets += message.size
        while len(backlog) > settings.topic_backlog or (
            subscription.backlog_octets > settings.topic_backlog_octets and len(backlog) > 1
        ):
            if settings.slow_topic == "disconnect":
                self._too_slow(subscription)
                return
            oldest = backlog.popleft()
            subscription.backlog_octets -= oldest.size
            self._dropped(subscription, oldest)

    def _drain(self, subscription: Subscription) -> None:
        """Give it what waits, as far as it can be given now."""
        backlog = subscription.backlog
        if backlog is None:
            return
        given = 0
        while backlog and given < subscription.prefetch and subscription.credit > 0:
            if subscription.paused:
                break
            message = backlog.popleft()
            subscription.backlog_octets -= message.size
            if message.keeping is not None and self._dead_letters.is_over(message):
                continue
            given += 1
            if not subscription.offer(message):
                subscription.credit -= 1
        if not backlog and not subscription.paused and subscription.credit > 0:
            subscription.backlog = None
        elif backlog and subscription.mode == "auto" and not subscription.paused:
            subscription.exhausted.append(subscription)  # go on when this much has been written

    def close(self) -> None:
        for stop in self._stops:
            stop()
