"""HeaderWarnings: what a client has written in headers, and does not get."""

from __future__ import annotations

from stomp_tx.broker.broker import Broker
from stomp_tx.broker.events import HeaderIgnored, HeaderUnknown, address_text
from stomp_tx.interfaces import IFrameSender
from stomp_tx.wire.booleans import odd_boolean
from stomp_tx.wire.frame import Frame


class HeaderWarnings:
    """Tells of such headers in one session's frames, by events."""

    __slots__ = ("_broker", "_has_told", "_sender", "_session_id")

    def __init__(self, broker: Broker, session_id: str, sender: IFrameSender) -> None:
        self._broker = broker
        self._session_id = session_id
        self._sender = sender
        self._has_told = False  # of a boolean

    def look_at(self, frame: Frame) -> None:
        """Tell of a boolean header that counts as absent, whatever it was meant to be: of the first one."""
        odd = None if self._has_told else odd_boolean(frame)
        if odd is not None:
            self._has_told = True
            self._broker.events.emit(
                HeaderIgnored, self._session_id, address_text(self._sender.peer()), frame.command, *odd
            )

    def look_for_foreign(self, frame: Frame) -> None:
        """Tell of headers that other brokers have, or nobody, and that do nothing here."""
        for name in self._broker.ignored_headers.new_among(frame.command, frame.headers):
            self._broker.events.emit(
                HeaderUnknown, self._session_id, address_text(self._sender.peer()), frame.command, name
            )
