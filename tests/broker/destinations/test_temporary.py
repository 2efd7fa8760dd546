"""Temporary destinations, and answers by ``reply-to``."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import Dropped
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client

MINE = "/temp-queue/mine"


class TemporaryDestinations(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker: Any = self.make_broker()
        self.ann = self.broker.connect()
        self.server = self.broker.connect()
        self.server.subscribes("/queue/requests")

    def asks(self, client: Client, reply_to: str = MINE) -> str:
        """The name under which the server may answer."""
        client.says(
            "SEND", destination="/queue/requests", reply_to=reply_to, persistent=self.persistent, body=b"?"
        )
        self.assertTrue(self.ann.hears_nothing())
        name: str = self.server.hears("MESSAGE").headers["reply-to"]
        return name

    def answers(self, name: str, body: bytes = b"!", client: Client | None = None) -> None:
        speaker = client or self.server
        speaker.says("SEND", destination=name, body=body, persistent=self.persistent, correlation_id="1")
        self.assertTrue(speaker.hears_nothing())

    def test_it_is_written_to_and_read_on_one_connection(self) -> None:
        for kind in ("queue", "topic"):
            name = f"/temp-{kind}/x"
            self.ann.subscribes(name, id=kind)
            self.ann.says("SEND", destination=name, body=b"hi", persistent=self.persistent)
            message = self.ann.hears("MESSAGE")
            self.assertEqual((message.headers["destination"], message.body), (name, b"hi"))

    def test_each_connection_has_its_own(self) -> None:
        bob = self.broker.connect()
        bob.subscribes(MINE)
        self.ann.subscribes(MINE)
        self.ann.says("SEND", destination=MINE, body=b"hi")
        self.assertEqual(self.ann.hears_bodies(), [b"hi"])
        self.assertTrue(bob.hears_nothing())

    def test_who_subscribes_first_gets_the_answer(self) -> None:
        """ActiveMQ's way."""
        for kind in ("queue", "topic"):
            name = f"/temp-{kind}/mine"
            self.ann.subscribes(name, id=kind)
            there = self.asks(self.ann, name)
            self.assertTrue(there.startswith(f"/remote-temp-{kind}/"))
            self.answers(there)
            message = self.ann.hears("MESSAGE")
            self.assertEqual(message.headers["subscription"], kind)
            self.assertEqual(message.headers["destination"], name)
            self.assertTrue(self.ann.hears_nothing())

    def test_who_does_not_subscribe_gets_it_by_the_reply_to_itself(self) -> None:
        """RabbitMQ's way."""
        for dialect in ("auto", "rabbitmq"):
            client = self.broker.connect(dialect=dialect)
            for body in (b"1", b"2"):
                self.answers(self.asks(client), body)
                message = client.hears("MESSAGE")
                self.assertEqual(message.headers["subscription"], MINE)
                self.assertEqual((message.headers["destination"], message.body), (MINE, body))

    def test_not_so_where_that_is_not_expected(self) -> None:
        for dialect in ("activemq", "artemis"):
            client = self.broker.connect(dialect=dialect)
            self.answers(self.asks(client))
            self.assertTrue(client.hears_nothing())
            client.subscribes(MINE)
            self.assertEqual(client.hears("MESSAGE").headers["subscription"], "1")

    def test_who_subscribes_later_takes_over(self) -> None:
        name = self.asks(self.ann)
        self.ann.subscribes(MINE, id="7")
        self.answers(name)
        self.assertEqual(self.ann.hears("MESSAGE").headers["subscription"], "7")
        self.assertTrue(self.ann.hears_nothing())

    def test_the_owner_can_use_the_name_for_others(self) -> None:
        name = self.asks(self.ann)
        self.answers(name, client=self.broker.connect())
        self.assertEqual(self.ann.hears("MESSAGE").body, b"!")
        self.ann.says("SEND", destination=name, body=b"own")
        self.assertEqual(self.ann.hears("MESSAGE").headers["destination"], MINE)

    def test_others_may_send_and_not_subscribe(self) -> None:
        name = self.asks(self.ann)
        bob = self.broker.connect()
        bob.subscribes(name)
        bob.fails("access denied")

    def test_it_ends_with_its_connection(self) -> None:
        dropped: list[Dropped] = []
        self.broker.factory.events.observe(Dropped, dropped.append)
        name = self.asks(self.ann)
        self.ann.subscribes(MINE, id="7", ack="client")
        self.answers(name)
        self.ann.hangs_up()
        self.ann = self.broker.connect()
        self.answers(name)
        self.assertEqual([event.why for event in dropped], ["temporary destination is no more"])
        self.assertEqual(self.broker.engine.octets, 0)
        self.assertNotIn(True, ["temp" in queue for queue in self.broker.engine.queues()])

    def test_a_name_that_was_never_given_out_is_nobody_s(self) -> None:
        for name in (
            "/remote-temp-queue/x",
            "/remote-temp-queue/",
            "/temp-queue/",
        ):
            client = self.broker.connect()
            client.says("SEND", destination=name)
            client.fails("destination has no name")
        self.answers("/remote-temp-queue/1234/x")

    def test_other_answers_go_where_they_say(self) -> None:
        for name in ("/queue/answers", "JustAString", "sms:8139993334444", "", "/topic/x"):
            self.assertEqual(self.asks(self.ann, name), name)

    def test_they_are_bounded(self) -> None:
        self.broker = self.make_broker(temporary=2)
        for frame in (
            {"command": "SUBSCRIBE", "id": "3", "destination": "/temp-queue/3"},
            {"command": "SEND", "destination": "/temp-queue/3"},
            {"command": "SEND", "destination": "/queue/a", "reply_to": "/temp-queue/3"},
        ):
            client = self.broker.connect()
            for name in "12":
                client.subscribes(f"/temp-queue/{name}", id=name)
            client.says(**frame)
            client.fails("too many temporary destinations")


class TemporaryDestinationsOnFile(OnFile, TemporaryDestinations):
    persistent = "true"

    def test_nothing_of_it_is_in_the_file(self) -> None:
        self.ann.subscribes(MINE, ack="client")
        self.ann.says("SEND", destination=MINE, persistent="true")
        self.ann.hears("MESSAGE")
        self.assertEqual(self.broker.rows(), 0)
