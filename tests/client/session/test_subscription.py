import asyncio
import gc

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks, succeed

from stomp_tx.client import ConnectionLost, ErrorReceived, SubscriptionEnded
from stomp_tx.errors import FrameError, ProtocolViolation
from tests.client.test_client import ClientTests, Refused
from tests.client.wiring import World


class SubscriptionTests(ClientTests):
    def subscribes(self, handler=None, destination="/queue/a", client=None, **more):
        return self.got((client or self.client).subscribe(destination, handler, **more))

    def sends(self, *bodies):
        for body in bodies:
            self.client.send("/queue/a", body)
        self.world.runs()


class HandlerTests(SubscriptionTests):
    def test_plain_function_is_called_with_each_message_in_order(self):
        got = []
        self.subscribes(got.append)
        self.sends(b"1", b"2", b"3")
        self.assertEqual([message.body for message in got], [b"1", b"2", b"3"])

    def test_broker_is_asked_for_auto(self):
        self.subscribes(lambda message: None)
        self.assertIn(b"\nack:auto\n", self.world.said)
        self.assertNotIn(b"prefetch", self.world.said)

    def test_async_def_is_run(self):
        got = []

        async def handler(message):
            await self.client.send("/queue/b", b"", receipt=True)
            got.append(message.body)

        self.subscribes(handler)
        self.sends(b"1", b"2")
        self.assertEqual(got, [b"1", b"2"])

    def test_prefetch_bounds_the_calls_under_way(self):
        for ack in ("auto", "client-individual"):
            self.world = World()
            self.client = self.world.connect()
            calls, work = [], Deferred()

            async def handler(message, calls=calls, work=work, ack=ack):
                calls.append(message.body)
                await work
                if ack != "auto":
                    await message.ack()

            self.subscribes(handler, ack=ack, prefetch=2)
            self.sends(b"1", b"2", b"3", b"4")
            self.assertEqual(calls, [b"1", b"2"])
            work.callback(None)
            self.world.runs()
            self.assertEqual(calls, [b"1", b"2", b"3", b"4"])

    def test_calls_that_take_their_time_are_bounded_by_default(self):
        calls = []

        async def handler(message):
            calls.append(message)
            await Deferred()

        self.subscribes(handler)
        self.sends(*[b"x"] * 200)
        self.assertEqual(len(calls), 100)

    def test_plain_function_may_have_a_prefetch(self):
        got = []
        self.subscribes(got.append, prefetch=1)
        self.sends(b"1", b"2", b"3")
        self.assertEqual([message.body for message in got], [b"1", b"2", b"3"])
        self.assertIn(b"\nack:client-individual\n", self.world.said)
        self.assertEqual(self.world.said.count(b"ACK\n"), 3)

    def test_failure_is_logged_and_nacked(self):
        def plain(message):
            raise Refused

        async def coroutine(message):
            raise Refused

        for handler in (plain, coroutine):
            subscription = self.subscribes(handler, ack="client-individual")
            self.sends(b"1")
            self.assertEqual(len(self.flushLoggedErrors(Refused)), 1)
            self.assertIn(b"NACK", self.world.said)
            self.got(subscription.unsubscribe())
            self.assertEqual(self.world.waiting(), [b"1"])
            self.world = World()
            self.client = self.world.connect()

    def test_nacked_message_comes_again_and_says_so(self):
        got = []

        def handler(message):
            got.append(message.redelivered)
            if len(got) == 1:
                raise Refused
            message.ack()

        self.subscribes(handler, ack="client")
        self.sends(b"1")
        self.world.clock.advance(1)
        self.world.runs()
        self.flushLoggedErrors(Refused)
        self.assertEqual(got, [False, True])

    def test_failure_in_mode_auto_is_logged_only(self):
        def handler(message):
            raise Refused

        for prefetch in (0, 1):
            self.subscribes(handler, prefetch=prefetch, destination=f"/queue/{prefetch}")
            self.client.send(f"/queue/{prefetch}", b"1")
            self.client.send(f"/queue/{prefetch}", b"2")
            self.world.runs()
            self.assertEqual(len(self.flushLoggedErrors(Refused)), 2)
        self.assertNotIn(b"NACK", self.world.said)

    def test_failure_after_the_ack_is_only_logged(self):
        async def handler(message):
            await message.ack()
            raise Refused

        self.subscribes(handler, ack="client-individual")
        self.sends(b"1")
        self.flushLoggedErrors(Refused)
        self.assertNotIn(b"NACK", self.world.said)
        self.assertTrue(self.client.connected)

    def test_failure_in_1_0_leaves_the_message_unacknowledged(self):
        def handler(message):
            raise Refused

        old = self.world.connect(versions=("1.0",))
        self.subscribes(handler, client=old, ack="client")
        self.sends(b"1")
        self.flushLoggedErrors(Refused)
        self.assertTrue(old.connected)
        self.got(old.disconnect())
        self.assertEqual(self.world.waiting(), [b"1"])

    def test_failing_for_the_loss_is_not_logged_again(self):
        work = Deferred()

        async def handler(message):
            await work
            await message.ack()

        self.subscribes(handler, ack="client")
        self.sends(b"1")
        self.world.cut()
        work.callback(None)
        self.assertEqual(len(self.client._session.active_work), 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_handler_may_unsubscribe(self):
        got = []

        async def handler(message):
            got.append(message.body)
            await message.ack()
            await message.subscription.unsubscribe()

        self.subscribes(handler, ack="client-individual")
        self.sends(b"1", b"2")
        self.assertEqual(got, [b"1"])
        self.assertEqual(self.world.waiting(), [b"2"])

    def test_there_is_no_next_beside_a_handler(self):
        subscription = self.subscribes(lambda message: None)
        self.failureResultOf(subscription.next(), TypeError)


class IterationTests(SubscriptionTests):
    def test_async_for_ends_with_the_subscription(self):
        got = []

        async def work():
            subscription = await self.client.subscribe("/queue/a")
            async for message in subscription:
                got.append(message.body)
                if message.body == b"3":
                    await subscription.unsubscribe()
            return "over"

        working = self.world.does(work())
        self.sends(b"1", b"2", b"3")
        self.assertEqual(self.successResultOf(working), "over")
        self.assertEqual(got, [b"1", b"2", b"3"])

    def test_inline_callbacks(self):
        got = []

        @inlineCallbacks
        def work():
            subscription = yield self.client.subscribe("/queue/a")
            try:
                while True:
                    got.append((yield subscription.next()).body)
            except SubscriptionEnded:
                got.append("over")

        working = work()
        self.sends(b"1", b"2")
        self.got(self.client.disconnect())
        self.successResultOf(working)
        self.assertEqual(got, [b"1", b"2", "over"])

    def test_async_for_raises_when_the_connection_is_lost(self):
        async def work():
            async for _ in await self.client.subscribe("/queue/a"):
                pass

        working = self.world.does(work())
        self.world.cut()
        self.failureResultOf(working, ConnectionLost)

    def test_prefetch_bounds_what_waits_here(self):
        for ack in ("auto", "client", "client-individual"):
            self.world = World()
            self.client = self.world.connect()
            subscription = self.subscribes(ack=ack, prefetch=3)
            self.sends(*(b"%d" % number for number in range(10)))
            self.assertEqual(len(self.world.waiting()), 7)
            message = self.got(subscription.next())
            if ack != "auto":
                self.got(message.ack())
            self.assertEqual(len(self.world.waiting()), 6)

    def test_there_is_a_bound_by_default(self):
        for ack in ("auto", "client", "client-individual"):
            self.world = World()
            self.client = self.world.connect()
            self.subscribes(ack=ack)
            self.sends(*[b""] * 150)
            self.assertEqual(len(self.world.waiting()), 50)

    def test_receipts_pass_messages_that_wait(self):
        relayed = []

        async def work():
            async for message in await self.client.subscribe("/queue/a", prefetch=2):
                await self.client.send("/queue/b", message.body, receipt=True)
                relayed.append(message.body)

        self.world.does(work())
        self.sends(*[b"1"] * 20)
        self.assertEqual(len(relayed), 20)

    def test_mode_auto_loses_nothing_that_was_not_taken(self):
        subscription = self.subscribes()
        self.sends(b"1", b"2", b"3")
        self.assertEqual(self.got(subscription.next()).body, b"1")
        self.world.cut()
        self.failureResultOf(subscription.next(), ConnectionLost)
        self.assertEqual(self.world.waiting(), [b"2", b"3"])

    def test_mode_auto_without_prefetch_is_the_brokers(self):
        subscription = self.subscribes(prefetch=0)
        self.assertIn(b"\nack:auto\n", self.world.said)
        self.sends(b"1", b"2")
        self.world.cut()
        # The broker has forgotten them: they can still be taken, and then the loss is told.
        self.assertEqual([self.got(subscription.next()).body for _ in range(2)], [b"1", b"2"])
        self.failureResultOf(subscription.next(), ConnectionLost)

    def test_cancelled_next_takes_no_message(self):
        subscription = self.subscribes()
        first, second = subscription.next(), subscription.next()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.sends(b"1")
        self.assertEqual(self.successResultOf(second).body, b"1")

    def test_a_task_that_was_cancelled_when_its_message_had_come_has_not_taken_it(self):
        """A task of asyncio goes on later than what it waits for fires, and may be cancelled in between."""
        inbox = self.subscribes()
        awaiting = inbox.next().__await__()
        next(awaiting)
        self.sends(b"1", b"2")
        with self.assertRaises(asyncio.CancelledError):
            awaiting.throw(asyncio.CancelledError())
        self.assertNotIn(b"ACK\n", self.world.said)
        self.assertEqual([self.got(inbox.next()).body for _ in range(2)], [b"1", b"2"])
        self.world.runs()
        self.assertEqual(self.world.said.count(b"ACK\n"), 2)
        awaiting = inbox.next().__await__()
        next(awaiting)
        self.sends(b"3")
        other = inbox.next()
        with self.assertRaises(asyncio.CancelledError):
            awaiting.throw(asyncio.CancelledError())
        self.assertEqual(self.got(other).body, b"3")

    def test_what_was_not_taken_comes_once_when_the_connection_goes(self):
        inbox = self.subscribes()
        awaiting = inbox.next().__await__()
        next(awaiting)
        self.sends(b"1")
        self.world.cut()
        with self.assertRaises(asyncio.CancelledError):
            awaiting.throw(asyncio.CancelledError())
        self.failureResultOf(inbox.next(), ConnectionLost)
        self.assertEqual(self.world.waiting(), [b"1"])

    def test_those_who_wait_are_served_in_order(self):
        subscription = self.subscribes()
        waiting = [subscription.next() for _ in range(3)]
        self.sends(b"1", b"2", b"3")
        self.assertEqual([self.successResultOf(one).body for one in waiting], [b"1", b"2", b"3"])

    def test_all_who_wait_learn_of_the_end(self):
        subscription = self.subscribes()
        waiting = [subscription.next() for _ in range(3)]
        self.got(subscription.unsubscribe())
        for one in (*waiting, subscription.next()):
            ended = self.failureResultOf(one, SubscriptionEnded).value
            self.assertEqual(str(ended), "the subscription to /queue/a has ended")
            self.assertIn("no more messages come", ended.detail)

    def test_an_end_that_nobody_waits_for_is_no_unhandled_error(self):
        subscription = self.subscribes()
        subscription.next()
        self.got(subscription.unsubscribe())
        subscription.next()
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_error_frame_is_told_to_who_waits_and_to_who_comes_later(self):
        subscription = self.subscribes()
        waiting = subscription.next()
        self.client.subscribe("/queue/b", headers={"prefetch-count": "x"}).addErrback(lambda _: None)
        self.world.runs()
        for one in (waiting, subscription.next()):
            self.failureResultOf(one, ErrorReceived)


class AcknowledgingTests(SubscriptionTests):
    def take(self, ack, *bodies, client=None):
        subscription = self.subscribes(ack=ack, client=client)
        self.sends(*bodies)
        return subscription, [self.got(subscription.next()) for _ in bodies]

    def test_every_version_and_mode(self):
        for version in ("1.0", "1.1", "1.2"):
            for ack in ("client", "client-individual"):
                client = self.world.connect(versions=(version,))
                subscription, (one, two) = self.take(ack, b"1", b"2", client=client)
                if ack == "client-individual":
                    self.got(client.ack(one, receipt=True))
                self.got(client.ack(two, receipt=True))
                self.got(subscription.unsubscribe())
                self.assertEqual(self.world.waiting(), [])
                self.got(client.disconnect())

    def test_cumulative_ack_covers_what_came_before(self):
        _, (one, two, three) = self.take("client", b"1", b"2", b"3")
        self.got(two.ack(receipt=True))
        self.fails(one.ack(), ProtocolViolation)
        self.got(three.ack(receipt=True))
        self.assertEqual(self.world.said.count(b"ACK\n"), 2)

    def test_twice_is_refused_here(self):
        _, (one,) = self.take("client-individual", b"1")
        self.got(one.ack())
        self.fails(one.ack(), ProtocolViolation)
        self.fails(one.nack(), ProtocolViolation)
        self.assertTrue(self.client.connected)

    def test_mode_auto_has_no_ack(self):
        _, (one,) = self.take("auto", b"1")
        self.fails(one.ack(), ProtocolViolation)
        self.fails(self.client.nack(one), ProtocolViolation)
        self.assertTrue(self.client.connected)

    def test_nack_puts_it_back(self):
        subscription, (one,) = self.take("client", b"1")
        self.got(self.client.nack(one, receipt=True))
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.waiting(), [b"1"])

    def test_1_0_has_no_nack(self):
        client = self.world.connect(versions=("1.0",))
        _, (one,) = self.take("client", b"1", client=client)
        self.fails(one.nack(), ProtocolViolation)
        self.got(one.ack(receipt=True))

    def test_after_the_loss_it_fails(self):
        _, (one,) = self.take("client", b"1")
        self.world.cut()
        self.failureResultOf(one.ack(), ConnectionLost)
        self.failureResultOf(self.client.nack(one), ConnectionLost)

    def test_after_the_end_of_the_subscription_it_fails(self):
        subscription, (one,) = self.take("client", b"1")
        self.got(subscription.unsubscribe())
        self.fails(one.ack(), ProtocolViolation)
        self.assertTrue(self.client.connected)


