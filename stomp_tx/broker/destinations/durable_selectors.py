"""DurableSelectors: which messages a durable subscription keeps, and the end of others that it has.

The selector of a durable subscription of one's own is part of the subscription: the engine stores it with the
binding, and has us say of each message that is published to its topic whether it matches.  Where several may
consume from one queue (``/topic/t::QUEUE``) a selector is no more than what one of them wants of it.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stomp_tx.auth.identity import ANONYMOUS
from stomp_tx.broker.destinations.registry import SubscriptionRegistry
from stomp_tx.broker.destinations.selector_changes import SelectorChanges, Sifting
from stomp_tx.broker.durable_names import owner_and_name
from stomp_tx.broker.events import Events, SelectorChanged
from stomp_tx.broker.selector.selector import compiled
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.interfaces import IEngine, Safe, Test
from stomp_tx.printable import printable

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
        self._events = events
        self._selector_changes = SelectorChanges(engine, clock, events, self._sifted)
        self._senseless: dict[str, str] = {}  # by queue: unsifted ones that can't be understood
        self._changing: dict[str, Deferred[None]] = {}  # by queue: fires when its new selector is safe
        engine.select(self._test_of)

    def start(self) -> None:
        """The broker is open."""
        self._selector_changes.start()

    def stop(self) -> None:
        """Look at no more: the next broker begins with what is left."""
        self._selector_changes.stop()

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

        if safe is None:
            self._changed(None, queue, selector, before, session)
        else:
            safe.addCallback(self._changed, queue, selector, before, session)
        return safe

    def _await(self, queue: str, safe: Deferred[None]) -> None:
        """Until then it can't change once more."""
        self._changing[queue] = safe
        safe.addBoth(self._no_longer_changing, queue, safe)

    def _no_longer_changing(self, result: object, queue: str, safe: Deferred[None]) -> object:
        if self._changing.get(queue) is safe:  # (else it has ended meanwhile, and there is a new one)
            del self._changing[queue]
        return result

    def _must_have_room_for(self, selector: str, before: str) -> None:
        most = self._settings.durable_selectors
        more = len(selector) - len(before)
        if more > 0 and self._engine.selector_characters + more > most:
            raise LimitExceeded(
                "too many selectors",
                f"those of all durable subscriptions together may have {most} characters",
            )

    def _changed(self, _: None, queue: str, selector: str, before: str | None, session: str) -> None:
        """That is safe."""
        self._selector_changes.end(queue)
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
        self._selector_changes.sweep()
        for queue in list(self._engine.unsifted):
            if (
                queue not in self._selector_changes
                and self._senseless.get(queue) != self._engine.selectors[queue]
            ):
                self._sift(queue, "")

    def _sift(self, queue: str, session: str) -> None:
        engine = self._engine
        selector = engine.selectors[queue]
        try:
            wants = _matches(selector)
        except Exception:
            self._senseless[queue] = selector
            return  # it keeps all, as was told when the engine asked
        self._selector_changes.begin(Sifting(queue, engine.bindings[queue], selector, wants, session))

    def _sifted(self, sifting: Sifting) -> None:
        """It is looked through no further; say what came of it."""
        self._tell(sifting.session, sifting.queue, sifting.topic, sifting.selector, sifting.dropped)


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
