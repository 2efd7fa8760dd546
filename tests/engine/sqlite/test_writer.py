"""engine/sqlite/writer.py: one thread, one thing at a time, told in the reactor's."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from stomp_tx.engine.sqlite.writer import WriterThread


class ThreadTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor

        self.worker = WriterThread(reactor)
        self.addCleanup(self.worker.stop)

    def run_in_it(self, work: Any) -> Deferred[tuple[bool, Any, threading.Thread]]:
        done: Deferred[tuple[bool, Any, threading.Thread]] = Deferred()
        self.worker.run(
            work, lambda success, result: done.callback((success, result, threading.current_thread()))
        )
        self.assertFalse(done.called, "told before run() has returned")
        return done

    async def test_work_is_done_elsewhere_and_told_here(self) -> None:
        here = threading.current_thread()
        success, there, told_in = await self.run_in_it(threading.current_thread)
        self.assertTrue(success)
        self.assertIsNot(there, here)
        self.assertIs(told_in, here)
        _, again, _ = await self.run_in_it(threading.current_thread)
        self.assertIs(again, there)

    async def test_what_it_raises_comes_as_a_failure(self) -> None:
        success, failure, _ = await self.run_in_it(lambda: 1 / 0)
        self.assertFalse(success)
        self.assertIsInstance(failure, Failure)
        self.assertIsInstance(failure.value, ZeroDivisionError)
        success, result, _ = await self.run_in_it(lambda: 5)
        self.assertEqual((success, result), (True, 5))

    async def test_one_after_the_other_in_their_order(self) -> None:
        order: list[int] = []
        at_once: list[int] = []

        def work(number: int) -> None:
            at_once.append(number)
            assert len(at_once) == 1
            order.append(number)
            at_once.remove(number)

        for number in range(49):
            self.worker.run(lambda number=number: work(number), lambda success, result: None)
        await self.run_in_it(lambda: work(49))
        self.assertEqual(order, list(range(50)))

    def test_one_that_never_worked_can_be_stopped(self) -> None:
        self.worker.stop()
        self.worker.stop()

    async def test_stopping_waits_for_what_it_was_given(self) -> None:
        await self.run_in_it(lambda: None)
        goes_on = threading.Event()
        done: list[int] = []

        def work() -> None:
            goes_on.wait(10)
            done.append(1)

        self.worker.run(work, lambda success, result: None)
        threading.Timer(0.01, goes_on.set).start()
        self.worker.stop()
        self.assertEqual(done, [1])
