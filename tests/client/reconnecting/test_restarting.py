"""connecting.py and service.py: those who are told of something may stop, start and end the service."""

from __future__ import annotations

import asyncio
import sys
from random import Random
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import ConnectionLost, LoginRefused, Retry, StompClientService
from stomp_tx.errors import StompError
from tests.client.serving import QUEUE, Script, ends


class StartedAgainTests(SynchronousTestCase):
    """Whoever is told of something may stop the service, and start it again."""

    def restarts(self, script: Script, callback: str) -> StompClientService:
        """A service that is stopped and started by this callback, the first time."""
        told: list[object] = []

        def again(*what: object) -> None:
            told.append(what)
            if len(told) == 1:
                service.stopService()
                service.startService()

        callbacks: dict[str, Any] = {callback: again}
        service = StompClientService(script, reactor=script.clock, random=Random(1), **callbacks)
        service.startService()
        return service

    def one_connection(self, script: Script, service: StompClientService) -> None:
        """There is one, and it is left in order."""
        broker = script.accepts()
        script.advance(60)
        self.assertEqual(script._connections, [])
        sending = service.send(QUEUE, "hello", receipt=True)
        broker.answers(broker.hears("SEND"))
        self.successResultOf(sending)
        stopping = service.stopService()
        broker.answers(broker.hears("DISCONNECT"))
        broker.hangs_up()
        self.successResultOf(stopping)
        script.advance(600)
        self.assertEqual(script._connections, [])

    def test_when_an_attempt_failed(self) -> None:
        script = Script()
        script.is_down = True
        service = self.restarts(script, "on_failed")
        script.is_down = False
        self.one_connection(script, service)

    def test_when_a_later_attempt_failed(self) -> None:
        script = Script()
        service = self.restarts(script, "on_failed")
        script.knocks().hangs_up()
        self.one_connection(script, service)

    def test_when_a_connection_was_lost(self) -> None:
        script = Script()
        service = self.restarts(script, "on_lost")
        script.accepts().hangs_up()
        self.one_connection(script, service)

    def test_when_it_is_asked_for_credentials(self) -> None:
        script = Script()
        asked: list[object] = []

        def credentials() -> tuple[str, str]:
            asked.append(None)
            if len(asked) == 1:
                service.stopService()
                service.startService()
            return "ann", "secret"

        service = StompClientService(script, reactor=script.clock, random=Random(1), credentials=credentials)
        service.startService()
        script.accepts()
        self.assertTrue(service.connected)
        unwanted = script.accepts()  # the first start's, which was about to connect
        self.assertTrue(unwanted.endpoint.closed or unwanted.pipe.disconnecting)
        script.advance(60)
        self.assertEqual(script._connections, [])

    def test_when_it_has_given_up(self) -> None:
        script = Script()
        service = StompClientService(script, reactor=script.clock, random=Random(1))
        refusals: list[LoginRefused] = []

        async def until_it_is_let_in() -> None:
            while len(refusals) < 100:
                try:
                    await service.startService()
                    return
                except LoginRefused as refused:
                    refusals.append(refused)

        running = Deferred.fromCoroutine(until_it_is_let_in())
        for number in (1, 2):
            ends(script.knocks(), "login refused")
            self.assertEqual(len(refusals), number)
        script.accepts()
        self.successResultOf(running)
        self.assertTrue(service.connected)

    def test_when_what_was_sent_fails_because_it_is_stopped(self) -> None:
        script = Script()
        script.is_down = True
        service = StompClientService(script, reactor=script.clock, random=Random(1))
        service.startService()
        sending = service.send(QUEUE, "x", receipt=True)
        sending.addErrback(lambda _: service.startService())
        script.is_down = False
        service.stopService()
        self.one_connection(script, service)


class EndsTests(SynchronousTestCase):
    """What is no Exception ends the service, and everybody who waits is told."""

    def ends(self, service: StompClientService, waiting: Deferred[Any], error: type[BaseException]) -> None:
        self.assertEqual(len(self.flushLoggedErrors(error)), 1)
        self.assertFalse(service.running)
        reason = self.failureResultOf(waiting, StompError).value
        self.assertIsInstance(reason.__cause__, error)
        self.assertIn("a callback of the client ended it", str(reason))
        self.failureResultOf(service.whenConnected(), StompError)
        self.failureResultOf(service.send(QUEUE, "x"), ConnectionLost)
        self.successResultOf(service.stopService())

    def test_an_exit_in_a_callback(self) -> None:
        def leaves(*_: object) -> None:
            sys.exit("no")

        script = Script()
        script.is_down = True
        service = StompClientService(script, reactor=script.clock, on_failed=leaves)
        waiting = service.whenConnected()
        service.startService()
        self.ends(service, waiting, SystemExit)
        script.is_down = False
        service = StompClientService(script, reactor=script.clock, on_connected=leaves)
        service.startService()
        broker = script.accepts()
        self.assertTrue(broker.endpoint.closed or broker.pipe.disconnecting)
        broker.hangs_up()
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        self.assertFalse(service.running)
        service = StompClientService(script, reactor=script.clock, on_lost=leaves)
        service.startService()
        script.accepts().hangs_up()
        self.ends(service, service.whenConnected(), SystemExit)

    def test_credentials_that_a_task_was_cancelled_over(self) -> None:
        def cancelled() -> Any:
            raise asyncio.CancelledError

        script = Script()
        service = StompClientService(script, reactor=script.clock, credentials=cancelled)
        waiting = service.whenConnected()
        service.startService()
        self.ends(service, waiting, asyncio.CancelledError)

    def test_the_last_attempt_may_have_been_cancelled(self) -> None:
        script = Script()
        service = StompClientService(
            script,
            reactor=script.clock,
            credentials=lambda: defer.fail(CancelledError()),
            retry=Retry(attempts=1),
        )
        self.failureResultOf(service.startService(), CancelledError)
        self.assertFalse(service.running)
