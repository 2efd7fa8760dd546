"""Transaction: a batch that a client is collecting, between BEGIN and COMMIT or ABORT."""

from __future__ import annotations

from collections.abc import Iterable

from stomp_tx.address import is_topic
from stomp_tx.broker.destinations.ack_modes import Delivery
from stomp_tx.broker.destinations.expiry import Late
from stomp_tx.broker.destinations.scheduler_commands import MOST, Command, Found, Planned
from stomp_tx.broker.session.deliveries import Named
from stomp_tx.errors import LimitExceeded
from stomp_tx.message import Message, Outcome
from stomp_tx.wire.frame import Frame


class Transaction:
    """What is to happen at COMMIT, all or nothing (STOMP 1.2, "BEGIN").

    Deliveries that it takes stay unacknowledged until then, but are in flight no more: a cumulative ACK
    covers what had been sent when it arrived.

    asks_again -- who may do what has changed since it has begun
    emptied -- queues that are emptied: what was sent there before that is not sent after all
    commands -- what is asked of the scheduler
    late -- what had expired when it was sent in it: nobody gets it, and COMMIT tells
    settled -- octets of the deliveries of queues that it takes
    owed -- frames whose RECEIPTs are due at COMMIT; nothing of them is kept but that
    """

    __slots__ = (
        "asks_again",
        "commands",
        "emptied",
        "frames",
        "late",
        "messages",
        "octets",
        "owed",
        "settled",
        "taken",
    )

    def __init__(self) -> None:
        self.asks_again = False
        self.messages: list[Message] = []
        self.emptied: dict[str, int] = {}  # and how many messages were sent before
        self.commands: list[Planned] = []
        self.late: list[Late] = []
        self.owed: list[Frame] = []
        self.taken: list[tuple[Named, Outcome]] = []
        self.frames = 0
        self.octets = 0
        self.settled = 0

    def send(self, message: Message) -> None:
        """A SEND in it."""
        self.messages.append(message)
        self.frames += 1
        self.octets += message.size

    def empty(self, queues: Iterable[str]) -> None:
        """A SEND in it, that is still to be sent, empties these."""
        for queue in queues:
            self.emptied[queue] = len(self.messages)

    def manage(self, command: Command, reply: str) -> None:
        """A command in it; ``reply``: the address of where copies go.  Raises LimitExceeded."""
        if len(self.commands) >= MOST:
            raise LimitExceeded("too many scheduler commands", f"a transaction may have {MOST}")
        self.commands.append(Planned(command, reply, len(self.messages)))
        self.frames += 1
        self.octets += command.message.size

    def kept(self, found: Found) -> list[Message]:
        """What was sent in it, but for what it has taken back itself; ``found``: by its commands."""
        if not self.emptied and not found.taken_back:
            return self.messages
        return [
            message
            for place, message in enumerate(self.messages)
            if place >= self.emptied.get(message.address, 0) and place not in found.taken_back
        ]

    def send_late(self, late: Late) -> None:
        """The same of one that nobody can get any more."""
        self.late.append(late)
        self.frames += 1
        self.octets += late.message.size

    def owes(self, frame: Frame) -> None:
        """What this frame has asked for is told at COMMIT."""
        receipt = frame.headers.get("receipt")
        if receipt is not None:
            self.owed.append(Frame(frame.command, {"receipt": receipt}))

    def settle(self, taken: list[Named], outcome: Outcome) -> None:
        """An ACK or NACK in it, and the deliveries that it covers."""
        self.taken.extend((named, outcome) for named in taken)
        if outcome is not Outcome.REJECTED:
            self.settled += sum([message.size for _, message, _, _ in taken if not is_topic(message.address)])
        self.frames += 1

    def held(self) -> list[Delivery]:
        """What it has taken: it goes back when there is no COMMIT."""
        return [(message, subscription) for (_, message, subscription, _), _ in self.taken]
