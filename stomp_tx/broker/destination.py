"""Destinations: a Queue gives each message to one subscription, a Topic lets every subscription hear it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.broker.policy import nack_delay
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.broker.subscription import Subscription
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Message, Outcome


class Destination:
    """What the two have in common: an address, and who has subscribed.

    ``stores`` says whether what was not acknowledged is kept for others.
    """

    __slots__ = ("_clock", "_settings", "address", "settle", "subscriptions")

    stores = False

    def __init__(
        self,
        address: str,
        clock: IReactorTime,
        settings: BrokerSettings,
        settle: Callable[[Message, Outcome], Safe],
    ) -> None:
        self.address = address
        self.settle = settle  # what became of a message it gave: a queue's is the engine's own
        self.subscriptions: dict[Subscription, None] = {}
        self._clock = clock
        self._settings = settings

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

    def take_credit(self, subscription: Subscription, count: int) -> None:
        """It takes so many fewer: what it had acknowledged is in flight again (ABORT)."""
        raise NotImplementedError

    def replenish(self, subscription: Subscription) -> None:
        """What it was given has been written: mode auto, whose credit nobody's ACK gives back."""
        raise NotImplementedError

    def refuse(self, message: Message, subscription: Subscription) -> None:
        """This subscription has refused it (NACK): told before it is settled as REJECTED."""
        raise NotImplementedError

    def close(self) -> None:
        """Nobody has subscribed any more."""
        raise NotImplementedError


class Queue(Destination):
    """Round-robin among the subscriptions that are ready: that have credit, and room in their connection.

    The engine is asked for as many messages as they have credit together, so each that arrives has somebody
    to go to.  What a subscription refused goes to another, or waits a while where there is no other.
    """

    __slots__ = ("_claim", "_engine", "_held", "_ready", "_refusers", "_timer")

    stores = True

    def __init__(self, address: str, engine: IEngine, clock: IReactorTime, settings: BrokerSettings) -> None:
        super().__init__(address, clock, settings, engine.settle)
        self._engine = engine
        self._ready: deque[Subscription] = deque()
        self._refusers: dict[str, Subscription | None] = {}  # message id -> who refused it last
        self._held: dict[str, tuple[Message, float]] = {}  # refused, and the time until it is
        self._timer: IDelayedCall | None = None
        self._claim = engine.consume(address, self.take)

    def take(self, message: Message) -> bool:
        """The engine's taker: give it to the next in turn."""
        if message.attempts and message.id in self._refusers:
            return self._take_refused(message)
        ready = self._ready
        if not ready:
            self._engine.settle(message, Outcome.RELEASED)  # asked for by one who left meanwhile
            return False
        subscription = ready[0]
        credit = subscription.credit = subscription.credit - 1
        if credit <= 0:
            ready.popleft()
            subscription.ready = False
            if subscription.mode == "auto":
                subscription.exhausted.append(subscription)
        elif len(ready) > 1:
            ready.rotate(-1)
        return subscription.offer(message)

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        self._enter(subscription)

    def remove(self, subscription: Subscription) -> None:
        self._leave(subscription)
        self.subscriptions.pop(subscription, None)
        for message_id, refuser in self._refusers.items():
            if refuser is subscription:
                self._refusers[message_id] = None

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

    def replenish(self, subscription: Subscription) -> None:
        self.give_credit(subscription, subscription.prefetch - subscription.credit)

    def _enter(self, subscription: Subscription) -> None:
        """It can be given messages, if it is one of ours and was not ready before."""
        if (
            subscription.ready
            or subscription.paused
            or subscription.credit <= 0
            or subscription not in self.subscriptions
        ):
            return
        subscription.ready = True
        self._ready.append(subscription)
        if self._held:
            self._offer_held(entering=subscription)
        if subscription.ready:
            self._claim.request(subscription.credit)

    def _leave(self, subscription: Subscription) -> None:
        if subscription.ready:
            subscription.ready = False
            self._ready.remove(subscription)
            self._claim.request(-subscription.credit)

    # -- refused messages ---------------------------------------------------------------------------------

    def refuse(self, message: Message, subscription: Subscription) -> None:
        self._refusers[message.id] = subscription

    def _take_refused(self, message: Message) -> bool:
        """The engine gave us one that somebody refused: to another, or it is held for a while."""
        if self._pass_on(message, self._refusers[message.id]) is None:
            due = self._clock.seconds() + nack_delay(message.attempts, self._settings)
            self._held[message.id] = message, due
            self._claim.request(1)  # nobody's credit was used
            self._set_timer()
        return False

    def _pass_on(self, message: Message, refuser: Subscription | None) -> Subscription | None:
        """Give it to the first who is ready and did not refuse it; None: there is nobody."""
        ready = self._ready
        for subscription in ready:
            if subscription is not refuser:
                del self._refusers[message.id]
                subscription.credit -= 1
                ready.remove(subscription)
                if subscription.credit > 0:
                    ready.append(subscription)
                else:
                    subscription.ready = False
                    if subscription.mode == "auto":
                        subscription.exhausted.append(subscription)
                if subscription.offer(message):
                    self._engine.settle(message, Outcome.ACCEPTED)
                return subscription
        return None

    def _offer_held(self, entering: Subscription | None = None) -> None:
        """Somebody is ready, or some have been held long enough.

        ``entering`` is ready, but its credit has not been asked of the engine yet.
        """
        now = self._clock.seconds()
        for message, due in sorted(self._held.values(), key=lambda pair: pair[0].position):
            refuser = self._refusers[message.id] if due > now else None
            taker = self._pass_on(message, refuser)
            if taker is not None:
                del self._held[message.id]
                if taker is not entering:
                    self._claim.request(-1)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        now = self._clock.seconds()
        # Those that are due wait for nothing but somebody who is ready.
        due = min((due for _, due in self._held.values() if due > now), default=None)
        if due is not None:
            self._timer = self._clock.callLater(due - now, self._offer_held)

    def close(self) -> None:
        self._claim.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        held, self._held = self._held, {}
        for message, _ in sorted(held.values(), key=lambda pair: -pair[0].position):
            self._engine.settle(message, Outcome.RELEASED)


