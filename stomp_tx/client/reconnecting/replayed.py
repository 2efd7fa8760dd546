"""ReplayedTransaction: one that outlives its connection."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, succeed

from stomp_tx.client.deferred import failed
from stomp_tx.client.reconnecting.sends import ReplayedSends, Send, SendFactory
from stomp_tx.client.reconnecting.unconfirmed import UnconfirmedSends
from stomp_tx.errors import ProtocolViolation
from stomp_tx.wire.headers import Headers


class ReplayedTransaction:
    """Messages that are sent all together or not at all, on this connection or a later one.

    ::

        async with client.replayed_transaction() as transaction:
            transaction.send("/queue/a", "1")
            transaction.send("/queue/b", "2")

    Leaving the block commits: the broker has all of it then.  An exception drops it: nothing was sent.
    """

    def __init__(self, send_factory: SendFactory, unconfirmed: UnconfirmedSends) -> None:
        self._send_factory = send_factory
        self._unconfirmed = unconfirmed
        self._sends: list[Send] | None = []

    def send(
        self,
        destination: str,
        body: Any,
        *,
        content_type: str | None = None,
        headers: Headers | None = None,
        receipt: bool = False,
        content_length: bool = True,
    ) -> Deferred[None]:
        """As StompClient.send, at ``commit``; until then it is kept here, and a ``receipt`` is COMMIT's.

        Fails with FrameError, TypeError or ValueError for what can't be sent, and with ProtocolViolation when
        the transaction is over.
        """
        if self._sends is None:
            return failed(ProtocolViolation("the transaction is over"))
        try:
            new = self._send_factory.new(destination, body, content_type, headers, content_length)
            self._sends.append(new)
        except Exception as error:  # it is made of what a user gave
            return failed(error)
        return succeed(None)

    def commit(self) -> Deferred[None]:
        """Send all of it; fires when the broker has it.

        Fails with ErrorReceived when the broker has refused it, LimitExceeded when too much waits to be sent,
        and ProtocolViolation when the transaction is over: none of it was done then.  With ConnectionLost
        when the service was stopped or has given up before the broker has answered.
        """
        sends, self._sends = self._sends, None
        if sends is None:
            return failed(ProtocolViolation("the transaction is over"))
        return self._unconfirmed.add(ReplayedSends(self._send_factory.new_name(), sends), True)

    def abort(self, *, receipt: bool = False) -> Deferred[None]:
        """Drop it; the broker knows nothing of it, and answers nothing."""
        self._sends = None
        return succeed(None)

    def _check_open(self, session: object = None) -> NoReturn:
        """Raises ProtocolViolation: what it takes are messages to send."""
        raise ProtocolViolation("an acknowledgement can't be replayed", "it is of one connection")

    def __repr__(self) -> str:
        state = "is over" if self._sends is None else f"messages: {len(self._sends)}"
        return f"<ReplayedTransaction {state}>"

    async def __aenter__(self) -> ReplayedTransaction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sends is None:
            return  # ended by hand
        if kind is None:
            await self.commit()
        else:
            self.abort()
