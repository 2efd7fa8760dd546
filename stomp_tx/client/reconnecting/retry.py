"""Retry: how long a client waits between its attempts to connect."""

from __future__ import annotations

from dataclasses import dataclass

from stomp_tx.client.arguments import NOTHING, must_be
from stomp_tx.errors import ConfigurationError


@dataclass(frozen=True)
class Retry:
    """Exponential back-off.  An attempt tries every endpoint once; waits are in seconds."""

    initial: float = 0.25
    """The wait after a lost connection, or the first attempt that failed."""

    factor: float = 2.0
    """Each further wait is so many times the one before."""

    maximum: float = 30.0
    """No wait is longer."""

    jitter: float = 0.5
    """A random part of each wait, up to this share of it, is left out: clients of one broker that was
    restarted must not come back all at once."""

    attempts: int | None = None
    """So many failed ones in a row, and the client gives up; None: it never does.

    A login that is refused before there was any connection ends it at once."""

    def __post_init__(self) -> None:
        for name in ("initial", "factor", "maximum", "jitter"):
            must_be(f"retry: {name}", getattr(self, name), (int, float), "a number")
        must_be("retry: attempts", self.attempts, (int, NOTHING), "a whole number, or None")
        if self.initial < 0 or self.maximum < self.initial:
            raise ConfigurationError("retry: initial is 0 or more, and maximum is not less")
        if self.factor < 1:
            raise ConfigurationError("retry: factor must be at least 1")
        if not 0 <= self.jitter <= 1:
            raise ConfigurationError("retry: jitter is a share, from 0 to 1")
        if self.attempts is not None and self.attempts < 1:
            raise ConfigurationError("retry: attempts must be at least 1, or None for no limit")
