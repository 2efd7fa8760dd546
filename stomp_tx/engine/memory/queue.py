"""MemoryQueue: one queue's messages in memory, and the claim of its taker."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from zope.interface import implementer

from stomp_tx.engine.expiring import Expiring
from stomp_tx.interfaces import IClaim
from stomp_tx.message import USUAL_PRIORITY, Message

if TYPE_CHECKING:
    from stomp_tx.engine.memory.engine import MemoryEngine


AT_ONCE = 1000
"""Messages that ``browse`` gives at once."""


def position_of(message: Message) -> int:
    """Its place among others: for sorting."""
    return message.position


def at(waiting: deque[Message], position: int) -> Message | None:
    """The message of that position; None: it is not there."""
    place = bisect_left(waiting, position, key=position_of)
    found = place < len(waiting) and waiting[place].position == position
    return waiting[place] if found else None


@implementer(IClaim)
class MemoryQueue:
    """The messages that wait, by position.

    messages -- what can be handed out now
    tail -- where the next one waits: the same, unless older ones are elsewhere
    octets -- of those that wait in memory
    demand -- how many more its taker has asked for
    lanes -- where messages of each priority wait, the highest first, itself among them; None: here wait all
    noticed -- called with what begins to wait; None: nobody wants to know
    own_limits -- messages and octets that may wait here, by the engine's ``limit``
    patchy -- some in ``messages`` are to be passed over, or something else is to be known of who leaves
    """

    __slots__ = (
        "_came_back",
        "_engine",
        "_handing_out",
        "demand",
        "expiring",
        "gone",
        "keyed",
        "lanes",
        "messages",
        "name",
        "noticed",
        "octets",
        "own_limits",
        "patchy",
        "tail",
        "taker",
    )

    def __init__(self, name: str, engine: MemoryEngine) -> None:
        self.name = name
        self._engine = engine
        self.messages: deque[Message] = deque()
        self.tail = self.messages
        self.octets = 0
        self.demand = 0
        self.taker: Callable[[Message], bool] | None = None
        self.expiring: Expiring | None = None  # those of them that will expire; None: there are none
        self.gone: set[int] = set()  # positions in ``messages`` that are to be passed over: not there
        self.keyed: dict[str, Message] | None = None  # the last of each ``last_value``; None: none has any
        self.patchy = False
        self.lanes: list[MemoryQueue] | None = None
        self.noticed: Callable[[Sequence[Message] | None], None] | None = None
        self._came_back: list[Message] = []
        self._handing_out = False
        self.own_limits: tuple[int, int] | None = None  # None: not known yet

    @property
    def length(self) -> int:
        """Messages that wait."""
        return len(self.messages) - len(self.gone)

    @property
    def in_memory(self) -> int:
        """Messages that wait in memory."""
        return self.length

    @property
    def is_idle(self) -> bool:
        """Is it no more than a name that somebody used once?"""
        return self.is_empty and self.taker is None and self.lanes is None

    @property
    def is_empty(self) -> bool:
        """Is there nothing of it, waiting or to be remembered?"""
        return not self.messages

    @property
    def base(self) -> MemoryQueue:
        """The queue that it is a lane of: itself."""
        return self

    def depth(self) -> tuple[int, int]:
        """How many messages wait in all its lanes, and their octets."""
        lanes = self.lanes or (self,)
        return sum(lane.length for lane in lanes), sum(lane.octets for lane in lanes)

    def depth_in_memory(self) -> tuple[int, int]:
        """The same of those that are in memory."""
        lanes = self.lanes or (self,)
        return sum(lane.in_memory for lane in lanes), sum(lane.octets for lane in lanes)

    def waits(self, message: Message) -> None:
        """It was put among those that wait, and asks for some keeping."""
        assert message.keeping is not None
        if message.keeping.expires:
            if self.expiring is None:
                self.expiring = Expiring()
            self.expiring.add(message, message.keeping.expires)
            self._engine.expiring[self] = None
            self.patchy = True

    def put_back(self, message: Message) -> None:
        """Into its place: nearly always the first."""
        if message.position in self.gone:
            self._remove_gone(message.position)
        self._put_into(self.messages, message)

    def _put_into(self, waiting: deque[Message], message: Message) -> None:
        position = message.position
        if not waiting or position < waiting[0].position:
            waiting.appendleft(message)
        else:
            waiting.insert(bisect_left(waiting, position, key=position_of), message)
        self.octets += message.size
        if message.keeping is not None:
            self.waits(message)
        if self.noticed is not None:
            self.base._came_back.append(message)  # who wants to know is told of all together

    def _remove_gone(self, position: int) -> None:
        """It was taken out of the middle, and was left there to be passed over: now it is not."""
        for waiting in (self.messages, self.tail):
            place = bisect_left(waiting, position, key=position_of)
            if place < len(waiting) and waiting[place].position == position:
                del waiting[place]
                break
        self._forget_gone(position)

    def after_put_back(self) -> None:
        """All that comes back now is in its place."""
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

    def request(self, count: int) -> None:
        self.demand += count
        if self.demand < 0:
            self.demand = 0
        if self.demand and (self.messages or self.lanes is not None):
            self.hand_out()

    def hand_out(self) -> None:
        """As many as are asked for and there are."""
        if self._handing_out or self.taker is None:
            return  # (a taker asks for more while it is given one)
        self._handing_out = True
        try:
            if self.lanes is None:
                self.pour()
            else:
                for lane in list(self.lanes):
                    if not lane.pour():
                        break  # nor can what comes after it
        finally:
            self._handing_out = False
        if self._engine.waiting:
            self._engine.wake(self.name)

    def pour(self) -> bool:
        """Hand out of this lane.  False: what is next can't be handed out yet."""
        taker = self.taker
        messages = self.messages
        while self.demand > 0 and messages:
            message = messages.popleft()
            if self.patchy and not self.leaves(message):
                continue
            self.octets -= message.size
            self.demand -= 1
            if taker(message):  # type: ignore[misc]  # there is one: it asked
                self._engine.octets -= message.size
        return True

    def leaves(self, message: Message) -> bool:
        """It was taken out to be handed out, where that must be known.  False: it is not there any more."""
        if message.position in self.gone:
            self._forget_gone(message.position)
            return False
        self._has_left(message)
        return True

    def _has_left(self, message: Message) -> None:
        if self.expiring is not None:
            self.expiring.discard(message.position)
        if self.keyed is not None:
            self._forget_key(message)

    def _forget_gone(self, position: int) -> None:
        self.gone.discard(position)
        self.patchy = bool(self.gone or self.keyed is not None or self.expiring is not None)

    # -- out of the middle --------------------------------------------------------------------------------

    def _waiting(self, message: Message) -> bool:
        """Is it in ``messages``?"""
        messages, position = self.messages, message.position
        if position in self.gone:
            return False
        place = bisect_left(messages, position, key=position_of)
        return place < len(messages) and messages[place].position == position

    def find(self, position: int) -> Message | None:
        """The whole message that waits at that position in this lane; None: there is none."""
        return at(self.messages, position)

    def pick(self, message: Message) -> bool | None:
        lane: MemoryQueue | None = self if self.lanes is None else self._engine.lane_of(message)
        if lane is None:
            return False
        return lane.take_out(message) if lane.may_go(message) else None

    def may_go(self, message: Message) -> bool:
        """Can it be handed out now, if it waits in this lane?"""
        return True

    def take_out(self, message: Message) -> bool:
        """Take it out of the middle of this lane, if it waits here."""
        if not self._waiting(message):
            return False
        self.octets -= message.size
        self._has_left(message)
        self.gone.add(message.position)
        self.patchy = True
        self._pass_over()
        return True

    def take_out_whole(self, message: Message) -> Message | None:
        """The same; gives all of what may be known by its place alone: it may have to be put back."""
        found = message if message.headers or message.body else self.find(message.position)
        return found if found is not None and self.take_out(found) else None

    def _pass_over(self) -> None:
        """Out of the middle they are taken when they come to the head, or are most of what is there."""
        messages, gone = self.messages, self.gone
        while messages and messages[0].position in gone:
            gone.remove(messages.popleft().position)
        if len(gone) > len(messages) // 2:
            for waiting in (messages,) if self.tail is messages else (messages, self.tail):
                left = [message for message in waiting if message.position not in gone]
                waiting.clear()
                waiting.extend(left)
            gone.clear()
        self.patchy = bool(gone or self.keyed is not None or self.expiring is not None)

    def browse(self, after: int) -> Iterator[list[Message]]:
        """Pages of what waits in all its lanes, after a position."""
        for lane in list(self.lanes or (self,)):
            yield from lane.pages(after)

    def pages(self, after: int) -> Iterator[list[Message]]:
        """The same of this lane."""
        while page := self.page(after):
            after = page[-1].position
            gone = self.gone
            yield [message for message in page if message.position not in gone] if gone else page

    def oldest(self) -> Message | None:
        """The first of the lowest lane in which any waits."""
        for lane in reversed(self.lanes or (self,)):
            for page in lane.pages(0):
                for message in page:
                    return message
        return None

    def page(self, after: int) -> list[Message]:
        """The next that wait in this lane after a position, those that are gone among them; in order."""
        messages = self.messages
        start = bisect_left(messages, after + 1, key=position_of)
        return list(islice(messages, start, start + AT_ONCE))

    # -- last values --------------------------------------------------------------------------------------

    def replace(self, message: Message) -> None:
        """It begins to wait, and the one that waits with the same ``last_value`` goes."""
        assert message.keeping is not None and message.keeping.last_value is not None
        keyed = self.base.keyed
        if keyed is None:
            keyed = self.base.keyed = {}
            for page in self.base.browse(0):
                for waiting in page:
                    if waiting.keeping is not None and waiting.keeping.last_value is not None:
                        self._set_key(keyed, waiting)
        self._set_key(keyed, message)

    def _set_key(self, keyed: dict[str, Message], message: Message) -> None:
        assert message.keeping is not None and message.keeping.last_value is not None
        before = keyed.get(message.keeping.last_value)
        if before is not None and before.position == message.position:
            return
        keyed[message.keeping.last_value] = message.without_body()
        for lane in self.base.lanes or (self,):
            lane.keyed = keyed
            lane.patchy = True
        if before is not None:
            self._engine.withdraw(before)

    def _forget_key(self, message: Message) -> None:
        key = None if message.keeping is None else message.keeping.last_value
        last = None if key is None or self.keyed is None else self.keyed.get(key)
        if last is not None and last.position == message.position:
            del self.keyed[key]  # type: ignore[arg-type, union-attr]

    def expire(self, now: int, most: int) -> list[Message]:
        """Take out at most so many of what has expired by now: milliseconds since 1970."""
        if self.expiring is None:
            return []
        over = self.expiring.over(now, most)
        for message in over:
            self.octets -= message.size
            self.gone.add(message.position)
            if self.keyed is not None:
                self._forget_key(message)
        if not self.expiring:
            del self._engine.expiring[self]
            self.expiring = None
        self._pass_over()
        return over

    def drop(self, goes: Callable[[Message], bool]) -> None:
        """Drop what waits, as far as ``goes(message)`` says so: nobody takes from it."""
        waiting = self.messages if self.tail is self.messages else (*self.messages, *self.tail)
        stay = [one for one in waiting if one.position not in self.gone and not goes(one)]
        self._engine.octets -= self.octets
        self.clear()
        for message in stay:
            self.messages.append(message)
            self.octets += message.size
            if message.keeping is not None:
                self.waits(message)
                if message.keeping.last_value is not None:
                    self.replace(message)
        self._engine.octets += self.octets

    def clear(self) -> None:
        """Drop all that waits in memory."""
        self.messages.clear()
        self.tail.clear()
        self.octets = 0
        self.gone.clear()
        self.expiring = None
        if self.keyed is not None:
            self.keyed.clear()
        self._pass_over()
        self._engine.expiring.pop(self, None)

    def watch(self, noticed: Callable[[Sequence[Message] | None], None] | None) -> None:
        self.noticed = noticed

    def stop(self) -> None:
        self.taker = None
        self.noticed = None
        self.demand = 0
        for lane in list(self.lanes or (self,)):
            self._engine.forget_if_idle(lane)

    # -- lanes --------------------------------------------------------------------------------------------

    def add_lane(self, lane: MemoryQueue) -> None:
        """Messages of one more priority wait apart."""
        if self.lanes is None:
            self.lanes = [self]
        insort(self.lanes, lane, key=lambda one: -one.priority)
        if self.keyed is not None:
            lane.keyed = self.keyed
            lane.patchy = True

    def drop_lane(self, lane: MemoryQueue) -> None:
        """Nothing is left in it."""
        if self.lanes is not None and lane in self.lanes:
            self.lanes.remove(lane)
            if self.lanes == [self]:
                self.lanes = None

    @property
    def priority(self) -> int:
        """Of the messages that wait in this lane."""
        return USUAL_PRIORITY
