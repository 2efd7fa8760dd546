"""Bindings: which queues keep what is published to a topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stomp_tx.account import NOBODY, Owner
from stomp_tx.address import base_of, is_bound, is_shared
from stomp_tx.engine.binding_selectors import BindingSelectors
from stomp_tx.engine.priority_lanes import to_lane
from stomp_tx.engine.topic_index import TopicIndex
from stomp_tx.errors import EngineError
from stomp_tx.message import Message


class Bindings:
    """The queues that are bound, each to a topic, to a pattern, or to several of them.

    topics -- of each queue
    selectors -- which messages each of them wants
    owners -- for whom what waits there takes memory; of those that are not here, nobody
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """``changed`` is called when ``has_bound`` has changed for a topic."""
        self.topics: dict[str, str] = {}
        self.selectors = BindingSelectors()
        self.owners: dict[str, Owner] = {}
        self._changed = changed
        self._queues: TopicIndex[str] = TopicIndex()
        self._since: dict[str, int] = {}  # the last position before each was bound

    def bind(self, queue: str, topic: str, position: int) -> bool:
        """Nothing up to that position is of it.  False: it is bound to that topic already.

        Raises EngineError when it is bound to another.
        """
        bound_to = self.topics.get(queue)
        if bound_to is not None and bound_to != topic:
            raise EngineError(f"bound to another topic: {queue} to {bound_to}")
        if bound_to is not None:
            return False
        self.topics[queue] = topic
        self._since[queue] = position
        self._change(topic, queue, self._queues.add)
        return True

    def unbind(self, queue: str) -> None:
        """It gets nothing any more."""
        topic = self.topics.pop(queue, None)
        if topic is not None:
            self.selectors.forget(queue)
            self.owners.pop(queue, None)
            del self._since[queue]
            self._change(topic, queue, self._queues.remove)

    def _change(self, topics: str, queue: str, change: Callable[[str, str], None]) -> None:
        """Who wants to know is told where that matters to ``has_bound``."""
        parts = topics.split(",")
        before = [part in self._queues for part in parts]
        for part in parts:
            change(part, queue)
        if before != [part in self._queues for part in parts]:
            self._changed()

    def has_bound(self, topic: str) -> bool:
        """Is a queue bound to this topic?  Those that are bound to patterns do not count."""
        return topic in self._queues

    def of(self, topic: str) -> tuple[str, ...]:
        """The queues that are bound to a topic, or to a pattern that matches it."""
        return self._queues.of(topic)

    def wanting(self, topic: str, message: Message | None) -> Iterable[str]:
        """Those of them that want the message; None: all of them."""
        queues = self._queues.of(topic)
        if message is None or not self.selectors.tests:
            return queues
        return self.selectors.keeping(queues, message)

    def copies(self, message: Message) -> list[Message]:
        """One for each queue that is bound to its topic, and wants it."""
        copies = []
        queues: Iterable[str] = self._queues.of(message.address)
        if self.selectors.tests:
            queues = self.selectors.keeping(queues, message)
        for queue in queues:
            copy = message.bound_for(queue)
            copy.owner = self.owners.get(queue, NOBODY)
            if is_shared(queue) and copy.keeping is not None:
                copy.keeping = copy.keeping._replace(persistent=False)  # nor does the queue outlive us
            to_lane(copy)
            copies.append(copy)
        return copies

    def is_of_the_past(self, message: Message) -> bool:
        """Is it of a bound queue that is no more, though there may be one of its name?"""
        address = base_of(message.address)
        if not is_bound(address):
            return False
        return message.position <= self._since.get(address, message.position)
