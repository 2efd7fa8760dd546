"""Durable subscriptions, in the words of each broker's clients: what is published waits for who is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.events import Subscribed
from stomp_tx.broker.policy import Policy
from stomp_tx.engine.limits import EngineLimits
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client

TOPIC = "/topic/news"

DIALECTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "ours": ({}, {"durable-subscription": "d"}),
    "ours with a client-id": ({"client-id": "bob"}, {"durable-subscription": "d"}),
    "Artemis": ({"client-id": "bob"}, {"durable-subscription-name": "d"}),
    "Artemis, the old name": ({"client-id": "bob"}, {"durable-subscriber-name": "d"}),
    "ActiveMQ": ({"client-id": "bob"}, {"activemq.subscriptionName": "d"}),
    "RabbitMQ": ({}, {"durable": "true", "auto-delete": "false"}),
    "RabbitMQ, another word": ({}, {"persistent": "true"}),
}


class Conversations(InMemory, SynchronousTestCase):
    """What the tests below have in common."""

    def setUp(self) -> None:
        self.broker: Any = self.make_broker()
        self.ann = self.broker.connect()

    def publish(self, *bodies: str, **headers: str) -> None:
        send(self.ann, TOPIC, *bodies, **{"persistent": "true", **headers})

    def bob(
        self, name: str = "d", id: str = "1", ack: str = "auto", version: str = "1.2", **headers: str
    ) -> Client:
        """A new connection, with the durable subscription of this name."""
        client: Client = self.broker.connect(version)
        self.subscribe(client, name, id, ack, **headers)
        return client

    def subscribe(
        self, client: Client, name: str = "d", id: str = "1", ack: str = "auto", **headers: str
    ) -> None:
        client.subscribes(TOPIC, id=id, ack=ack, durable_subscription=name, receipt="subscribed", **headers)
        self.assertEqual(client.hears("RECEIPT").headers["receipt-id"], "subscribed")

    def unsubscribe(self, client: Client, name: str = "d", **headers: str) -> None:
        client.says("UNSUBSCRIBE", durable_subscription=name, receipt="unsubscribed", **headers)
        self.assertEqual(client.hears("RECEIPT").headers["receipt-id"], "unsubscribed")

    def leave(self, client: Client) -> None:
        client.says("DISCONNECT", receipt="bye")
        self.assertEqual(client.hears("RECEIPT").headers["receipt-id"], "bye")
        client.hangs_up()


class DialectTests(Conversations):
    """Each broker's way to say it means the same here."""

    def each(self) -> Iterator[tuple[Client, Callable[[], Client], dict[str, str]]]:
        """For each dialect and version, on a broker of its own: a producer, how the subscriber connects, and
        the headers of its SUBSCRIBE.
        """
        for connect, subscribe in DIALECTS.values():
            for version in ("1.0", "1.1", "1.2"):
                broker = self.make_broker()
                headers = {"id": "s", "destination": TOPIC, **subscribe}
                yield broker.connect(), partial(broker.connect, version, **connect), headers

    def test_messages_wait_while_it_is_away_across_sessions(self) -> None:
        for ann, connect, dialect in self.each():
            bob = connect()
            bob.says("SUBSCRIBE", dialect)
            send(ann, TOPIC, "0")
            self.assertEqual(bob.hears_bodies(), [b"0"], dialect)
            bob.says("DISCONNECT")
            bob.hangs_up()
            for bodies in (["1", "2"], ["3"]):
                send(ann, TOPIC, *bodies)
                bob = connect()
                bob.says("SUBSCRIBE", dialect)
                self.assertEqual(bob.hears_bodies(), [body.encode() for body in bodies], dialect)
                bob.hangs_up()

    def test_unsubscribe_with_the_same_headers_ends_it_for_good(self) -> None:
        for ann, connect, dialect in self.each():
            bob = connect()
            bob.says("SUBSCRIBE", dialect)
            bob.says("UNSUBSCRIBE", dialect, receipt="done")
            self.assertEqual(bob.hears("RECEIPT").headers["receipt-id"], "done", dialect)
            self.assertEqual(bob.broker.engine.bindings, {}, dialect)
            send(ann, TOPIC, "1")
            self.assertTrue(bob.hears_nothing(), dialect)
            bob.says("SUBSCRIBE", dialect)
            self.assertTrue(bob.hears_nothing(), dialect)

    def test_so_it_does_while_nobody_is_subscribed(self) -> None:
        for ann, connect, dialect in self.each():
            bob = connect()
            bob.says("SUBSCRIBE", dialect)
            bob.hangs_up()
            send(ann, TOPIC, "1", "2")
            bob = connect()
            bob.says("UNSUBSCRIBE", dialect, receipt="done")
            bob.hears("RECEIPT")
            self.assertEqual(bob.broker.engine.bindings, {}, dialect)
            self.assertEqual(bob.broker.engine.octets, 0, dialect)
            bob.says("SUBSCRIBE", dialect)
            self.assertTrue(bob.hears_nothing(), dialect)

    def test_a_plain_unsubscribe_only_leaves_it(self) -> None:
        for ann, connect, dialect in self.each():
            bob = connect()
            bob.says("SUBSCRIBE", dialect)
            bob.says("UNSUBSCRIBE", id="s", receipt="left")
            bob.hears("RECEIPT")
            send(ann, TOPIC, "1")
            self.assertTrue(bob.hears_nothing(), dialect)
            bob.says("SUBSCRIBE", dialect)
            self.assertEqual(bob.hears_bodies(), [b"1"], dialect)

    def test_the_others_names_need_a_client_id(self) -> None:
        for header in ("durable-subscription-name", "durable-subscriber-name", "activemq.subscriptionName"):
            for command in ("SUBSCRIBE", "UNSUBSCRIBE"):
                bob = self.broker.connect()
                bob.says(command, {"id": "1", "destination": TOPIC, header: "d", "receipt": "r"})
                error = bob.fails("client-id missing")
                self.assertIn(header.encode(), error.body)
                self.assertEqual(error.headers["receipt-id"], "r")
        self.assertEqual(self.broker.engine.bindings, {})

    def test_an_empty_client_id_is_none(self) -> None:
        bob = self.broker.connect(client_id="")
        bob.subscribes(TOPIC, durable_subscription_name="d")
        bob.fails("client-id missing")

    def test_rabbitmq_s_need_an_id(self) -> None:
        """In 1.0 there may be none: then all such clients would share one."""
        bob = self.broker.connect("1.0")
        bob.says("SUBSCRIBE", destination=TOPIC, durable="true")
        bob.fails("id header missing")
        self.assertEqual(self.broker.engine.bindings, {})

    def test_names_are_bounded_in_length(self) -> None:
        bob = self.broker.connect()
        bob.subscribes(TOPIC, durable_subscription="x" * 50_000)
        bob.fails("too long")
        self.assertEqual(self.broker.engine.bindings, {})

    def test_the_name_alone_is_enough_to_end_it(self) -> None:
        for version in ("1.0", "1.1", "1.2"):
            bob = self.bob(version=version)
            self.unsubscribe(bob)
            self.assertEqual(self.broker.engine.bindings, {})

    def test_the_name_is_within_the_client_id(self) -> None:
        bob, cid = self.broker.connect(client_id="bob"), self.broker.connect(client_id="cid")
        for client in (bob, cid):
            client.subscribes(TOPIC, durable_subscription_name="d")
        dan = self.broker.connect(client_id="bob")
        dan.subscribes(TOPIC, **{"activemq.subscriptionName": "d"})  # it is bob's, by another name
        self.publish("1", "2")
        self.assertEqual((bob.hears_bodies(), dan.hears_bodies()), ([b"1"], [b"2"]))
        self.assertEqual(cid.hears_bodies(), [b"1", b"2"])

    def test_odd_names_are_names_of_their_own(self) -> None:
        names = ["a/b", "a", "a%2Fb", "ü", "a:b", "a b", "/", "..", "a\\b", "a\nb", "d"]
        clients = [self.bob(name) for name in names]
        self.assertEqual(len(self.broker.engine.bindings), len(names))
        self.publish("1")
        self.assertEqual([client.hears_bodies() for client in clients], [[b"1"]] * len(names))

    def test_rabbitmq_s_are_named_by_id_and_topic(self) -> None:
        bob = self.broker.connect()
        for destination, id in ((TOPIC, "1"), (TOPIC, "2"), ("/topic/other", "3")):
            bob.subscribes(destination, id=id, durable="true")
        self.assertEqual(sorted(self.broker.engine.bindings.values()), [TOPIC, TOPIC, "/topic/other"])
        bob.hangs_up()
        self.publish("x")
        cid = self.broker.connect()
        cid.subscribes("/topic/other", id="1", durable="true")
        self.assertTrue(cid.hears_nothing())
        cid.subscribes(TOPIC, id="2", durable="true")
        self.assertEqual(cid.hears_bodies(), [b"x"])

    def test_rabbitmq_s_auto_delete_and_durable_queues_are_none(self) -> None:
        bob = self.broker.connect()
        bob.subscribes(TOPIC, id="1", durable="true", auto_delete="true")
        bob.subscribes(TOPIC, id="2", durable="false")
        bob.subscribes("/queue/a", id="3", durable="true", auto_delete="false")
        self.assertEqual(self.broker.engine.bindings, {})
        send(self.ann, "/queue/a", "1")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        bob.says("UNSUBSCRIBE", id="3", destination="/queue/a", durable="true", receipt="r")
        bob.hears("RECEIPT")

    def test_1_0_may_name_it_by_destination(self) -> None:
        bob = self.broker.connect("1.0", client_id="bob")
        bob.says("SUBSCRIBE", destination=TOPIC, **{"activemq.subscriptionName": "d"})
        self.publish("1")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        bob.says("UNSUBSCRIBE", destination=TOPIC, receipt="left")
        bob.hears("RECEIPT")
        self.publish("2")
        bob.says("SUBSCRIBE", destination=TOPIC, **{"activemq.subscriptionName": "d"})
        self.assertEqual(bob.hears_bodies(), [b"2"])
        bob.says("UNSUBSCRIBE", {"activemq.subscriptionName": "d"}, destination=TOPIC, receipt="ended")
        bob.hears("RECEIPT")
        self.assertEqual(self.broker.engine.bindings, {})


