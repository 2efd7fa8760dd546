"""Outbox: the connections that have something to send."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.net.read_share import ReadShare


class Sender(Protocol):
    """A connection that queues what it sends."""

    def flush(self) -> None: ...

    def fail(self, error: BaseException) -> None: ...


class Outbox:
    """The connections that have something to send, written once each at the end of a reactor turn.

    All connections of one factory share one: what one read brings is handled whole, then each connection
    that got something from it is written once.

    read_share -- of the turn, for reading
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.read_share = ReadShare()
        self.in_turn = False  # somebody will flush at the end of what runs now
        self._dirty: list[Sender] = []
        self._scheduled: IDelayedCall | None = None

    def add(self, sender: Sender) -> None:
        """This connection has something to send, and had nothing before."""
        self._dirty.append(sender)
        if not self.in_turn and self._scheduled is None:
            self._scheduled = self.clock.callLater(0, self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._scheduled = None
        self.flush()

    def flush(self) -> None:
        """Write every connection that has something to send, and what comes of that."""
        # A transport with room may be given more by its receiver: twice, then others get their turn.
        for _ in range(2):
            dirty = self._dirty
            if not dirty:
                return
            self._dirty = []
            self.in_turn = True
            try:
                for sender in dirty:
                    try:
                        sender.flush()
                    except Exception as error:  # one connection's fault is not the others'
                        sender.fail(error)
            finally:
                self.in_turn = False
        if self._dirty and self._scheduled is None:
            self._scheduled = self.clock.callLater(0, self._flush_scheduled)
