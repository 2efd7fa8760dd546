"""broker/maintenance.py: a sweep every second, and sooner where there is more."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.maintenance import EVERY, SOON, Maintenance
from stomp_tx.clock import MonotonicClock
from tests.conversation import Broker


class Engine:
    """One whose sweeps are counted; ``more`` of them leave something."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times: list[float] = []
        self.more = 0
        self.breaks = False

    def expire(self, now: int, judge: object) -> bool:
        self.times.append(self.clock.seconds())
        assert now == int(self.clock.seconds() * 1000)
        if self.breaks:
            raise ZeroDivisionError
        self.more -= 1
        return self.more >= 0


class Apart(MonotonicClock):
    """One whose timers are in a time that is so much ahead of its seconds."""

    def __init__(self, clock: Clock, ahead: float) -> None:
        super().__init__(clock)
        self._clock = clock
        self._ahead = ahead

    def seconds(self) -> float:
        return self._clock.seconds() - self._ahead


class Letters:
    def expired(self, message: object) -> None:
        raise AssertionError


class UpkeepTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.due = 0
        self.chores: list[int] = []
        self.engine = Engine(self.clock)
        letters: Any = Letters()
        engine: Any = self.engine
        self.upkeep = Maintenance(
            engine,
            letters.expired,
            [lambda: self.chores.append(1)],
            self.clock,
            lambda: int(self.clock.seconds() * 1000),
            lambda: self.due,
        )

    def sweeps(self, seconds: float) -> int:
        """So many in this time."""
        before = len(self.engine.times)
        self.clock.pump([0.01] * round(seconds * 100))
        return len(self.engine.times) - before

    def test_every_second_while_it_is_on(self) -> None:
        self.assertEqual(self.sweeps(5), 0)
        self.upkeep.start()
        self.upkeep.start()
        self.assertEqual(self.sweeps(5 * EVERY + 0.1), 5)
        self.upkeep.stop()
        self.upkeep.stop()
        self.assertEqual(self.sweeps(5), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.upkeep.start()
        self.assertEqual(self.sweeps(2 * EVERY + 0.1), 2)

    def test_chores_are_done_each_time(self) -> None:
        self.upkeep.start()
        self.sweeps(3 * EVERY + 0.1)
        self.assertEqual(self.chores, [1, 1, 1])

    def test_it_comes_sooner_when_something_is_due(self) -> None:
        self.upkeep.start()
        self.due = 250
        self.upkeep.due_at(250)
        self.upkeep.due_at(900)
        self.sweeps(0.3)
        self.assertAlmostEqual(self.engine.times[0], 0.25)
        self.assertAlmostEqual(self.engine.times[1], 0.25 + SOON, delta=0.011)  # it could not be taken out
        self.due = 0
        self.sweeps(SOON + 0.01)
        self.assertEqual(self.sweeps(0.9), 0)

    def test_it_comes_no_later_when_something_is_due_much_later(self) -> None:
        """Also where the timers are in the time of day, and the clock's seconds are not."""
        for apart in (0.0, 1.7e9, -1.7e9):
            clock = Apart(self.clock, apart)
            engine: Any = Engine(self.clock)
            upkeep = Maintenance(engine, lambda message: [], (), clock, self.upkeep._now, lambda: 0)
            upkeep.start()
            for _ in range(30):
                upkeep.due_at(int(self.clock.seconds() * 1000) + 3_600_000)
                self.clock.pump([0.01] * 10)
            self.assertEqual(len(engine.times), 2, apart)
            upkeep.due_at(int(self.clock.seconds() * 1000) + 20)
            self.clock.pump([0.01] * 3)
            self.assertEqual(len(engine.times), 3, apart)
            upkeep.stop()

    def test_where_there_is_more_it_goes_on_soon_but_lets_others_in_between(self) -> None:
        self.upkeep.start()
        self.engine.more = 10
        self.sweeps(EVERY + 0.5)
        first = self.engine.times[:11]
        self.assertEqual(len(self.engine.times), 11)
        for one, next_one in pairwise(first):
            self.assertTrue(SOON <= next_one - one + 1e-9 < 3 * SOON)

    def test_a_sweep_that_breaks_is_logged_and_tried_again(self) -> None:
        self.upkeep.start()
        self.engine.breaks = True
        self.assertEqual(self.sweeps(3 * EVERY + 0.1), 3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_the_broker_s_is_on_while_a_port_is_open(self) -> None:
        broker = Broker()
        calls: list[int] = []
        self.patch(broker.engine, "expire", lambda now, judge: bool(calls.append(now)))  # type: ignore[func-returns-value]
        broker.clock.advance(5)
        self.assertEqual(calls, [])
        broker.factory.doStart()
        broker.factory.doStart()  # two ports
        broker.clock.pump([EVERY] * 3)
        self.assertEqual(calls, [int(1000 * (1_000_000 + second)) for second in (6, 7, 8)])
        broker.factory.doStop()
        broker.clock.pump([EVERY] * 2)
        self.assertEqual(len(calls), 5)
        broker.factory.doStop()
        broker.clock.pump([EVERY] * 3)
        self.assertEqual(len(calls), 5)
        self.assertEqual(broker.clock.getDelayedCalls(), [])
