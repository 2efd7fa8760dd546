"""``stomp-tx subscribe``: how long it waits.  (Over a real broker: tests/cli/test_messaging.py.)"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.cli.commands.subscribe import next_within
from stomp_tx.client import Message
from stomp_tx.testing import MemoryBroker


class WaitingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.client = self.broker.client()
        self.subscription = self.broker.run(self.client.subscribe("/queue/a"))

    def next(self, wait: float | None) -> Deferred[Message | None]:
        return Deferred.fromCoroutine(next_within(self.subscription, wait, self.broker.clock))

    def test_it_ends_when_nothing_has_come_for_so_long(self) -> None:
        coming = self.next(5)
        self.broker.advance(4.9)
        self.assertNoResult(coming)
        self.broker.advance(0.2)
        self.assertIsNone(self.successResultOf(coming))

    def test_each_message_is_waited_for_anew(self) -> None:
        for _ in range(3):
            coming = self.next(5)
            self.broker.advance(4)
            self.client.send("/queue/a", "x")
            self.broker.settle()
            message = self.successResultOf(coming)
            assert message is not None
            self.assertEqual(message.body, b"x")

    def test_what_has_come_is_there_whatever_the_time(self) -> None:
        self.broker.run(self.client.send("/queue/a", "x", receipt=True))
        self.assertIsNotNone(self.successResultOf(self.next(0)))
        nothing = self.next(0)
        self.broker.advance(0.1)
        self.assertIsNone(self.successResultOf(nothing))

    def test_it_ends_with_the_subscription(self) -> None:
        coming = self.next(None)
        self.broker.run(self.subscription.unsubscribe())
        self.assertIsNone(self.successResultOf(coming))
