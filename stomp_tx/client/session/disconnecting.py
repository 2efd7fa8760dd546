"""Disconnecting: DISCONNECT in order, and bounded (STOMP 1.2, "DISCONNECT")."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.client.session.active_work import CALL, ActiveWork
from stomp_tx.client.session.receipts import Receipts
from stomp_tx.errors import ReceiptTimeout, StompError


class Disconnecting:
    """From ``disconnect`` to the end of the session.

    No more messages are given to anybody; handlers finish, RECEIPTs come; then DISCONNECT, and its RECEIPT.

    seconds -- for what is under way, and then again for that RECEIPT
    stop -- no more messages are given to anybody
    say -- says DISCONNECT, after which nothing else is said; fires with its RECEIPT
    end -- ends the session, for that reason; None: as it should be
    """

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        receipts: Receipts,
        stop: Callable[[], object],
        say: Callable[[], Deferred[None]],
        end: Callable[[StompError | None], object],
    ) -> None:
        self.has_begun = False
        self.active_work = ActiveWork(self.go_on)
        """What it waits for, with the receipts."""
        self._clock = clock
        self._seconds = seconds
        self._receipts = receipts
        self._stop_messages = stop
        self._say = say
        self._end = end
        self._caller: object = None  # the handler's call that it began in, and that it does not wait for
        self._timer: IDelayedCall | None = None
        self._is_said = False

    def begin(self) -> None:
        """Begin; may be called again."""
        if self.has_begun:
            return
        self.has_begun = True
        self._caller = CALL.get()
        self._timer = self._clock.callLater(self._seconds, self._disconnect)
        self._stop_messages()
        self.go_on()

    def go_on(self) -> None:
        """Something that was under way is done."""
        if self.has_begun and not self._receipts and self.active_work.is_none_but(self._caller):
            self._disconnect()

    def stop(self) -> None:
        """The session is over."""
        self._is_said = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _disconnect(self) -> None:
        if self._is_said:
            return
        self.stop()
        self._timer = self._clock.callLater(self._seconds, self._no_receipt)
        self._say().addCallbacks(lambda _: self._end(None), lambda _: None)

    def _no_receipt(self) -> None:
        self._end(ReceiptTimeout(f"no RECEIPT of DISCONNECT within {self._seconds:g} seconds"))
