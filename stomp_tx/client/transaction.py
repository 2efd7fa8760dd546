"""Transaction: what happens together or not at all, from the client's side."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from stomp_tx.client.answer import failed
from stomp_tx.errors import ProtocolViolation
from stomp_tx.wire import frames

if TYPE_CHECKING:
    from stomp_tx.client.message import Message
    from stomp_tx.client.session import ClientSession
    from stomp_tx.client.subscription import Subscription


class _State(enum.Enum):
    NEW = "has not begun"
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
    """

    def __init__(self, session: ClientSession, id: str) -> None:
        self.id = id
        self._session = session
        self._state = _State.NEW
        self._settled: list[tuple[Subscription, list[int]]] = []

    def begin(self) -> Deferred[Transaction]:
        """Begin; fires with this transaction.  The broker is told, not asked."""
        if self._state is not _State.NEW:
            return failed(ProtocolViolation("the transaction has begun already"))
        self._state = _State.OPEN
        told = self._session.outgoing.perform(frames.begin(self.id))
        return told.addCallback(lambda _: self)

    def commit(self) -> Deferred[None]:
        """Fires when the broker has done all of it (its RECEIPT has come); it fails when none of it was done.

        After ConnectionLost or ReceiptTimeout, whether it was done is unknown.
        """
        try:
            self.check_open()
        except ProtocolViolation as error:
            return failed(error)
        self._state = _State.OVER
        self._settled = []
        return self._session.outgoing.perform(frames.commit(self.id), True)

    def abort(self, *, receipt: bool = False) -> Deferred[None]:
        """Do none of it.  What it acknowledged is to be acknowledged again."""
        try:
            self.check_open()
        except ProtocolViolation as error:
            return failed(error)
        self._state = _State.OVER
        settled, self._settled = self._settled, []
        for subscription, numbers in settled:
            subscription.restore(numbers)
        return self._session.outgoing.perform(frames.abort(self.id), receipt)

    def send(
        self,
        destination: str,
        body: bytes | str,
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        receipt: bool = False,
        content_length: bool = True,
    ) -> Deferred[None]:
        """As StompClient.send, at COMMIT.

        A RECEIPT here says at most that the broker has accepted it; RabbitMQ sends it only after COMMIT.
        """
        try:
            self.check_open()
        except ProtocolViolation as error:
            return failed(error)
        return self._session.outgoing.send(
            destination, body, content_type, headers, receipt, self.id, content_length
        )

    def ack(self, message: Message, *, receipt: bool = False) -> Deferred[None]:
        """As StompClient.ack, at COMMIT."""
        return message.ack(receipt=receipt, transaction=self)

    def nack(self, message: Message, *, receipt: bool = False) -> Deferred[None]:
        """As StompClient.nack, at COMMIT."""
        return message.nack(receipt=receipt, transaction=self)

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

    def check_open(self, session: ClientSession | None = None) -> None:
        """Raise ProtocolViolation unless it has begun and is not over, on this session."""
        if session is not None and session is not self._session:
            raise ProtocolViolation("the transaction is another connection's")
        if self._state is not _State.OPEN:
            raise ProtocolViolation(f"the transaction {self._state.value}")

    def has_settled(self, subscription: Subscription, numbers: list[int]) -> None:
        """These messages were acknowledged in it."""
        self._settled.append((subscription, numbers))
