"""Who may use a destination: how many consumers and producers, whether it comes to be, how long it stays."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policies, Policy
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Conversations(InMemory, SynchronousTestCase):
    persistent = "false"

    def start(self, default: Policy | None = None, **policies: Policy) -> None:
        patterns = {f"/{name.replace('_', '/')}": policy for name, policy in policies.items()}
        self.broker: Any = self.make_broker(patterns=patterns)
        if default is not None:
            self.broker.factory.change_policies(Policies(default, patterns.items()))

    def consumer(self, destination: str, **headers: str) -> Client:
        client: Client = self.broker.connect()
        client.subscribes(destination, **headers)
        return client

    def send(self, destination: str, *bodies: str, **headers: str) -> Client:
        client: Client = self.broker.connect()
        send(client, destination, *bodies, persistent=self.persistent, **headers)
        return client


class Numbers(Conversations):
    def test_so_many_consumers_at_a_time(self) -> None:
        self.start(queue_a=Policy(consumers=2), topic_t=Policy(consumers=1))
        first, second = self.consumer("/queue/a"), self.consumer("/queue/a")
        self.consumer("/queue/a").fails("too many consumers")
        self.consumer("/queue/b,/queue/a").fails("too many consumers")
        first.says("UNSUBSCRIBE", id="1")
        second.hangs_up()
        for _ in range(2):
            self.assertTrue(self.consumer("/queue/a").hears_nothing())
        self.consumer("/topic/t", durable_subscription="d")
        self.consumer("/topic/t", durable_subscription="d").fails("too many consumers")

    def test_so_many_producers_at_a_time(self) -> None:
        self.start(queue_a=Policy(producers=1))
        ann = self.send("/queue/a", "1", "2")
        self.assertTrue(ann.hears_nothing())
        self.send("/queue/a", "3").fails("too many producers")
        self.send("/queue/b,/queue/a", "3").fails("too many producers")
        ann.hangs_up()
        self.assertTrue(self.send("/queue/a", "3").hears_nothing())

    def test_the_prefetch_of_a_destination(self) -> None:
        self.start(queue_a=Policy(prefetch=2, prefetch_max=3))
        self.send("/queue/a", *map(str, range(10)))
        for asked, given in ((None, 2), ("1", 1), ("100", 3), ("0", 3)):
            headers = {} if asked is None else {"prefetch_count": asked}
            client = self.consumer("/queue/a", ack="client", **headers)
            self.assertEqual(len(client.everything()), given)
            client.hangs_up()


class AutoCreate(Conversations):
    def test_only_what_has_a_section_of_its_own_exists(self) -> None:
        self.start(Policy(auto_create=False), queue_a=Policy(auto_create=False))
        self.assertTrue(self.consumer("/queue/a").hears_nothing())
        self.assertTrue(self.send("/queue/a", "1").hears_nothing())
        for client in (
            self.consumer("/queue/b"),
            self.consumer("/topic/a"),
            self.send("/queue/b", "1"),
            self.send("/queue/a,/queue/b", "1"),
        ):
            self.assertIn(b"auto_create", client.fails("no such destination").body)
        client = self.consumer("/temp-queue/x")
        self.assertTrue(client.hears_nothing())
        self.assertTrue(self.consumer("/queue/>").hears_nothing())

    def test_or_what_matches_a_pattern_that_lets_it(self) -> None:
        self.start(Policy(auto_create=False), **{"queue_free.>": Policy()})
        self.assertTrue(self.consumer("/queue/free.a").hears_nothing())
        self.consumer("/queue/a").fails("no such destination")


class DeleteIdle(Conversations):
    def test_a_queue_that_nobody_consumes_from_goes(self) -> None:
        self.start(queue_a=Policy(delete_idle=10))
        self.broker.factory.doStart()
        for name in "ab":
            self.send(f"/queue/{name}", "1", priority="7")
        self.broker.clock.pump([1.0] * 9)
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], 1)
        bob = self.consumer("/queue/a", ack="client")
        self.broker.clock.pump([1.0] * 20)
        self.assertEqual(len(bob.everything()), 1)
        bob.hangs_up()
        self.broker.clock.pump([1.0] * 9)
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], 1)
        self.broker.clock.pump([1.0] * 5)
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], 0)
        self.assertEqual(self.broker.engine.depth("/queue/b")[0], 1)
        self.assertNotIn("/queue/a", self.broker.engine.queues())

    def test_one_of_a_virtual_topic_is_filled_no_more(self) -> None:
        self.start(**{"queue_Consumer.>": Policy(delete_idle=10)})
        self.broker.factory.doStart()
        self.consumer("/queue/Consumer.A.VirtualTopic.X").hangs_up()
        self.assertEqual(len(self.broker.engine.bindings), 1)
        self.broker.clock.pump([1.0] * 15)
        self.assertEqual(self.broker.engine.bindings, {})


class NumbersOnFile(OnFile, Numbers):
    persistent = "true"


class DeleteIdleOnFile(OnFile, DeleteIdle):
    persistent = "true"

    def test_so_it_is_after_a_restart(self) -> None:
        self.start(queue_a=Policy(delete_idle=10))
        ann = self.send("/queue/a", "1")
        self.assertTrue(ann.hears_nothing())
        self.broker = self.restart(self.broker)
        self.broker.factory.doStart()
        self.broker.clock.pump([1.0] * 15)
        self.assertEqual((self.broker.rows(), self.broker.rows("queue")), (0, 0))


class ChangedPolicies(Conversations):
    """``factory.change_policies``: for all that there is and comes."""

    def change(self, **policy: Any) -> None:
        self.broker.factory.change_policies(Policies(Policy(**policy)))

    def test_for_connections_that_send_already(self) -> None:
        self.start()
        ann = self.send("/queue/a", "1")
        self.change(ttl=1.0)
        send(ann, "/queue/a", "2")
        self.broker.clock.advance(2)
        self.assertEqual(self.consumer("/queue/a").hears_bodies(), [b"1"])

    def test_for_subscriptions_that_are_there(self) -> None:
        self.start()
        bob = self.consumer("/queue/a", ack="client")
        self.send("/queue/a", "1")
        self.change(nack="dead-letter")
        bob.nacks(bob.hears("MESSAGE"))
        self.assertEqual(self.consumer("/queue/DLQ.a").hears_bodies(), [b"1"])

    def test_for_who_waits_for_room(self) -> None:
        self.start(queue_a=Policy(length=2))
        ann = self.broker.connect()
        for number in range(5):
            send(ann, "/queue/a", str(number), persistent=self.persistent)
            self.assertTrue(ann.hears_nothing())
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], 2)
        self.change()
        self.assertTrue(ann.hears_nothing())
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], 5)
        self.change(length=2)
        send(ann, "/queue/a", "5", "6", "7")
        self.assertTrue(ann.hears_nothing())
        self.assertLess(self.broker.engine.depth("/queue/a")[0], 8)