class Topic(Destination):
    """Everyone who has subscribed hears each message; what was sent before is not heard.

    A subscription that can't be given more (its connection is full, or it has no credit) has a backlog; when
    that is full it loses the oldest, or its connection ends, as the settings say.
    """

    __slots__ = ("_dropped", "_everyone", "_stop", "_too_slow")

    def __init__(
        self,
        address: str,
        engine: IEngine,
        clock: IReactorTime,
        settings: BrokerSettings,
        dropped: Callable[[Subscription, Message], None],
        too_slow: Callable[[Subscription], None],
    ) -> None:
        # Nobody else waits for what one subscriber of a topic does not take.
        super().__init__(address, clock, settings, lambda message, outcome: None)
        self._everyone: tuple[Subscription, ...] = ()
        self._dropped = dropped
        self._too_slow = too_slow
        self._stop = engine.listen(address, self.heard)

    def heard(self, message: Message) -> None:
        """The engine's listener."""
        for subscription in self._everyone:
            if subscription.backlog is not None:
                self._keep(subscription, message)
            elif not subscription.offer(message):
                subscription.credit -= 1
                if subscription.credit <= 0:
                    subscription.backlog = deque()

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        self._everyone = tuple(self.subscriptions)
        if subscription.paused:
            subscription.backlog = deque()

    def remove(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription, None)
        self._everyone = tuple(self.subscriptions)
        subscription.backlog = None

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

    def replenish(self, subscription: Subscription) -> None:
        self._drain(subscription)

    def refuse(self, message: Message, subscription: Subscription) -> None:
        if subscription not in self.subscriptions:
            return  # it ended between a NACK in a transaction and COMMIT
        # Its credit is given back for the NACK, and is taken again until the message has been given again.
        self.take_credit(subscription, 1)
        again = message.again()
        self._clock.callLater(
            nack_delay(again.attempts, self._settings), self._give_again, again, subscription
        )

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
        for _ in range(subscription.prefetch):
            if not backlog or subscription.paused or subscription.credit <= 0:
                break
            message = backlog.popleft()
            subscription.backlog_octets -= message.size
            if not subscription.offer(message):
                subscription.credit -= 1
        if not backlog and not subscription.paused and subscription.credit > 0:
            subscription.backlog = None
        elif backlog and subscription.mode == "auto" and not subscription.paused:
            subscription.exhausted.append(subscription)  # go on when this much has been written

    def close(self) -> None:
        self._stop()