class WaitingTests(Conversations):
    """What is published is kept for each durable subscription, and delivered as from a queue."""

    def test_it_waits_after_disconnect_and_after_a_lost_connection(self) -> None:
        self.leave(self.bob())
        self.publish("1")
        bob = self.bob()
        self.assertEqual(bob.hears_bodies(), [b"1"])
        bob.hangs_up()
        self.publish("2")
        self.assertEqual(self.bob().hears_bodies(), [b"2"])

    def test_what_was_published_before_is_not_heard(self) -> None:
        self.publish("0")
        self.assertTrue(self.bob().hears_nothing())

    def test_messages_that_do_not_persist_wait_too(self) -> None:
        self.bob().hangs_up()
        self.publish("1", persistent="false")
        self.publish("2")
        self.assertEqual(sorted(self.bob().hears_bodies()), [b"1", b"2"])

    def test_each_durable_subscription_gets_its_own_and_listeners_hear_it_too(self) -> None:
        bob, cid = self.bob("b"), self.bob("c")
        listener = self.broker.connect()
        listener.subscribes(TOPIC)
        cid.hangs_up()
        self.publish("1")
        self.assertEqual((bob.hears_bodies(), listener.hears_bodies()), ([b"1"], [b"1"]))
        self.assertEqual(self.bob("c").hears_bodies(), [b"1"])

    def test_a_message_says_the_topic_and_the_subscription_it_came_by(self) -> None:
        bob = self.bob(id="mine")
        self.publish("1", colour="red")
        message = bob.hears("MESSAGE")
        self.assertEqual(message.headers["destination"], TOPIC)
        self.assertEqual(message.headers["subscription"], "mine")
        self.assertEqual(message.headers["colour"], "red")
        self.assertNotIn("redelivered", message.headers)

    def test_a_topic_without_one_keeps_nothing(self) -> None:
        self.publish("1", receipt="r")
        self.ann.hears("RECEIPT")
        self.assertEqual((self.broker.engine.octets, self.broker.engine._lanes), (0, {}))

    def test_more_wait_than_for_a_slow_listener(self) -> None:
        self.broker = self.make_broker(topic_backlog=5)
        self.ann = self.broker.connect()
        self.bob().hangs_up()
        self.publish(*map(str, range(20)))
        self.assertEqual(self.bob().hears_bodies(), [b"%d" % number for number in range(20)])

    def test_two_connections_share_it_like_a_queue(self) -> None:
        bob, cid = self.bob(), self.bob()
        self.publish("1", "2", "3", "4")
        self.assertEqual((bob.hears_bodies(), cid.hears_bodies()), ([b"1", b"3"], [b"2", b"4"]))
        cid.hangs_up()
        self.publish("5")
        self.assertEqual(bob.hears_bodies(), [b"5"])

    def test_prefetch_counts(self) -> None:
        bob = self.bob(ack="client-individual", prefetch_count="2")
        self.publish("1", "2", "3")
        first, _ = bob.everything()
        bob.acks(first)
        self.assertEqual(bob.hears_bodies(), [b"3"])

    def test_what_was_not_acknowledged_comes_again_in_the_next_session(self) -> None:
        for version in ("1.0", "1.1", "1.2"):
            bob = self.bob(ack="client", version=version)
            self.publish("1", "2", "3")
            bob.acks(bob.everything()[1], receipt="r")
            bob.hears("RECEIPT")
            bob.hangs_up()
            bob = self.bob(ack="client-individual", version=version)
            message = bob.hears("MESSAGE")
            self.assertEqual((message.body, message.headers["redelivered"]), (b"3", "true"))
            self.assertEqual(message.headers["redelivery-count"], "1")
            bob.acks(message, receipt="r")
            bob.hears("RECEIPT")
            bob.hangs_up()
        self.assertTrue(self.bob().hears_nothing())
        self.assertEqual(self.broker.engine.octets, 0)

    def test_refused_it_goes_to_the_other_one_or_comes_again(self) -> None:
        bob, cid = self.bob(ack="client-individual"), self.bob(ack="client-individual")
        self.publish("1")
        bob.nacks(bob.hears("MESSAGE"))
        message = cid.hears("MESSAGE")
        self.assertEqual(message.headers["redelivery-count"], "1")
        bob.hangs_up()
        cid.nacks(message)
        self.assertTrue(cid.hears_nothing())
        self.broker.clock.advance(0.2)
        self.assertEqual(cid.hears("MESSAGE").headers["redelivery-count"], "2")

    def test_acks_and_nacks_in_a_transaction(self) -> None:
        bob = self.bob(ack="client-individual")
        self.publish("1", "2")
        one, two = bob.everything()
        bob.says("BEGIN", transaction="t")
        bob.acks(one, transaction="t")
        bob.nacks(two, transaction="t", requeue="false")
        bob.says("ABORT", transaction="t")
        bob.hangs_up()
        bob = self.bob(ack="client-individual")
        one, two = bob.everything()
        bob.says("BEGIN", transaction="t")
        bob.acks(one, transaction="t")
        bob.nacks(two, transaction="t", requeue="false")
        bob.says("COMMIT", transaction="t", receipt="done")
        bob.hears("RECEIPT")
        bob.hangs_up()
        self.assertTrue(self.bob().hears_nothing())

    def test_a_transaction_publishes_at_commit_all_in_order(self) -> None:
        bob = self.bob()
        self.ann.says("BEGIN", transaction="t")
        self.publish("1", "2", transaction="t")
        send(self.ann, "/queue/q", "q", transaction="t", persistent="true")
        self.assertTrue(bob.hears_nothing())
        self.ann.says("COMMIT", transaction="t")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2"])
        self.ann.says("BEGIN", transaction="t")
        self.publish("3", transaction="t")
        self.ann.says("ABORT", transaction="t")
        self.assertTrue(bob.hears_nothing())
        bob.hangs_up()
        self.ann.says("BEGIN", transaction="u")
        self.publish("4", transaction="u")
        self.ann.says("COMMIT", transaction="u")
        self.assertEqual(self.bob().hears_bodies(), [b"4"])

    def test_one_session_with_two_says_which_it_acknowledges(self) -> None:
        """In 1.0 ACK has no more than the message-id: it must tell one from the other."""
        for version in ("1.0", "1.1", "1.2"):
            bob = self.bob("a", "1", "client-individual", version)
            self.subscribe(bob, "b", "2", "client-individual")
            self.publish("x")
            first, _ = bob.everything()
            bob.acks(first, receipt="r")
            bob.hears("RECEIPT")
            bob.hangs_up()
            named = ("a", "b") if first.headers["subscription"] == "1" else ("b", "a")
            for name, left in zip(named, ([], [b"x"]), strict=True):
                again = self.bob(name)
                self.assertEqual(again.hears_bodies(), left, version)
                again.hangs_up()

    def test_the_topic_s_policy_is_its_policy(self) -> None:
        policy = Policy(attempts=1, dead_letter="/queue/failed")
        self.broker = self.make_broker(patterns={TOPIC: policy})
        self.ann = self.broker.connect()
        bob = self.bob(ack="client-individual")
        self.publish("1")
        bob.nacks(bob.hears("MESSAGE"))
        self.ann.subscribes("/queue/failed")
        self.assertEqual(self.ann.hears("MESSAGE").headers["dead-letter-destination"], TOPIC)

    def test_a_full_one_pauses_producers_until_it_is_consumed(self) -> None:
        self.broker = self.make_broker(limits=EngineLimits(queue_length=10))
        self.ann = self.broker.connect()
        self.bob().hangs_up()
        for number in range(30):
            if self.ann.transport.producerState != "producing":
                break
            self.publish(str(number), persistent="false")
        self.assertEqual((number, self.ann.transport.producerState), (12, "paused"))
        dan = self.broker.connect()
        send(dan, "/topic/other", "x", receipt="r")
        dan.hears("RECEIPT")
        self.assertEqual(dan.transport.producerState, "producing")
        self.assertEqual(self.bob().hears_bodies(), [b"%d" % number for number in range(12)])
        self.assertEqual(self.ann.transport.producerState, "producing")


