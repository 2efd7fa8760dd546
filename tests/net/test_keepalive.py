"""keepalive.py: what the system is told of each connection, on the reactor's own sockets."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper
from twisted.trial.unittest import SynchronousTestCase, TestCase

from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.client import connect
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import ConfigurationError
from stomp_tx.net.endpoints import endpoint_from_string
from stomp_tx.net.keepalive import Keepalive
from stomp_tx.net.tls.development_certificates import Authority
from tests.scratch import scratch

IDLE = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))


def asked(transport: Any) -> tuple[int, ...] | None:
    """What the system was told of the socket below: idle, interval and probes; None: it does not ask."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    sock = transport.getHandle()
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return None
    options = IDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT
    return tuple(sock.getsockopt(socket.IPPROTO_TCP, one) for one in options)


class ConnectionTests(TestCase):
    async def connection(self, port: str, client: str, broker: BrokerSettings, **more: Any) -> list[Any]:
        """What the broker and the client told of theirs; ``{}`` in ``client`` is the port's number."""
        from twisted.internet import reactor

        factory = StompBrokerFactory(settings=broker)
        listening = await endpoint_from_string(reactor, port).listen(factory)
        try:
            ann = await connect(client.format(getattr(listening.getHost(), "port", "")), **more)
            (session,) = factory.sessions
            found = [asked(session._sender.transport), asked(ann._session._sender.transport)]  # type: ignore[attr-defined]
            await ann.disconnect()
        finally:
            await listening.stopListening()
            await factory.stop()
        return found

    async def test_a_minute_and_then_four_questions_if_nothing_else_is_said(self) -> None:
        found = await self.connection("tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:{}", BrokerSettings())
        self.assertEqual(found, [(60, 15, 4), (60, 15, 4)])

    async def test_each_side_has_settings_of_its_own(self) -> None:
        broker = BrokerSettings(tcp_keepalive=7, tcp_keepalive_interval=3, tcp_keepalive_probes=2)
        client = {"tcp_keepalive": 8, "tcp_keepalive_interval": 4, "tcp_keepalive_probes": 5}
        folder = scratch(self) / "certs"
        Authority(str(folder)).server()
        tls = f"privateKey={folder}/server.key:certKey={folder}/server.pem"
        ca = {"ca_file": f"{folder}/ca.pem"}
        for port, to, more in (
            ("tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:{}", {}),
            (f"stomps:0:interface=127.0.0.1:{tls}", "tls:127.0.0.1:{}", ca),
            (f"ssl:0:interface=127.0.0.1:{tls}", "tls:127.0.0.1:{}", ca),
        ):
            self.assertEqual(
                await self.connection(port, to, broker, **client, **more), [(7, 3, 2), (8, 4, 5)]
            )

    async def test_none_where_that_is_wanted_and_on_unix_sockets(self) -> None:
        off = BrokerSettings(tcp_keepalive=0)
        found = await self.connection("tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:{}", off, tcp_keepalive=0)
        self.assertEqual(found, [None, None])
        path = scratch(self) / "sock"
        found = await self.connection(f"unix:{path}", f"unix:{path}", BrokerSettings())
        self.assertEqual(found, [None, None])

    async def test_behind_a_proxy_it_is_the_proxy_that_is_asked(self) -> None:
        from twisted.internet import reactor

        factory = StompBrokerFactory()
        listening = await endpoint_from_string(reactor, "haproxy:tcp:0:interface=127.0.0.1").listen(factory)
        try:
            with socket.create_connection(("127.0.0.1", listening.getHost().port)) as proxy:
                proxy.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 61613\r\n")
                while not factory.sessions:  # it has not read the header yet
                    await deferLater(reactor, 0)
                (session,) = factory.sessions
                self.assertEqual(asked(session._sender.transport), (60, 15, 4))  # type: ignore[attr-defined]
        finally:
            await listening.stopListening()
            await factory.stop()


class KeepaliveTests(SynchronousTestCase):
    def test_a_transport_that_is_no_socket_is_let_be(self) -> None:
        Keepalive(60, 15, 4).watch(StringTransport())

    def test_a_connection_that_is_lost_already_is_let_be(self) -> None:
        with socket.socket() as sock:
            transport = Connection(sock, Protocol(), reactor=object())  # type: ignore[arg-type]
        Keepalive(60, 15, 4).watch(transport)

    def test_numbers_that_no_system_takes_are_refused(self) -> None:
        for name, wrong in (
            ("tcp_keepalive", -1),
            ("tcp_keepalive", 32_768),
            ("tcp_keepalive_interval", 0),
            ("tcp_keepalive_interval", 32_768),
            ("tcp_keepalive_probes", 0),
            ("tcp_keepalive_probes", 128),
        ):
            for settings in (BrokerSettings, ClientSettings):
                error = self.assertRaises(ConfigurationError, settings, **{name: wrong})
                self.assertIn(name, str(error))
