"""ForeignHeaders: headers of other brokers on SUBSCRIBE that mean nothing here, each noticed once."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 100
"""So many are noticed in the life of a broker: clients choose the names."""

_PREFIXES = ("activemq.", "x-")

NOTES = {"transformation": "bodies are passed on as their producers wrote them"}
"""What is to be said of one; these are noticed whatever they begin with."""

_KNOWN = frozenset(
    {
        *("activemq.prefetchSize", "activemq.subscriptionName", "activemq.priority"),
        *("activemq.exclusive", "activemq.noLocal"),
        *("x-queue-name", "x-priority", "x-queue-type"),
        *("x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"),
    }
)
"""Those of SUBSCRIBE that mean something here, or are refused."""


class ForeignHeaders:
    """Those that there have been."""

    def __init__(self) -> None:
        self._noticed: set[str] = set()

    def new_among(self, headers: Iterable[str]) -> list[str]:
        """The names that look as if they mean something, mean nothing here, and were not noticed before."""
        found = []
        for name in headers:
            if name in _KNOWN or name in self._noticed:
                continue
            if not name.startswith(_PREFIXES) and name not in NOTES:
                continue
            if len(self._noticed) < MOST:
                self._noticed.add(name)
                found.append(name)
        return found