class RuleTests(Conversations):
    """What can't be, and what is said about it."""

    def test_one_connection_has_it_once(self) -> None:
        bob = self.bob(id="1")
        bob.subscribes(TOPIC, id="2", durable_subscription="d", receipt="twice")
        error = bob.fails("durable subscription in use")
        self.assertEqual(error.headers["receipt-id"], "twice")
        self.publish("1")
        self.assertEqual(self.bob().hears_bodies(), [b"1"])

    def test_after_leaving_it_the_same_connection_may_have_it_again(self) -> None:
        bob = self.bob(id="1")
        bob.says("UNSUBSCRIBE", id="1")
        self.subscribe(bob, id="2")
        self.publish("1")
        self.assertEqual(bob.hears("MESSAGE").headers["subscription"], "2")

    def test_it_is_to_one_topic(self) -> None:
        self.bob().hangs_up()
        cid = self.broker.connect()
        cid.subscribes("/topic/other", durable_subscription="d")
        self.assertIn(TOPIC.encode(), cid.fails("durable subscription to another topic").body)
        self.publish("1")
        bob = self.bob()
        self.assertEqual(bob.hears_bodies(), [b"1"])
        self.unsubscribe(bob)
        bob.subscribes("/topic/other", durable_subscription="d")
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(list(self.broker.engine.bindings.values()), ["/topic/other"])

    def test_it_is_to_a_topic(self) -> None:
        for command in ("SUBSCRIBE", "UNSUBSCRIBE"):
            bob = self.broker.connect()
            bob.says(command, id="1", destination="/queue/a", durable_subscription="d")
            bob.fails("durable subscriptions are to topics")
        self.assertEqual(self.broker.engine.bindings, {})

    def test_nobody_ends_what_another_connection_has(self) -> None:
        bob, cid = self.bob(), self.broker.connect()
        cid.says("UNSUBSCRIBE", durable_subscription="d")
        cid.fails("durable subscription in use")
        self.publish("1")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        dan = self.bob()  # they share it now
        dan.says("UNSUBSCRIBE", durable_subscription="d")
        dan.fails("durable subscription in use")

    def test_what_is_not_there_can_not_be_ended(self) -> None:
        bob = self.broker.connect()
        bob.says("UNSUBSCRIBE", durable_subscription="d", receipt="r")
        self.assertEqual(bob.fails("no such durable subscription").headers["receipt-id"], "r")

    def test_ended_within_its_session_its_deliveries_are_gone(self) -> None:
        for version in ("1.0", "1.1", "1.2"):
            bob = self.bob(ack="client-individual", version=version, prefetch_count="2")
            self.publish("1", "2", "3")
            one, _ = bob.everything()
            self.unsubscribe(bob, id="1")
            self.assertEqual(self.broker.engine.octets, 0)
            bob.acks(one)  # it crossed the UNSUBSCRIBE: innocent
            self.assertFalse(bob.is_closed)
            self.subscribe(bob, id="2")
            self.assertTrue(bob.hears_nothing())
            self.publish("4")
            self.assertEqual(bob.hears_bodies(), [b"4"])
            self.unsubscribe(bob, id="2")
            bob.hangs_up()
        self.assertEqual(self.broker.engine.bindings, {})

    def test_nothing_of_an_ended_one_is_in_the_next_of_its_name(self) -> None:
        bob = self.bob(ack="client-individual")
        self.publish("1", "2")
        one, two = bob.everything()
        bob.says("BEGIN", transaction="t")
        bob.nacks(one, transaction="t")
        bob.nacks(two)
        self.unsubscribe(bob, id="1")
        self.subscribe(bob, ack="client-individual")
        bob.says("COMMIT", transaction="t")
        self.broker.clock.advance(1)
        self.assertTrue(bob.hears_nothing())
        self.publish("3")
        self.assertEqual(bob.hears_bodies(), [b"3"])

    def test_so_it_is_while_a_delay_runs_in_the_ended_one(self) -> None:
        self.broker = self.make_broker(redelivery_delay=5.0)
        self.ann = self.broker.connect()
        bob = self.bob(ack="client-individual")
        self.publish("1")
        bob.nacks(bob.hears("MESSAGE"))
        self.unsubscribe(bob, id="1")
        self.subscribe(bob, ack="client-individual")
        self.publish("2")
        self.assertEqual(bob.hears_bodies(), [b"2"])
        self.broker.clock.advance(10)
        self.publish("3")
        self.assertEqual(bob.hears_bodies(), [b"3"])
        bob.hangs_up()
        self.broker.clock.advance(100)
        self.assertEqual(sorted(self.bob().hears_bodies()), [b"2", b"3"])

    def test_who_publishes_to_its_own_full_one_is_not_kept_waiting_for_itself(self) -> None:
        self.broker = self.make_broker(limits=EngineLimits(queue_length=5))
        self.ann = self.broker.connect()
        self.subscribe(self.ann, ack="client-individual", prefetch_count="1")
        for number in range(20):
            self.publish(str(number), persistent="false")
        self.assertEqual(self.ann.transport.producerState, "producing")
        self.ann.hears("MESSAGE")
        self.ann.fails("queue full")

    def test_ended_it_makes_room_for_who_waits(self) -> None:
        self.broker = self.make_broker(limits=EngineLimits(queue_length=5, stored_octets=700))
        self.ann = self.broker.connect()
        bob = self.bob()
        bob.says("UNSUBSCRIBE", id="1")
        for number in range(20):
            if self.ann.transport.producerState != "producing":
                break
            self.publish(str(number))
            self.assertTrue(self.ann.hears_nothing())
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.unsubscribe(bob)
        self.assertEqual(self.ann.transport.producerState, "producing")

    def test_ending_one_does_not_end_another_subscription_of_the_connection(self) -> None:
        bob = self.bob("a", "1")
        self.subscribe(bob, "b", "2")
        bob.subscribes("/queue/q", id="3")
        self.unsubscribe(bob, "a", id="1")
        self.publish("x")
        send(self.ann, "/queue/q", "q")
        self.assertEqual(sorted(bob.hears_bodies()), [b"q", b"x"])

    def test_the_broker_keeps_a_limited_number(self) -> None:
        self.broker = self.make_broker(durable_subscriptions=2)
        self.ann = self.broker.connect()
        self.bob("1").hangs_up()
        two = self.bob("2")
        three = self.broker.connect()
        three.subscribes(TOPIC, durable_subscription="3")
        three.fails("too many durable subscriptions")
        self.bob("1")  # one that there is takes no more room
        self.unsubscribe(two, "2")
        self.bob("3")

    def test_who_may_not_subscribe_may_neither_make_nor_end_one(self) -> None:
        class Guest(StompUser):
            def may(self, permission: str, destination: str) -> bool:
                return permission != "subscribe" or destination != TOPIC

        bob = self.bob()
        self.publish("1")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        bob.hangs_up()
        self.publish("2")
        self.broker.factory.anonymous = Guest("guest")
        for command in ("SUBSCRIBE", "UNSUBSCRIBE"):
            guest = self.broker.connect()
            guest.says(command, id="1", destination=TOPIC, durable_subscription="d")
            self.assertIn(TOPIC.encode(), guest.fails("access denied").body)
        self.broker.factory.anonymous = StompUser("ann")
        self.assertEqual(self.bob().hears_bodies(), [b"2"])

    def test_events_tell_of_it(self) -> None:
        seen: list[str] = []
        self.broker.factory.events.observe(Subscribed, lambda event: seen.append(event.subscription))
        self.bob(id="mine")
        self.assertEqual(seen, ["mine"])

    def test_all_ended_nothing_is_left(self) -> None:
        for number in range(20):
            bob = self.bob(str(number), ack="client")
            self.publish("x")
            self.assertEqual(bob.hears_bodies(), [b"x"])
            self.unsubscribe(bob, str(number))
            bob.hangs_up()
        self.ann.hangs_up()
        self.assertEqual(self.broker.engine.bindings, {})
        self.assertEqual(self.broker.engine._lanes, {})
        self.assertEqual(self.broker.engine.octets, 0)
        self.assertEqual(list(self.broker.factory.registry), [])


