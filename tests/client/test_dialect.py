"""What the same call says to each kind of broker."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import StompClient
from stomp_tx.client.dialect import UNKNOWN, dialect_of
from stomp_tx.testing import ScriptedBroker

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


class DialectTests(SynchronousTestCase):
    def connected(self, server: str) -> tuple[ScriptedBroker, StompClient]:
        broker = ScriptedBroker()
        connecting = broker.accepts(heart_beat_ms=(0, 0))
        broker.hears("CONNECT")
        broker.says("CONNECTED", version="1.2", **({"server": server} if server else {}))
        return broker, self.successResultOf(connecting)

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
            self.assertEqual(self.more_headers(broker.hears("UNSUBSCRIBE")), headers, server)

    def test_what_the_user_says_comes_first(self) -> None:
        broker, client = self.connected(OURS)
        client.subscribe("/queue/a", prefetch=7, headers={"prefetch-count": "1"})
        self.assertEqual(broker.hears("SUBSCRIBE").headers["prefetch-count"], "1")

    def test_of_a_broker_that_is_none_of_them(self) -> None:
        for server in (None, "", "Apache Kafka", "activemq/5"):
            self.assertIs(dialect_of(server), UNKNOWN)
