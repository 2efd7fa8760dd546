"""SelectorChanges: after a selector has changed, what waits is looked through, and the unwanted dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.broker.durable_names import owner_and_name
from stomp_tx.broker.events import Dropped, Events
from stomp_tx.interfaces import IEngine, Safe, Test
from stomp_tx.message import Batch, Message

AT_ONCE = 200
"""Messages that are looked at before it is others' turn."""


class Sifting:
    """How far the messages of one queue have been looked through.

    session -- whose SUBSCRIBE was the reason; empty: that was before the broker started
    unwanted -- what is to be dropped of what has not been looked at, some for each turn
    dropped -- how many are gone for good
    safe -- when the others that were dropped are; None: all are
    has_failed -- some could not be dropped, or looked at
    is_told -- the log says why they could not be looked at
    """

    unwanted: Iterator[list[Message]]

    def __init__(self, queue: str, topic: str, selector: str, wants: Test, session: str) -> None:
        self.queue = queue
        self.topic = topic
        self.selector = selector
        self.session = session
        self.dropped = 0
        self.safe: Safe = None
        self.has_failed = False
        self.is_told = False
        self._wants = wants

    def begin(self, pages: Iterator[list[Message]]) -> None:
        """Look at all of this."""
        self.has_failed = False
        self.unwanted = self._unwanted(pages)

    def _unwanted(self, pages: Iterator[list[Message]]) -> Iterator[list[Message]]:
        found: list[Message] = []
        left = AT_ONCE
        for page in pages:
            for message in page:
                left -= message.looks
                if not self._wants(message):
                    found.append(message)
                if left <= 0:
                    yield found
                    found, left = [], AT_ONCE
        if found:
            yield found

    def drops(self, count: int, safe: Safe) -> None:
        """So many more."""
        if safe is None:
            self.dropped += count
        else:
            self.safe = safe
            safe.addCallbacks(self._gone, self._not_gone, callbackArgs=(count,))

    def _gone(self, _: None, count: int) -> None:
        self.dropped += count

    def _not_gone(self, failure: Failure) -> Failure:
        self.has_failed = True
        return failure


class SelectorChanges:
    """One queue after the other has a turn of the reactor, so that neither others nor their messages wait."""

    log = Logger()

    def __init__(
        self, engine: IEngine, clock: IReactorTime, events: Events, ended: Callable[[Sifting], None]
    ) -> None:
        """``ended`` is called with each that is done, or has no reason any more."""
        self._engine = engine
        self._clock = clock
        self._events = events
        self._ended = ended
        self._siftings: dict[str, Sifting] = {}  # by queue
        self._in_progress: deque[Sifting] = deque()  # those with more to look at; some have ended
        self._next: IDelayedCall | None = None
        self._is_stopped = False

    def __contains__(self, queue: object) -> bool:
        return queue in self._siftings

    def start(self) -> None:
        """Go on."""
        self._is_stopped = False
        self._go_on_soon()

    def stop(self) -> None:
        """Look at no more: the next broker begins with what is left."""
        self._is_stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def begin(self, sifting: Sifting) -> None:
        """Look through that queue."""
        self._siftings[sifting.queue] = sifting
        sifting.begin(self._engine.browse(sifting.queue))
        self._in_progress.append(sifting)
        self._go_on_soon()

    def end(self, queue: str) -> None:
        """It is looked through no further, if it was."""
        sifting = self._siftings.pop(queue, None)
        if sifting is not None:
            self._ended(sifting)

    def sweep(self) -> None:
        """Begin anew where some could not be dropped, or looked at.  Called every second or so."""
        for sifting in list(self._siftings.values()):
            if sifting.has_failed:
                self.begin(sifting)

    def _go_on_soon(self) -> None:
        # Not at once: what has become safe together with a change arrives in this turn.
        if self._in_progress and self._next is None and not self._is_stopped:
            self._next = self._clock.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._next = None
        sifting = self._in_progress.popleft()
        if self._siftings.get(sifting.queue) is sifting:
            try:
                if self._look(sifting):
                    self._in_progress.append(sifting)
            except Exception:
                sifting.has_failed = True
                if not sifting.is_told:
                    sifting.is_told = True
                    self.log.failure("{queue} can't be looked through: goes on trying", queue=sifting.queue)
        self._go_on_soon()

    def _look(self, sifting: Sifting) -> bool:
        """At some of what waits.  True: there may be more."""
        if self._engine.selectors.get(sifting.queue) != sifting.selector:
            self.end(sifting.queue)
            return False
        if sifting.has_failed:
            return False
        unwanted = next(sifting.unwanted, None)
        if unwanted is not None:
            self._drop(unwanted, sifting)
            return True
        if sifting.safe is None:
            self._finish(None, sifting)
        else:
            sifting.safe.addBoth(self._finish, sifting)
        return False

    def _drop(self, unwanted: list[Message], sifting: Sifting) -> None:
        if not unwanted:
            return
        sifting.drops(len(unwanted), self._engine.commit(Batch(withdrawn=unwanted)))
        if self._events.wants(Dropped):
            _, name = owner_and_name(sifting.queue)
            for message in unwanted:
                self._events.emit(Dropped, sifting.session, name, message, "selector changed")

    def _finish(self, result: object, sifting: Sifting) -> object:
        """All has been looked at, and what was dropped is gone for good, if it could be."""
        queue = sifting.queue
        if self._siftings.get(queue) is sifting and not sifting.has_failed:
            self._engine.sifted(queue)
            self.end(queue)
        return result
