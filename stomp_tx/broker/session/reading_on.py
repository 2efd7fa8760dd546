"""ReadOn: how the work of a frame that takes a while goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from stomp_tx.wire.frame import Frame

T = TypeVar("T")


class ReadOn(Protocol):
    """Read no further frame until ``then`` was called with the frame and what the work has given.

    It is not called when the session has ended meanwhile.  What either fails with is the frame's ERROR.
    """

    def __call__(
        self, work: Deferred[T], frame: Frame, then: Callable[[Frame, T], Deferred[None] | None]
    ) -> Deferred[None]: ...
