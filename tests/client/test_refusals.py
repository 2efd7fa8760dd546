"""connecting.py, where nobody is let in: what fails at once, what is tried again, and who is told."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers.in_turn import portal_of
from stomp_tx.auth.checkers.worker_threads import too_many
from stomp_tx.auth.realm import StompRealm
from stomp_tx.client import (
    ConnectionLost,
    ConnectTimeout,
    LoginRefused,
    NoConnection,
    Retry,
    StompClientService,
)
from stomp_tx.errors import ConfigurationError, FrameError, LoginUnavailable
from stomp_tx.testing import MemoryBroker
from tests.broker.session.test_login import passwords
from tests.client.serving import QUEUE, Script, ServiceCase, ends

RIGHT = {"login": "ann", "passcode": "secret"}
WRONG = {"login": "ann", "passcode": "wrong"}

OTHERS_WORDS = [
    ("Bad CONNECT", b"Access refused for user 'ann'\n", False),
    ("Bad CONNECT", b"Virtual host '127.0.0.1' access denied", False),
    ("Bad CONNECT", b"non-loopback access denied", False),
    ("Bad CONNECT", b"Connection refused: vhost connection limit reached", True),
    ("Bad CONNECT", b"Connection refused: node connection limit reached", True),
    ("User name [ann] or password is invalid.", b"java.lang.SecurityException: User name [ann] ...", False),
    ("Broker: localhost - Client: ann already connected from tcp://127.0.0.1:5", b"", True),
    ("Broker has been stopped: BrokerService[localhost]", b"", True),
    ("Security Error occurred: User name [ann] or password is invalid", b"", False),
    ("AMQ339009: Exception getting session", b"", True),
    ("Version mismatch", b"Supported versions are 1.0,1.1,1.2\n", False),
    ("something else", b"", False),
]
"""What other brokers answer CONNECT with: message, body, and whether it may be another answer later."""


class Checker:
    """Of passcodes; ``fault``: what it raises, or what gives its answer, instead of looking."""

    def __init__(self) -> None:
        self.known = passwords()
        self.credentialInterfaces = self.known.credentialInterfaces
        self.fault: Any = None

    def requestAvatarId(self, credentials: Any) -> Any:
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.known.requestAvatarId(credentials) if self.fault is None else self.fault()


class UserCase(ServiceCase):
    """A broker that knows ann and bob."""

    def setUp(self) -> None:
        super().setUp()
        self.checker = Checker()
        self.broker = self.with_users()
        self.failed: list[tuple[Exception, int]] = []

    def with_users(self, **settings: Any) -> MemoryBroker:
        return MemoryBroker(factory={"portal": portal_of(StompRealm(), [self.checker])}, **settings)

    def starting(self, **more: Any) -> StompClientService:
        """A service that has begun to connect; on_failed is noted."""
        service = self.broker.service(on_failed=lambda *told: self.failed.append(told), **more)
        service.startService()
        return service


class WrongPasscodeTests(UserCase):
    def test_it_fails_at_the_first_attempt(self) -> None:
        service = self.broker.service(on_failed=lambda *told: self.failed.append(told), **WRONG)
        early, sending = service.whenConnected(), service.send(QUEUE, "x", receipt=True)
        starting = service.startService()
        later = service.whenConnected()
        self.broker.advance(10)
        for one in (early, starting, later, service.whenConnected()):
            error = self.failureResultOf(one, LoginRefused).value
            self.assertIn("the login or the passcode is wrong", str(error))
            self.assertFalse(error.is_temporary)
        lost = self.failureResultOf(sending, ConnectionLost).value
        self.assertIn("the passcode is wrong", str(lost))
        self.assertIsInstance(lost.__cause__, LoginRefused)
        self.assertEqual(self.failed, [(error, 1)])
        self.assertFalse(service.running)
        self.broker.advance(3600)
        self.assertEqual(len(self.failed), 1)

    def test_a_block_fails_as_connect_does(self) -> None:
        async def story() -> None:
            async with self.broker.service(**WRONG):
                self.fail("there is no connection")

        with self.assertRaises(LoginRefused):
            self.broker.run(story())
        with self.assertRaises(LoginRefused):
            self.broker.run(self.broker.dial(**WRONG))
        self.broker.advance(3600)
        self.assertEqual(self.broker.links, [])

    def test_nobody_has_to_look_and_the_log_says_what_to_do(self) -> None:
        with logged() as lines:
            self.starting(**WRONG)
            self.broker.advance(10)
            gc.collect()
        (line,) = lines
        self.assertIn("gives up", line)
        self.assertIn("the login or the passcode is wrong; check login", line)

    def test_it_can_be_started_again_with_better_ones(self) -> None:
        given = [("ann", "wrong"), ("ann", "secret")]
        service = self.starting(credentials=lambda: given.pop(0))
        self.broker.advance(10)
        self.assertFalse(service.running)
        starting = service.startService()
        self.broker.settle()
        self.successResultOf(starting)
        self.got(service.send(QUEUE, "x", receipt=True))

    def test_what_can_not_be_said_fails_at_once_too(self) -> None:
        service = self.broker.service(login="ann\nann", passcode="x")
        self.failureResultOf(service.startService(), FrameError)

    def test_later_it_is_tried_slowly_and_asks_anew(self) -> None:
        secret = ["secret"]
        service = self.starting(
            credentials=lambda: ("ann", secret[0]), retry=Retry(initial=1, maximum=30, jitter=0)
        )
        self.broker.settle()
        sending = succeed(None)
        self.assertTrue(service.connected)
        secret[0] = "rotated"
        times = []
        for _ in range(12):
            many = len(self.failed)
            self.cut(0) if not many else None
            while len(self.failed) == many:
                self.broker.advance(1)
            times.append(self.broker.clock.seconds())
            if not many:
                sending = service.send(QUEUE, "x", receipt=True)
        waits = [round(later - before) for before, later in pairwise(times)]
        self.assertGreaterEqual(waits[0], 30)
        self.assertTrue(all(later >= before - 1 for before, later in pairwise(waits)))
        self.assertLess(waits[-1], 306)
        self.assertTrue(all(not error.is_temporary for error, _ in self.failed))  # none was locked out
        self.assertEqual([attempt for _, attempt in self.failed], list(range(1, 13)))
        self.assertNoResult(sending)
        self.checker.known.addUser(b"ann", b"rotated")
        self.broker.advance(300)
        self.successResultOf(sending)


class SeveralBrokersTests(UserCase):
    def setUp(self) -> None:
        super().setUp()
        self.other = MemoryBroker(clock=self.broker.clock)

    def both(self, **more: Any) -> Deferred[Any]:
        service = StompClientService(
            [self.broker.endpoint(), self.other.endpoint()], reactor=self.broker.clock, **more
        )
        starting = service.startService()
        for _ in range(20):
            self.broker.advance(0.5)
            self.other.settle()
        return starting

    def test_one_that_lets_it_in_is_enough(self) -> None:
        self.successResultOf(self.both(**WRONG))
        self.assertEqual(len(self.other.links), 1)

    def test_each_is_tried_before_it_fails(self) -> None:
        self.other.is_down = True
        self.failureResultOf(self.both(**WRONG), LoginRefused)

    def test_in_whatever_order(self) -> None:
        self.broker, self.other = self.other, self.broker
        self.broker.is_down = True
        self.failureResultOf(self.both(**WRONG), LoginRefused)


class TemporaryTests(UserCase):
    """What is no matter of login and passcode, by this project's broker."""

    def waits(self, words: str, cure: Callable[[], object], **more: Any) -> None:
        """It is told so, goes on trying, and is let in in the end."""
        service = self.starting(**{**RIGHT, **more})
        self.broker.advance(40)
        self.assertTrue(service.running)
        refusal = self.failed[-1][0]
        assert isinstance(refusal, LoginRefused)
        self.assertIn(words, str(refusal))
        self.assertTrue(refusal.is_temporary)
        cure()
        self.broker.advance(600)
        self.assertTrue(service.connected)

    def test_logins_that_can_not_be_checked_now(self) -> None:
        self.checker.fault = LoginUnavailable("the directory is down")
        self.waits("logins can't be checked now", self.is_repaired)
        self.flushLoggedErrors()

    def is_repaired(self) -> None:
        self.checker.fault = None

    def test_a_login_that_takes_too_long(self) -> None:
        self.broker = self.with_users(login_wait=10)
        self.checker.fault = Deferred
        self.waits("login took too long", self.is_repaired)

    def test_too_many_who_log_in(self) -> None:
        self.checker.fault = too_many()
        self.waits("too many logins at a time", self.is_repaired)

    def test_a_lockout(self) -> None:
        self.broker = self.with_users(login_failures=2, lockout=300)
        for _ in range(2):
            self.starting(**WRONG)
            self.broker.advance(10)
        self.waits("too many logins of this user failed from your address", lambda: None)

    def test_a_lockout_of_the_address(self) -> None:
        self.broker = self.with_users(login_failures=2, lockout=300)
        for name in ("x", "y"):
            self.starting(login=name, passcode="x")
            self.broker.advance(10)
        self.waits("too many logins failed from your address", lambda: None)

    def test_too_many_connections(self) -> None:
        self.broker = self.with_users(connections=1)
        other = self.broker.client(**RIGHT)
        self.waits("too many connections", other.disconnect)

    def test_a_broker_that_stops(self) -> None:
        broker = self.broker.factory.broker
        broker._stopped = Deferred()
        self.waits("the broker is stopping", lambda: setattr(broker, "_stopped", None))

    def test_other_brokers_words(self) -> None:
        for message, body, is_temporary in OTHERS_WORDS:
            with self.subTest(message, body=body):
                script = Script()
                service = script.service(**WRONG)
                waiting = service.whenConnected()
                ends(script.knocks(), message, body)
                self.assertEqual(service.running, is_temporary)
                if is_temporary:
                    script.accepts()
                    self.successResultOf(waiting)
                else:
                    self.failureResultOf(waiting, LoginRefused)


