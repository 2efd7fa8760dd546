"""MemoryEngine: messages in this process's memory, gone when it ends.  The reference of IEngine's promise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from stomp_tx.address import base_of, is_bound, is_shared, is_topic, lane_of, priority_of
from stomp_tx.engine.binding_selectors import BindingSelectors
from stomp_tx.engine.dedupe import DedupeNames
from stomp_tx.engine.limits import ENOUGH, EngineLimits
from stomp_tx.engine.memory.priority_lanes import MemoryLane
from stomp_tx.engine.memory.queue import MemoryQueue
from stomp_tx.engine.topic_index import TopicIndex
from stomp_tx.errors import EngineError
from stomp_tx.interfaces import IClaim, IEngine, Judge, Safe, Test
from stomp_tx.message import OVERHEAD, USUAL_PRIORITY, Batch, Message, Outcome

AT_ONCE = 5000
"""Expired messages that are taken out of memory in one go: some 20 milliseconds."""


@implementer(IEngine)
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
        self._length = limits.queue_length
        self._queue_octets = limits.queue_octets
        self._total_octets = limits.total_octets
        # Below this much in memory no limit can have been reached.
        self._roomy = min(self._queue_octets, self._total_octets, self._length * OVERHEAD)
        self.octets = 0  # of all messages that are in memory, those handed out and not settled among them
        self._queues: dict[str, MemoryQueue] = {}
        self._topics: TopicIndex[Callable[[Message], None]] = TopicIndex()
        self.bindings: dict[str, str] = {}  # bound queue -> topic
        self._bound: TopicIndex[str] = TopicIndex()  # topic -> bound queues
        self._selectors = BindingSelectors()  # of those
        self.selectors = self._selectors.texts
        self.unsifted = self._selectors.unsifted
        self.made: Callable[[str], None] | None = None
        self.has_bound_changed: Callable[[], None] | None = None
        self.damaged: Callable[[str, int, str], None] | None = None
        self._bound_since: dict[str, int] = {}  # bound queue -> the last position before it was
        self._seen = DedupeNames(limits, seconds)
        self.expiring: dict[MemoryQueue, None] = {}  # those in which something will expire
        self.waiting: dict[str, list[Deferred[None]]] = {}  # for room in that queue
        self._total_is_short = False  # somebody waits for room in what all queues share
        self._limits_of: Callable[[str], tuple[int, int]] | None = None
        self.last_position = 0

    def check(self) -> None:
        """There is nothing that it needs."""

    def start(self) -> Deferred[None] | None:
        return None

    def stop(self) -> Deferred[None] | None:
        self._queues.clear()
        self._topics = TopicIndex()
        return None

    # -- queues -------------------------------------------------------------------------------------------

    def append(self, message: Message) -> Safe:
        if message.keeping is not None:
            return self._append_kept(message)
        queue = self._queues.get(message.address)
        if queue is None:
            queue = self._add_queue(message.address)
        self.last_position = message.position = self.last_position + 1
        messages = queue.messages
        if queue.demand > 0 and not messages:
            queue.demand -= 1
            if not queue.taker(message):  # type: ignore[misc]  # there is one: it asked
                self.octets += message.size
            return None
        messages = queue.tail
        messages.append(message)
        octets = queue.octets = queue.octets + message.size
        total = self.octets = self.octets + message.size
        if len(messages) >= self._length or octets >= self._queue_octets or total >= self._total_octets:
            return self._over(queue, message)
        if queue.noticed is not None:
            queue.noticed((message,))
        return None

    def _over(self, queue: MemoryQueue, message: Message) -> Safe:
        """This message, the last of the queue, has reached a limit."""
        queue.notice((message,))
        return succeed(None)

    def _append_kept(self, message: Message) -> Safe:
        """The same for a message that asks for some keeping."""
        if not self._is_first(message):
            return self._safe_again(message)
        self._to_lane(message)
        return self._append_first(message)

    def _to_lane(self, message: Message) -> None:
        """What has another priority than usual waits in a lane of its own."""
        keeping = message.keeping
        if keeping is not None and keeping.priority != USUAL_PRIORITY:
            message.address = lane_of(base_of(message.address), keeping.priority)

    def _safe_again(self, message: Message) -> Safe:
        """When the first of its name is."""
        return None

    def _append_first(self, message: Message) -> Safe:
        """The first of its name."""
        queue = self._queue(message.address)
        self.last_position = message.position = self.last_position + 1
        self._arrive(queue, message)
        return succeed(None) if self._is_full(queue) else None

    def _is_first(self, message: Message) -> bool:
        """Has its address seen none of this name?  It has now."""
        keeping = message.keeping
        return keeping is None or keeping.dedupe is None or self._seen.add(message.address, keeping.dedupe)

    def _arrive(self, queue: MemoryQueue, message: Message) -> None:
        """It has its position, and is handed out or waits."""
        self.octets += message.size
        queue.octets += message.size
        queue.tail.append(message)
        if message.keeping is not None:
            queue.waits(message)
            if message.keeping.last_value is not None:
                queue.replace(message)
        if queue.demand > 0:
            queue.hand_out()
        if queue.noticed is not None:
            queue.noticed((message,))

    def _queue(self, name: str) -> MemoryQueue:
        return self._queues.get(name) or self._add_queue(name)

    def _add_queue(self, name: str) -> MemoryQueue:
        priority = priority_of(name)
        if priority is None:
            queue = MemoryQueue(name, self)
        else:
            base = self._queue(base_of(name))
            queue = MemoryLane(name, self, base, priority)
            base.add_lane(queue)
        self._queues[name] = queue
        if priority is None and self.made is not None:
            self.made(name)
        return queue

    def lane_of(self, message: Message) -> MemoryQueue | None:
        """Where it waits, or did."""
        return self._queues.get(message.address)

    def settle(self, message: Message, outcome: Outcome) -> Safe:
        if outcome is Outcome.ACCEPTED:
            self.octets -= message.size
            if self.waiting:
                self.wake(message.address)
            return None
        self._put_back(message, outcome).after_put_back()
        return None

    def _put_back(self, message: Message, outcome: Outcome) -> MemoryQueue:
        queue = self._queue(message.address)
        if self._is_of_the_past(message):
            self.octets -= message.size  # its durable subscription is no more
            self.forget_if_idle(queue)
        else:
            queue.put_back(message.again() if outcome is Outcome.REJECTED else message)
        return queue

    def _is_of_the_past(self, message: Message) -> bool:
        """Is it of a bound queue that is no more, though there may be one of its name?"""
        address = base_of(message.address)
        if not is_bound(address):
            return False
        return message.position <= self._bound_since.get(address, message.position)

    def commit(self, batch: Batch) -> Safe:
        if batch.withdrawn:
            batch = self._with_those_taken_out(batch)
        self._settle_all(batch.settled)
        for name in batch.emptied:
            self._empty(name, lambda message: True)
        full = None
        for message in batch.appended:
            safe = self.publish(message) if is_topic(message.address) else self.append(message)
            full = full or safe
        self._wake_for(batch)
        return full

    def _with_those_taken_out(self, batch: Batch) -> Batch:
        """The same, in which those of the withdrawn ones are settled that have waited until now."""
        settled = list(batch.settled)
        for message in batch.withdrawn:
            queue = self.lane_of(message)
            found = None if queue is None else queue.take_out_whole(message)
            if queue is not None and found is not None:
                settled.append((found, Outcome.ACCEPTED))
                if queue.taker is None:
                    self.forget_if_idle(queue)
        return Batch(batch.appended, settled, (), batch.emptied)

    def _empty(self, name: str, goes: Callable[[Message], bool]) -> None:
        """What waits in that queue goes, as far as ``goes(message)`` says so; nobody takes from it."""
        found = self._queues.get(name)
        for lane in [] if found is None else list(found.lanes or (found,)):
            lane.drop(goes)
            self.forget_if_idle(lane)
        if self.waiting:
            self.wake(name)

    def _wake_for(self, batch: Batch) -> None:
        if self.waiting:
            for name in {message.address for message, _ in batch.settled}:
                self.wake(name)

    def _settle_all(self, settled: Iterable[tuple[Message, Outcome]]) -> None:
        returned: dict[str, MemoryQueue] = {}
        # Last first, so that each finds its place at the head; and all, before any is handed out again.
        for message, outcome in sorted(settled, key=lambda pair: -pair[0].position):
            if outcome is Outcome.ACCEPTED:
                self.octets -= message.size
            else:
                returned[message.address] = self._put_back(message, outcome)
        for queue in returned.values():
            queue.after_put_back()

    def consume(self, queue: str, taker: Callable[[Message], bool]) -> IClaim:
        found = self._queue(queue)
        assert found.taker is None, "a queue has one taker"
        found.taker = taker
        return found

    def forget_if_idle(self, queue: MemoryQueue) -> None:
        """Names are made by whoever sends: an empty queue that nobody takes from costs nothing."""
        if queue.is_idle and self._queues.get(queue.name) is queue:
            del self._queues[queue.name]
            self.expiring.pop(queue, None)
            self._forget_lane(queue)

    def _forget_lane(self, queue: MemoryQueue) -> None:
        base = queue.base
        if base is not queue:
            base.drop_lane(queue)
            self.forget_if_idle(base)

    def queues(self) -> list[str]:
        return [name for name, queue in self._queues.items() if queue.base is queue]

    def browse(self, queue: str, after: int = 0) -> Iterator[list[Message]]:
        found = self._queues.get(queue)
        return iter(()) if found is None else found.browse(after)

    def oldest(self, queue: str) -> Message | None:
        found = self._queues.get(queue)
        return None if found is None else found.oldest()

    def withdraw(self, message: Message, instead: Sequence[Message] = ()) -> Safe:
        queue = self.lane_of(message)
        found = None if queue is None else queue.take_out_whole(message)
        if queue is None or found is None:
            return None
        safe = self.commit(Batch(list(instead), [(found, Outcome.ACCEPTED)]))
        if queue.taker is None:
            self.forget_if_idle(queue)
        return safe

    def depth(self, queue: str) -> tuple[int, int]:
        found = self._queues.get(queue)
        return (0, 0) if found is None else found.depth()

    def expire(self, now: int, judge: Judge) -> bool:
        self._seen.tidy()
        left = AT_ONCE
        for queue in list(self.expiring):
            over = queue.expire(now, left)
            self._bury(over, judge)
            self.forget_if_idle(queue)
            left -= len(over)
            if left <= 0:
                return True
        return False

    def _bury(self, over: list[Message], judge: Judge) -> None:
        for message in over:
            # (When it fails the message is back where it was, and expires again.)
            self.commit(Batch(list(judge(message)), [(message, Outcome.ACCEPTED)]))

    def next_expiry(self, queue: str) -> int:
        found = self._queues.get(queue)
        return 0 if found is None or found.expiring is None else found.expiring.next()

    # -- room ---------------------------------------------------------------------------------------------

    def _is_full(self, queue: MemoryQueue) -> bool:
        length, octets = queue.depth_in_memory()
        return (
            length >= self._length
            or octets >= self._queue_octets
            or self.octets >= self._total_octets
            or (self._limits_of is not None and not self._has_own_room(queue, 1.0))
        )

    def _has_own_room(self, queue: MemoryQueue, part: float) -> bool:
        """Is no more than a part of its own limits taken, if it has any?"""
        base = queue.base
        most = base.own_limits
        if most is None:
            if self._limits_of is None:
                return True
            most = base.own_limits = self._limits_of(base.name)
        if most == (0, 0):
            return True
        length, octets = base.depth()
        return (not most[0] or length < part * most[0]) and (not most[1] or octets < part * most[1])

    def limit(self, limits_of: Callable[[str], tuple[int, int]] | None) -> None:
        self._limits_of = limits_of
        for queue in self._queues.values():
            queue.own_limits = None
        for name in list(self.waiting):
            self.wake(name)

    def _has_room_again(self, queue: MemoryQueue) -> bool:
        length, octets = queue.depth_in_memory()
        return (
            length <= ENOUGH * self._length
            and octets <= ENOUGH * self._queue_octets
            and self._total_has_room()
            and self._has_own_room(queue, ENOUGH)
        )

    def room(self, queue: str, message: Message | None = None) -> Deferred[None] | None:
        if self.octets < self._roomy and self._limits_of is None:
            return None
        return self._room(queue, message)

    def _room(self, queue: str, message: Message | None) -> Deferred[None] | None:
        names: Iterable[str] = self._bound.of(queue)
        if message is not None and self._selectors.tests:
            names = self._selectors.keeping(names, message)
        for name in names if is_topic(queue) else (queue,):
            found = self._queues.get(name)
            if found is not None and self._is_full(found):
                self._total_is_short |= not self._total_has_room()
                waiting = self.waiting.setdefault(name, [])
                wanted: Deferred[None] = Deferred(waiting.remove)
                waiting.append(wanted)
                return wanted
        return None

    def _total_has_room(self) -> bool:
        """Is there room in what all queues share?"""
        return self.octets <= ENOUGH * self._total_octets

    def wake(self, name: str) -> None:
        """Let those go on who waited for room in that queue, once there is enough to be worth their while."""
        names: Iterable[str] = (base_of(name),)
        if self._total_is_short and self._total_has_room():
            self._total_is_short = False
            names = list(self.waiting)
        for name in names:
            if name not in self.waiting:
                continue
            queue = self._queues.get(name)
            if queue is None or self._has_room_again(queue):
                # (Who goes on may wait again, or wake others.)
                for wanted in list(self.waiting.pop(name)):
                    wanted.callback(None)
            else:
                self._total_is_short |= not self._total_has_room()

    def caught_up(self) -> Deferred[None] | None:
        return None

    # -- topics -------------------------------------------------------------------------------------------

    def publish(self, message: Message) -> Safe:
        if message.keeping is not None or self.bindings:
            return self._publish_kept(message)
        topics = self._topics
        listeners = topics.known.get(message.address)
        if listeners is None:
            if not topics.has_patterns:
                return None
            listeners = topics.of(message.address)
        for heard in listeners:
            heard(message)
        return None

    def _publish_kept(self, message: Message) -> Safe:
        """The same where it asks for some keeping, or some queue may be bound to its topic."""
        if not self._is_first(message):
            return self._safe_again(message)
        full = None
        for copy in self._copies(message):
            full = self._append_first(copy) or full
        self._hear(message)
        return full

    def _copies(self, message: Message) -> list[Message]:
        """One for each queue that is bound to its topic, and wants it."""
        copies = []
        queues: Iterable[str] = self._bound.of(message.address)
        if self._selectors.tests:
            queues = self._selectors.keeping(queues, message)
        for queue in queues:
            copy = message.bound_for(queue)
            if is_shared(queue) and copy.keeping is not None:
                copy.keeping = copy.keeping._replace(
                    persistent=False
                )  # nor does the queue outlive the process
            self._to_lane(copy)
            copies.append(copy)
        return copies

    def _hear(self, message: Message) -> None:
        for heard in self._topics.of(message.address):
            heard(message)

    def listen(self, topic: str, heard: Callable[[Message], None]) -> Callable[[], None]:
        self._topics.add(topic, heard)
        return lambda: self._topics.remove(topic, heard)

    def bind(self, queue: str, topic: str, selector: str | None = None) -> Safe:
        is_new = self._bind(queue, topic)
        if selector is not None and selector != self.selectors.get(queue):
            self._selectors.confirm(queue, self._selectors.change(queue, selector, is_new))
        return None

    def _bind(self, queue: str, topic: str) -> bool:
        """False: it is bound to that topic already."""
        bound_to = self.bindings.get(queue)
        if bound_to is not None and bound_to != topic:
            raise EngineError(f"bound to another topic: {queue} to {bound_to}")
        if bound_to is None:
            self.bindings[queue] = topic
            self._bound_since[queue] = self.last_position
            self.last_position += 1  # nothing of an earlier one of this name is above that
            self._reach(topic, lambda part: self._bound.add(part, queue))
        return bound_to is None

    def _reach(self, topics: str, change: Callable[[str], None]) -> None:
        """Change whom these topics reach; who wants to know is told where that matters to ``has_bound``."""
        parts = topics.split(",")
        before = [part in self._bound for part in parts]
        for part in parts:
            change(part)
        if self.has_bound_changed is not None and before != [part in self._bound for part in parts]:
            self.has_bound_changed()

    def has_bound(self, topic: str) -> bool:
        return topic in self._bound

    def unbind(self, queue: str) -> Safe:
        self._unbind(queue)
        return None

    def _unbind(self, queue: str) -> None:
        topic = self.bindings.pop(queue, None)
        if topic is not None:
            self._selectors.forget(queue)
            del self._bound_since[queue]
            self._reach(topic, lambda part: self._bound.remove(part, queue))
        found = self._queues.get(queue)
        if found is not None:
            for lane in list(found.lanes or (found,)):
                self._purge(lane)
                self.forget_if_idle(lane)

    def select(self, test_of: Callable[[str, str], Test | None] | None) -> None:
        self._selectors.judge_by(test_of)

    @property
    def selector_characters(self) -> int:
        return self._selectors.characters

    def sifted(self, queue: str) -> Safe:
        self.unsifted.pop(queue, None)
        return None

    def delete(self, queue: str) -> Safe:
        found = self._queues.get(queue)
        for lane in [] if found is None else list(found.lanes or (found,)):
            self._purge(lane)
            self.forget_if_idle(lane)
        return None

    def _purge(self, queue: MemoryQueue) -> None:
        """Drop what waits."""
        self.octets -= queue.octets
        queue.clear()
        if self.waiting:
            self.wake(queue.name)
