"""Queues of last values: the policy's ``last_value`` names the header that says of what."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from tests.broker.on_file import InMemory, OnFile

PRICES = {"/queue/prices": Policy(last_value="share")}


class LastValues(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker = self.make_broker(patterns=PRICES)
        self.ann = self.broker.connect()

    def send(self, *prices: str, destination: str = "/queue/prices") -> None:
        """ "x1" is price 1 of share x."""
        for price in prices:
            headers = {"destination": destination, "share": price[0], "persistent": self.persistent}
            self.ann.says("SEND", headers, price.encode())
        self.assertTrue(self.ann.hears_nothing())

    def test_the_last_one_of_each_is_there(self) -> None:
        self.send("x1", "y1", "x2", "y2", "x3", "z1")
        bob = self.broker.connect()
        bob.subscribes("/queue/prices")
        messages = bob.everything()
        self.assertEqual([message.body for message in messages], [b"y2", b"x3", b"z1"])
        self.assertEqual(messages[0].headers["_AMQ_LVQ_NAME"], "y")
        self.assertEqual(self.broker.engine.octets, 0)

    def test_a_producer_s_own_word_for_what_the_broker_says_there_is_not_passed_on(self) -> None:
        for destination, kept in (("/queue/prices", None), ("/queue/other", "x")):
            headers = {"destination": destination, "persistent": self.persistent, "_AMQ_LVQ_NAME": "x"}
            self.ann.says("SEND", headers, b"1")
            self.assertTrue(self.ann.hears_nothing())
            message = self.broker.engine.oldest(destination)
            assert message is not None
            self.assertEqual(message.headers.get("_AMQ_LVQ_NAME"), kept)

    def test_who_listens_gets_them_all(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/queue/prices")
        self.send("x1", "x2", "x3")
        self.assertEqual(bob.hears_bodies(), [b"x1", b"x2", b"x3"])

    def test_what_somebody_holds_is_not_taken_from_them(self) -> None:
        self.send("x1", "x2")
        bob = self.broker.connect()
        bob.subscribes("/queue/prices", ack="client-individual", prefetch_count="1")
        first = bob.hears("MESSAGE")
        self.send("x3", "x4")
        bob.acks(first)
        self.assertEqual((first.body, bob.hears("MESSAGE").body), (b"x2", b"x4"))

    def test_those_without_the_header_and_other_queues_keep_all(self) -> None:
        for destination in ("/queue/prices", "/queue/other"):
            headers = {"destination": destination, "persistent": self.persistent}
            for body in (b"1", b"2"):
                self.ann.says("SEND", headers, body)
        self.send("x1", "x2", destination="/queue/other")
        bob = self.broker.connect()
        bob.subscribes("/queue/prices", id="1")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2"])
        bob.subscribes("/queue/other", id="2")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"x1", b"x2"])


class LastValuesOnFile(OnFile, LastValues):
    persistent = "true"

    def test_nor_does_it_count_after_a_restart(self) -> None:
        for headers in ({"_AMQ_LVQ_NAME": "x"}, {"_AMQ_LVQ_NAME": ""}):
            headers |= {"destination": "/queue/prices", "persistent": self.persistent}
            self.ann.says("SEND", headers, b"1")
        self.assertTrue(self.ann.hears_nothing())
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()
        self.send("x2")
        self.assertEqual(self.broker.waiting("/queue/prices"), [b"1", b"1", b"x2"])

    def test_they_outlive_the_process(self) -> None:
        self.send("x1", "y1", "x2")
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()
        self.send("y2", "z1")
        bob = self.broker.connect()
        bob.subscribes("/queue/prices")
        self.assertEqual(bob.hears_bodies(), [b"x2", b"y2", b"z1"])
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(self.broker.rows(), 0)
