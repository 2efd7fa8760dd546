"""Transaction: a batch that a client is collecting, between BEGIN and COMMIT or ABORT."""

from __future__ import annotations

from stomp_tx.broker.deliveries import Named
from stomp_tx.message import Message, Outcome


class Transaction:
    """What is to happen at COMMIT, all or nothing (STOMP 1.2, "BEGIN").

    Deliveries that it takes stay unacknowledged until then, but are in flight no more: a cumulative ACK
    covers what had been sent when it arrived.
    """

    __slots__ = ("dropped", "frames", "messages", "octets", "taken")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.dropped: list[Named] = []  # taken and given up for good: to be told at COMMIT
        self.taken: list[tuple[Named, Outcome]] = []
        self.frames = 0
        self.octets = 0

    def send(self, message: Message) -> None:
        """A SEND in it."""
        self.messages.append(message)
        self.frames += 1
        self.octets += message.size

    def settle(self, taken: list[Named], outcome: Outcome) -> None:
        """An ACK or NACK in it, and the deliveries that it covers."""
        self.taken.extend((named, outcome) for named in taken)
        self.frames += 1
