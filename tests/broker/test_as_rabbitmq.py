"""The dialect rabbitmq: what RabbitMQ's clients write, octet by octet, is understood or refused as there."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Broker, Client

CONNECT = b"CONNECT\naccept-version:%b\nhost:/\n\n\0"


class AsRabbitMQ(SynchronousTestCase):
    def setUp(self) -> None:
        self.start()

    def start(self, **settings: Any) -> None:
        self.broker = Broker(**{"dialect": "rabbitmq", **settings})

    def client(self, version: str = "1.2") -> Client:
        client = self.broker.dial()
        client.version = version
        client.sends(CONNECT % version.encode())
        self.assertEqual(client.hears("CONNECTED").headers["version"], version)
        return client

    def send(self, destination: str = "/queue/a", body: str = "hi") -> None:
        self.client().sends(f"SEND\ndestination:{destination}\n\n{body}\0".encode())


class NackTests(AsRabbitMQ):
    def refuses(self, version: str, subscribe: bytes) -> Client:
        """One who has got a message and refused it, naming it by its message-id alone."""
        client = self.client(version)
        client.sends(subscribe)
        self.send()
        message = client.hears("MESSAGE")
        client.sends(b"NACK\nmessage-id:%b\n\n\0" % message.headers["message-id"].encode())
        return client

    def test_in_1_0(self) -> None:
        client = self.refuses("1.0", b"SUBSCRIBE\ndestination:/queue/a\nack:client\n\n\0")
        self.broker.clock.advance(1)
        self.assertEqual(client.hears("MESSAGE").headers["redelivered"], "true")

    def test_in_1_1_without_the_subscription(self) -> None:
        for ack in (b"client", b"client-individual"):
            self.start()
            subscribe = b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:%b\n\n\0" % ack
            client = self.refuses("1.1", subscribe)
            self.broker.clock.advance(1)
            self.assertEqual(client.hears("MESSAGE").headers["redelivered"], "true")

    def test_other_dialects_have_none_of_it(self) -> None:
        for dialect in ("auto", "activemq", "artemis"):
            self.start(dialect=dialect)
            self.refuses("1.0", b"SUBSCRIBE\ndestination:/queue/a\nack:client\n\n\0").fails("1.0 has no NACK")
            self.start(dialect=dialect)
            client = self.refuses("1.1", b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\0")
            client.fails("subscription header missing")

    def test_an_ack_of_1_1_with_and_without_the_subscription(self) -> None:
        client = self.client("1.1")
        client.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0")
        for more in (b"", b"\nsubscription:1"):
            self.send()
            name = client.hears("MESSAGE").headers["message-id"].encode()
            client.sends(b"ACK\nreceipt:r\nmessage-id:%b%b\n\n\0" % (name, more))
            client.hears("RECEIPT")
        client.hangs_up()
        later = self.client()
        later.subscribes("/queue/a")
        self.assertTrue(later.hears_nothing())

    def test_a_message_of_a_topic_is_named_once_for_each_subscription(self) -> None:
        client = self.client("1.1")
        for id in (b"1", b"2"):
            client.sends(b"SUBSCRIBE\nid:%b\ndestination:/topic/t\nack:client\n\n\0" % id)
        self.send("/topic/t")
        names = [client.hears("MESSAGE").headers["message-id"] for _ in "12"]
        self.assertEqual(len(set(names)), 2)
        for name in names:
            client.sends(b"ACK\nreceipt:r\nmessage-id:%b\n\n\0" % name.encode())
            client.hears("RECEIPT")


class SubscribeTests(AsRabbitMQ):
    def test_without_an_id(self) -> None:
        """Each MESSAGE needs a subscription: it gets RabbitMQ's own name for one without an id."""
        for version in ("1.1", "1.2"):
            client = self.client(version)
            client.sends(b"SUBSCRIBE\ndestination:/queue/a\nack:client\n\n\0")
            self.send()
            message = client.hears("MESSAGE")
            self.assertEqual(message.headers["subscription"], "Q_/queue/a")
            client.acks(message)
            client.sends(b"UNSUBSCRIBE\nreceipt:r\ndestination:/queue/a\n\n\0")
            client.hears("RECEIPT")
            client.sends(b"SUBSCRIBE\nreceipt:r\ndestination:/queue/a\n\n\0")
            client.hears("RECEIPT")
            client.sends(b"SUBSCRIBE\ndestination:/queue/a\n\n\0")
            client.fails("subscription exists already")
            client.hangs_up()

    def test_in_1_0_it_has_none_as_ever(self) -> None:
        client = self.client("1.0")
        client.sends(b"SUBSCRIBE\ndestination:/queue/a\n\n\0")
        self.send()
        self.assertNotIn("subscription", client.hears("MESSAGE").headers)

    def test_nobody_can_have_that_id_besides(self) -> None:
        client = self.client()
        client.sends(b"SUBSCRIBE\nid:Q_/queue/a\ndestination:/queue/b\n\n\0")
        client.sends(b"SUBSCRIBE\ndestination:/queue/a\n\n\0")
        client.fails("subscription exists already")

    def test_a_durable_one_needs_an_id_of_its_client_s(self) -> None:
        client = self.client()
        client.sends(b"SUBSCRIBE\ndestination:/topic/a\ndurable:true\nauto-delete:false\n\n\0")
        client.fails("id header missing")

    def test_unsubscribe_names_something(self) -> None:
        client = self.client()
        client.sends(b"UNSUBSCRIBE\n\n\0")
        client.fails("id header missing")

    def test_in_other_dialects_an_id_is_needed(self) -> None:
        for dialect in ("auto", "activemq", "artemis"):
            self.start(dialect=dialect)
            client = self.client()
            client.sends(b"SUBSCRIBE\ndestination:/queue/a\n\n\0")
            client.fails("id header missing")


