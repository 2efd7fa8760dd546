"""What the user of a client may set, with the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from inspect import Parameter, signature
from typing import Any, TypedDict

from stomp_tx.client.arguments import NOTHING, must_be, must_be_known
from stomp_tx.client.codecs import Codecs
from stomp_tx.errors import ConfigurationError, FrameError
from stomp_tx.net.keepalive import Keepalive
from stomp_tx.wire.commands import VERSIONS
from stomp_tx.wire.headers import Headers, texts
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

    headers: Headers = field(default_factory=dict)
    """Further headers of CONNECT, such as ActiveMQ's ``client-id``."""

    connect_timeout: float | None = 75.0
    """From the beginning of connect() to the broker's CONNECTED; None: for ever.

    Where many log in at a time, this project's broker may take a minute to let one in.
    """

    receipt_timeout: float | None = None
    """For each RECEIPT.  None: as long as the connection lives (heart-beats notice a dead one)."""

    disconnect_timeout: float = 5.0
    """For what is under way when disconnect() is called, and then again for DISCONNECT's own RECEIPT."""

    codecs: Codecs = field(default_factory=Codecs)
    """What bodies that are neither bytes nor text are encoded by, and ``Message.value`` decoded."""

    limits: Limits = field(default_factory=Limits)
    """How large an arriving frame may be."""

    def keepalive(self) -> Keepalive:
        """How connections are asked whether the broker is there.  Raises ConfigurationError."""
        return Keepalive(self.tcp_keepalive, self.tcp_keepalive_interval, self.tcp_keepalive_probes)

    def __post_init__(self) -> None:
        for name, (kinds, words) in _WANTED.items():
            must_be(name, getattr(self, name), kinds, words)
        self.keepalive()
        unknown = [version for version in self.versions if version not in VERSIONS]
        if unknown or not self.versions:
            raise ConfigurationError(f"versions must be some of {', '.join(VERSIONS)}", f"not {unknown}")
        whole = [one for one in self.heart_beat_ms if type(one) is int and one >= 0]
        if not len(whole) == len(self.heart_beat_ms) == 2:
            raise ConfigurationError("heart_beat_ms must be two whole numbers of milliseconds, 0 or more")
        if self.heart_beat_grace < 1:
            raise ConfigurationError("heart_beat_grace must be at least 1")
        for name in ("connect_timeout", "receipt_timeout", "disconnect_timeout"):
            seconds = getattr(self, name)
            if seconds is not None and seconds < 0:
                raise ConfigurationError(f"{name} can't be negative")
        try:
            texts(self.headers)
        except FrameError as error:
            raise ConfigurationError(error.summary, error.detail) from None


_TEXT = (str, NOTHING), "text, or None"
_SECONDS = (int, float), "a number of seconds"
_SECONDS_OR_NONE = (int, float, NOTHING), "a number of seconds, or None"
_COUNT = (int,), "a whole number"

_WANTED: dict[str, tuple[tuple[type, ...], str]] = {
    "login": _TEXT,
    "passcode": _TEXT,
    "host": _TEXT,
    "versions": ((tuple, list), "several versions, as in ('1.1', '1.2')"),
    "heart_beat_ms": ((tuple, list), "two numbers of milliseconds, as in (10000, 10000)"),
    "heart_beat_grace": ((int, float), "a number"),
    "tcp_keepalive": _COUNT,
    "tcp_keepalive_interval": _COUNT,
    "tcp_keepalive_probes": _COUNT,
    "headers": ((Mapping,), "a mapping of names to values"),
    "connect_timeout": _SECONDS_OR_NONE,
    "receipt_timeout": _SECONDS_OR_NONE,
    "disconnect_timeout": _SECONDS,
    "codecs": ((Codecs,), "a Codecs"),
    "limits": ((Limits,), "a Limits"),
}


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
    headers: Headers
    connect_timeout: float | None
    receipt_timeout: float | None
    disconnect_timeout: float
    codecs: Codecs
    limits: Limits


def settings_of(options: Mapping[str, Any], function: Callable[..., Any], name: str) -> ClientSettings:
    """The settings among the keyword arguments of ``connect`` or StompClientService.

    function, name -- which of them, and what it is called

    Raises ConfigurationError, for a name that there is not with the nearest one that there is.
    """
    named = signature(function).parameters.values()
    own = [one.name for one in named if one.kind is Parameter.KEYWORD_ONLY]
    must_be_known(options, [*(one.name for one in fields(ClientSettings)), *own], name)
    return ClientSettings(**options)
