"""Endpoint strings, and connections through real sockets."""

import gc
import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    serverFromString,
)
from twisted.internet.error import ConnectError
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.client import ConnectionLost, NoConnection, StompClientService, connect
from stomp_tx.client.endpoint import endpoint_from_string
from stomp_tx.errors import ConfigurationError
from tests.e2e.certificates import Authority
from tests.scratch import scratch


class EndpointStringTests(SynchronousTestCase):
    def made(self, description, ca_file=None):
        return endpoint_from_string(MemoryReactorClock(), description, ca_file)

    def test_tcp(self):
        endpoint, host = self.made("tcp:broker.example:61613:timeout=5")
        self.assertIsInstance(endpoint, TCP4ClientEndpoint)
        self.assertEqual(host, "broker.example")
        self.assertEqual(self.made("tcp:port=61613:host=a.example")[1], "a.example")
        for right in ("TCP:a.example:1", "tcp:a.example.:1", "tcp:b\u00fccher.example:1", "tcp:127.0.0.1:1"):
            self.assertEqual(self.made(right)[1], right.split(":")[1])

    def test_host_may_have_colons(self):
        self.assertEqual(self.made("tcp:\\:\\:1:61613")[1], "::1")

    def test_whatever_twisted_has(self):
        endpoint, host = self.made("unix:/run/stomp.sock")
        self.assertIsInstance(endpoint, UNIXClientEndpoint)
        self.assertIsNone(host)

    def test_own_authorities_are_for_tls(self):
        authority = Authority(scratch(self), "ca")
        endpoint, host = self.made("tls:broker.example:61617:timeout=5", str(authority.file))
        self.assertIsInstance(endpoint._wrappedEndpoint, HostnameEndpoint)
        self.assertEqual(host, "broker.example")
        for wrong in (
            "tcp:broker.example:61613",
            "tls:broker.example",
            "tls:broker.example:61617:colour=red",
        ):
            self.assertRaises(ConfigurationError, self.made, wrong, str(authority.file))

    def test_file_must_hold_certificates(self):
        empty = scratch(self) / "empty.pem"
        self.assertRaises(ConfigurationError, self.made, "tls:broker.example:61617", str(empty))
        empty.write_bytes(b"")
        self.assertRaises(ConfigurationError, self.made, "tls:broker.example:61617", str(empty))

    def test_a_host_that_no_certificate_can_be_for_is_refused(self):
        for host in ("2130706433", "1"):
            for wrong in (f"tls:{host}:61617", f"tls:host={host}:port=1:endpoint=tcp\\:a\\:1"):
                error = self.assertRaises(ConfigurationError, self.made, wrong)
                self.assertIn(f"'{host}' is no name", str(error) + error.detail)
        for right in ("127.0.0.1", "\\:\\:1", "localhost", "b\u00fccher.example", "1.example"):
            self.made(f"tls:{right}:61617")

    def test_what_does_not_verify_is_refused(self):
        error = self.assertRaises(ConfigurationError, self.made, "ssl:broker.example:61617")
        self.assertIn("tls:broker.example:61617", error.detail)
        self.assertRaises(ConfigurationError, self.made, "SSL:broker.example:61617")

    def test_what_is_none_is_refused(self):
        for wrong in ("", "broker.example", "tcp:", "tcp:a:b", "carrier-pigeon:7"):
            self.assertRaises(ConfigurationError, self.made, wrong)
        self.failureResultOf(connect("tcp:", reactor=MemoryReactorClock()), ConfigurationError)

    def test_what_to_write_is_said(self):
        for wrong, right in (
            ("127.0.0.1:61613", "tcp:127.0.0.1:61613"),
            ("localhost:61614", "tcp:localhost:61614"),
            ("broker.example", "tcp:broker.example:61613"),
            ("61614", "tcp:127.0.0.1:61614"),
            ("", "tcp:127.0.0.1:61613"),
            ("[::1]:61614", r"tcp:\:\:1:61614"),
            ("::1", r"tcp:\:\:1:61613"),
            ("tcp:::1:61614", r"tcp:\:\:1:61614"),
            ("tcp:localhost", "tcp:localhost:61613"),
            ("tcp:", "tcp:127.0.0.1:61613"),
            ("tls:broker.example", "tls:broker.example:61613"),
            ("tcp://localhost:61614", "tcp:localhost:61614"),
            ("stomp://broker.example/vhost", "tcp:broker.example:61613"),
            ("stomp+tls://broker.example:61617", "tls:broker.example:61617"),
            ("stomp:localhost:61614", "tcp:localhost:61614"),
            ("unix:", "unix:PATH"),
            ("unix:a:b", "unix:PATH"),
            ("tcp:a b:c:d", "tcp:HOST:PORT, tls:HOST:PORT or unix:PATH"),
            ("localhost:99999", "tcp:HOST:PORT, tls:HOST:PORT or unix:PATH"),
        ):
            error = self.assertRaises(ConfigurationError, self.made, wrong)
            self.assertEqual(str(error), f"{wrong!r} is no endpoint to connect to: write {right}")

    def test_what_is_wrong_with_an_argument_is_said(self):
        for wrong, said in (
            ("tcp:a:99999", "the port is a number from 1 to 65535, not '99999'"),
            ("tls:a:70000", "the port is a number from 1 to 65535, not '70000'"),
            ("tcp:a:0", "the port is a number from 1 to 65535, not '0'"),
            ("tcp:a:-1", "the port is a number from 1 to 65535, not '-1'"),
            ("tcp:host=a:port=http", "the port is a number from 1 to 65535, not 'http'"),
            ("tcp:a:1:timeuot=5", "tcp: has no argument timeuot: did you mean timeout?"),
            ("tls:a:1:colour=red", "tls: has no argument colour"),
            ("TCP:a:0", "the port is a number from 1 to 65535, not '0'"),
            ("tcp:a..b:1", "'a..b' is no name of a host"),
            (f"tcp:{'a' * 64}:1", f"'{'a' * 64}' is no name of a host"),
            ("tls:a..b:1", "'a..b' is no name of a host"),
            ("tcp:a:1:timeout=soon", "timeout is a number of seconds, not 'soon'"),
        ):
            error = self.assertRaises(ConfigurationError, self.made, wrong)
            self.assertEqual(str(error), f"{wrong!r} is no endpoint to connect to: {said}")

    def test_a_passcode_is_not_shown(self):
        error = self.assertRaises(ConfigurationError, self.made, "stomp://ann:secret@localhost:1")
        self.assertEqual(str(error), "that is no endpoint to connect to: write tcp:localhost:1")
        for wrong in ("tcp:ann:secret@localhost", "tcp:localhost:1:timeout=secret@", "tcp:secret@a:1"):
            error = self.assertRaises(ConfigurationError, self.made, wrong)
            self.assertNotIn("secret", f"{error} {error.detail}")

    def test_what_is_no_string_must_be_an_endpoint(self):
        reactor = MemoryReactorClock()
        for wrong in (5, None, b"tcp:a:1", ["tcp:a:1"]):
            error = self.failureResultOf(connect(wrong, reactor=reactor), ConfigurationError).value
            self.assertEqual(
                str(error), f"{wrong!r} is no endpoint to connect to: write 'tcp:127.0.0.1:61613'"
            )
        for wrong in (5, None, b"tcp:a:1", ["tcp:a:1", 5]):
            with self.assertRaisesRegex(ConfigurationError, "is no endpoint to connect to"):
                StompClientService(wrong, reactor=reactor)

    def test_own_authorities_are_not_for_an_endpoint_object(self):
        reactor = MemoryReactorClock()
        endpoint, _ = self.made("tcp:a:1")
        self.failureResultOf(connect(endpoint, reactor=reactor, ca_file="ca.pem"), ConfigurationError)
        with self.assertRaises(ConfigurationError):
            StompClientService(endpoint, reactor=reactor, ca_file="ca.pem")


