"""Seen: the names of messages that each destination has taken, so that it takes none twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from stomp_tx.engine.limits import EngineLimits


class Seen:
    """Names by address: for ``dedupe_window`` seconds, and as many as the limits say."""

    def __init__(self, limits: EngineLimits, now: Callable[[], float]) -> None:
        """``now`` gives the seconds since 1970."""
        self._window = limits.dedupe_window
        self._most = limits.dedupe_names
        self._most_in_all = limits.dedupe_total
        self._count = 0
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
        self._keep(address, names, name, now)
        return True

    def _keep(self, address: str, names: OrderedDict[str, float], name: str, time: float) -> None:
        names[name] = time
        self._count += 1
        if len(names) > self._most or (self._count > self._most_in_all and len(names) > 1):
            names.popitem(last=False)
            self._count -= 1
        elif self._count > self._most_in_all:
            # A destination with one name, of very many: the place is some other's.
            other = next(iter(self._names))
            self.discard(other, next(iter(self._names[other])))

    def discard(self, address: str, name: str) -> None:
        """It was not taken after all."""
        names = self._names.get(address)
        if names is not None and names.pop(name, None) is not None:
            self._count -= 1
            if not names:
                del self._names[address]

    def restore(self, known: Iterable[tuple[str, str, float]]) -> None:
        """(address, name, time), oldest first: from an earlier life."""
        for address, name, time in known:
            self._keep(address, self._names.setdefault(address, OrderedDict()), name, time)

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
            self._count -= 1
