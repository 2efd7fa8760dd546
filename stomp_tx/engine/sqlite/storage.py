"""Storage: what all stored lanes of one engine share."""

from __future__ import annotations

from stomp_tx.engine.room import Room
from stomp_tx.engine.sqlite.damaged_queues import DamagedQueues
from stomp_tx.engine.sqlite.expiring_rows import ExpiringRows
from stomp_tx.engine.sqlite.journal import Journal
from stomp_tx.engine.sqlite.page_reader import PageReader
from stomp_tx.engine.sqlite.window_limits import WindowLimits


class Storage:
    """The parts that write and read the file, and what they have in common.

    last_position -- of the message that came last
    is_stopping -- nothing more will be handed out
    """

    __slots__ = (
        "damaged_queues",
        "expiring_rows",
        "is_stopping",
        "journal",
        "last_position",
        "page_reader",
        "room",
        "window_limits",
    )

    def __init__(
        self,
        room: Room,
        journal: Journal,
        page_reader: PageReader,
        damaged_queues: DamagedQueues,
        window_limits: WindowLimits,
    ) -> None:
        self.room = room
        self.journal = journal
        self.page_reader = page_reader
        self.damaged_queues = damaged_queues
        self.window_limits = window_limits
        self.expiring_rows = ExpiringRows(page_reader)
        self.last_position = 0
        self.is_stopping = False
