"""broker/session/giving_back.py: what nobody will acknowledge goes back in order, and nobody waits for it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.session.giving_back import PART
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker, Client
from tests.counting import Ticking, lines_run

MANY = 5000

MOST = 11 * PART
"""Deliveries that may go back in one turn: ten milliseconds, by a clock of one for each part."""


class CostTests(SynchronousTestCase):
    """Linear in what is given back, however much its connection holds besides."""

    def lines(self, in_flight: int, version: str, ack: str) -> int:
        broker = Broker()
        client = broker.connect(version)
        client.subscribes("/queue/a", ack=ack, prefetch_count=10_000)
        send(broker.connect(), "/queue/a", *["x"] * in_flight)
        client.subscribes("/queue/b", id="2", ack=ack)
        send(broker.connect(), "/queue/b", "x")
        self.assertEqual(len(client.hears_bodies()), in_flight + 1)
        return lines_run(lambda: client.says("UNSUBSCRIBE", id="2"))

    def test_the_end_of_a_subscription(self) -> None:
        for version in ("1.0", "1.1", "1.2"):
            for ack in ("client", "client-individual"):
                if version == "1.0" and ack == "client-individual":
                    continue
                few, many = self.lines(10, version, ack), self.lines(1000, version, ack)
                self.assertEqual(few, many, (version, ack))


class SliceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Ticking()
        self.broker = Broker(clock=self.clock)
        self.ann, self.bob, self.cid = (self.broker.connect() for _ in range(3))
        self.bob.subscribes("/queue/a", ack="client-individual", prefetch_count=MANY)
        send(self.ann, "/queue/a", *map(str, range(MANY + 10)))
        self.assertEqual(len(self.bob.hears_bodies()), MANY)

    def waiting(self) -> int:
        depth: int = self.broker.engine.depth("/queue/a")[0]
        return depth

    def goes_back_in_slices(self) -> None:
        """All that bob holds."""
        self.assertLessEqual(self.waiting(), MOST + 10)
        while (before := self.waiting()) < MANY + 10:
            self.assertTrue(self.clock.turn())
            self.assertLessEqual(self.waiting() - before, MOST)
        self.clock.turn()

    def in_order(self, client: Client) -> None:
        self.assertEqual(client.hears_bodies(), [b"%d" % number for number in range(MANY + 10)])

    def test_the_end_of_a_connection(self) -> None:
        self.bob.hangs_up()
        self.goes_back_in_slices()
        self.cid.subscribes("/queue/a", ack="client", prefetch_count=2 * MANY)
        self.in_order(self.cid)

    def test_of_several_connections_in_one_turn(self) -> None:
        """They share one slice."""
        dan = self.broker.connect()
        dan.subscribes("/queue/b", ack="client", prefetch_count=MANY)
        send(self.ann, "/queue/b", *["x"] * MANY)
        self.bob.hangs_up()
        dan.hangs_up()
        depth = self.broker.engine.depth
        while depth("/queue/b")[0] < MANY:
            before = self.waiting() + depth("/queue/b")[0]
            self.assertTrue(self.clock.turn())
            self.assertLessEqual(self.waiting() + depth("/queue/b")[0] - before, MOST)

    def test_others_are_given_it_in_order_and_nothing_that_came_later_before(self) -> None:
        self.cid.subscribes("/queue/a", ack="client", prefetch_count=2 * MANY)
        self.assertEqual(self.cid.hears_bodies(), [b"%d" % number for number in range(MANY, MANY + 10)])
        self.bob.hangs_up()
        dan = self.broker.connect()
        dan.subscribes("/queue/a", ack="client", prefetch_count=10)
        send(self.ann, "/queue/a", "later")
        self.assertTrue(self.cid.hears_nothing() and dan.hears_nothing())
        while self.clock.turn():
            pass
        heard = sorted([*map(int, dan.hears_bodies()), *map(int, self.cid.hears_bodies()[:-1])])
        self.assertEqual(heard, list(range(MANY)))

    def test_a_selecting_consumer_waits_as_well(self) -> None:
        self.cid.subscribes("/queue/a", ack="client", selector="x IS NULL", prefetch_count=2 * MANY)
        self.cid.hears_bodies()
        self.bob.hangs_up()
        self.assertTrue(self.cid.hears_nothing())
        while self.clock.turn():
            pass
        self.assertEqual(self.cid.hears_bodies(), [b"%d" % number for number in range(MANY)])

    def test_one_that_subscribes_when_nobody_is_left_waits_as_well(self) -> None:
        self.bob.hangs_up()
        self.cid.subscribes("/queue/a", ack="client", prefetch_count=2 * MANY)
        self.assertTrue(self.cid.hears_nothing())
        while self.clock.turn():
            pass
        self.in_order(self.cid)

    def test_unsubscribe(self) -> None:
        """Its connection waits for the RECEIPT."""
        self.bob.says("UNSUBSCRIBE", id="1", receipt="end")
        self.bob.says("SEND", destination="/queue/b", receipt="behind")
        self.assertTrue(self.bob.hears_nothing())
        self.goes_back_in_slices()
        self.assertEqual(self.bob.hears("RECEIPT").headers["receipt-id"], "end")
        self.assertEqual(self.bob.hears("RECEIPT").headers["receipt-id"], "behind")

    def test_a_connection_that_ends_while_a_subscription_of_it_does(self) -> None:
        self.bob.says("UNSUBSCRIBE", id="1")
        self.bob.hangs_up()
        self.goes_back_in_slices()
        self.cid.subscribes("/queue/a", ack="client", prefetch_count=2 * MANY)
        self.in_order(self.cid)

    def test_subscribing_and_unsubscribing_again_and_again(self) -> None:
        """Each time it is given a thousand, and gives them back: some of it in each turn."""
        send(self.ann, "/queue/c", *["x"] * 1000)
        frames = (
            "SUBSCRIBE\nid:{0}\ndestination:/queue/c\nack:client\n\n\0UNSUBSCRIBE\nid:{0}\nreceipt:{0}\n\n\0"
        )
        self.cid.sends("".join(map(frames.format, range(20))).encode())
        heard = 0
        while heard < 20_020:
            now = len(self.cid.everything())
            self.assertLessEqual(now, 2 * (1 + 1000))
            heard += now
            self.clock.turn()
        self.assertEqual(heard, 20_020)

    def test_disconnect(self) -> None:
        self.bob.says("DISCONNECT", receipt="end")
        self.assertTrue(self.bob.hears_nothing())
        self.goes_back_in_slices()
        self.assertEqual(self.bob.hears("RECEIPT").headers["receipt-id"], "end")

    def test_the_broker_stops_when_all_is_back(self) -> None:
        stopped = self.broker.factory.stop()
        for one in (self.ann, self.bob, self.cid):
            one.hangs_up()
        self.assertNoResult(stopped)
        while self.clock.turn():
            pass
        self.successResultOf(stopped)
        self.assertEqual(self.waiting(), MANY + 10)


class TransactionTests(SynchronousTestCase):
    """What a transaction had taken goes back as well, and before what comes after it."""

    def setUp(self) -> None:
        self.broker = Broker()
        ann, self.bob, self.cid = (self.broker.connect() for _ in range(3))
        send(ann, "/queue/a", *map(str, range(3 * PART)))
        self.bob.subscribes("/queue/a", ack="client-individual", prefetch_count=3 * PART)
        self.bob.says("BEGIN", transaction="t")
        for message in self.bob.everything():
            self.bob.acks(message, transaction="t")

    def test_when_its_connection_ends(self) -> None:
        self.cid.subscribes("/queue/a")
        self.bob.hangs_up()
        self.is_heard_in_order()

    def test_when_it_is_aborted_and_its_subscription_has_ended(self) -> None:
        self.bob.says("UNSUBSCRIBE", id="1")
        self.cid.subscribes("/queue/a")
        self.bob.says("ABORT", transaction="t")
        self.is_heard_in_order()

    def is_heard_in_order(self) -> None:
        heard: list[int] = []
        for _ in range(10):
            heard += map(int, self.cid.hears_bodies())
            self.broker.clock.advance(0.1)
        self.assertEqual(heard, list(range(3 * PART)))
