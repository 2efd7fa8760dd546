"""What a user of the client may rely on, with the real broker at the other end."""

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import ConnectionLost, ErrorReceived, StompClient, SubscriptionEnded
from stomp_tx.errors import FrameError, ProtocolViolation
from tests.client.wiring import World


class Refused(Exception):
    """What a handler raises."""


class ClientTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.client = self.world.connect()

    def got(self, deferred):
        """The result, once everybody is silent."""
        self.world.runs()
        return self.successResultOf(deferred)

    def does(self, work):
        return self.successResultOf(self.world.does(work))

    def fails(self, deferred, error):
        self.world.runs()
        return self.failureResultOf(deferred, error).value


class ConnectedTests(ClientTests):
    def test_client_knows_what_was_agreed(self):
        self.assertEqual(self.client.version, "1.2")
        self.assertIn("stomp-tx", self.client.headers["server"])
        self.assertTrue(self.client.connected)

    def test_highest_common_version_is_agreed_on(self):
        self.assertEqual(self.world.connect(versions=("1.0", "1.1")).version, "1.1")
        self.assertEqual(self.world.connect(versions=("1.0",)).version, "1.0")


class SendTests(ClientTests):
    def received(self, *destinations):
        """The next message of each."""
        got = []
        for destination in destinations:
            subscription = self.got(self.client.subscribe(destination))
            got.append(self.got(subscription.next()))
        return got

    def test_without_receipt_it_fires_at_once(self):
        self.successResultOf(self.client.send("/queue/a", b"hello"))

    def test_with_receipt_it_fires_when_the_broker_says_so(self):
        sending = self.client.send("/queue/a", b"hello", receipt=True)
        self.assertNoResult(sending)
        self.assertIsNone(self.got(sending))

    def test_body_and_headers_arrive(self):
        self.client.send("/queue/a", b"\0\xff", headers={"a:b": "c\nd\\"}, content_type="x/y")
        (message,) = self.received("/queue/a")
        self.assertEqual(message.body, b"\0\xff")
        self.assertEqual(message.headers["a:b"], "c\nd\\")
        self.assertEqual(message.headers["content-type"], "x/y")
        self.assertEqual(message.destination, "/queue/a")
        self.assertFalse(message.redelivered)

    def test_text_is_utf_8_and_says_so(self):
        self.client.send("/queue/a", "Grüße")
        (message,) = self.received("/queue/a")
        self.assertEqual(message.text(), "Grüße")
        self.assertEqual(message.headers["content-type"], "text/plain")

    def test_headers_may_say_the_content_type(self):
        self.client.send("/queue/a", "{}", headers={"content-type": "application/json"})
        self.assertEqual(self.received("/queue/a")[0].headers["content-type"], "application/json")

    def test_many_to_many_destinations_stay_apart(self):
        for number in range(10):
            self.client.send(f"/queue/{number % 3}", f"{number}", headers={"n": "x"} if number % 2 else None)
        first = self.received("/queue/0", "/queue/1", "/queue/2")
        self.assertEqual([message.text() for message in first], ["0", "1", "2"])

    def test_what_cannot_be_sent_fails_and_harms_nobody(self):
        old = self.world.connect(versions=("1.0",))
        self.fails(old.send("/queue/a", b"", headers={"a": "b\nc"}), FrameError)
        self.fails(old.send("/queue/a", b"", headers={"a": "b\nc"}, receipt=True), FrameError)
        self.got(old.send("/queue/a", b"", receipt=True))
        self.got(old.disconnect())

    def test_headers_that_have_an_argument_are_refused(self):
        for name in ("content-length", "receipt", "transaction"):
            self.fails(self.client.send("/queue/a", b"", headers={name: "1"}), FrameError)

    def test_more_destinations_than_are_remembered(self):
        for number in range(1500):
            self.client.send(f"/queue/{number}", b"%d" % number)
        self.assertEqual(self.received("/queue/1499")[0].body, b"1499")

    def test_ten_thousand_in_one_turn(self):
        async def work():
            for number in range(10_000):
                await self.client.send("/queue/a", b"%d" % number)

        self.does(work())
        self.assertEqual(len(self.world.waiting()), 10_000)


