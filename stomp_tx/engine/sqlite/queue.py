"""StoredQueue: a queue of which a window is in memory, and the rest in the file."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from stomp_tx.engine.memory.queue import AT_ONCE, MemoryQueue, at, position_of
from stomp_tx.engine.sqlite.damage import Damage
from stomp_tx.engine.sqlite.rows import PAGE, Part, QueueRow
from stomp_tx.message import Message

if TYPE_CHECKING:
    from stomp_tx.engine.sqlite.engine import SQLiteEngine

LOW = 500
"""Messages in memory, below which the next page is read."""

NARROW = 1000
"""Messages that stay in memory where memory is short."""

NARROW_OCTETS = 1024 * 1024
"""The same in octets."""


class StoredQueue(MemoryQueue):
    """A MemoryQueue whose persistent messages are rows too.

    While ``unloaded`` is not 0, the rows above ``horizon`` are in the file alone; those that don't persist
    wait in ``tail`` meanwhile, and join the others in their order.

    number -- the queue's in the file; 0: it is not there
    since -- messages up to this position belonged to an earlier queue of this name, or are no more
    length_stored, octets_stored -- of its rows
    topic -- the one it is bound to
    spilling -- messages that do not persist, on their way to the file for want of memory
    removing -- positions above the horizon whose rows are being removed
    arrived -- the position of the last persistent message that is safe
    horizon, unloaded -- see above; how many rows
    mark -- persistent messages may be handed out up to this position: the file says so
    handed -- up to this position they may have been handed out before the start, and the rows don't say so
    damage -- where the file can't be read any further; None: no damage is known
    stands -- nothing is handed out, for it could not be removed
    withheld -- of ``demand``, while what is next can't be read: what comes must not overtake it
    can_add -- new messages can be written
    """

    __slots__ = (
        "_is_overlooked",
        "_mark_wanted",
        "_mark_written",
        "arrived",
        "arrives",
        "can_add",
        "damage",
        "handed",
        "horizon",
        "length_stored",
        "mark",
        "number",
        "octets_stored",
        "removing",
        "since",
        "spilling",
        "stands",
        "topic",
        "unloaded",
        "withheld",
    )

    _engine: SQLiteEngine

    def __init__(self, name: str, engine: SQLiteEngine) -> None:
        super().__init__(name, engine)
        self.arrives = self.arrive  # made once, not for each message
        self.number = 0
        self.since = 0
        self.topic: str | None = None
        self.length_stored = 0
        self.octets_stored = 0
        self.arrived = 0
        self.horizon = 0
        self.unloaded = 0
        self.spilling = 0
        self.removing: set[int] = set()
        self.mark = 0
        self._mark_wanted = 0
        self._mark_written = 0
        self._is_overlooked = False
        self.handed = 0
        self.damage: Damage | None = None
        self.stands = False
        self.withheld = 0
        self.can_add = True

    def restore(self, row: QueueRow, last: int, next_expiry: int) -> None:
        """As the file has it."""
        self.number, _, self.topic, self.length_stored, self.octets_stored, self.handed = row
        self.mark = self._mark_wanted = self._mark_written = self.handed
        self._engine.stored_octets += self.octets_stored
        self.unloaded = self.length_stored
        self.arrived = last
        if self.unloaded:
            self.tail = deque()
        if next_expiry:
            self._engine.next_expiries[self] = next_expiry

    @property
    def base(self) -> StoredQueue:
        return self

    @property
    def in_memory(self) -> int:
        in_tail = 0 if self.tail is self.messages else len(self.tail)
        return len(self.messages) + in_tail - len(self.gone)

    @property
    def length(self) -> int:
        return self.in_memory + self.unloaded

    @property
    def is_empty(self) -> bool:
        return super().is_empty and not (self.unloaded or self.tail or self.length_stored or self.topic)

    # -- what the journal asks and tells ------------------------------------------------------------------

    def row(self, more: int = 0, more_octets: int = 0) -> QueueRow:
        """As it is after the group that is written now, by which it grows so much."""
        goes_out = self.taker is not None and not self._engine.is_stopping
        soon = (not self.unloaded and len(self.messages) < PAGE) or self.noticed is not None
        if goes_out and soon:
            # What is written now is handed out as soon as it is safe, or soon after: a commit earlier than if
            # it had to be written then.
            self._mark_wanted = max(self._mark_wanted, self._engine.last_position)
        self._mark_written = self._mark_wanted
        return QueueRow(
            self.number,
            self.name,
            self.topic,
            self.length_stored + more,
            self.octets_stored + more_octets,
            self._mark_written,
        )

    def committed(self, part: Part) -> None:
        """That row is safe."""
        if not self.number:
            return  # dropped meanwhile, and not counted any more
        self.mark = self._mark_written
        self.length_stored += part.rows
        self.octets_stored += part.octets
        self._engine.stored_octets += part.octets
        if self.removing:
            self.removing.difference_update([message.position for message in part.removed])
        if part.octets < 0 and self._engine.waiting:
            self._engine.wake(self.name)

    def not_committed(self) -> None:
        """It is not."""
        self._mark_wanted = self._mark_written = self.mark
        if self.taker is not None:
            self._engine.pages.stuck[self] = None

    def go_on(self) -> None:
        """What was not to be handed out before the row was safe may be now, or read."""
        base = self.base
        if base.withheld:
            base.demand += base.withheld
            base.withheld = 0
        if self.demand > 0 and (self.messages or self.unloaded or self.lanes is not None):
            self.hand_out()
        elif self.taker is None:
            self._engine.forget_if_idle(self)
        if self._is_overlooked and self._engine.pages.may_be_read(self):
            self.look_again()
        self.notice(())

    def look_again(self) -> None:
        """Who looks through what waits may have missed some that could not be read."""
        self._is_overlooked = False
        if self.noticed is not None:
            self.noticed(None)

    def unmark(self) -> None:
        """Nothing of it is in flight, and nothing will be."""
        self._mark_wanted = self.handed

    def count_attempts(self, messages: list[Message]) -> None:
        """As the start does in the file, where that can be written."""
        for message in messages if self.handed else ():
            if message.position <= self.handed and not message.attempts:
                message.attempts = 1

    # -- messages that became safe ------------------------------------------------------------------------

    def arrive(self, message: Message) -> bool:
        """Its row is safe: hand it out, or keep it in the window, or leave it in the file alone (False)."""
        if not self.number:
            return False  # dropped meanwhile
        position = self.arrived = message.position
        messages = self.messages
        is_first = not messages and not self.unloaded and self.lanes is None and not self.stands
        if self.demand > 0 and is_first and position <= self.mark:
            self.demand -= 1
            if not self.taker(message):  # type: ignore[misc]  # there is one: it asked
                self._engine.octets += message.size
            elif message.is_persistent:
                self._engine.forget(message)
            return True
        stays = not (self.unloaded or self._window_is_full())
        if stays:
            self._insert(message)
            self._engine.octets += message.size
        else:
            self._leave_in_file(message)
        if message.keeping is not None and message.keeping.last_value is not None:
            self.replace(message)
        if stays and self.demand > 0:
            self.hand_out()
        if self.noticed is not None:
            self.noticed((message,))
        return stays

    def spilled(self, message: Message) -> None:
        """The same for one that does not persist: in memory it needs no row."""
        self.spilling -= 1
        if self.arrive(message):
            self._engine.forget(message)

    def _insert(self, message: Message) -> None:
        """Into its place: nearly always the last."""
        messages = self.messages
        place = len(messages)
        while place and messages[place - 1].position > message.position:
            place -= 1
        messages.insert(place, message)
        self.octets += message.size
        if message.keeping is not None:
            self.waits(message)

    def waits(self, message: Message) -> None:
        if not self.stands:  # it would expire, and come back
            super().waits(message)

    def _window_is_full(self) -> bool:
        length = len(self.messages)
        engine = self._engine
        if length >= engine.window_length or self.octets >= engine.window_octets:
            return True
        octets, total = engine.octets, engine.limits.total_octets
        if octets < total // 2:
            return False
        # Memory is getting short: what is in the file too need not be here.
        return length >= NARROW or self.octets >= NARROW_OCTETS or (octets >= total // 4 * 3 and length > 0)

    def _leave_in_file(self, message: Message) -> None:
        if not self.unloaded:
            self.horizon = message.position - 1
            self.tail = deque()
        self.unloaded += 1
        expires = 0 if message.keeping is None else message.keeping.expires
        if expires:
            next_expiries = self._engine.next_expiries
            next_expiries[self] = min(expires, next_expiries.get(self, expires))

    def put_back(self, message: Message) -> None:
        if self.unloaded and message.position > self.horizon and message.position in self.removing:
            # It came from the file, and waits here now: its row is passed over there.
            self._put_into(self.tail, message)
            return
        self.removing.discard(message.position)
        super().put_back(message)

    # -- handing out --------------------------------------------------------------------------------------

    def request(self, count: int) -> None:
        if self.withheld:
            self.withheld = max(0, self.withheld + count)
            return
        self.demand += count
        if self.demand < 0:
            self.demand = 0
        if self.demand and (self.messages or self.unloaded or self.lanes is not None):
            self.hand_out()

    def pour(self) -> bool:
        if self.stands:
            return self._withhold()
        taker = self.taker
        engine = self._engine
        messages = self.messages
        while self.demand > 0:
            if not messages and not (self.unloaded and self._load()):
                if self.unloaded:
                    return self._withhold()
                break
            message = messages[0]
            keeping = message.keeping
            if keeping is not None and message.position > self.mark and keeping.persistent:
                self._raise_mark()
                return False
            messages.popleft()
            if self.patchy and not self.leaves(message):
                continue
            self.octets -= message.size
            self.demand -= 1
            if taker(message):  # type: ignore[misc]  # there is one: it asked
                engine.octets -= message.size
                if keeping is not None and keeping.persistent:
                    engine.forget(message)
        if self.unloaded and len(messages) < LOW:
            self._load()
        return True

    def _withhold(self) -> bool:
        """Nothing is asked for, until it can be given: nor do lower priorities overtake it."""
        base = self.base
        base.withheld += base.demand
        base.demand = 0
        return False

    def stop(self) -> None:
        self.withheld = 0
        super().stop()

    def _raise_mark(self) -> None:
        """Have the file say that the next messages may have been handed out: not all, there may be many."""
        messages = self.messages
        position = messages[min(len(messages), PAGE) - 1].position
        if position > self._mark_wanted:
            self._mark_wanted = position
            self._engine.touch(self)

    def _load(self) -> bool:
        """Read the next page into the window.  False: there is nothing to be had."""
        loaded: list[Message] = []
        while self.unloaded and not loaded:
            page = self._engine.pages.page(self, self.horizon)
            if page is None:
                return False  # the file can't be read now
            if not page:
                self._engine.pages.misses(self, self.unloaded)
                return False
            loaded = [message for message in page if message.position not in self.removing]
            self.unloaded -= len(loaded)
            self.horizon = page[-1].position
            if self.unloaded <= 0:
                self.unloaded = self._engine.pages.more(self, -self.unloaded)
        for message in loaded:
            self.octets += message.size
            self._engine.octets += message.size
            if message.keeping is not None:
                self.waits(message)
            if not message.is_persistent:
                self._engine.forget(message)  # it is in memory again
        self._extend_window(loaded)
        if self.demand > 0 and self.messages:
            self._raise_mark()  # by the time they are wanted, it has been
        return bool(self.messages)

    def _extend_window(self, loaded: list[Message]) -> None:
        """By what was read, and by what waits in the tail and is in its turn now."""
        messages, tail = self.messages, self.tail
        joining = []
        if tail is not messages:
            while tail and (not self.unloaded or tail[0].position <= self.horizon):
                joining.append(tail.popleft())
        if joining or (messages and loaded and messages[-1].position > loaded[0].position):
            loaded = sorted([*messages, *loaded, *joining], key=position_of)
            messages.clear()
        messages.extend(loaded)
        if not self.unloaded:
            self.tail = messages
            self._engine.next_expiries.pop(self, None)

    def remove_rows(self, expired: list[Message]) -> None:
        """These were found in the file, and are to be removed."""
        self.removing.update([message.position for message in expired])
        self.unloaded -= len(expired)
        self._engine.octets += sum(message.size for message in expired)
        if not self.unloaded:
            self._extend_window([])

    # -- out of the middle --------------------------------------------------------------------------------

    def depth(self) -> tuple[int, int]:
        length, octets = super().depth()
        for lane in self.lanes or (self,):
            assert isinstance(lane, StoredQueue)
            length += self._engine.coming(lane)
            if lane.unloaded:
                octets += lane.octets_stored * lane.unloaded // max(lane.length_stored, 1)
        return length, octets

    def pages(self, after: int) -> Iterator[list[Message]]:
        if self.unloaded and not after and len(self.messages) < LOW:
            self._load()  # whoever wants the first wants the next ones soon
        return super().pages(after)

    def page(self, after: int) -> list[Message]:
        found = super().page(after)
        if not self.unloaded:
            return found
        found = [message for message in found if message.position <= self.horizon]
        after = max(after, self.horizon)
        while not found:
            # From here on they are in three places: none of them may be left behind.
            stored = self._engine.pages.page(self, after)
            if stored is None:
                self._is_overlooked = self.damage is None
                break  # nor is what comes behind it
            ends = [stored[-1].position] if stored else []
            for waiting in (self.messages, self.tail):
                start = bisect_left(waiting, after + 1, key=position_of)
                part = list(islice(waiting, start, start + AT_ONCE))
                found += part
                if len(part) == AT_ONCE:
                    ends.append(part[-1].position)
            found += [message for message in stored if message.position not in self.removing]
            if not ends:
                break
            after = min(ends)
            found = [message for message in found if message.position <= after]
        found.sort(key=position_of)
        return found

    def may_go(self, message: Message) -> bool:
        if self.stands or (self.damage is not None and message.position > self.damage.after):
            return False
        keeping = message.keeping
        if keeping is None or not keeping.persistent or message.position <= self.mark:
            return True
        self._mark_wanted = max(self._mark_wanted, self._engine.last_position)
        self._engine.touch(self)
        return False

    def take_out(self, message: Message) -> bool:
        return super().take_out(message) or self._take_out_of_file(message) or self._take_out_of_tail(message)

    def find(self, position: int) -> Message | None:
        found = super().find(position) or at(self.tail, position)
        if found is not None or not self.unloaded or not self.horizon < position <= self.arrived:
            return found
        return self._engine.pages.one(self, position)

    def _take_out_of_file(self, message: Message) -> bool:
        """It may be a row above the horizon."""
        if not self.unloaded or not self.horizon < message.position <= self.arrived:
            return False
        if message.position in self.removing or not self._engine.pages.has(self, message.position):
            return False
        self.remove_rows([message])
        if not message.is_persistent:
            self._engine.forget(message)  # a settled one has no row
        return True

    def _take_out_of_tail(self, message: Message) -> bool:
        """It may be one that does not persist, behind those in the file."""
        tail = self.tail
        if tail is self.messages:
            return False
        place = bisect_left(tail, message.position, key=position_of)
        if place == len(tail) or tail[place].position != message.position or message.position in self.gone:
            return False
        del tail[place]
        self.octets -= message.size
        self._has_left(message)
        return True

    def drop_up_to(self, position: int) -> None:
        """Its rows up to this position are no more."""
        self.since = max(self.since, position)
        self.removing.clear()
        self.unloaded = 0
        if self.damage is not None:
            self._engine.standing.emptied(self)

    def clear(self) -> None:
        super().clear()
        self.tail = self.messages
        self.unloaded = 0
        self._engine.next_expiries.pop(self, None)
