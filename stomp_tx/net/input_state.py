"""InputState: how far what comes from a peer is."""

from __future__ import annotations

from enum import IntEnum


class InputState(IntEnum):
    """What becomes of what the peer sends.  It goes on from one of these to a later one, and never back."""

    OPEN = 0
    """Frames go to the receiver, as they come."""

    DRAINING = 1
    """The peer has closed its side.  What has come and waits is handled."""

    FINISHING = 2
    """The same because of ``finish``: nothing more is read."""

    ENDED = 3
    """The receiver was told, and sends what is owed.  What still waited is dropped."""

    CLOSED = 4
    """The connection is over, by ``disconnect`` or otherwise.  What comes is dropped."""