class UnsubscribeTests(SubscriptionTests):
    def test_id_may_be_used_again_when_it_has_been_answered(self):
        subscription = self.subscribes(id="a")
        self.fails(self.client.subscribe("/queue/b", id="a"), ProtocolViolation)
        leaving = self.client.unsubscribe(subscription)
        self.failureResultOf(self.client.subscribe("/queue/b", id="a"), ProtocolViolation)
        self.got(leaving)
        self.subscribes(id="a")

    def test_may_be_called_again(self):
        subscription = self.subscribes()
        self.got(subscription.unsubscribe())
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.said.count(b"UNSUBSCRIBE"), 1)

    def test_what_was_not_acknowledged_goes_to_others(self):
        subscription = self.subscribes(ack="client")
        self.sends(b"1", b"2")
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.waiting(), [b"1", b"2"])

    def test_ten_thousand_subscriptions_leave_nothing_behind(self):
        for _ in range(10_000):
            self.client.subscribe("/queue/a").addCallback(lambda one: one.unsubscribe())
            self.world.runs()
        session = self.client._session
        self.assertEqual((len(session.subscriptions), len(session._receipts)), (0, 0))

    def test_headers_that_cannot_be_sent_change_nothing(self):
        client = self.world.connect(versions=("1.0",))
        subscription = self.subscribes(client=client)
        self.fails(subscription.unsubscribe(headers={"a": "b\n"}), FrameError)
        self.assertFalse(subscription.ended)
        self.fails(client.subscribe("/queue/b", headers={"a": "b\n"}, id="b"), FrameError)
        self.subscribes(client=client, id="b", destination="/queue/b")

    def test_unknown_ack_mode_is_refused_here(self):
        self.failureResultOf(self.client.subscribe("/queue/a", ack="none"), ValueError)

    def test_subscribing_that_was_given_up_is_taken_back(self):
        subscribing = self.client.subscribe("/queue/a")
        subscribing.cancel()
        self.failureResultOf(subscribing, CancelledError)
        self.world.runs()
        self.sends(b"1")
        self.assertEqual(self.world.waiting(), [b"1"])
        self.assertEqual(len(self.client._session.subscriptions), 0)


