"""Queue: one queue of an engine: its lanes, and the claim of who takes from it."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from zope.interface import classImplements

from stomp_tx.engine.last_values import LastValues
from stomp_tx.engine.room import Room
from stomp_tx.engine.waiting import WaitingMessages, position_of
from stomp_tx.interfaces import IClaim
from stomp_tx.message import Message


class Lane(Protocol):
    """Where messages of one priority wait.

    name -- its address
    waiting -- those that are in memory
    """

    name: str
    priority: int
    queue: Queue[Any]
    waiting: WaitingMessages

    @property
    def is_empty(self) -> bool:
        """Is there nothing of it, waiting or to be remembered?"""

    @property
    def is_elsewhere(self) -> bool:
        """Are some of those that can be handed out not in memory?"""

    def depth(self) -> tuple[int, int]:
        """How many messages wait, and their octets."""

    def pour(self) -> bool:
        """Hand out as many as the queue's ``demand`` and there are.  False: the next one can't be yet."""

    def put_back(self, message: Message) -> None:
        """It was handed out, and waits in its place again."""

    def may_go(self, message: Message) -> bool:
        """Can it be handed out now, if it waits here?"""

    def take_out(self, message: Message) -> bool:
        """Take it out of the middle.  False: it does not wait here."""

    def find(self, position: int) -> Message | None:
        """The whole message that waits at that position; None: there is none."""

    def pages(self, after: int) -> Iterator[list[Message]]:
        """What waits after a position, page by page."""

    def clear(self) -> None:
        """Drop all that waits."""


L = TypeVar("L", bound=Lane)


class Queue(Generic[L]):
    """What waits is in lanes, one for each priority; there is one taker of them all.

    lanes -- the highest priority first; the one of the usual priority is always there
    messages -- what can be handed out of that one
    has_more -- there may be some besides ``messages`` that can be handed out
    demand -- how many more the taker has asked for
    withheld -- of those, while what is next can't be handed out: what comes must not overtake it
    taker -- gets messages, see IEngine; None: nobody takes
    forget_if_idle -- called with each lane when nobody takes from it any more
    noticed -- called with what begins to wait; None: nobody wants to know
    own_limits -- messages and octets that may wait here, by the engine's ``limit``; None: not asked yet
    """

    __slots__ = (
        "_came_back",
        "_handing_out",
        "_last_values",
        "_room",
        "_withdraw",
        "demand",
        "forget_if_idle",
        "has_more",
        "lanes",
        "messages",
        "name",
        "noticed",
        "own_limits",
        "taker",
        "withheld",
    )

    def __init__(
        self,
        name: str,
        room: Room,
        withdraw: Callable[[Message], object],
        forget_if_idle: Callable[[L], None],
    ) -> None:
        """``withdraw`` takes a message out for good, whose place another one has taken."""
        self.name = name
        self._room = room
        self._withdraw = withdraw
        self.forget_if_idle = forget_if_idle
        self.lanes: list[L] = []
        self.messages: deque[Message] = deque()
        self.has_more = False
        self.demand = 0
        self.withheld = 0
        self.taker: Callable[[Message], bool] | None = None
        self.noticed: Callable[[Sequence[Message] | None], None] | None = None
        self.own_limits: tuple[int, int] | None = None
        self._last_values: LastValues | None = None
        self._came_back: list[Message] = []
        self._handing_out = False

    # -- lanes --------------------------------------------------------------------------------------------

    def add_lane(self, lane: L) -> None:
        """Messages of one more priority wait apart; the first lane is the usual priority's."""
        if self.lanes:
            self.has_more = True
        else:
            self.messages = lane.waiting.messages
        insort(self.lanes, lane, key=lambda one: -one.priority)
        if self._last_values is not None:
            lane.waiting.share(self._last_values)

    def drop_lane(self, lane: L) -> None:
        """Nothing is left in it."""
        if lane in self.lanes:
            self.lanes.remove(lane)
            self.look_for_more()

    def lane_of(self, message: Message) -> L | None:
        """Where it waits, or did; None: that lane is no more."""
        for lane in self.lanes:
            if lane.name == message.address:
                return lane
        return None

    def look_for_more(self) -> None:
        """Something has changed for ``has_more``."""
        self.has_more = self.withheld > 0 or len(self.lanes) > 1 or self.lanes[0].is_elsewhere

    def depth(self) -> tuple[int, int]:
        """How many messages wait, and their octets."""
        if len(self.lanes) == 1:
            return self.lanes[0].depth()
        depths = [lane.depth() for lane in self.lanes]
        return sum([length for length, _ in depths]), sum([octets for _, octets in depths])

    def depth_in_memory(self) -> tuple[int, int]:
        """The same of those that are in memory."""
        if len(self.lanes) == 1:
            one = self.lanes[0].waiting
            return len(one), one.octets
        waiting = [lane.waiting for lane in self.lanes]
        return sum([len(one) for one in waiting]), sum([one.octets for one in waiting])

    def browse(self, after: int) -> Iterator[list[Message]]:
        """Pages of what waits after a position."""
        for lane in list(self.lanes):
            yield from lane.pages(after)

    def oldest(self) -> Message | None:
        """The first of the lowest lane in which any waits."""
        for lane in reversed(self.lanes):
            for page in lane.pages(0):
                for message in page:
                    return message
        return None

    # -- the claim ----------------------------------------------------------------------------------------

    def request(self, count: int) -> None:
        self.demand += count
        if self.demand < 0:
            self.withheld = max(0, self.withheld + self.demand)
            self.demand = 0
        if self.demand and (self.messages or self.has_more):
            self.hand_out()

    def watch(self, noticed: Callable[[Sequence[Message] | None], None] | None) -> None:
        self.noticed = noticed

    def pick(self, message: Message) -> bool | None:
        lane = self.lane_of(message)
        if lane is None:
            return False
        return lane.take_out(message) if lane.may_go(message) else None

    def stop(self) -> None:
        self.taker = None
        self.noticed = None
        self.demand = self.withheld = 0
        for lane in list(self.lanes):
            self.forget_if_idle(lane)

    # -- handing out --------------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """As many as are asked for and there are."""
        if self._handing_out or self.taker is None or self.withheld:
            if self.withheld:
                self.withhold()
            return  # (a taker asks for more while it is given one)
        self._handing_out = True
        try:
            if len(self.lanes) == 1:
                self.lanes[0].pour()
            else:
                for lane in list(self.lanes):
                    if not lane.pour():
                        break  # nor can what comes after it
        finally:
            self._handing_out = False
        if self._room.lines:
            self._room.wake(self.name)

    def withhold(self) -> None:
        """Nothing is asked for, until it can be given: nor do lower priorities overtake it."""
        self.withheld += self.demand
        self.demand = 0
        self.has_more = True

    def go_on(self) -> None:
        """What was withheld is asked for again."""
        if self.withheld:
            self.demand += self.withheld
            self.withheld = 0

    def came_back(self, message: Message) -> None:
        """It was put back: who wants to know is told of all together."""
        if self.noticed is not None:
            self._came_back.append(message)

    def after_put_back(self) -> None:
        """All that comes back now has come."""
        for lane in self.lanes:
            if lane.waiting.returned:
                lane.waiting.merge()
        if self.demand > 0:
            self.hand_out()
        came_back = self._came_back
        if came_back:
            self._came_back = []
            self.notice(sorted(came_back, key=position_of))

    def notice(self, messages: Sequence[Message]) -> None:
        """Tell who wants to know that these wait now."""
        if self.noticed is not None:
            self.noticed(messages)

    # -- last values --------------------------------------------------------------------------------------

    def replace(self, message: Message) -> None:
        """It begins to wait, and the one that waits with the same ``last_value`` goes."""
        if self._last_values is None:
            self._last_values = LastValues()
            for lane in self.lanes:
                lane.waiting.share(self._last_values)
            for page in self.browse(0):
                for waiting in page:
                    if waiting.keeping is not None and waiting.keeping.last_value is not None:
                        self._take_place(self._last_values, waiting)
        self._take_place(self._last_values, message)

    def _take_place(self, last_values: LastValues, message: Message) -> None:
        before = last_values.add(message)
        if before is not None:
            self._withdraw(before)


classImplements(Queue, IClaim)
