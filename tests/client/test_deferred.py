"""A Deferred that Twisted and asyncio can both await."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client.deferred import ClientDeferred, client_deferred, failed
from stomp_tx.errors import ConnectionLost, StompError


async def value_of(answer: Deferred[Any]) -> Any:
    return await answer


class TwistedTests(SynchronousTestCase):
    def test_a_coroutine_of_twisted_awaits_it(self) -> None:
        answer: ClientDeferred[int] = ClientDeferred()
        running = Deferred.fromCoroutine(value_of(answer))
        self.assertNoResult(running)
        answer.callback(1)
        self.assertEqual(self.successResultOf(running), 1)
        self.failureResultOf(Deferred.fromCoroutine(value_of(failed(ZeroDivisionError()))), ZeroDivisionError)

    def test_who_cancels_the_coroutine_cancels_what_it_awaits(self) -> None:
        cancelled: list[Any] = []
        answer: ClientDeferred[int] = ClientDeferred(cancelled.append)
        running = Deferred.fromCoroutine(value_of(answer))
        running.cancel()
        self.assertEqual(cancelled, [answer])
        self.failureResultOf(running, CancelledError)

    def test_a_loss_that_nobody_sees_is_not_reported_and_other_failures_are(self) -> None:
        failed(ConnectionLost("gone"))
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
        failed(StompError("other"))
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(StompError)), 1)

    def test_the_answer_of_another_deferred(self) -> None:
        first: Deferred[int] = Deferred()
        answer = client_deferred(first)
        first.callback(2)
        self.assertEqual(self.successResultOf(answer), 2)
        second: Deferred[int] = Deferred()
        answer = client_deferred(second)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)


class AsyncioTests(SynchronousTestCase):
    def run_in_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(coroutine, debug=True)

    def later(self, answer: ClientDeferred[Any], result: Any) -> ClientDeferred[Any]:
        asyncio.get_running_loop().call_later(0.01, answer.callback, result)
        return answer

    def test_a_task_awaits_it(self) -> None:
        async def story() -> Any:
            return await self.later(ClientDeferred(), 1)

        self.assertEqual(self.run_in_loop(story()), 1)

    def test_one_that_has_fired_and_one_that_fails(self) -> None:
        async def story() -> Any:
            fired: ClientDeferred[int] = ClientDeferred()
            fired.callback(2)
            self.assertEqual(await fired, 2)
            for error in (failed(ZeroDivisionError()), self.later_failing(ZeroDivisionError())):
                with self.assertRaises(ZeroDivisionError):
                    await error

        self.run_in_loop(story())
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def later_failing(self, error: Exception) -> ClientDeferred[Any]:
        answer: ClientDeferred[Any] = ClientDeferred()
        asyncio.get_running_loop().call_later(0.01, answer.errback, error)
        return answer

    def test_many_at_a_time(self) -> None:
        async def story() -> Any:
            return await asyncio.gather(*(self.later(ClientDeferred(), number) for number in range(3)))

        self.assertEqual(self.run_in_loop(story()), [0, 1, 2])

    def test_a_cancelled_task_is_cancelled_and_so_is_what_it_awaits(self) -> None:
        cancelled: list[Any] = []

        async def story() -> None:
            answer: ClientDeferred[int] = ClientDeferred(cancelled.append)
            task = asyncio.ensure_future(value_of(answer))
            await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertTrue(task.cancelled())
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(ClientDeferred(cancelled.append), 0.01)

        self.run_in_loop(story())
        self.assertEqual(len(cancelled), 2)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_coroutine_of_twisted_within_a_task(self) -> None:
        async def story() -> Any:
            inner = Deferred.fromCoroutine(value_of(self.later(ClientDeferred(), 3)))
            return await client_deferred(inner)

        self.assertEqual(self.run_in_loop(story()), 3)
