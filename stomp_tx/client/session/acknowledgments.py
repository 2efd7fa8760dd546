"""Acknowledgments: the ACKs and NACKs of a subscription's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from stomp_tx.client.arguments import no_transaction
from stomp_tx.client.deferred import failed
from stomp_tx.client.session.message import Message
from stomp_tx.client.session.outgoing import Outgoing
from stomp_tx.client.session.unsettled import Unsettled
from stomp_tx.errors import ProtocolViolation, StaleMessage, StompError
from stomp_tx.wire import frames
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers

if TYPE_CHECKING:
    from stomp_tx.client.session.transaction import Transaction


class Acknowledgments:
    """Which messages are to be acknowledged, and how.

    mode -- what the user has asked for: "auto", "client" or "client-individual"
    are_automatic -- in mode auto: each message is acknowledged here, when it has been taken
    are_needed -- somebody acknowledges messages, the user or this
    outgoing -- what the session says that the subscription is on now
    unsettled -- the messages that wait for it
    """

    def __init__(self, mode: str, are_automatic: bool, outgoing: Outgoing) -> None:
        self.mode = mode
        self.are_automatic = are_automatic
        self.are_needed = are_automatic or mode != "auto"
        self.outgoing = outgoing
        self.unsettled = Unsettled()
        self._is_over = False

    def is_stale(self, number: int) -> bool:
        """Did the message of this number come over a connection that is gone?"""
        return self.unsettled.is_stale(number)

    def needs(self, message: Message) -> bool:
        """Does the message wait for the user's ACK or NACK?"""
        return self.mode != "auto" and message.number in self.unsettled

    def acknowledge(self, message: Message) -> None:
        """Mode auto with a prefetch: the message has been taken, and another may come."""
        outgoing = self.outgoing
        if self.unsettled.pop(message.number):
            try:
                outgoing.perform(frames.ack(message.frame, version=outgoing.status.version))
            except ProtocolViolation:
                pass  # a broker that knows no acknowledgments sent no ack header

    def refuse(self, message: Message) -> None:
        """Its handler has failed: the broker gets it back, where there is NACK and it waits for one."""
        if message.number in self.unsettled and self.outgoing.status.version != V10:
            self.settle(message, "NACK", False, None, None)

    def settle(
        self,
        message: Message,
        command: str,
        receipt: bool,
        transaction: Transaction | None,
        headers: Headers | None,
    ) -> Deferred[None]:
        """ACK or NACK: see StompClient."""
        outgoing = self.outgoing
        if outgoing.status.is_over or self.unsettled.is_stale(message.number):
            return failed(self._stale(message, command))
        try:
            if transaction is not None:
                if (wrong := no_transaction(transaction)) is not None:
                    raise wrong
                transaction._check_open(outgoing)
            frame = (frames.ack if command == "ACK" else frames.nack)(
                message.frame,
                version=outgoing.status.version,
                transaction=None if transaction is None else transaction.id,
                headers=headers,
            )
            self._must_be_unsettled(message, command)
        except (StompError, TypeError) as error:
            return failed(error)
        settled = self.unsettled.take(message.number, self.mode == "client")
        if transaction is not None:
            transaction._has_settled(self, settled)
        return outgoing.perform(frame, receipt)

    def _stale(self, message: Message, command: str) -> StompError:
        status = self.outgoing.status
        if status.is_over:
            lost = status.lost()
            error = StaleMessage(lost.summary, lost.detail)
            error.__cause__ = lost.__cause__
            return error
        return StaleMessage(
            f"{command} of a message of an earlier connection", f"{message!r} comes again, to somebody"
        )

    def _must_be_unsettled(self, message: Message, command: str) -> None:
        """Raises ProtocolViolation: a broker answers a wrong ACK by closing the connection."""
        if self.mode == "auto":
            raise ProtocolViolation(
                f"{command} in ack mode auto", "subscribe with ack='client-individual' to acknowledge"
            )
        if message.number not in self.unsettled:
            why = "its subscription has ended" if self._is_over else "it was acknowledged before"
            raise ProtocolViolation(f"{command} of a message that needs none any more", f"{message!r}: {why}")

    def restore(self, settled: dict[int, Frame]) -> None:
        """These are to be acknowledged again: the transaction that did it was aborted."""
        if not self._is_over:
            self.unsettled.restore(settled)

    def end(self) -> None:
        """What has come can't be acknowledged any more, for good."""
        self._is_over = True
        self.unsettled.clear()
