"""Retained: the last messages of a topic, for those who subscribe later."""

from __future__ import annotations

from collections.abc import Iterator

from stomp_tx.address import RETAINED, TOPIC, split, within
from stomp_tx.broker.bounds import Put
from stomp_tx.broker.deadletter import DeadLetters
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import OVERHEAD, Batch, Message
from stomp_tx.wildcards import Patterns, is_pattern

RETAIN = "retain"
"""Apollo's header on SEND: ``set`` keeps this message, ``remove`` forgets what is kept."""

MOST = 1000
"""Retained messages that one subscription gets of topics that match its pattern."""


def retained_of(topic: str) -> str:
    """The queue where what is retained of a topic is."""
    host, _, name = split(topic)
    return within(host, RETAINED + name)


class Retained:
    """Keeps copies of messages in queues of their own, by the topic's ``retain``, or the message's header."""

    def __init__(self, engine: IEngine, policies: Policies, dead_letters: DeadLetters) -> None:
        self._engine = engine
        self._policies = policies
        self._dead_letters = dead_letters

    def around(self, put: Put, address: str, policy: Policy) -> Put:
        """``put`` for a topic whose last messages are retained; for others the same one."""
        if not policy.retain or split(address)[1] != TOPIC:
            return put

        def put_and_retain(message: Message) -> Safe:
            safe: Safe = self._engine.commit(Batch(self.with_copy(message)))
            self.trim(address)
            return safe

        return put_and_retain

    def with_copy(self, message: Message) -> list[Message]:
        """A message to a topic, and the one that is retained of it."""
        copy = message.bound_for(retained_of(message.address))
        if copy.keeping is not None:
            copy.keeping = copy.keeping._replace(dedupe=None)  # that is the topic's business
        return [message, copy]

    def set(self, message: Message) -> Safe:
        """Publish it, and retain it, whatever the policy says."""
        safe: Safe = self._engine.commit(Batch(self.with_copy(message)))
        self.trim(message.address)
        return safe

    def remove(self, topic: str) -> None:
        """Forget what is retained of a topic."""
        self._engine.delete(retained_of(topic))

    def trim(self, topic: str) -> None:
        """Only the last few are kept."""
        queue, most = retained_of(topic), self._most(topic)
        while self._engine.depth(queue)[0] > most:
            oldest = self._engine.oldest(queue)
            if oldest is None:
                return  # they are on their way there
            self._engine.withdraw(oldest)

    def _most(self, topic: str) -> int:
        return max(1, self._policies.of(topic).retain)

    def for_subscriber(self, topics: str) -> list[Message]:
        """What somebody who subscribes now gets first: oldest first for each topic."""
        found: dict[str, Message] = {}
        for topic in topics.split(","):
            for one in self._topics(topic):
                for message in self._last(one):
                    found[message.id] = message
        return list(found.values())[-MOST:]

    def _topics(self, topic: str) -> Iterator[str]:
        host, _, name = split(topic)
        if not is_pattern(name):
            yield topic
            return
        pattern: Patterns[int] = Patterns()
        pattern.add(name, 1)
        for queue in self._engine.queues():
            if RETAINED in queue:
                of_host, kind, of = split(queue)
                if kind == RETAINED and of_host == host and pattern.matching(of):
                    yield within(host, TOPIC + of)

    def _last(self, topic: str) -> list[Message]:
        waiting = [one for page in self._engine.browse(retained_of(topic)) for one in page]
        return [_shown(one) for one in waiting[-self._most(topic) :] if not self._dead_letters.is_over(one)]


def _shown(message: Message) -> Message:
    """As it is shown to those who come later."""
    headers = {**message.headers, "retained": "true"}
    copy = Message(
        message.id, message.destination, message.address, headers, message.body, message.size - OVERHEAD
    )
    copy.keeping = message.keeping
    return copy