class BackPressureTests(ClientTests):
    def test_send_waits_while_the_transport_is_full(self):
        pipe = self.world.pipe
        pipe.room = 100_000
        sent = 0

        async def work():
            nonlocal sent
            for _ in range(1000):
                await self.client.send("/queue/a", bytes(1000))
                sent += 1

        working = Deferred.fromCoroutine(work())
        self.assertNoResult(working)
        self.assertLess(sent, 250)
        self.got(working)
        self.assertEqual(sent, 1000)

    def test_those_who_wait_go_on_in_order(self):
        pipe = self.world.pipe
        pipe.room = 1000
        order = []
        for number in range(200):
            self.client.send("/queue/a", bytes(1000)).addCallback(
                lambda _, number=number: order.append(number)
            )
        self.assertLess(len(order), 200)
        self.world.runs()
        self.assertEqual(order, list(range(200)))

    def test_waiting_may_be_cancelled(self):
        self.world.pipe.room = 1000
        sending = [self.client.send("/queue/a", bytes(1000)) for _ in range(200)]
        sending[-1].cancel()
        self.failureResultOf(sending[-1])
        self.got(sending[-2])

    def test_loss_fails_those_who_wait(self):
        self.world.pipe.room = 1000
        sending = [self.client.send("/queue/a", bytes(1000)) for _ in range(200)]
        self.world.cut()
        self.failureResultOf(sending[-1], ConnectionLost)


class ErrorTests(ClientTests):
    def test_error_goes_to_whom_it_names_and_the_rest_is_lost(self):
        before = self.client.send("/queue/a", b"", receipt=True)
        wrong = self.client.send("/queue/a\n", b"", receipt=True)
        after = self.client.send("/queue/a", b"", receipt=True)
        self.got(before)
        error = self.failureResultOf(wrong, ErrorReceived).value
        self.assertIn("control characters in a destination", str(error))
        self.assertIn("/queue/a", error.detail)
        self.assertIn("receipt-id", error.headers)
        lost = self.failureResultOf(after, ConnectionLost).value
        self.assertIn("control characters", str(lost))
        self.assertIs(lost.__cause__, error)

    def test_after_it_everything_fails_at_once(self):
        subscription = self.got(self.client.subscribe("/queue/a"))
        self.client.subscribe("/queue/b", headers={"prefetch-count": "x"}).addErrback(lambda _: None)
        self.world.runs()
        self.assertFalse(self.client.connected)
        for again in (
            self.client.send("/queue/a", b""),
            self.client.send("/queue/a", b"", receipt=True),
            self.client.subscribe("/queue/c"),
            self.client.transaction().begin(),
        ):
            self.failureResultOf(again, ConnectionLost)
        self.failureResultOf(subscription.next(), ErrorReceived)
        self.successResultOf(subscription.unsubscribe())
        self.successResultOf(self.client.disconnect())

    def test_when_closed_tells_why(self):
        closed = self.client.when_closed()
        self.client.subscribe("/queue/b", headers={"prefetch-count": "x"}).addErrback(lambda _: None)
        self.assertNoResult(closed)
        self.assertIsInstance(self.got(closed), ErrorReceived)
        self.assertIsInstance(self.successResultOf(self.client.when_closed()), ErrorReceived)


class LossTests(ClientTests):
    def test_loss_fails_everything_outstanding(self):
        subscription = self.got(self.client.subscribe("/queue/a"))
        waiting = [
            subscription.next(),
            self.client.send("/queue/a", b"", receipt=True),
            self.client.subscribe("/queue/b"),
            self.client.disconnect(),
        ]
        closed = self.client.when_closed()
        self.world.cut()
        self.failureResultOf(waiting.pop(0), SubscriptionEnded)  # disconnect() had ended it before
        for one in waiting:
            error = self.failureResultOf(one, ConnectionLost).value
            self.assertIn("the connection was lost", str(error))
        self.assertIsInstance(self.successResultOf(closed), ConnectionLost)

    def test_state_comes_before_user_code(self):
        seen = []
        sending = self.client.send("/queue/a", b"", receipt=True)
        sending.addErrback(lambda _: seen.append(self.client.connected))
        self.world.cut()
        self.assertEqual(seen, [False])

    def test_each_who_waits_gets_an_error_of_its_own(self):
        one, two = (self.client.send("/queue/a", b"", receipt=True) for _ in range(2))
        self.world.cut()
        self.assertIsNot(self.failureResultOf(one).value, self.failureResultOf(two).value)

    def test_one_who_is_told_may_cancel_another(self):
        self.world.pipe.room = 1000
        waiting = [self.client.send("/queue/a", b"", receipt=True) for _ in range(2)]
        waiting += [self.client.send("/queue/a", bytes(70_000)) for _ in range(2)]
        waiting += [self.client.when_closed() for _ in range(2)]
        for one, other in zip(waiting[::2], waiting[1::2], strict=True):
            one.addBoth(lambda _, other=other: other.cancel())
        self.world.cut()
        for other in waiting[1::2]:
            self.failureResultOf(other, CancelledError)

    def test_nobody_waiting_is_no_unhandled_error(self):
        for _ in range(3):
            self.client.send("/queue/a", b"", receipt=True)
        self.world.cut()
        self.client.send("/queue/a", b"")
        # Trial fails a test that leaves a logged error behind.
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_asking_when_closed_may_be_cancelled(self):
        closed = self.client.when_closed()
        closed.cancel()
        self.failureResultOf(closed)
        self.world.cut()


