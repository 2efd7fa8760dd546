"""Selectors of durable subscriptions: they count while the subscriber is away, and can be changed."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from tests.broker.on_file import InMemory, OnFile
from tests.broker.test_destination import send
from tests.conversation import Client

TOPIC = "/topic/t"
RED, BLUE = "colour = 'red'", "colour = 'blue'"


class Conversations(InMemory, SynchronousTestCase):
    """A topic of coloured messages, and a durable subscription ``d`` to it."""

    persistent = "false"

    def setUp(self) -> None:
        self.begin()

    def begin(self, **settings: Any) -> None:
        self.broker: Any = self.make_broker(**settings)
        self.ann = self.broker.connect()

    def publish(self, *messages: str, topic: str = TOPIC, **headers: str) -> None:
        """Each is its body, which ends with its colour: "1 red"."""
        for body in messages:
            colour = body.split()[-1]
            send(self.ann, topic, body, colour=colour, persistent=self.persistent, **headers)

    def bob(self, selector: str | None = None, topic: str = TOPIC, id: str = "1", **headers: str) -> Client:
        """A new connection that has subscribed."""
        client: Client = self.broker.connect()
        self.subscribes(client, selector, topic, id, **headers)
        self.assertEqual(client.hears("RECEIPT").headers["receipt-id"], "s")
        return client

    def subscribes(
        self,
        client: Client,
        selector: str | None = None,
        topic: str = TOPIC,
        id: str = "1",
        **headers: str,
    ) -> None:
        if selector is not None:
            headers["selector"] = selector
        client.subscribes(topic, id=id, durable_subscription="d", receipt="s", **headers)

    def leaves(self, client: Client) -> None:
        client.hangs_up()
        self.passes()

    def passes(self) -> None:
        """Turns enough for what is done bit by bit."""
        for _ in range(30):
            self.broker.clock.advance(0)

    @property
    def queue(self) -> str:
        (queue,) = self.broker.engine.bindings
        return str(queue)

    def waiting(self) -> list[bytes]:
        self.passes()
        return [message.body for page in self.broker.engine.browse(self.queue) for message in page]


class AwayTests(Conversations):
    def test_what_does_not_match_is_not_kept_while_nobody_is_there(self) -> None:
        self.leaves(self.bob(RED))
        self.publish("1 red", "2 blue", "3 red")
        self.assertEqual(self.waiting(), [b"1 red", b"3 red"])
        self.assertEqual(self.bob(RED).hears_bodies(), [b"1 red", b"3 red"])

    def test_producers_do_not_stand_still_over_what_nobody_wants(self) -> None:
        self.begin(patterns={TOPIC: Policy(length=10)})
        self.leaves(self.bob(RED))
        for number in range(50):
            self.publish(f"{number} blue")
            self.passes()
            self.assertEqual(self.ann.transport.producerState, "producing", number)
        for number in range(10):
            self.publish(f"{number} red")
            self.passes()
        self.assertEqual(self.ann.transport.producerState, "paused")
        bob = self.bob(RED)
        self.assertEqual(len(bob.hears_bodies()), 10)
        self.assertEqual(self.ann.transport.producerState, "producing")


class ChangeTests(Conversations):
    def test_another_selector_drops_what_no_longer_matches_and_nothing_else(self) -> None:
        self.leaves(self.bob("colour = 'red' OR colour = 'blue'"))
        self.publish("1 red", "2 blue", "3 red", "4 green")
        bob = self.bob(RED, ack="client")
        self.assertEqual(bob.hears_bodies(), [b"1 red", b"3 red"])
        self.leaves(bob)
        self.assertEqual(self.waiting(), [b"1 red", b"3 red"])

    def test_it_is_refused_while_somebody_consumes(self) -> None:
        bob = self.bob(RED)
        cat = self.broker.connect()
        self.subscribes(cat, BLUE)
        error = cat.fails("durable subscription in use")
        self.assertEqual(error.headers["receipt-id"], "s")
        self.assertIn(b"selector", error.body)
        self.publish("1 red", "2 blue")
        self.assertEqual(bob.hears_bodies(), [b"1 red"])

    def test_without_a_selector_it_keeps_all_from_then_on(self) -> None:
        self.leaves(self.bob(RED))
        self.publish("1 red", "2 blue")
        self.leaves(self.bob(ack="client"))
        self.publish("3 blue")
        self.assertEqual(self.waiting(), [b"1 red", b"3 blue"])


class AwayOnFileTests(OnFile, AwayTests):
    persistent = "true"


class ChangeOnFileTests(OnFile, ChangeTests):
    persistent = "true"


class RestartTests(OnFile, Conversations):
    persistent = "true"

    def test_it_outlives_the_broker(self) -> None:
        self.leaves(self.bob(RED))
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()
        self.publish("1 red", "2 blue")
        self.assertEqual(self.waiting(), [b"1 red"])
