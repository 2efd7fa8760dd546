"""Status: what was agreed on with the broker, and why the conversation is over."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from stomp_tx.client.deferred import ClientDeferred
from stomp_tx.client.dialect import UNKNOWN, Dialect
from stomp_tx.client.session import connection_loss
from stomp_tx.errors import ConnectionLost, ErrorReceived, StompError
from stomp_tx.wire.booleans import odd_boolean
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame


class Status:
    """How a session is.  The session writes it, and its parts read it.

    peer -- where the broker is, for people; "": there is no connection yet
    version -- the protocol's: "1.0", "1.1" or "1.2"
    headers -- CONNECTED's
    dialect -- how this broker wants to be spoken to
    is_over -- nothing can be said any more
    reason -- why it is over; None while it is not, and when disconnect() was called and answered
    names_receipt -- the reason is an ERROR about something that asked for a receipt, and which one is known
    """

    log = Logger()

    def __init__(self) -> None:
        self.peer = ""
        self.version: str = V10
        self.headers: Mapping[str, str] = {}
        self.dialect: Dialect = UNKNOWN
        self.is_over = False
        self.reason: StompError | None = None
        self.names_receipt = False
        self._is_gone = False
        self._waiting: list[Deferred[StompError | None]] = []
        self._has_told = False  # of a header that is ignored

    def lost(self) -> ConnectionLost:
        """A new ConnectionLost that says why the session is over."""
        return connection_loss.lost(self.reason)

    def is_loss(self, error: BaseException | None) -> bool:
        """Has something failed with the loss of the connection, and not for a fault of its own?"""
        if isinstance(error, ErrorReceived):
            return self.dialect.is_about_no_frame(error, is_named=True)
        return isinstance(error, ConnectionLost)

    def when_gone(self) -> Deferred[StompError | None]:
        """Fires when the connection is gone, with ``reason``.  It never fails."""
        if self._is_gone:
            return succeed(self.reason)
        waiting: Deferred[StompError | None] = ClientDeferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def gone(self) -> None:
        """The connection is gone: those who wait for that are told."""
        self._is_gone = True
        while self._waiting:
            self._waiting.pop(0).callback(self.reason)

    def tell_of_odd(self, frame: Frame) -> None:
        """A boolean header is neither true nor false, and counts as absent: log the first one."""
        odd = odd_boolean(frame)
        if odd is not None and not self._has_told:
            self._has_told = True
            name, value = odd
            self.log.warn(
                "{peer} sends {header}:{value!r}, which is neither true nor false: it is ignored",
                peer=self.peer,
                header=name,
                value=value[:40],
            )
