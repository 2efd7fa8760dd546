"""broker/slices.py: long work takes ten milliseconds of each turn, all of it together."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.slices import PIECES, Slices
from tests.counting import Ticking


class SlicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Ticking()
        self.slices = Slices(self.clock)
        self.done: list[str] = []

    def work(self, name: str, pieces: int) -> Iterator[None]:
        for _ in range(pieces):
            self.done.append(name)
            yield

    def turn(self) -> list[str]:
        self.done.clear()
        self.clock.turn()
        return self.done

    def test_what_is_short_is_done_at_once(self) -> None:
        self.assertIsNone(self.slices.do(self.work("a", 3)))
        self.assertEqual(self.done, ["a"] * 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_long_takes_ten_milliseconds_of_each_turn(self) -> None:
        safe = self.slices.do(self.work("a", 25))
        assert safe is not None
        self.assertLessEqual(len(self.done), 11)
        turns = 1
        while not safe.called:
            self.assertIn(len(self.turn()), range(1, 12))
            turns += 1
        self.assertIn(turns, (3, 4))
        self.assertIsNone(self.successResultOf(safe))

    def test_all_of_it_shares_one_slice_and_takes_turns(self) -> None:
        works = [self.slices.do(self.work(name, 100)) for name in "abc"]
        self.assertLessEqual(len(self.done), 11)  # and nothing of those that came later
        done = self.turn()
        self.assertLessEqual(len(done), 11)
        self.assertEqual(set(done), set("abc"))
        short = self.slices.do(self.work("short", 1))
        assert short is not None
        self.turn()
        self.successResultOf(short)
        self.assertNoResult(works[0])

    def test_however_fast_there_is_a_bound(self) -> None:
        clock = Clock()  # time stands still
        slices = Slices(clock)
        slices.do(self.work("a", 3 * PIECES))
        self.assertEqual(len(self.done), PIECES)
        clock.advance(0)
        self.assertEqual(len(self.done), 3 * PIECES)

    def test_many_short_ones_of_one_turn_have_no_more_time_than_one(self) -> None:
        works = [self.slices.do(self.work("a", 1)) for _ in range(30)]
        self.assertLessEqual(len(self.done), 11)
        self.assertIsNone(works[0])
        self.assertIsNotNone(works[-1])

    def failing(self, pieces: int) -> Iterator[None]:
        yield from self.work("f", pieces)
        raise ValueError("no")

    def test_what_fails(self) -> None:
        with self.assertRaises(ValueError):
            self.slices.do(self.failing(1))
        later = self.slices.do(self.failing(50))
        assert later is not None
        other = self.slices.do(self.work("a", 100))
        for _ in range(30):
            self.turn()
        self.failureResultOf(later, ValueError)
        self.successResultOf(other)

    def test_work_that_asks_for_work(self) -> None:
        def outer() -> Iterator[None]:
            yield
            later.append(self.slices.do(self.work("inner", 1)))

        later: list[object] = []
        self.assertIsNone(self.slices.do(outer()))
        self.assertEqual(self.done, ["inner"])
        self.successResultOf(later[0])
