"""Resuming: what is done again on the next connection."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.answer import Answer, failed
from stomp_tx.client.session import ClientSession
from stomp_tx.client.subscription import Subscription
from stomp_tx.client.window import Window
from stomp_tx.errors import ConnectionLost, ErrorReceived, ProtocolViolation, StompError


class Resuming:
    """The subscriptions that are made again, in their order, and the window that is sent again."""

    log = Logger()

    def __init__(self, window: Window) -> None:
        self._window = window
        self._subscriptions: dict[str, Subscription] = {}
        self._asked: dict[Subscription, Deferred[Subscription]] = {}  # whose SUBSCRIBE was never answered
        self._without_receipt: set[Subscription] = set()
        self._careful = False  # an ERROR said not what it was about

    def subscribe(
        self, subscription: Subscription, receipt: bool, session: ClientSession
    ) -> Deferred[Subscription]:
        """Fires when it is in force, over this connection or a later one."""
        known = self._subscriptions.get(subscription.id)
        if known is not None and not known.ended:
            return failed(ProtocolViolation("subscription exists already", f"its id is {subscription.id!a}"))
        self._subscriptions.pop(subscription.id, None)
        self._subscriptions[subscription.id] = subscription
        answer: Deferred[Subscription] = Answer(lambda _: self._given_up(subscription))
        self._asked[subscription] = answer
        if not receipt:
            self._without_receipt.add(subscription)
        if not session.is_over:
            self._make(subscription, session)
        return answer

    async def resume(self, session: ClientSession) -> None:
        """Do again what there is to do; raises ConnectionLost when the session ends meanwhile."""
        if self._careful:
            await self._resume_one_by_one(session)
        else:
            making = [self._make(one, session) for one in self._lasting()]
            self._window.resume(session)
            for made in making:
                await made
        if session.is_over:
            self.lost(session.reason)
            raise session.lost()
        self._careful = False

    async def _resume_one_by_one(self, session: ClientSession) -> None:
        for one in self._lasting():
            await self._make(one, session)
            if session.is_over:
                if isinstance(session.reason, ErrorReceived):
                    self._refused(one, session.reason)
                return
        await self._window.resume_one_by_one(session)

    def lost(self, reason: StompError | None) -> None:
        """The connection is gone.  Was it for something that nobody knows of?"""
        if isinstance(reason, ErrorReceived) and "receipt-id" not in reason.headers:
            self._careful = True

    def stop(self) -> None:
        """Nothing is subscribed any more."""
        for one in self._lasting():
            if one.session.is_over:
                one.end(None)

    def end(self) -> None:
        """Whoever still waits is told, and the subscriptions are over."""
        asked, self._asked = self._asked, {}
        subscriptions, self._subscriptions = self._subscriptions, {}
        self._without_receipt.clear()
        for subscription in subscriptions.values():
            subscription.end(None)
        for subscription, answer in asked.items():
            if not answer.called:
                answer.errback(Failure(subscription.session.lost()))

    def _lasting(self) -> list[Subscription]:
        for name, one in list(self._subscriptions.items()):
            if one.ended:
                del self._subscriptions[name]
        return list(self._subscriptions.values())

    def _make(self, subscription: Subscription, session: ClientSession) -> Deferred[None]:
        """SUBSCRIBE; fires when that was answered, or never will be.  It never fails."""
        subscription.session = session
        asked = session.subscribe(subscription, subscription not in self._without_receipt)
        done: Deferred[None] = Deferred()

        def made(_: object) -> None:
            answer = self._asked.pop(subscription, None)
            if answer is not None and not answer.called:
                answer.callback(subscription)

        def refused(failure: Failure) -> None:
            if not failure.check(ConnectionLost):
                self._refused(subscription, failure.value)

        asked.addCallbacks(made, refused).addBoth(lambda _: done.callback(None))
        return done

    def _refused(self, subscription: Subscription, error: BaseException | None) -> None:
        """The broker wants no such subscription: it is not made again."""
        self._subscriptions.pop(subscription.id, None)
        self._without_receipt.discard(subscription)
        answer = self._asked.pop(subscription, None)
        reason = error if isinstance(error, StompError) else StompError("subscription refused", str(error))
        subscription.lasting = False
        subscription.end(reason)
        if answer is None:
            self.log.error("{subscription!r} has ended: {reason}", subscription=subscription, reason=reason)
        elif not answer.called:
            answer.errback(Failure(reason))

    def _given_up(self, subscription: Subscription) -> None:
        """Nobody waits for it: nobody has it."""
        self._asked.pop(subscription, None)
        subscription.unsubscribe(receipt=False).addErrback(lambda _: None)
