"""What a destination needs besides is done however it is reached: alone, as one of several,
in a transaction, by another name.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import Dropped
from stomp_tx.broker.policy import Policy
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class RouteTests(InMemory, SynchronousTestCase):
    def setUp(self) -> None:
        self.start()

    def start(self, **policies: Policy) -> None:
        patterns = {f"/{name.replace('_', '/')}": policy for name, policy in policies.items()}
        self.broker: Any = self.make_broker(patterns=patterns)
        self.ann: Client = self.broker.connect()

    def says(self, destination: str, how: str, body: bytes = b"x", **headers: str) -> None:
        """Send it alone, as one of several, or in a transaction."""
        several = f"{destination},/queue/other" if how == "several" else destination
        if how == "transaction":
            self.ann.says("BEGIN", transaction="t")
            self.ann.says("SEND", {"destination": several, **headers}, body, transaction="t")
            self.ann.says("COMMIT", transaction="t")
        else:
            self.ann.says("SEND", {"destination": several, **headers}, body)
        assert self.ann.hears_nothing() or how == "own"

    WAYS = ("alone", "several", "transaction")

    def test_what_is_retained(self) -> None:
        for how in self.WAYS:
            for headers, policy in (({"retain": "set"}, Policy()), ({}, Policy(retain=1))):
                self.start(topic_t=policy)
                self.says("/topic/t", how, **headers)
                bob = self.broker.connect()
                bob.subscribes("/topic/t")
                self.assertEqual(bob.hears_bodies(), [b"x"], (how, headers))

    def test_what_is_the_broker_s_to_say(self) -> None:
        """A producer's own word for it is not passed on, wherever and however it is sent."""
        ours = {"browser": "end", "retained": "true", "dead-letter-reason": "expired"}
        for destination in ("/queue/a", "/topic/t"):
            for how in self.WAYS:
                for later in ({}, {"delay": "10"}):
                    self.start()
                    self.broker.factory.doStart()
                    self.addCleanup(self.broker.factory.doStop)
                    bob = self.broker.connect()
                    bob.subscribes(destination)
                    self.says(destination, how, **ours, **later, x="y")
                    self.broker.clock.pump([0.01] * 3)
                    headers = bob.hears("MESSAGE").headers
                    self.assertEqual(headers["x"], "y")
                    self.assertEqual([name for name in headers if name in ours], [], (how, later))

    def test_what_is_temporary(self) -> None:
        for how in self.WAYS:
            self.start()
            bob = self.broker.connect()
            bob.subscribes("/temp-queue/mine")
            bob.says("SEND", destination="/queue/ask", reply_to="/temp-queue/mine")
            self.ann.subscribes("/queue/ask")
            name = self.ann.hears("MESSAGE").headers["reply-to"]
            self.says(name, how, persistent="true")
            message = bob.hears("MESSAGE")
            self.assertEqual((message.headers["destination"], message.body), ("/temp-queue/mine", b"x"))
            bob.hangs_up()
            self.says(name, how, persistent="true")
            self.assertEqual([one for one in self.broker.engine.queues() if "temp" in one], [])

    def test_what_is_no_more_by_commit(self) -> None:
        dropped: list[str] = []
        self.broker.factory.events.observe(Dropped, lambda event: dropped.append(event.why))
        bob, cat = self.broker.connect(), self.broker.connect()
        bob.subscribes("/temp-queue/mine")
        bob.says("SEND", destination="/queue/ask", reply_to="/temp-queue/mine")
        self.ann.subscribes("/queue/ask", id="ask")
        name = self.ann.hears("MESSAGE").headers["reply-to"]
        self.ann.says("BEGIN", transaction="t")
        self.ann.says("SEND", destination=name, transaction="t")
        self.ann.says("SEND", destination="/queue/a", body=b"x", transaction="t")
        bob.hangs_up()
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.hears("RECEIPT")
        self.assertEqual(dropped, ["temporary destination is no more"])
        self.assertEqual(self.broker.waiting("/queue/a"), [b"x"])
        cat.subscribes("/topic/t::q")
        self.ann.subscribes("/queue/a", ack="client")
        self.ann.says("BEGIN", transaction="u")
        self.ann.says("SEND", destination="/topic/t::q", transaction="u")
        self.ann.acks(self.ann.hears("MESSAGE"), transaction="u")
        cat.says("UNSUBSCRIBE", id="1", destination="/topic/t", durable="true", x_queue_name="q", receipt="r")
        cat.hears("RECEIPT")
        self.ann.says("COMMIT", transaction="u")
        self.ann.fails("no such durable subscription")
        self.assertEqual(self.broker.waiting("/queue/a"), [b"x"])
        self.assertEqual(self.broker.engine.queues(), ["/queue/a"])

    def test_what_the_dialect_adds(self) -> None:
        for how in self.WAYS:
            self.start()
            self.ann = self.broker.connect(dialect="activemq")
            self.says("/queue/a", how)
            bob = self.broker.connect()
            bob.subscribes("/queue/a")
            self.assertEqual(bob.hears("MESSAGE").headers["priority"], "4", how)

    def test_what_nobody_has_made(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/topic/t", durable="true", x_queue_name="q")
        self.says("/topic/t::q", "alone", b"1")
        self.assertEqual(bob.hears("MESSAGE").body, b"1")
        bob.says("UNSUBSCRIBE", id="1", destination="/topic/t", durable="true", x_queue_name="q", receipt="r")
        bob.hears("RECEIPT")
        self.ann.says("SEND", destination="/topic/t::q")  # by the route that it remembers
        self.ann.fails("no such durable subscription")
        self.assertEqual(self.broker.engine.queues(), [])

    def test_what_ends_can_t_be_delivered_later(self) -> None:
        for destination in ("/temp-queue/x", "/queue/a,/temp-queue/x"):
            ann = self.broker.connect()
            ann.says("SEND", destination=destination, delay="1000")
            ann.fails("can't be delivered later")

    def test_who_consumes_from_a_full_one_is_not_kept_waiting_for_itself(self) -> None:
        for destination, headers in (
            ("/queue/a,/queue/b", {}),
            ("a", {"destination-type": "ANYCAST"}),
        ):
            self.start(queue_a=Policy(length=3))
            self.ann.subscribes("/queue/a", ack="client-individual", prefetch_count="1")
            for _ in range(4):
                self.ann.says("SEND", {"destination": destination, **headers}, receipt="r")
                frames = [frame.command for frame in self.ann.everything()]
                self.assertIn("RECEIPT", frames)
            self.ann.says("SEND", {"destination": destination, **headers}, receipt="r")
            self.ann.fails("queue full")

    def test_a_reply_to_that_names_several_is_passed_on(self) -> None:
        self.ann.subscribes("/queue/a")
        self.says("/queue/a", "own", **{"reply-to": "/temp-queue/x,/queue/b"})
        self.assertEqual(self.ann.hears("MESSAGE").headers["reply-to"], "/temp-queue/x,/queue/b")

    def test_what_was_for_one_session_is_nobody_s_dead_letter(self) -> None:
        self.ann.subscribes("/temp-queue/x", ack="client")
        self.ann.says("SEND", destination="/temp-queue/x")
        self.ann.nacks(self.ann.hears("MESSAGE"), requeue="false")
        self.assertTrue(self.ann.hears_nothing())
        self.assertEqual(self.broker.engine.octets, 0)

    def test_an_idle_durable_subscription_ends_by_its_topic_s_policy(self) -> None:
        self.start(topic_t=Policy(delete_idle=5))
        self.broker.factory.doStart()
        bob = self.broker.connect()
        bob.subscribes("/topic/t::q")
        self.assertTrue(bob.hears_nothing())
        self.broker.clock.pump([1.0] * 10)
        self.assertEqual(len(self.broker.engine.bindings), 1)
        bob.hangs_up()
        self.broker.clock.pump([1.0] * 10)
        self.assertEqual(self.broker.engine.bindings, {})

    def test_one_consumer_too_many_leaves_nothing_behind(self) -> None:
        self.start(topic_t=Policy(consumers=1))
        for headers in ({"shared_subscription": "s"}, {"durable_subscription": "d"}):
            first, second = self.broker.connect(), self.broker.connect()
            first.subscribes("/topic/t", **headers)
            second.subscribes("/topic/t", **headers)
            second.fails("too many consumers")
            first.says("UNSUBSCRIBE", id="1", **headers)
            first.hangs_up()
        self.assertTrue(self.ann.hears_nothing())
        self.assertEqual(self.broker.engine.bindings, {})


class RoutesOnFile(OnFile, RouteTests):
    pass
