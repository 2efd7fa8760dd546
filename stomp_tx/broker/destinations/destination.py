"""Destination: what queues, topics and the other places to subscribe to have in common."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.subscription import Source, Subscription
from stomp_tx.broker.message_headers import REASON
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.interfaces import Safe
from stomp_tx.message import Batch, Message, Outcome
from stomp_tx.printable import printable


class Destination(Source):
    """An address, a policy, and who has subscribed."""

    __slots__ = ("_clock", "_dead_letters", "_settings", "policy", "subscriptions")

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {printable(self.address)}, subscriptions: {len(self.subscriptions)}>"

    def add(self, subscription: Subscription) -> None:
        """Give it messages from now on."""
        raise NotImplementedError

    def refuse(self, message: Message, subscription: Subscription) -> None:
        """This subscription has refused it (NACK): told before it is settled as REJECTED."""
        raise NotImplementedError

    def conclude(self, message: Message, subscription: Subscription, outcome: Outcome, batch: Batch) -> None:
        if outcome is Outcome.REJECTED:
            outcome = self._next_try(message, subscription, batch)
        elif outcome is Outcome.ENDED:
            self._end(message, "rejected", self.policy, subscription, batch)
        if self.stores:
            batch.settled.append((message, Outcome.ACCEPTED if outcome is Outcome.ENDED else outcome))

    def give_back(self, message: Message, subscription: Subscription, batch: Batch) -> None:
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

    def lingers(self) -> float:
        """For how many seconds it stays when nobody has subscribed any more."""
        return 0.0

    def close(self) -> None:
        """Nobody has subscribed any more."""
        raise NotImplementedError


def not_kept(message: Message, outcome: Outcome) -> Safe:
    """How a destination settles that keeps nothing for others: there is nothing to be done."""
    return None
