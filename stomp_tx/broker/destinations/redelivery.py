"""Redelivery: what the consumers of a queue have refused goes to others, or after a while to them again."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.broker.destinations.demand import Demand
from stomp_tx.broker.destinations.refused_messages import RefusedMessages
from stomp_tx.broker.destinations.round_robin import RoundRobin
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.interfaces import Safe
from stomp_tx.message import Message, Outcome


class Redeliverer:
    """Holds refused messages back, and gives them to who is ready, as soon as that one may have them.

    entering -- the subscription that is ready since now, and whose credit the engine was not asked for yet
    """

    __slots__ = (
        "_clock",
        "_demand",
        "_ends_if_over",
        "_refused",
        "_round_robin",
        "_settle",
        "_timer",
        "_timer_at",
        "entering",
    )

    def __init__(
        self,
        refused: RefusedMessages,
        round_robin: RoundRobin,
        demand: Demand,
        settle: Callable[[Message, Outcome], Safe],
        ends_if_over: Callable[[Message], bool],
        clock: IReactorTime,
    ) -> None:
        """``ends_if_over``: has it expired?  Then it has been settled, and nobody gets it."""
        self._refused = refused
        self._round_robin = round_robin
        self._demand = demand
        self._settle = settle
        self._ends_if_over = ends_if_over
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0  # by the clock: a timer's own time may be the time of day
        self.entering: Subscription | None = None

    def take(self, message: Message) -> None:
        """The engine gave us one that somebody refused: it is held until somebody may have it."""
        self._refused.hold(message, self._clock.seconds())
        self._demand.hold()
        self.give()

    def give_to(self, subscription: Subscription) -> None:
        """It is ready since now: it may have what others may not."""
        if not self._refused.held:
            return
        self.entering = subscription
        try:
            self.give()
        finally:
            self.entering = None

    def give(self) -> None:
        """Somebody is ready, or some have been held long enough: give them in turn."""
        now = self._clock.seconds()
        ready = self._round_robin.ready
        idle = 0
        while idle < len(ready):
            subscription = ready[0]
            message = self._refused.next_for(subscription, now)
            if message is None:
                ready.rotate(-1)
                idle += 1
                continue
            if self._ends_if_over(message):
                self._demand.release(1)
                continue
            used = 0 if subscription is self.entering else 1
            idle = 0
            self._round_robin.use_credit(subscription)
            if subscription.offer(message):
                self._settle(message, Outcome.ACCEPTED)
            self._demand.release(1, used)
        self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        time = self._refused.next_time(now)
        timer = self._timer
        if timer is not None and timer.active():
            if time is not None and self._timer_at <= time:
                return
            timer.cancel()
        self._timer = None
        if time is not None:
            self._timer_at = time
            self._timer = self._clock.callLater(time - now, self.give)

    def stop(self) -> None:
        """Give no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
