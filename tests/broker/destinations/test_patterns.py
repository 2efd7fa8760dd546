"""Wildcards, composite destinations, virtual topics, and subscriptions that several share."""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from stomp_tx.engine import topic_index
from stomp_tx.wildcards import Patterns
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Conversations(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker: Any = self.make_broker()
        self.ann = self.broker.connect()

    def send(self, destination: str, *bodies: str, **headers: str) -> None:
        send(self.ann, destination, *bodies, persistent=self.persistent, **headers)
        self.assertTrue(self.ann.hears_nothing())

    def consumer(self, destination: str, ack: str = "auto", **headers: str) -> Client:
        client: Client = self.broker.connect()
        client.subscribes(destination, ack=ack, receipt="subscribed", **headers)
        client.hears("RECEIPT")
        return client


class WildcardTopics(Conversations):
    def test_which_topics_a_pattern_hears(self) -> None:
        topics = ["a", "a.b", "a.b.c", "b.b", "a/b"]
        for pattern, heard in (
            ("a.*", ["a.b", "a/b"]),
            ("a.>", ["a", "a.b", "a.b.c", "a/b"]),
            ("a.#", ["a", "a.b", "a.b.c", "a/b"]),
            ("*.b", ["a.b", "b.b", "a/b"]),
            ("a/*", ["a.b", "a/b"]),
            (">", topics),
        ):
            bob = self.consumer(f"/topic/{pattern}")
            for topic in topics:
                self.send(f"/topic/{topic}", topic)
            messages = bob.everything()
            self.assertEqual([message.body.decode() for message in messages], heard, pattern)
            shown = [message.headers["destination"] for message in messages]
            self.assertEqual(shown, [f"/topic/{topic}" for topic in heard])
            bob.hangs_up()
            self.assertTrue(self.ann.hears_nothing())

    def test_patterns_and_names_side_by_side(self) -> None:
        some, one, other = (self.consumer(f"/topic/{name}") for name in ("a.*", "a.b", "a.c"))
        self.send("/topic/a.b", "1")
        some.says("UNSUBSCRIBE", id="1")
        self.send("/topic/a.b", "2")
        self.assertEqual(some.hears_bodies(), [b"1"])
        self.assertEqual(one.hears_bodies(), [b"1", b"2"])
        self.assertTrue(other.hears_nothing())
        self.assertFalse(self.broker.engine._topics.has_patterns)

    def test_a_durable_one_keeps_all_that_matches(self) -> None:
        bob = self.consumer("/topic/a.*", durable_subscription="d")
        bob.hangs_up()
        self.send("/topic/a.b", "1")
        self.send("/topic/a.c", "2")
        self.send("/topic/b.c", "3")
        bob = self.consumer("/topic/a.*", durable_subscription="d")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2"])

    def test_nobody_can_send_to_a_pattern(self) -> None:
        for name in ("/topic/a.*", "/topic/>", "/queue/a.#", "/topic/a,/topic/*"):
            ann = self.broker.connect()
            ann.says("SEND", destination=name, receipt="1")
            ann.fails("can't send to a pattern")

    def test_a_star_within_a_word_is_a_star(self) -> None:
        bob = self.consumer("/topic/a*")
        self.send("/topic/a*", "1")
        self.send("/topic/ab", "2")
        self.assertEqual(bob.hears_bodies(), [b"1"])

    def test_patterns_are_bounded(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/topic/" + "*." * 100)
        bob.fails("too many words in a pattern")

    def test_what_a_topic_reaches_is_looked_for_once_however_many_subscribe(self) -> None:
        clients = [self.consumer(f"/topic/{number}.*") for number in range(300)]
        with mock.patch.object(
            Patterns, "matching", autospec=True, side_effect=Patterns.matching
        ) as matching:
            for _ in range(50):
                self.send("/topic/7.x", "1")
        self.assertEqual(matching.call_count, 1)
        self.assertEqual(len(clients[7].hears_bodies()), 50)
        self.assertTrue(clients[8].hears_nothing())

    def test_topics_that_are_remembered_are_bounded(self) -> None:
        self.patch(topic_index, "KNOWN", 10)
        bob = self.consumer("/topic/x.*")
        for number in range(100):
            self.ann.says("SEND", destination=f"/topic/x.{number}")
        self.assertEqual(len(bob.everything()), 100)
        self.assertLessEqual(len(self.broker.engine._topics.known), 10)


class Composites(Conversations):
    def test_a_copy_goes_into_each(self) -> None:
        one, two, three = (self.consumer(name) for name in ("/queue/a", "/queue/b", "/topic/c"))
        self.ann.says(
            "SEND",
            destination="/queue/a,/queue/b,/topic/c",
            receipt="1",
            persistent=self.persistent,
            body=b"x",
        )
        self.ann.hears("RECEIPT")
        for client, name in ((one, "/queue/a"), (two, "/queue/b"), (three, "/topic/c")):
            message = client.hears("MESSAGE")
            self.assertEqual((message.headers["destination"], message.body), (name, b"x"))

    def test_a_part_without_a_prefix_has_that_of_the_one_before(self) -> None:
        for name, queues in (("/queue/A,B", ["A", "B"]), ("A,B", ["A", "B"])):
            self.send(name, "1")
            for queue in queues:
                bob = self.consumer(f"/queue/{queue}")
                self.assertEqual(bob.hears_bodies(), [b"1"], (name, queue))
                bob.hangs_up()

    def test_in_a_transaction(self) -> None:
        bob = self.consumer("/topic/b")
        self.ann.says("BEGIN", transaction="t")
        self.send("/queue/a,/topic/b", "1", transaction="t")
        self.assertTrue(bob.hears_nothing())
        self.ann.says("COMMIT", transaction="t")
        self.assertTrue(self.ann.hears_nothing())
        self.assertEqual(bob.hears_bodies(), [b"1"])
        self.assertEqual(self.consumer("/queue/a").hears_bodies(), [b"1"])

    def test_each_has_its_own_policy(self) -> None:
        self.broker = self.make_broker(patterns={"/queue/b": Policy(ttl=1)})
        self.ann = self.broker.connect()
        self.send("/queue/a,/queue/b", "1")
        self.broker.clock.advance(2)
        self.assertEqual(self.consumer("/queue/a").hears_bodies(), [b"1"])
        self.assertEqual(self.consumer("/queue/b").hears_bodies(), [])

    def test_one_that_is_full_lets_none_pass(self) -> None:
        self.broker = self.make_broker(patterns={"/queue/b": Policy(length=1, overflow="reject")})
        self.ann = self.broker.connect()
        self.send("/queue/b", "1")
        self.ann.says("SEND", destination="/queue/a,/queue/b", persistent=self.persistent)
        self.ann.fails("queue full")
        self.ann = self.broker.connect()
        self.assertEqual(self.consumer("/queue/a").hears_bodies(), [])

    def test_a_name_for_de_duplication_counts_for_each(self) -> None:
        self.send("/queue/a,/queue/b", "1", message_dedupe_id="x")
        self.send("/queue/b,/queue/c", "2", message_dedupe_id="x")
        heard = [self.consumer(f"/queue/{name}").hears_bodies() for name in "abc"]
        self.assertEqual(heard, [[b"1"], [b"1"], [b"2"]])

    def test_several_topics_in_one_subscription(self) -> None:
        bob = self.consumer("/topic/a,/topic/b.*,/topic/b.c")
        for name in ("a", "b.c", "b.d", "c"):
            self.send(f"/topic/{name}", name)
        self.assertEqual(bob.hears_bodies(), [b"a", b"b.c", b"b.d"])
        bob.says("UNSUBSCRIBE", id="1")
        self.send("/topic/a", "2")
        self.assertTrue(bob.hears_nothing())

    def test_what_is_malformed_or_too_much_is_refused(self) -> None:
        for name, summary in (
            ("/queue/a,", "empty part"),
            (",/queue/a", "empty part"),
            ("/queue/a,,b", "empty part"),
            (",".join(["/queue/a"] * 101), "too many destinations"),
        ):
            ann = self.broker.connect()
            ann.says("SEND", destination=name)
            ann.fails(summary)


class VirtualTopics(Conversations):
    QUEUE = "/queue/Consumer.A.VirtualTopic.X"

    def test_its_queues_are_filled_from_the_first_subscription_on(self) -> None:
        self.send("/topic/VirtualTopic.X", "0")
        bob = self.consumer(self.QUEUE)
        other = self.consumer("/queue/Consumer.B.VirtualTopic.X")
        self.send("/topic/VirtualTopic.X", "1")
        self.send("/topic/VirtualTopic.Y", "2")
        self.assertEqual((bob.hears_bodies(), other.hears_bodies()), ([b"1"], [b"1"]))
        bob.hangs_up()
        self.send("/topic/VirtualTopic.X", "3")
        self.assertEqual(self.consumer(self.QUEUE).hears_bodies(), [b"3"])

    def test_its_consumers_share_it(self) -> None:
        clients = [self.consumer(self.QUEUE) for _ in range(2)]
        self.send("/topic/VirtualTopic.X", "1", "2", "3", "4")
        self.assertEqual([len(client.hears_bodies()) for client in clients], [2, 2])

    def test_it_is_a_setting(self) -> None:
        self.broker = self.make_broker(virtual_topics=False)
        self.ann = self.broker.connect()
        bob = self.consumer(self.QUEUE)
        self.send("/topic/VirtualTopic.X", "1")
        self.assertTrue(bob.hears_nothing())

    def test_it_may_be_one_of_several_destinations(self) -> None:
        bob = self.consumer(f"/queue/a,{self.QUEUE}")
        self.assertEqual(dict(self.broker.engine.bindings), {self.QUEUE: "/topic/VirtualTopic.X"})
        self.send("/topic/VirtualTopic.X", "1")
        self.send("/queue/a", "2")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2"])

    def test_it_counts_as_a_durable_subscription(self) -> None:
        self.broker = self.make_broker(durable_subscriptions=1)
        self.consumer(self.QUEUE)
        bob = self.broker.connect()
        bob.subscribes("/queue/Consumer.B.VirtualTopic.X")
        bob.fails("too many durable subscriptions")


class SharedSubscriptions(Conversations):
    def test_each_message_goes_to_one_of_them_until_the_last_has_left(self) -> None:
        for header in ("shared-subscription", "x-queue-name"):
            named = {header.replace("-", "_"): "workers"}
            clients = [self.consumer("/topic/t", **named) for _ in range(2)]
            everyone = self.consumer("/topic/t")
            self.send("/topic/t", "1", "2", "3", "4")
            self.assertEqual([len(client.hears_bodies()) for client in clients], [2, 2])
            self.assertEqual(len(everyone.hears_bodies()), 4)
            clients[0].hangs_up()
            self.send("/topic/t", "5")
            self.assertEqual(clients[1].hears_bodies(), [b"5"])
            clients[1].hangs_up()
            self.send("/topic/t", "6")
            self.assertTrue(self.consumer("/topic/t", **named).hears_nothing())
            self.assertEqual(len(self.broker.engine.bindings), 1)
            for session in list(self.broker.factory.sessions):
                if session is not self.ann.protocol.receiver:
                    session.shut_down()
            self.assertTrue(self.ann.hears_nothing())
            self.assertEqual(self.broker.engine.bindings, {})

    def test_what_one_had_goes_to_another(self) -> None:
        bob = self.consumer("/topic/t", ack="client", shared_subscription="s")
        cat = self.consumer("/topic/t", ack="client", shared_subscription="s", prefetch_count="1")
        self.send("/topic/t", "1", "2", "3")
        first = cat.hears("MESSAGE")
        bob.hangs_up()
        heard = [first.body]
        for _ in range(2):
            cat.acks(first)
            first = cat.hears("MESSAGE")
            heard.append(first.body)
        self.assertEqual(sorted(heard), [b"1", b"2", b"3"])

    def test_a_durable_one_without_a_client_id_is_shared(self) -> None:
        for headers in (
            {"durable_subscription": "d"},
            {"durable": "true", "x_queue_name": "q"},
        ):
            clients = [self.consumer("/topic/t", **headers) for _ in range(2)]
            self.send("/topic/t", "1", "2")
            self.assertEqual([len(client.hears_bodies()) for client in clients], [1, 1])
            for client in clients:
                client.hangs_up()
            self.send("/topic/t", "3")
            bob = self.consumer("/topic/t", **headers)
            self.assertEqual(bob.hears_bodies(), [b"3"])
            bob.hangs_up()

    def test_artemis_names_the_queue_in_the_destination(self) -> None:
        clients = [self.consumer("/topic/t::workers") for _ in range(2)]
        self.send("/topic/t", "1", "2")
        self.assertEqual([len(client.hears_bodies()) for client in clients], [1, 1])
        for client in clients:
            client.hangs_up()
        self.send("/topic/t", "3")
        self.send("/topic/t::workers", "4")
        self.assertEqual(self.consumer("/topic/t::workers").hears_bodies(), [b"3", b"4"])
        ann = self.broker.connect()
        ann.says("SEND", destination="/topic/t::others")
        ann.fails("no such durable subscription")


class WildcardTopicsOnFile(OnFile, WildcardTopics):
    persistent = "true"


class CompositesOnFile(OnFile, Composites):
    persistent = "true"

    def test_all_or_nothing(self) -> None:
        self.broker.disk.full = True
        self.ann.says("SEND", destination="/queue/a,/queue/b", receipt="1", persistent="true")
        self.assertEqual(self.ann.fails("can't write").headers["receipt-id"], "1")
        self.broker.disk.full = False
        self.assertEqual(self.consumer("/queue/a").hears_bodies(), [])
        self.assertEqual(self.consumer("/queue/b").hears_bodies(), [])


class VirtualTopicsOnFile(OnFile, VirtualTopics):
    persistent = "true"

    def test_they_outlive_the_process(self) -> None:
        self.consumer(self.QUEUE).hangs_up()
        self.consumer("/topic/a.*,/topic/b", durable_subscription="d").hangs_up()
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()
        self.send("/topic/VirtualTopic.X", "1")
        for name in ("a.b", "b", "c"):
            self.send(f"/topic/{name}", name)
        self.assertEqual(self.consumer(self.QUEUE).hears_bodies(), [b"1"])
        bob = self.consumer("/topic/a.*,/topic/b", durable_subscription="d")
        self.assertEqual(bob.hears_bodies(), [b"a.b", b"b"])


class SharedSubscriptionsOnFile(OnFile, SharedSubscriptions):
    persistent = "true"

    def test_nothing_of_one_that_does_not_last_is_in_the_file(self) -> None:
        self.consumer("/topic/t", ack="client", shared_subscription="s")
        self.send("/topic/t", "1")
        self.assertEqual((self.broker.rows(), self.broker.rows("queue")), (0, 0))
        self.broker = self.restart(self.broker)
        self.assertEqual(self.broker.engine.bindings, {})
