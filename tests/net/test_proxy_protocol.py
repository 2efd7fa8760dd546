"""net/proxy_protocol.py: connections through a proxy."""

from __future__ import annotations

import struct

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from stomp_tx.auth.checkers.in_turn import portal_of
from stomp_tx.auth.checkers.local import LocalChecker
from stomp_tx.auth.realm import StompRealm
from stomp_tx.broker.admission.login_attempt import login_attempt_of
from stomp_tx.net.proxy_protocol import HEADER_TIMEOUT, ProxiedFactory, ProxiedProtocol
from tests.conversation import Broker

CONNECT = b"CONNECT\naccept-version:1.2\nhost:h\n\n\0"
PROXY = IPv4Address("TCP", "127.0.0.1", 1)


def version_1(host: str) -> bytes:
    return f"PROXY TCP4 {host} 127.0.0.1 40000 61613\r\n".encode()


def version_2(command: int, kind: int, addresses: bytes = b"") -> bytes:
    head = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 + command, kind])
    return head + struct.pack("!H", len(addresses)) + addresses


class ProxiedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = Broker(connections_per_address=2)

    def dial(self, octets: bytes = b"") -> ProxiedProtocol:
        """A connection of the proxy's, on which this has come."""
        protocol = ProxiedFactory(self.broker.factory, self.broker.clock).buildProtocol(None)
        assert isinstance(protocol, ProxiedProtocol)
        protocol.makeConnection(StringTransport(peerAddress=PROXY))
        if octets:
            protocol.dataReceived(octets)
        return protocol

    def answer(self, octets: bytes) -> bytes:
        """What it is told."""
        told: bytes = self.dial(octets).transport.value()
        return told

    def test_silent_ones_count_where_they_come_from_and_not_as_the_proxy_s(self) -> None:
        for _ in range(2):
            self.dial(version_1("192.0.2.66"))
        self.assertIn(b"too many connections", self.answer(version_1("192.0.2.66")))
        for _ in range(3):
            self.dial()  # has not said anything yet
        self.assertIn(b"CONNECTED", self.answer(version_1("192.0.2.7") + CONNECT))
        self.assertIn(b"CONNECTED", self.answer(version_1("127.0.0.1") + CONNECT))

    def test_where_the_proxy_s_own_address_is_locked_out_nobody_else_is(self) -> None:
        for number in range(10):
            self.broker.factory.broker.lockout.failed(login_attempt_of("127.0.0.1", f"user{number}", []))
        self.assertIn(b"try again", self.answer(version_1("127.0.0.1")))
        self.assertIn(b"CONNECTED", self.answer(version_1("192.0.2.7") + CONNECT))

    def test_of_whom_the_proxy_says_nothing_is_not_local(self) -> None:
        self.broker.factory.portal = portal_of(StompRealm(), [LocalChecker()])
        here = b"\x7f\0\0\1\x7f\0\0\1\x9c\x40\xf0\xad"
        for header in (version_1("127.0.0.1"), version_2(1, 0x11, here)):
            self.assertIn(b"CONNECTED", self.answer(header + CONNECT))
        for number, header in enumerate(
            (
                b"PROXY UNKNOWN\r\n",
                b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 40000 61613\r\n",
                version_2(0, 0x11, here),  # LOCAL
                version_2(1, 0x00),  # unspecified
                version_2(1, 0x31, b"/run/a".ljust(108, b"\0") * 2),  # a unix socket
            )
        ):
            protocol = self.dial(header + CONNECT)
            self.broker.clock.pump([1.0] * 6)
            told: bytes = protocol.transport.value()
            self.assertIn(b"ERROR", told, number)
            self.assertIn(b"stomp-tx passwd add", told)
            protocol.connectionLost(Failure(ConnectionDone()))

    def test_octets_that_are_no_header_end_it(self) -> None:
        for octets in (CONNECT, b"PROXY TCP4 x\r\n", b"PROXY TCP4 192.0.2.1 192.0.2.2 a b\r\n", b"PRO"):
            protocol = self.dial(octets)
            self.assertTrue(protocol.transport.disconnecting)
            protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.broker.factory.sessions, {})

    def test_a_header_in_pieces(self) -> None:
        protocol = self.dial()
        octets = version_1("192.0.2.7")
        for piece in (octets[:20], octets[20:], CONNECT[:5], CONNECT[5:]):
            protocol.dataReceived(piece)
        self.assertIn(b"CONNECTED", protocol.transport.value())

    def test_who_sends_none_in_time_is_cut(self) -> None:
        protocol = self.dial()
        self.broker.clock.advance(HEADER_TIMEOUT)
        self.assertTrue(protocol.transport.disconnecting)

    def test_a_client_that_closes_its_side_is_still_told_what_it_is_owed(self) -> None:
        protocol = self.dial(version_1("192.0.2.7") + CONNECT)
        verifyObject(IHalfCloseableProtocol, protocol)
        protocol.dataReceived(b"SEND\n")
        protocol.readConnectionLost()
        self.assertIn(b"in the middle of a frame", protocol.transport.value())
        self.assertTrue(protocol.transport.disconnecting)

    def test_one_that_does_before_its_header_or_whose_protocol_does_not_care_is_closed(self) -> None:
        early = self.dial(b"PROXY TCP4 ")
        early.readConnectionLost()
        self.assertTrue(early.transport.disconnecting)
        factory = ProxiedFactory(Factory.forProtocol(Protocol), self.broker.clock)
        plain = factory.buildProtocol(None)
        plain.makeConnection(StringTransport(peerAddress=PROXY))
        plain.dataReceived(version_1("192.0.2.7"))
        plain.readConnectionLost()
        self.assertTrue(plain.transport.disconnecting)

    def test_nothing_stays_behind(self) -> None:
        for octets in (b"", version_1("192.0.2.7"), version_1("192.0.2.7") + CONNECT):
            protocol = self.dial(octets)
            protocol.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(protocol.factory.protocols, {})
        self.assertEqual(self.broker.factory.sessions, {})
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])
