"""Destinations: a Queue gives each message to one subscription, a Topic lets every subscription hear it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.broker.deadletter import REASON, DeadLetters
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.refusals import Refusals
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.broker.subscription import Subscription
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Batch, Message, Outcome

HELD = 10_000
"""Refused messages that one queue holds back at a time; others wait behind them then."""


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

    def conclude(self, message: Message, subscription: Subscription, outcome: Outcome, batch: Batch) -> None:
        """What becomes of a message that was acknowledged or refused, put into a batch."""
        if outcome is Outcome.REJECTED:
            outcome = self._next_try(message, subscription, batch)
        elif outcome is Outcome.ENDED:
            self._end(message, "rejected", self.policy, batch)
        if self.stores:
            batch.settled.append((message, Outcome.ACCEPTED if outcome is Outcome.ENDED else outcome))

    def give_back(self, message: Message, subscription: Subscription, batch: Batch) -> None:
        """What becomes of a message whose subscription has ended, put into a batch."""
        if not self.stores:
            return  # nobody else waits for it
        outcome = Outcome.REJECTED
        if self._was_the_last_try(message, self.policy.attempts_lost):
            outcome = Outcome.ACCEPTED
            self._end(message, "attempts", self.policy, batch)
        batch.settled.append((message, outcome))

    def _next_try(self, message: Message, subscription: Subscription, batch: Batch) -> Outcome:
        if self.policy.nack != "redeliver" and REASON not in message.headers:
            self._end(message, "rejected", self.policy if self.policy.nack == "dead-letter" else None, batch)
            return Outcome.ENDED
        if self._was_the_last_try(message, subscription.redelivery.attempts):
            self._end(message, "attempts", self.policy, batch)
            return Outcome.ENDED
        self.refuse(message, subscription)
        return Outcome.REJECTED

    def _was_the_last_try(self, message: Message, attempts: int) -> bool:
        # A dead letter has nowhere to go.
        return 0 < attempts <= message.attempts + 1 and REASON not in message.headers

    def _end(self, message: Message, reason: str, policy: Policy | None, batch: Batch) -> None:
        instead = self._dead_letters.instead_of(message, reason, policy)
        if instead is not None:
            batch.appended.append(instead)

    def lingers(self) -> float:
        """For how many seconds it stays when nobody has subscribed any more."""
        return 0.0

    def close(self) -> None:
        """Nobody has subscribed any more."""
        raise NotImplementedError


class Queue(Destination):
    """Round-robin among the subscriptions that are ready: that have credit, and room in their connection.

    The engine is asked for as many messages as they have credit together, so each that arrives has somebody
    to go to.  What a subscription refused goes to another, or waits a while where there is no other.
    """

    __slots__ = ("_claim", "_engine", "_overdrawn", "_ready", "_refusals", "_timer")

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
        self._ready: deque[Subscription] = deque()
        self._refusals = Refusals()
        self._overdrawn = 0  # of the refused that are held, those for which no other message was asked
        self._timer: IDelayedCall | None = None
        self._claim = engine.consume(address, self.take)

    def take(self, message: Message) -> bool:
        """The engine's taker: give it to the next in turn."""
        keeping = message.keeping
        if keeping is not None and keeping.expires and self._dead_letters.is_over(message):
            self._refusals.discard(message.id)
            self._bury(message)
            self._claim.request(1)  # nobody's credit was used
            return False
        if message.attempts and message.id in self._refusals:
            return self._take_refused(message)
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
            if subscription.mode == "auto":
                subscription.exhausted.append(subscription)
        elif len(ready) > 1:
            ready.rotate(-1)

    def add(self, subscription: Subscription) -> None:
        subscription.destination = self
        self.subscriptions[subscription] = None
        self._enter(subscription)

    def remove(self, subscription: Subscription) -> None:
        self._leave(subscription)
        self.subscriptions.pop(subscription, None)
        self._refusals.forget(subscription)

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
        if self._refusals.held:
            self._offer_held(entering=subscription)
        if subscription.ready:
            self._claim.request(subscription.credit)

    def _leave(self, subscription: Subscription) -> None:
        if subscription.ready:
            subscription.ready = False
            self._ready.remove(subscription)
            self._claim.request(-subscription.credit)

    def _is_over(self, message: Message) -> bool:
        return message.keeping is not None and self._dead_letters.is_over(message)

    def _bury(self, message: Message) -> None:
        """It has expired: nobody gets it."""
        instead = self._dead_letters.expired(message)
        self._engine.commit(Batch([] if instead is None else [instead], [(message, Outcome.ACCEPTED)]))

    # -- refused messages ---------------------------------------------------------------------------------

    def refuse(self, message: Message, subscription: Subscription) -> None:
        anybody, same = subscription.redelivery.wait(message.attempts + 1)
        now = self._clock.seconds()
        self._refusals.refuse(message, subscription, now + anybody, now + same, now)

    def _take_refused(self, message: Message) -> bool:
        """The engine gave us one that somebody refused: it is held until somebody may have it."""
        self._refusals.hold(message, self._clock.seconds())
        if self._refusals.held > HELD:
            self._overdrawn += 1
        else:
            self._claim.request(1)  # nobody's credit was used
        self._offer_held()
        return False

    def _offer_held(self, entering: Subscription | None = None) -> None:
        """Somebody is ready, or some have been held long enough: give them in turn.

        ``entering`` is ready, but its credit has not been asked of the engine yet.
        """
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
            uses = 0 if over or subscription is entering else 1
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
            if time is not None and timer.getTime() <= time:
                return
            timer.cancel()
        self._timer = None
        if time is not None:
            self._timer = self._clock.callLater(time - now, self._offer_held)

    def lingers(self) -> float:
        return self._refusals.latest() - self._clock.seconds()  # what was refused waits its time

    def close(self) -> None:
        self._claim.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for message in self._refusals.clear():
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
        policy: Policy,
        dead_letters: DeadLetters,
        dropped: Callable[[Subscription, Message], None],
        too_slow: Callable[[Subscription], None],
    ) -> None:
        # Nobody else waits for what one subscriber of a topic does not take.
        super().__init__(address, clock, settings, policy, dead_letters, lambda message, outcome: None)
        self._everyone: tuple[Subscription, ...] = ()
        self._dropped = dropped
        self._too_slow = too_slow
        self._stop = engine.listen(address, self.heard)

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
        self._stop()
