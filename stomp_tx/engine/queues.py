"""Queues: those of an engine, by name, and what happens to their messages in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic

from stomp_tx.address import base_of, priority_of
from stomp_tx.engine.bindings import Bindings
from stomp_tx.engine.expiring import AT_ONCE
from stomp_tx.engine.queue import L, Queue
from stomp_tx.engine.room import Room
from stomp_tx.message import USUAL_PRIORITY, Batch, Message, Outcome

MakeLane = Callable[[str, int, Queue[Any], dict[str, None]], L]
"""Gets the address, the priority, the queue that it is part of, and WaitingMessages' ``will_expire``."""


class Queues(Generic[L]):
    """Queues come to be when somebody sends or takes, and are forgotten when they are idle.

    lanes -- of all queues, by their addresses
    will_expire -- addresses of those in which something in memory will expire
    """

    def __init__(
        self,
        room: Room,
        bindings: Bindings,
        make_lane: MakeLane[L],
        made: Callable[[str], None],
        withdraw: Callable[[Message], object],
        forget: Callable[[L], None] | None = None,
    ) -> None:
        """
        made -- called with the name of each queue that comes to be
        withdraw -- takes a message out for good, whose place another one has taken
        forget -- called with each lane that is idle: it calls ``remove`` now or later; None: now
        """
        self.lanes: dict[str, L] = {}
        self.will_expire: dict[str, None] = {}
        self._room = room
        self._bindings = bindings
        self._make_lane = make_lane
        self._made = made
        self._withdraw = withdraw
        self._forget = forget or self.remove

    # -- those that there are -----------------------------------------------------------------------------

    def lane(self, address: str) -> L:
        """The lane of that address, made if there is none."""
        return self.lanes.get(address) or self.add(address)

    def add(self, address: str) -> L:
        """A lane that there is not; with it its queue, if that is new."""
        priority = priority_of(address)
        if priority is None:
            queue: Queue[L] = Queue(address, self._room, self._withdraw, self.forget_if_idle)
            lane = self._make_lane(address, USUAL_PRIORITY, queue, self.will_expire)
        else:
            queue = self.lane(base_of(address)).queue
            lane = self._make_lane(address, priority, queue, self.will_expire)
        queue.add_lane(lane)
        self.lanes[address] = lane
        if priority is None:
            self._made(address)
        return lane

    def queue(self, name: str) -> Queue[L] | None:
        """The queue of that name, or of that lane; None: there is none."""
        lane = self.lanes.get(name)
        return None if lane is None else lane.queue

    def lanes_of(self, name: str) -> list[L]:
        """The lanes of that queue, if there is one."""
        lane = self.lanes.get(name)
        return [] if lane is None else list(lane.queue.lanes)

    def names(self) -> list[str]:
        """Of all queues."""
        return [name for name, lane in self.lanes.items() if lane.queue.name == name]

    def consume(self, name: str, taker: Callable[[Message], bool]) -> Queue[L]:
        """See IEngine."""
        queue: Queue[L] = self.lane(name).queue
        assert queue.taker is None, "a queue has one taker"
        queue.taker = taker
        return queue

    def forget_if_idle(self, lane: L) -> None:
        """Names are made by whoever sends: an empty queue that nobody takes from costs nothing."""
        queue = lane.queue
        if queue.taker is not None or not lane.is_empty or self.lanes.get(lane.name) is not lane:
            return
        if lane.name != queue.name or len(queue.lanes) == 1:
            self._forget(lane)

    def remove(self, lane: L) -> None:
        """Forget it, and its queue with its last lane."""
        if self.lanes.get(lane.name) is lane:
            del self.lanes[lane.name]
            self.will_expire.pop(lane.name, None)
        queue = lane.queue
        if lane.name != queue.name:
            queue.drop_lane(lane)
            usual = self.lanes.get(queue.name)
            if usual is not None:
                self.forget_if_idle(usual)

    def browse(self, name: str, after: int) -> Iterator[list[Message]]:
        """See IEngine."""
        lane = self.lanes.get(name)
        return iter(()) if lane is None else lane.queue.browse(after)

    def oldest(self, name: str) -> Message | None:
        """See IEngine."""
        lane = self.lanes.get(name)
        return None if lane is None else lane.queue.oldest()

    def depth(self, name: str) -> tuple[int, int]:
        """See IEngine."""
        lane = self.lanes.get(name)
        return (0, 0) if lane is None else lane.queue.depth()

    def forget_limits(self) -> None:
        """Their own limits have changed."""
        for lane in self.lanes.values():
            lane.queue.own_limits = None

    # -- their messages -----------------------------------------------------------------------------------

    def arrive(self, lane: L, message: Message) -> None:
        """It has its position, and is handed out or waits."""
        self._room.octets += message.size
        message.owner.octets += message.size
        lane.waiting.append(message)
        queue = lane.queue
        if message.keeping is not None and message.keeping.last_value is not None:
            queue.replace(message)
        if queue.demand > 0:
            queue.hand_out()
        if queue.noticed is not None:
            queue.noticed((message,))

    def put_back(self, message: Message, outcome: Outcome) -> Queue[L]:
        """It was not accepted.  When all that comes back now has, call ``after_put_back`` of its queue."""
        lane = self.lane(message.address)
        queue: Queue[L] = lane.queue
        if self._bindings.is_of_the_past(message):
            self._room.octets -= message.size  # its durable subscription is no more
            message.owner.octets -= message.size
            self.forget_if_idle(lane)
        else:
            again = message.again() if outcome is Outcome.REJECTED else message
            lane.put_back(again)
            queue.came_back(again)
        return queue

    def settle_all(self, settled: Iterable[tuple[Message, Outcome]]) -> None:
        """What became of several that were handed out."""
        returned: dict[str, Queue[L]] = {}
        # Last first, so that each finds its place at the head; and all, before any is handed out again.
        for message, outcome in sorted(settled, key=lambda pair: -pair[0].position):
            if outcome is Outcome.ACCEPTED:
                self._room.octets -= message.size
                message.owner.octets -= message.size
            else:
                queue = self.put_back(message, outcome)
                returned[queue.name] = queue
        for queue in returned.values():
            queue.after_put_back()

    def wake_for(self, batch: Batch) -> None:
        """What it has settled may have made room."""
        if self._room.lines:
            for name in {message.address for message, _ in batch.settled}:
                self._room.wake(name)

    def take_out(self, message: Message) -> tuple[L, Message] | None:
        """Take one that waits out of the middle, for good; gives all of it, for it may have to be put back.

        It may be known by its place alone.  None: it waits no more.
        """
        lane = self.lanes.get(message.address)
        if lane is None:
            return None
        found = message if message.headers or message.body else lane.find(message.position)
        return (lane, found) if found is not None and lane.take_out(found) else None

    def with_those_taken_out(self, batch: Batch) -> Batch:
        """The same, in which those of the withdrawn ones are settled that have waited until now."""
        settled = list(batch.settled)
        for message in batch.withdrawn:
            taken = self.take_out(message)
            if taken is not None:
                settled.append((taken[1], Outcome.ACCEPTED))
                self.forget_if_idle(taken[0])
        return Batch(batch.appended, settled, (), batch.emptied)

    def empty(self, name: str, goes: Callable[[Message], bool] | None = None) -> None:
        """What waits in that queue goes, or what ``goes(message)`` says of it; nobody takes from it."""
        for lane in self.lanes_of(name):
            waiting = lane.waiting
            stay = [] if goes is None else waiting.staying(goes)
            self._room.octets -= waiting.octets
            waiting.release()
            lane.clear()
            for message in stay:
                waiting.append(message)
                message.owner.octets += message.size
                if message.keeping is not None and message.keeping.last_value is not None:
                    lane.queue.replace(message)
            self._room.octets += waiting.octets
            self.forget_if_idle(lane)
        if self._room.lines:
            self._room.wake(name)

    def purge(self, name: str) -> None:
        """Drop all that waits in that queue."""
        for lane in self.lanes_of(name):
            self._room.octets -= lane.waiting.octets
            lane.waiting.release()
            lane.clear()
            if self._room.lines:
                self._room.wake(name)
            self.forget_if_idle(lane)

    def expire(self, now: int, bury: Callable[[list[Message]], None]) -> bool:
        """Take out of memory what has expired by now, and ``bury`` it.  True: there is more, soon."""
        left = AT_ONCE
        for address in list(self.will_expire):
            lane = self.lanes.get(address)
            if lane is None:
                continue  # it ended with what has expired in another one
            over = lane.waiting.expire(now, left)
            bury(over)
            self.forget_if_idle(lane)
            left -= len(over)
            if left <= 0:
                return True
        return False

    def next_expiry(self, name: str) -> int:
        """When the first in memory expires, or some time before; 0: none does."""
        lane = self.lanes.get(name)
        return 0 if lane is None else lane.waiting.next_expiry()
