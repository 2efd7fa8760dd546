"""Disconnecting: DISCONNECT in order, and bounded (STOMP 1.2, "DISCONNECT")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from stomp_tx.client.session.subscription import CALL
from stomp_tx.errors import ReceiptTimeout
from stomp_tx.wire import frames

if TYPE_CHECKING:
    from stomp_tx.client.session.session import ClientSession


class Disconnecting:
    """From ``disconnect`` to the end of the session.

    No more messages are given to anybody; handlers finish, RECEIPTs come; then DISCONNECT, and its RECEIPT.

    seconds -- for what is under way, and then again for that RECEIPT
    """

    def __init__(self, session: ClientSession, seconds: float) -> None:
        self.has_begun = False
        self._session = session
        self._seconds = seconds
        self._caller: object = None  # the handler's call that it began in, and that it does not wait for
        self._timer: IDelayedCall | None = None
        self._has_said_goodbye = False

    def begin(self) -> None:
        """Begin; may be called again."""
        if self.has_begun:
            return
        self.has_begun = True
        self._caller = CALL.get()
        self._timer = self._session.clock.callLater(self._seconds, self._say_goodbye)
        for subscription in list(self._session.subscriptions.values()):
            subscription.stop()
        self.go_on()

    def go_on(self) -> None:
        """Something that was under way is done."""
        session = self._session
        if self.has_begun and not session.is_waiting and not session.calls.keys() - {self._caller}:
            self._say_goodbye()

    def stop(self) -> None:
        """The session is over."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _say_goodbye(self) -> None:
        session = self._session
        if session.is_over or self._has_said_goodbye:
            return
        self._has_said_goodbye = True
        self.stop()
        self._timer = session.clock.callLater(self._seconds, self._no_goodbye)
        answered = session.outgoing.perform(frames.disconnect(), True)
        session.says_no_more()
        answered.addCallbacks(lambda _: session.end(None), lambda _: None)

    def _no_goodbye(self) -> None:
        self._session.end(ReceiptTimeout(f"no RECEIPT of DISCONNECT within {self._seconds:g} seconds"))
