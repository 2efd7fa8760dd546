"""message_handler.py: what is called with each message, and how many calls are at work."""

from twisted.internet.defer import Deferred, succeed

from tests.client.session.test_subscription import SubscriptionTests
from tests.client.test_client import Refused
from tests.client.wiring import World


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
