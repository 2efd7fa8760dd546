"""StoredLane: a lane of a queue that is in the file, too."""

from __future__ import annotations

from typing import Any

from stomp_tx.engine.memory.priority_lanes import Lane, Unborn
from stomp_tx.engine.sqlite.queue import StoredQueue


class StoredLane(Lane, StoredQueue):
    """A lane of a StoredQueue."""

    __slots__ = ("_base", "_priority")

    def __init__(self, name: str, engine: Any, base: StoredQueue, priority: int) -> None:
        self._base, self._priority = Unborn(), priority
        super().__init__(name, engine)
        self._base = base
