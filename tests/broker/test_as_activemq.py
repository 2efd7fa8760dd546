"""The dialects activemq and artemis: what their clients write, octet by octet, does what it does there."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.broker.session.session import BrokerSession
from stomp_tx.wire.frame import Frame
from tests.conversation import Broker, Client
from tests.counting import lines_run

DLQ = {"activemq": "/queue/ActiveMQ.DLQ", "artemis": "/queue/DLQ"}


class AsActiveMQ(SynchronousTestCase):
    def start(self, dialect: str = "activemq", **settings: Any) -> None:
        self.broker = Broker(**{"dialect": dialect, **settings})

    def client(self, more: str = "", version: str = "1.2") -> Client:
        client = self.broker.dial()
        client.version = version
        client.sends(f"CONNECT\naccept-version:{version}\nhost:localhost\n{more}\n\0".encode())
        client.hears("CONNECTED")
        return client

    def send(self, destination: str = "/queue/a", more: str = "") -> None:
        self.client().sends(f"SEND\ndestination:{destination}\n{more}\nhi\0".encode())

    def waits_in(self, queue: str) -> list[Frame]:
        """What is in it; it stays there."""
        client = self.client("dialect:auto\n")
        client.subscribes(queue, ack="client")
        found: list[Frame] = client.everything()
        client.hangs_up()
        return found


class NackTests(AsActiveMQ):
    def refuse(self, client: Client, version: str = "1.2") -> None:
        """Get the message that is in /queue/a, and refuse it."""
        client.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0")
        message = client.hears("MESSAGE")
        if version == "1.2":
            client.sends(b"NACK\nid:%b\n\n\0" % message.headers["ack"].encode())
        else:
            name = message.headers["message-id"].encode()
            client.sends(b"NACK\nsubscription:1\nmessage-id:%b\n\n\0" % name)

    def test_it_is_a_dead_letter_at_once(self) -> None:
        for dialect, queue in DLQ.items():
            for version in ("1.1", "1.2"):
                for more in ("", "persistent:true\n"):
                    self.start(dialect)
                    self.send(more=more)
                    client = self.client(version=version)
                    self.refuse(client, version)
                    self.broker.clock.advance(60)
                    self.assertTrue(client.hears_nothing())
                    [letter] = self.waits_in(queue)
                    self.assertEqual(letter.body, b"hi")
                    self.assertEqual(letter.headers["dead-letter-reason"], "rejected")

    def test_in_a_transaction_at_commit(self) -> None:
        self.start()
        self.send()
        client = self.client()
        client.subscribes("/queue/a", ack="client")
        message = client.hears("MESSAGE")
        client.sends(b"BEGIN\ntransaction:t\n\n\0")
        client.nacks(message, transaction="t")
        self.assertEqual(self.waits_in(DLQ["activemq"]), [])
        client.sends(b"COMMIT\ntransaction:t\n\n\0")
        self.assertEqual(len(self.waits_in(DLQ["activemq"])), 1)

    def test_of_several_destinations_at_once(self) -> None:
        for dialect, queue in DLQ.items():
            self.start(dialect)
            client = self.client()
            client.subscribes("/queue/a.*,/topic/b", ack="client")
            self.send("/queue/a.1")
            self.broker.clock.advance(1)
            client.nacks(client.hears("MESSAGE"))
            self.assertEqual(len(self.waits_in(queue)), 1)

    def test_artemis_name_for_it_has_no_prefix(self) -> None:
        self.start("artemis")
        self.send()
        self.refuse(self.client())
        client = self.client()
        client.sends(b"SUBSCRIBE\nid:1\ndestination:DLQ\n\n\0")
        self.assertEqual(client.hears("MESSAGE").headers["_AMQ_ORIG_ADDRESS"], "a")

    def test_it_is_the_connection_s_dialect_that_counts(self) -> None:
        for dialect, queue in (("artemis", "/queue/DLQ"), ("activemq", "/queue/ActiveMQ.DLQ")):
            self.start("auto")
            self.send()
            self.refuse(self.client(f"dialect:{dialect}\n"))
            self.assertEqual(len(self.waits_in(queue)), 1)
        self.start("activemq")
        self.send()
        client = self.client("dialect:auto\n")
        self.refuse(client)
        self.broker.clock.advance(60)
        client.hears("MESSAGE")

    def test_what_nobody_refuses_goes_where_the_broker_s_own_dialect_says(self) -> None:
        self.start("artemis", expired="dead-letter", upkeep=True)
        self.send(more="expires:1\n")
        self.assertEqual(len(self.waits_in("/queue/DLQ")), 1)

    def test_what_is_set_counts_in_every_dialect(self) -> None:
        for dialect in DLQ:
            self.start(dialect, nack="redeliver", nack_delay=0.0)
            self.send()
            client = self.client()
            self.refuse(client)
            self.assertEqual(client.hears("MESSAGE").headers["redelivered"], "true")
            for settings in ({"dead_letter": "/queue/dead"}, {"patterns": {"/queue/>": DEAD}}):
                self.start(dialect, **settings)
                self.send()
                self.refuse(self.client())
                self.assertEqual(len(self.waits_in("/queue/dead")), 1)
            self.start(dialect, dead_letter="")
            self.send()
            self.refuse(self.client())
            self.assertEqual(self.waits_in(DLQ[dialect]), [])

    def test_a_policy_that_is_read_again_counts_at_once(self) -> None:
        self.start(nack_delay=0.0)
        self.send()
        client = self.client()
        client.subscribes("/queue/a", ack="client")
        message = client.hears("MESSAGE")
        self.broker.factory.change_policies(Policies(Policy(nack="redeliver")))
        client.nacks(message)
        client.hears("MESSAGE")

    def test_a_consumer_may_ask_for_redelivery_itself(self) -> None:
        self.start(nack_delay=0.0)
        self.send()
        client = self.client()
        client.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\nredelivery-attempts:2\n\n\0")
        client.nacks(client.hears("MESSAGE"))
        client.nacks(client.hears("MESSAGE"))
        self.assertTrue(client.hears_nothing())
        [letter] = self.waits_in(DLQ["activemq"])
        self.assertEqual(letter.headers["dead-letter-reason"], "attempts")

    def test_elsewhere_it_comes_again(self) -> None:
        for dialect in ("auto", "rabbitmq"):
            self.start(dialect, nack_delay=0.0, unknown_host="default")
            self.send()
            client = self.client()
            self.refuse(client)
            client.hears("MESSAGE")


DEAD = Policy(dead_letter="/queue/dead")


class BareNameTests(AsActiveMQ):
    """A destination without ``/queue/`` or ``/topic/``, as Artemis' clients write them."""

    def reader(self, more: str = "durable-subscriber-name:d\n", version: str = "1.2") -> Client:
        client = self.client("client-id:bob\n", version)
        client.sends(f"SUBSCRIBE\nid:1\ndestination:news\n{more}\n\0".encode())
        return client

    def test_a_durable_subscription_to_one_is_to_a_topic(self) -> None:
        for dialect in ("activemq", "artemis"):
            for name in ("durable-subscriber-name", "durable-subscription-name", "activemq.subscriptionName"):
                header = f"{name}:d\n"
                self.start(dialect)
                self.reader(header).hangs_up()
                self.send("news")
                self.send("/topic/news")
                self.assertEqual(self.reader(header).hears_bodies(), [b"hi", b"hi"])

    def test_it_ends_by_that_name(self) -> None:
        self.start("artemis")
        client = self.reader()
        client.sends(b"UNSUBSCRIBE\nid:1\n\n\0")
        client.sends(b"UNSUBSCRIBE\ndestination:news\ndurable-subscriber-name:d\nreceipt:r\n\n\0")
        client.hears("RECEIPT")
        self.assertEqual(self.broker.engine.bindings, {})
        client.sends(b"UNSUBSCRIBE\ndestination:news\ndurable-subscriber-name:d\n\n\0")
        client.fails("no such durable subscription")

    def test_others_who_write_that_name_mean_the_topic_too(self) -> None:
        self.start("artemis")
        self.reader().hangs_up()
        ann = self.reader("")
        self.send("/topic/news")
        self.assertEqual(ann.hears_bodies(), [b"hi"])

    def test_until_then_and_afterwards_it_is_a_queue(self) -> None:
        """Also for who has sent there before, alone or in a transaction."""
        self.start("artemis")
        ann = self.client()

        def sends(body: bytes) -> None:
            for more in (b"", b"persistent:true\n", b"transaction:t\n"):
                ann.sends(b"BEGIN\ntransaction:t\n\n\0")
                ann.sends(b"SEND\ndestination:news\n%b\n%b\0" % (more, body))
                ann.sends(b"COMMIT\ntransaction:t\n\n\0")

        sends(b"1")
        self.assertEqual(self.empties("/queue/news"), [b"1"] * 3)
        bob = self.reader()
        sends(b"2")
        self.assertEqual(bob.hears_bodies(), [b"2"] * 3)
        bob.sends(b"UNSUBSCRIBE\nid:1\ndurable-subscriber-name:d\n\n\0")
        sends(b"3")
        self.assertEqual([frame.body for frame in self.waits_in("/queue/news")], [b"3"] * 3)

    def empties(self, queue: str) -> list[bytes]:
        worker = self.client()
        worker.sends(f"SUBSCRIBE\nid:w\ndestination:{queue}\n\n\0".encode())
        bodies = worker.hears_bodies()
        worker.hangs_up()
        return bodies

    def test_a_durable_subscription_takes_no_queue_from_those_who_use_it(self) -> None:
        self.start("artemis")
        worker, ann, eve = self.client(), self.client(), self.client("client-id:eve\n")
        worker.sends(b"SUBSCRIBE\nid:1\ndestination:orders\n\n\0")
        eve.sends(b"SUBSCRIBE\nid:1\ndestination:/topic/orders\ndurable-subscriber-name:evil\n\n\0")
        ann.sends(b"SEND\ndestination:orders\n\n1\0")
        self.assertEqual(worker.hears_bodies(), [b"1"])
        worker.hangs_up()
        self.send("/queue/orders")
        ann.sends(b"SEND\ndestination:orders\n\n2\0")
        self.client().sends(b"SEND\ndestination:orders\n\n3\0")
        self.assertEqual(self.empties("/queue/orders"), [b"hi", b"2", b"3"])
        self.assertTrue(eve.hears_nothing())

    def test_the_policy_is_that_of_what_it_means(self) -> None:
        self.broker = Broker(dialect="artemis", patterns={"/queue/news": Policy(ttl=10)})
        for more in (b"", b"persistent:true\n", b"destination-type:MULTICAST\npersistent:true\n"):
            ann = self.client()
            ann.sends(b"SEND\ndestination:news\n\nto the queue\0")
            self.empties("/queue/news")
            self.reader().hangs_up()
            ann.sends(b"SEND\ndestination:news\n%b\nhi\0" % more)
            self.broker.clock.advance(60)
            bob = self.reader()
            self.assertEqual(bob.hears_bodies(), [b"hi"])
            bob.sends(b"UNSUBSCRIBE\nid:1\ndurable-subscriber-name:d\n\n\0")
            bob.hangs_up()

    def test_a_send_costs_what_one_to_a_prefix_costs(self) -> None:
        self.start("artemis")
        ann = self.client()

        def send(destination: bytes) -> int:
            frame = b"SEND\ndestination:%b\n\nhi\0" % destination
            ann.sends(frame)  # the route is known
            return lines_run(lambda: ann.sends(frame))

        self.assertEqual(send(b"news"), send(b"/queue/news"))
        self.assertEqual(send(b"news,more"), send(b"/queue/news,/queue/more"))

    def test_only_who_may_mean_another_destination_now_asks_anew(self) -> None:
        self.start("artemis")
        ann, bob = self.client(), self.client("client-id:bob\n")
        for client in (self.client("dialect:auto\n"), ann):
            client.sends(b"SEND\ndestination:news\n\nhi\0")
        asked: list[str] = []
        self.patch(BrokerSession, "forget_routes", lambda session: asked.append(session.id))
        changes = [
            (b"SUBSCRIBE", b"1", b"/topic/news", 2),
            (b"SUBSCRIBE", b"2", b"/topic/news", 0),
            (b"SUBSCRIBE", b"3", b"/topic/>", 0),
            (b"UNSUBSCRIBE", b"3", b"/topic/>", 0),
            (b"UNSUBSCRIBE", b"2", b"/topic/news", 0),
            (b"UNSUBSCRIBE", b"1", b"/topic/news", 2),
        ]
        for command, name, topic, count in changes:
            bob.sends(
                b"%b\nid:%b\ndestination:%b\ndurable-subscriber-name:%b\n\n\0" % (command, name, topic, name)
            )
            self.assertEqual(len(asked), count, (command, name))
            asked.clear()

    def test_what_has_a_prefix_or_a_type_is_what_that_says(self) -> None:
        self.start("artemis")
        self.reader().hangs_up()
        ann = self.client()
        ann.sends(b"SEND\ndestination:news\ndestination-type:ANYCAST\n\n1\0")
        ann.sends(b"SEND\ndestination:/queue/news\n\n2\0")
        self.assertEqual([frame.body for frame in self.waits_in("/queue/news")], [b"1", b"2"])
        bob = self.client("client-id:bob\n")
        bob.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/news\ndurable-subscriber-name:d\n\n\0")
        bob.fails("durable subscriptions are to topics")

    def test_one_to_a_pattern_changes_no_name(self) -> None:
        self.start("artemis")
        bob = self.client("client-id:bob\n")
        bob.sends(b"SUBSCRIBE\nid:1\ndestination:/topic/>\ndurable-subscriber-name:d\n\n\0")
        self.send("news")
        self.assertEqual(len(self.waits_in("/queue/news")), 1)

    def test_where_the_settings_say_what_it_is_that_counts(self) -> None:
        self.start("artemis", unprefixed="queue")
        self.reader().fails("durable subscriptions are to topics")

    def test_so_it_is_in_other_dialects(self) -> None:
        self.start("auto")
        self.reader().fails("durable subscriptions are to topics")
