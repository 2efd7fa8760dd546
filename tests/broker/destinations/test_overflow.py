"""How much may wait in a destination, and what happens when more comes."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Bounded(InMemory, SynchronousTestCase):
    persistent = "false"

    def start(self, **policy: Any) -> None:
        self.broker = self.make_broker(patterns={"/queue/a": Policy(**policy), "/topic/t": Policy(**policy)})
        self.ann = self.broker.connect()

    def send(self, *bodies: str, destination: str = "/queue/a", **headers: str) -> None:
        send(self.ann, destination, *bodies, persistent=self.persistent, **headers)

    def sweep(self) -> None:
        self.assertTrue(self.ann.hears_nothing())
        self.broker.factory.broker.overflow.sweep()
        self.assertTrue(self.ann.hears_nothing())

    def waiting(self, queue: str = "/queue/a") -> list[bytes]:
        self.assertTrue(self.ann.hears_nothing())
        return [message.body for page in self.broker.engine.browse(queue) for message in page]

    def test_without_a_policy_there_is_no_limit(self) -> None:
        self.start()
        self.send(*map(str, range(100)))
        self.assertEqual(len(self.waiting()), 100)

    def test_producers_are_paused(self) -> None:
        self.start(length=10)
        for number in range(30):
            self.send(str(number))
            self.assertTrue(self.ann.hears_nothing())
        self.assertEqual(len(self.waiting()), 10)
        other = self.broker.connect()
        other.says("SEND", destination="/queue/b", receipt="1")
        other.hears("RECEIPT")
        bob = self.broker.connect()
        bob.subscribes("/queue/a")
        heard: list[bytes] = []
        for _ in range(30):
            heard += bob.hears_bodies()
        self.assertEqual(heard, [b"%d" % number for number in range(30)])

    def test_producers_of_any_priority_go_on_when_there_is_room(self) -> None:
        for transaction in ({}, {"transaction": "t"}):
            self.start(length=2)
            if transaction:
                self.ann.says("BEGIN", transaction="t")
            self.send("1", "2", "3", priority="7", **transaction)
            if transaction:
                self.ann.says("COMMIT", transaction="t")
            self.send("4", priority="7", receipt="r")
            self.assertTrue(self.ann.hears_nothing())
            bob = self.broker.connect()
            bob.subscribes("/queue/a")
            heard: list[bytes] = []
            for _ in range(5):
                heard += bob.hears_bodies()
            self.assertEqual(heard, [b"1", b"2", b"3", b"4"])
            self.assertEqual(self.ann.hears("RECEIPT").headers["receipt-id"], "r")
            self.assertEqual(self.broker.engine._room.lines, {})

    def test_octets_count_too(self) -> None:
        self.start(octets=10_000, overflow="drop-oldest")
        self.send(*["x" * 1000] * 20)
        self.sweep()
        self.assertIn(len(self.waiting()), (4, 5, 9))

    def test_what_comes_is_rejected(self) -> None:
        self.start(length=3, overflow="reject")
        for body in "123":
            self.send(body)
            self.assertTrue(self.ann.hears_nothing())
        self.ann.says("SEND", destination="/queue/a", receipt="r", persistent=self.persistent)
        self.assertEqual(self.ann.fails("queue full").headers["receipt-id"], "r")
        self.ann = self.broker.connect()
        self.assertEqual(self.waiting(), [b"1", b"2", b"3"])

    def test_a_transaction_is_rejected_as_a_whole(self) -> None:
        self.start(length=3, overflow="reject")
        self.send("1")
        self.ann.says("BEGIN", transaction="t")
        self.send("2", "3", "4", transaction="t")
        self.ann.says("COMMIT", transaction="t")
        self.ann.fails("queue full")
        self.ann = self.broker.connect()
        self.assertEqual(self.waiting(), [b"1"])
        self.ann.says("BEGIN", transaction="t")
        self.send("2", "3", transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="r")
        self.ann.hears("RECEIPT")
        self.assertEqual(self.waiting(), [b"1", b"2", b"3"])

    def test_the_oldest_is_dropped(self) -> None:
        self.start(length=3, overflow="drop-oldest")
        self.send("1", "2", "3", "4", "5")
        self.sweep()
        self.assertEqual(self.waiting(), [b"3", b"4", b"5"])
        bob = self.broker.connect()
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"3", b"4", b"5"])
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(self.broker.engine.octets, 0)

    def test_the_least_urgent_goes_first(self) -> None:
        self.start(length=3, overflow="drop-oldest")
        for body, priority in (("1", "9"), ("2", "0"), ("3", "4"), ("4", "4"), ("5", "4")):
            self.send(body, priority=priority)
        self.sweep()
        self.assertEqual(self.waiting(), [b"1", b"4", b"5"])

    def test_or_becomes_a_dead_letter(self) -> None:
        self.start(length=2, overflow="dead-letter")
        self.send("1", "2", "3", "4")
        self.sweep()
        self.assertEqual(self.waiting(), [b"3", b"4"])
        self.assertEqual(self.waiting("/queue/DLQ.a"), [b"1", b"2"])
        bob = self.broker.connect()
        bob.subscribes("/queue/DLQ.a")
        self.assertEqual(bob.hears("MESSAGE").headers["dead-letter-reason"], "overflow")

    def test_what_a_transaction_brings_is_dropped_too(self) -> None:
        self.start(length=2, overflow="drop-oldest")
        self.ann.says("BEGIN", transaction="t")
        self.send("1", "2", "3", "4", transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="r")
        self.ann.hears("RECEIPT")
        self.sweep()
        self.assertEqual(self.waiting(), [b"3", b"4"])

    def away(self) -> Client:
        bob = self.broker.connect()
        bob.subscribes("/topic/t", id="1", durable_subscription="d")
        bob.says("UNSUBSCRIBE", id="1")
        self.assertTrue(bob.hears_nothing())
        return bob

    def test_durable_subscriptions_have_the_limits_of_their_topic(self) -> None:
        self.start(length=3, overflow="drop-oldest")
        bob = self.away()
        self.send("1", "2", "3", "4", "5", destination="/topic/t")
        self.sweep()
        bob.subscribes("/topic/t", id="1", durable_subscription="d")
        self.assertEqual(bob.hears_bodies(), [b"3", b"4", b"5"])

    def test_who_publishes_waits_for_them(self) -> None:
        self.start(length=3)
        bob = self.away()
        for number in range(6):
            self.send(str(number), destination="/topic/t")
            self.assertTrue(self.ann.hears_nothing())
        bob.subscribes("/topic/t", id="1", durable_subscription="d")
        heard: list[bytes] = []
        for _ in range(10):
            heard += bob.hears_bodies()
        self.assertEqual(heard, [b"%d" % number for number in range(6)])


class BoundedOnFile(OnFile, Bounded):
    persistent = "true"

    def test_a_long_queue_in_the_file_is_shortened(self) -> None:
        from stomp_tx.engine.limits import EngineLimits

        patterns = {"/queue/a": Policy(length=30, overflow="drop-oldest")}
        self.broker = self.make_broker(limits=EngineLimits(window_length=5), patterns=patterns)
        self.ann = self.broker.connect()
        self.send(*map(str, range(100)))
        self.sweep()
        self.assertEqual(self.waiting(), [b"%d" % number for number in range(70, 100)])
        self.assertEqual(self.broker.rows(), 30)
