"""What the public manuals of the other brokers show of STOMP, said again in our own words.

Each test is what a client written by such a manual would send; it must not need another word here.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Broker, Client


class Conversations(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = Broker()

    def client(self, version: str = "1.2", **headers: str) -> Client:
        return self.broker.connect(version, **headers)


class ActiveMQTests(Conversations):
    """activemq.apache.org, "Stomp"."""

    def test_a_first_conversation(self) -> None:
        client = self.broker.dial()
        client.version = "1.0"
        client.sends(b"CONNECT\nlogin: ann\npasscode: secret\n\n\0\n")
        client.hears("CONNECTED")
        client.sends(b"SUBSCRIBE\ndestination: /queue/a\nack: client\n\n\0\n")
        client.sends(b"SEND\ndestination:/queue/a\nreceipt:message-12345\n\nHello a!\0\n")
        frames = {frame.command: frame for frame in client.everything()}
        self.assertEqual(frames["RECEIPT"].headers["receipt-id"], "message-12345")
        message = frames["MESSAGE"]
        self.assertEqual(message.body, b"Hello a!")
        client.sends(b"ACK\nmessage-id:%b\n\n\0\n" % message.headers["message-id"].encode())
        client.sends(b"DISCONNECT\n\n\0\n")
        self.assertTrue(client.is_closed)

    def test_its_extensions_of_send_and_subscribe(self) -> None:
        client = self.client("1.1")
        client.says(
            "SUBSCRIBE",
            {
                "id": "1",
                "destination": "/queue/orders",
                "ack": "client-individual",
                "selector": "region = 'eu' AND JMSPriority > 5",
                "activemq.prefetchSize": "1",
                "activemq.dispatchAsync": "true",
                "activemq.exclusive": "true",
                "activemq.priority": "10",
                "activemq.retroactive": "false",
            },
        )
        common = {"destination": "/queue/orders", "correlation-id": "7", "type": "order", "expires": "0"}
        for region, priority in (("us", "9"), ("eu", "3"), ("eu", "9")):
            client.says("SEND", {**common, "region": region, "priority": priority, "persistent": "true"})
        (message,) = client.everything()
        self.assertEqual((message.headers["region"], message.headers["priority"]), ("eu", "9"))
        self.assertEqual(message.headers["correlation-id"], "7")

    def test_durable_subscriptions(self) -> None:
        first = self.client("1.1", client_id="me")
        named = {"activemq.subscriptionName": "news", "id": "1", "destination": "/topic/news"}
        first.says("SUBSCRIBE", named)
        first.says("DISCONNECT", receipt="bye")
        first.hears("RECEIPT")
        self.client().says("SEND", destination="/topic/news", body=b"while you were away")
        second = self.client("1.1", client_id="me")
        second.says("SUBSCRIBE", named)
        self.assertEqual(second.hears_bodies(), [b"while you were away"])
        second.says("UNSUBSCRIBE", id="1")
        second.says("UNSUBSCRIBE", {"id": "1", "activemq.subscriptionName": "news"}, receipt="gone")
        second.hears("RECEIPT")

    def test_wildcards_and_composites(self) -> None:
        client = self.client("1.1")
        client.subscribes("/topic/PRICE.STOCK.>", id="all")
        client.subscribes("/topic/PRICE.STOCK.*.IBM", id="ibm")
        client.says("SEND", destination="/topic/PRICE.STOCK.NYSE.IBM,/queue/audit", body=b"12")
        subscriptions = {message.headers["subscription"] for message in client.everything()}
        self.assertEqual(subscriptions, {"all", "ibm"})
        client.subscribes("/queue/audit", id="audit")
        self.assertEqual(client.hears("MESSAGE").body, b"12")

    def test_a_delay_and_a_crontab(self) -> None:
        self.broker.factory.doStart()
        client = self.client()
        client.subscribes("/queue/a")
        client.says("SEND", {"destination": "/queue/a", "AMQ_SCHEDULED_DELAY": "60000"}, b"later")
        client.says("SEND", {"destination": "/queue/a", "AMQ_SCHEDULED_CRON": "0 * * * *"}, b"hourly")
        self.assertTrue(client.hears_nothing())
        self.broker.clock.pump([1.0] * 3700)
        self.assertCountEqual(set(client.hears_bodies()), {b"later", b"hourly"})
        self.broker.factory.doStop()


class ArtemisTests(Conversations):
    """The chapter "Stomp" of Artemis' manual."""

    def test_routing_types(self) -> None:
        client = self.client()
        client.says("SUBSCRIBE", {"id": "q", "destination": "foo", "subscription-type": "ANYCAST"})
        client.says("SUBSCRIBE", {"id": "t", "destination": "foo", "subscription-type": "MULTICAST"})
        client.says("SEND", {"destination": "foo", "destination-type": "MULTICAST"}, b"to all")
        client.says("SEND", {"destination": "foo", "destination-type": "ANYCAST"}, b"to one")
        heard = [(message.headers["subscription"], message.body) for message in client.everything()]
        self.assertEqual(heard, [("t", b"to all"), ("q", b"to one")])

    def test_durable_subscriptions(self) -> None:
        client = self.client(client_id="myclientid")
        client.says("SUBSCRIBE", {"id": "1", "destination": "/topic/foo", "durable-subscription-name": "sub"})
        client.says("DISCONNECT")
        self.client().says("SEND", destination="/topic/foo", body=b"kept")
        client = self.client(client_id="myclientid")
        client.says("SUBSCRIBE", {"id": "1", "destination": "/topic/foo", "durable-subscription-name": "sub"})
        self.assertEqual(client.hears_bodies(), [b"kept"])

    def test_a_queue_of_an_address_and_a_window(self) -> None:
        client = self.client()
        named = {"id": "1", "destination": "/topic/foo::bar", "ack": "client", "consumer-window-size": "0"}
        client.says("SUBSCRIBE", {**named, "no-local": "false"})
        for body in (b"1", b"2"):
            client.says("SEND", destination="/topic/foo", body=body)
        message = client.hears("MESSAGE")
        self.assertTrue(client.hears_nothing())
        client.acks(message)
        self.assertEqual(client.hears("MESSAGE").body, b"2")

    def test_duplicates(self) -> None:
        client = self.client()
        for body in (b"1", b"2"):
            client.says("SEND", {"destination": "/queue/a", "_AMQ_DUPL_ID": "x"}, body)
        client.subscribes("/queue/a")
        self.assertEqual(client.hears_bodies(), [b"1"])


