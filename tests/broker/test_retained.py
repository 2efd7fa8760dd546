"""Retained messages: the policy's ``retain``, and Apollo's ``retain`` header."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from tests.broker.on_file import InMemory, OnFile
from tests.broker.test_destination import send
from tests.conversation import Client


class Retaining(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker: Any = self.make_broker(patterns={"/topic/news.*": Policy(retain=2)})
        self.ann = self.broker.connect()

    def send(self, topic: str, *bodies: str, **headers: str) -> None:
        for body in bodies:
            send(self.ann, f"/topic/{topic}", body, persistent=self.persistent, **headers)
            self.assertTrue(self.ann.hears_nothing())

    def consumer(self, topic: str, **headers: str) -> Client:
        client: Client = self.broker.connect()
        client.subscribes(f"/topic/{topic}", **headers)
        return client

    def test_who_comes_later_gets_the_last_few_first(self) -> None:
        early = self.consumer("news.a")
        self.send("news.a", "1", "2", "3")
        late = self.consumer("news.a")
        self.send("news.a", "4")
        messages = late.everything()
        self.assertEqual([message.body for message in messages], [b"2", b"3", b"4"])
        self.assertEqual([message.headers.get("retained") for message in messages], ["true", "true", None])
        self.assertEqual(early.hears_bodies(), [b"1", b"2", b"3", b"4"])

    def test_who_wants_none_gets_none(self) -> None:
        self.send("news.a", "1")
        self.assertTrue(self.consumer("news.a", retained="false").hears_nothing())

    def test_a_pattern_gets_those_of_all_its_topics(self) -> None:
        self.send("news.a", "1", "2")
        self.send("news.b", "3")
        self.send("other", "4")
        self.assertCountEqual(self.consumer("news.*").hears_bodies(), [b"1", b"2", b"3"])
        self.assertEqual(self.consumer("news.b,/topic/other").hears_bodies(), [b"3"])

    def test_a_producer_can_ask_for_it(self) -> None:
        self.send("t", "1", retain="set")
        self.send("t", "2")
        self.send("t", "3", retain="set")
        self.send("t", "4", retain="true")
        self.assertEqual(self.consumer("t").hears_bodies(), [b"3"])
        self.send("t", "5", retain="remove")
        self.assertTrue(self.consumer("t").hears_nothing())

    def test_credit_counts_for_them(self) -> None:
        self.send("news.a", "1", "2")
        bob = self.consumer("news.a", ack="client-individual", prefetch_count="1")
        (message,) = bob.everything()
        bob.acks(message)
        self.assertEqual([one.body for one in (message, *bob.everything())], [b"1", b"2"])

    def test_a_selector_counts_for_them(self) -> None:
        self.send("news.a", "1", x="1")
        self.send("news.a", "2", x="2")
        self.assertEqual(self.consumer("news.a", selector="x = 2").hears_bodies(), [b"2"])

    def test_what_has_expired_is_not_among_them_and_is_no_dead_letter(self) -> None:
        self.broker = self.make_broker(patterns={"/topic/news.*": Policy(retain=2, expired="dead-letter")})
        self.ann = self.broker.connect()
        self.send("news.a", "1", ttl="1000")
        self.broker.clock.advance(2)
        self.broker.engine.expire(self.broker.factory.now(), self.broker.factory.dead_letters.expired)
        self.assertTrue(self.consumer("news.a").hears_nothing())
        self.assertEqual(self.broker.engine.depth("/queue/DLQ.news.a")[0], 0)
        self.assertEqual(self.broker.engine.octets, 0)

    def test_nobody_can_send_there(self) -> None:
        self.send("news.a", "1")
        send(self.ann, "/retained/news.a", "2")
        self.assertEqual(self.consumer("news.a").hears_bodies(), [b"1"])


class RetainingOnFile(OnFile, Retaining):
    persistent = "true"

    def test_they_outlive_the_process(self) -> None:
        self.send("news.a", "1", "2", "3")
        self.broker = self.restart(self.broker)
        self.assertEqual(self.consumer("news.*").hears_bodies(), [b"2", b"3"])
        self.assertEqual(self.consumer("news.a").hears_bodies(), [b"2", b"3"])
