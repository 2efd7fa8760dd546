"""StoredLane: a lane of which a window is in memory, and the rest in the file."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from itertools import islice

from stomp_tx.engine.queue import Queue
from stomp_tx.engine.sqlite.changes import Part, QueueRow
from stomp_tx.engine.sqlite.damage import Damage
from stomp_tx.engine.sqlite.delivery_mark import DeliveryMark
from stomp_tx.engine.sqlite.row_reads import PAGE
from stomp_tx.engine.sqlite.storage import Storage
from stomp_tx.engine.waiting import AT_ONCE, WaitingMessages, position_of
from stomp_tx.message import Message

LOW = 500
"""Messages in memory, below which the next page is read."""


class StoredLane:
    """Where messages of one priority wait; the persistent ones are rows too.

    While ``unloaded`` is not 0, the rows above ``horizon`` are in the file alone; those that don't persist
    wait in ``waiting.tail`` meanwhile, and join the others in their order.

    name, priority, queue, waiting -- see engine/queue.py: Lane
    number -- its own in the file; 0: it is not there
    since -- messages up to this position belonged to an earlier one of this name, or are no more
    length_stored, octets_stored -- of its rows
    topic -- the one that its queue is bound to, if it is the lane of the usual priority
    spilling -- messages that do not persist, on their way to the file for want of memory
    removing -- positions above the horizon whose rows are being removed
    arrived -- the position of the last persistent message that is safe
    horizon, unloaded -- see above; how many rows
    mark -- up to where persistent messages may be handed out
    damage -- where the file can't be read any further; None: no damage is known
    stands -- nothing is handed out, for it could not be removed
    can_add -- new messages can be written
    """

    __slots__ = (
        "_expiring_rows",
        "_is_overlooked",
        "_journal",
        "_messages",
        "_page_reader",
        "_room",
        "_storage",
        "arrived",
        "arrives",
        "can_add",
        "damage",
        "horizon",
        "length_stored",
        "mark",
        "name",
        "number",
        "octets_stored",
        "priority",
        "queue",
        "removing",
        "since",
        "spilling",
        "stands",
        "topic",
        "unloaded",
        "waiting",
    )

    def __init__(
        self,
        name: str,
        priority: int,
        queue: Queue[StoredLane],
        will_expire: dict[str, None],
        storage: Storage,
    ) -> None:
        self.name = name
        self.priority = priority
        self.queue = queue
        self.waiting = WaitingMessages(name, will_expire)
        self._messages = self.waiting.messages
        self._storage = storage
        self._room = storage.room
        self._journal = storage.journal
        self._page_reader = storage.page_reader
        self._expiring_rows = storage.expiring_rows
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
        self.mark = DeliveryMark()
        self._is_overlooked = False
        self.damage: Damage | None = None
        self.stands = False
        self.can_add = True

    def restore(self, row: QueueRow, last: int, next_expiry: int) -> None:
        """As the file has it."""
        self.number, _, self.topic, self.length_stored, self.octets_stored, mark = row
        self.mark.restore(mark)
        self._room.stored_octets += self.octets_stored
        self.unloaded = self.length_stored
        self.arrived = last
        if self.unloaded:
            self.waiting.tail = deque()
            self.queue.look_for_more()
        if next_expiry:
            self._expiring_rows.add(self, next_expiry)

    @property
    def is_empty(self) -> bool:
        waiting = self.waiting
        return not (waiting.messages or waiting.tail or self.unloaded or self.length_stored or self.topic)

    @property
    def is_elsewhere(self) -> bool:
        return self.unloaded != 0

    def depth(self) -> tuple[int, int]:
        length = len(self.waiting) + self.unloaded + self._journal.added(self)
        octets = self.waiting.octets
        if self.unloaded:
            octets += self.octets_stored * self.unloaded // max(self.length_stored, 1)
        return length, octets

    # -- what the journal asks and tells ------------------------------------------------------------------

    def row(self, more: int = 0, more_octets: int = 0) -> QueueRow:
        """See Stored."""
        queue = self.queue
        goes_out = queue.taker is not None and not self._storage.is_stopping
        soon = (not self.unloaded and len(self._messages) < PAGE) or queue.noticed is not None
        if goes_out and soon:
            # What is written now is handed out as soon as it is safe, or soon after: a commit earlier than if
            # it had to be written then.
            self.mark.wanted = max(self.mark.wanted, self._storage.last_position)
        self.mark.written = self.mark.wanted
        return QueueRow(
            self.number,
            self.name,
            self.topic,
            self.length_stored + more,
            self.octets_stored + more_octets,
            self.mark.written,
        )

    def committed(self, part: Part) -> None:
        if not self.number:
            return  # dropped meanwhile, and not counted any more
        self.mark.safe = self.mark.written
        self.length_stored += part.rows
        self.octets_stored += part.octets
        self._room.stored_octets += part.octets
        if self.removing:
            self.removing.difference_update([message.position for message in part.removed])
        if part.octets < 0 and self._room.lines:
            self._room.wake(self.name)

    def not_committed(self) -> None:
        self.mark.not_written()
        if self.queue.taker is not None:
            self._page_reader.stuck[self] = None

    def go_on(self) -> None:
        queue = self.queue
        if queue.withheld:
            queue.go_on()
        if queue.demand > 0 and (queue.messages or queue.has_more):
            queue.hand_out()
        elif queue.taker is None:
            queue.forget_if_idle(self)
        if self._is_overlooked and self._page_reader.may_be_read(self):
            self.look_again()
        if queue.noticed is not None:
            queue.noticed(())

    def look_again(self) -> None:
        self._is_overlooked = False
        if self.queue.noticed is not None:
            self.queue.noticed(None)

    def shut(self, adding: bool, removing: bool) -> None:
        self.can_add = self.can_add and not adding
        self.stands = self.stands or removing
        self.waiting.may_expire = not self.stands  # it would expire, and come back

    def forget_row(self, message: Message) -> None:
        """It is not needed any more, and nobody waits for its end."""
        if self.number and message.position > self.since and not self.stands:
            self._journal.group().remove(self, message)

    # -- messages that became safe ------------------------------------------------------------------------

    def arrive(self, message: Message) -> bool:
        """Its row is safe: hand it out, or keep it in the window, or leave it in the file alone (False)."""
        if not self.number:
            return False  # dropped meanwhile
        position = self.arrived = message.position
        queue = self.queue
        is_first = not self._messages and not self.unloaded and len(queue.lanes) == 1 and not self.stands
        if queue.demand > 0 and is_first and position <= self.mark.safe:
            queue.demand -= 1
            if not queue.taker(message):  # type: ignore[misc]  # there is one: it asked
                self._room.octets += message.size
                message.owner.octets += message.size
            elif message.is_persistent:
                self.forget_row(message)
            return True
        stays = not (self.unloaded or self._storage.window_limits.is_full(self.waiting))
        if stays:
            self.waiting.insert(message)
            self._room.octets += message.size
            message.owner.octets += message.size
        else:
            self._leave_in_file(message)
        if message.keeping is not None and message.keeping.last_value is not None:
            queue.replace(message)
        if stays and queue.demand > 0:
            queue.hand_out()
        if queue.noticed is not None:
            queue.noticed((message,))
        return stays

    def spilled(self, message: Message) -> None:
        """The same for one that does not persist: in memory it needs no row."""
        self.spilling -= 1
        if self.arrive(message):
            self.forget_row(message)

    def _leave_in_file(self, message: Message) -> None:
        if not self.unloaded:
            self.horizon = message.position - 1
            self.waiting.tail = deque()
            self.queue.has_more = True
        self.unloaded += 1
        if message.keeping is not None and message.keeping.expires:
            self._expiring_rows.add(self, message.keeping.expires)

    def put_back(self, message: Message) -> None:
        if self.unloaded and message.position > self.horizon and message.position in self.removing:
            # It came from the file, and waits here now: its row is passed over there.
            self.waiting.put_back_into_tail(message)
            return
        self.removing.discard(message.position)
        self.waiting.put_back(message)

    # -- handing out --------------------------------------------------------------------------------------

    def pour(self) -> bool:
        queue, waiting = self.queue, self.waiting
        if self.stands:
            queue.withhold()
            return False
        messages = waiting.messages
        while queue.demand > 0:
            if not messages and not (self.unloaded and self._load()):
                if self.unloaded:
                    queue.withhold()
                    return False
                break
            message = messages[0]
            keeping = message.keeping
            if keeping is not None and message.position > self.mark.safe and keeping.persistent:
                self._raise_mark()
                return False
            messages.popleft()
            if waiting.patchy and not waiting.leaves(message):
                continue
            waiting.octets -= message.size
            queue.demand -= 1
            if queue.taker(message):  # type: ignore[misc]  # there is one: it asked
                self._room.octets -= message.size
                message.owner.octets -= message.size
                if keeping is not None and keeping.persistent:
                    self.forget_row(message)
        if self.unloaded and len(messages) < LOW:
            self._load()
        return True

    def _raise_mark(self) -> None:
        """Have the file say that the next messages may have been handed out: not all, there may be many."""
        messages = self._messages
        position = messages[min(len(messages), PAGE) - 1].position
        if position > self.mark.wanted:
            self.mark.wanted = position
            self._journal.group().part(self)

    def _load(self) -> bool:
        """Read the next page into the window.  False: there is nothing to be had."""
        loaded: list[Message] = []
        while self.unloaded and not loaded:
            page = self._page_reader.page(self, self.horizon)
            if page is None:
                return False  # the file can't be read now
            if not page:
                self._page_reader.misses(self, self.unloaded)
                return False
            loaded = [message for message in page if message.position not in self.removing]
            self.unloaded -= len(loaded)
            self.horizon = page[-1].position
            if self.unloaded <= 0:
                self.unloaded = self._page_reader.more(self, -self.unloaded)
        for message in loaded:
            self.waiting.octets += message.size
            self._room.octets += message.size
            message.owner.octets += message.size
            if message.keeping is not None:
                self.waiting.note(message)
            if not message.is_persistent:
                self.forget_row(message)  # it is in memory again
        self._extend_window(loaded)
        if self.queue.demand > 0 and self._messages:
            self._raise_mark()  # by the time they are wanted, it has been
        return bool(self._messages)

    def _extend_window(self, loaded: list[Message]) -> None:
        """By what was read, and by what waits in the tail and is in its turn now."""
        self.waiting.join(loaded, self.horizon if self.unloaded else None)
        if not self.unloaded:
            self._all_is_in_memory()

    def _all_is_in_memory(self) -> None:
        self._expiring_rows.discard(self)
        self.queue.look_for_more()

    def remove_rows(self, messages: list[Message]) -> None:
        self.removing.update([message.position for message in messages])
        self.unloaded -= len(messages)
        for message in messages:
            self._room.octets += message.size
            message.owner.octets += message.size
        if not self.unloaded:
            self._extend_window([])
        for message in messages:
            if not message.is_persistent:
                self.forget_row(message)  # a settled one has no row

    # -- out of the middle --------------------------------------------------------------------------------

    def pages(self, after: int) -> Iterator[list[Message]]:
        if self.unloaded and not after and len(self._messages) < LOW:
            self._load()  # whoever wants the first wants the next ones soon
        while page := self._page(after):
            after = page[-1].position
            yield self.waiting.present(page)

    def _page(self, after: int) -> list[Message]:
        """The next that wait after a position, those that are gone among them; in order."""
        found = self.waiting.page(after)
        if not self.unloaded:
            return found
        found = [message for message in found if message.position <= self.horizon]
        after = max(after, self.horizon)
        while not found:
            # From here on they are in three places: none of them may be left behind.
            stored = self._page_reader.page(self, after)
            if stored is None:
                self._is_overlooked = self.damage is None
                break  # nor is what comes behind it
            ends = [stored[-1].position] if stored else []
            for waiting in (self._messages, self.waiting.tail):
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
        if keeping is None or not keeping.persistent or message.position <= self.mark.safe:
            return True
        self.mark.wanted = max(self.mark.wanted, self._storage.last_position)
        self._journal.group().part(self)
        return False

    def take_out(self, message: Message) -> bool:
        waiting = self.waiting
        return (
            waiting.take_out(message) or self._take_out_of_file(message) or waiting.take_out_of_tail(message)
        )

    def find(self, position: int) -> Message | None:
        found = self.waiting.find(position)
        if found is not None or not self.unloaded or not self.horizon < position <= self.arrived:
            return found
        return self._page_reader.one(self, position)

    def _take_out_of_file(self, message: Message) -> bool:
        """It may be a row above the horizon."""
        if not self.unloaded or not self.horizon < message.position <= self.arrived:
            return False
        if message.position in self.removing or not self._page_reader.has(self, message.position):
            return False
        self.remove_rows([message])
        return True

    def drop_up_to(self, position: int) -> None:
        """Its rows up to this position are no more."""
        self.since = max(self.since, position)
        self.removing.clear()
        self.unloaded = 0
        self.queue.look_for_more()
        if self.damage is not None:
            self._storage.damaged_queues.emptied(self)

    def clear(self) -> None:
        self.waiting.clear()
        self.unloaded = 0
        self._all_is_in_memory()
