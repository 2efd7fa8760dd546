"""How the broker's objects show themselves to who debugs a program: what they are, and never a secret."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.broker import Broker as BrokerParts
from stomp_tx.broker.destinations.subscription import Subscription, Terms
from stomp_tx.broker.policy import Redelivery
from stomp_tx.broker.session.session import BrokerSession
from tests.conversation import Broker


class ReprTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = Broker()
        self.broker.factory._make_session_id = lambda: "5f01"

    def session(self) -> BrokerSession:
        [session] = self.broker.factory.sessions
        assert isinstance(session, BrokerSession)
        return session

    def test_a_factory(self) -> None:
        self.assertEqual(repr(self.broker.factory), "<StompBrokerFactory MemoryEngine, sessions: 0>")
        self.broker.connect()
        self.assertEqual(repr(self.broker.factory), "<StompBrokerFactory MemoryEngine, sessions: 1>")

    def test_a_session(self) -> None:
        client = self.broker.dial(IPv4Address("TCP", "127.0.0.1", 50234))
        self.assertEqual(repr(self.session()), "<BrokerSession 5f01 CONNECTING 127.0.0.1:50234>")
        client.version = "1.2"
        client.says("CONNECT", {"accept-version": "1.2", "host": "a", "login": "ann", "passcode": "s3cret"})
        session = self.session()
        self.assertEqual(repr(session), "<BrokerSession 5f01 anonymous CONNECTED 127.0.0.1:50234>")
        client.hangs_up()
        self.assertEqual(repr(session), "<BrokerSession 5f01 anonymous CLOSED 127.0.0.1:50234>")

    def test_a_session_without_a_connection(self) -> None:
        parts: BrokerParts = self.broker.factory.broker
        self.assertEqual(repr(BrokerSession(parts, "5f01")), "<BrokerSession 5f01 CONNECTING>")

    def test_who_is_not_known_yet_is_not_named(self) -> None:
        client = self.broker.dial(IPv4Address("TCP", "127.0.0.1", 50234))
        client.says("CONNECT", {"accept-version": "9", "login": "token-of-ann", "passcode": "s3cret"})
        for shown in map(repr, self.broker.factory.sessions):
            self.assertNotIn("ann", shown)
            self.assertNotIn("s3cret", shown)

    def test_destinations_and_their_subscriptions(self) -> None:
        client = self.broker.connect("1.2")
        client.says(
            "SUBSCRIBE", {"id": "1", "destination": "/queue/a", "ack": "client", "prefetch-count": "5"}
        )
        client.says("SUBSCRIBE", {"id": "2\x1b[2J", "destination": "/topic/b"})
        shown = set()
        for one in self.session()._subscriptions:
            shown |= {repr(one), repr(one.destination)}
        self.assertEqual(
            shown,
            {
                "<AckSubscription 1 to /queue/a, ack: client, credit: 5>",
                "<Queue /queue/a, subscriptions: 1>",
                "<AutoSubscription 2\\x1b[2J to /topic/b, ack: auto, credit: 1000>",
                "<Topic /topic/b, subscriptions: 1>",
            },
        )

    def test_a_subscription_to_nothing_yet(self) -> None:
        terms = Terms("1", 7, "auto", 5, Redelivery(0, 0.0, 1.0, 0.0, 0.0))
        self.assertEqual(
            repr(Subscription("1.2", terms, False, [])), "<Subscription 1, ack: auto, credit: 5>"
        )
