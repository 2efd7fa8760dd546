"""CONNECT and CONNECTED: what client and broker agree on (STOMP 1.2, "Connecting")."""

from __future__ import annotations

from dataclasses import dataclass

from stomp_tx.broker.dialects import Dialect, dialect_named
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ProtocolViolation
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.negotiation import choose_version, heart_beat_interval, parse_heart_beat


@dataclass(frozen=True)
class Agreement:
    """What the rest of the session goes by; heart-beat intervals in seconds, 0.0 for none."""

    version: str
    sending: float
    receiving: float
    heart_beat: str
    """CONNECTED's heart-beat header."""
    host: str
    """The virtual host; empty: the default one."""
    dialect: Dialect
    headers: dict[str, str]
    """CONNECT's headers; 1.0's own examples pad values, so those of a 1.0 client are trimmed."""


def agree(connect: Frame, settings: BrokerSettings, dialect: Dialect) -> Agreement:
    """What CONNECT asks for and we grant.  Raises ProtocolViolation (VersionMismatch).

    ``dialect`` is the one of the port: a ``dialect`` header names another one.

    We offer heart-beats as quick as the client wants them, down to ``heart_beat_min_ms``, and want them as
    quick as it can send them, down to the same.
    """
    headers = connect.headers
    accept_version = headers.get("accept-version")
    if accept_version is None:
        headers = {name: value.strip(" \t") for name, value in headers.items()}
    version = choose_version(accept_version, settings.versions)
    can_send, wants = parse_heart_beat(headers.get("heart-beat"))
    floor = settings.heart_beat_min_ms
    we_send = max(wants, floor) if wants else 0
    we_want = max(can_send, floor) if can_send else 0
    if "dialect" in headers:
        dialect = dialect_named(headers["dialect"])
    return Agreement(
        version,
        heart_beat_interval(we_send, wants),
        heart_beat_interval(can_send, we_want),
        f"{we_send},{we_want}",
        _host(headers.get("host", ""), settings, dialect),
        dialect,
        headers,
    )


def _host(name: str, settings: BrokerSettings, dialect: Dialect) -> str:
    """The virtual host of that name.  Clients write the server's name or address there, or nothing much."""
    for host in settings.hosts:
        if host.lower() == name.lower():
            return host
    if (settings.unknown_host or dialect.unknown_host) == "refuse" and name not in ("", "/"):
        raise ProtocolViolation(
            "no such virtual host", f"{name[:60]!a} is not served here: host:/ is the default one"
        )
    return ""


def connected(agreement: Agreement, session_id: str, settings: BrokerSettings) -> Frame:
    """The CONNECTED frame; ``request-id`` comes back as ``response-id``, as ActiveMQ and Artemis have it."""
    headers = {"version": agreement.version, "heart-beat": agreement.heart_beat, "session": session_id}
    server = agreement.dialect.server if settings.server is None else settings.server
    if server:
        headers["server"] = server
    if "request-id" in agreement.headers:
        headers["response-id"] = agreement.headers["request-id"]
    return Frame("CONNECTED", headers)