class RabbitMQTests(Conversations):
    """rabbitmq.com, "STOMP Plugin"."""

    def test_topics_by_key(self) -> None:
        client = self.client()
        client.subscribes("/topic/event.#", id="1")
        client.subscribes("/exchange/amq.topic/event.*", id="2")
        client.says("SEND", destination="/topic/event.log.error", body=b"1")
        client.says("SEND", destination="/exchange/amq.topic/event.x", body=b"2")
        heard = [(message.headers["subscription"], message.body) for message in client.everything()]
        self.assertCountEqual(heard, [("1", b"1"), ("1", b"2"), ("2", b"2")])

    def test_durable_topic_subscriptions(self) -> None:
        headers = {
            "destination": "/topic/d",
            "id": "1234",
            "durable": "true",
            "auto-delete": "false",
        }
        client = self.client()
        client.says("SUBSCRIBE", headers)
        client.says("DISCONNECT")
        self.client().says("SEND", destination="/topic/d", persistent="true", body=b"kept")
        client = self.client()
        client.says("SUBSCRIBE", headers)
        self.assertEqual(client.hears_bodies(), [b"kept"])
        client.says("UNSUBSCRIBE", id="1234", durable="true", receipt="gone")
        client.hears("RECEIPT")

    def test_a_named_queue_of_a_topic(self) -> None:
        headers = {"destination": "/topic/alarms", "id": "1", "x-queue-name": "my-alarms-queue"}
        workers = [self.client(), self.client()]
        for worker in workers:
            worker.says("SUBSCRIBE", headers)
        for number in range(4):
            workers[0].says("SEND", destination="/topic/alarms", body=b"%d" % number)
        self.assertEqual([len(worker.everything()) for worker in workers], [2, 2])

    def test_a_call_with_an_answer(self) -> None:
        server = self.client()
        server.subscribes("/queue/reply-test")
        client = self.client()
        client.says("SEND", {"destination": "/queue/reply-test", "reply-to": "/temp-queue/foo"}, b"Hello?")
        call = server.hears("MESSAGE")
        server.says("SEND", destination=call.headers["reply-to"], body=b"Hello!")
        answer = client.hears("MESSAGE")
        self.assertEqual((answer.headers["subscription"], answer.body), ("/temp-queue/foo", b"Hello!"))

    def test_prefetch_and_a_refusal_for_good(self) -> None:
        client = self.client()
        client.subscribes("/queue/a", ack="client-individual", prefetch_count="1", x_priority="5")
        for body in (b"1", b"2"):
            client.says("SEND", destination="/queue/a", body=body, persistent="true", expiration="60000")
        (message,) = client.everything()
        client.nacks(message, requeue="false")
        self.assertEqual(client.hears("MESSAGE").body, b"2")

    def test_the_queue_of_another_protocol(self) -> None:
        client = self.client()
        client.subscribes("/amq/queue/shared", id="1")
        client.says("SEND", destination="/queue/shared", body=b"1")
        self.assertEqual(client.hears_bodies(), [b"1"])


class ApolloTests(Conversations):
    """Apollo's "Stomp Protocol Manual"."""

    def test_browsing_and_credit(self) -> None:
        client = self.client("1.1")
        for number in range(3):
            client.says("SEND", destination="/queue/foo", body=b"%d" % number, ttl="60000")
        client.subscribes("/queue/foo", id="look", browser="true")
        self.assertEqual([frame.body for frame in client.everything()], [b"0", b"1", b"2", b""])
        client.subscribes("/queue/foo", id="take", ack="client", credit="2,65536", exclusive="true")
        self.assertEqual(len(client.everything()), 2)

    def test_groups_and_retained_messages(self) -> None:
        clients = [self.client("1.1"), self.client("1.1")]
        for client in clients:
            client.subscribes("/queue/foo")
        for number in range(6):
            headers = {"destination": "/queue/foo", "message_group": "hiram"}
            clients[0].says("SEND", headers, b"%d" % number)
        self.assertCountEqual([len(client.everything()) for client in clients], [6, 0])
        clients[0].says("SEND", destination="/topic/stock", retain="set", body=b"12")
        clients[1].subscribes("/topic/stock", id="2")
        self.assertEqual(clients[1].hears_bodies(), [b"12"])
