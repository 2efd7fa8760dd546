"""timer.py: one call that is due later."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.timer import Timer


class TimerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.timer = Timer(self.clock)
        self.called: list[str] = []

    def test_it_calls_once(self) -> None:
        self.timer.set(2.0, lambda: self.called.append("a"))
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.called, ["a"])

    def test_what_is_set_later_is_called_in_its_place(self) -> None:
        self.timer.set(2.0, lambda: self.called.append("a"))
        self.timer.set(3.0, lambda: self.called.append("b"))
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.called, ["b"])

    def test_it_may_be_set_by_what_it_calls(self) -> None:
        def again() -> None:
            self.called.append("a")
            self.timer.set(2.0, again)

        self.timer.set(2.0, again)
        self.clock.pump([1.0] * 7)
        self.assertEqual(len(self.called), 3)

    def test_cancelled_it_calls_nothing_and_leaves_nothing(self) -> None:
        self.timer.cancel()
        self.timer.set(2.0, lambda: self.called.append("a"))
        self.timer.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.timer.set(2.0, lambda: self.called.append("b"))
        self.clock.advance(2.0)
        self.timer.cancel()
        self.assertEqual(self.called, ["b"])
