"""How many octets a subscription may hold unacknowledged, in Artemis' and Apollo's words, and by policy."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker, Client

BODY = "x" * 1000
"""With what keeping it costs a message counts for some 2,000 octets."""


class WindowTests(SynchronousTestCase):
    def start(self, **policy: Any) -> None:
        self.broker = Broker(patterns={"/queue/a": Policy(**policy)})
        self.ann = self.broker.connect()

    def consumer(
        self,
        ack: str = "client-individual",
        destination: str = "/queue/a",
        dialect: str = "auto",
        **headers: str,
    ) -> Client:
        client = self.broker.connect(dialect=dialect)
        client.says("SUBSCRIBE", {"id": "1", "destination": destination, "ack": ack, **headers})
        return client

    def test_what_it_holds_stays_within_the_window(self) -> None:
        for dialect, headers in (
            ("auto", {"consumer-window-size": "5000"}),
            ("artemis", {"activemq.prefetchSize": "5000"}),
            ("auto", {"credit": "100,5000"}),
        ):
            for ack in ("client", "client-individual"):
                self.start()
                send(self.ann, "/queue/a", *[BODY] * 10)
                client = self.consumer(ack, dialect=dialect, **headers)
                seen = 0
                while messages := client.everything():
                    self.assertLessEqual(len(messages), 3)
                    seen += len(messages)
                    for message in messages:
                        client.acks(message)
                self.assertEqual(seen, 10)
                self.assertEqual(self.broker.engine.octets, 0)

    def test_the_policy_says_what_subscribe_does_not(self) -> None:
        self.start(prefetch_octets=5000)
        send(self.ann, "/queue/a", *[BODY] * 10)
        self.assertEqual(len(self.consumer().everything()), 3)
        self.assertEqual(len(self.consumer(**{"consumer-window-size": "-1"}).everything()), 7)

    def test_none_is_one_at_a_time(self) -> None:
        self.start()
        send(self.ann, "/queue/a", "1", "2")
        client = self.consumer(**{"consumer-window-size": "0"})
        client.acks(client.hears("MESSAGE"))
        self.assertEqual(client.hears("MESSAGE").body, b"2")

    def test_the_number_of_messages_counts_too(self) -> None:
        self.start()
        send(self.ann, "/queue/a", *[BODY] * 10)
        client = self.consumer(**{"consumer-window-size": "5000", "prefetch-count": "2"})
        self.assertEqual(len(client.everything()), 2)
        self.assertEqual(len(self.consumer(credit="4,1000000").everything()), 4)

    def test_in_activemq_s_words_it_is_messages(self) -> None:
        for dialect in ("auto", "activemq"):
            self.start()
            send(self.ann, "/queue/a", *[BODY] * 10)
            client = self.consumer(dialect=dialect, **{"activemq.prefetchSize": "5"})
            self.assertEqual(len(client.everything()), 5)

    def test_refused_ones_and_aborted_acknowledgements(self) -> None:
        self.start()
        send(self.ann, "/queue/a", *[BODY] * 4)
        client = self.consumer(**{"consumer-window-size": "2500"})
        first, second = client.everything()
        client.says("BEGIN", transaction="t")
        client.acks(first, transaction="t")
        self.assertEqual(len(client.everything()), 1)
        client.says("ABORT", transaction="t")
        client.nacks(second)
        self.assertTrue(client.hears_nothing())
        client.acks(first)
        self.broker.clock.advance(1)
        self.assertEqual(len(client.everything()), 1)

    def test_topics_have_windows_too(self) -> None:
        self.start()
        client = self.consumer(destination="/topic/t", **{"consumer-window-size": "5000"})
        send(self.ann, "/topic/t", *[BODY] * 10)
        seen = 0
        while messages := client.everything():
            self.assertLessEqual(len(messages), 3)
            seen += len(messages)
            for message in messages:
                client.acks(message)
        self.assertEqual(seen, 10)

    def test_what_is_no_number_is_refused(self) -> None:
        self.start()
        for name, value in (
            ("consumer-window-size", "big"),
            ("credit", "x"),
            ("credit", "1,y"),
            ("credit", ""),
        ):
            self.consumer(**{name: value}).fails(f"malformed {name}")
