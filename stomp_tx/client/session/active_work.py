"""ActiveWork: what has begun on a session, and is not finished."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

CALL: ContextVar[object] = ContextVar("CALL", default=None)
"""The handler's call that the running code belongs to: disconnect() in a handler must not wait for itself."""


class ActiveWork:
    """Calls of handlers, and subscriptions that return messages: disconnect() waits for them.

    finished -- called each time that one is finished
    """

    def __init__(self, finished: Callable[[], object]) -> None:
        self._finished = finished
        self._active: dict[object, None] = {}

    def __len__(self) -> int:
        return len(self._active)

    def add(self, work: object) -> None:
        """It has begun."""
        self._active[work] = None

    def finish(self, work: object) -> None:
        """It is finished."""
        self._active.pop(work, None)
        self._finished()

    def is_none_but(self, call: object) -> bool:
        """Is nothing active but that, or nothing at all?"""
        return not self._active.keys() - {call}
