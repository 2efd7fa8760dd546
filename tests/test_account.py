"""For whom memory is taken, and how much."""

from __future__ import annotations

import gc

from twisted.internet.address import IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.account import Account
from stomp_tx.broker.broker import Broker as SharedBroker
from tests.conversation import Broker, Client


class AccountTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.queued = 0
        self.account = Account(lambda: self.queued)

    def test_what_is_taken_counts_for_its_owner_and_in_all(self) -> None:
        ann, bob = self.account.owner("ann"), self.account.owner("bob")
        self.account.charge(ann, 100)
        self.account.charge(bob, 10)
        self.queued = 1000
        self.assertEqual((ann.octets, bob.octets, self.account.octets), (100, 10, 1110))
        self.account.release(ann, 100)
        self.assertEqual((ann.octets, bob.octets, self.account.octets), (0, 10, 1010))

    def test_an_owner_is_the_same_as_long_as_anybody_has_it(self) -> None:
        ann = self.account.owner("ann")
        self.assertIs(self.account.owner("ann"), ann)
        self.assertEqual(self.account.owners, [ann])
        del ann
        gc.collect()
        self.assertEqual(self.account.owners, [])
        for number in range(1000):
            self.account.owner(str(number))
        self.assertLess(len(self.account._owners), 200)


class OwnersTests(SynchronousTestCase):
    """Who it is for whom a broker takes memory."""

    def setUp(self) -> None:
        self.broker = Broker()
        self.shared: SharedBroker = self.broker.factory.broker

    def owed_by(self) -> dict[str, int]:
        return {owner.name: owner.octets for owner in self.shared.account.owners if owner.octets}

    def sends(self, host: str) -> Client:
        client = self.broker.knocks(IPv6Address("TCP", host, 1))
        client.says("SEND", {"destination": "/queue/a"}, b"body")
        return client

    def test_who_has_not_said_who_they_are_is_where_they_come_from(self) -> None:
        self.sends("2001:db8::1")
        size = self.shared.engine.octets
        self.assertEqual(self.owed_by(), {"address 2001:db8::/64": size})
        self.sends("2001:db8::2")
        self.assertEqual(self.owed_by(), {"address 2001:db8::/64": 2 * size})
        self.sends("2001:db8:0:1::1")
        self.assertEqual(
            self.owed_by(), {"address 2001:db8::/64": 2 * size, "address 2001:db8:0:1::/64": size}
        )

    def test_who_leaves_still_owes_what_waits(self) -> None:
        sender = self.sends("2001:db8::1")
        sender.hangs_up()
        self.assertEqual(list(self.owed_by()), ["address 2001:db8::/64"])
        taker = self.broker.connect()
        taker.subscribes("/queue/a", ack="client")
        message = taker.hears("MESSAGE")
        self.assertEqual(list(self.owed_by()), ["address 2001:db8::/64"], "in flight it counts, too")
        taker.acks(message)
        self.assertEqual(self.owed_by(), {})

    def test_what_is_handed_over_and_done_with_is_never_counted(self) -> None:
        taker = self.broker.connect()
        taker.subscribes("/queue/a")
        self.sends("2001:db8::1")
        self.assertEqual(self.owed_by(), {})

    def test_what_waits_in_a_durable_subscription_is_its_users(self) -> None:
        taker = self.broker.knocks(IPv6Address("TCP", "2001:db8:9::1", 1), client_id="c")
        taker.subscribes("/topic/t", ack="client", **{"activemq.subscriptionName": "d"})
        taker.hangs_up()
        client = self.broker.knocks(IPv6Address("TCP", "2001:db8::1", 1))
        client.says("SEND", {"destination": "/topic/t"}, b"body")
        self.assertEqual(list(self.owed_by()), ["address 2001:db8:9::/64"])
