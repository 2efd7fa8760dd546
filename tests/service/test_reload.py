"""reload.py: what comes of a SIGHUP."""

from __future__ import annotations

import os
import signal
import weakref
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.acl import AccessList, Role
from stomp_tx.broker.policy import Policy
from stomp_tx.errors import ConfigurationError
from stomp_tx.net.tls import server
from stomp_tx.service import reload
from stomp_tx.service.configuration import Configuration
from stomp_tx.service.reload import ReloadService
from stomp_tx.wire.limits import Limits

ROLE = Role("r", users=("ann",), allow=("send /queue/a",))


class Reactor(Clock):
    def callFromThread(self, call: Any, *arguments: Any) -> None:
        self.callLater(0, call, *arguments)


class Factory:
    def __init__(self) -> None:
        self.policies: list[Any] = []
        self.looked_again = False

    def change_policies(self, policies: Any) -> None:
        self.policies.append(policies)

    def access_changed(self) -> None:
        self.looked_again = True


class ReloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(server, "_in_use", weakref.WeakSet())  # not the certificates of other tests
        self.reactor = Reactor()
        self.factory: Any = Factory()
        self.new: Configuration | Exception = Configuration()
        self.configuration = Configuration()

    def read(self) -> Configuration:
        if isinstance(self.new, Exception):
            raise self.new
        return self.new

    def reload(self, reads: bool = True) -> str:
        """The log of it."""
        service = ReloadService(self.read if reads else None, self.configuration, self.factory, self.reactor)
        service.log = Logger(namespace="test")
        service.startService()
        try:
            with capturedLogs() as events:
                os.kill(os.getpid(), signal.SIGHUP)
                self.assertEqual(self.factory.policies, [])  # not in the middle of something else
                self.reactor.advance(0)
        finally:
            service.stopService()
        self.events = events
        return " ".join(event["log_format"].format(**event) for event in events if "log_format" in event)

    def test_policies_are_put_in_force(self) -> None:
        self.new = Configuration(policy=Policy(ttl=7), patterns=(("/queue/a", Policy(ttl=8)),))
        self.assertIn("policies were read again, those for patterns: 1", self.reload())
        (policies,) = self.factory.policies
        self.assertEqual((policies.of("/queue/b").ttl, policies.of("/queue/a").ttl), (7, 8))

    def test_each_thing_that_is_read_is_one_event_for_the_audit(self) -> None:
        for certificates, audit in ((0, ["reload"]), (2, ["reload", "reload"]), (None, ["reload", "reload"])):
            self.setUp()

            def read_certificates(found: int | None = certificates) -> int:
                if found is None:
                    raise OSError("no such file")
                return found

            self.patch(reload, "reload_certificates", read_certificates)
            self.reload()
            self.assertEqual([event.get("audit") for event in self.events], audit)

    def test_what_else_has_changed_is_named(self) -> None:
        self.new = Configuration(limits=Limits(headers=7), port=("tcp:1",))
        self.assertIn("needs a restart: port, limits", self.reload())

    def test_what_is_wrong_changes_nothing_and_is_said(self) -> None:
        self.new = ConfigurationError("unknown setting x", "look")
        self.assertIn("policies and roles stay as they are: unknown setting x: look", self.reload())
        self.assertEqual(self.factory.policies, [])

    def test_what_is_wrong_is_said_once(self) -> None:
        self.new = ConfigurationError("unknown setting x")
        self.assertEqual(self.reload(), "policies and roles stay as they are: unknown setting x")

    def test_whatever_is_wrong_users_are_looked_at_again(self) -> None:
        for wrong in (ConfigurationError("unknown setting x"), ZeroDivisionError()):
            self.setUp()
            self.new = wrong
            self.reload()
            self.assertTrue(self.factory.looked_again, wrong)
            self.assertEqual([event.get("audit") for event in self.events], ["reload"])
        self.flushLoggedErrors(ZeroDivisionError)
        self.factory.looked_again = False
        self.reload(reads=False)
        self.assertTrue(self.factory.looked_again)

    def test_a_file_without_roles_opens_no_broker_that_has_some(self) -> None:
        for before in (AccessList((ROLE,)), AccessList(closed=True)):
            self.setUp()
            self.configuration = Configuration(access=before)
            self.new = Configuration(policy=Policy(ttl=7))
            said = self.reload()
            self.assertIn("roles stay as they are: the file says nothing of roles any more", said)
            self.assertIn('write a role with users = ["*"] and allow = ["all >"]', said)
            (event,) = self.events
            self.assertEqual((event["log_level"], event["audit"]), (LogLevel.error, "reload"))
            self.assertFalse(self.configuration.access.is_open)
            self.assertEqual((self.factory.policies, self.factory.looked_again), ([], True))

    def test_roles_come_change_and_are_all_taken_away(self) -> None:
        for roles in ((ROLE,), (replace(ROLE, allow=()),), ()):
            self.new = Configuration(access=AccessList(roles, closed=True))
            self.assertIn(f"roles: {len(roles)}", self.reload())
            self.factory.policies.clear()
            self.assertEqual(self.configuration.access, self.new.access)

    def test_without_a_file_there_is_nothing_to_read(self) -> None:
        self.assertIn("without --config", self.reload(reads=False))

    def test_when_it_stops_signals_are_as_they_were(self) -> None:
        before = signal.getsignal(signal.SIGHUP)
        self.reload()
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)
