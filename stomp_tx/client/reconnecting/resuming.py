"""Resuming: what is done again on the next connection."""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.deferred import ClientDeferred, failed
from stomp_tx.client.reconnecting.poison_frames import PATIENCE, QUIET, PoisonSearch, may_be_about, quiet
from stomp_tx.client.reconnecting.unconfirmed import UnconfirmedSends
from stomp_tx.client.session.consumer import Consumer
from stomp_tx.client.session.session import ClientSession
from stomp_tx.errors import (
    ConnectionLost,
    ConnectTimeout,
    ProtocolViolation,
    ReceiptTimeout,
    StompError,
)


class Resuming:
    """The subscriptions that are made again, in their order, and the sends that are repeated.

    An ERROR that names no receipt may be about anything: something that was sent, or the broker's own end.
    After one, what there is to do is done one by one.  What the broker can't bear, as a PoisonSearch finds
    out, is given up, so that the others may go on.

    timeout -- seconds that the broker may take to answer SUBSCRIBE on a new connection; None: any
    """

    log = Logger()

    def __init__(self, unconfirmed: UnconfirmedSends, clock: IReactorTime, timeout: float | None) -> None:
        self._unconfirmed = unconfirmed
        self._clock = clock
        self._timeout = timeout
        self._subscriptions: dict[str, Consumer] = {}
        self._asked: dict[Consumer, Deferred[None]] = {}  # whose SUBSCRIBE was never answered
        self._without_receipt: set[Consumer] = set()
        self._careful = False  # an ERROR said not what it was about
        self._poison_search = PoisonSearch(clock)

    def subscribe(self, consumer: Consumer, receipt: bool, session: ClientSession) -> Deferred[None]:
        """Fires when it is in force, over this connection or a later one."""
        if self.is_known(consumer.id):
            return failed(ProtocolViolation("subscription exists already", f"its id is {consumer.id!a}"))
        self._subscriptions[consumer.id] = consumer
        consumer.when_over = self._forget
        answer: Deferred[None] = ClientDeferred(lambda _: self._given_up(consumer))
        self._asked[consumer] = answer
        if not receipt:
            self._without_receipt.add(consumer)
        if not session.status.is_over:
            self._make(consumer, session)
        return answer

    def __len__(self) -> int:
        """How many subscriptions are made again."""
        return len(self._subscriptions)

    def is_known(self, id: str) -> bool:
        """Is there a subscription that goes by it?"""
        return id in self._subscriptions

    async def resume(self, session: ClientSession) -> None:
        """Do again what there is to do.

        Raises ConnectionLost when the session ends meanwhile, ConnectTimeout when SUBSCRIBE is not answered.
        """
        if self._careful:
            await self._resume_one_by_one(session)
        else:
            making = [self._make(one, session) for one in list(self._subscriptions.values())]
            self._unconfirmed.resume(session)
            for made in making:
                await self._in_time(made)
        if session.status.is_over:
            self.lost(session)
            raise session.status.lost()
        session.subscriptions.release()
        self._careful = False
        self._poison_search.acquit()

    async def _resume_one_by_one(self, session: ClientSession) -> None:
        self._poison_search.begin(session)
        for one in list(self._subscriptions.values()):
            if one.ended:
                continue  # meanwhile
            asks = one not in self._without_receipt
            if await self._poison_search.alone(one, partial(self._make_alone, one, session), asks, session):
                self._refused(one, session.status.reason)
            if session.status.is_over:
                return
        unanswered = None
        while not session.status.is_over and (entry := self._unconfirmed.first) not in (None, unanswered):
            assert entry is not None
            say = partial(self._unconfirmed.say, entry, session)
            if await self._poison_search.alone(entry, say, True, session, PATIENCE):
                assert session.status.reason is not None
                self._unconfirmed.refuse(entry, session.status.reason)
            unanswered = entry
        if not session.status.is_over:
            self._unconfirmed.resume(session, unanswered)

    def _make_alone(self, one: Consumer, session: ClientSession) -> Deferred[None]:
        made = self._in_time(self._make(one, session))
        if one in self._without_receipt:
            return made.addCallback(lambda _: Deferred.fromCoroutine(quiet(session, QUIET)))
        return made

    def _in_time(self, made: Deferred[None]) -> Deferred[None]:
        if self._timeout is None:
            return made
        late = ConnectTimeout(f"SUBSCRIBE was not answered within {self._timeout:g} seconds")
        return made.addTimeout(self._timeout, self._clock, lambda failure, seconds: Failure(late))

    def lost(self, session: ClientSession) -> None:
        """The connection is gone.  May it be for something that is to be done again?"""
        asks_not = len(self._without_receipt)
        asks = len(self._unconfirmed) + len(self._subscriptions) - asks_not
        if (asks and may_be_about(session, True)) or (asks_not and may_be_about(session, False)):
            self._careful = True

    def stop(self) -> None:
        """Nothing is subscribed any more."""
        for one in list(self._subscriptions.values()):
            if one.session.outgoing.status.is_over:
                one.end(None)

    def end(self, lost: ConnectionLost | None) -> None:
        """Whoever still waits is told, and the subscriptions are over, for that reason; None: in order."""
        asked, self._asked = self._asked, {}
        subscriptions, self._subscriptions = self._subscriptions, {}
        self._without_receipt.clear()
        self._careful = False
        self._poison_search.acquit()
        for consumer in subscriptions.values():
            consumer.lasting = False
            consumer.end(lost)
        for consumer, answer in asked.items():
            if not answer.called:
                answer.errback(Failure(lost or consumer.session.outgoing.status.lost()))

    def _forget(self, consumer: Consumer) -> None:
        """It is over."""
        if self._subscriptions.get(consumer.id) is consumer:
            del self._subscriptions[consumer.id]
        self._without_receipt.discard(consumer)

    def _make(self, consumer: Consumer, session: ClientSession) -> Deferred[None]:
        """SUBSCRIBE; fires when that was answered, or never will be.  It never fails."""
        consumer.move_to(session)
        asked = session.subscriptions.subscribe(consumer, consumer not in self._without_receipt)
        done: Deferred[None] = Deferred()

        def made(_: object) -> None:
            answer = self._asked.pop(consumer, None)
            if answer is not None and not answer.called:
                answer.callback(None)

        def refused(failure: Failure) -> None:
            if failure.check(ReceiptTimeout):
                session.abort()  # whether it is in force is unknown: the next connection will tell
            elif not session.status.is_loss(failure.value):
                self._refused(consumer, failure.value)

        def told(_: object) -> None:
            if not done.called:  # it may have been given up
                done.callback(None)

        asked.addCallbacks(made, refused).addBoth(told)
        return done

    def _refused(self, consumer: Consumer, error: BaseException | None) -> None:
        """The broker wants no such subscription: it is not made again."""
        answer = self._asked.pop(consumer, None)
        reason = error if isinstance(error, StompError) else StompError("subscription refused", str(error))
        consumer.lasting = False
        consumer.end(reason)
        if answer is None:
            self.log.error("{subscription!r} has ended: {reason}", subscription=consumer, reason=reason)
        elif not answer.called:
            answer.errback(Failure(reason))

    def _given_up(self, consumer: Consumer) -> None:
        """Nobody waits for it: nobody has it."""
        self._asked.pop(consumer, None)
        consumer.unsubscribe(False, False, None).addErrback(lambda _: None)
