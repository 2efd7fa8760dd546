"""Keepalive: the system asks a TCP peer that is silent whether it is still there."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import ISystemHandle
from twisted.protocols.policies import ProtocolWrapper

from stomp_tx.errors import ConfigurationError

_BOUNDS = {
    "tcp_keepalive": (0, 32_767),
    "tcp_keepalive_interval": (1, 32_767),
    "tcp_keepalive_probes": (1, 127),
}
"""What Linux takes."""

_NAMES = (
    ("TCP_KEEPIDLE", "TCP_KEEPALIVE"),  # the latter on macOS
    ("TCP_KEEPINTVL",),
    ("TCP_KEEPCNT",),
)


@dataclass(frozen=True, slots=True)
class Keepalive:
    """How long a TCP connection may be silent before it is asked, and without an answer before it is lost.

    The names are those that users set.  Raises ConfigurationError.
    """

    tcp_keepalive: int
    """Seconds of silence; 0: nobody is asked."""

    tcp_keepalive_interval: int
    """Seconds between one question and the next."""

    tcp_keepalive_probes: int
    """Questions without an answer."""

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigurationError(f"{name} must be from {least} to {most}")

    def watch(self, transport: Any) -> None:
        """Have the connection below this transport asked, be there TLS or a proxy's header between.

        Where it is no TCP connection nothing happens.  A platform that lacks some option has its own.
        """
        while isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        handle = transport.getHandle() if ISystemHandle.providedBy(transport) else None
        if not isinstance(handle, socket.socket) or handle.family not in (socket.AF_INET, socket.AF_INET6):
            return
        if not self.tcp_keepalive:
            return
        values = self.tcp_keepalive, self.tcp_keepalive_interval, self.tcp_keepalive_probes
        try:
            transport.setTcpKeepAlive(True)
            for names, value in zip(_NAMES, values, strict=True):
                option = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
                if option is not None:
                    handle.setsockopt(socket.IPPROTO_TCP, option, value)
        except OSError:
            pass  # the connection is lost already: reading will tell
