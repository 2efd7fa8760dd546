"""Message: what a subscription was sent."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from stomp_tx.client.codecs import charset_of, text_in
from stomp_tx.wire.booleans import truth
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers

if TYPE_CHECKING:
    from stomp_tx.client.session.subscription import Subscription
    from stomp_tx.client.session.transaction import Transaction


class Message:
    """One MESSAGE frame.

    frame -- as it came; ``headers`` and ``body`` (bytes, always) are its own
    subscription -- the Subscription that it came for
    number -- counts the messages of that subscription, from 1
    """

    __slots__ = ("frame", "number", "subscription")

    def __init__(self, frame: Frame, subscription: Subscription, number: int) -> None:
        self.frame = frame
        self.subscription = subscription
        self.number = number

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers, decoded, in the order in which they came."""
        return self.frame.headers

    @property
    def body(self) -> bytes:
        """The body's bytes; see ``text``."""
        return self.frame.body

    @property
    def destination(self) -> str:
        """Where it was sent to: what its sender wrote, not what was subscribed to."""
        return self.frame.headers.get("destination", "")

    @property
    def id(self) -> str:
        """The ``message-id`` header.  A message that is delivered again may have the same one, or not."""
        return self.frame.headers.get("message-id", "")

    @property
    def ack_id(self) -> str | None:
        """The ``ack`` header: what ACK and NACK name in 1.2; None where there is nothing to acknowledge."""
        return self.frame.headers.get("ack")

    @property
    def redelivered(self) -> bool:
        """Does the broker say that this message was given to somebody before (``redelivered:true``)?"""
        said = truth(self.frame.headers.get("redelivered"))
        if said is None and "redelivered" in self.frame.headers:
            self.subscription._acknowledgments.outgoing.status.tell_of_odd(self.frame)
        return said is True

    @property
    def is_stale(self) -> bool:
        """Is the connection gone that it came over?  It can't be acknowledged then, and comes again."""
        return self.subscription._acknowledgments.is_stale(self.number)

    def value(self) -> Any:
        """The body as what its ``content-type`` says it is; see Codecs.  Bytes where no codec is for that.

        Raises ValueError when it is not what it says, and whatever a codec of yours raises.
        """
        return self.subscription._codecs.decode(self.body, self.frame.headers.get("content-type"))

    def text(self, encoding: str | None = None) -> str:
        """The body as text.

        In ``encoding``, else in the ``charset`` that ``content-type`` names, else in UTF-8 (STOMP 1.2,
        "Header content-type").  Raises ValueError when it is no text in that charset, or Python lacks it.
        """
        charset = encoding or charset_of(self.frame.headers.get("content-type", ""))
        return text_in(self.frame.body, charset or "utf-8")

    def ack(
        self,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Headers | None = None,
    ) -> Deferred[None]:
        """It is dealt with: see StompClient.ack, which fails with the same."""
        return self.subscription._acknowledgments.settle(self, "ACK", receipt, transaction, headers)

    def nack(
        self,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Headers | None = None,
    ) -> Deferred[None]:
        """It could not be dealt with: see StompClient.nack, which fails with the same."""
        return self.subscription._acknowledgments.settle(self, "NACK", receipt, transaction, headers)

    async def __aenter__(self) -> Message:
        """For ``async with message:``, which ACKs at its end; an exception NACKs, and goes on.

        A message that needs none is let alone: acknowledged already, in ack mode auto, or stale by then.
        """
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        acknowledgments = self.subscription._acknowledgments
        if not acknowledgments.needs(self):
            return
        if kind is None:
            await self.ack()
        elif acknowledgments.outgoing.status.version != V10:
            self.nack().addErrback(lambda _: None)  # the error that is under way is what matters

    def __repr__(self) -> str:
        again = ", redelivered" if truth(self.frame.headers.get("redelivered")) else ""
        return f"<Message {self.id!r} of {self.destination!r}, {len(self.body)} bytes{again}>"
