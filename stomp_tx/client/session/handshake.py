"""Handshake: CONNECT, and what CONNECTED says (STOMP 1.2, "Connecting")."""

from __future__ import annotations

from stomp_tx.client.dialect import dialect_of
from stomp_tx.client.session.status import Status
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import VersionMismatch
from stomp_tx.interfaces import IFrameSender
from stomp_tx.wire import frames
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.negotiation import heart_beat_interval, parse_heart_beat


class Handshake:
    """What a client offers, and what is agreed on then.

    host -- CONNECT's ``host`` where the settings have none; None: the peer's address
    """

    def __init__(self, settings: ClientSettings, host: str | None) -> None:
        self._settings = settings
        self._host = settings.host if settings.host is not None else host

    def connect_frame(self, peer: str = "") -> Frame:
        """The CONNECT frame.

        peer -- the ``host``, where none is known
        """
        settings = self._settings
        return frames.connect(
            peer if self._host is None else self._host,
            accept_version=",".join(settings.versions),
            login=settings.login,
            passcode=settings.passcode,
            heart_beat=settings.heart_beat_ms,
            headers=settings.headers,
        )

    def agree(self, connected: Frame, status: Status, sender: IFrameSender) -> None:
        """Take up what CONNECTED says.

        Raises VersionMismatch, and ProtocolViolation for a wrong heart-beat; nothing has changed then.
        """
        headers = connected.headers
        version = headers.get("version", V10).strip()
        if version not in self._settings.versions:
            offered = ", ".join(self._settings.versions)
            raise VersionMismatch(f"the broker chose version {version[:20]!a}", f"offered were {offered}")
        we_send, we_want = self._settings.heart_beat_ms
        it_sends, it_wants = parse_heart_beat(headers.get("heart-beat"))
        sender.version = status.version = version
        status.headers = headers
        status.dialect = dialect = dialect_of(headers.get("server"))
        sender.start_heart_beat(
            heart_beat_interval(we_send, it_wants), heart_beat_interval(it_sends, we_want) * dialect.silence
        )
