"""DurableSelectors: which messages a durable subscription keeps, and the end of others that it has.

The selector of a durable subscription of one's own is part of the subscription: the engine stores it with the
binding, and has us say of each message that is published to its topic whether it matches.  Where several may
consume from one queue (``/topic/t::QUEUE``) a selector is no more than what one of them wants of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.auth.identity import ANONYMOUS
from stomp_tx.broker.destinations.registry import SubscriptionRegistry
from stomp_tx.broker.durable_names import owner_and_name
from stomp_tx.broker.events import Dropped, Events, SelectorChanged
from stomp_tx.broker.selector.selector import compiled
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.interfaces import IEngine, Safe, Test
from stomp_tx.message import Message
from stomp_tx.printable import printable

AT_ONCE = 200
"""Messages that are looked at before it is others' turn."""

SHOWN = 200
"""Characters of a selector that an ERROR or the log shows."""


class DurableSelectors:
    """Stores selectors with durable subscriptions, and changes them.

    After a change what waits is looked through, some in each turn.  That this is not done yet is stored with
    the selector, and a broker that starts goes on with it.  Who consumes meanwhile is given nothing that does
    not match, whether it has been dropped or not.
    """

    log = Logger()

    def __init__(
        self,
        engine: IEngine,
        registry: SubscriptionRegistry,
        settings: BrokerSettings,
        clock: IReactorTime,
        events: Events,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._events = events
        self._siftings: dict[str, _Sifting] = {}  # by queue
        self._turns: deque[_Sifting] = deque()  # those that have more to look at; and some that have ended
        self._next: IDelayedCall | None = None
        self._is_stopped = False
        self._senseless: dict[str, str] = {}  # by queue: unsifted ones that can't be understood
        self._changing: dict[str, Deferred[None]] = {}  # by queue: fires when its new selector is safe
        engine.select(self._test_of)

    def start(self) -> None:
        """The broker is open."""
        self._is_stopped = False
        self._go_on_soon()

    def stop(self) -> None:
        """Look at no more: the next broker begins with what is left."""
        self._is_stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def bind(self, queue: str, topic: str, selector: str, session: str) -> Safe:
        """Make a durable subscription of one's own with this selector (empty: none), or give it this one.

        The first one that is said of a subscription that is there drops nothing: a version that stored none
        has made it.

        session -- the id of the one that asks for it

        Raises StompError when that can't be.
        """
        engine = self._engine
        before = engine.selectors.get(queue)
        is_there = queue in engine.bindings
        if is_there and before != selector:
            if queue in self._changing:
                raise _in_use("its selector is changing just now: SUBSCRIBE again when that is done")
            if before is not None and self._registry.is_consumed(queue):
                raise _in_use(_only_with(before))
        self._must_have_room_for(selector, before or "")
        safe: Safe = engine.bind(queue, topic, selector)
        if before == selector:
            return safe
        if safe is not None:
            self._await(queue, safe)
        if not is_there:
            return safe
        self._registry.discard(queue)  # and what it held back waits in the engine again

        def changed(_: None) -> None:
            self._changed(queue, selector, before, session)

        if safe is None:
            changed(None)
        else:
            safe.addCallback(changed)
        return safe

    def _await(self, queue: str, safe: Deferred[None]) -> None:
        """Until then it can't change once more."""
        self._changing[queue] = safe

        def done(result: object) -> object:
            if self._changing.get(queue) is safe:  # (else it has ended meanwhile, and there is a new one)
                del self._changing[queue]
            return result

        safe.addBoth(done)

    def _must_have_room_for(self, selector: str, before: str) -> None:
        most = self._settings.durable_selectors
        more = len(selector) - len(before)
        if more > 0 and self._engine.selector_characters + more > most:
            raise LimitExceeded(
                "too many selectors",
                f"those of all durable subscriptions together may have {most} characters",
            )

    def _changed(self, queue: str, selector: str, before: str | None, session: str) -> None:
        """That is safe."""
        self._end(queue)
        if self._engine.selectors.get(queue) != selector:
            return  # it has become another one since, or the subscription has ended
        if queue in self._engine.unsifted:
            self._sift(queue, session)
        elif selector or before:
            self._tell(session, queue, self._engine.bindings[queue], selector, 0, before is None)

    def _tell(
        self, session: str, queue: str, topic: str, selector: str, dropped: int, is_first: bool = False
    ) -> None:
        owner, name = owner_and_name(queue)
        user = owner or ANONYMOUS
        self._events.emit(SelectorChanged, session, user, name, topic, selector, dropped, is_first)

    def _test_of(self, queue: str, selector: str) -> Test | None:
        """What the engine asks, of texts that another version may have stored, too."""
        try:
            return _matches(selector)
        except Exception as error:
            owner, name = owner_and_name(queue)
            self.log.warn(
                "{user}'s durable subscription {subscription} keeps all messages: its selector {selector!r}"
                " can't be understood ({error}); SUBSCRIBE with another one",
                user=printable(owner or ANONYMOUS),
                subscription=printable(name),
                selector=selector[:SHOWN],
                error=printable(getattr(error, "detail", repr(error))),
            )
            return None

    # -- what is kept no longer ---------------------------------------------------------------------------

    def sweep(self) -> None:
        """Begin with what was left to be looked through.  Called every second or so."""
        for queue in self._senseless.keys() - self._engine.unsifted.keys():
            del self._senseless[queue]
        for queue in list(self._engine.unsifted):
            sifting = self._siftings.get(queue)
            if sifting is None:
                if self._senseless.get(queue) != self._engine.selectors[queue]:
                    self._sift(queue, "")
            elif sifting.has_failed:
                self._begin(sifting)

    def _sift(self, queue: str, session: str) -> None:
        engine = self._engine
        selector = engine.selectors[queue]
        try:
            wants = _matches(selector)
        except Exception:
            self._senseless[queue] = selector
            return  # it keeps all, as was told when the engine asked
        self._siftings[queue] = sifting = _Sifting(queue, engine.bindings[queue], selector, wants, session)
        self._begin(sifting)

    def _begin(self, sifting: _Sifting) -> None:
        sifting.waiting = (message for page in self._engine.browse(sifting.queue) for message in page)
        sifting.has_failed = False
        self._turns.append(sifting)
        self._go_on_soon()

    def _go_on_soon(self) -> None:
        # Not at once: what has become safe together with a change arrives in this turn.
        if self._turns and self._next is None and not self._is_stopped:
            self._next = self._clock.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._next = None
        sifting = self._turns.popleft()
        if self._siftings.get(sifting.queue) is sifting:
            try:
                if self._look(sifting):
                    self._turns.append(sifting)
            except Exception:  # ``sweep`` begins anew
                sifting.has_failed = True
                if not sifting.is_told:
                    sifting.is_told = True
                    self.log.failure("{queue} can't be looked through: goes on trying", queue=sifting.queue)
        self._go_on_soon()

    def _look(self, sifting: _Sifting) -> bool:
        """At some of what waits.  True: there is more."""
        if self._engine.selectors.get(sifting.queue) != sifting.selector:
            self._end(sifting.queue)
        if sifting.has_failed or sifting.queue not in self._siftings:
            return False  # (where it has failed ``sweep`` begins anew)
        left = AT_ONCE
        for message in sifting.waiting:
            left -= message.looks
            if not sifting.wants(message):
                self._drop(message, sifting)
            if left <= 0:
                return True

        def finish(result: object) -> object:
            self._finish(sifting)
            return result

        if sifting.safe is None:
            self._finish(sifting)
        else:
            sifting.safe.addBoth(finish)
        return False

    def _drop(self, message: Message, sifting: _Sifting) -> None:
        sifting.drops(self._engine.withdraw(message))
        if self._events.wants(Dropped):
            _, name = owner_and_name(sifting.queue)
            self._events.emit(Dropped, sifting.session, name, message, "selector changed")

    def _finish(self, sifting: _Sifting) -> None:
        """All has been looked at, and what was dropped is gone for good, if it could be."""
        queue = sifting.queue
        if self._siftings.get(queue) is sifting and not sifting.has_failed:
            self._engine.sifted(queue)
            self._end(queue)

    def _end(self, queue: str) -> None:
        """It is looked through no further; say what came of it."""
        sifting = self._siftings.pop(queue, None)
        if sifting is not None:
            self._tell(sifting.session, queue, sifting.topic, sifting.selector, sifting.dropped)


class _Sifting:
    """How far the messages of one queue have been looked through.

    session -- whose SUBSCRIBE was the reason; empty: that was before the broker started
    waiting -- what has not been looked at
    dropped -- how many are gone for good
    safe -- when the others that were dropped are; None: all are
    has_failed -- some could not be dropped, or looked at
    is_told -- the log says why they could not be looked at
    """

    waiting: Iterator[Message]

    def __init__(self, queue: str, topic: str, selector: str, wants: Test, session: str) -> None:
        self.queue = queue
        self.topic = topic
        self.selector = selector
        self.wants = wants
        self.session = session
        self.dropped = 0
        self.safe: Safe = None
        self.has_failed = False
        self.is_told = False
        self._going: dict[Deferred[None], int] = {}  # how many are gone when these fire

    def drops(self, safe: Safe) -> None:
        """One more."""
        if safe is None:
            self.dropped += 1
            return
        if safe is not self.safe:
            self.safe = safe
            self._going[safe] = 0
            safe.addCallbacks(self._gone, self._not_gone, callbackArgs=(safe,), errbackArgs=(safe,))
        self._going[safe] += 1

    def _gone(self, _: None, safe: Deferred[None]) -> None:
        self.dropped += self._going.pop(safe)

    def _not_gone(self, failure: Failure, safe: Deferred[None]) -> Failure:
        del self._going[safe]
        self.has_failed = True
        return failure


def _matches(selector: str) -> Test:
    # Whatever the settings say now: it was short enough when it was stored.
    return compiled(selector, len(selector)).matches


def _in_use(detail: str) -> ProtocolViolation:
    return ProtocolViolation("durable subscription in use", detail)


def _only_with(selector: str) -> str:
    """Why it can't have another one now."""
    if selector:
        has, same = f"its selector is {selector[:SHOWN]!a}", "with the same selector"
    else:
        has, same = "it has no selector", "without one"
    return f"{has}, which can't change while somebody consumes from it: end that first, or SUBSCRIBE {same}"
