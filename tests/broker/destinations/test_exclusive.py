"""Exclusive consumers, and consumers of different priority."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker, Client

HEADERS = ("activemq.exclusive", "exclusive")
RANKS = ("activemq.priority", "x-priority")


class Conversations(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = Broker()
        self.ann = self.broker.connect()

    def consumer(self, headers: dict[str, str] | None = None, ack: str = "auto") -> Client:
        client = self.broker.connect()
        client.says("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "ack": ack, **(headers or {})})
        return client

    def leaves(self, client: Client) -> None:
        client.hangs_up()
        self.broker.clock.advance(0)


class ExclusiveTests(Conversations):
    def test_it_alone_gets_messages_until_it_leaves(self) -> None:
        for header in HEADERS:
            other, bob = self.consumer(), self.consumer({header: "true"})
            cat = self.consumer({header: "true"})
            send(self.ann, "/queue/a", "1", "2", "3")
            self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"3"])
            self.assertTrue(other.hears_nothing() and cat.hears_nothing())
            self.leaves(bob)
            send(self.ann, "/queue/a", "4")
            self.assertEqual(cat.hears_bodies(), [b"4"])
            self.leaves(cat)
            send(self.ann, "/queue/a", "5")
            self.assertEqual(other.hears_bodies(), [b"5"])
            other.hangs_up()

    def test_what_it_had_not_acknowledged_goes_to_the_next_in_order(self) -> None:
        bob = self.consumer({"exclusive": "true", "prefetch-count": "2"}, ack="client")
        cat = self.consumer({"exclusive": "true"}, ack="client")
        send(self.ann, "/queue/a", "1", "2", "3")
        self.assertEqual(len(bob.everything()), 2)
        self.leaves(bob)
        self.assertEqual([message.body for message in cat.everything()], [b"1", b"2", b"3"])

    def test_groups_of_which_it_was_held_something_go_to_the_next_in_order(self) -> None:
        for exclusive in ("true", "false"):
            bob = self.consumer({"exclusive": "true", "prefetch-count": "2"}, ack="client-individual")
            cat = self.consumer({"exclusive": exclusive})
            send(self.ann, "/queue/a", "1", "2", "3", JMSXGroupID="a")
            one, _ = bob.everything()
            bob.nacks(one)  # it is held for bob, who may have it again later
            self.assertTrue(bob.hears_nothing())
            self.leaves(bob)
            self.broker.clock.advance(5)
            self.assertEqual(cat.hears_bodies(), [b"1", b"2", b"3"])
            self.leaves(cat)

    def test_the_one_of_the_highest_priority_is_it(self) -> None:
        bob = self.consumer({"exclusive": "true"})
        cat = self.consumer({"exclusive": "true", "x-priority": "1"})
        send(self.ann, "/queue/a", "1")
        self.assertEqual((bob.hears_bodies(), cat.hears_bodies()), ([], [b"1"]))

    def test_it_may_have_a_selector(self) -> None:
        bob = self.consumer({"exclusive": "true", "selector": "x = 1"})
        other = self.consumer()
        send(self.ann, "/queue/a", "1", x="1")
        send(self.ann, "/queue/a", "2", x="2")
        self.assertEqual((bob.hears_bodies(), other.hears_bodies()), ([b"1"], []))
        self.leaves(bob)
        self.assertEqual(other.hears_bodies(), [b"2"])

    def test_a_queue_may_be_so_for_all(self) -> None:
        self.broker = Broker(patterns={"/queue/a": Policy(exclusive=True)})
        self.ann = self.broker.connect()
        bob, cat = self.consumer(), self.consumer()
        send(self.ann, "/queue/a", "1", "2")
        self.assertEqual((bob.hears_bodies(), cat.hears_bodies()), ([b"1", b"2"], []))


class RankTests(Conversations):
    def test_the_highest_gets_all_that_it_can_take(self) -> None:
        for header in RANKS:
            low = self.consumer({header: "-5"})
            high = self.consumer({header: "10", "prefetch-count": "2"}, ack="client-individual")
            usual = self.consumer({"prefetch-count": "1"}, ack="client-individual")
            send(self.ann, "/queue/a", "1", "2", "3", "4", "5")
            messages = high.everything()
            self.assertEqual([message.body for message in messages], [b"1", b"2"])
            self.assertEqual([message.body for message in usual.everything()], [b"3"])
            self.assertEqual(low.hears_bodies(), [b"4", b"5"])
            high.acks(messages[0])
            send(self.ann, "/queue/a", "6", "7")
            self.assertEqual([message.body for message in high.everything()], [b"6"])
            self.assertEqual(low.hears_bodies(), [b"7"])
            for client in (low, high, usual):
                client.hangs_up()
            rest = self.consumer()
            self.assertEqual(len(rest.hears_bodies()), 3)
            rest.hangs_up()

    def test_equals_take_turns(self) -> None:
        clients = [self.consumer({"x-priority": "3"}) for _ in range(2)]
        low = self.consumer()
        send(self.ann, "/queue/a", "1", "2", "3", "4")
        self.assertEqual([len(client.hears_bodies()) for client in clients], [2, 2])
        self.assertTrue(low.hears_nothing())

    def test_it_is_a_small_whole_number(self) -> None:
        for header in RANKS:
            for value in ("", "x", "1.5", "10000000"):
                client = self.consumer({header: value})
                client.fails(f"malformed {header} header")