class NameTests(AsRabbitMQ):
    def refused(self, destination: str, summary: str) -> bytes:
        """What is said of it, to who subscribes and to who sends."""
        for command in ("SUBSCRIBE\nid:1", "SEND"):
            client = self.client()
            client.sends(f"{command}\ndestination:{destination}\n\n\0".encode())
            body: bytes = client.fails(summary).body
        return body

    def test_slashes_are_refused(self) -> None:
        for name in ("/queue/a/b", "/topic/a/b", "/queue//a", "/queue/a/", "/amq/queue/a/b", "/queue/a,b/c"):
            self.assertIn(b"%2F", self.refused(name, "slash in a name"))

    def test_2f_is_one(self) -> None:
        """The queue is the one that clients of other dialects write with the slash."""
        for kind in ("queue", "topic"):
            client = self.client()
            client.subscribes(f"/{kind}/a%2Fb")
            other = self.broker.connect(dialect="auto")
            other.subscribes(f"/{kind}/x/y")
            other.sends(f"SEND\ndestination:/{kind}/a/b\n\n1\0".encode())
            self.assertEqual(client.hears_bodies(), [b"1"])
            client.sends(f"SEND\ndestination:/{kind}/x%2Fy\n\n2\0".encode())
            message = other.hears("MESSAGE")
            self.assertEqual((message.body, message.headers["destination"]), (b"2", f"/{kind}/x%2Fy"))

    def test_elsewhere_it_is_three_characters(self) -> None:
        self.start(dialect="auto")
        client = self.client()
        client.subscribes("/queue/a/b")
        client.subscribes("/queue/a%2Fb", id="2")
        client.sends(b"SEND\ndestination:/queue/a%2Fb\n\n\0")
        self.assertEqual(client.hears("MESSAGE").headers["subscription"], "2")

    def test_unknown_prefixes_are_refused(self) -> None:
        for name in ("a", "/a", "/queues/a", "queue/a", "jms.queue.a", "/dsub/a"):
            self.refused(name, "unknown destination")

    def test_so_are_names_that_are_none(self) -> None:
        for name in ("/queue/", "/topic/", "/queue", "/topic", "/amq/queue/", "/exchange/amq.topic/"):
            self.refused(name, "destination has no name")

    def test_the_settings_may_say_otherwise(self) -> None:
        self.start(unprefixed="queue", queue_prefixes=("jms.queue.",))
        client = self.client()
        client.subscribes("/queue/a")
        for name in (b"a", b"jms.queue.a"):
            client.sends(b"SEND\ndestination:%b\n\n\0" % name)
            self.assertEqual(client.hears("MESSAGE").headers["destination"], name.decode())

    def test_a_token_is_still_sent_to_its_destination(self) -> None:
        client = self.client()
        client.sends(b"SEND\ndestination:/session/token\n\nabc\0")
        client.fails("nothing to renew")


