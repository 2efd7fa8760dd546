"""MemoryEngine: messages in this process's memory, gone when it ends.  The reference of IEngine's promise."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from stomp_tx.errors import ConfigurationError
from stomp_tx.interfaces import IClaim, IEngine, Safe
from stomp_tx.message import Batch, Message, Outcome

ENOUGH = 0.9
"""Producers who wait for room go on when no more than this part of a limit is taken."""


@dataclass(frozen=True)
class EngineLimits:
    """How much an engine holds before it asks producers to wait."""

    queue_length: int = 1_000_000
    """Messages that may wait in one queue."""

    queue_octets: int = 512 * 1024 * 1024
    """Octets (of frames) that may wait in one queue."""

    total_octets: int = 2 * 1024 * 1024 * 1024
    """Octets (of frames) in all queues, those handed out and not settled included."""

    def __post_init__(self) -> None:
        for name in ("queue_length", "queue_octets", "total_octets"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"limit {name} must be at least 1")


@implementer(IClaim)
class _Queue:
    """One queue's messages, and the claim of its taker."""

    __slots__ = ("_engine", "_handing_out", "demand", "messages", "name", "octets", "taker")

    def __init__(self, name: str, engine: MemoryEngine) -> None:
        self.name = name
        self._engine = engine
        self.messages: deque[Message] = deque()  # by position
        self.octets = 0  # of these messages
        self.demand = 0
        self.taker: Callable[[Message], bool] | None = None
        self._handing_out = False

    def put_back(self, message: Message) -> None:
        """Into its place: nearly always the first."""
        messages = self.messages
        position = message.position
        place = 0
        while place < len(messages) and messages[place].position < position:
            place += 1
        messages.insert(place, message)
        self.octets += message.size

    def request(self, count: int) -> None:
        self.demand += count
        if self.demand < 0:
            self.demand = 0
        if self.messages and self.demand:
            self.hand_out()

    def hand_out(self) -> None:
        """As many as are asked for and there are."""
        taker = self.taker
        if self._handing_out or taker is None:
            return  # (a taker asks for more while it is given one)
        self._handing_out = True
        messages = self.messages
        try:
            while self.demand > 0 and messages:
                message = messages.popleft()
                self.octets -= message.size
                self.demand -= 1
                if taker(message):
                    self._engine.octets -= message.size
        finally:
            self._handing_out = False
        if self._engine.waiting:
            self._engine.wake()

    def stop(self) -> None:
        self.taker = None
        self.demand = 0
        self._engine.forget_if_idle(self)


@implementer(IEngine)
class MemoryEngine:
    """Keeps messages in memory.

    "Safe" means no more than "in this process": ``append`` and the others are done when they return.  Where
    a Deferred comes from ``append``, the queue is over its limits: ask ``room``.
    """

    def __init__(self, limits: EngineLimits | None = None) -> None:
        limits = limits or EngineLimits()
        self._length = limits.queue_length
        self._queue_octets = limits.queue_octets
        self._total_octets = limits.total_octets
        self.octets = 0  # of all messages that are kept, or handed out and not settled
        self._queues: dict[str, _Queue] = {}
        self._topics: dict[str, list[Callable[[Message], None]]] = {}
        self.waiting: dict[str, list[Deferred[None]]] = {}  # for room in that queue
        self._position = 0

    def start(self) -> None:
        return None

    def stop(self) -> None:
        self._queues.clear()
        self._topics.clear()

    # -- queues -------------------------------------------------------------------------------------------

    def append(self, message: Message) -> Safe:
        queue = self._queues.get(message.address)
        if queue is None:
            queue = self._queues[message.address] = _Queue(message.address, self)
        self._position = message.position = self._position + 1
        messages = queue.messages
        if queue.demand > 0 and not messages:
            queue.demand -= 1
            if not queue.taker(message):  # type: ignore[misc]  # there is one: it asked
                self.octets += message.size
            return None
        messages.append(message)
        octets = queue.octets = queue.octets + message.size
        total = self.octets = self.octets + message.size
        if len(messages) >= self._length or octets >= self._queue_octets or total >= self._total_octets:
            return succeed(None)
        return None

    def _is_full(self, queue: _Queue) -> bool:
        return (
            len(queue.messages) >= self._length
            or queue.octets >= self._queue_octets
            or self.octets >= self._total_octets
        )

    def _has_room_again(self, queue: _Queue) -> bool:
        return (
            len(queue.messages) <= ENOUGH * self._length
            and queue.octets <= ENOUGH * self._queue_octets
            and self.octets <= ENOUGH * self._total_octets
        )

    def room(self, queue: str) -> Deferred[None] | None:
        found = self._queues.get(queue)
        if found is None or not self._is_full(found):
            return None
        waiting = self.waiting.setdefault(queue, [])
        wanted: Deferred[None] = Deferred(waiting.remove)
        waiting.append(wanted)
        return wanted

    def wake(self) -> None:
        """Let those go on who waited for room, once there is enough of it to be worth their while."""
        for name in list(self.waiting):
            queue = self._queues.get(name)
            if queue is None or self._has_room_again(queue):
                for wanted in list(self.waiting.pop(name)):
                    wanted.callback(None)

    def settle(self, message: Message, outcome: Outcome) -> Safe:
        if outcome is Outcome.ACCEPTED:
            self.octets -= message.size
            if self.waiting:
                self.wake()
            return None
        queue = self._put_back(message, outcome)
        if queue.demand > 0:
            queue.hand_out()
        return None

    def _put_back(self, message: Message, outcome: Outcome) -> _Queue:
        queue = self._queues.get(message.address)
        if queue is None:
            queue = self._queues[message.address] = _Queue(message.address, self)
        queue.put_back(message.again() if outcome is Outcome.REJECTED else message)
        return queue

    def commit(self, batch: Batch) -> Safe:
        returned: dict[str, _Queue] = {}
        # Last first, so that each finds its place at the head; and all, before any is handed out again.
        for message, outcome in sorted(batch.settled, key=lambda pair: -pair[0].position):
            if outcome is Outcome.ACCEPTED:
                self.octets -= message.size
            else:
                returned[message.address] = self._put_back(message, outcome)
        for queue in returned.values():
            if queue.demand:
                queue.hand_out()
        full = None
        for message in batch.appended:
            safe = self.publish(message) if message.address.startswith("/topic/") else self.append(message)
            full = full or safe
        if self.waiting:
            self.wake()
        return full

    def consume(self, queue: str, taker: Callable[[Message], bool]) -> IClaim:
        found = self._queues.get(queue)
        if found is None:
            found = self._queues[queue] = _Queue(queue, self)
        assert found.taker is None, "a queue has one taker"
        found.taker = taker
        return found

    def forget_if_idle(self, queue: _Queue) -> None:
        """Names are made by whoever sends: an empty queue that nobody takes from costs nothing."""
        if not queue.messages and queue.taker is None:
            self._queues.pop(queue.name, None)

    # -- topics -------------------------------------------------------------------------------------------

    def publish(self, message: Message) -> Safe:
        listeners = self._topics.get(message.address)
        if listeners is not None:
            for heard in listeners:
                heard(message)
        return None

    def listen(self, topic: str, heard: Callable[[Message], None]) -> Callable[[], None]:
        # The list is replaced, never edited: a message may be on its way through it.
        self._topics[topic] = [*self._topics.get(topic, ()), heard]

        def stop() -> None:
            rest = [other for other in self._topics.get(topic, ()) if other != heard]
            if rest:
                self._topics[topic] = rest
            else:
                self._topics.pop(topic, None)

        return stop
