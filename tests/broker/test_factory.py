"""broker/factory.py: a broker, as Twisted has it."""

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from stomp_tx.broker.factory import StompBrokerFactory
from tests.conversation import Broker


class FactoryTests(SynchronousTestCase):
    def test_session_ids_are_ours_and_each_its_own(self) -> None:
        broker = Broker()
        ids = set()
        for _ in range(50):
            client = broker.dial()
            client.says("CONNECT", {"accept-version": "1.2", "host": "x"})
            ids.add(client.hears("CONNECTED").headers["session"])
        self.assertEqual(len(ids), 50)
        self.assertFalse(any(":" in session or "\\" in session for session in ids))

    def test_message_ids_are_unique_and_plain(self) -> None:
        broker = Broker()
        ann = broker.connect()
        ann.subscribes("/topic/a")
        for _ in range(50):
            ann.says("SEND", destination="/topic/a")
        ids = {frame.headers["message-id"] for frame in ann.everything()}
        self.assertEqual(len(ids), 50)
        self.assertFalse(any(":" in one or "\\" in one for one in ids))

    def test_it_tells_that_it_is_stopping(self) -> None:
        factory = Broker().factory
        self.assertFalse(factory.is_stopping)
        factory.stop()
        self.assertTrue(factory.is_stopping)


class Reader(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: object = None) -> None:
        self.ended.callback(self.received)


class RealSocketTests(TestCase):
    """Over the reactor's own sockets."""

    async def test_a_factory_without_arguments_is_a_whole_broker(self) -> None:
        from twisted.internet import reactor

        factory = StompBrokerFactory()
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
        try:
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            client = await endpoint.connect(Factory.forProtocol(Reader))
            client.transport.write(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0")
            client.transport.write(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
            client.transport.write(b"SEND\ndestination:/queue/a\n\nhello\0DISCONNECT\nreceipt:1\n\n\0")
            received = await client.ended
        finally:
            await port.stopListening()
        self.assertIn(b"hello\0", received)
        self.assertTrue(received.endswith(b"RECEIPT\nreceipt-id:1\n\n\0\n"))

    async def test_the_error_arrives_though_octets_behind_it_were_not_read(self) -> None:
        """STOMP 1.2, "Connection Lingering": a reset would destroy the ERROR on its way."""
        from twisted.internet import reactor

        factory = StompBrokerFactory()
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
        try:
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            client = await endpoint.connect(Factory.forProtocol(Reader))
            client.transport.write(b"FOO\n\n\0" + b"x" * 3_000_000)
            received = await client.ended
        finally:
            await port.stopListening()
            await factory.stop()  # it reads on for a while
        self.assertIn(b"ERROR\nmessage:not connected\n", received)
