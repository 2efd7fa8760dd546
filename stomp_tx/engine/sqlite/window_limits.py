"""WindowLimits: how many of a lane's messages stay in memory, where the file has the rest."""

from __future__ import annotations

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.room import Room
from stomp_tx.engine.waiting import WaitingMessages

NARROW = 1000
"""Messages that stay in memory where memory is short."""

NARROW_OCTETS = 1024 * 1024
"""The same in octets."""


class WindowLimits:
    """The same for all lanes; they are narrower while memory is short."""

    __slots__ = ("_length", "_octets", "_room", "_total")

    def __init__(self, limits: EngineLimits, room: Room) -> None:
        self._room = room
        # Not all that may be in memory: then those who do not persist would have no room.
        self._length = min(limits.window_length, limits.queue_length // 2)
        self._octets = min(limits.window_octets, limits.queue_octets // 2)
        self._total = limits.total_octets

    def is_full(self, waiting: WaitingMessages) -> bool:
        """Shall no more be added to these?"""
        length = len(waiting.messages)
        if length >= self._length or waiting.octets >= self._octets:
            return True
        octets, total = self._room.octets, self._total
        if octets < total // 2:
            return False
        # Memory is getting short: what is in the file too need not be here.
        return (
            length >= NARROW or waiting.octets >= NARROW_OCTETS or (octets >= total // 4 * 3 and length > 0)
        )
