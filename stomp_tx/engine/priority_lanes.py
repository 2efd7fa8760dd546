"""Lanes: the parts of a queue where messages of one priority wait, each with an address of its own.

A queue has a lane for the usual priority from the beginning, and one more for each other that its messages
have had.
"""

from __future__ import annotations

from stomp_tx.address import base_of, lane_of
from stomp_tx.message import USUAL_PRIORITY, Message


def to_lane(message: Message) -> None:
    """What has another priority than usual waits in a lane of its own: address it to that."""
    keeping = message.keeping
    if keeping is not None and keeping.priority != USUAL_PRIORITY:
        message.address = lane_of(base_of(message.address), keeping.priority)
