"""The dialect of a connection: whose words count, and what is added for whose clients."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx import __version__
from stomp_tx.broker.dialects import DIALECTS
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker, Client


class DialectTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.start()

    def start(self, **settings: Any) -> None:
        self.broker = Broker(**settings)
        self.ann = self.broker.connect()

    def gets(self, sender: Client, receiver: Client, **headers: str) -> dict[str, str]:
        """The headers that one gets of what the other sends."""
        receiver.subscribes("/queue/a")
        sender.says("SEND", destination="/queue/a", **headers)
        message = receiver.hears("MESSAGE")
        receiver.says("UNSUBSCRIBE", id="1")
        return message.headers

    def test_persistent_on_subscribe_makes_it_durable_or_says_nothing(self) -> None:
        for dialect, bindings in (("auto", 1), ("rabbitmq", 1), ("activemq", 0), ("artemis", 0)):
            self.start()
            client = self.broker.connect(dialect=dialect)
            client.subscribes("/topic/t", persistent="true")
            self.assertEqual(len(self.broker.engine.bindings), bindings, dialect)

    def test_what_its_messages_say(self) -> None:
        now = str(1_000_000_000)
        jms = {"timestamp": now, "priority": "4", "expires": "0"}
        for dialect, told in (
            ("auto", {}),
            ("rabbitmq", {}),
            ("activemq", jms),
            ("artemis", {**jms, "persistent": "false"}),
        ):
            headers = self.gets(self.broker.connect(dialect=dialect), self.ann)
            added = {name: headers[name] for name in ("persistent", *jms) if name in headers}
            self.assertEqual(added, told, dialect)

    def test_what_its_producer_says_stays(self) -> None:
        sender = self.broker.connect(dialect="activemq")
        headers = self.gets(sender, self.ann, timestamp="5", priority="7", persistent="true")
        self.assertEqual(
            {name: headers[name] for name in ("timestamp", "priority", "expires", "persistent")},
            {"timestamp": "5", "priority": "7", "expires": "0", "persistent": "true"},
        )

    def test_redelivered_is_said_always_or_when_it_is_so(self) -> None:
        self.start(nack="redeliver")
        for dialect, said in (
            ("auto", None),
            ("activemq", None),
            ("artemis", "false"),
            ("rabbitmq", "false"),
        ):
            for ack in ("auto", "client", "client-individual"):
                client = self.broker.connect(dialect=dialect)
                client.subscribes("/queue/a", ack=ack)
                send(self.ann, "/queue/a", "1")
                message = client.hears("MESSAGE")
                self.assertEqual(message.headers.get("redelivered"), said, dialect)
                if ack != "auto":
                    client.nacks(message)
                    self.broker.clock.advance(1)
                    again = client.hears("MESSAGE")
                    self.assertEqual(again.headers["redelivered"], "true")
                    client.acks(again)
                client.hangs_up()

    def test_it_may_be_the_broker_s_or_the_port_s_or_the_connection_s(self) -> None:
        def says_redelivered(client: Client) -> bool:
            client.subscribes("/queue/a")
            send(self.ann, "/queue/a", "1")
            message = client.hears("MESSAGE")
            client.hangs_up()
            return "redelivered" in message.headers

        self.assertFalse(says_redelivered(self.broker.connect()))
        self.assertTrue(says_redelivered(self.broker.connect(dialect="rabbitmq")))
        self.start(dialect="rabbitmq")
        self.assertTrue(says_redelivered(self.broker.connect()))
        self.assertFalse(says_redelivered(self.broker.connect(dialect="activemq")))
        port = self.broker.factory.speaking("auto")
        protocol: Any = port.buildProtocol(None)
        self.assertIs(protocol.receiver._dialect, DIALECTS["auto"])

    def test_streams_are_refused(self) -> None:
        for headers in (
            {"x-stream-offset": "first"},
            {"x-stream-filter": "a"},
            {"x-queue-type": "stream"},
            {"from-seq": "7"},
        ):
            client = self.broker.connect(dialect="rabbitmq")
            client.says("SUBSCRIBE", {"id": "1", "destination": "/queue/a", **headers})
            client.fails("is not supported")

    def test_an_unknown_one_is_refused(self) -> None:
        client = self.broker.dial()
        client.says("CONNECT", {"accept-version": "1.2", "host": "x", "dialect": "klingon"})
        self.assertIn(b"auto, activemq, artemis, rabbitmq", client.fails("unknown dialect").body)


class NameTests(SynchronousTestCase):
    """The same queue or topic by many names."""

    def test_a_name_without_prefix_is_what_its_type_says(self) -> None:
        broker = Broker()
        client = broker.connect()
        client.subscribes("a", id="1", subscription_type="ANYCAST")
        client.subscribes("a", id="2", subscription_type="MULTICAST")
        for type, subscription in (("ANYCAST", "1"), ("MULTICAST", "2"), ("ANYCAST", "1")):
            client.says("SEND", destination="a", destination_type=type)
            message = client.hears("MESSAGE")
            self.assertEqual(message.headers["subscription"], subscription)
        client.says("SEND", destination="a")
        self.assertEqual(client.hears("MESSAGE").headers["subscription"], "1")
        for destination, type, summary in (
            ("a", "anycast", "unknown destination type"),
            ("/queue/a", "MULTICAST", "another type"),
            ("/topic/a", "ANYCAST", "another type"),
        ):
            client = broker.connect()
            client.says("SEND", destination=destination, destination_type=type)
            client.fails(summary)

    def test_other_brokers_prefixes(self) -> None:
        broker = Broker(queue_prefixes=("jms.queue.", "queue://"), topic_prefixes=("jms.topic.",))
        client = broker.connect()
        client.subscribes("/queue/a", id="q")
        client.subscribes("/topic/a", id="t")
        for name, subscription in (
            ("jms.queue.a", "q"),
            ("queue://a", "q"),
            ("/amq/queue/a", "q"),
            ("a", "q"),
            ("jms.topic.a", "t"),
            ("/exchange/amq.topic/a", "t"),
        ):
            client.says("SEND", destination=name)
            message = client.hears("MESSAGE")
            self.assertEqual(message.headers["subscription"], subscription, name)
            self.assertEqual(message.headers["destination"], name)
        client.says("SEND", destination="/exchange/logs/x")
        client.fails("no such exchange")


class ServerTests(SynchronousTestCase):
    """What CONNECTED says the broker is: clients choose their ways by how it begins."""

    def server(self, headers: bytes = b"", **settings: Any) -> str | None:
        client = Broker(**settings).dial()
        client.sends(b"CONNECT\naccept-version:1.2\nhost:/\n%b\n\0" % headers)
        return client.hears("CONNECTED").headers.get("server")

    def test_the_dialect_s_broker_comes_first_and_we_in_a_comment(self) -> None:
        for dialect, server in (
            ("auto", f"stomp-tx/{__version__}"),
            ("activemq", f"ActiveMQ/5.17.2 stomp-tx/{__version__}"),
            (
                "artemis",
                f"ActiveMQ-Artemis/2.44.0 ActiveMQ Artemis Messaging Engine stomp-tx/{__version__}",
            ),
            ("rabbitmq", f"RabbitMQ/3.10.8 stomp-tx/{__version__}"),
        ):
            self.assertEqual(self.server(dialect=dialect), server)
            self.assertEqual(self.server(b"dialect:%b\n" % dialect.encode()), server)

    def test_the_settings_may_say_something_else_or_nothing(self) -> None:
        self.assertEqual(self.server(dialect="rabbitmq", server="mine/1"), "mine/1")
        self.assertIsNone(self.server(dialect="rabbitmq", server=""))