class HostTests(AsRabbitMQ):
    def connects(self, headers: bytes) -> Client:
        client = self.broker.dial()
        client.sends(b"CONNECT\naccept-version:1.2\n%b\n\0" % headers)
        return client

    def test_the_default_one_is_slash_or_none(self) -> None:
        for headers in (b"", b"host:/\n", b"host:\n"):
            self.connects(headers).hears("CONNECTED")

    def test_an_unknown_one_is_refused(self) -> None:
        error = self.connects(b"host:localhost\n").fails("no such virtual host")
        self.assertIn(b"host:/ is", error.body)

    def test_those_of_the_settings_are_known(self) -> None:
        self.start(hosts=("shop",))
        self.connects(b"host:shop\n").hears("CONNECTED")

    def test_the_settings_may_say_otherwise(self) -> None:
        self.start(unknown_host="default")
        self.connects(b"host:localhost\n").hears("CONNECTED")

    def test_it_may_be_the_connection_that_is_of_this_dialect(self) -> None:
        self.start(dialect="auto")
        self.connects(b"host:localhost\n").hears("CONNECTED")
        self.connects(b"host:localhost\ndialect:rabbitmq\n").fails("no such virtual host")


class SendTests(AsRabbitMQ):
    def test_a_message_id_is_refused(self) -> None:
        for more in (b"", b"\npersistent:true", b"\nreceipt:1", b"\ntransaction:t"):
            client = self.client()
            client.sends(b"BEGIN\ntransaction:t\n\n\0")
            client.sends(b"SEND\ndestination:/queue/a\nmessage-id:7%b\n\n\0" % more)
            self.assertIn(b"message-id", client.fails("not allowed on SEND").body)

    def test_elsewhere_it_is_left_out(self) -> None:
        for more, persistent in ((b"", None), (b"\npersistent:true", "true")):
            self.start(dialect="auto")
            client = self.client()
            client.subscribes("/queue/a")
            client.sends(b"SEND\ndestination:/queue/a\nmessage-id:7%b\n\n\0" % more)
            headers = client.hears("MESSAGE").headers
            self.assertNotEqual(headers["message-id"], "7")
            self.assertEqual(headers.get("persistent"), persistent)


class ReceiptsTests(AsRabbitMQ):
    """Those of SENDs in a transaction."""

    def begins(self) -> Client:
        client = self.client()
        client.sends(b"BEGIN\ntransaction:t\n\n\0")
        for number in (b"1", b"2"):
            client.sends(b"SEND\ndestination:/queue/a\ntransaction:t\nreceipt:%b\n\n\0" % number)
        self.assertTrue(client.hears_nothing())
        return client

    def receipts(self, client: Client) -> list[str]:
        return [frame.headers["receipt-id"] for frame in client.everything() if frame.command == "RECEIPT"]

    def test_they_come_at_commit_and_before_its_own(self) -> None:
        client = self.begins()
        client.sends(b"COMMIT\ntransaction:t\nreceipt:3\n\n\0")
        self.assertEqual(self.receipts(client), ["1", "2", "3"])

    def test_after_abort_never(self) -> None:
        client = self.begins()
        client.sends(b"ABORT\ntransaction:t\nreceipt:3\n\n\0")
        client.sends(b"DISCONNECT\nreceipt:4\n\n\0")
        self.assertEqual(self.receipts(client), ["3", "4"])

    def test_nor_when_the_client_leaves(self) -> None:
        client = self.begins()
        client.sends(b"DISCONNECT\nreceipt:4\n\n\0")
        self.assertEqual(self.receipts(client), ["4"])

    def test_nor_when_commit_is_refused(self) -> None:
        self.start(length=1, overflow="reject")
        client = self.begins()
        client.sends(b"COMMIT\ntransaction:t\nreceipt:3\n\n\0")
        self.assertEqual(client.fails("queue full").headers["receipt-id"], "3")

    def test_one_of_an_ack_comes_at_once(self) -> None:
        self.send()
        client = self.client()
        client.subscribes("/queue/a", ack="client")
        message = client.hears("MESSAGE")
        client.sends(b"BEGIN\ntransaction:t\n\n\0")
        client.acks(message, transaction="t", receipt="r")
        self.assertEqual(self.receipts(client), ["r"])

    def test_in_other_dialects_they_come_at_once(self) -> None:
        for dialect in ("auto", "activemq", "artemis"):
            self.start(dialect=dialect)
            client = self.client()
            client.sends(b"BEGIN\ntransaction:t\n\n\0")
            client.sends(b"SEND\ndestination:/queue/a\ntransaction:t\nreceipt:1\n\n\0")
            self.assertEqual(self.receipts(client), ["1"])