class DisconnectTests(ClientTests):
    def test_connection_ends_in_order(self):
        closed = self.client.when_closed()
        self.assertIsNone(self.got(self.client.disconnect()))
        self.assertIsNone(self.successResultOf(closed))
        self.assertIn(b"DISCONNECT\nreceipt:", self.world.said)
        self.assertFalse(self.client.connected)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_may_be_called_again(self):
        first, second = self.client.disconnect(), self.client.disconnect()
        self.got(first)
        self.got(second)
        self.got(self.client.disconnect())
        self.assertEqual(self.world.said.count(b"DISCONNECT"), 1)

    def test_what_was_sent_before_has_arrived(self):
        self.client.send("/queue/a", b"hello")
        self.got(self.client.disconnect())
        other = self.world.connect()
        self.assertEqual(self.got(self.got(other.subscribe("/queue/a")).next()).body, b"hello")

    def test_outstanding_receipts_come_first(self):
        sending = self.client.send("/queue/a", b"hello", receipt=True)
        leaving = self.client.disconnect()
        self.assertNotIn(b"DISCONNECT", self.world.said)
        self.got(sending)
        self.got(leaving)

    def test_handlers_finish_first(self):
        work = Deferred()

        async def handler(message):
            await work
            await message.ack(receipt=True)

        self.got(self.client.subscribe("/queue/a", handler, ack="client-individual"))
        self.client.send("/queue/a", b"hello")
        self.world.runs()
        leaving = self.client.disconnect()
        self.world.runs()
        self.assertNoResult(leaving)
        self.assertNotIn(b"DISCONNECT", self.world.said)
        work.callback(None)
        self.got(leaving)
        self.assertLess(self.world.said.index(b"ACK\n"), self.world.said.index(b"DISCONNECT"))

    def test_handler_that_never_finishes_is_left_behind(self):
        self.got(self.client.subscribe("/queue/a", lambda message: Deferred(), ack="client"))
        self.client.send("/queue/a", b"hello")
        self.world.runs()
        leaving = self.client.disconnect()
        self.world.clock.advance(5)
        self.got(leaving)

    def test_handler_may_disconnect(self):
        left = []

        async def handler(message):
            await message.ack()
            await self.client.disconnect()
            left.append(message)

        self.got(self.client.subscribe("/queue/a", handler, ack="client"))
        self.got(self.client.send("/queue/a", b"hello"))
        self.assertEqual(len(left), 1)

    def test_deliveries_stop_at_once(self):
        got = []
        self.got(self.client.subscribe("/queue/a", got.append))
        self.client.send("/queue/a", b"hello", receipt=True)
        leaving = self.client.disconnect()
        self.got(leaving)
        self.assertEqual(got, [])

    def test_nothing_can_be_subscribed_to_while_leaving(self):
        self.client.disconnect()
        self.failureResultOf(self.client.subscribe("/queue/a"), ConnectionLost)

    def test_async_with_disconnects(self):
        async def work():
            async with self.client as client:
                self.assertIsInstance(client, StompClient)

        self.does(work())
        self.assertFalse(self.client.connected)

    def test_async_with_lets_errors_out(self):
        async def work():
            async with self.client:
                raise Refused

        self.failureResultOf(self.world.does(work()), Refused)
        self.assertFalse(self.client.connected)


