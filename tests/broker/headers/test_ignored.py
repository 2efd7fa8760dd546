"""broker/headers/ignored.py: headers that look as if they mean something, and do nothing here."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import HeaderUnknown
from stomp_tx.broker.headers import subscribe
from stomp_tx.broker.headers.ignored import MOST, IgnoredHeaders
from stomp_tx.wire import booleans
from tests.conversation import Broker


class ForeignHeadersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.logged: list[Any] = []
        self.broker = Broker(factory={"log": Logger(namespace="test", observer=self.logged.append)})
        self.told: list[HeaderUnknown] = []
        self.broker.factory.events.observe(HeaderUnknown, self.told.append)

    def subscribes_with(self, *names: str) -> None:
        ann = self.broker.connect()
        ann.subscribes("/queue/a", **dict.fromkeys(names, "x"))
        self.assertTrue(ann.hears_nothing())

    def lines(self) -> list[str]:
        return [text for text in map(formatEvent, self.logged) if "has no effect" in text]

    def test_a_misspelt_one_is_logged_once_in_the_life_of_the_broker(self) -> None:
        for _ in range(3):
            self.subscribes_with("activemq.subcriptionName")
        (line,) = self.lines()
        self.assertIn("'activemq.subcriptionName'", line)
        self.assertEqual([event.header for event in self.told], ["activemq.subcriptionName"])

    def test_unsubscribe_is_told_too_whatever_subscribe_was(self) -> None:
        self.subscribes_with("activemq.subcriptionName")
        ann = self.broker.connect(client_id="c")
        ann.subscribes("/topic/t", id="1", **{"activemq.subscriptionName": "d"})
        for _ in range(2):
            ann.says("UNSUBSCRIBE", id="1", **{"activemq.subcriptionName": "d"})
            ann.subscribes("/topic/t", id="1", **{"activemq.subscriptionName": "d"})
        ann.says("UNSUBSCRIBE", id="1", **{"activemq.subscriptionName": "d"})
        self.assertTrue(ann.hears_nothing())
        self.assertEqual([event.command for event in self.told], ["SUBSCRIBE", "UNSUBSCRIBE"])
        self.assertIn("UNSUBSCRIBE has the header 'activemq.subcriptionName'", self.lines()[1])

    def test_what_the_broker_reads_is_never_told(self) -> None:
        """Whatever name stands in the modules that read them: of a new one, too."""
        texts = {
            node.value
            for module in (subscribe, booleans)
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        names = {text for text in texts if re.fullmatch(r"(activemq\.|x-)[A-Za-z-]+", text)}
        self.assertGreaterEqual(names, {"activemq.noLocal", "x-queue-name", "activemq.prefetchSize"})
        for command in ("SUBSCRIBE", "UNSUBSCRIBE"):
            self.assertEqual(IgnoredHeaders().new_among(command, names), [])

    def test_what_means_something_and_what_is_the_user_s_own_is_not_logged(self) -> None:
        ann = self.broker.connect()
        ann.subscribes("/queue/a", **{"activemq.prefetchSize": "1", "x-priority": "2", "colour": "red"})
        self.assertEqual(self.told, [])

    def test_producers_may_send_what_they_like(self) -> None:
        ann = self.broker.connect()
        ann.says("SEND", destination="/queue/a", **{"x-colour": "red", "activemq.colour": "blue"})
        self.assertEqual(self.told, [])

    def test_no_more_than_a_hundred_are_noticed(self) -> None:
        foreign = IgnoredHeaders()
        found = foreign.new_among("SUBSCRIBE", (f"x-{number}" for number in range(MOST + 50)))
        self.assertEqual(len(found), MOST)
        self.assertEqual(foreign.new_among("SUBSCRIBE", ["x-new", "x-1"]), [])

    def test_the_log_shows_it_escaped_and_short(self) -> None:
        self.subscribes_with("x-\n[-] somebody else's line" + "y" * 500)
        (line,) = self.lines()
        self.assertNotIn("\n", line)
        self.assertLess(len(line), 300)
