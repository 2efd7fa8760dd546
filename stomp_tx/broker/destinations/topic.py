"""Topic: a destination that gives each message to everyone who has subscribed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.destination import Destination, not_kept
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.interfaces import IEngine
from stomp_tx.message import Message


class _Unsorted(Subscription):
    """Stands for all of a topic's subscriptions while some have come or gone since the last message.

    So each of them costs the same, however many there are, and usual messages cost nothing for it.
    """

    __slots__ = ("_hear",)

    def __init__(self, hear: Callable[[Message], None]) -> None:
        self.backlog = None
        self._hear = hear

    def offer(self, message: Message) -> bool:
        self._hear(message)
        return True


class Topic(Destination):
    """Everyone who has subscribed hears each message; what was sent before is not heard.

    A subscription that can't be given more (its connection is full, or it has no credit) has a backlog; when
    that is full it loses the oldest, or its connection ends, as the settings say.
    """

    __slots__ = ("_dropped", "_everyone", "_retained", "_selecting", "_stops", "_too_slow", "_unsorted")

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
        super().__init__(address, clock, settings, policy, dead_letters, not_kept)
        self._unsorted: tuple[Subscription, ...] = (_Unsorted(self._sort_and_hear),)
        self._everyone: tuple[Subscription, ...] = ()  # but for those who want some messages only
        self._selecting: tuple[Subscription, ...] = ()  # those
        self._dropped = dropped
        self._too_slow = too_slow
        self._retained = retained
        self._stops = [engine.listen(part, self.heard) for part in address.split(",")]

    def heard(self, message: Message) -> None:
        """What the engine calls with each message."""
        if message.keeping is not None and self._dead_letters.is_over(message):
            return  # its transaction took too long
        for subscription in self._everyone:
            if subscription.backlog is not None:
                self._keep(subscription, message)
            elif not subscription.offer(message):
                subscription.credit -= 1
                if subscription.credit <= 0:
                    subscription.backlog = deque()
        if self._selecting:
            self._hear_if_wanted(message)

    def _hear_if_wanted(self, message: Message) -> None:
        """The same for those who want some messages only."""
        for subscription in self._selecting:
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
        self._everyone = self._unsorted
        if subscription.paused:
            subscription.backlog = deque()
        if subscription.wants_retained:
            for message in self._retained(self.address):
                if subscription.accepts(message):
                    self._hear(subscription, message)

    def remove(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription, None)
        self._everyone = self._unsorted
        subscription.backlog = None

    def _sort_and_hear(self, message: Message) -> None:
        """Find out who is there now; those who want all messages hear this one, the others are next."""
        self._everyone = tuple(one for one in self.subscriptions if one.wants is None)
        self._selecting = tuple(one for one in self.subscriptions if one.wants is not None)
        for subscription in self._everyone:
            self._hear(subscription, message)

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