class ConcurrencyTests(SubscriptionTests):
    def test_so_many_calls_are_at_work_and_no_more(self):
        for ack in ("auto", "client-individual"):
            self.world = World()
            self.client = self.world.connect()
            works = []

            async def handler(message, works=works):
                works.append(Deferred())
                async with message:
                    await works[-1]

            self.subscribes(handler, ack=ack, concurrency=2)
            self.sends(*(b"%d" % number for number in range(5)))
            done = 0
            while done < 5:
                self.assertEqual(len(works), min(done + 2, 5))
                works[done].callback(None)
                done += 1
                self.world.runs()
            self.assertEqual(self.world.waiting(), [])

    def test_what_waits_here_is_bounded_by_the_prefetch(self):
        self.subscribes(lambda message: Deferred(), concurrency=1, prefetch=3)
        self.sends(*(b"%d" % number for number in range(9)))
        self.assertEqual(len(self.world.waiting()), 6)

    def test_one_that_fails_lets_the_next_begin(self):
        works = []

        def handler(message):
            works.append(Deferred())
            return works[-1]

        self.subscribes(handler, concurrency=1)
        self.sends(b"1", b"2")
        works[0].errback(Refused())
        self.assertEqual(len(self.flushLoggedErrors(Refused)), 1)
        self.assertEqual(len(works), 2)

    def test_those_that_have_not_begun_when_it_ends_never_do(self):
        works = []

        def handler(message):
            works.append(Deferred())
            return works[-1]

        subscription = self.subscribes(handler, concurrency=1)
        self.sends(b"1", b"2")
        self.got(subscription.unsubscribe())
        works[0].callback(None)
        self.assertEqual(len(works), 1)
        self.assertEqual(self.world.waiting(), [b"1", b"2"])

    def test_calls_that_end_at_once_make_room_too(self):
        """Whether they return, or raise, or are done when they are asked."""
        works, handled = [], []

        def handler(message):
            handled.append(message.body)
            if message.body == b"0":
                works.append(Deferred())
                return works[0]
            if message.body == b"1":
                raise ZeroDivisionError
            return succeed(None) if message.body == b"2" else None

        for ack in ("auto", "client-individual"):
            works.clear()
            handled.clear()
            subscription = self.subscribes(handler, ack=ack, concurrency=1)
            self.sends(*(b"%d" % number for number in range(5)))
            self.assertEqual(handled, [b"0"])
            works[0].callback(None)
            self.world.runs()
            self.assertEqual(handled[:5], [b"0", b"1", b"2", b"3", b"4"])
            self.got(subscription.unsubscribe())
            self.flushLoggedErrors(ZeroDivisionError)

    def test_thousands_that_wait_are_all_handled(self):
        handled, work = [], Deferred()

        async def handler(message):
            if not handled:
                handled.append(message.body)
                await work
            else:
                handled.append(message.body)
            await message.ack()

        self.subscribes(handler, ack="client-individual", concurrency=1, prefetch=2000)
        self.sends(*(b"%d" % number for number in range(2000)))
        work.callback(None)
        self.world.runs()
        self.assertEqual(handled, [b"%d" % number for number in range(2000)])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_it_is_a_number_of_calls(self):
        self.failureResultOf(self.client.subscribe("/queue/a", print, concurrency=0), ValueError)


