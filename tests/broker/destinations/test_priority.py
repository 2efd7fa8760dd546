"""``priority`` on SEND: what is more urgent comes first."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile


class Priorities(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker = self.make_broker()
        self.ann = self.broker.connect()

    def send(self, *messages: tuple[str, str]) -> None:
        for body, priority in messages:
            send(self.ann, "/queue/a", body, priority=priority, persistent=self.persistent)

    def test_the_highest_come_first_and_equals_in_their_order(self) -> None:
        self.send(("1", "4"), ("2", "9"), ("3", "0"), ("4", "9"))
        send(self.ann, "/queue/a", "5")
        self.assertTrue(self.ann.hears_nothing())
        bob = self.broker.connect()
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"2", b"4", b"1", b"5", b"3"])

    def test_it_counts_for_what_waits_while_somebody_is_busy(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/queue/a", ack="client-individual", prefetch_count="1")
        self.send(("1", "1"), ("2", "2"), ("3", "7"))
        heard = []
        for _ in range(3):
            self.assertTrue(self.ann.hears_nothing())
            message = bob.hears("MESSAGE")
            heard.append((message.body, message.headers["priority"]))
            bob.acks(message)
        self.assertEqual(heard, [(b"1", "1"), (b"3", "7"), (b"2", "2")])

    def test_what_is_refused_comes_again_with_its_priority(self) -> None:
        self.send(("1", "9"), ("2", "4"))
        bob = self.broker.connect()
        bob.subscribes("/queue/a", ack="client-individual", prefetch_count="1")
        bob.nacks(bob.hears("MESSAGE"))
        self.broker.clock.advance(1)
        again = bob.hears("MESSAGE")
        bob.acks(again)
        second = bob.hears("MESSAGE")
        self.assertCountEqual([again.body, second.body], [b"1", b"2"])

    def test_more_than_nine_is_nine(self) -> None:
        self.send(("1", "9"), ("2", "255"), ("3", "8"))
        self.assertTrue(self.ann.hears_nothing())
        bob = self.broker.connect()
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"3"])

    def test_durable_subscriptions_have_them_too(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/topic/t", id="1", durable_subscription="d")
        bob.says("UNSUBSCRIBE", id="1")
        self.assertTrue(bob.hears_nothing())
        for body, priority in (("1", "4"), ("2", "9")):
            send(self.ann, "/topic/t", body, priority=priority, persistent=self.persistent)
        self.assertTrue(self.ann.hears_nothing())
        bob.subscribes("/topic/t", id="1", durable_subscription="d")
        self.assertEqual(bob.hears_bodies(), [b"2", b"1"])

    def test_what_is_no_priority_is_refused(self) -> None:
        for priority in ("high", "-1", "1.5", ""):
            ann = self.broker.connect()
            ann.says("SEND", destination="/queue/a", priority=priority, receipt="1")
            self.assertEqual(ann.fails("malformed priority header").headers["receipt-id"], "1")


class PrioritiesOnFile(OnFile, Priorities):
    persistent = "true"

    def test_they_outlive_the_process(self) -> None:
        self.send(("1", "4"), ("2", "9"), ("3", "0"), ("4", "9"))
        self.assertTrue(self.ann.hears_nothing())
        self.broker = self.restart(self.broker)
        bob = self.broker.connect()
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"2", b"4", b"1", b"3"])
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(self.broker.rows(), 0)
