"""door.py: how many may come in."""

from __future__ import annotations

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.door import place_of
from tests.conversation import Broker


def at(host: str) -> IPv4Address:
    return IPv4Address("TCP", host, 1)


class ConnectionTests(SynchronousTestCase):
    def test_in_all(self) -> None:
        broker = Broker(connections=2)
        ann = broker.dial(at("192.0.2.1"))
        broker.dial(at("192.0.2.2"))
        broker.dial(at("192.0.2.3")).fails("too many connections")
        ann.hangs_up()
        broker.knocks(at("192.0.2.3")).hears("CONNECTED")

    def test_from_one_address(self) -> None:
        broker = Broker(connections_per_address=2)
        ann = broker.dial(at("192.0.2.1"))
        broker.dial(at("192.0.2.1"))
        refused = broker.dial(at("192.0.2.1"))
        refused.fails("too many connections")
        refused.hangs_up()  # which never counted
        broker.dial(at("192.0.2.1")).fails("too many connections")
        broker.knocks(at("192.0.2.2")).hears("CONNECTED")
        ann.hangs_up()
        broker.knocks(at("192.0.2.1")).hears("CONNECTED")

    def test_of_one_user(self) -> None:
        broker = Broker(connections_per_user=1)
        ann = broker.connect()
        broker.knocks().fails("too many connections")
        broker.factory.anonymous = StompUser("somebody else")
        broker.connect()
        ann.hangs_up()
        broker.factory.anonymous = StompUser("anonymous")
        broker.connect()

    def test_nothing_is_kept_of_who_has_gone(self) -> None:
        broker = Broker(connections_per_user=3, connections_per_address=3)
        for number in range(50):
            client = broker.dial(at(f"192.0.2.{number}"))
            if number % 2:
                client.says("CONNECT", {"accept-version": "1.2", "host": "x"})
            if number % 3:
                client.says("NONSENSE")
            client.hangs_up()
        door = broker.factory.door
        self.assertEqual((door._inside, door._from, door._of), (0, {}, {}))


class PlaceTests(SynchronousTestCase):
    def test_what_connections_are_counted_by(self) -> None:
        for address, place in (
            (at("192.0.2.1"), "192.0.2.1"),
            (IPv6Address("TCP", "2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
            (IPv6Address("TCP", "2001:db8:1:2::1", 1), "2001:db8:1:2::/64"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::/64"),
            (IPv6Address("TCP", "::ffff:192.0.2.1", 1), "192.0.2.1"),
            (IPv6Address("TCP", "what", 1), "what"),
            (UNIXAddress("/run/stomp"), "unix"),
            (HostnameAddress(b"x", 1), "unix"),
        ):
            self.assertEqual(place_of(address), place)
