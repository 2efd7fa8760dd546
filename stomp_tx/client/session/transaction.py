"""Transaction: what happens together or not at all, from the client's side."""

from __future__ import annotations

import enum
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred

from stomp_tx.client.arguments import not_the
from stomp_tx.client.deferred import client_deferred, failed
from stomp_tx.client.session.outgoing import Outgoing
from stomp_tx.errors import ProtocolViolation, StompError, TransactionLost
from stomp_tx.wire import frames
from stomp_tx.wire.headers import Headers

if TYPE_CHECKING:
    from stomp_tx.client.session.message import Message
    from stomp_tx.wire.frame import Frame


class Settled(Protocol):
    """Whose messages are acknowledged in a transaction."""

    def restore(self, settled: dict[int, Frame]) -> None:
        """These are to be acknowledged again."""


class _State(enum.Enum):
    NEW = "has not begun"
    BEGINNING = "has not begun yet"
    OPEN = "is open"
    OVER = "is over"


class Transaction:
    """SENDs, ACKs and NACKs that the broker does all at once, at COMMIT (STOMP 1.2, "BEGIN").

    ::

        async with client.transaction() as transaction:
            await transaction.send("/queue/results", result)
            await transaction.ack(message)

    Leaving the block commits, and the broker has answered then; an exception aborts.  Elsewhere: ``begin``,
    and then ``commit`` or ``abort``.

    When the connection is lost before ``commit``, the broker has forgotten it: everything fails with
    TransactionLost from then on.

    id -- its name on its connection, once it has begun
    """

    _outgoing: Outgoing

    def __init__(self, find: Callable[[], Deferred[Outgoing]]) -> None:
        """
        find -- gives what the session says that it is to begin on
        """
        self.id = ""
        self._find = find
        self._state = _State.NEW
        self._settled: list[tuple[Settled, dict[int, Frame]]] = []

    def begin(self) -> Deferred[Transaction]:
        """Begin; fires with this transaction.  The broker is told, not asked.

        Fails with ConnectionLost when there is no connection, and with ProtocolViolation the second time.
        """
        if self._state is not _State.NEW:
            return failed(ProtocolViolation("the transaction has begun already"))
        self._state = _State.BEGINNING
        return client_deferred(self._find().addCallback(self._begin_on))

    def _begin_on(self, outgoing: Outgoing) -> Deferred[Transaction]:
        self._state = _State.OPEN
        self._outgoing = outgoing
        self.id = outgoing.new_transaction()
        return outgoing.perform(frames.begin(self.id)).addCallback(lambda _: self)

    def commit(self) -> Deferred[None]:
        """Fires when the broker has done all of it (its RECEIPT has come); it fails when none of it was done.

        With ErrorReceived the broker has refused it.  After ConnectionLost or ReceiptTimeout, whether it was
        done is unknown.  With TransactionLost (the connection was lost before) and ProtocolViolation (it is
        over, or has not begun) it was not.
        """
        try:
            self._check_open()
        except StompError as error:
            return failed(error)
        self._state = _State.OVER
        self._settled = []
        return self._outgoing.perform(frames.commit(self.id), True)

    def abort(self, *, receipt: bool = False) -> Deferred[None]:
        """Do none of it.  What it acknowledged is to be acknowledged again.

        Fails with TransactionLost when the connection is lost, and none of it was done then, too; with
        ProtocolViolation when it is over, or has not begun.
        """
        try:
            self._check_open()
        except StompError as error:
            return failed(error)
        self._state = _State.OVER
        settled, self._settled = self._settled, []
        for acknowledgments, messages in settled:
            acknowledgments.restore(messages)
        return self._outgoing.perform(frames.abort(self.id), receipt)

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
        """As StompClient.send, at COMMIT.

        A RECEIPT here says at most that the broker has accepted it; RabbitMQ sends it only after COMMIT.

        Fails as that, and with TransactionLost when the connection is lost; with ProtocolViolation when it is
        over, or has not begun.
        """
        try:
            self._check_open()
        except StompError as error:
            return failed(error)
        return self._outgoing.send(
            destination,
            body,
            content_type,
            headers,
            receipt=receipt,
            transaction=self.id,
            content_length=content_length,
        )

    def ack(self, message: Message, *, receipt: bool = False) -> Deferred[None]:
        """As StompClient.ack, at COMMIT.  Fails as that, and as ``send``."""
        if not hasattr(message, "ack"):
            return failed(not_the("ack", "Message", "has come", message))
        return message.ack(receipt=receipt, transaction=self)

    def nack(self, message: Message, *, receipt: bool = False) -> Deferred[None]:
        """As StompClient.nack, at COMMIT.  Fails as that, and as ``send``."""
        if not hasattr(message, "nack"):
            return failed(not_the("nack", "Message", "has come", message))
        return message.nack(receipt=receipt, transaction=self)

    def __repr__(self) -> str:
        named = f" {self.id!r}" if self.id else ""
        return f"<Transaction{named} {self._state.value}>"

    async def __aenter__(self) -> Transaction:
        return await self.begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._state is not _State.OPEN:
            return  # ended by hand
        if kind is None:
            await self.commit()
        else:
            # Not waited for: the error that is under way is what matters, and it may be a cancellation.
            self.abort()

    # -- for the session's other parts --------------------------------------------------------------------

    def _check_open(self, outgoing: Outgoing | None = None) -> None:
        """Raise ProtocolViolation unless it is open on this session, TransactionLost when that is over."""
        if self._state is not _State.OPEN:
            raise ProtocolViolation(f"the transaction {self._state.value}")
        if self._outgoing.status.is_over:
            lost = self._outgoing.status.lost()
            raise TransactionLost(f"the transaction is lost: {lost.summary}", lost.hint) from lost
        if outgoing is not None and outgoing is not self._outgoing:
            raise ProtocolViolation("the transaction is another connection's")

    def _has_settled(self, acknowledgments: Settled, messages: dict[int, Frame]) -> None:
        """These messages, by their numbers, were acknowledged in it."""
        self._settled.append((acknowledgments, messages))
