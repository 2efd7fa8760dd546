"""checkers/worker_threads.py: whose turn it is."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers import worker_threads
from stomp_tx.auth.checkers.worker_threads import WorkerThreads
from stomp_tx.auth.credentials import GuessAbandoned
from stomp_tx.errors import LimitExceeded
from tests.auth.checkers.test_password import Threads


class WorkersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(worker_threads, "AT_A_TIME", 1)
        self.threads: Any = Threads()
        self.workers = WorkerThreads(self.threads, self.threads)
        self.done: list[str] = []

    def do(self, place: str, number: int = 0) -> Deferred[bool]:
        return self.workers.do(place, partial(self.work, f"{place}{number}"))

    def work(self, name: str) -> bool:
        self.done.append(name)
        return True

    def finish(self) -> list[str]:
        """What was done in which order, once all is."""
        while self.threads.do():
            pass
        return self.done

    def test_no_more_than_so_many_at_a_time(self) -> None:
        self.patch(worker_threads, "AT_A_TIME", 2)
        found = [self.do("a", number) for number in range(5)]
        self.assertEqual(self.threads.do(), 2)
        self.assertEqual([one.called for one in found], [True, True, False, False, False])
        self.finish()
        self.assertEqual([self.successResultOf(one) for one in found], [True] * 5)

    def test_one_place_after_the_other(self) -> None:
        for number in range(4):
            self.do("a", number)
        self.do("b", 0)
        self.do("b", 1)
        self.do("c", 0)
        self.assertEqual(self.finish(), ["a0", "a1", "b0", "c0", "a2", "b1", "a3"])

    def test_every_other_turn_is_for_those_who_came_in_before(self) -> None:
        self.do("x")
        for place in "abcd":
            self.do(place)
        for place in "mn":
            self.workers.favour(place)
            self.do(place)
        done = self.finish()[1:]
        self.assertEqual([one for one in done if one[0] in "mn"], ["m0", "n0"])
        self.assertLessEqual(done.index("n0"), 3)
        self.assertEqual([one for one in done if one[0] in "abcd"], ["a0", "b0", "c0", "d0"])

    def test_who_waits_where_somebody_came_in_keeps_their_place(self) -> None:
        for number in range(4):
            self.do("a", number)
        self.workers.favour("a")
        last = self.do("a", 4)
        self.do("b")
        self.assertEqual([name for name in self.finish() if name[0] == "a"], ["a0", "a1", "a2", "a3", "a4"])
        self.assertTrue(self.successResultOf(last))

    def test_who_gives_up_after_somebody_came_in_costs_nothing_either(self) -> None:
        found = [self.do("a", number) for number in range(4)]
        self.workers.favour("a")
        for one in found:
            one.cancel()
            self.failureResultOf(one, GuessAbandoned if one is found[0] else CancelledError)
        self.assertEqual(self.finish(), ["a0"])
        self.assertEqual((self.workers._count, self.workers._known, self.workers._others), (0, {}, {}))

    def test_who_gives_up_before_their_turn_costs_nothing(self) -> None:
        found = [self.do("a", number) for number in range(4)]
        for one in found:
            one.cancel()
            self.failureResultOf(one, GuessAbandoned if one is found[0] else CancelledError)
        self.assertEqual(self.finish(), ["a0"])  # which was under way
        self.assertEqual((self.workers._count, self.workers._others), (0, {}))

    def test_only_so_many_wait_and_the_longest_queue_is_shortened(self) -> None:
        self.patch(worker_threads, "WAITING", 3)
        self.do("x")
        mine = [self.do("a", number) for number in range(3)]
        self.assertRaises(LimitExceeded, self.do, "a", 3)
        other = self.do("b")
        self.failureResultOf(mine[2], LimitExceeded)
        another = self.do("c")
        self.failureResultOf(mine[1], LimitExceeded)
        self.assertRaises(LimitExceeded, self.do, "d")  # now all have as few
        self.workers.favour("d")
        known = self.do("d")
        self.failureResultOf(mine[0], LimitExceeded)
        self.finish()
        self.assertEqual([self.successResultOf(one) for one in (known, other, another)], [True] * 3)
        self.assertEqual(self.workers._count, 0)

    def test_who_came_in_before_is_not_sent_away_for_others(self) -> None:
        self.patch(worker_threads, "WAITING", 2)
        self.do("x")
        self.workers.favour("a")
        mine = [self.do("a", 0), self.do("a", 1)]
        self.assertRaises(LimitExceeded, self.do, "b")
        self.finish()
        self.assertEqual([self.successResultOf(one) for one in mine], [True, True])

    def test_at_the_end_nobody_is_worked_for(self) -> None:
        stopped: list[str] = []
        self.threads.stop = lambda: stopped.append("pool")
        for number in range(3):
            self.do("a", number)
        self.workers.stop()
        self.assertEqual((self.finish(), stopped), (["a0"], ["pool"]))

    def test_no_more_than_so_many_are_remembered(self) -> None:
        self.patch(worker_threads, "FAVOURED", 2)
        for place in "abca":
            self.workers.favour(place)
        self.assertEqual(list(self.workers._favoured), ["c", "a"])
