"""EngineLimits: how much an engine holds."""

from __future__ import annotations

from dataclasses import dataclass, fields

from stomp_tx.errors import ConfigurationError

ENOUGH = 0.9
"""Producers who wait for room go on when no more than this part of a limit is taken."""


@dataclass(frozen=True)
class EngineLimits:
    """How much an engine holds before it asks producers to wait, and for how long it remembers."""

    queue_length: int = 1_000_000
    """Messages that may wait in memory in one queue."""

    queue_octets: int = 512 * 1024 * 1024
    """Octets (of frames) that may wait in memory in one queue."""

    total_octets: int = 2 * 1024 * 1024 * 1024
    """Octets (of frames) in memory in all queues, those handed out and not settled included."""

    window_length: int = 10_000
    """Persistent messages of one queue that stay in memory, where there is a file for the rest."""

    window_octets: int = 16 * 1024 * 1024
    """Octets (of frames) of persistent messages of one queue that stay in memory."""

    stored_octets: int = 64 * 1024 * 1024 * 1024
    """Octets (of frames) that may wait in the file, in all queues."""

    unsafe_octets: int = 64 * 1024 * 1024
    """Octets (of frames) on their way to the disk before producers wait for it."""

    reserve_octets: int = 32 * 1024 * 1024
    """Octets on the disk that are kept back so that ACKs go on when it is full; 0: none."""

    overflow: str = "wait"
    """Of non-persistent messages in a queue over ``queue_octets``: ``wait``, or ``spill`` into the file."""

    dedupe_window: float = 600.0
    """Seconds for which the name of a message (``message-dedupe-id``) is remembered."""

    dedupe_names: int = 100_000
    """Names that are remembered for one destination; the oldest is forgotten first."""

    dedupe_total: int = 1_000_000
    """Names that are remembered for all destinations together."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "reserve_octets":
                if value < 0:
                    raise ConfigurationError("limit reserve_octets can't be negative")
            elif isinstance(value, int) and value < 1:
                raise ConfigurationError(f"limit {one.name} must be at least 1")
        if self.dedupe_window < 0:
            raise ConfigurationError("limit dedupe_window can't be negative")
        if self.overflow not in ("wait", "spill"):
            raise ConfigurationError(f"limit overflow must be one of wait, spill, not {self.overflow!r}")