class SocketTests(TestCase):
    """A broker in this process, real sockets and the real reactor."""

    @inlineCallbacks
    def listening(self, description):
        broker = StompBrokerFactory()
        port = yield serverFromString(reactor, description).listen(broker)
        self.addCleanup(broker.stop)
        self.addCleanup(port.stopListening)
        return port.getHost().port

    async def exchange(self, client):
        subscription = await client.subscribe("/queue/a")
        await client.send("/queue/a", "hello", receipt=True)
        message = await subscription.next()
        self.assertEqual(message.text(), "hello")
        await client.disconnect()

    async def test_tcp(self):
        port = await self.listening("tcp:0:interface=127.0.0.1")
        await self.exchange(await connect(f"tcp:127.0.0.1:{port}"))

    async def test_large_and_many(self):
        port = await self.listening("tcp:0:interface=127.0.0.1")
        client = await connect(f"tcp:127.0.0.1:{port}")
        subscription = await client.subscribe("/queue/a", ack="client-individual", prefetch=10)
        large = bytes(range(256)) * 20_000
        await client.send("/queue/a", large)
        for number in range(3000):
            await client.send("/queue/a", b"%d" % number + bytes(1000))
        message = await subscription.next()
        self.assertEqual(message.body, large)
        await message.ack()
        for number in range(3000):
            message = await subscription.next()
            self.assertEqual(int(message.body.rstrip(b"\0")), number)
            await message.ack()
        await client.disconnect()

    async def test_nobody_there(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            place = f"tcp:127.0.0.1:{taken.getsockname()[1]}"
            error = await self.assertFailure(connect(place), NoConnection)
            self.assertIn(f"no connection to {place}: Connection was refused", str(error))
            self.assertIsInstance(error.__cause__, ConnectError)
            await self.assertFailure(connect("unix:/nonsense"), NoConnection)

    async def test_who_looks_at_no_failure_is_told(self):
        """In a program of callbacks without an errback, too."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            connecting = connect(f"tcp:127.0.0.1:{taken.getsockname()[1]}")
            seen = Deferred()
            connecting.addBoth(lambda result: seen.callback(None) or result)
            await seen
            await deferLater(reactor, 0)  # that one is through
            del connecting
            gc.collect()
            self.assertEqual(len(self.flushLoggedErrors(NoConnection)), 1)

    async def test_tls_to_a_broker_that_is_believed(self):
        authority = Authority(scratch(self), "ca")
        port = await self.listening(self.tls(authority, "localhost"))
        await self.exchange(await connect(f"tls:localhost:{port}", ca_file=str(authority.file)))

    async def test_own_certificate_is_shown(self):
        authority = Authority(scratch(self), "ca")
        port = await self.listening(self.tls(authority, "localhost"))
        own = authority.server("ann")
        await self.exchange(
            await connect(f"tls:localhost:{port}:certificate={own}", ca_file=str(authority.file))
        )

    async def test_authority_must_be_known(self):
        folder = scratch(self)
        authority, other = Authority(folder, "ca"), Authority(folder, "other")
        port = await self.listening(self.tls(authority, "localhost"))
        for ca_file in (None, str(other.file)):
            error = await self.assertFailure(
                connect(f"tls:localhost:{port}", ca_file=ca_file), ConnectionLost
            )
            self.assertIn("is not trusted", str(error))

    async def test_host_must_be_the_certificates(self):
        authority = Authority(scratch(self), "ca")
        port = await self.listening(self.tls(authority, "broker.example"))
        connecting = connect(f"tls:localhost:{port}", ca_file=str(authority.file))
        await self.assertFailure(connecting, ConnectionLost)

    async def test_plain_client_at_a_tls_port(self):
        authority = Authority(scratch(self), "ca")
        port = await self.listening(self.tls(authority, "localhost"))
        error = await self.assertFailure(connect(f"tcp:127.0.0.1:{port}", connect_timeout=5), ConnectionLost)
        self.assertIn("connect with it: tls:HOST:PORT", error.detail)

    def tls(self, authority, host):
        """A server endpoint with a certificate of this authority."""
        pem = authority.server(host)
        return f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
