"""Handshakes that fail, for real: a broker in this process, its sockets, and certificates of all kinds."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, serverFromString, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from stomp_tx.broker.events import Disconnected
from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.client import ConnectionLost, TLSFailed, connect
from stomp_tx.errors import StompError
from stomp_tx.net.tls.development_certificates import Authority
from tests.net.tls.test_server import authority_of
from tests.scratch import scratch

RAW = ("SSL routines", "[(", "('", "Error(", "Failure", "<class", "object ", "alert", "{", "unknown)", "\n\n")
"""What nobody should have to read."""

PATIENCE = 20.0


class HandshakeCase(TestCase):
    """Authorities are folders: ``ours``, with a server's certificate, and ``theirs``."""

    def setUp(self) -> None:
        self.folder = scratch(self)
        self.ours = self.folder / "ours"
        self.theirs = self.folder / "theirs"
        self.authority = Authority(str(self.ours))
        self.authority.server()
        self.others = Authority(str(self.theirs))
        self.others.server()

    # -- a broker -----------------------------------------------------------------------------------------

    async def listening(self, description: str) -> int:
        """The port of a broker; ``gone`` fires at the end of the first connection."""
        # (Connections of a broker before may end while this one is asked about.)
        lines: list[str] = []
        gone: Deferred[None] = Deferred()
        self.lines, self.gone = lines, gone
        log = Logger(namespace="test", observer=lambda event: lines.append(formatEvent(event)))
        broker = StompBrokerFactory(log=log)
        broker.events.observe(Disconnected, lambda _: gone.called or gone.callback(None))
        self.addCleanup(broker.stop)
        return await self.port_of(description, broker)

    async def port_of(self, description: str, factory: Any) -> int:
        port = await serverFromString(reactor, description).listen(factory)
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def plain(self) -> int:
        return await self.listening("tcp:0:interface=127.0.0.1")

    async def tls(self, name: str = "server", more: str = "", kind: str = "stomps") -> int:
        files = f"privateKey={self.ours}/{name}.key:certKey={self.ours}/{name}.pem"
        return await self.listening(f"{kind}:0:interface=127.0.0.1:{files}{more}")

    async def answering(self, octets: bytes) -> int:
        """The port of somebody who says only this."""

        class Answer(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(octets)
                self.transport.loseConnection()

        return await self.port_of("tcp:0:interface=127.0.0.1", Factory.forProtocol(Answer))

    # -- what is said -------------------------------------------------------------------------------------

    async def is_told(
        self, endpoint: Any, *words: str, ca: Path | None = None, kind: type[Exception] = TLSFailed
    ) -> str:
        """All that the client's user is told, when it can't connect."""
        if ca is None and isinstance(endpoint, str) and endpoint.startswith("tls:"):
            ca = self.ours
        ca_file = None if ca is None or not isinstance(endpoint, str) else f"{ca}/ca.pem"
        error = await self.assertFailure(connect(endpoint, ca_file=ca_file, connect_timeout=PATIENCE), kind)
        assert isinstance(error, StompError)
        self.assertIsInstance(error, ConnectionLost)
        return self.has(f"{error.summary}: {error.detail}", *words)

    async def is_logged(self, *words: str) -> str:
        """All that the broker's log says of the first connection."""
        await self.gone
        return self.has("\n".join(self.lines), *words)

    def has(self, said: str, *words: str) -> str:
        for raw in RAW:
            self.assertNotIn(raw, said)
        for one in words:
            self.assertIn(one, said)
        return said

    # -- clients ------------------------------------------------------------------------------------------

    def shows(self, user: str, folder: Path | None = None) -> str:
        """Ends the endpoint string of a client that shows this certificate."""
        where = f"{folder or self.ours}/{user}"
        return f":certificate={where}.pem:privateKey={where}.key"

    def limited(self, port: int, version: int, ciphers: bytes = b"DEFAULT") -> Any:
        """The endpoint of a client that has only this version of TLS, and these ciphers."""
        context = SSL.Context(SSL.TLS_METHOD)
        context.load_verify_locations(f"{self.ours}/ca.pem")
        context.set_verify(SSL.VERIFY_PEER, lambda *result: bool(result[-1]))
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_cipher_list(ciphers)

        @implementer(IOpenSSLClientConnectionCreator)
        class Limited:
            def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
                return SSL.Connection(context)

        return wrapClientTLS(Limited(), HostnameEndpoint(reactor, "localhost", port))

    async def elsewhere(self, port: int, talk: Callable[[socket.socket], object]) -> Any:
        """What it gives: a client that is nothing but a socket, in another thread."""

        def dial() -> object:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
                return talk(peer)

        return await deferToThread(dial)

    async def pythons(self, port: int, ca: Path | None = None, **more: Any) -> Any:
        """Why Python's own client, which verifies, is not content; None: it is."""
        context = ssl.create_default_context(cafile=f"{ca or self.ours}/ca.pem")
        for name, value in more.items():
            setattr(context, name, value)

        def shake(peer: socket.socket) -> Exception | None:
            try:
                context.wrap_socket(peer, server_hostname="localhost").close()
            except (ssl.SSLError, ConnectionError) as error:
                return error
            return None

        return await self.elsewhere(port, shake)

    # -- certificates -------------------------------------------------------------------------------------

    def sign(self, name: str, subject: str, self_signed: bool = False) -> None:
        """A certificate of our authority, or of its own, for nothing in particular."""
        signer, issuer = authority_of(self.ours)
        key = ec.generate_private_key(ec.SECP256R1())
        called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(called)
            .issuer_name(called if self_signed else issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(issuer.not_valid_before_utc)
            .not_valid_after(issuer.not_valid_after_utc)
        )
        made = builder.sign(key if self_signed else signer, hashes.SHA256())
        (self.ours / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        octets = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.ours / f"{name}.key").write_bytes(octets)
