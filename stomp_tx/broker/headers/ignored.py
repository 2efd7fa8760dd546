"""IgnoredHeaders: headers of other brokers on SUBSCRIBE and UNSUBSCRIBE that mean nothing here."""

from __future__ import annotations

from collections.abc import Iterable

from stomp_tx.broker.headers.subscribe import (
    DEAF_TO_OWN,
    DURABLE,
    EXCLUSIVE,
    PREFETCH,
    QUEUE_TYPE,
    RANK,
    SHARES,
    STREAMS,
)

MOST = 100
"""So many are noticed in the life of a broker: clients choose the names."""

_PREFIXES = ("activemq.", "x-")

NOTES = {"transformation": "bodies are passed on as their producers wrote them"}
"""What is to be said of one; these are noticed whatever they begin with."""

_KNOWN = frozenset((*PREFETCH, *DURABLE, *SHARES, *RANK, *EXCLUSIVE, *DEAF_TO_OWN, *STREAMS, QUEUE_TYPE))
"""Those that mean something here, or are refused: on either command."""


class IgnoredHeaders:
    """Those that there have been."""

    def __init__(self) -> None:
        self._noticed: set[tuple[str, str]] = set()

    def new_among(self, command: str, headers: Iterable[str]) -> list[str]:
        """Names that look as if they mean something, mean nothing here, and are new with that command."""
        found = []
        for name in headers:
            if name in _KNOWN or (command, name) in self._noticed:
                continue
            if not name.startswith(_PREFIXES) and name not in NOTES:
                continue
            if len(self._noticed) < MOST:
                self._noticed.add((command, name))
                found.append(name)
        return found
