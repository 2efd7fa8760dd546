"""clock.py: seconds that only go forward."""

import time

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from stomp_tx.clock import MonotonicClock


class MonotonicClockTests(SynchronousTestCase):
    def test_its_timers_are_the_reactor_s_and_its_seconds_are_not(self) -> None:
        reactor = Clock()
        clock = MonotonicClock(reactor)
        verifyObject(IReactorTime, clock)
        self.patch(time, "time", lambda: 0.0)
        before = clock.seconds()
        fired: list[int] = []
        clock.callLater(5, fired.append, 1)
        self.assertEqual(len(clock.getDelayedCalls()), 1)
        reactor.advance(5)
        self.assertEqual(fired, [1])
        self.assertGreaterEqual(clock.seconds(), before)
        self.assertLess(clock.seconds() - before, 5)
