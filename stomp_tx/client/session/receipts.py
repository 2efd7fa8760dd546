"""Receipts: which RECEIPT frames are outstanding, and who waits for each."""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from stomp_tx.client.deferred import ClientDeferred
from stomp_tx.errors import ReceiptTimeout


class Receipts:
    """The outstanding receipts of one session; they may come in any order.

    clock -- for the timeout
    timeout -- seconds that each may take, None for no limit: then its Deferred fails with ReceiptTimeout

    Cancelling a Deferred ends the waiting, not the work.  A RECEIPT that nobody waits for (any more) is
    ignored.
    """

    def __init__(self, clock: IReactorTime, timeout: float | None) -> None:
        self._clock = clock
        self._timeout = timeout
        self._count = 0
        # Oldest first, each with the time when it is overdue.
        self._outstanding: dict[str, tuple[Deferred[None], float]] = {}
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._outstanding)

    def expect(self) -> tuple[str, Deferred[None]]:
        """A new receipt id, and the Deferred that fires when its RECEIPT has come."""
        self._count += 1
        receipt = str(self._count)
        answer: Deferred[None] = ClientDeferred(partial(self._cancelled, receipt))
        due = 0.0
        if self._timeout is not None:
            due = self._clock.seconds() + self._timeout
            if self._timer is None:
                self._timer = self._clock.callLater(self._timeout, self._time_out)
        self._outstanding[receipt] = answer, due
        return receipt, answer

    def forget(self, receipt: str) -> Deferred[None] | None:
        """Take out the one so named; None when it is not outstanding."""
        answer, _ = self._outstanding.pop(receipt, (None, 0.0))
        return answer

    def _cancelled(self, receipt: str, _: object) -> None:
        self._outstanding.pop(receipt, None)

    def forget_all(self) -> list[Deferred[None]]:
        """Take out all of them, oldest first."""
        outstanding, self._outstanding = self._outstanding, {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return [answer for answer, _ in outstanding.values()]

    def _time_out(self) -> None:
        # All have the same timeout: the oldest is due first, and one timer serves them all.
        self._timer = None
        now = self._clock.seconds()
        late = [receipt for receipt, (_, due) in self._outstanding.items() if due <= now]
        overdue = [self._outstanding.pop(receipt)[0] for receipt in late]
        for _, due in self._outstanding.values():
            self._timer = self._clock.callLater(due - now, self._time_out)
            break
        for answer in overdue:
            answer.errback(Failure(ReceiptTimeout(f"no RECEIPT within {self._timeout:g} seconds")))
