"""MemoryQueue: one queue's messages in memory, and the claim of its taker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from stomp_tx.engine.expiring import Expiring
from stomp_tx.interfaces import IClaim
from stomp_tx.message import Message

if TYPE_CHECKING:
    from stomp_tx.engine.memory import MemoryEngine


@implementer(IClaim)
class MemoryQueue:
    """The messages that wait, by position.

    messages -- what can be handed out now
    tail -- where the next one waits: the same, unless older ones are elsewhere
    octets -- of those that wait in memory
    demand -- how many more its taker has asked for
    """

    __slots__ = (
        "_engine",
        "_handing_out",
        "demand",
        "expiring",
        "gone",
        "messages",
        "name",
        "octets",
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
        self.gone: set[int] = set()  # positions in ``messages`` that are to be passed over: they have expired
        self._handing_out = False

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
        return not self.messages and self.taker is None

    def waits(self, message: Message) -> None:
        """It was put among those that wait, and asks for some keeping."""
        assert message.keeping is not None
        if message.keeping.expires:
            if self.expiring is None:
                self.expiring = Expiring()
            self.expiring.add(message, message.keeping.expires)
            self._engine.expiring[self] = None

    def put_back(self, message: Message) -> None:
        """Into its place: nearly always the first."""
        messages = self.messages
        position = message.position
        place = 0
        while place < len(messages) and messages[place].position < position:
            place += 1
        messages.insert(place, message)
        self.octets += message.size
        if message.keeping is not None:
            self.waits(message)

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
                if message.keeping is not None and self.expiring is not None and not self.leaves(message):
                    continue
                self.octets -= message.size
                self.demand -= 1
                if taker(message):
                    self._engine.octets -= message.size
        finally:
            self._handing_out = False
        if self._engine.waiting:
            self._engine.wake(self.name)

    def leaves(self, message: Message) -> bool:
        """It was taken out to be handed out, where some expire.  False: it has expired meanwhile."""
        if message.position in self.gone:
            self.gone.remove(message.position)
            return False
        assert self.expiring is not None
        self.expiring.discard(message.position)
        return True

    def expire(self, now: int, most: int) -> list[Message]:
        """Take out at most so many of what has expired by now: milliseconds since 1970."""
        if self.expiring is None:
            return []
        over = self.expiring.over(now, most)
        for message in over:
            self.octets -= message.size
            self.gone.add(message.position)
        # Out of the middle they are taken when they come to the head, or are most of what is there.
        messages = self.messages
        while messages and messages[0].position in self.gone:
            self.gone.remove(messages.popleft().position)
        if len(self.gone) > len(messages) // 2:
            for waiting in (messages,) if self.tail is messages else (messages, self.tail):
                left = [message for message in waiting if message.position not in self.gone]
                waiting.clear()
                waiting.extend(left)
            self.gone.clear()
        if not self.expiring and not self.gone:
            del self._engine.expiring[self]
            self.expiring = None
        return over

    def clear(self) -> None:
        """Drop all that waits in memory."""
        self.messages.clear()
        self.tail.clear()
        self.octets = 0
        self.gone.clear()
        self.expiring = None
        self._engine.expiring.pop(self, None)

    def stop(self) -> None:
        self.taker = None
        self.demand = 0
        self._engine.forget_if_idle(self)
