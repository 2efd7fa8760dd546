"""A client that connects again: what it does over, what it must not do over, and what its user sees of it."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import (
    ConnectionLost,
    ErrorReceived,
    Retry,
    StaleMessage,
    StompClientService,
    StompError,
    TransactionLost,
)
from stomp_tx.errors import ConfigurationError, FrameError, LimitExceeded, ProtocolViolation
from stomp_tx.testing import Faults, MemoryBroker

QUEUE = "/queue/a"


class ServiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.happened: list[Any] = []

    def starts(self, **more: Any) -> StompClientService:
        """A service that has connected."""
        service = self.broker.service(
            on_connected=lambda client: self.happened.append(client.version),
            on_lost=self.happened.append,
            **more,
        )
        service.startService()
        self.broker.settle()
        return service

    def got(self, deferred: Deferred[Any]) -> Any:
        self.broker.settle()
        return self.successResultOf(deferred)

    def fails(self, deferred: Deferred[Any], *errors: type[Exception]) -> Any:
        self.broker.settle()
        return self.failureResultOf(deferred, *errors).value

    def cut(self, seconds: float = 1.0) -> None:
        """The connection is lost; then there is time to connect again."""
        self.broker.cut()
        self.broker.advance(seconds)


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

    def test_part_of_each_wait_is_random(self) -> None:
        retry = Retry(initial=1, factor=2, maximum=8, jitter=0.5)
        random = Random(1)
        for failures, longest in ((1, 1), (2, 2), (4, 8), (100_000, 8)):
            waits = [retry.wait(failures, random) for _ in range(200)]
            self.assertLess(max(waits), longest)
            self.assertGreater(max(waits), 0.9 * longest)
            self.assertGreaterEqual(min(waits), longest / 2)

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
        self.failureResultOf(waiting, ConnectionRefusedError)
        self.failureResultOf(service.whenConnected(), ConnectionRefusedError)
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


class SendingTests(ServiceCase):
    def test_it_is_remembered_until_it_is_safe(self) -> None:
        service = self.starts()
        sending = service.send(QUEUE, "hello")
        self.successResultOf(sending)
        self.assertEqual(service.unconfirmed, 1)
        self.broker.settle()
        self.assertEqual(service.unconfirmed, 0)
        self.assertEqual(self.broker.waiting(QUEUE), [b"hello"])

    def test_with_receipt_it_fires_when_it_is_safe_whatever_happens_to_the_connection(self) -> None:
        service = self.starts()
        sending = service.send(QUEUE, "hello", receipt=True)
        self.assertNoResult(sending)
        self.cut()
        self.got(sending)
        self.assertEqual(self.broker.waiting(QUEUE), [b"hello"])

    def test_while_there_is_no_connection_it_waits(self) -> None:
        self.broker.is_down = True
        service = self.starts()
        sending = [service.send(QUEUE, f"{number}", receipt=True) for number in range(3)]
        self.broker.advance(100)
        self.broker.is_down = False
        self.broker.advance(30)
        for one in sending:
            self.successResultOf(one)
        self.assertEqual(self.broker.waiting(QUEUE), [b"0", b"1", b"2"])

    def test_what_the_broker_had_already_it_does_not_have_twice(self) -> None:
        # The broker gets all three and its receipts are lost.
        faults = iter([Faults(cut_after_received=300), Faults()])
        service = self.starts(faults=lambda: next(faults))
        sending = [service.send(QUEUE, f"{number}" * 10, receipt=True) for number in range(30)]
        self.broker.settle()
        self.assertLess(service.unconfirmed, 30)
        self.assertGreater(service.unconfirmed, 0)
        self.assertEqual(len(self.broker.waiting(QUEUE)), 30)
        self.broker.advance(1)
        for one in sending:
            self.successResultOf(one)
        self.assertEqual(self.broker.waiting(QUEUE), [b"%d" % n * 10 for n in range(30)])

    def test_the_name_of_the_user_is_the_message_s(self) -> None:
        service = self.starts()
        for _ in range(2):
            service.send(QUEUE, "once", headers={"message-dedupe-id": "mine"})
        self.broker.settle()
        self.assertEqual(self.broker.waiting(QUEUE), [b"once"])

    def test_the_window_makes_it_wait(self) -> None:
        service = self.starts(window=3)
        sending = [service.send(QUEUE, f"{number}") for number in range(5)]
        self.assertEqual([one.called for one in sending], [True, True, False, False, False])
        self.broker.settle()
        self.assertEqual([one.called for one in sending], [True] * 5)

    def test_the_window_counts_octets_too(self) -> None:
        service = self.starts(window_octets=100)
        first, second = service.send(QUEUE, "ß" * 25), service.send(QUEUE, "ß" * 25)
        self.assertEqual((first.called, second.called), (True, False))
        self.got(second)

    def test_who_does_not_wait_is_stopped_in_the_end(self) -> None:
        self.broker.is_down = True
        service = self.starts(window=3)
        sending = [service.send(QUEUE, "x") for _ in range(31)]
        error = self.failureResultOf(sending.pop(), LimitExceeded).value
        self.assertIn("await each send", error.detail)
        self.broker.is_down = False
        self.broker.advance(10)
        for one in sending:
            self.successResultOf(one)
        self.assertEqual(len(self.broker.waiting(QUEUE)), 30)

    def test_a_full_transport_makes_it_wait(self) -> None:
        service = self.starts()
        self.broker.links[0].client.transport.room = 100
        sending = service.send(QUEUE, "x" * 100_000)
        self.assertNoResult(sending)
        self.cut()
        self.got(sending)
        self.assertEqual(len(self.broker.waiting(QUEUE)), 1)

    def test_what_was_not_said_yet_can_be_taken_back(self) -> None:
        service = self.starts()
        said = service.send(QUEUE, "said", receipt=True)
        self.broker.cut()
        unsaid = service.send(QUEUE, "unsaid", receipt=True)
        for one in (said, unsaid):
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.broker.advance(1)
        self.assertEqual(self.broker.waiting(QUEUE), [b"said"])

    def test_what_can_t_be_sent_fails_and_the_rest_goes_on(self) -> None:
        service = self.starts()
        wrong = service.send(QUEUE, "x", headers={"receipt": "1"}, receipt=True)
        self.fails(wrong, FrameError)
        self.fails(service.send(QUEUE, object(), receipt=True), TypeError)
        self.got(service.send(QUEUE, "good", receipt=True))
        unseen = service.send(QUEUE, "x", headers={"receipt": "1"})
        self.got(unseen)
        self.assertEqual(len(self.flushLoggedErrors(FrameError)), 1)
        self.assertEqual(service.unconfirmed, 0)

    def test_what_the_broker_refuses_fails_and_the_rest_goes_on(self) -> None:
        service = self.starts()
        sending = [service.send(name, "x", receipt=True) for name in (QUEUE, "/exchange/nope/x", "/queue/b")]
        self.broker.advance(1)
        self.successResultOf(sending[0])
        self.failureResultOf(sending[1], ErrorReceived)
        self.successResultOf(sending[2])
        self.assertEqual([len(self.broker.waiting(name)) for name in (QUEUE, "/queue/b")], [1, 1])
        self.assertTrue(service.connected)

    def test_bodies_are_what_they_were_when_they_were_sent(self) -> None:
        self.broker.is_down = True
        service = self.starts()
        body = {"a": 1}
        service.send(QUEUE, body)
        body["a"] = 2
        self.broker.is_down = False
        self.broker.advance(5)
        self.assertEqual(self.broker.waiting(QUEUE), [b'{"a":1}'])


class ErrorsWithoutReceiptTests(ServiceCase):
    """A broker whose ERROR frames do not say what they are about."""

    def setUp(self) -> None:
        super().setUp()
        frame_of = self.broker.factory.buildProtocol

        def forgetful(address: Any) -> Any:
            protocol = frame_of(address)
            make = protocol.makeConnection

            def connect(transport: Any) -> None:
                write = transport.write
                transport.write = lambda octets: write(_without_receipt_id(octets))
                make(transport)

            protocol.makeConnection = connect
            return protocol

        self.broker.factory.buildProtocol = forgetful  # type: ignore[method-assign]

    def test_it_is_found_out_which_message_it_was(self) -> None:
        service = self.starts()
        names = (QUEUE, QUEUE, "/exchange/nope/x", QUEUE)
        sending = [service.send(name, f"{number}", receipt=True) for number, name in enumerate(names)]
        self.broker.advance(60)
        for number in (0, 1, 3):
            self.successResultOf(sending[number])
        self.failureResultOf(sending[2], ErrorReceived)
        self.assertEqual(self.broker.waiting(QUEUE), [b"0", b"1", b"3"])
        self.assertTrue(service.connected)

    def test_it_is_found_out_which_subscription_it_was(self) -> None:
        service = self.starts()
        good, bad, also = (service.subscribe(name) for name in (QUEUE, "/exchange/nope/x", "/queue/b"))
        self.broker.advance(60)
        self.successResultOf(good)
        self.failureResultOf(bad, ErrorReceived)
        self.got(service.send("/queue/b", "hello", receipt=True))
        self.assertEqual(self.got(self.successResultOf(also).next()).body, b"hello")


def _without_receipt_id(octets: bytes) -> bytes:
    if octets.startswith(b"ERROR\n"):
        head, blank, body = octets.partition(b"\n\n")
        lines = [line for line in head.split(b"\n") if not line.startswith(b"receipt-id:")]
        return b"\n".join(lines) + blank + body
    return octets


class SubscribingTests(ServiceCase):
    def test_a_handler_goes_on_hearing(self) -> None:
        service = self.starts()
        heard: list[bytes] = []
        self.got(service.subscribe("/topic/a", lambda message: heard.append(message.body)))
        service.send("/topic/a", "1")
        self.broker.settle()
        self.cut()
        service.send("/topic/a", "2")
        self.broker.settle()
        self.assertEqual(heard, [b"1", b"2"])

    def test_a_loop_goes_on(self) -> None:
        service = self.starts()
        heard: list[bytes] = []

        async def loop() -> None:
            async for message in await service.subscribe(QUEUE):
                heard.append(message.body)

        looping = Deferred.fromCoroutine(loop())
        self.broker.settle()
        for number in range(3):
            service.send(QUEUE, f"{number}")
            self.broker.settle()
            self.cut()
        self.assertEqual(heard, [b"0", b"1", b"2"])
        self.assertNoResult(looping)
        service.stopService()
        self.got(looping)

    def test_they_are_made_again_as_they_were_and_in_their_order(self) -> None:
        service = self.starts()
        for number, name in enumerate(("/queue/b", QUEUE, "/topic/c")):
            self.got(service.subscribe(name, ack="client", prefetch=7, headers={"x": f"{number}"}))
        before = _subscribes(self.broker)
        self.cut()
        self.assertEqual(_subscribes(self.broker), before)
        self.assertEqual(len(before), 3)

    def test_one_that_was_ended_is_not_made_again(self) -> None:
        service = self.starts()
        ended, later = self.got(service.subscribe(QUEUE)), self.got(service.subscribe("/queue/b"))
        self.got(ended.unsubscribe())
        self.broker.cut()
        self.successResultOf(later.unsubscribe())  # there is nobody to tell
        self.broker.advance(1)
        self.assertEqual(_subscribes(self.broker), [])
        self.assertIsNone(self.successResultOf(later.next()))

    def test_one_that_is_asked_for_without_a_connection(self) -> None:
        self.broker.is_down = True
        service = self.starts()
        subscribing = service.subscribe(QUEUE)
        given_up = service.subscribe("/queue/b")
        self.broker.advance(10)
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.broker.is_down = False
        self.broker.advance(10)
        self.assertEqual(self.successResultOf(subscribing).destination, QUEUE)
        self.assertEqual(len(_subscribes(self.broker)), 1)

    def test_one_whose_receipt_was_lost_is_asked_for_again(self) -> None:
        faults = iter([Faults(cut_after_received=150), Faults()])
        service = self.starts(faults=lambda: next(faults))
        subscribing = [service.subscribe(f"/queue/{number}") for number in range(9)]
        self.broker.settle()
        self.assertFalse(all(one.called for one in subscribing))
        self.broker.advance(1)
        for one in subscribing:
            self.successResultOf(one)

    def test_one_that_the_broker_refuses_fails_and_the_rest_goes_on(self) -> None:
        service = self.starts()
        good, bad = service.subscribe(QUEUE), service.subscribe("/exchange/nope/x")
        self.broker.advance(1)
        self.failureResultOf(bad, ErrorReceived)
        self.assertEqual(len(_subscribes(self.broker)), 1)
        service.send(QUEUE, "hello")
        self.assertEqual(self.got(self.successResultOf(good).next()).body, b"hello")

    def test_one_that_the_next_broker_refuses_ends_and_the_rest_goes_on(self) -> None:
        service = self.starts()
        first, second = self.got(service.subscribe("/queue/only")), self.got(service.subscribe(QUEUE))
        taking = first.next()
        holder = self.broker.peer()
        self.broker.cut()
        holder.subscribes("/queue/only")
        self.broker.factory.change_policies(_one_consumer())
        self.broker.advance(10)
        self.failureResultOf(taking, ErrorReceived)
        self.failureResultOf(first.next(), StompError)
        self.flushLoggedErrors()
        service.send(QUEUE, "hello")
        self.assertEqual(self.got(second.next()).body, b"hello")

    def test_two_with_one_id(self) -> None:
        service = self.starts()
        first = self.got(service.subscribe(QUEUE, id="x"))
        self.failureResultOf(service.subscribe("/queue/b", id="x"), ProtocolViolation)
        self.got(first.unsubscribe())
        self.got(service.subscribe("/queue/b", id="x"))

    def test_a_durable_one_hears_what_came_meanwhile(self) -> None:
        service = self.starts(headers={"client-id": "ann"})
        subscription = self.got(service.subscribe("/topic/a", durable="news"))
        other = self.broker.peer()
        self.broker.cut()
        other.says("SEND", destination="/topic/a", body=b"meanwhile")
        self.broker.advance(1)
        self.assertEqual(self.got(subscription.next()).body, b"meanwhile")
        self.got(service.unsubscribe(subscription, forget=True))
        other.says("SEND", destination="/topic/a", body=b"later")
        again = self.got(service.subscribe("/topic/a", durable="news"))
        self.assertNoResult(again.next())


class AcknowledgingTests(ServiceCase):
    def test_an_ack_of_the_old_connection_never_reaches_the_new_one(self) -> None:
        service = self.starts()
        subscription = self.got(service.subscribe(QUEUE, ack="client-individual"))
        service.send(QUEUE, "hello")
        old = self.got(subscription.next())
        self.broker.cut()
        self.fails(old.ack(), StaleMessage)
        self.broker.advance(1)
        self.assertTrue(old.is_stale)
        error = self.fails(old.ack(), StaleMessage)
        self.assertIsInstance(error, ConnectionLost)
        again = self.got(subscription.next())
        self.assertTrue(again.redelivered)
        self.assertFalse(again.is_stale)
        self.got(again.ack(receipt=True))

    def test_what_waited_here_unseen_comes_once(self) -> None:
        service = self.starts()
        subscription = self.got(service.subscribe(QUEUE))
        for number in range(5):
            service.send(QUEUE, f"{number}")
        self.broker.settle()
        self.assertEqual(self.got(subscription.next()).body, b"0")
        self.cut()
        heard = [self.got(subscription.next()).body for _ in range(4)]
        self.assertEqual(heard, [b"1", b"2", b"3", b"4"])
        self.assertNoResult(subscription.next())

    def test_a_handler_at_work_when_the_connection_goes(self) -> None:
        service = self.starts()
        works: list[Deferred[None]] = []

        async def handle(message: Any) -> None:
            async with message:
                works.append(Deferred())
                await works[-1]

        self.got(service.subscribe(QUEUE, handle, ack="client-individual"))
        service.send(QUEUE, "hello")
        self.broker.settle()
        self.cut()
        self.assertEqual(len(works), 2)  # the broker has given it again
        works[0].callback(None)  # too late, and no error
        self.broker.settle()
        self.assertNotIn(b"\nACK\n", bytes(self.broker.links[0].server.octets))
        works[1].callback(None)
        self.broker.settle()
        self.cut()
        self.assertEqual(len(works), 2)


class TransactionTests(ServiceCase):
    def test_an_open_one_is_lost_with_its_connection(self) -> None:
        service = self.starts()
        transaction = self.got(service.transaction().begin())
        transaction.send(QUEUE, "1")
        self.broker.cut()
        for doing in (transaction.send(QUEUE, "2"), transaction.commit(), transaction.abort()):
            self.fails(doing, TransactionLost)
        self.broker.advance(1)
        error = self.fails(transaction.commit(), TransactionLost)
        self.assertIsInstance(error, ConnectionLost)
        self.assertEqual(self.broker.waiting(QUEUE), [])

    def test_one_that_begins_without_a_connection_waits_for_one(self) -> None:
        self.broker.is_down = True
        service = self.starts()

        async def both() -> None:
            async with service.transaction() as transaction:
                await transaction.send(QUEUE, "1")
                await transaction.send(QUEUE, "2")

        doing = Deferred.fromCoroutine(both())
        self.broker.advance(5)
        self.assertNoResult(doing)
        self.broker.is_down = False
        self.broker.advance(10)
        self.successResultOf(doing)
        self.assertEqual(self.broker.waiting(QUEUE), [b"1", b"2"])

    def test_a_replayed_one_is_done_once_and_whole(self) -> None:
        for faults in (Faults(cut_after_sent=300), Faults(cut_after_received=100)):
            self.broker = MemoryBroker()
            connections = iter([faults, Faults()])
            service = self.starts(faults=lambda each=connections: next(each))

            async def both(service: StompClientService = service) -> None:
                async with service.replayed_transaction() as transaction:
                    await transaction.send(QUEUE, "1")
                    await transaction.send(QUEUE, "2")

            doing = Deferred.fromCoroutine(both())
            self.broker.settle()
            self.assertNoResult(doing)
            self.broker.advance(1)
            self.successResultOf(doing)
            self.assertEqual(self.broker.waiting(QUEUE), [b"1", b"2"])

    def test_a_replayed_one_that_is_left_by_an_exception(self) -> None:
        service = self.starts()

        async def fails() -> None:
            async with service.replayed_transaction() as transaction:
                transaction.send(QUEUE, "1")
                raise ZeroDivisionError

        self.fails(Deferred.fromCoroutine(fails()), ZeroDivisionError)
        self.assertEqual(self.broker.waiting(QUEUE), [])

    def test_a_replayed_one_is_used_as_any_other(self) -> None:
        service = self.starts()
        inbox = self.got(service.subscribe("/queue/b", ack="client-individual"))
        self.got(service.send("/queue/b", "0", receipt=True))
        message = self.got(inbox.next())
        transaction = service.replayed_transaction()
        self.got(service.send(QUEUE, "1", receipt=True, transaction=transaction))
        self.failureResultOf(message.ack(transaction=transaction), ProtocolViolation)
        self.got(transaction.abort(receipt=True))
        self.failureResultOf(transaction.commit(), ProtocolViolation)
        self.assertEqual(self.broker.waiting(QUEUE), [])
        self.got(message.ack(receipt=True))

    def test_a_replayed_one_that_can_t_be_said_does_nothing(self) -> None:
        service = self.starts()
        transaction = service.replayed_transaction()
        transaction.send(QUEUE, "1")
        transaction.send(QUEUE, "2", headers={"receipt": "x"})
        self.failureResultOf(transaction.send(QUEUE, object()), TypeError)
        self.fails(transaction.commit(), FrameError)
        self.failureResultOf(transaction.commit(), ProtocolViolation)
        self.failureResultOf(transaction.send(QUEUE, "3"), ProtocolViolation)
        self.assertEqual(self.broker.waiting(QUEUE), [])
        self.assertTrue(service.connected)


class StoppingTests(ServiceCase):
    def test_it_leaves_in_order(self) -> None:
        service = self.starts()
        works: list[Deferred[None]] = []

        async def handle(message: Any) -> None:
            works.append(Deferred())
            await works[-1]
            await service.send("/queue/done", message.body)

        self.got(service.subscribe(QUEUE, handle))
        service.send(QUEUE, "1")
        self.broker.settle()
        sending = service.send("/queue/b", "2", receipt=True)
        stopping = service.stopService()
        self.broker.settle()
        self.assertNoResult(stopping)
        self.got(sending)
        works[0].callback(None)
        self.got(stopping)
        self.assertEqual(self.happened[-1], None)
        self.broker.advance(100)
        self.assertEqual(self.broker.links, [])

    def test_it_waits_no_longer_than_it_was_told(self) -> None:
        service = self.starts(disconnect_timeout=2, heart_beat_ms=(0, 0))
        self.got(service.subscribe(QUEUE, lambda message: Deferred()))
        service.send(QUEUE, "1")
        self.broker.settle()
        stopping = service.stopService()
        self.broker.advance(10)
        self.successResultOf(stopping)

    def test_what_was_not_confirmed_fails(self) -> None:
        self.broker.is_down = True
        service = self.starts(window=1)
        sending = [service.send(QUEUE, "1", receipt=True), service.send(QUEUE, "2"), service.subscribe(QUEUE)]
        asking, waiting = service.request(QUEUE, "?"), service.whenConnected()
        self.got(service.stopService())
        for one in sending:
            self.failureResultOf(one, ConnectionLost)
        self.failureResultOf(asking, ConnectionLost)
        self.failureResultOf(waiting, ConnectionLost)
        self.got(service.stopService())
        self.failureResultOf(service.whenConnected(), ConnectionLost)
        self.failureResultOf(service.subscribe(QUEUE), ConnectionLost)

    def test_stopped_while_it_connects(self) -> None:
        service = self.broker.service()
        service.startService()
        service.startService()
        self.got(service.stopService())
        self.broker.advance(10)
        self.assertEqual(self.broker.links, [])

    def test_it_can_be_started_again(self) -> None:
        service = self.starts()
        self.got(service.stopService())
        service.startService()
        self.broker.advance(1)
        self.got(service.send(QUEUE, "again", receipt=True))
        self.assertEqual(self.broker.waiting(QUEUE), [b"again"])

    def test_stopped_by_who_is_told_of_the_loss(self) -> None:
        """The last connection is the last one, though the next attempt was due."""
        service = self.broker.service(on_lost=lambda reason: stopping.append(service.stopService()))
        stopping: list[Deferred[None]] = []
        service.startService()
        self.broker.settle()
        self.cut()
        self.got(stopping[0])
        self.broker.advance(100)
        self.assertEqual(self.broker.links, [])
        self.assertEqual(len(stopping), 1)

    def test_started_again_while_it_leaves(self) -> None:
        service = self.starts()
        self.got(service.subscribe(QUEUE, lambda message: Deferred()))
        service.send(QUEUE, "1")
        self.broker.settle()
        stopping = [service.stopService(), service.stopService()]
        service.startService()
        self.assertNoResult(stopping[1])
        self.broker.advance(5)
        for one in stopping:
            self.successResultOf(one)
        self.broker.advance(5)
        self.assertTrue(service.connected)
        self.assertEqual(len(self.broker.links), 1)
        self.got(service.send(QUEUE, "2", receipt=True))

    def test_a_block_that_can_not_begin_leaves_nothing_behind(self) -> None:
        async def story(service: StompClientService) -> None:
            async with service:
                self.fail("there is no broker")

        self.broker.is_down = True
        service = self.broker.service(retry=Retry(attempts=2))
        with self.assertRaises(ConnectionRefusedError):
            self.broker.run(story(service))
        service = self.broker.service()
        beginning = Deferred.fromCoroutine(story(service))
        self.broker.advance(1)
        beginning.cancel()
        self.failureResultOf(beginning, CancelledError)
        self.assertFalse(service.running)
        self.broker.is_down = False
        self.broker.advance(100)
        self.assertEqual(self.broker.links, [])

    def test_as_a_block(self) -> None:
        async def story() -> None:
            async with self.broker.service() as client:
                await client.send(QUEUE, "hello")

        self.broker.run(story())
        self.assertEqual(self.broker.waiting(QUEUE), [b"hello"])
        self.assertEqual(self.broker.links, [])


class NothingIsLostTests(ServiceCase):
    """A network that cuts the connection anywhere, a hundred times."""

    def test_nothing_lost_nothing_twice_and_the_order_kept(self) -> None:
        for seed in range(5):
            self.broker = MemoryBroker()
            sent = self.broker.run(self.send_through_cuts(Random(seed)))
            self.assertGreater(sent, 300)
            self.assertEqual(self.broker.waiting(QUEUE), [b"%d" % number for number in range(sent)])

    async def send_through_cuts(self, random: Random) -> int:
        """How many messages it took."""
        cuts = 100

        def faults() -> Faults:
            nonlocal cuts
            cuts -= 1
            after = random.randrange(150, 3000)
            if cuts < 0:
                return Faults()
            return random.choice((Faults(cut_after_sent=after), Faults(cut_after_received=after)))

        sent = 0
        retry = Retry(initial=0.1, maximum=0.1)
        async with self.broker.service(faults=faults, window=20, retry=retry) as service:
            while cuts >= 0:
                await service.send(QUEUE, f"{sent}")
                sent += 1
            await service.send(QUEUE, f"{sent}", receipt=True)
        return sent + 1


def _subscribes(broker: MemoryBroker) -> list[bytes]:
    frames = bytes(broker.links[-1].server.octets).split(b"\0")
    found = [frame.strip() for frame in frames if frame.strip().startswith(b"SUBSCRIBE")]
    return [
        b"\n".join(line for line in one.split(b"\n") if not line.startswith(b"receipt:")) for one in found
    ]


def _one_consumer() -> Any:
    from stomp_tx.broker.policy import Policies, Policy

    return Policies(Policy(), [("/queue/only", Policy(consumers=1))])
