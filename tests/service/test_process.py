"""service/process.py: services in their order, and the end of a process that can't start."""

from types import SimpleNamespace

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import ConfigurationError
from stomp_tx.service.process import CannotStart, OrderedServices


class Step(Service):
    """Writes down when it is started and stopped; stops when told."""

    def __init__(self, name, diary):
        self.step, self.diary, self.stopped = name, diary, Deferred()

    def startService(self):
        self.diary.append(f"start {self.step}")

    def stopService(self):
        self.diary.append(f"stop {self.step}")
        return self.stopped


class OrderedTests(SynchronousTestCase):
    def setUp(self):
        self.diary = []
        self.reactor = SimpleNamespace(_exitSignal=15)
        self.ordered = OrderedServices(self.reactor)
        self.first, self.last = Step("first", self.diary), Step("last", self.diary)
        for step in (self.first, self.last):
            step.setServiceParent(self.ordered)

    def test_each_stops_when_the_one_after_it_has(self):
        self.ordered.startService()
        stopping = self.ordered.stopService()
        self.assertEqual(self.diary, ["start first", "start last", "stop last"])
        self.last.stopped.callback(None)
        self.assertEqual(self.diary[3:], ["stop first"])
        self.assertNoResult(stopping)
        self.first.stopped.callback(None)
        self.successResultOf(stopping)

    def test_orderly_end_is_exit_code_0(self):
        stopping = self.ordered.stopService()
        self.last.stopped.callback(None)
        self.assertEqual(self.reactor._exitSignal, 15)
        self.first.stopped.callback(None)
        self.successResultOf(stopping)
        self.assertIsNone(self.reactor._exitSignal)

    def test_one_that_can_not_stop_is_logged_and_keeps_none_from_stopping(self):
        stopping = self.ordered.stopService()
        self.last.stopped.errback(ZeroDivisionError())
        self.first.stopped.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.reactor._exitSignal, 15)


class CannotStartTests(SynchronousTestCase):
    def test_one_line_and_exit_code_1_without_a_traceback(self):
        error = CannotStart(ConfigurationError("it is wrong", "write it right"))
        self.assertIsInstance(error, SystemExit)
        self.assertIsInstance(error, Exception)
        self.assertEqual(error.code, "stomp: it is wrong: write it right")
        self.assertEqual(str(CannotStart(ConfigurationError("it is wrong"))), "stomp: it is wrong")
