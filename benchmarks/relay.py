"""The floor under every Twisted broker: a bare relay that parses nothing.

What any connection sends goes to every connection that sent SUBSCRIBE.  Load run through it shows what the
framework and the kernel cost by themselves.  Usage: python -m benchmarks.relay tcp:PORT:interface=127.0.0.1
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import protocol

subscribers: list[Relay] = []


class Relay(protocol.Protocol):
    """Answers CONNECT and SUBSCRIBE when a read starts with them; passes everything else on."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        if data.startswith(b"CONNECT"):
            self.transport.write(b"CONNECTED\nversion:1.2\n\n\0")
        elif data.startswith(b"SUBSCRIBE"):
            subscribers.append(self)
            self.transport.write(b"RECEIPT\nreceipt-id:sub\n\n\0")
        else:
            for subscriber in subscribers:
                subscriber.transport.write(data)

    def connectionLost(self, reason: object = None) -> None:
        if self in subscribers:
            subscribers.remove(self)


class Factory(protocol.ServerFactory):
    protocol = Relay
    noisy = False


if __name__ == "__main__":
    from benchmarks.listening import serve  # brings the reactor, which belongs to this process alone

    serve(sys.argv[1], Factory())
