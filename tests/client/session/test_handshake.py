"""handshake.py: CONNECT, and what is agreed on."""

from __future__ import annotations

from typing import Any

import pytest

from stomp_tx.client import ClientSettings
from stomp_tx.client.session.handshake import Handshake
from stomp_tx.client.session.status import Status
from stomp_tx.errors import ProtocolViolation, VersionMismatch
from stomp_tx.wire.frame import Frame


class Sender:
    """What the frames go to, so far as a handshake is concerned."""

    version = "1.0"

    def __init__(self) -> None:
        self.heart_beat: tuple[float, float] | None = None

    def start_heart_beat(self, send: float, receive: float) -> None:
        self.heart_beat = send, receive


def agree(settings: ClientSettings, **headers: str) -> tuple[Status, Any]:
    status, sender = Status(), Sender()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    Handshake(settings, None).agree(Frame("CONNECTED", named), status, sender)  # type: ignore[arg-type]
    return status, sender


def test_the_host_is_that_of_the_settings_or_of_the_endpoint_or_of_the_peer() -> None:
    assert Handshake(ClientSettings(host="/"), "a.example").connect_frame("::1").headers["host"] == "/"
    assert Handshake(ClientSettings(), "a.example").connect_frame("::1").headers["host"] == "a.example"
    assert Handshake(ClientSettings(), None).connect_frame("::1").headers["host"] == "::1"


def test_the_session_learns_what_was_agreed_on() -> None:
    status, sender = agree(
        ClientSettings(heart_beat_ms=(1000, 2000)),
        version="1.1",
        heart_beat="3000,500",
        server="ActiveMQ/5",
    )
    assert (status.version, sender.version) == ("1.1", "1.1")
    assert status.headers["server"] == "ActiveMQ/5"
    # We may beat each second, and it in each three, of which ActiveMQ lets two pass.
    assert sender.heart_beat == (1.0, 6.0)


def test_a_broker_that_says_nothing_speaks_1_0() -> None:
    status, sender = agree(ClientSettings())
    assert (status.version, sender.heart_beat) == ("1.0", (0, 0))


@pytest.mark.parametrize(
    ("headers", "error"),
    [({"version": "1.2"}, VersionMismatch), ({"version": "1.1", "heart_beat": "fast"}, ProtocolViolation)],
)
def test_what_was_not_offered_changes_nothing(headers: dict[str, str], error: type[Exception]) -> None:
    status = Status()
    with pytest.raises(error):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handshake = Handshake(ClientSettings(versions=("1.1",)), None)
        handshake.agree(Frame("CONNECTED", named), status, Sender())  # type: ignore[arg-type]
    assert status.version == "1.0"
