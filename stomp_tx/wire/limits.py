"""How large a frame may be (STOMP 1.2, "Size Limits")."""

from __future__ import annotations

from dataclasses import dataclass

from stomp_tx.errors import ConfigurationError


@dataclass(frozen=True)
class Limits:
    """The largest frame a parser takes; anything over it is FrameTooLarge, noticed while it arrives.

    The defaults take what clients of ActiveMQ (100 MiB bodies, 1,000 headers) and RabbitMQ (long header
    lines, as tokens need) send.
    """

    frame: int = 100 * 1024 * 1024
    """Octets of one whole frame."""

    headers: int = 1000
    """Header lines in one frame, repeated ones included."""

    header_line: int = 64 * 1024
    """Characters of one header line, and octets of the command line."""

    header_block: int = 256 * 1024
    """Octets of the command line and all header lines together."""

    connect_frame: int = 64 * 1024
    """Octets of any frame before the session is open: a stranger gets less."""

    def __post_init__(self) -> None:
        for name in ("frame", "headers", "header_line", "header_block", "connect_frame"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"limit {name} must be at least 1")
