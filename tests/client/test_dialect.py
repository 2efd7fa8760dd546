"""What the same call says to each kind of broker."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import ConnectionLost, Retry, StompClient, Subscription
from stomp_tx.client.dialect import DIALECTS, UNKNOWN, any_of, dialect_of, is_temporary
from stomp_tx.client.session.subscriptions import ENDED
from stomp_tx.errors import ConfigurationError, LoginRefused
from stomp_tx.testing import Faults, MemoryBroker, ScriptedBroker

QUEUE = "/queue/a"

OURS, RABBITMQ = "stomp-tx/1.0", "RabbitMQ/3.10.8"
ACTIVEMQ, ARTEMIS = "ActiveMQ/5.17.2", "ActiveMQ-Artemis/2.30.0 ActiveMQ Artemis Messaging Engine"

PREFETCH = {
    OURS: {"prefetch-count": "7"},
    RABBITMQ: {"prefetch-count": "7"},
    ACTIVEMQ: {"activemq.prefetchSize": "7"},
    ARTEMIS: {},
    "": {"prefetch-count": "7", "activemq.prefetchSize": "7"},
}

DURABLE = {
    OURS: {"durable-subscription": "news"},
    RABBITMQ: {"durable": "true", "auto-delete": "false"},
    ACTIVEMQ: {"activemq.subscriptionName": "news"},
    ARTEMIS: {"durable-subscription-name": "news"},
    "": {"durable-subscription-name": "news", "activemq.subscriptionName": "news"},
}

STANDARD = {"id", "destination", "ack", "receipt"}


class WithServer(SynchronousTestCase):
    def connected(
        self, server: str, version: str = "1.2", heart_beat: str = "0,0", **settings: Any
    ) -> tuple[ScriptedBroker, StompClient]:
        broker = ScriptedBroker()
        connecting = broker.accepts(**{"heart_beat_ms": (0, 0), "headers": {"client-id": "ann"}, **settings})
        broker.hears("CONNECT")
        named = {"server": server} if server else {}
        broker.says("CONNECTED", version=version, heart_beat=heart_beat, **named)
        return broker, self.successResultOf(connecting)


class DialectTests(WithServer):
    def more_headers(self, frame: Any) -> dict[str, str]:
        return {name: value for name, value in frame.headers.items() if name not in STANDARD}

    def test_prefetch(self) -> None:
        for server, headers in PREFETCH.items():
            broker, client = self.connected(server)
            client.subscribe("/queue/a", prefetch=7)
            self.assertEqual(self.more_headers(broker.hears("SUBSCRIBE")), headers, server)

    def test_durable(self) -> None:
        for server, headers in DURABLE.items():
            broker, client = self.connected(server)
            subscribing = client.subscribe("/topic/a", prefetch=0, durable="news")
            subscribe = broker.hears("SUBSCRIBE")
            self.assertEqual(self.more_headers(subscribe), headers, server)
            self.assertEqual(subscribe.headers["id"], "news")  # RabbitMQ knows it by that
            broker.answers(subscribe)
            self.successResultOf(subscribing).unsubscribe(forget=True)
            if server == ACTIVEMQ:  # which does not forget one that is in use
                self.assertEqual(self.more_headers(broker.hears("UNSUBSCRIBE")), {})
            self.assertEqual(self.more_headers(broker.hears("UNSUBSCRIBE")), headers, server)

    def test_what_the_user_says_comes_first(self) -> None:
        broker, client = self.connected(OURS)
        client.subscribe("/queue/a", prefetch=7, headers={"prefetch-count": "1"})
        self.assertEqual(broker.hears("SUBSCRIBE").headers["prefetch-count"], "1")

    def test_of_a_broker_that_is_none_of_them(self) -> None:
        for server in (None, "", "Apache Kafka", "activemq/5"):
            self.assertIs(dialect_of(server), UNKNOWN)

    def test_activemq_would_make_a_durable_subscription_for_nobody(self) -> None:
        broker, client = self.connected(ACTIVEMQ, headers={})
        self.failureResultOf(client.subscribe("/topic/a", durable="news"), ConfigurationError)
        self.assertTrue(broker.hears_nothing())
        client.subscribe("/topic/a")
        broker.hears("SUBSCRIBE")

    def test_activemq_may_be_silent_for_two_intervals(self) -> None:
        for server, intervals in ((OURS, 2), (RABBITMQ, 2), (ACTIVEMQ, 4)):
            broker, client = self.connected(server, heart_beat="1000,0", heart_beat_ms=(0, 1000))
            broker.clock.pump([0.1] * (10 * intervals - 1))
            self.assertTrue(client.connected, server)
            broker.clock.pump([0.1] * 2)
            self.assertFalse(client.connected, server)


class RabbitMQTests(WithServer):
    """Where unacknowledged messages stay with the connection when their subscription ends."""

    def subscribed(
        self, version: str = "1.2", **how: Any
    ) -> tuple[ScriptedBroker, StompClient, Subscription]:
        broker, client = self.connected(RABBITMQ, version)
        subscribing = client.subscribe("/queue/a", id="7", **how)
        broker.answers(broker.hears("SUBSCRIBE"))
        return broker, client, self.successResultOf(subscribing)

    def hears_nacks(self, broker: ScriptedBroker, transaction: str, *ids: str) -> None:
        for id in ids:
            headers = dict(broker.hears("NACK").headers)
            self.assertEqual(headers, {"id": id, "transaction": transaction, "requeue": "true"})

    def test_they_are_given_back(self) -> None:
        broker, client, inbox = self.subscribed(ack="client-individual", prefetch=4)
        for number in range(3):
            broker.message("7", message_id=f"m{number}", ack=f"a{number}")
        self.successResultOf(self.successResultOf(inbox.next()).ack())
        broker.hears("ACK")
        leaving = client.unsubscribe(inbox)
        transaction = broker.hears("BEGIN").headers["transaction"]
        self.hears_nacks(broker, transaction, "a1", "a2")
        self.assertTrue(broker.hears_nothing())
        broker.message("7", ack="a3")  # was on its way
        self.hears_nacks(broker, transaction, "a3")
        broker.message("7", ack="a4")  # and with this one there are as many as there may be
        self.hears_nacks(broker, transaction, "a4")
        unsubscribe = broker.hears("UNSUBSCRIBE")
        self.assertEqual(unsubscribe.headers["id"], "7")
        self.assertEqual(broker.hears("COMMIT").headers["transaction"], transaction)
        self.assertNoResult(leaving)
        broker.answers(unsubscribe)
        self.successResultOf(leaving)
        self.assertEqual(broker.clock.getDelayedCalls(), [])

    def test_they_are_given_back_when_no_more_come(self) -> None:
        broker, client, inbox = self.subscribed()
        broker.message("7", ack="a0")
        leaving = client.unsubscribe(inbox, receipt=False)
        transaction = broker.hears("BEGIN").headers["transaction"]
        self.hears_nacks(broker, transaction, "a0")
        broker.clock.advance(0.09)
        broker.message("7", ack="a1")
        self.hears_nacks(broker, transaction, "a1")
        broker.clock.advance(0.09)
        self.assertTrue(broker.hears_nothing())
        self.assertNoResult(leaving)
        broker.clock.advance(0.02)
        broker.hears("UNSUBSCRIBE")
        broker.hears("COMMIT")
        self.successResultOf(leaving)

    def test_it_ends_though_messages_go_on_coming(self) -> None:
        broker, client, inbox = self.subscribed(ack="client-individual", prefetch=0)
        client.unsubscribe(inbox)
        broker.hears("BEGIN")
        for _ in range(39):
            broker.message("7", ack="a")
            broker.hears("NACK")
            broker.clock.advance(0.05)
            self.assertTrue(broker.hears_nothing())
        broker.clock.advance(0.06)
        broker.hears("UNSUBSCRIBE")

    def test_what_a_transaction_has_not_acknowledged_after_all_is_given_back(self) -> None:
        broker, client, inbox = self.subscribed(ack="client-individual")
        broker.message("7", ack="a0")
        message = self.successResultOf(inbox.next())
        transaction = self.successResultOf(client.transaction().begin())
        message.ack(transaction=transaction)
        transaction.abort()
        client.unsubscribe(inbox)
        for command in ("BEGIN", "ACK", "ABORT"):
            broker.hears(command)
        self.hears_nacks(broker, broker.hears("BEGIN").headers["transaction"], "a0")

    def test_a_connection_that_is_lost_meanwhile(self) -> None:
        broker, client, inbox = self.subscribed()
        leaving = client.unsubscribe(inbox)
        broker.hears("BEGIN")
        broker.hangs_up()
        self.failureResultOf(leaving, ConnectionLost)
        self.assertEqual(broker.clock.getDelayedCalls(), [])

    def test_disconnect_waits_for_it(self) -> None:
        broker, client, inbox = self.subscribed()
        leaving = client.unsubscribe(inbox)
        client.disconnect()
        broker.hears("BEGIN")
        self.assertTrue(broker.hears_nothing())
        broker.clock.advance(0.1)
        broker.answers(broker.hears("UNSUBSCRIBE"))
        broker.hears("COMMIT")
        self.successResultOf(leaving)
        broker.hears("DISCONNECT")

    def test_in_1_0_there_is_no_way_to(self) -> None:
        broker, client, inbox = self.subscribed("1.0")
        client.unsubscribe(inbox)
        broker.hears("UNSUBSCRIBE")

    def test_what_is_forgotten_goes_to_nobody(self) -> None:
        broker, client, inbox = self.subscribed(durable="7")
        client.unsubscribe(inbox, forget=True)
        broker.hears("UNSUBSCRIBE")

    def late(self, broker: ScriptedBroker, id: str = "7") -> None:
        tag = f"There is no current subscription with tag 'T_{id}'."
        broker.says("ERROR", body=tag.encode(), message="Subscription not found")

    def test_a_late_message_that_nobody_acknowledges_is_no_error(self) -> None:
        broker, client, inbox = self.subscribed(prefetch=0)
        client.unsubscribe(inbox)
        broker.answers(broker.hears("UNSUBSCRIBE"))
        self.late(broker)
        self.assertTrue(client.connected)
        self.late(broker, "8")
        self.assertFalse(client.connected)

    def test_one_that_is_to_be_acknowledged_goes_to_others_by_the_end_of_the_connection(self) -> None:
        broker, client, inbox = self.subscribed()
        client.unsubscribe(inbox)
        broker.clock.advance(0.1)
        self.late(broker)
        self.assertFalse(client.connected)

    def test_of_which_it_is_not_remembered_for_ever(self) -> None:
        broker, client, _ = self.subscribed(prefetch=0)
        for number in range(ENDED + 1):
            one = client.subscribe("/topic/a", id=f"s{number}", prefetch=0, receipt=False)
            one.addCallback(client.unsubscribe, receipt=False)
        self.late(broker, "s1")
        self.assertTrue(client.connected)
        self.late(broker, "s0")
        self.assertFalse(client.connected)

    def test_other_brokers_do_that_by_themselves(self) -> None:
        for server in (OURS, ACTIVEMQ, ARTEMIS, ""):
            broker, client = self.connected(server)
            subscribing = client.subscribe("/queue/a", id="7", ack="client-individual")
            broker.answers(broker.hears("SUBSCRIBE"))
            broker.message("7", ack="a0")
            client.unsubscribe(self.successResultOf(subscribing))
            broker.hears("UNSUBSCRIBE")
            self.assertTrue(broker.hears_nothing())
            self.late(broker)
            self.assertFalse(client.connected)


class OurBrokerTests(SynchronousTestCase):
    """This project's broker in each dialect: to the client it is always the same one."""

    def test_it_is_known_whatever_it_says_before(self) -> None:
        for dialect, begins in (
            ("auto", "stomp-tx/"),
            ("rabbitmq", "RabbitMQ/3"),
            ("activemq", "ActiveMQ/5"),
            ("artemis", "ActiveMQ-Artemis/2"),
        ):
            client = MemoryBroker(dialect=dialect).client(host="/")
            self.assertTrue(client.headers["server"].startswith(begins), client.headers)
            self.assertIs(dialect_of(client.headers["server"]), dialect_of(OURS))

    def test_others_are_known_by_their_own_names_alone(self) -> None:
        for server in (RABBITMQ, ACTIVEMQ, ARTEMIS):
            self.assertTrue(server.startswith(dialect_of(server).server))

    def test_nothing_lost_and_nothing_twice(self) -> None:
        for dialect in ("auto", "rabbitmq", "activemq", "artemis"):
            broker = MemoryBroker(dialect=dialect)
            broker.run(self.send_through_cuts(broker, Random(1)))
            self.assertEqual(broker.waiting(QUEUE), [b"%d" % number for number in range(100)], dialect)

    async def send_through_cuts(self, broker: MemoryBroker, random: Random) -> None:
        """A hundred messages; each connection is cut somewhere, the broker's answers as well."""
        retry = Retry(initial=0.1, maximum=0.1)
        made = 0

        def faults() -> Faults:
            nonlocal made
            made += 1
            return Faults(cut_after_received=random.randrange(300, 700)) if made < 20 else Faults()

        async with broker.service(faults=faults, window=5, retry=retry, host="/") as service:
            for number in range(100):
                await service.send(QUEUE, f"{number}", receipt=True)
        self.assertGreater(made, 5)

    def test_its_words_work(self) -> None:
        """A durable subscription, a prefetch, an answer."""

        async def story(broker: MemoryBroker) -> None:
            client = broker.client(host="/", headers={"client-id": "ann"})
            how = {"durable": "reader", "ack": "client-individual", "prefetch": 1}
            news = await client.subscribe("/topic/news", **how)
            for number in range(2):
                await client.send("/topic/news", f"{number}", receipt=True)
            for number in range(2):
                async with await news.next() as message:
                    self.assertEqual(message.text(), f"{number}")
            await news.unsubscribe(forget=True)
            await client.respond("/queue/sums", lambda message: sum(message.value()))
            self.assertEqual((await client.request("/queue/sums", [1, 2])).value(), 3)

        for dialect in ("auto", "rabbitmq", "activemq", "artemis"):
            broker = MemoryBroker(dialect=dialect)
            broker.run(story(broker))
            self.assertEqual(broker.engine.bindings, {}, dialect)


class WordsTests(SynchronousTestCase):
    def test_a_broker_without_words_of_its_own_matches_nothing(self) -> None:
        self.assertEqual(any_of(["", "a", "", "b"]), "a|b")
        for one in DIALECTS:
            for words in (one.no_frame, one.stopping, one.not_now):
                self.assertFalse(words and re.match(words, "something else"))
        self.assertFalse(is_temporary(LoginRefused("something else", {}, b"")))

    def test_only_our_broker_shows_what_waits_for_a_durable_subscription_in_whatever_dialect(self) -> None:
        for server in (RABBITMQ, ACTIVEMQ, ARTEMIS, ""):
            self.assertFalse(dialect_of(server).browses_durables)
            self.assertTrue(dialect_of(f"{server} {OURS}").browses_durables)
