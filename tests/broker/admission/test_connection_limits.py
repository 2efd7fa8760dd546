"""limits.py: how many may come in."""

from __future__ import annotations

from twisted.cred.credentials import IUsernamePassword
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.admission.connection_limits import TURNED_AWAY, place_of
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
        limits = broker.factory.broker.connection_limits
        self.assertEqual((limits.inside, limits._from, limits._of), (0, {}, {}))
        self.assertEqual((limits._silent, limits._asking, limits._strangers_from), ({}, {}, {}))

    def test_so_many_are_told_why_and_the_others_cut_at_once(self) -> None:
        broker = Broker(connections_per_address=1)
        broker.dial(at("192.0.2.66"))
        refused = [broker.dial(at("192.0.2.66")) for _ in range(TURNED_AWAY + 5)]
        for client in refused[:TURNED_AWAY]:
            client.fails("too many connections")
        for client in refused[TURNED_AWAY:]:
            self.assertTrue(client.transport.aborted)
            self.assertEqual(client.transport.value(), b"")
            client.hangs_up()
        broker.knocks(at("192.0.2.7")).hears("CONNECTED")
        refused[0].hangs_up()
        broker.dial(at("192.0.2.66")).fails("too many connections")


class StrangerTests(SynchronousTestCase):
    """Who has not logged in yet."""

    def test_from_one_address(self) -> None:
        broker = Broker(strangers_per_address=2)
        for _ in range(5):
            broker.knocks(at("192.0.2.66")).hears("CONNECTED")
        eve = broker.dial(at("192.0.2.66"))
        broker.dial(at("192.0.2.66"))
        broker.dial(at("192.0.2.66")).fails("too many connections")
        broker.knocks(at("192.0.2.7")).hears("CONNECTED")
        eve.hangs_up()
        broker.knocks(at("192.0.2.66")).hears("CONNECTED")

    def test_of_too_many_in_all_the_one_silent_longest_is_cut(self) -> None:
        broker = Broker(strangers=3)
        ann = broker.connect()
        silent = [broker.dial(at(f"192.0.2.{number}")) for number in range(5)]
        self.assertEqual([one.transport.aborted for one in silent], [True, True, False, False, False])
        broker.knocks(at("192.0.2.7")).hears("CONNECTED")
        self.assertEqual([one.transport.aborted for one in silent], [True, True, True, False, False])
        self.assertFalse(ann.transport.aborted)

    def test_who_is_logging_in_is_not_silent(self) -> None:
        broker = Broker(strangers=1, strangers_per_address=2)
        broker.factory.portal = Busy()
        asking = [broker.knocks(at("192.0.2.7"), login="ann", passcode="x") for _ in range(2)]
        for number in range(3):
            broker.dial(at(f"192.0.2.{number}"))
        self.assertFalse(any(one.transport.aborted for one in asking))
        broker.dial(at("192.0.2.7")).fails("too many connections")


class Busy:
    """A portal that has not found out yet."""

    def listCredentialsInterfaces(self) -> list[object]:
        return [IUsernamePassword]

    def login(self, *arguments: object) -> Deferred[object]:
        return Deferred()


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
