"""MemoryLane: where messages of one priority wait, all of them in memory."""

from __future__ import annotations

from collections.abc import Iterator

from stomp_tx.engine.queue import Queue
from stomp_tx.engine.room import Room
from stomp_tx.engine.waiting import WaitingMessages
from stomp_tx.message import Message


class MemoryLane:
    """See engine/queue.py: Lane."""

    __slots__ = ("_room", "is_elsewhere", "name", "priority", "queue", "waiting")

    def __init__(
        self, name: str, priority: int, queue: Queue[MemoryLane], will_expire: dict[str, None], room: Room
    ) -> None:
        self.name = name
        self.priority = priority
        self.queue = queue
        self.waiting = WaitingMessages(name, will_expire)
        self.is_elsewhere = False
        self._room = room

    @property
    def is_empty(self) -> bool:
        return not self.waiting.messages

    def depth(self) -> tuple[int, int]:
        return len(self.waiting), self.waiting.octets

    def pour(self) -> bool:
        queue, waiting = self.queue, self.waiting
        messages = waiting.messages
        while queue.demand > 0 and messages:
            message = messages.popleft()
            if waiting.patchy and not waiting.leaves(message):
                continue
            waiting.octets -= message.size
            queue.demand -= 1
            if queue.taker(message):  # type: ignore[misc]  # there is one: it asked
                self._room.octets -= message.size
                message.owner.octets -= message.size
        return True

    def put_back(self, message: Message) -> None:
        self.waiting.put_back(message)

    def may_go(self, message: Message) -> bool:
        return True

    def take_out(self, message: Message) -> bool:
        return self.waiting.take_out(message)

    def find(self, position: int) -> Message | None:
        return self.waiting.find(position)

    def pages(self, after: int) -> Iterator[list[Message]]:
        while page := self.waiting.page(after):
            after = page[-1].position
            yield self.waiting.present(page)

    def clear(self) -> None:
        self.waiting.clear()
