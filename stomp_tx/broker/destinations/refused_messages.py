"""RefusedMessages: messages of one queue that were refused, and who may have them again, and when."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.message import Message

FORGET = 10_000
"""Refusals that are kept at least, before those are looked for whose message is no more."""


class Refusal:
    """Who refused a message last, until when nobody gets it, and until when they don't.

    message -- the message itself, while it is held
    """

    __slots__ = ("by", "message", "until", "until_same")

    def __init__(self, by: Subscription | None, until: float, until_same: float) -> None:
        self.by = by
        self.until = until
        self.until_same = until_same
        self.message: Message | None = None


Place = list[tuple[int, str]]
"""A heap: (the message's position, its id); some are there no more."""


class RefusedMessages:
    """All costs a few steps per message, however many there are.

    A held message is delayed (nobody may have it yet), then free for all but who refused it, then for all.
    Times are seconds of the queue's clock.
    """

    __slots__ = ("_delayed", "_free", "_held", "_known", "_most", "_others")

    def __init__(self) -> None:
        self._known: dict[str, Refusal] = {}  # by message id
        self._held = 0
        self._delayed: list[tuple[float, str]] = []  # a heap of the times at which something changes
        self._free: Place = []  # for anybody
        self._others: dict[Subscription, Place] = {}  # for anybody but that one
        self._most = FORGET

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._known

    @property
    def held(self) -> int:
        """Messages that are held."""
        return self._held

    def refuse(self, message: Message, by: Subscription, until: float, until_same: float, now: float) -> None:
        """It comes back from the engine, some time."""
        if len(self._known) >= self._most:
            # The engine has rid itself of some meanwhile: they have expired.
            self._known = {
                name: one
                for name, one in self._known.items()
                if one.message is not None or one.until_same > now
            }
            self._most = max(FORGET, 2 * len(self._known))
        self._known[message.id] = Refusal(by, until, until_same)

    def hold(self, message: Message, now: float) -> None:
        """It has come back."""
        refusal = self._known[message.id]
        refusal.message = message
        self._held += 1
        self._place(message.id, refusal, now)

    def next_for(self, subscription: Subscription, now: float) -> Message | None:
        """The first that it may have, not held any more; None: there is none."""
        self._advance(now)
        best: Place | None = None
        if self._first(self._free, None):
            best = self._free
        for by in list(self._others):
            place = self._others[by]
            if not self._first(place, by):
                del self._others[by]
            elif by is not subscription and (best is None or place[0] < best[0]):
                best = place
        if best is None:
            return None
        return self._take(heappop(best)[1])

    def wait(self, message_id: str, subscription: Subscription, now: float) -> float:
        """How many seconds it is until this subscription may have one that is not held; 0.0: it may."""
        refusal = self._known[message_id]
        until = refusal.until_same if refusal.by is subscription else refusal.until
        return max(0.0, until - now)

    def next_time(self, now: float) -> float | None:
        """When somebody may have one who may not now; None: never."""
        self._advance(now)
        while self._delayed and not self._is_held(self._delayed[0][1]):
            heappop(self._delayed)
        return self._delayed[0][0] if self._delayed else None

    def latest(self) -> float:
        """When the last of those may be had that nobody may have yet."""
        return max((refusal.until for refusal in self._known.values()), default=0.0)

    def discard(self, message_id: str) -> None:
        """The message is no more."""
        refusal = self._known.pop(message_id, None)
        if refusal is not None and refusal.message is not None:
            self._held -= 1

    def forget(self, subscription: Subscription) -> None:
        """It has ended: what it refused waits for nobody else."""
        for refusal in self._known.values():
            if refusal.by is subscription:
                refusal.by = None
        for entry in self._others.pop(subscription, ()):
            heappush(self._free, entry)

    def clear(self) -> Iterator[Message]:
        """Those that were held, last first."""
        held = [one.message for one in self._known.values() if one.message is not None]
        self.__init__()  # type: ignore[misc]
        yield from sorted(held, key=lambda message: -message.position)

    def _place(self, message_id: str, refusal: Refusal, now: float) -> None:
        assert refusal.message is not None
        if refusal.until > now:
            heappush(self._delayed, (refusal.until, message_id))
            return
        entry = refusal.message.position, message_id
        if refusal.by is None or refusal.until_same <= now:
            heappush(self._free, entry)
        else:
            heappush(self._others.setdefault(refusal.by, []), entry)
            heappush(self._delayed, (refusal.until_same, message_id))

    def _advance(self, now: float) -> None:
        while self._delayed and self._delayed[0][0] <= now:
            _, message_id = heappop(self._delayed)
            if self._is_held(message_id):
                self._place(message_id, self._known[message_id], now)

    def _is_held(self, message_id: str) -> bool:
        refusal = self._known.get(message_id)
        return refusal is not None and refusal.message is not None

    def _first(self, place: Place, by: Subscription | None) -> bool:
        """Is there any in it?  Its first one is there then."""
        while place:
            position, message_id = place[0]
            refusal = self._known.get(message_id)
            if refusal is not None and refusal.message is not None and refusal.message.position == position:
                return True
            heappop(place)
        return False

    def _take(self, message_id: str) -> Message:
        message = self._known.pop(message_id).message
        assert message is not None
        self._held -= 1
        return message
