"""MemoryEngine: messages in this process's memory, gone when it ends.  The reference of IEngine's promise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import classImplements

from stomp_tx.address import is_topic
from stomp_tx.engine.bindings import Bindings
from stomp_tx.engine.dedupe import DedupeNames
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.memory.lane import MemoryLane
from stomp_tx.engine.priority_lanes import to_lane
from stomp_tx.engine.queue import Queue
from stomp_tx.engine.queues import Queues
from stomp_tx.engine.room import Room
from stomp_tx.engine.topic_index import TopicIndex
from stomp_tx.interfaces import IClaim, IEngine, Judge, Safe, Test
from stomp_tx.message import Batch, Message, Outcome


class MemoryEngine:
    """Keeps messages in memory.

    "Safe" means no more than "in this process": ``append`` and the others are done when they return.  Where
    a Deferred comes from ``append``, the queue is over its limits: ask ``room``.
    """

    def __init__(
        self, limits: EngineLimits | None = None, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """``seconds`` only go forward: by them the names of messages are forgotten."""
        self.limits = limits = limits or EngineLimits()
        self.last_position = 0
        self.made: Callable[[str], None] | None = None
        self.has_bound_changed: Callable[[], None] | None = None
        self.damaged: Callable[[str, int, str], None] | None = None
        self._room = Room(limits, self._queue_of)
        self._topics: TopicIndex[Callable[[Message], None]] = TopicIndex()
        self._bindings = Bindings(self._tell_bound)
        self.bindings = self._bindings.topics
        self.owners = self._bindings.owners
        self.selectors = self._bindings.selectors.texts
        self.unsifted = self._bindings.selectors.unsifted
        self._dedupe = DedupeNames(limits, seconds)
        self._queues: Queues[MemoryLane] = Queues(
            self._room, self._bindings, self._make_lane, self._tell_made, self.withdraw
        )
        self._lanes = self._queues.lanes
        # From these on a queue may be full.
        self._length = limits.queue_length
        self._queue_octets = limits.queue_octets
        self._total_octets = limits.total_octets

    def check(self) -> None:
        """There is nothing that it needs."""

    def start(self) -> Deferred[None] | None:
        return None

    def stop(self) -> Deferred[None] | None:
        self._lanes.clear()
        self._topics = TopicIndex()
        return None

    @property
    def octets(self) -> int:
        """Of all messages that are in memory, those handed out and not settled among them."""
        return self._room.octets

    # -- what the parts ask and tell ----------------------------------------------------------------------

    def _make_lane(
        self, name: str, priority: int, queue: Queue[Any], will_expire: dict[str, None]
    ) -> MemoryLane:
        return MemoryLane(name, priority, queue, will_expire, self._room)

    def _queue_of(self, name: str) -> Queue[MemoryLane] | None:
        return self._queues.queue(name)

    def _tell_made(self, queue: str) -> None:
        if self.made is not None:
            self.made(queue)

    def _tell_bound(self) -> None:
        if self.has_bound_changed is not None:
            self.has_bound_changed()

    # -- queues -------------------------------------------------------------------------------------------

    def append(self, message: Message) -> Safe:
        if message.keeping is not None:
            return self._append_kept(message)
        lane = self._lanes.get(message.address)
        if lane is None:
            lane = self._queues.add(message.address)
        self.last_position = message.position = self.last_position + 1
        queue, messages = lane.queue, lane.waiting.messages
        if queue.demand > 0 and not messages:
            queue.demand -= 1
            if not queue.taker(message):  # type: ignore[misc]  # there is one: it asked
                self._room.octets += message.size
                message.owner.octets += message.size
            return None
        waiting = lane.waiting
        messages.append(message)
        octets = waiting.octets = waiting.octets + message.size
        total = self._room.octets = self._room.octets + message.size
        message.owner.octets += message.size
        if len(messages) >= self._length or octets >= self._queue_octets or total >= self._total_octets:
            queue.notice((message,))
            return succeed(None)  # what is full is found out by ``is_full``
        if queue.noticed is not None:
            queue.noticed((message,))
        return None

    def _append_kept(self, message: Message) -> Safe:
        """The same for a message that asks for some keeping."""
        if not self._dedupe.takes(message):
            return None
        to_lane(message)
        return self._append_first(message)

    def _append_first(self, message: Message) -> Safe:
        """The first of its name."""
        lane = self._lanes.get(message.address) or self._queues.add(message.address)
        self.last_position = message.position = self.last_position + 1
        self._queues.arrive(lane, message)
        return succeed(None) if self._room.is_full(lane.queue) else None

    def settle(self, message: Message, outcome: Outcome) -> Safe:
        if outcome is Outcome.ACCEPTED:
            self._room.octets -= message.size
            message.owner.octets -= message.size
            if self._room.lines:
                self._room.wake(message.address)
            return None
        self._queues.put_back(message, outcome).after_put_back()
        return None

    def commit(self, batch: Batch) -> Safe:
        if batch.withdrawn:
            batch = self._queues.with_those_taken_out(batch)
        self._queues.settle_all(batch.settled)
        for name in batch.emptied:
            self._queues.empty(name)
        full = None
        for message in batch.appended:
            safe = self.publish(message) if is_topic(message.address) else self.append(message)
            full = full or safe
        self._queues.wake_for(batch)
        return full

    def consume(self, queue: str, taker: Callable[[Message], bool]) -> IClaim:
        return self._queues.consume(queue, taker)

    def queues(self) -> Sequence[str]:
        return self._queues.names()

    def browse(self, queue: str, after: int = 0) -> Iterator[list[Message]]:
        return self._queues.browse(queue, after)

    def oldest(self, queue: str) -> Message | None:
        return self._queues.oldest(queue)

    def withdraw(self, message: Message, instead: Sequence[Message] = ()) -> Safe:
        taken = self._queues.take_out(message)
        if taken is None:
            return None
        lane, found = taken
        safe = self.commit(Batch(list(instead), [(found, Outcome.ACCEPTED)]))
        self._queues.forget_if_idle(lane)
        return safe

    def delete(self, queue: str) -> Safe:
        self._queues.purge(queue)
        return None

    def depth(self, queue: str) -> tuple[int, int]:
        return self._queues.depth(queue)

    def expire(self, now: int, judge: Judge) -> bool:
        self._dedupe.tidy()
        there_is_more = self._queues.expire(now, lambda over: self._bury(over, judge))
        return self._room.wake_some() or there_is_more

    def _bury(self, over: list[Message], judge: Judge) -> None:
        for message in over:
            # (When it fails the message is back where it was, and expires again.)
            self.commit(Batch(list(judge(message)), [(message, Outcome.ACCEPTED)]))

    def next_expiry(self, queue: str) -> int:
        return self._queues.next_expiry(queue)

    # -- room ---------------------------------------------------------------------------------------------

    def limit(self, limits_of: Callable[[str], tuple[int, int]] | None) -> None:
        self._room.limits_of = limits_of
        self._queues.forget_limits()
        self._room.wake_some()

    @property
    def full(self) -> Mapping[str, object]:
        return self._room.lines

    def notice(self, octets: int) -> None:
        self._room.notice(octets)
        self._total_octets = min(self.limits.total_octets, octets)

    @property
    def is_short(self) -> bool:
        return self._room.is_short

    def is_full(self, queue: str, message: Message | None = None) -> bool:
        if self._room.is_roomy:
            return False
        return self._room.find_full(self._where(queue, message))

    def is_full_itself(self, queue: str, message: Message | None = None) -> bool:
        return self._room.find_full_itself(self._where(queue, message))

    def room(self, queue: str, message: Message, is_next: bool = False) -> Deferred[None] | None:
        return self._room.wait(self._where(queue, message), message.owner, is_next)

    def _where(self, address: str, message: Message | None) -> Iterable[str]:
        """The queues in which a message to that address is kept; None: any message."""
        return self._bindings.wanting(address, message) if is_topic(address) else (address,)

    def caught_up(self) -> Deferred[None] | None:
        return None

    # -- topics -------------------------------------------------------------------------------------------

    def publish(self, message: Message) -> Safe:
        if message.keeping is not None or self.bindings:
            return self._publish_kept(message)
        topics, topic = self._topics, message.address
        for heard in topics.known.get(topic) or (topics.of(topic) if topics.has_patterns else ()):
            heard(message)
        return None

    def _publish_kept(self, message: Message) -> Safe:
        """The same where it asks for some keeping, or some queue may be bound to its topic."""
        if not self._dedupe.takes(message):
            return None
        full = None
        for copy in self._bindings.copies(message):
            full = self._append_first(copy) or full
        for heard in self._topics.of(message.address):
            heard(message)
        return full

    def listen(self, topic: str, heard: Callable[[Message], None]) -> Callable[[], None]:
        self._topics.add(topic, heard)
        return lambda: self._topics.remove(topic, heard)

    def bind(self, queue: str, topic: str, selector: str | None = None) -> Safe:
        is_new = self._bindings.bind(queue, topic, self.last_position)
        if is_new:
            self.last_position += 1  # nothing of an earlier one of this name is above that
        if selector is not None and selector != self.selectors.get(queue):
            self._bindings.selectors.say(queue, selector, is_new)
        return None

    def has_bound(self, topic: str) -> bool:
        return self._bindings.has_bound(topic)

    def unbind(self, queue: str) -> Safe:
        self._bindings.unbind(queue)
        self._queues.purge(queue)
        return None

    def select(self, test_of: Callable[[str, str], Test | None] | None) -> None:
        self._bindings.selectors.judge_by(test_of)

    @property
    def selector_characters(self) -> int:
        return self._bindings.selectors.characters

    def sifted(self, queue: str) -> Safe:
        self.unsifted.pop(queue, None)
        return None


classImplements(MemoryEngine, IEngine)
