"""resuming.py: what is done again on the next connection."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from stomp_tx.client import (
    ConnectionLost,
    ErrorReceived,
    StaleMessage,
    Subscription,
    SubscriptionEnded,
)
from stomp_tx.errors import FrameError, ProtocolViolation
from stomp_tx.testing import Faults, MemoryBroker
from tests.client.serving import QUEUE, ServiceCase


class ErrorsWithoutReceiptTests(ServiceCase):
    """A broker whose ERROR frames do not say what they are about."""

    def setUp(self) -> None:
        super().setUp()
        self.broker = MemoryBroker(server="Other/1")
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

    def test_an_end_that_is_about_nothing_is_nobodys_fault(self) -> None:
        """The broker stops, and stops again while what was outstanding is done one by one."""
        service = self.starts()
        heard: list[bytes] = []
        self.got(service.subscribe("/queue/b", lambda message: heard.append(message.body)))
        for number in range(20):
            service.send(QUEUE, f"{number}")
        for _ in range(2):
            for session in list(self.broker.factory.sessions):
                session.shut_down()
            self.broker.advance(0.2)
        self.broker.advance(30)
        self.got(service.send("/queue/b", "hello", receipt=True))
        self.assertEqual(self.broker.waiting(QUEUE), [b"%d" % number for number in range(20)])
        self.assertEqual(heard, [b"hello"])

    def test_one_that_is_ended_while_others_are_made_one_by_one(self) -> None:
        faults = iter([Faults(), Faults(delay=1)])
        service = self.starts(faults=lambda: next(faults))
        first, second = (self.got(service.subscribe(name)) for name in ("/queue/a", "/queue/b"))
        (session,) = self.broker.factory.sessions
        session.shut_down()
        self.broker.advance(1)
        second.unsubscribe()
        self.broker.advance(20)
        self.assertEqual(len(_subscribes(self.broker)), 1)
        self.assertFalse(first.ended)


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
        self.failureResultOf(later.next(), SubscriptionEnded)

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
        self.failureResultOf(first.next(), ErrorReceived)
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

    def length_of_connected(self) -> int:
        client = self.broker.client()
        octets = len(self.broker.links[0].client.octets)
        self.got(client.disconnect())
        return octets

    def test_a_receipt_that_is_late_is_a_dead_connection(self) -> None:
        """What is not receipted in time may be safe, and may not: nothing is given up for it."""
        faults = iter([Faults(drop_after_received=self.length_of_connected()), Faults()])
        service = self.starts(receipt_timeout=5, heart_beat_ms=(0, 0), faults=lambda: next(faults))
        heard: list[bytes] = []
        self.got(service.subscribe("/queue/b", lambda message: heard.append(message.body), receipt=False))
        for number in range(5):
            service.send(QUEUE, f"{number}")
        self.broker.advance(10)
        self.assertEqual(service.unconfirmed, 0)
        self.assertEqual(self.broker.waiting(QUEUE), [b"%d" % number for number in range(5)])
        self.got(service.send("/queue/b", "hello", receipt=True))
        self.assertEqual(heard, [b"hello"])

    def test_a_broker_that_does_not_answer_subscribe_is_left_in_time(self) -> None:
        faults = iter([Faults(), Faults(drop_after_received=self.length_of_connected()), Faults()])
        service = self.starts(connect_timeout=5, heart_beat_ms=(0, 0), faults=lambda: next(faults))
        inbox = self.got(service.subscribe(QUEUE))
        self.cut(1)
        self.assertFalse(service.connected)
        self.broker.advance(6)
        self.assertTrue(service.connected)
        self.got(service.send(QUEUE, "hello", receipt=True))
        self.assertEqual(self.got(inbox.next()).body, b"hello")

    def test_those_that_have_ended_are_forgotten(self) -> None:
        service = self.starts()
        made: weakref.WeakSet[Subscription] = weakref.WeakSet()
        for _ in range(10):
            subscription = self.got(service.subscribe(QUEUE))
            made.add(subscription)
            self.got(subscription.unsubscribe())
        del subscription
        gc.collect()
        self.assertEqual(len(made), 0)

    def test_a_name_of_the_users_is_no_name_of_ours(self) -> None:
        service = self.starts()
        self.got(service.subscribe("/queue/b", id="s1"))
        self.got(service.subscribe("/queue/c", id="s2"))
        for name in ("/queue/d", "/queue/e"):
            self.got(service.subscribe(name))

    def test_wrong_arguments_are_the_callers_alone(self) -> None:
        service = self.starts()
        for wrong in (
            service.subscribe(QUEUE, id=5),  # type: ignore[arg-type]
            service.subscribe(QUEUE, durable=7),  # type: ignore[arg-type]
            service.subscribe(QUEUE, headers={"a": 0.5}),  # type: ignore[dict-item]
            service.subscribe(QUEUE, prefetch=-1),
        ):
            self.fails(wrong, TypeError, ValueError, FrameError)
        self.cut()
        self.got(service.subscribe(QUEUE))


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


def _subscribes(broker: MemoryBroker) -> list[bytes]:
    frames = bytes(broker.links[-1].server.octets).split(b"\0")
    found = [frame.strip() for frame in frames if frame.strip().startswith(b"SUBSCRIBE")]
    return [
        b"\n".join(line for line in one.split(b"\n") if not line.startswith(b"receipt:")) for one in found
    ]


def _one_consumer() -> Any:
    from stomp_tx.broker.policy import Policies, Policy

    return Policies(Policy(), [("/queue/only", Policy(consumers=1))])
