"""inbox.py and waiter.py: messages for who asks for the next one."""

import asyncio
import gc

from twisted.internet.defer import CancelledError, inlineCallbacks

from stomp_tx.client import ConnectionLost, ErrorReceived, SubscriptionEnded
from tests.client.session.test_subscription import SubscriptionTests
from tests.client.wiring import World


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
