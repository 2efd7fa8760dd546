"""service/early_signals.py: signals before the reactor runs."""

import signal
from types import SimpleNamespace

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.service.early_signals import EarlySignalsService


class EarlySignalsTests(SynchronousTestCase):
    """Before the reactor runs."""

    def setUp(self):
        self.calls = []
        self.when_running = []
        self.reactor = SimpleNamespace(
            running=False,
            stop=self.stop,
            sigTerm=lambda number, frame: self.fail(number),
            sigInt=lambda number, frame: self.fail(number),
            _exitSignal=None,
            callWhenRunning=lambda call, *more: self.when_running.append((call, more)),
            callFromThread=lambda call, *more: (self.calls.append("from thread"), call(*more)),
        )
        self.service = EarlySignalsService(self.reactor)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.as_before()

    def as_before(self):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop(self):
        self.calls.append("stop")
        if self.calls.count("stop") > 1:
            raise ReactorNotRunning

    def runs(self):
        self.reactor.running = True
        signal.signal(signal.SIGTERM, self.reactor.sigTerm)
        for call, more in self.when_running:
            call(*more)

    def test_one_that_comes_early_ends_the_reactor_as_soon_as_it_runs_and_a_second_one_does_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.as_before()
            self.calls.clear()
            self.when_running.clear()
            self.reactor.running = False
            self.service = EarlySignalsService(self.reactor)
            self.service.startService()
            for _ in range(2):
                signal.raise_signal(number)
            self.assertEqual(self.calls, [])
            self.runs()
            self.assertEqual(self.calls, ["stop"])
            self.service.stopService()

    def test_later_ones_end_it_too_and_a_second_one_does_nothing_until_the_process_is_gone(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.as_before()
            self.calls.clear()
            self.when_running.clear()
            self.service = EarlySignalsService(self.reactor)
            self.reactor.running = False
            self.service.startService()
            self.runs()
            for other in (number, signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(other)
            self.assertEqual(self.calls, ["from thread", "stop"])
            self.assertEqual(self.reactor._exitSignal, number)
            self.service.stopService()
            for other in (signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(other)

    def test_one_that_comes_while_something_else_stops_it_does_nothing(self):
        self.service.startService()
        self.runs()
        self.reactor.stop()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.calls, ["stop", "from thread", "stop"])

    def test_a_handler_of_others_is_left_to_them(self):
        self.service.startService()
        others = []
        self.when_running.insert(0, (lambda: signal.signal(signal.SIGTERM, lambda *_: others.append(1)), ()))
        self.runs()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual((others, self.calls), ([1], []))

    def test_stopped_it_leaves_things_as_they_were(self):
        self.service.startService()
        self.service.stopService()
        self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)
        self.assertEqual(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_where_others_have_their_own_it_changes_nothing(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.service.startService()
        self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_IGN)
        self.service.stopService()
