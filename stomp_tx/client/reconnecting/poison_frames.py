"""PoisonSearch: which frame it is that a broker can't bear, where its ERRORs do not say."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from stomp_tx.client.session.session import ClientSession
from stomp_tx.errors import ErrorReceived

SURE = 3
"""Connections in a row that a frame has to end."""

QUIET = 1.0
"""Seconds that a connection has to live without the frame first; more where the broker is slow."""

PATIENCE = 10.0
"""Seconds after which an ERROR is no answer any more, and after which the connection is for all again.

The broker may answer only when something else was said: a queue is full, and who would empty it is here.
"""


class PoisonSearch:
    """Finds the frame that ends each connection, and blames none that is only there when connections end.

    An ERROR that names no receipt may be about anything: what was sent, or the broker's own end.  What alone
    was outstanding when one came is suspected, and no more.  It is tried on the next connections.  Nothing
    else happens on those: no message is given to anybody who would acknowledge it.  They have to stay alive
    for longer than the broker took for its ERROR; only then the suspect is sent.  It is to blame when that
    has ended three of them, one after the other, and none ended before.

    So whatever ends connections by itself, at whatever time of their life, ends some without the suspect.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._suspect: object = None
        self._took = 0.0  # seconds from what was said to the ERROR, at most
        self._failed = 0  # connections that it has ended since

    def begin(self, session: ClientSession) -> None:
        """A session on which things are said one by one."""
        if self._suspect is not None:
            session.subscriptions.hold()

    async def alone(
        self,
        what: object,
        say: Callable[[], Deferred[None]],
        asks: bool,
        session: ClientSession,
        most: float | None = None,
    ) -> bool:
        """Say it while nothing else is outstanding.  True: it has ended the session, as it always does.

        say -- fires when it was answered, or the session is over
        asks -- it asks for a receipt
        most -- seconds that an answer is waited for; None: any
        """
        is_tried = what is self._suspect
        if is_tried:
            await quiet(session, max(QUIET, 2 * self._took))
            if session.status.is_over:
                if says_nothing(session):
                    self.acquit(session)
                return False
        answered = say()
        if not session.status.is_over:
            # What is large is under way for a while.
            await session.outgoing.room().addErrback(lambda _: None)
        began = self._clock.seconds()
        impatient = self._clock.callLater(PATIENCE, self.acquit, session) if is_tried else None
        try:
            await (answered if most is None else _or_late(answered, most, self._clock))
        finally:
            if impatient is not None and impatient.active():
                impatient.cancel()
        if not session.status.is_over:
            if is_tried:
                self.acquit(session)
            return False
        took = self._clock.seconds() - began
        if not may_be_about(session, asks) or took > PATIENCE:
            return False
        if what is not self._suspect:
            self._suspect, self._took, self._failed = what, took, 0
            return False
        self._took = max(took, self._took)
        self._failed += 1
        if self._failed < SURE:
            return False
        self.acquit()
        return True

    def acquit(self, session: ClientSession | None = None) -> None:
        """Nothing is suspected any more; the session goes on as usual."""
        self._suspect = None
        if session is not None:
            session.subscriptions.release()


def says_nothing(session: ClientSession) -> bool:
    """Did it end with an ERROR that may be about anything?"""
    reason = session.status.reason
    # A receipt-id may be empty, or name nothing that is outstanding.
    if not isinstance(reason, ErrorReceived) or session.status.names_receipt:
        return False
    return not session.status.dialect.is_about_no_frame(reason, is_named=False)


def may_be_about(session: ClientSession, asks: bool) -> bool:
    """Did it end with an ERROR that may be about something which asks for a receipt (or asks for none)?"""
    return says_nothing(session) and not (asks and session.status.dialect.names_receipts)


def _or_late(answered: Deferred[None], seconds: float, clock: IReactorTime) -> Deferred[None]:
    """Fires when it was answered, and no later; what it is does not matter."""
    done: Deferred[None] = Deferred()
    timer = clock.callLater(seconds, done.callback, None)

    def is_answered(result: object) -> object:
        if timer.active():
            timer.cancel()
            done.callback(None)
        return result

    answered.addBoth(is_answered)
    return done


async def quiet(session: ClientSession, seconds: float) -> None:
    """So many seconds later, or once the connection is gone."""
    ended = session.status.when_gone()
    ended.addTimeout(seconds, session.clock, lambda *_: None)
    await ended
