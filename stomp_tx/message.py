"""What is stored: messages, and what becomes of them.  Values shared by the broker and its engines."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stomp_tx.account import NOBODY, Owner

OVERHEAD = 950
"""Octets of memory that one message takes beside its frame's: measured, CPython 3.11."""


GROUP = "JMSXGroupID"
"""The header that names a message's group: one consumer at a time gets all of one group."""

LAST_VALUE = "_AMQ_LVQ_NAME"
"""The header that says of what a message is the last value, in a queue of last values."""

USUAL_PRIORITY = 4
"""Of the priorities from 0 to 9, what a message has whose producer does not say."""


class Keeping(NamedTuple):
    """How a message is to be kept, where its producer or its destination asks for more than the usual."""

    persistent: bool = False
    """It outlives the process, in an engine that stores."""

    expires: int = 0
    """Milliseconds since 1970; from then on nobody gets it.  0: never."""

    dedupe: str | None = None
    """Its destination takes one message of this name, and for a while no second one.  None: it has none."""

    priority: int = USUAL_PRIORITY
    """From 0 to 9: it comes before those of a lower one that wait in the same queue."""

    group: str | None = None
    """The group it belongs to: its ``JMSXGroupID``.  None: to none."""

    last_value: str | None = None
    """In its queue it takes the place of the one that has the same here.  None: of none."""


PERSISTENT = Keeping(persistent=True)
"""The usual one of these."""


class Message:
    """One message, as its producer sent it.  Nobody edits it: ``again`` makes a changed copy.

    id -- unique for the broker's life and across restarts; holds none of ``: \\ CR LF``
    destination -- the name the producer used; a MESSAGE shows it unchanged
    address -- the one name of the destination inside the broker: "/queue/a", "/topic/a"
    headers -- decoded text, the producer's own, hop-by-hop ones still among them
    body -- octets
    size -- octets that it counts for in limits: of its frame, and what keeping it costs besides
    attempts -- how often it has been handed out before; 0 for the first time
    position -- its place in its queue, kept by the engine that stores it
    owner -- for whom it takes memory while it is kept
    keeping -- how it is to be kept; None for the usual: in memory, for ever, however often it is sent
    encoded -- a place for whoever sends it to keep its octets, where the same do for every receiver
    encoded_for -- the same where they differ, by protocol version
    """

    __slots__ = (
        "address",
        "attempts",
        "body",
        "destination",
        "encoded",
        "encoded_for",
        "headers",
        "id",
        "keeping",
        "owner",
        "position",
        "size",
    )

    def __init__(
        self,
        id: str,
        destination: str,
        address: str,
        headers: dict[str, str],
        body: bytes,
        size: int,
        owner: Owner = NOBODY,
    ) -> None:
        """``size``: octets of its frame."""
        self.id = id
        self.destination = destination
        self.address = address
        self.headers = headers
        self.body = body
        self.size = size + OVERHEAD
        self.owner = owner
        self.attempts = self.position = 0
        self.keeping: Keeping | None = None
        self.encoded: bytes | None = None
        self.encoded_for: dict[str, bytes] | None = None

    def again(self) -> Message:
        """The same message, for its next delivery: one attempt more."""
        size = self.size - OVERHEAD
        copy = Message(self.id, self.destination, self.address, self.headers, self.body, size, self.owner)
        copy.attempts = self.attempts + 1
        copy.position = self.position
        copy.keeping = self.keeping
        return copy

    def bound_for(self, address: str) -> Message:
        """The same message for one more address, with a position of its own."""
        copy = Message(self.id, self.destination, address, self.headers, self.body, self.size - OVERHEAD)
        copy.keeping = self.keeping
        return copy

    def without_body(self) -> Message:
        """What an engine needs to find it by."""
        copy = Message(self.id, self.destination, self.address, {}, b"", self.size - OVERHEAD)
        copy.position = self.position
        copy.keeping = self.keeping
        return copy

    @property
    def looks(self) -> int:
        """As how many usual messages it counts when a selector looks at it: its headers may be long."""
        return 1 + max(0, self.size - OVERHEAD - len(self.body)) // 256

    @property
    def is_persistent(self) -> bool:
        """Is it to outlive the process?"""
        return self.keeping is not None and self.keeping.persistent

    def __repr__(self) -> str:
        return f"<Message {self.id} to {self.address}, {len(self.body)} octets, attempts={self.attempts}>"


class Outcome(enum.Enum):
    """What became of a message that had been handed out."""

    ACCEPTED = "accepted"
    """It is done with."""

    RELEASED = "released"
    """Back to its place in the queue, as it was: it reached nobody."""

    REJECTED = "rejected"
    """Back to its place in the queue, one attempt more: it reached somebody, who did not accept it."""

    ENDED = "ended"
    """Rejected, and nobody else shall have it: the broker's own word, who tells no engine."""


@dataclass
class Batch:
    """What one commit does, all or nothing.

    appended -- the messages that are kept, or published, in their order
    settled -- what became of messages that had been handed out
    withdrawn -- messages that wait, and go for good; those that wait no more are passed over
    emptied -- queues that nobody takes from: before anything is appended, what waits there goes, and what is
        on its way there
    """

    appended: list[Message] = field(default_factory=list)
    settled: list[tuple[Message, Outcome]] = field(default_factory=list)
    withdrawn: Sequence[Message] = ()
    emptied: Sequence[str] = ()
