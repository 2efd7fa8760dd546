"""Lanes: the parts of a queue where messages of one priority wait, each a queue of its own in the engine.

There is one taker of them all, who gets the highest first.  A queue that has had messages of the usual
priority alone has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stomp_tx.engine.memory.queue import MemoryQueue
from stomp_tx.message import Message


class Unborn:
    """What a lane is part of while it is being made."""

    demand = 0
    taker: Any = None
    lanes: Any = None
    noticed: Any = None


class Lane:
    """What a lane shares with the queue that it is part of: see there."""

    __slots__ = ()

    _base: Any
    _priority: int
    is_empty: bool

    @property
    def base(self) -> Any:
        return self._base

    @property
    def priority(self) -> int:
        return self._priority

    @property
    def is_idle(self) -> bool:
        return self.is_empty and self._base.taker is None

    @property
    def lanes(self) -> list[MemoryQueue] | None:
        return self._base.lanes  # type: ignore[no-any-return]

    @lanes.setter
    def lanes(self, lanes: None) -> None:
        """They are that one's."""

    @property
    def demand(self) -> int:
        return self._base.demand  # type: ignore[no-any-return]

    @demand.setter
    def demand(self, demand: int) -> None:
        self._base.demand = demand

    @property
    def taker(self) -> Callable[[Message], bool] | None:
        return self._base.taker  # type: ignore[no-any-return]

    @taker.setter
    def taker(self, taker: Callable[[Message], bool] | None) -> None:
        self._base.taker = taker

    @property
    def noticed(self) -> Callable[[Sequence[Message] | None], None] | None:
        return self._base.noticed  # type: ignore[no-any-return]

    @noticed.setter
    def noticed(self, noticed: Callable[[Sequence[Message] | None], None] | None) -> None:
        self._base.noticed = noticed

    def hand_out(self) -> None:
        self._base.hand_out()

    def after_put_back(self) -> None:
        self._base.after_put_back()

    def depth_in_memory(self) -> tuple[int, int]:
        return self._base.depth_in_memory()  # type: ignore[no-any-return]


class MemoryLane(Lane, MemoryQueue):
    """A lane of a MemoryQueue."""

    __slots__ = ("_base", "_priority")

    def __init__(self, name: str, engine: Any, base: MemoryQueue, priority: int) -> None:
        self._base, self._priority = Unborn(), priority
        super().__init__(name, engine)
        self._base = base