class MessageAsBlockTests(SubscriptionTests):
    async def work_on(self, message, error=None):
        async with message as same:
            assert same is message
            if error is not None:
                raise error

    def takes(self, subscription):
        return self.got(subscription.next())

    def test_its_end_acknowledges(self):
        subscription = self.subscribes(ack="client-individual")
        self.sends(b"1")
        self.does(self.work_on(self.takes(subscription)))
        self.assertIn(b"ACK\n", self.world.said)
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.waiting(), [])

    def test_an_exception_refuses_and_goes_on(self):
        subscription = self.subscribes(ack="client-individual")
        self.sends(b"1")
        self.failureResultOf(self.world.does(self.work_on(self.takes(subscription), Refused())), Refused)
        self.assertIn(b"NACK\n", self.world.said)

    def test_where_there_is_nothing_to_acknowledge_it_says_nothing(self):
        automatic = self.subscribes()
        self.sends(b"1")
        self.does(self.work_on(self.takes(automatic)))
        self.got(automatic.unsubscribe())
        subscription = self.subscribes(ack="client-individual")
        self.sends(b"2")
        message = self.takes(subscription)
        self.got(message.ack())
        before = self.world.said
        self.does(self.work_on(message))
        self.failureResultOf(self.world.does(self.work_on(message, Refused())), Refused)
        self.assertEqual(self.world.said, before)


class ReprTests(SubscriptionTests):
    def test_it_tells_what_waits_and_what_is_to_be_acknowledged(self):
        subscription = self.subscribes(ack="client-individual", id="mine")
        self.sends(b"1", b"2", b"3")
        self.got(self.got(subscription.next()).ack())
        self.got(subscription.next())
        self.assertEqual(
            repr(subscription),
            "<Subscription 'mine' to '/queue/a', ack='client-individual', to acknowledge: 2, waiting: 1>",
        )

    def test_it_tells_that_it_has_ended(self):
        subscription = self.subscribes(lambda message: None)
        self.got(subscription.unsubscribe())
        self.assertRegex(repr(subscription), r"^<Subscription '1' to '/queue/a', ack='auto', has ended>$")
