"""DedupeNames: the names of messages that each destination has taken, so that it takes none twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.message import Message


class DedupeNames:
    """Names by address: for ``dedupe_window`` seconds, and as many as the limits say."""

    def __init__(self, limits: EngineLimits, seconds: Callable[[], float]) -> None:
        """``seconds`` only go forward, whatever the machine's time of day does."""
        self._window = limits.dedupe_window
        self._most = limits.dedupe_names
        self._most_in_all = limits.dedupe_total
        self._count = 0
        self._seconds = seconds
        self._names: dict[str, OrderedDict[str, float]] = {}  # to the time, oldest first

    def takes(self, message: Message) -> bool:
        """Has its address taken none of this name?  It has now."""
        keeping = message.keeping
        return keeping is None or keeping.dedupe is None or self.add(message.address, keeping.dedupe)

    def add(self, address: str, name: str) -> bool:
        """Remember it.  False: it is known already."""
        now = self._seconds()
        names = self._names.get(address)
        if names is None:
            names = self._names[address] = OrderedDict()
        self._forget_old(names, now)
        if name in names:
            return False
        self._keep(address, names, name, now)
        return True

    def _keep(
        self, address: str, names: OrderedDict[str, float], name: str, time: float
    ) -> tuple[str, str] | None:
        """Gives the address and the name that is forgotten for it, if one is."""
        names[name] = time
        self._count += 1
        if len(names) > self._most or (self._count > self._most_in_all and len(names) > 1):
            oldest, _ = names.popitem(last=False)
            self._count -= 1
            return address, oldest
        if self._count > self._most_in_all:
            # A destination with one name, of very many: the place is some other's.
            other = next(iter(self._names))
            oldest = next(iter(self._names[other]))
            self.discard(other, oldest)
            return other, oldest
        return None

    def discard(self, address: str, name: str) -> None:
        """It was not taken after all."""
        names = self._names.get(address)
        if names is not None and names.pop(name, None) is not None:
            self._count -= 1
            if not names:
                del self._names[address]

    def restore(self, known: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """(address, name), oldest first, from an earlier life: all as if they had come now.

        How old they are nobody can tell; so each is remembered for its whole time again.  Gives those that
        are too many, and forgotten at once.
        """
        now = self._seconds()
        forgotten = []
        for address, name in known:
            names = self._names.setdefault(address, OrderedDict())
            one = self._keep(address, names, name, now)
            if one is not None:
                forgotten.append(one)
        return forgotten

    def tidy(self) -> None:
        """Forget what is too old."""
        now = self._seconds()
        for address, names in list(self._names.items()):
            self._forget_old(names, now)
            if not names:
                del self._names[address]

    def _forget_old(self, names: OrderedDict[str, float], now: float) -> None:
        oldest = now - self._window
        while names:
            name, time = next(iter(names.items()))
            if time >= oldest:
                break
            del names[name]
            self._count -= 1