class TransactionTests(ClientTests):
    def test_leaving_the_block_commits(self):
        async def work():
            async with self.client.transaction() as transaction:
                await transaction.send("/queue/a", b"one")
                await self.client.send("/queue/a", b"two", transaction=transaction)
                self.assertEqual(self.world.waiting(), [])
            self.assertEqual(self.world.waiting(), [b"one", b"two"])

        self.does(work())

    def test_exception_aborts_and_goes_on(self):
        async def work():
            async with self.client.transaction() as transaction:
                await transaction.send("/queue/a", b"one")
                raise Refused

        self.failureResultOf(self.world.does(work()), Refused)
        self.assertEqual(self.world.waiting(), [])
        self.assertIn(b"ABORT", self.world.said)
        self.assertTrue(self.client.connected)

    def test_exception_of_the_block_is_kept_when_the_connection_is_lost(self):
        async def work():
            async with self.client.transaction():
                self.world.cut()
                raise Refused

        self.failureResultOf(Deferred.fromCoroutine(work()), Refused)

    def test_inline_callbacks(self):
        @inlineCallbacks
        def work():
            transaction = yield self.client.transaction().begin()
            yield transaction.send("/queue/a", b"one")
            yield transaction.commit()
            transaction = yield self.client.transaction().begin()
            yield transaction.send("/queue/a", b"two")
            yield transaction.abort(receipt=True)

        working = work()
        self.got(working)
        self.assertEqual(self.world.waiting(), [b"one"])

    def test_transaction_that_is_not_open_does_nothing(self):
        transaction = self.client.transaction()
        self.fails(transaction.send("/queue/a", b""), ProtocolViolation)
        self.fails(transaction.commit(), ProtocolViolation)
        self.got(transaction.begin())
        self.fails(transaction.begin(), ProtocolViolation)
        self.got(transaction.commit())
        self.fails(transaction.abort(), ProtocolViolation)
        self.fails(self.client.send("/queue/a", b"", transaction=transaction), ProtocolViolation)
        self.assertTrue(self.client.connected)

    def test_block_may_end_it_by_hand(self):
        async def work():
            async with self.client.transaction() as transaction:
                await transaction.send("/queue/a", b"one")
                await transaction.abort()

        self.does(work())
        self.assertEqual(self.world.waiting(), [])

    def subscribed(self, ack, *bodies):
        subscription = self.got(self.client.subscribe("/queue/a", ack=ack))
        for body in bodies:
            self.client.send("/queue/a", body)
        return subscription, [self.got(subscription.next()) for _ in bodies]

    def test_abort_makes_messages_to_be_acknowledged_again(self):
        for ack in ("client", "client-individual"):
            subscription, (one, two) = self.subscribed(ack, b"one", b"two")
            transaction = self.got(self.client.transaction().begin())
            self.got(transaction.ack(two))
            self.fails(two.ack(), ProtocolViolation)
            self.got(transaction.abort())
            self.got(one.ack(receipt=True))
            self.got(two.ack(receipt=True))
            self.got(subscription.unsubscribe())
            self.assertEqual(self.world.waiting(), [])

    def test_nack_in_a_transaction_happens_at_commit(self):
        _, (one,) = self.subscribed("client", b"one")
        transaction = self.got(self.client.transaction().begin())
        self.got(transaction.nack(one))
        self.got(transaction.commit())
        self.fails(one.ack(), ProtocolViolation)

    def test_transaction_of_another_connection_is_refused(self):
        _, (one,) = self.subscribed("client", b"one")
        other = self.got(self.world.connect().transaction().begin())
        self.fails(one.ack(transaction=other), ProtocolViolation)
        self.got(one.ack(receipt=True))


class ReprTests(ClientTests):
    def test_it_tells_the_broker_the_state_and_what_is_outstanding(self):
        secret = self.world.connect(login="ann", passcode="open-sesame")
        self.got(secret.subscribe("/queue/a"))
        secret.send("/queue/a", b"private", receipt=True)
        server = secret.headers["server"]
        self.assertEqual(
            repr(secret),
            f"<StompClient {secret._session.status.peer} ({server!a}), STOMP 1.2,"
            " connected, subscriptions: 1, receipts: 1>",
        )

    def test_it_tells_how_it_ended(self):
        other = self.world.connect()
        self.got(other.disconnect())
        self.assertRegex(repr(other), r"^<StompClient .*, STOMP 1.2, disconnected>$")
        self.world.cut()
        self.assertRegex(repr(self.client), r", over: the connection was lost: .*>$")
