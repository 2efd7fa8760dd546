"""The broker of ``stomp_tx.testing``, with the names that our tests have for it."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress

from stomp_tx.testing import MemoryBroker, Peer
from stomp_tx.testing.link import Transport

__all__ = ["Broker", "Client", "Transport"]


class Broker(MemoryBroker):
    """A broker whose clients speak in frames."""

    connect = MemoryBroker.peer

    def __init__(self, *arguments: Any, upkeep: bool = False, **settings: Any) -> None:
        super().__init__(*arguments, upkeep=upkeep, **settings)

    def dial(self, peer: IAddress | None = None, certificate: Any = None) -> Client:  # type: ignore[override]
        """A connection on which nothing was said yet, from there."""
        return Client(self, peer, certificate)

    def stranger(self, address: IAddress | None = None, certificate: Any = None) -> Client:
        return self.dial(address, certificate) if address or certificate else self.dial()

    def knocks(self, peer: IAddress | None = None, certificate: Any = None, **headers: str) -> Client:
        """A client that has said CONNECT, and may have been answered."""
        client = self.stranger(peer, certificate)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.says("CONNECT", **{"accept-version": client.version, "host": "test", **named})
        return client


class Client(Peer):
    """One of them, that knows its broker."""

    def __init__(self, broker: Broker, peer: IAddress | None = None, certificate: Any = None) -> None:
        self.broker = broker
        super().__init__(broker.factory.buildProtocol(None), peer, certificate)
