"""Overflow: what happens when more waits in a destination than its policy lets it have."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from twisted.internet.defer import succeed

from stomp_tx.address import is_topic
from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.errors import LimitExceeded
from stomp_tx.interfaces import IEngine, Put, Safe
from stomp_tx.message import Message

AT_ONCE = 1000
"""Messages that are dropped from one queue before it is others' turn."""


class Overflow:
    """Sees to the ``length`` and ``octets`` of policies, in the way that their ``overflow`` says.

    Queues of durable subscriptions have those of their topic; who publishes to it is not refused, but waits.
    """

    def __init__(self, engine: IEngine, policies: Policies, dead_letters: DeadLetters) -> None:
        self._engine = engine
        self._policies = policies
        self._dead_letters = dead_letters
        self._trimmed: dict[str, None] = {}  # queues that may have become too long since the last sweep
        self.renew()

    def around(self, put: Put, address: str, policy: Policy) -> Put:
        """``put`` for a destination that has such limits; for others the same one."""
        if not policy.is_bounded:
            return put
        if is_topic(address):
            return put
        if policy.overflow == "pause":
            return partial(self._put_and_wait, put, address, policy)
        if policy.overflow == "reject":
            return partial(self._put_or_refuse, put, address, policy)
        return partial(self._put_and_drop, put, address, policy)

    def renew(self) -> None:
        """The policies have changed."""
        self._engine.limit(self._limits_of if self._policies.bound else None)

    def _limits_of(self, queue: str) -> tuple[int, int]:
        """What the engine is to see to."""
        topic = self._engine.bindings.get(queue)
        policy = self._policies.of(queue if topic is None else topic)
        waits = policy.overflow == "pause" or (topic is not None and not policy.drops)
        return (policy.length, policy.octets) if waits else (0, 0)

    def check(self, messages: Iterable[Message]) -> None:
        """Raises LimitExceeded when these may not all be appended together."""
        coming: dict[str, list[Message]] = {}
        for message in messages:
            coming.setdefault(message.address, []).append(message)
        for address, those in coming.items():
            policy = self._policies.of(address)
            if policy.is_bounded and not is_topic(address):
                if policy.overflow == "reject":
                    self._check(address, policy, len(those), sum(one.size for one in those))
                elif policy.overflow != "pause":
                    self._trimmed[address] = None

    def are_reached(self, messages: Iterable[Message]) -> bool:
        """Has any of the destinations where these went as much as makes its producers wait?"""
        for address in {message.address for message in messages}:
            policy = self._policies.of(address)
            pauses = policy.is_bounded and policy.overflow == "pause" and not is_topic(address)
            if pauses and self._is_over(address, policy, 0, 0):
                return True
        return False

    def sweep(self) -> None:
        """Drop what has become too much meanwhile.  Called every second or so."""
        queues, self._trimmed = self._trimmed, {}
        for queue in queues:
            self._trim(queue, self._policies.of(queue))
        for queue, topic in list(self._engine.bindings.items()):
            policy = self._policies.of(topic)
            if policy.is_bounded and policy.drops:
                self._trim(queue, policy)

    def _put_and_wait(self, put: Put, address: str, policy: Policy, message: Message) -> Safe:
        safe = put(message)
        if safe is None and self._is_over(address, policy, 0, 0):
            return succeed(None)  # ask for room, that says
        return safe

    def _put_or_refuse(self, put: Put, address: str, policy: Policy, message: Message) -> Safe:
        self._check(address, policy, 1, message.size)
        return put(message)

    def _put_and_drop(self, put: Put, address: str, policy: Policy, message: Message) -> Safe:
        safe = put(message)
        self._trim(address, policy)
        if safe is not None:
            self._trimmed[address] = None  # it is not there yet
        return safe

    def _check(self, address: str, policy: Policy, length: int, octets: int) -> None:
        if self._is_over(address, policy, length - 1, octets - 1):
            raise LimitExceeded("queue full", f"{address} is at the limit that its policy sets: send later")

    def _is_over(self, address: str, policy: Policy, length: int, octets: int) -> bool:
        """With so much more, has it reached a limit?"""
        waiting, size = self._engine.depth(address)
        return (0 < policy.length <= waiting + length) or (0 < policy.octets <= size + octets)

    def _trim(self, queue: str, policy: Policy) -> None:
        left = AT_ONCE
        while self._is_over(queue, policy, -1, -1):
            oldest = self._engine.oldest(queue)
            if oldest is None:
                return
            if left <= 0:
                self._trimmed[queue] = None
                return
            left -= 1
            letters = policy if policy.overflow == "dead-letter" else None
            instead = self._dead_letters.instead_of(oldest, "overflow", letters)
            self._engine.withdraw(oldest, () if instead is None else (instead,))
