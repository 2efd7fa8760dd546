"""Message: what a subscription was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from stomp_tx.wire.frame import Frame

if TYPE_CHECKING:
    from stomp_tx.client.subscription import Subscription
    from stomp_tx.client.transaction import Transaction


class Message:
    """One MESSAGE frame.

    frame -- as it came; ``headers`` and ``body`` (octets, always) are its own
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
        """The body's octets; see ``text``."""
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
        return self.frame.headers.get("redelivered") == "true"

    def text(self, encoding: str | None = None) -> str:
        """The body as text.

        In ``encoding``, else in the ``charset`` that ``content-type`` names, else in UTF-8 (STOMP 1.2,
        "Header content-type").  Raises UnicodeDecodeError, and LookupError for a charset that Python lacks.
        """
        return self.frame.body.decode(encoding or self._charset() or "utf-8")

    def _charset(self) -> str | None:
        for parameter in self.frame.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"')
        return None

    def ack(
        self,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Deferred[None]:
        """It is dealt with: see StompClient.ack."""
        return self.subscription.settle(self, "ACK", receipt, transaction, headers)

    def nack(
        self,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Deferred[None]:
        """It could not be dealt with: see StompClient.nack."""
        return self.subscription.settle(self, "NACK", receipt, transaction, headers)

    def __repr__(self) -> str:
        return f"<Message {self.id!r} of {self.destination!r}: {len(self.body)} octets>"
