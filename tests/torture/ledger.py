"""Ledger: what clients sent and were told, and what follows from it for every message that comes."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stomp_tx.wire.frame import Frame


class Gone(enum.Enum):
    """Has a message left its place, as far as anybody was told?"""

    NO = "it was not acknowledged"
    MAYBE = "it was acknowledged, and there was no receipt"
    SURELY = "its acknowledgment was receipted"


@dataclass(eq=False)
class Place:
    """Where messages wait: a queue, or a durable subscription."""

    destination: str
    durable: str | None = None
    ordered: bool = False  # one consumer, who refuses nothing
    lossy: bool = False  # ack mode auto: at most once
    letters: Place | None = None  # where its dead letters go
    bound: bool = False  # a durable subscription: its SUBSCRIBE was receipted
    generation: int = 0
    cleared: int = 0  # when it was last ended for good
    latest: dict[str, int] = field(default_factory=dict)  # by producer: the highest number that has come
    latest_now: dict[str, int] = field(default_factory=dict)  # the same since the last SUBSCRIBE

    @property
    def name(self) -> str:
        return self.durable or self.destination

    @property
    def headers(self) -> dict[str, str]:
        """Those of SUBSCRIBE and UNSUBSCRIBE."""
        return {} if self.durable is None else {"durable-subscription": self.durable}


class State(enum.Enum):
    """How far a transaction got."""

    OPEN = "open"
    COMMITTING = "COMMIT was sent"
    COMMITTED = "COMMIT was receipted"


class Transaction:
    """Several sends and acknowledgments: all of them, or none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.OPEN
        self.sends: list[Sending] = []
        self.acks: list[Copy] = []
        self.happened: dict[bool, str] = {}  # what shows that it did (True), or did not

    def __str__(self) -> str:
        sends = ", ".join(one.uid for one in self.sends)
        acks = ", ".join(one.sending.uid for one in self.acks)
        return f"transaction {self.name} ({self.state.value}) of sends [{sends}] and acks [{acks}]"