class WaitingOnFileTests(OnFile, WaitingTests):
    """The same with an engine that stores."""


class RuleOnFileTests(OnFile, RuleTests):
    """The same with an engine that stores."""

    def tearDown(self) -> None:
        if not self.broker.engine.bindings:
            self.assertEqual(self.broker.engine.stored_octets, 0)


class RestartTests(OnFile, Conversations):
    """They outlive the broker."""

    def restarts(self) -> None:
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()

    def test_the_subscription_and_what_persists_are_there_after_a_kill(self) -> None:
        self.bob().hangs_up()
        self.publish("1")
        self.publish("x", persistent="false")
        self.ann.everything()
        self.restarts()
        self.publish("2")
        self.assertEqual(self.bob().hears_bodies(), [b"1", b"2"])

    def test_each_dialect_finds_its_own_again(self) -> None:
        for connect, headers in DIALECTS.values():
            self.broker = self.make_broker()
            bob = self.broker.connect(**connect)
            bob.says("SUBSCRIBE", {"id": "s", "destination": TOPIC, **headers}, receipt="r")
            bob.hears("RECEIPT")
            self.restarts()
            self.publish("1")
            bob = self.broker.connect(**connect)
            bob.says("SUBSCRIBE", {"id": "s", "destination": TOPIC, **headers})
            self.assertEqual(bob.hears_bodies(), [b"1"], headers)
            bob.says("UNSUBSCRIBE", {"id": "s", "destination": TOPIC, **headers}, receipt="r")
            bob.hears("RECEIPT")
            self.restarts()
            self.assertEqual(self.broker.engine.bindings, {})

    def test_receipted_it_is_there_though_nothing_was_published(self) -> None:
        self.bob()
        self.restarts()
        self.assertEqual(list(self.broker.engine.bindings.values()), [TOPIC])
        cid = self.broker.connect()
        cid.subscribes("/topic/other", durable_subscription="d")
        cid.fails("durable subscription to another topic")

    def test_ended_it_stays_so(self) -> None:
        bob = self.bob()
        bob.says("UNSUBSCRIBE", id="1")
        self.publish("1", "2")
        self.unsubscribe(bob)
        self.restarts()
        self.assertEqual(self.broker.engine.bindings, {})
        self.assertTrue(self.bob().hears_nothing())
        self.assertEqual(self.broker.rows(), 0)

    def test_what_was_in_flight_comes_again_and_says_so(self) -> None:
        bob = self.bob(ack="client-individual")
        self.publish("1", "2", "3")
        one, two, _ = bob.everything()
        bob.acks(one, receipt="r")
        bob.hears("RECEIPT")
        bob.nacks(two, receipt="r")
        bob.hears("RECEIPT")
        self.restarts()
        heard = self.bob().everything()
        self.assertEqual([message.body for message in heard], [b"2", b"3"])
        self.assertEqual([message.headers["redelivered"] for message in heard], ["true", "true"])
        self.assertEqual([message.headers["destination"] for message in heard], [TOPIC, TOPIC])

    def test_its_receipt_means_that_it_is_on_the_disk(self) -> None:
        self.broker.disk.held = True
        bob = self.broker.connect()
        bob.subscribes(TOPIC, durable_subscription="d", receipt="r")
        self.assertTrue(bob.hears_nothing())
        self.broker.disk.goes_on()
        bob.hears("RECEIPT")
        self.broker.disk.held = True
        bob.says("UNSUBSCRIBE", durable_subscription="d", receipt="s")
        self.assertTrue(bob.hears_nothing())
        self.broker.disk.goes_on()
        bob.hears("RECEIPT")

    def test_one_that_could_not_be_written_is_none(self) -> None:
        self.broker.disk.full = True
        bob = self.broker.connect()
        bob.subscribes(TOPIC, durable_subscription="d", receipt="r")
        self.assertEqual(bob.fails("disk is full").headers["receipt-id"], "r")
        self.assertEqual(self.broker.engine.bindings, {})
        bob.hangs_up()
        self.broker.disk.full = False
        self.publish("0")
        bob = self.bob()
        self.publish("1")
        self.assertEqual(bob.hears_bodies(), [b"1"])

    def test_a_message_is_heard_when_it_is_safe(self) -> None:
        bob, listener = self.bob(), self.broker.connect()
        listener.subscribes(TOPIC)
        self.broker.disk.held = True
        self.publish("1", receipt="r")
        for client in (bob, listener, self.ann):
            self.assertTrue(client.hears_nothing())
        self.broker.disk.goes_on()
        self.assertEqual((bob.hears_bodies(), listener.hears_bodies()), ([b"1"], [b"1"]))
        self.ann.hears("RECEIPT")
