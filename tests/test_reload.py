"""reload.py: what comes of a SIGHUP."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from stomp_tx.configuration import Configuration
from stomp_tx.errors import ConfigurationError
from stomp_tx.reload import ReloadService
from stomp_tx.wire.limits import Limits


class Reactor(Clock):
    def callFromThread(self, call: Any, *arguments: Any) -> None:
        self.callLater(0, call, *arguments)


class Factory:
    def __init__(self) -> None:
        self.policies: list[Any] = []

    def change_policies(self, policies: Any) -> None:
        self.policies.append(policies)

    def access_changed(self) -> None:
        self.looked_again = True


class ReloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.factory: Any = Factory()
        self.new: Configuration | Exception = Configuration()

    def read(self) -> Configuration:
        if isinstance(self.new, Exception):
            raise self.new
        return self.new

    def reload(self, reads: bool = True) -> str:
        """The log of it."""
        service = ReloadService(self.read if reads else None, Configuration(), self.factory, self.reactor)
        service.log = Logger(namespace="test")
        service.startService()
        try:
            with capturedLogs() as events:
                os.kill(os.getpid(), signal.SIGHUP)
                self.assertEqual(self.factory.policies, [])  # not in the middle of something else
                self.reactor.advance(0)
        finally:
            service.stopService()
        return " ".join(event["log_format"].format(**event) for event in events)

    def test_policies_are_put_in_force(self) -> None:
        self.new = Configuration(policy=Policy(ttl=7), patterns=(("/queue/a", Policy(ttl=8)),))
        self.assertIn("policies were read again, those for patterns: 1", self.reload())
        (policies,) = self.factory.policies
        self.assertEqual((policies.of("/queue/b").ttl, policies.of("/queue/a").ttl), (7, 8))

    def test_what_else_has_changed_is_named(self) -> None:
        self.new = Configuration(limits=Limits(headers=7), port=("tcp:1",))
        self.assertIn("needs a restart: port, limits", self.reload())

    def test_what_is_wrong_changes_nothing_and_is_said(self) -> None:
        self.new = ConfigurationError("unknown setting x", "look")
        self.assertIn("policies and roles stay as they are: unknown setting x: look", self.reload())
        self.assertEqual(self.factory.policies, [])

    def test_without_a_file_there_is_nothing_to_read(self) -> None:
        self.assertIn("without --config", self.reload(reads=False))

    def test_when_it_stops_signals_are_as_they_were(self) -> None:
        before = signal.getsignal(signal.SIGHUP)
        self.reload()
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)
