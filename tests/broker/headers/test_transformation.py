"""ActiveMQ's ``transformation``: the broker knows no objects of JMS, and passes bodies on as they are."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Broker

ALL = (
    *("jms-byte", "jms-text", "jms-xml", "jms-json", "jms-object-xml", "jms-object-json"),
    *("jms-map-xml", "jms-map-json", "jms-advisory-xml", "jms-advisory-json", "no-such"),
)


class TransformationTests(SynchronousTestCase):
    def test_the_header_and_the_body_arrive_as_they_were_sent(self) -> None:
        """stomp-php knows a map by the header, and its body is the map as JSON."""
        body = b'{"city": "Belgrade", "name": "Dejan"}'
        for dialect in ("auto", "activemq", "artemis", "rabbitmq"):
            broker = Broker(dialect=dialect)
            for one in ALL:
                for asked in (b"", b"transformation:%b\n" % one.encode(), b"transformation:jms-map-xml\n"):
                    client = broker.connect()
                    client.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n%b\n\0" % asked)
                    sent = b"SEND\ndestination:/queue/a\ntransformation:%b\n\n%b\0" % (one.encode(), body)
                    client.sends(sent)
                    message = client.hears("MESSAGE")
                    self.assertEqual((message.headers["transformation"], message.body), (one, body))
                    client.hangs_up()

    def test_nobody_is_told_of_one_that_was_not_made(self) -> None:
        client = Broker(dialect="activemq").connect()
        client.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/a\ntransformation:jms-json\n\n\0")
        client.sends(b"SEND\ndestination:/queue/a\n\nplain\0")
        message = client.hears("MESSAGE")
        self.assertNotIn("transformation", message.headers)
        self.assertEqual(message.body, b"plain")

    def test_that_nothing_is_transformed_is_logged_once(self) -> None:
        logged: list[Any] = []
        broker = Broker(factory={"log": Logger(namespace="test", observer=logged.append)})
        for _ in range(3):
            client = broker.connect()
            client.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/a\ntransformation:jms-object-json\n\n\0")
            client.sends(b"SEND\ndestination:/queue/a\ntransformation:jms-json\n\nhi\0")
        lines = [text for text in map(formatEvent, logged) if text is not None and "transformation" in text]
        self.assertEqual(len(lines), 1)
        self.assertIn("bodies are passed on as their producers wrote them", lines[0])
