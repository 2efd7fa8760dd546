"""Changes: what one commit changes in the file."""

from __future__ import annotations

from typing import NamedTuple

from stomp_tx.message import OVERHEAD, Message


class QueueRow(NamedTuple):
    """A row of the table queue."""

    number: int
    name: str
    topic: str | None
    length: int
    octets: int
    mark: int


class Part:
    """What one commit changes in one queue.

    added, removed -- messages
    cut -- all rows up to this position are removed as well
    rows, octets -- by how many the queue grows with that, in the file
    row -- the queue's own, as it is afterwards
    """

    __slots__ = ("added", "cut", "octets", "removed", "row", "rows")

    row: QueueRow

    def __init__(self) -> None:
        self.added: list[Message] = []
        self.removed: list[Message] = []
        self.cut = 0
        self.rows = 0
        self.octets = 0

    def grow(self, length: int = 0, octets: int = 0) -> None:
        """Nothing more will be added: count it.

        length, octets -- of all rows that the queue has, where there is a cut
        """
        added, removed = self.added, self.removed
        if self.cut:
            added = [one for one in added if one.position > self.cut]
            removed = [one for one in removed if one.position > self.cut]
        self.rows = len(added) - len(removed)
        grown = sum([one.size for one in added]) - sum([one.size for one in removed])
        self.octets = grown - OVERHEAD * self.rows  # memory's
        if self.cut:
            self.rows -= length
            self.octets -= octets


class Changes:
    """What one commit changes in the file."""

    __slots__ = (
        "attempts",
        "doomed",
        "dropped",
        "emptied",
        "forgotten",
        "parts",
        "seen",
        "selectors",
        "tidies",
    )

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.attempts: dict[tuple[int, int], int] = {}  # of messages that stay, by queue and position
        self.dropped: list[int] = []  # numbers of queues that are no more, and may have rows
        self.emptied: list[int] = []  # the same where they have none
        self.seen: list[tuple[str, str, float]] = []  # address, name, stamp
        self.selectors: dict[int, tuple[str, bool]] = {}  # text and unsifted, by the queue's number
        self.forgotten: float | None = None  # names with a lower stamp go
        self.doomed = False  # are there messages of queues that are no more?
        self.tidies = True  # some of those go
