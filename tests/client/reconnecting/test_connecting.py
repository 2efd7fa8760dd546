"""connecting.py: one connection after the other."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import deferLater
from zope.interface import implementer

from stomp_tx.client import (
    ConnectionLost,
    ConnectTimeout,
    ErrorReceived,
    NoConnection,
    Retry,
    StompClientService,
)
from stomp_tx.errors import ConfigurationError
from stomp_tx.testing import Faults, MemoryBroker
from stomp_tx.testing.link import HERE
from tests.client.serving import QUEUE, Script, ServiceCase, ends


class ConnectingTests(ServiceCase):
    def test_it_connects_and_tells(self) -> None:
        service = self.broker.service(on_connected=self.happened.append)
        early = service.whenConnected()
        service.startService()
        first = service.whenConnected()
        self.assertNoResult(first)
        self.broker.settle()
        client = self.successResultOf(first)
        self.assertIs(self.successResultOf(early), client)
        self.assertTrue(service.connected)
        self.assertEqual(self.happened, [client])
        self.assertEqual(client.version, "1.2")
        self.assertIs(self.successResultOf(service.whenConnected()), client)

    def test_what_is_asked_for_before_it_starts_waits_for_that(self) -> None:
        service = self.broker.service()
        subscribing, sending = service.subscribe(QUEUE), service.send(QUEUE, "early", receipt=True)
        service.startService()
        self.got(sending)
        self.assertEqual(self.got(self.successResultOf(subscribing).next()).body, b"early")

    def test_one_loss_is_one_event_and_then_it_is_connected_again(self) -> None:
        service = self.starts()
        self.broker.cut()
        self.assertFalse(service.connected)
        self.assertEqual([type(one) for one in self.happened], [str, ConnectionLost])
        self.broker.advance(1)
        self.assertTrue(service.connected)
        self.assertEqual(self.happened[2:], ["1.2"])

    def test_what_the_user_does_when_told_finds_all_in_order(self) -> None:
        states = []
        service = self.broker.service(
            on_connected=lambda client: states.append((service.connected, client.connected)),
            on_lost=lambda reason: states.append((service.connected, False)),
        )
        service.startService()
        self.broker.settle()
        self.cut()
        self.assertEqual(states, [(True, True), (False, False), (True, True)])

    def test_a_callback_that_fails_ends_nothing(self) -> None:
        def fails(_: object) -> None:
            raise ZeroDivisionError("of the user")

        service = self.broker.service(on_connected=fails, on_lost=fails)
        service.startService()
        self.broker.settle()
        self.cut()
        self.assertTrue(service.connected)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_it_waits_longer_and_longer_and_for_ever(self) -> None:
        self.broker.is_down = True
        times: list[float] = []
        endpoint = self.broker.endpoint()
        connect = endpoint.connect
        endpoint.connect = lambda factory: times.append(self.broker.clock.seconds()) or connect(factory)
        retry = Retry(initial=1, factor=2, maximum=10, jitter=0)
        service = StompClientService(endpoint, retry=retry, reactor=self.broker.clock)
        service.startService()
        self.broker.advance(60)
        self.assertEqual(times, [0, 1, 3, 7, 15, 25, 35, 45, 55])
        self.broker.is_down = False
        self.broker.advance(10)
        self.assertTrue(service.connected)

    def test_stopped_while_it_connects_it_does_not_go_to_the_next_one(self) -> None:
        asked: list[int] = []

        @implementer(IStreamClientEndpoint)
        class Slow:
            def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
                asked.append(1)
                return Deferred(lambda connecting: connecting.errback(ConnectingCancelledError(HERE)))

        service = StompClientService([Slow(), Slow()], reactor=self.broker.clock)
        service.startService()
        service.stopService()
        self.broker.advance(100)
        self.assertEqual(len(asked), 1)

    def test_after_a_connection_that_did_not_last_it_waits_longer_too(self) -> None:
        self.starts(retry=Retry(initial=1, maximum=100, jitter=0))
        for waited in (1, 2, 4):
            self.broker.cut()
            self.broker.advance(waited - 0.5)
            self.assertEqual(self.broker.links, [])
            self.broker.advance(0.5)
            self.assertEqual(len(self.broker.links), 1)
        self.broker.advance(101)
        self.cut(1)
        self.assertEqual(len(self.broker.links), 1)

    def test_it_gives_up_when_told_to(self) -> None:
        self.broker.is_down = True
        service = self.broker.service(retry=Retry(initial=1, jitter=0, attempts=3))
        service.startService()
        waiting, sending = service.whenConnected(), service.send(QUEUE, "x", receipt=True)
        self.broker.advance(1)
        self.assertNoResult(sending)
        self.broker.advance(10)
        self.assertIn("given up", str(self.failureResultOf(sending, ConnectionLost).value))
        self.failureResultOf(waiting, NoConnection)
        self.failureResultOf(service.whenConnected(), NoConnection)
        self.failureResultOf(service.request(QUEUE, "?"), ConnectionLost)
        self.assertFalse(service.running)
        self.failureResultOf(service.send(QUEUE, "x"), ConnectionLost)
        self.broker.is_down = False
        service.startService()
        self.broker.settle()
        self.assertTrue(service.connected)

    def test_who_waits_may_fail_after_some_attempts(self) -> None:
        self.broker.is_down = True
        service = self.broker.service(retry=Retry(initial=1, jitter=0))
        service.startService()
        second, ever = service.whenConnected(failAfterFailures=2), service.whenConnected()
        self.assertNoResult(second)
        self.broker.advance(1)
        self.failureResultOf(second)
        self.assertNoResult(ever)
        ever.cancel()
        self.failureResultOf(ever, CancelledError)
        self.broker.is_down = False
        self.broker.advance(10)
        self.assertTrue(service.connected)

    def test_the_brokers_take_turns(self) -> None:
        other = MemoryBroker(clock=self.broker.clock)

        def both_settle(seconds: float = 0.0) -> None:
            for _ in range(10):
                self.broker.advance(seconds / 10)
                other.settle()

        service = StompClientService(
            [self.broker.endpoint(), other.endpoint()], reactor=self.broker.clock, random=Random(1)
        )
        service.startService()
        both_settle()
        self.assertEqual((len(self.broker.links), len(other.links)), (1, 0))
        self.broker.cut()
        both_settle(1)
        self.assertEqual((len(self.broker.links), len(other.links)), (0, 1))
        other.is_down = True
        other.cut()
        both_settle(1)
        self.assertEqual((len(self.broker.links), len(other.links)), (1, 0))
        self.broker.cut()
        both_settle(1)  # the next one's turn, who does not answer: the one after that, at once
        self.assertEqual((len(self.broker.links), len(other.links)), (1, 0))

    def test_credentials_are_asked_for_each_time(self) -> None:
        given = iter([("ann", "1"), ("ann", "2"), ("ann", "3")])

        async def later() -> tuple[str, str]:
            return next(given)

        self.starts(credentials=lambda: next(given))
        first = bytes(self.broker.links[0].server.octets)
        self.cut()
        self.assertIn(b"passcode:1", first)
        self.assertIn(b"passcode:2", bytes(self.broker.links[0].server.octets))
        self.starts(credentials=later)
        self.assertIn(b"passcode:3", bytes(self.broker.links[1].server.octets))

    def test_credentials_that_fail_are_a_failed_attempt(self) -> None:
        answers: list[Any] = [ZeroDivisionError(), ("ann", "x")]

        def ask() -> Any:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        service = self.starts(credentials=ask)
        self.assertFalse(service.connected)
        self.broker.advance(1)
        self.assertTrue(service.connected)

    def test_a_broker_that_says_nothing_is_left_in_time(self) -> None:
        faults = iter([Faults(drop_after_sent=0), Faults()])
        service = self.starts(connect_timeout=5, faults=lambda: next(faults))
        self.broker.advance(4)
        self.assertFalse(service.connected)
        self.broker.advance(2)
        self.assertTrue(service.connected)

    def test_a_pulled_cable_is_noticed_by_the_heart_beat(self) -> None:
        faults = iter([Faults(drop_after_received=600), Faults()])
        service = self.starts(heart_beat_ms=(1000, 1000), faults=lambda: next(faults))
        for number in range(100):
            service.send(QUEUE, f"{number}")
        self.broker.advance(10)
        self.assertTrue(service.connected)
        self.assertEqual(service.unconfirmed, 0)
        self.assertEqual(self.broker.waiting(QUEUE), [b"%d" % number for number in range(100)])

    def test_wrong_arguments(self) -> None:
        for arguments in (
            {"endpoints": []},
            {"endpoints": "nonsense:1"},
            {"endpoints": QUEUE, "window": 0},
            {"endpoints": "ssl:a:1"},
        ):
            with self.assertRaises(ConfigurationError):
                StompClientService(reactor=self.broker.clock, **arguments)  # type: ignore[arg-type]
        for wrong in ({"initial": -1}, {"maximum": 0.1}, {"factor": 0.5}, {"jitter": 2}, {"attempts": 0}):
            with self.assertRaises(ConfigurationError):
                Retry(**wrong)  # type: ignore[arg-type]

    def test_what_is_over_is_not_connected(self) -> None:
        """However soon it is asked: whoever is told of the loss asks again, and waits for the next one."""
        service = self.starts()
        times: list[float] = []

        async def again_and_again() -> None:
            while len(times) < 3:
                client = await service.whenConnected()
                times.append(self.broker.clock.seconds())
                await client.when_closed()

        async def ask() -> str:
            while True:
                try:
                    return (await service.request("/queue/nobody", "?", timeout=None)).text()
                except ConnectionLost:
                    times.append(self.broker.clock.seconds())

        for story in (again_and_again(), ask()):
            times.clear()
            running = Deferred.fromCoroutine(story)
            for _ in range(3):
                self.broker.settle()
                self.assertTrue(service.connected)
                self.broker.cut()
                self.assertFalse(service.connected)
                self.broker.advance(100)
            self.assertEqual(len(set(times)), 3)
            running.addErrback(lambda _: None)
            running.cancel()

    def test_an_error_without_a_close_ends_it_too(self) -> None:
        service = self.starts()
        for end in (self.broker.links[0].server, self.broker.links[0].client):
            end.transport.loseConnection = lambda: None  # type: ignore[method-assign]
        sending = service.send("/exchange/nope/x", "x", receipt=True)
        self.fails(sending, ErrorReceived)
        self.assertEqual(len(self.broker.links), 1)
        self.assertFalse(service.connected)
        self.assertNoResult(service.request(QUEUE, "?"))

    def test_credentials_that_are_cancelled_are_a_failed_attempt(self) -> None:
        given = iter([defer.fail(CancelledError()), defer.succeed(("ann", "secret"))])
        service = self.broker.service(credentials=lambda: next(given))
        service.startService()
        self.assertFalse(service.connected)
        self.broker.advance(10)
        self.assertTrue(service.connected)

    def test_credentials_must_come_in_time(self) -> None:
        given = iter([Deferred(), defer.succeed(("ann", "secret"))])
        service = self.broker.service(credentials=lambda: next(given), connect_timeout=5)
        service.startService()
        waiting = service.whenConnected(failAfterFailures=1)
        self.broker.advance(5)
        self.failureResultOf(waiting, ConnectTimeout)
        self.broker.advance(5)
        self.assertTrue(service.connected)

    def test_connections_that_do_not_last_are_no_failed_attempts(self) -> None:
        service = self.starts(retry=Retry(initial=1, jitter=0, attempts=2))
        for _ in range(3):
            self.cut(60)
            self.assertTrue(service.connected)
        self.broker.is_down = True
        self.cut(1)
        self.assertTrue(service.running)
        self.broker.advance(3600)
        self.assertFalse(service.running)

    def test_who_waits_may_cancel_others_who_do(self) -> None:
        service = self.broker.service()
        first, second = service.whenConnected(), service.whenConnected()
        first.addCallback(lambda _: second.cancel())
        service.startService()
        self.broker.settle()
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(len(self.broker.links), 1)
        self.broker.is_down = True
        self.broker.cut()
        third, fourth = service.whenConnected(1), service.whenConnected(1)
        third.addErrback(lambda _: fourth.cancel())
        self.broker.advance(10)
        self.failureResultOf(fourth, CancelledError)
        self.assertTrue(service.running)

    def test_those_who_are_told_may_be_coroutines(self) -> None:
        async def told(what: object) -> None:
            await deferLater(self.broker.clock, 1)
            self.happened.append(what)
            raise ZeroDivisionError

        service = self.broker.service(on_connected=told, on_lost=told)
        service.startService()
        self.broker.advance(1)
        self.assertEqual(len(self.happened), 1)
        self.cut(1)
        self.assertEqual(len(self.happened), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_credentials_may_be_a_future_of_asyncio(self) -> None:
        """It can't be awaited by Twisted's coroutines as it is."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        given: list[asyncio.Future[tuple[str, str]]] = [loop.create_future(), loop.create_future()]
        asked = list(given)
        service = self.broker.service(credentials=lambda: asked.pop(0), connect_timeout=5)
        service.startService()
        waiting = service.whenConnected(failAfterFailures=1)
        self.broker.advance(5)
        loop.run_until_complete(asyncio.sleep(0))
        self.assertTrue(given[0].cancelled())
        self.failureResultOf(waiting, ConnectTimeout)
        self.broker.advance(1)
        given[1].set_result(("ann", "secret"))
        loop.run_until_complete(asyncio.sleep(0))
        self.broker.settle()
        self.assertTrue(service.connected)
        self.assertIn(b"passcode:secret", bytes(self.broker.links[-1].server.octets))

    def test_what_are_no_credentials_is_said_at_once(self) -> None:
        for wrong in (None, (), ("ann",), ("ann", "b", "c"), "ab", {"ann": 1, "b": 2}, (1, 2), (b"a", b"b")):
            with self.subTest(wrong):
                asked: list[object] = []

                def ask(asked: list[object] = asked, wrong: object = wrong) -> Any:
                    asked.append(wrong)
                    return wrong

                service = self.broker.service(credentials=ask)
                error = self.failureResultOf(service.startService(), ConfigurationError).value
                self.assertIn("credentials", str(error))
                self.assertNotIn("ann", str(error))
                self.assertFalse(service.running)
                self.broker.advance(600)
                self.assertEqual(len(asked), 1)
        service = self.starts(credentials=lambda: (None, None))
        self.assertTrue(service.connected)

    def test_a_broker_that_refuses_does_not_slow_the_return_to_one_that_restarts(self) -> None:
        good, other = Script(), Script()
        other.clock = good.clock
        retry = Retry(initial=1, factor=1, maximum=30, jitter=0)
        service = StompClientService([good, other], reactor=good.clock, random=Random(1), retry=retry)
        service.startService()
        broker = good.accepts()
        good.is_down = True
        broker.hangs_up()
        for _ in range(3):
            ends(other.knocks(), "login refused")
        good.is_down = False
        ends(other.knocks(), "login refused")
        good.accepts()
        self.assertLess(good.clock.seconds(), 6)
        self.assertTrue(service.connected)
