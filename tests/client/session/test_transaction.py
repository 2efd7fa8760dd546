"""transaction.py, replayed.py: what happens together or not at all."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from stomp_tx.client import (
    ConnectionLost,
    ErrorReceived,
    StompClientService,
    TransactionLost,
)
from stomp_tx.errors import FrameError, ProtocolViolation
from stomp_tx.testing import Faults, MemoryBroker
from tests.client.serving import QUEUE, ServiceCase


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
        service = self.starts(versions=("1.0",))
        transaction = service.replayed_transaction()
        transaction.send(QUEUE, "1")
        transaction.send(QUEUE, "2", headers={"colour": "red\ngreen"})
        self.failureResultOf(transaction.send(QUEUE, object()), TypeError)
        self.fails(transaction.commit(), FrameError)
        self.failureResultOf(transaction.commit(), ProtocolViolation)
        self.failureResultOf(transaction.send(QUEUE, "3"), ProtocolViolation)
        self.assertEqual(self.broker.waiting(QUEUE), [])
        self.assertTrue(service.connected)

    def test_a_replayed_one_of_a_service_that_has_stopped(self) -> None:
        service = self.starts()
        transaction = service.replayed_transaction()
        transaction.send(QUEUE, "1")
        self.got(service.stopService())
        self.failureResultOf(transaction.commit(), ConnectionLost)
        service.startService()
        self.broker.advance(1)
        self.assertEqual(self.broker.waiting(QUEUE), [])

    def test_a_replayed_one_that_the_broker_refuses_fails_alone(self) -> None:
        service = self.starts()
        transaction = service.replayed_transaction()
        transaction.send(QUEUE, "1")
        transaction.send("/exchange/nope/x", "2")
        committing, other = transaction.commit(), service.send("/queue/b", "3", receipt=True)
        self.broker.advance(10)
        self.failureResultOf(committing, ErrorReceived)
        self.successResultOf(other)
        self.assertEqual(self.broker.waiting(QUEUE), [])


class ReprTests(ServiceCase):
    def test_it_tells_how_it_is(self) -> None:
        service = self.starts()
        transaction = service.transaction()
        self.assertEqual(repr(transaction), "<Transaction has not begun>")
        self.got(transaction.begin())
        self.assertEqual(repr(transaction), "<Transaction '1' is open>")
        self.got(transaction.commit())
        self.assertEqual(repr(transaction), "<Transaction '1' is over>")

    def test_a_replayed_one_tells_how_many_messages_it_has(self) -> None:
        transaction = self.starts().replayed_transaction()
        transaction.send(QUEUE, "1")
        self.assertEqual(repr(transaction), "<ReplayedTransaction messages: 1>")
        transaction.abort()
        self.assertEqual(repr(transaction), "<ReplayedTransaction is over>")
