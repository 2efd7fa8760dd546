"""Seen: the names of messages that each destination has taken, so that it takes none twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from stomp_tx.engine.limits import EngineLimits


class Seen:
    """Names by address: for ``dedupe_window`` seconds, and ``dedupe_names`` of them at the most."""

    def __init__(self, limits: EngineLimits, now: Callable[[], float]) -> None:
        """``now`` gives the seconds since 1970."""
        self._window = limits.dedupe_window
        self._most = limits.dedupe_names
        self._now = now
        self._names: dict[str, OrderedDict[str, float]] = {}  # to the time, oldest first

    def add(self, address: str, name: str) -> bool:
        """Remember it.  False: it is known already."""
        now = self._now()
        names = self._names.get(address)
        if names is None:
            names = self._names[address] = OrderedDict()
        self._forget_old(names, now)
        if name in names:
            return False
        names[name] = now
        if len(names) > self._most:
            names.popitem(last=False)
        return True

    def discard(self, address: str, name: str) -> None:
        """It was not taken after all."""
        names = self._names.get(address)
        if names is not None:
            names.pop(name, None)
            if not names:
                del self._names[address]

    def restore(self, known: Iterable[tuple[str, str, float]]) -> None:
        """(address, name, time), oldest first: from an earlier life."""
        for address, name, time in known:
            self._names.setdefault(address, OrderedDict())[name] = time

    def tidy(self) -> float:
        """Forget what is too old; gives the time before which everything is forgotten."""
        now = self._now()
        for address, names in list(self._names.items()):
            self._forget_old(names, now)
            if not names:
                del self._names[address]
        return now - self._window

    def _forget_old(self, names: OrderedDict[str, float], now: float) -> None:
        oldest = now - self._window
        while names:
            name, time = next(iter(names.items()))
            if oldest <= time <= now:  # (a clock that was set back would keep them too long)
                break
            del names[name]
