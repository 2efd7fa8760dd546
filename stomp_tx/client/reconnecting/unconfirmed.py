"""UnconfirmedSends: what was sent and has not been receipted; it is sent again on the next connection."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.deferred import ClientDeferred, failed
from stomp_tx.client.reconnecting.sends import ReplayedSends, Send
from stomp_tx.client.session.session import ClientSession
from stomp_tx.errors import ConnectionLost, LimitExceeded, ReceiptTimeout

MOST = 10
"""As many times what the window has room for is kept of those who don't wait for room; no more."""


class UnconfirmedSends:
    """SENDs in their order, as many as fit; who sends more waits for room.

    most -- messages and transactions
    most_octets -- of their bodies
    """

    log = Logger()

    def __init__(self, most: int, most_octets: int) -> None:
        self._most = most
        self._most_octets = most_octets
        self._octets = 0
        self._entries: dict[str, Send | ReplayedSends] = {}
        self._waiting: deque[Deferred[None]] = deque()
        self._session: ClientSession | None = None  # what is added is said there at once
        self._over: ConnectionLost | None = None  # nothing is taken any more

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= self._most or self._octets >= self._most_octets

    def add(self, entry: Send | ReplayedSends, confirmed: bool) -> Deferred[None]:
        """Send it as soon as that can be, after all that came before.

        confirmed -- the Deferred fires when it is safe; else when there is room for more

        Fails with what the broker or the protocol has against it, with LimitExceeded when nobody waited
        for room, and with ConnectionLost when it is over.  Cancelling it takes back what has not been said
        yet, if confirmed.
        """
        if self._over is not None:
            return failed(ConnectionLost(self._over.summary, self._over.detail))
        if len(self._entries) >= MOST * self._most or self._octets >= MOST * self._most_octets:
            why = f"{len(self._entries)} wait to be sent, {MOST} times as much as the window has room for"
            return failed(LimitExceeded("too many messages wait to be sent", f"{why}: await each send()"))
        self._entries[entry.name] = entry
        self._octets += entry.size
        if confirmed:
            entry.answer = ClientDeferred(lambda _: self._given_up(entry))
        session = self._session
        if session is not None and not session.status.is_over:
            self._write(entry, session)
        if entry.answer is not None:
            return entry.answer
        if self.is_full:
            room: Deferred[None] = ClientDeferred(self._waiting.remove)
            self._waiting.append(room)
            return room
        if session is not None and not session.status.is_over and session.outgoing.sender.full:
            # The loss of the connection is no reason not to go on: there is room here.
            return session.outgoing.room().addErrback(lambda _: None)
        return succeed(None)

    def resume(self, session: ClientSession, said: Send | ReplayedSends | None = None) -> None:
        """Say there all that there is, in its order, and what will be added.

        said -- the one that was said there already, and is not answered yet
        """
        self._session = session
        for entry in list(self._entries.values()):
            # Who was told of one before may have given this one up.
            if entry.name in self._entries and entry is not said:
                self._write(entry, session)

    @property
    def first(self) -> Send | ReplayedSends | None:
        """The one that comes before all others; None: there is none."""
        return next(iter(self._entries.values()), None)

    def say(self, entry: Send | ReplayedSends, session: ClientSession) -> Deferred[None]:
        """Say one of them there; fires when it is safe, or was refused, or the session is over."""
        return self._write(entry, session)

    def refuse(self, entry: Send | ReplayedSends, error: Exception) -> None:
        """It is not sent again, for this reason."""
        if entry.name in self._entries:
            self._refused(Failure(error), entry)

    def pause(self) -> None:
        """The connection is gone: what is added waits for the next one."""
        self._session = None

    def begin(self) -> None:
        """It takes what is to be sent."""
        self._over = None

    def end(self, error: ConnectionLost) -> None:
        """Nothing will be sent any more, until it begins again."""
        self._session = None
        self._over = error
        entries, self._entries = self._entries, {}
        self._octets = 0
        for entry in entries.values():
            if entry.answer is not None and not entry.answer.called:
                entry.answer.errback(Failure(error))
        while self._waiting:
            self._waiting.popleft().errback(Failure(error))

    def _write(self, entry: Send | ReplayedSends, session: ClientSession) -> Deferred[None]:
        entry.written = True
        return entry.write(session).addCallbacks(self._safe, self._failed, (entry,), {}, (entry, session), {})

    def _safe(self, _: None, entry: Send | ReplayedSends) -> None:
        self._take_out(entry)
        if entry.answer is not None and not entry.answer.called:
            entry.answer.callback(None)

    def _failed(self, failure: Failure, entry: Send | ReplayedSends, session: ClientSession) -> None:
        if failure.check(ReceiptTimeout):
            session.abort()  # whether it is safe is unknown: the next connection will tell
        elif not session.status.is_loss(failure.value):
            self._refused(failure, entry)

    def _refused(self, failure: Failure, entry: Send | ReplayedSends) -> None:
        self._take_out(entry)
        if entry.answer is None:
            self.log.failure("a message was not sent", failure)
        elif not entry.answer.called:
            entry.answer.errback(failure)

    def _given_up(self, entry: Send | ReplayedSends) -> None:
        if not entry.written:
            self._take_out(entry)

    def _take_out(self, entry: Send | ReplayedSends) -> None:
        if self._entries.pop(entry.name, None) is None:
            return
        self._octets -= entry.size
        while self._waiting and not self.is_full:
            self._waiting.popleft().callback(None)