class ToldTests(ServiceCase):
    """on_failed, and what is logged."""

    def test_each_failed_attempt_is_told_with_its_number(self) -> None:
        told: list[tuple[Exception, int]] = []
        self.broker.is_down = True
        service = self.broker.service(
            on_failed=lambda reason, attempt: told.append((reason, attempt)), retry=Retry(initial=1, jitter=0)
        )
        service.startService()
        self.broker.advance(3)
        self.broker.is_down = False
        self.broker.advance(60)
        self.broker.is_down = True
        self.cut(3)
        self.assertEqual([attempt for _, attempt in told], [1, 2, 3, 1, 2])
        for reason, _ in told:
            self.assertIsInstance(reason, NoConnection)

    def test_it_may_be_a_coroutine_and_may_fail(self) -> None:
        told: list[int] = []

        async def on_failed(reason: Exception, attempt: int) -> None:
            await deferLater(self.broker.clock, 0.1)
            told.append(attempt)
            raise ZeroDivisionError

        self.broker.is_down = True
        service = self.broker.service(on_failed=on_failed, retry=Retry(initial=1, jitter=0))
        service.startService()
        self.broker.advance(2)
        self.assertEqual(told, [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.broker.is_down = False
        self.broker.advance(10)
        self.assertTrue(service.connected)

    def test_who_is_told_may_stop_it(self) -> None:
        stopping: list[Deferred[None]] = []
        self.broker.is_down = True
        for more in ({}, {"retry": Retry(attempts=1)}):
            service = self.broker.service(
                on_failed=lambda reason, attempt: stopping.append(service.stopService()),  # noqa: B023
                **more,  # type: ignore[arg-type]
            )
            starting = service.startService()
            self.failureResultOf(starting, ConnectionLost)
            self.successResultOf(stopping.pop())
            self.broker.advance(100)
            self.assertEqual(stopping, [])

    def test_a_connection_that_can_not_be_taken_up_is_told_as_well(self) -> None:
        told: list[str] = []
        script = Script("stomp-tx/1")
        service = script.service(on_failed=lambda reason, attempt: told.append(f"{attempt}: {reason}"))
        subscribing = service.subscribe(QUEUE)
        ends(script.accepts(), "the broker is stopping")
        self.assertEqual(told, ["1: the broker ended the connection: the broker is stopping"])
        broker = script.accepts()
        broker.answers(broker.hears("SUBSCRIBE"))
        self.successResultOf(subscribing)

    def test_the_log_says_why_and_not_for_ever(self) -> None:
        self.broker.is_down = True
        with logged() as lines:
            service = self.broker.service(retry=Retry(initial=1, maximum=1, jitter=0))
            service.startService()
            self.broker.advance(1000)
        self.assertEqual(len(lines), 10)  # attempt 1, 2, 4, 8 ... 512
        self.assertIn("attempt 1 to connect failed", lines[0])
        self.assertIn("_Endpoint", lines[0])  # what it is called
        self.assertIn("Connection was refused by other side; the next one follows in 1 seconds", lines[0])
        self.assertIn("attempt 512", lines[-1])

    def test_another_reason_is_another_line(self) -> None:
        script = Script()
        with logged() as lines:
            script.is_down = True
            script.service(retry=Retry(initial=1, maximum=1, jitter=0))
            script.advance(4.5)  # the third and the fifth say nothing new
            script.is_down = False
            for number in range(4):
                ends(script.knocks(), f"the broker is stopping, in {number} seconds")
        self.assertEqual([int(line.split()[1]) for line in lines], [1, 2, 4, 6, 8], [line for line in lines])
        self.assertIn("the broker is stopping", lines[3])


class ConnectWithinTests(ServiceCase):
    """A block does not wait for ever for a broker that is not there."""

    async def story(self, service: StompClientService) -> None:
        async with service:
            self.happened.append("in")

    def test_it_fails_in_time_with_the_reason(self) -> None:
        self.broker.is_down = True
        service = self.broker.service(connect_within=5)
        beginning = Deferred.fromCoroutine(self.story(service))
        self.broker.advance(4.9)
        self.assertNoResult(beginning)
        self.broker.advance(0.1)
        error = self.failureResultOf(beginning, ConnectTimeout).value
        self.assertIn("not connected within 5 seconds", str(error))
        self.assertIn("Connection was refused by other side", str(error))
        self.assertIsInstance(error.__cause__, NoConnection)
        self.assertFalse(service.running)
        self.broker.is_down = False
        self.broker.advance(100)
        self.assertEqual(self.broker.links, [])

    def test_it_has_a_default(self) -> None:
        self.broker.is_down = True
        beginning = Deferred.fromCoroutine(self.story(self.broker.service()))
        self.broker.advance(90)
        self.failureResultOf(beginning, ConnectTimeout)

    def test_a_broker_that_says_nothing(self) -> None:
        script = Script()
        service = StompClientService(script, reactor=script.clock, connect_within=5)
        beginning = Deferred.fromCoroutine(self.story(service))
        script.advance(5)
        error = self.failureResultOf(beginning, ConnectTimeout).value
        self.assertIn("the broker has not answered yet", str(error))

    def test_or_it_waits(self) -> None:
        self.broker.is_down = True
        beginning = Deferred.fromCoroutine(self.story(self.broker.service(connect_within=None)))
        self.broker.advance(3600)
        self.assertNoResult(beginning)
        self.broker.is_down = False
        self.broker.advance(60)
        self.successResultOf(beginning)
        self.assertEqual(self.happened, ["in"])

    def test_once_in_it_waits_for_ever(self) -> None:
        async def story() -> None:
            async with self.broker.service(connect_within=5) as service:
                self.happened.append(service)
                await Deferred()

        lasting = Deferred.fromCoroutine(story())
        self.broker.settle()
        self.broker.is_down = True
        self.cut(3600)
        self.assertNoResult(lasting)
        self.broker.is_down = False
        self.broker.advance(60)
        self.assertTrue(self.happened[0].connected)

    def test_wrong_values(self) -> None:
        for wrong in (0, -1):
            with self.assertRaises(ConfigurationError):
                self.broker.service(connect_within=wrong)


class StartingTests(ServiceCase):
    def test_starting_fires_when_it_is_connected(self) -> None:
        service = self.broker.service()
        first = service.startService()
        second = service.startService()
        self.assertNoResult(first)
        self.broker.settle()
        client = self.successResultOf(first)
        self.assertIs(self.successResultOf(second), client)
        self.assertIs(self.successResultOf(service.startService()), client)

    def test_started_again_while_it_leaves(self) -> None:
        service = self.starts()
        stopping = service.stopService()
        starting = service.startService()
        self.broker.advance(10)
        self.successResultOf(stopping)
        self.assertTrue(self.successResultOf(starting).connected)

    def test_started_and_stopped_again_while_it_leaves(self) -> None:
        service = self.starts()
        service.stopService()
        starting = service.startService()
        service.stopService()
        self.broker.advance(10)
        self.failureResultOf(starting, ConnectionLost)


@contextmanager
def logged() -> Iterator[list[str]]:
    """The lines that a client logs, from a warning on; what is critical is not among them."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] in (LogLevel.warn, LogLevel.error) and "client" in event["log_namespace"]:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


class NoNoiseTests(SynchronousTestCase):
    def test_a_service_that_gives_up_unseen_logs_no_unhandled_error(self) -> None:
        """The fixture of this class would fail for it."""
        broker = MemoryBroker()
        broker.is_down = True
        broker.service(retry=Retry(attempts=1)).startService()
        broker.advance(1)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
