"""Retained: the last messages of a topic, for those who subscribe later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from stomp_tx.address import RETAINED, TOPIC, split, within
from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.interfaces import IEngine, Put, Safe
from stomp_tx.message import OVERHEAD, Batch, Message
from stomp_tx.wildcards import Patterns, is_pattern

RETAIN = "retain"
"""Apollo's header on SEND: ``set`` keeps this message, ``remove`` forgets what is kept."""

AT_ONCE = 1000
"""Messages that are forgotten of one topic before it is others' turn."""

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
        self._untrimmed: dict[str, None] = {}  # topics of which too many may be kept

    def around(self, put: Put, address: str, policy: Policy) -> Put:
        """``put`` for a topic whose last messages are retained; for others the same one."""
        if not policy.retain or split(address)[1] != TOPIC:
            return put
        return partial(self._put_and_retain, address)

    def _put_and_retain(self, address: str, message: Message) -> Safe:
        safe: Safe = self._engine.commit(Batch(self.with_copy(message)))
        self.trim(address)
        return safe

    def of_word(self, word: str) -> Put | None:
        """How a message to a topic is put that says this in ``RETAIN``; None: as others, it says nothing."""
        return {"set": self.set, "remove": self.remove}.get(word)

    def appended(self, message: Message, policy: Policy) -> list[Message]:
        """What is appended for a message to one destination with that policy."""
        word = message.headers.get(RETAIN)
        retains = word == "set" or (policy.retain and word != "remove")
        if not retains or split(message.address)[1] != TOPIC:
            return [message]
        self._untrimmed[message.address] = None
        return self.with_copy(message)

    def emptied_by(self, message: Message) -> list[str]:
        """The queues that are emptied when a message is published: those of its topics, where it says so."""
        if message.headers.get(RETAIN) != "remove":
            return []
        return [retained_of(one) for one in message.address.split(",") if split(one)[1] == TOPIC]

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

    def remove(self, message: Message) -> Safe:
        """Publish it, and forget what is retained of its topic, all or nothing."""
        safe: Safe = self._engine.commit(Batch([message], emptied=self.emptied_by(message)))
        return safe

    def were_appended(self, addresses: Iterable[str]) -> None:
        """Messages were appended to these: some may be what is retained of a topic."""
        for address in addresses:
            if RETAINED in address:
                host, kind, name = split(address)
                if kind == RETAINED:
                    self.trim(within(host, TOPIC + name))

    def trim(self, topic: str) -> None:
        """Only the last few are kept."""
        queue, most = retained_of(topic), self._most(topic)
        left = AT_ONCE
        while self._engine.depth(queue)[0] > most:
            oldest = self._engine.oldest(queue)
            if oldest is None or left <= 0:
                self._untrimmed[topic] = None  # they are on their way there; or it is others' turn
                return
            left -= 1
            self._engine.withdraw(oldest)

    def sweep(self) -> None:
        """Trim what could not be, or has come by itself.  Called every second or so."""
        topics, self._untrimmed = self._untrimmed, {}
        for topic in topics:
            self.trim(topic)

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
