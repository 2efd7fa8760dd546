"""service/sessions.py: sessions end with the process, in time."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.service.sessions import SessionsService


class SessionsServiceTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.gone = Deferred()
        factory = SimpleNamespace(sessions={1: None}, stop=lambda: self.gone)
        self.stopping = SessionsService(factory, self.clock, 10.0, Logger()).stopService()

    def test_stops_when_the_sessions_are_gone(self):
        self.assertNoResult(self.stopping)
        self.gone.callback(None)
        self.successResultOf(self.stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stops_in_time_whatever_the_sessions_do(self):
        self.clock.advance(9.9)
        self.assertNoResult(self.stopping)
        self.clock.advance(0.1)
        self.successResultOf(self.stopping)
