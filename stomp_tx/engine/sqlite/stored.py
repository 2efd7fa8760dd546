"""Stored: what those who write and read the file know of a lane that is in it."""

from __future__ import annotations

from typing import Protocol

from stomp_tx.engine.sqlite.changes import Part, QueueRow
from stomp_tx.engine.sqlite.damage import Damage
from stomp_tx.engine.sqlite.delivery_mark import DeliveryMark
from stomp_tx.message import Message


class Stored(Protocol):
    """A lane of which messages are rows; see StoredLane, which is one.

    name -- its address
    number -- its number in the file; 0: it is not there
    length_stored, octets_stored -- of its rows
    arrived -- the position of the last persistent message that is safe
    horizon -- rows above this position are in the file alone
    removing -- of those, the ones whose rows are being removed
    damage -- where the file can't be read any further; None: no damage is known
    stands -- nothing is handed out, for it could not be removed
    can_add -- new messages can be written
    mark -- up to where persistent messages may be handed out
    """

    name: str
    number: int
    length_stored: int
    octets_stored: int
    arrived: int
    horizon: int
    removing: set[int]
    damage: Damage | None
    stands: bool
    can_add: bool
    mark: DeliveryMark

    def row(self, more: int, more_octets: int) -> QueueRow:
        """Its own, as it is after the group that is written now, by which it grows so much."""

    def committed(self, part: Part) -> None:
        """That row is safe."""

    def not_committed(self) -> None:
        """It is not."""

    def go_on(self) -> None:
        """What was not to be handed out before the row was safe may be now, or read."""

    def look_again(self) -> None:
        """Who looks through what waits may have missed some that could not be read."""

    def remove_rows(self, messages: list[Message]) -> None:
        """These were found in the file above the horizon, and go."""

    def shut(self, adding: bool, removing: bool) -> None:
        """Nothing can be added any more; or what is removed would come again, so nothing is handed out."""
