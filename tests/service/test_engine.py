"""service/engine.py: the engine starts and stops with the process."""

from types import SimpleNamespace

from twisted.internet.defer import fail
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import EngineError
from stomp_tx.service.engine import EngineService
from stomp_tx.service.process import CannotStart


class EngineServiceTests(SynchronousTestCase):
    def engine(self, started=None):
        calls = []
        engine = SimpleNamespace(
            start=lambda: calls.append("start") or started, stop=lambda: calls.append("stop")
        )
        return EngineService(engine, MemoryReactorClock()), calls

    def test_engine_starts_and_stops(self):
        service, calls = self.engine()
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual(calls, ["start", "stop"])

    def test_engine_that_can_not_start_ends_the_process(self):
        for error, line in (
            (EngineError("the disk is full", "make room"), "stomp: the disk is full: make room"),
            (ZeroDivisionError("by zero"), "stomp: the engine can't start: by zero"),
        ):
            service, _ = self.engine(fail(error))
            self.assertEqual(str(self.assertRaises(CannotStart, service.startService)), line)
