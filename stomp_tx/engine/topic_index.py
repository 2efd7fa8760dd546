"""TopicIndex: who is reached by what is published to a topic."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from stomp_tx.address import split
from stomp_tx.wildcards import Patterns, is_pattern

KNOWN = 10_000
"""Topics of which it is remembered whom they reach, where there are patterns."""

T = TypeVar("T", bound=Hashable)


class TopicIndex(Generic[T]):
    """Values by the topic, or the pattern of topics, that they are for.

    has_patterns -- a topic that is not known is to be looked for
    known -- whom a topic reaches, so far as that is known; while there are no patterns, all there is
    """

    __slots__ = ("_exact", "_patterns", "has_patterns", "known")

    def __init__(self) -> None:
        self._exact: dict[str, tuple[T, ...]] = {}
        self._patterns: dict[tuple[str, str], Patterns[T]] = {}  # by virtual host and kind
        self.has_patterns = False
        self.known = self._exact

    def __contains__(self, topic: object) -> bool:
        """Is it the topic of some value, by its own name?"""
        return topic in self._exact

    def add(self, topic: str, value: T) -> None:
        """It is reached by that topic, or by those that match."""
        host, kind, name = split(topic)
        if is_pattern(name):
            self._patterns.setdefault((host, kind), Patterns()).add(name, value)
            self.has_patterns = True
            self.known = {}
        else:
            self._exact[topic] = (*self._exact.get(topic, ()), value)
            self._forget(topic)

    def remove(self, topic: str, value: T) -> None:
        """It is no more."""
        host, kind, name = split(topic)
        if is_pattern(name):
            patterns = self._patterns[host, kind]
            patterns.remove(name, value)
            if not len(patterns):
                del self._patterns[host, kind]
            self.has_patterns = bool(self._patterns)
            self.known = {} if self.has_patterns else self._exact
            return
        rest = tuple(other for other in self._exact.get(topic, ()) if other != value)
        if rest:
            self._exact[topic] = rest
        else:
            self._exact.pop(topic, None)
        self._forget(topic)

    def _forget(self, topic: str) -> None:
        if self.has_patterns:
            self.known.pop(topic, None)

    def of(self, topic: str) -> tuple[T, ...]:
        """Whom it reaches, each once."""
        found = self.known.get(topic)
        if found is not None:
            return found
        return self._look(topic) if self.has_patterns else ()

    def _look(self, topic: str) -> tuple[T, ...]:
        host, kind, name = split(topic)
        found = dict.fromkeys(self._exact.get(topic, ()))
        patterns = self._patterns.get((host, kind))
        if patterns is not None:
            found.update(dict.fromkeys(patterns.matching(name)))
        if len(self.known) >= KNOWN:
            self.known.clear()
        self.known[topic] = tuple(found)
        return self.known[topic]
