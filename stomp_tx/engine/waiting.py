"""WaitingMessages: those of one lane that wait in memory, by position."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from itertools import islice

from stomp_tx.engine.expiring import Expiring
from stomp_tx.engine.last_values import LastValues
from stomp_tx.message import Message

AT_ONCE = 1000
"""Messages of one page."""


def position_of(message: Message) -> int:
    """Its place among others: for sorting."""
    return message.position


def at(waiting: deque[Message], position: int) -> Message | None:
    """The message of that position; None: it is not there."""
    place = bisect_left(waiting, position, key=position_of)
    found = place < len(waiting) and waiting[place].position == position
    return waiting[place] if found else None


class WaitingMessages:
    """Messages in the order of their positions; out of the middle they go in no time.

    messages -- what can be handed out now; whoever takes the first away calls ``leaves`` if it is ``patchy``
    tail -- where the next one waits: the same, unless older ones are elsewhere
    octets -- of all of them
    returned -- those that came back into the middle of ``messages``, until ``merge``
    expiring -- those of them that will expire; None: there are none
    gone -- positions that are to be passed over: those messages are not there
    last_values -- the last of each ``last_value`` in the queue; None: none has any
    patchy -- some in ``messages`` are to be passed over, or something else is to be known of who leaves
    may_expire -- the messages that come now do
    """

    __slots__ = (
        "_lane",
        "_will_expire",
        "expiring",
        "gone",
        "last_values",
        "may_expire",
        "messages",
        "octets",
        "patchy",
        "returned",
        "tail",
    )

    def __init__(self, lane: str, will_expire: dict[str, None]) -> None:
        """
        lane -- the address
        will_expire -- where it stands while some of its messages will expire
        """
        self._lane = lane
        self._will_expire = will_expire
        self.messages: deque[Message] = deque()
        self.tail = self.messages
        self.octets = 0
        self.returned: list[Message] = []
        self.expiring: Expiring | None = None
        self.gone: set[int] = set()
        self.last_values: LastValues | None = None
        self.patchy = False
        self.may_expire = True

    def __len__(self) -> int:
        behind = 0 if self.tail is self.messages else len(self.tail)
        return len(self.messages) + behind - len(self.gone)

    # -- coming -------------------------------------------------------------------------------------------

    def append(self, message: Message) -> None:
        """The last one."""
        self.tail.append(message)
        self.octets += message.size
        if message.keeping is not None:
            self.note(message)

    def insert(self, message: Message) -> None:
        """One of those that can be handed out: nearly always the last."""
        messages = self.messages
        place = len(messages)
        while place and messages[place - 1].position > message.position:
            place -= 1
        messages.insert(place, message)
        self.octets += message.size
        if message.keeping is not None:
            self.note(message)

    def note(self, message: Message) -> None:
        """It was put among those that wait, and asks for some keeping."""
        assert message.keeping is not None
        if message.keeping.expires and self.may_expire:
            if self.expiring is None:
                self.expiring = Expiring()
            self.expiring.add(message, message.keeping.expires)
            self._will_expire[self._lane] = None
            self.patchy = True

    def put_back(self, message: Message) -> None:
        """Into its place: nearly always the first.  When all have come that come now, call ``merge``."""
        if message.position in self.gone:
            self._remove_gone(message.position)
        messages = self.messages
        if not messages or message.position < messages[0].position:
            messages.appendleft(message)
        else:
            self.returned.append(message)
        self._is_back(message)

    def put_back_into_tail(self, message: Message) -> None:
        """The same, into the ``tail``, where that is a place of its own."""
        tail = self.tail
        tail.insert(bisect_left(tail, message.position, key=position_of), message)
        self._is_back(message)

    def _is_back(self, message: Message) -> None:
        self.octets += message.size
        if message.keeping is not None:
            self.note(message)

    def merge(self) -> None:
        """Those that came back into the middle get their places.

        One search and one turn of the deque for all: each by itself would pass by thousands of others.
        """
        returned, messages = sorted(self.returned, key=position_of, reverse=True), self.messages
        self.returned = []
        before = bisect_left(messages, returned[0].position, key=position_of)
        messages.rotate(-before)
        for message in returned:
            while before and messages[-1].position > message.position:
                messages.appendleft(messages.pop())
                before -= 1
            messages.appendleft(message)
        messages.rotate(before)

    def _remove_gone(self, position: int) -> None:
        """It was taken out of the middle, and was left there to be passed over: now it is not."""
        for waiting in (self.messages, self.tail):
            place = bisect_left(waiting, position, key=position_of)
            if place < len(waiting) and waiting[place].position == position:
                del waiting[place]
                break
        self._forget_gone(position)

    def join(self, loaded: list[Message], until: int | None) -> None:
        """Those were read, and can be handed out; so can those of the tail up to that position, or all."""
        messages, tail = self.messages, self.tail
        joining = []
        if tail is not messages:
            while tail and (until is None or tail[0].position <= until):
                joining.append(tail.popleft())
        if joining or (messages and loaded and messages[-1].position > loaded[0].position):
            loaded = sorted([*messages, *loaded, *joining], key=position_of)
            messages.clear()
        messages.extend(loaded)
        if until is None:
            self.tail = messages

    def share(self, last_values: LastValues) -> None:
        """These are the queue's: they are to be kept up to date."""
        self.last_values = last_values
        self.patchy = True

    # -- leaving ------------------------------------------------------------------------------------------

    def leaves(self, message: Message) -> bool:
        """It was taken away from the head.  False: it was not there any more."""
        if message.position in self.gone:
            self._forget_gone(message.position)
            return False
        self._has_left(message)
        return True

    def _has_left(self, message: Message) -> None:
        if self.expiring is not None:
            self.expiring.discard(message.position)
        if self.last_values is not None:
            self.last_values.discard(message)

    def _forget_gone(self, position: int) -> None:
        self.gone.discard(position)
        self._see_patches()

    def _see_patches(self) -> None:
        self.patchy = bool(self.gone or self.last_values is not None or self.expiring is not None)

    def take_out(self, message: Message) -> bool:
        """Take it out of the middle of ``messages``, if it is there."""
        messages, position = self.messages, message.position
        if position in self.gone:
            return False
        place = bisect_left(messages, position, key=position_of)
        if place == len(messages) or messages[place].position != position:
            return False
        self._is_taken(messages[place], message)
        self.gone.add(position)
        self.patchy = True
        self._pass_over()
        return True

    def take_out_of_tail(self, message: Message) -> bool:
        """The same of the tail, where that is a place of its own."""
        tail = self.tail
        if tail is self.messages:
            return False
        place = bisect_left(tail, message.position, key=position_of)
        if place == len(tail) or tail[place].position != message.position or message.position in self.gone:
            return False
        self._is_taken(tail[place], message)
        del tail[place]
        return True

    def _is_taken(self, found: Message, message: Message) -> None:
        """It goes out of the middle.  Who takes it may have read it elsewhere, as nobody's."""
        self.octets -= message.size
        if found.owner is not message.owner:
            found.owner.octets -= message.size
            message.owner.octets += message.size
        self._has_left(message)

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
        self._see_patches()

    def expire(self, now: int, most: int) -> list[Message]:
        """Take out at most so many of what has expired by now: milliseconds since 1970."""
        if self.expiring is None:
            return []
        over = self.expiring.over(now, most)
        for message in over:
            self.octets -= message.size
            self.gone.add(message.position)
            if self.last_values is not None:
                self.last_values.discard(message)
        if not self.expiring:
            del self._will_expire[self._lane]
            self.expiring = None
        self._pass_over()
        return over

    def next_expiry(self) -> int:
        """When the first of them expires, or some time before; 0: none does."""
        return 0 if self.expiring is None else self.expiring.next()

    def staying(self, goes: Callable[[Message], bool]) -> list[Message]:
        """Those of which ``goes(message)`` does not say that they go."""
        waiting = self.messages if self.tail is self.messages else (*self.messages, *self.tail)
        return [one for one in waiting if one.position not in self.gone and not goes(one)]

    def release(self) -> None:
        """None of them takes memory any more: they are about to go."""
        for waiting in (self.messages,) if self.tail is self.messages else (self.messages, self.tail):
            for message in waiting:
                if message.position not in self.gone:
                    message.owner.octets -= message.size

    def clear(self) -> None:
        """All of them go."""
        self.messages.clear()
        self.tail.clear()
        self.tail = self.messages
        self.octets = 0
        self.gone.clear()
        self.expiring = None
        if self.last_values is not None:
            self.last_values.clear_lane(self._lane)
        self._see_patches()
        self._will_expire.pop(self._lane, None)

    # -- looking ------------------------------------------------------------------------------------------

    def find(self, position: int) -> Message | None:
        """The message of that position in ``messages`` or in the tail; None: there is none."""
        found = at(self.messages, position)
        return at(self.tail, position) if found is None and self.tail is not self.messages else found

    def page(self, after: int) -> list[Message]:
        """The next of ``messages`` after a position, those that are gone among them."""
        messages = self.messages
        start = bisect_left(messages, after + 1, key=position_of)
        return list(islice(messages, start, start + AT_ONCE))

    def present(self, page: list[Message]) -> list[Message]:
        """A page without those that are gone."""
        gone = self.gone
        return [message for message in page if message.position not in gone] if gone else page
