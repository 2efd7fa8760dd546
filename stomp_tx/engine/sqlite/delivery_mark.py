"""DeliveryMark: up to which position a lane's messages may have been handed out, as the file says."""

from __future__ import annotations

from stomp_tx.message import Message


class DeliveryMark:
    """Persistent messages are handed out up to the mark: after a kill those come with an attempt counted.

    safe -- the mark in the file
    written -- the mark that is on its way there, or ``safe``
    wanted -- where it is to be; no lower than ``written``
    earlier -- up to this position they may have been handed out before the start, and the rows don't say so
    """

    __slots__ = ("earlier", "safe", "wanted", "written")

    def __init__(self) -> None:
        self.safe = 0
        self.written = 0
        self.wanted = 0
        self.earlier = 0

    def restore(self, position: int) -> None:
        """So it stands in the file at the start."""
        self.safe = self.written = self.wanted = self.earlier = position

    def not_written(self) -> None:
        """It is where it was."""
        self.wanted = self.written = self.safe

    def lower(self) -> None:
        """Nothing is in flight, and nothing will be."""
        self.wanted = self.earlier

    def count_attempts(self, messages: list[Message]) -> None:
        """As the start does in the file, where that can be written; they were read from there."""
        for message in messages if self.earlier else ():
            if message.position <= self.earlier and not message.attempts:
                message.attempts = 1
