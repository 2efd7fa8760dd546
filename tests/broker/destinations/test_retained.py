"""Retained messages: the policy's ``retain``, and Apollo's ``retain`` header."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import Sent
from stomp_tx.broker.policy import Policy
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
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

    # -- forgetting ---------------------------------------------------------------------------------------

    def in_transaction(self, *words: str, end: str = "COMMIT") -> None:
        """Send a message for each ``retain`` word in a transaction, that word as its body."""
        self.ann.says("BEGIN", transaction="t")
        for word in words:
            self.send("t", word, retain=word.split()[0], transaction="t")
        self.ann.says(end, transaction="t", receipt=end)
        self.ann.hears("RECEIPT")

    def kept(self, topic: str = "t") -> list[bytes]:
        """What somebody gets who comes now."""
        client = self.consumer(topic)
        found = client.hears_bodies()
        client.hangs_up()
        return found

    def test_in_a_transaction_that_is_done_at_commit(self) -> None:
        self.send("t", "1", retain="set")
        bob = self.consumer("t", retained="false")
        self.ann.says("BEGIN", transaction="t")
        self.send("t", "2", retain="remove", transaction="t")
        self.assertEqual((self.kept(), bob.hears_bodies()), ([b"1"], []))
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.hears("RECEIPT")
        self.assertEqual((self.kept(), bob.hears_bodies()), ([], [b"2"]))

    def test_and_not_without_one(self) -> None:
        self.send("t", "1", retain="set")
        self.in_transaction("remove", end="ABORT")
        self.assertEqual(self.kept(), [b"1"])
        self.ann.says("BEGIN", transaction="u")
        self.send("t", "2", retain="remove", transaction="u")
        self.ann.hangs_up()
        self.assertEqual(self.kept(), [b"1"])

    def test_the_last_word_of_a_transaction_counts(self) -> None:
        for words, kept in (
            (("set", "remove"), []),
            (("remove", "set 2"), [b"set 2"]),
            (("set", "remove", "set 3", "other"), [b"set 3"]),
            (("remove", "remove"), []),
        ):
            self.send("t", "1", retain="set")
            self.in_transaction(*words)
            self.assertEqual(self.kept(), kept, words)

    def test_of_each_topic_among_several_destinations(self) -> None:
        for transaction in ({}, {"transaction": "t"}):
            self.send("t", "1", retain="set")
            self.send("u", "1", retain="set")
            self.send("v", "1", retain="set")
            if transaction:
                self.ann.says("BEGIN", transaction="t")
            self.send("t,/topic/u,/queue/q", "2", retain="remove", **transaction)
            if transaction:
                self.ann.says("COMMIT", transaction="t")
                self.assertTrue(self.ann.hears_nothing())
            self.assertEqual([self.kept(topic) for topic in "tuv"], [[], [], [b"1"]])

    def test_what_says_so_is_not_kept_itself(self) -> None:
        self.send("news.a", "1", "2")
        self.send("news.a", "3", retain="remove")
        self.assertEqual(self.kept("news.a"), [])
        self.send("news.a", "4")
        self.assertEqual(self.kept("news.a"), [b"4"])

    def test_transactions_keep_no_more_than_others(self) -> None:
        self.broker.factory.doStart()
        self.ann.says("BEGIN", transaction="t")
        self.send("news.a", *map(str, range(20)), transaction="t")
        self.ann.says("COMMIT", transaction="t")
        self.assertTrue(self.ann.hears_nothing())
        self.broker.clock.pump([0.5] * 4)
        self.assertEqual(self.broker.engine.depth("/retained/news.a")[0], 2)
        self.assertEqual(self.kept("news.a"), [b"18", b"19"])

    def test_delivered_later_it_counts_from_then_on(self) -> None:
        self.broker.factory.doStart()
        self.send("t", "1", retain="set")
        self.send("t", "2", retain="remove", delay="1000")
        self.send("t", "3", retain="set", delay="2000")
        self.send("news.a", "4", "5", "6", delay="1000")
        self.assertEqual(self.kept(), [b"1"])
        self.broker.clock.pump([0.5] * 3)
        self.assertEqual((self.kept(), self.kept("news.a")), ([], [b"5", b"6"]))
        self.broker.clock.pump([0.5] * 3)
        self.assertEqual(self.kept(), [b"3"])
        self.assertEqual(self.broker.engine.depth("/retained/news.a")[0], 2)

    def test_whoever_sends_it_hears_of_it_like_of_others(self) -> None:
        told: list[bytes] = []
        self.broker.factory.events.observe(Sent, lambda event: told.append(event.message.body))
        self.ann.subscribes("/topic/t", no_local="true")
        self.send("t", "1", retain="set")
        self.send("t", "2", retain="remove")
        self.assertEqual(told, [b"1", b"2"])

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
        self.broker.engine.expire(
            self.broker.factory.broker.now(), self.broker.factory.broker.dead_letters.expired
        )
        self.assertTrue(self.consumer("news.a").hears_nothing())
        self.assertEqual(self.broker.engine.depth("/queue/DLQ.news.a")[0], 0)
        self.assertEqual(self.broker.engine.octets, 0)

    def test_nobody_can_send_there(self) -> None:
        self.send("news.a", "1")
        send(self.ann, "/retained/news.a", "2")
        self.assertEqual(self.consumer("news.a").hears_bodies(), [b"1"])


class RetainingOnFile(OnFile, Retaining):
    persistent = "true"

    def test_a_receipt_says_that_they_are_forgotten(self) -> None:
        for transaction in ({}, {"transaction": "t"}):
            self.send("t", "1", retain="set")
            if transaction:
                self.ann.says("BEGIN", transaction="t")
            self.broker.disk.held = True
            headers = {"destination": "/topic/t", "retain": "remove", **transaction}
            self.ann.says("SEND", headers | ({} if transaction else {"receipt": "r"}))
            if transaction:
                self.ann.says("COMMIT", transaction="t", receipt="r")
            self.assertTrue(self.ann.hears_nothing())
            self.broker.disk.goes_on()
            self.ann.hears("RECEIPT")
            self.restarts()
            self.assertEqual(self.kept(), [])

    def restarts(self) -> None:
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()

    def test_one_that_was_set_just_before_is_forgotten_too(self) -> None:
        self.broker.disk.held = True
        for word in ("set", "remove", "set", "set", "remove"):
            self.ann.says("SEND", destination="/topic/t", retain=word, persistent="true")
            self.broker.turn()
        self.broker.disk.goes_on()
        self.broker.turn()
        self.assertEqual(self.kept(), [])
        self.restarts()
        self.assertEqual(self.kept(), [])

    def test_commit_is_all_or_nothing(self) -> None:
        for written in (False, True):
            self.send("t", "1", retain="set")
            self.ann.says("BEGIN", transaction="t")
            self.send("t", "2", retain="remove", transaction="t")
            self.ann.says("SEND", destination="/queue/q", body=b"x", persistent="true", transaction="t")
            self.broker.disk.held = True
            self.ann.says("COMMIT", transaction="t", receipt="c")
            self.assertEqual(self.kept(), [b"1"])
            if written:
                self.broker.disk.step()
            self.restarts()
            expected = ([], [b"x"]) if written else ([b"1"], [])
            self.assertEqual((self.kept(), self.broker.waiting("/queue/q")), expected)

    def test_where_the_disk_is_full_they_stay(self) -> None:
        self.send("t", "1", retain="set")
        self.ann.says("BEGIN", transaction="t")
        self.send("t", "2", retain="remove", transaction="t")
        self.broker.disk.full = True
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.fails("can't write")
        self.broker.disk.full = False
        self.assertEqual(self.kept(), [b"1"])

    def test_they_outlive_the_process(self) -> None:
        self.send("news.a", "1", "2", "3")
        self.broker = self.restart(self.broker)
        self.assertEqual(self.consumer("news.*").hears_bodies(), [b"2", b"3"])
        self.assertEqual(self.consumer("news.a").hears_bodies(), [b"2", b"3"])