@dataclass(eq=False)
class Sending:
    """One message, as its producer knows it."""

    uid: str
    destination: str
    producer: str
    number: int  # of its producer's
    size: int = 0
    persistent: bool = True
    dedupe: bool = False
    expires: bool = False
    transaction: Transaction | None = None
    life: int = 0  # of the broker that it was sent to last
    sent: int = 0
    receipts: int = 0
    receipted: int = 0  # when, the first time
    owed: dict[Place, int] = field(default_factory=dict)  # where it must come, and that place's generation
    copies: dict[Place, dict[str, Copy]] = field(default_factory=dict)  # by message-id
    history: list[str] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """What only this message has: its name, and octets that can't be another's."""
        seed = hashlib.sha256(self.uid.encode()).digest()
        filling = (seed * (self.size // len(seed) + 1))[: self.size]
        return self.uid.encode() + b" " + filling

    @property
    def lasts(self) -> bool:
        """Is it there until somebody acknowledges it?"""
        return self.persistent and not self.expires

    @property
    def needed(self) -> int:
        """How many of it there must have been, in each place that it is owed to."""
        if not self.lasts:
            return 0
        if self.transaction is not None:
            return int(self.transaction.state is State.COMMITTED)
        return min(self.receipts, 1) if self.dedupe else self.receipts


@dataclass(eq=False)
class Copy:
    """One message in one place, as its consumers know it."""

    sending: Sending
    place: Place
    message_id: str
    generation: int = 0  # the place's, when it came last
    life: int = 0  # of the broker that sent it then
    count: int = 0  # how often that had sent it before
    delivered: int = 0  # when, last
    refused: int = 0
    gone: Gone = Gone.NO
    transaction: Transaction | None = None  # in which it was acknowledged, with no receipt yet


class Ledger:
    """Takes note of everything that clients do and hear; ``faults`` is what can't be.

    Moments are counted: each thing that happens is one later than the one before.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.places: list[Place] = []
        self.life = 0
        # What acks were for comes again then; and the broker closes connections on which messages are on
        # their way, which are heard when others have them already.
        self.disk_is_full = False
        self.sent = self.receipted = self.came = self.came_again = 0  # for those who watch
        self._now = 0
        self._sendings: dict[str, Sending] = {}
        self._over: set[str] = set()  # of messages whose account is closed
        self._owners: dict[str, str] = {}  # message-id to uid
        self._transactions: list[Transaction] = []

    def _note(self, sending: Sending, text: str) -> int:
        self._now += 1
        sending.history.append(f"life {self.life}, moment {self._now}: {text}")
        return self._now

    def _fault(self, sending: Sending, text: str) -> None:
        facts = f"persistent={sending.persistent} dedupe={sending.dedupe} expires={sending.expires}"
        told = [f"{sending.uid} to {sending.destination}, {facts}: {text}", *sending.history]
        if sending.transaction is not None:
            told.append(f"in {sending.transaction}")
        self.faults.append("\n    ".join(told))

    # -- producers ----------------------------------------------------------------------------------------

    def sends(self, sending: Sending) -> None:
        """It is on its way."""
        self.sent += 1
        if not sending.sent:
            self._sendings[sending.uid] = sending
            for place in self.places:
                if place.destination == sending.destination and (place.durable is None or place.bound):
                    sending.owed[place] = place.generation
        sending.sent += 1
        sending.life = self.life
        if sending.transaction is not None:
            sending.transaction.sends.append(sending)
        self._note(sending, f"sent, {len(sending.body)} octets")

    def send_receipted(self, sending: Sending) -> None:
        self.receipted += 1
        sending.receipts += 1
        moment = self._note(sending, "SEND receipted")
        if sending.transaction is None:
            sending.receipted = sending.receipted or moment

    def unreceipted(self, producer: str, destination: str) -> list[Sending]:
        """What a producer may send again: it does not know what became of it."""
        return [
            one
            for one in self._sendings.values()
            if one.producer == producer
            and one.destination == destination
            and one.persistent
            and not one.receipts
            and not one.expires
            and one.transaction is None
        ]

    # -- transactions -------------------------------------------------------------------------------------

    def begins(self, name: str) -> Transaction:
        transaction = Transaction(name)
        self._transactions.append(transaction)
        return transaction

    def commits(self, transaction: Transaction) -> None:
        transaction.state = State.COMMITTING
        for sending in transaction.sends:
            self._note(sending, f"COMMIT of {transaction.name} sent")
        for copy in transaction.acks:
            copy.gone = Gone.MAYBE
            copy.transaction = transaction
            self._note(copy.sending, f"{copy.place.name}: ACK of {copy.message_id} in {transaction.name}")

    def commit_receipted(self, transaction: Transaction) -> None:
        transaction.state = State.COMMITTED
        for sending in transaction.sends:
            sending.receipted = self._note(sending, f"COMMIT of {transaction.name} receipted")
        self.ack_receipted(transaction.acks)

    # -- consumers ----------------------------------------------------------------------------------------

    def subscribed(self, place: Place) -> None:
        place.bound = True
        place.latest_now.clear()

    def unsubscribes(self, place: Place) -> Callable[[], None]:
        """A durable subscription is ended for good; call what this gives when that is receipted."""
        self._now += 1
        moment = self._now
        place.bound = False
        place.generation += 1
        place.latest.clear()

        def receipted() -> None:
            place.cleared = moment

        return receipted

    def delivered(self, place: Place, frame: Frame, by: str) -> Copy | None:
        """A MESSAGE came; None: it has no business here."""
        uid = frame.body.split(b" ", 1)[0].decode()
        sending = self._sendings.get(uid)
        headers = frame.headers
        message_id = headers["message-id"]
        if sending is None:
            why = "its account is closed" if uid in self._over else "nobody has sent it"
            self.faults.append(f"{by} got {headers} {frame.body[:60]!r} from {place.name}: {why}")
            return None
        again = headers.get("redelivered") == "true"
        self.came += 1
        self.came_again += again
        moment = self._note(
            sending, f"{place.name}: {message_id} came to {by}, {'re' * again}delivered {headers.get('ack')}"
        )
        copies = sending.copies.setdefault(place, {})
        copy = copies.get(message_id)
        first = copy is None
        count = int(headers.get("redelivery-count", 0))
        if copy is not None and self.disk_is_full and copy.life == self.life and count <= copy.count:
            return None  # of a connection that had been closed
        if copy is None:
            copy = copies[message_id] = Copy(sending, place, message_id)
            self._check_first(copy, frame)
        else:
            self._check_again(copy, again)
        if place.ordered:
            self._check_order(copy, first)
        copy.generation, copy.life, copy.count = place.generation, self.life, count
        copy.delivered = moment
        return copy

    def _check_first(self, copy: Copy, frame: Frame) -> None:
        sending, place = copy.sending, copy.place
        if self._owners.setdefault(copy.message_id, sending.uid) != sending.uid:
            self._fault(sending, f"{copy.message_id} is the id of another: {self._owners[copy.message_id]}")
        if frame.body != sending.body:
            self._fault(sending, "its body is not what was sent")
        if frame.headers["destination"] != place.destination:
            self._fault(sending, f"it came as {frame.headers['destination']}")
        if len(sending.copies[place]) > (1 if sending.dedupe else sending.sent):
            self._fault(sending, f"it came to {place.name} more often than it was sent")
        if sending.destination != place.destination:
            self._check_letter(copy, frame.headers.get("_AMQ_ORIG_MESSAGE_ID", ""))
        if place.cleared > sending.receipted > 0:
            self._fault(sending, f"{place.name} was ended for good at moment {place.cleared}, and it came")
        if not sending.persistent and sending.life < self.life:
            self._fault(sending, "it was not persistent, and outlived the broker")
        if sending.transaction is not None:
            self._shows(sending.transaction, True, sending, "it came")

    def _check_order(self, copy: Copy, first: bool) -> None:
        """What came back is in its old place; what is new comes behind all that has ever come."""
        sending, place = copy.sending, copy.place
        if not sending.persistent or sending.sent > 1 or (self.disk_is_full and not first):
            return
        for latest in (place.latest_now, place.latest) if first else (place.latest_now,):
            before = latest.get(sending.producer, 0)
            if sending.number <= before:
                self._fault(sending, f"{place.name}: number {sending.number} came after number {before}")
            latest[sending.producer] = sending.number

    def _check_letter(self, letter: Copy, message_id: str) -> None:
        """It came as a dead letter: it was refused, and is no more where it was."""
        sending = letter.sending
        for place, copies in sending.copies.items():
            if place.letters is letter.place:
                copy = copies.get(message_id)
                if copy is not None and copy.refused and copy.gone is not Gone.SURELY:
                    copy.gone = Gone.SURELY
                    return
        self._fault(sending, f"{letter.message_id} is a dead letter, and should not be")

    def _check_again(self, copy: Copy, again: bool) -> None:
        sending, where = copy.sending, f"{copy.place.name}: {copy.message_id}"
        if not again:
            self._fault(sending, f"{where} came a second time without redelivered:true")
        if copy.gone is Gone.SURELY:
            self._fault(sending, f"{where} came after its ACK was receipted, or as a dead letter too")
        if copy.place.cleared > copy.delivered:
            self._fault(sending, f"{copy.place.name} was ended for good at moment {copy.place.cleared}")
        if copy.transaction is not None:
            self._shows(copy.transaction, False, sending, f"{where} came again")
        # Its ACK has not counted, and never will: that connection is no more.
        copy.gone = Gone.NO
        copy.transaction = None

    def acks(self, copies: Iterable[Copy]) -> None:
        """An ACK of these is on its way."""
        for copy in copies:
            copy.gone = Gone.MAYBE
            copy.transaction = None
            self._note(copy.sending, f"{copy.place.name}: ACK of {copy.message_id} sent")

    def ack_receipted(self, copies: Iterable[Copy]) -> None:
        for copy in copies:
            self._note(copy.sending, f"{copy.place.name}: ACK of {copy.message_id} receipted")
            if copy.gone is Gone.NO:
                self._fault(copy.sending, f"{copy.message_id} came again, then its earlier ACK was receipted")
            copy.gone = Gone.SURELY
            copy.transaction = None

    def refuses(self, copies: Iterable[Copy]) -> None:
        """A NACK of these is on its way."""
        for copy in copies:
            copy.refused += 1
            self._note(copy.sending, f"{copy.place.name}: NACK of {copy.message_id} sent")

    # -- the account --------------------------------------------------------------------------------------

    def _shows(self, transaction: Transaction, happened: bool, sending: Sending, what: str) -> None:
        shown = transaction.happened
        shown.setdefault(happened, f"{sending.uid}: {what}")
        if happened and transaction.state is State.OPEN:
            self._fault(sending, "it came, and its transaction was not committed")
        elif len(shown) == 2:
            self._fault(sending, f"{transaction} is neither whole nor absent: {shown[True]}; {shown[False]}")

    def close_account(self) -> None:
        """Everything that was anywhere has come, and was acknowledged with receipts."""
        for sending in self._sendings.values():
            for place, generation in sending.owed.items():
                count = len(sending.copies.get(place, ()))
                if place.generation == generation and count < sending.needed and not place.lossy:
                    self._fault(sending, f"{place.name}: lost: {sending.needed} receipted, {count} came")
            for place, copies in sending.copies.items():
                if sending.lasts and not place.lossy:
                    for copy in copies.values():
                        if copy.gone is Gone.NO and copy.generation == place.generation:
                            self._fault(
                                sending, f"{place.name}: lost: {copy.message_id} was not acknowledged"
                            )
        for transaction in self._transactions:
            self._close_transaction(transaction)
        self._over.update(self._sendings)
        self._sendings.clear()
        self._transactions.clear()
        self._owners.clear()

    def _close_transaction(self, transaction: Transaction) -> None:
        if transaction.state is not State.COMMITTING:
            return
        for sending in transaction.sends:
            if sending.lasts and not sending.copies:
                self._shows(transaction, False, sending, "it never came")
        if transaction.happened.keys() == {False}:
            for copy in transaction.acks:
                if copy.transaction is transaction and copy.sending.lasts:
                    self._shows(transaction, True, copy.sending, f"{copy.message_id} is gone")
