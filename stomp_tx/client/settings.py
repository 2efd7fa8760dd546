"""What the user of a client may set, with the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from stomp_tx.client.codecs import Codecs
from stomp_tx.errors import ConfigurationError
from stomp_tx.keepalive import Keepalive
from stomp_tx.wire.commands import VERSIONS
from stomp_tx.wire.limits import Limits


@dataclass(frozen=True)
class ClientSettings:
    """How a client connects and how long it waits.  Times are seconds unless the name says so (``_ms``)."""

    login: str | None = None
    """CONNECT's ``login``; None: none is sent."""

    passcode: str | None = field(default=None, repr=False)
    """CONNECT's ``passcode``."""

    host: str | None = None
    """CONNECT's ``host``: the virtual host.  None: the host that the connection was made to.

    RabbitMQ takes it for the name of one of its virtual hosts: it wants ``"/"``, or whatever yours is called.
    """

    versions: tuple[str, ...] = VERSIONS
    """Protocol versions to offer; the broker takes the highest that it knows."""

    heart_beat_ms: tuple[int, int] = (10_000, 10_000)
    """How often we can send, and want to hear, a heart-beat; 0: not at all."""

    heart_beat_grace: float = 2.0
    """The broker is dead after this many of the agreed intervals in silence.

    ActiveMQ lets two of them pass between its beats: there each counts twice.
    """

    tcp_keepalive: int = 60
    """Seconds of silence after which the system asks the broker whether it is still there; 0: never."""

    tcp_keepalive_interval: int = 15
    """Seconds between two of these questions."""

    tcp_keepalive_probes: int = 4
    """Questions without an answer after which the connection is lost."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of CONNECT, such as ActiveMQ's ``client-id``."""

    connect_timeout: float | None = 30.0
    """From the beginning of connect() to the broker's CONNECTED; None: for ever."""

    receipt_timeout: float | None = None
    """For each RECEIPT.  None: as long as the connection lives (heart-beats notice a dead one)."""

    disconnect_timeout: float = 5.0
    """For what is under way when disconnect() is called, and then again for DISCONNECT's own RECEIPT."""

    codecs: Codecs = field(default_factory=Codecs)
    """What bodies that are neither octets nor text are encoded by, and ``Message.value`` decoded."""

    limits: Limits = field(default_factory=Limits)
    """How large an arriving frame may be."""

    def keepalive(self) -> Keepalive:
        """How connections are asked whether the broker is there.  Raises ConfigurationError."""
        return Keepalive(self.tcp_keepalive, self.tcp_keepalive_interval, self.tcp_keepalive_probes)

    def __post_init__(self) -> None:
        self.keepalive()
        unknown = [version for version in self.versions if version not in VERSIONS]
        if unknown or not self.versions:
            raise ConfigurationError(f"versions must be some of {', '.join(VERSIONS)}", f"not {unknown}")
        if len(self.heart_beat_ms) != 2 or min(self.heart_beat_ms) < 0:
            raise ConfigurationError("heart_beat_ms must be two numbers of milliseconds, 0 or more")
        if self.heart_beat_grace < 1:
            raise ConfigurationError("heart_beat_grace must be at least 1")
        for name in ("connect_timeout", "receipt_timeout", "disconnect_timeout"):
            seconds = getattr(self, name)
            if seconds is not None and seconds < 0:
                raise ConfigurationError(f"{name} can't be negative")


class ClientOptions(TypedDict, total=False):
    """The fields of ClientSettings, as ``connect`` and StompClientService take them."""

    login: str | None
    passcode: str | None
    host: str | None
    versions: tuple[str, ...]
    heart_beat_ms: tuple[int, int]
    heart_beat_grace: float
    tcp_keepalive: int
    tcp_keepalive_interval: int
    tcp_keepalive_probes: int
    headers: Mapping[str, str]
    connect_timeout: float | None
    receipt_timeout: float | None
    disconnect_timeout: float
    codecs: Codecs
    limits: Limits
