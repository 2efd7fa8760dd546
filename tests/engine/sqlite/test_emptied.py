"""A queue that is emptied by a batch, whatever is on its way there, whether or not the disk takes it."""

from __future__ import annotations

import sqlite3
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite import check, row_writes
from stomp_tx.message import Batch, Outcome
from tests.counting import lines_run
from tests.engine.sqlite.test_engine import Files

KEPT = "/retained/t"


class EmptiedTests(Files):
    def put(self, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.engine.append(self.message(body, KEPT, **more))

    def empty(self, *appended: str, **more: Any) -> Any:
        messages = [self.message(body, KEPT, **more) for body in appended]
        return self.engine.commit(Batch(messages, emptied=[KEPT]))

    def waits(self) -> list[bytes]:
        return [one.body for page in self.engine.browse(KEPT) for one in page]

    def is_well(self, *bodies: str) -> None:
        """These are what waits, by all accounts, and after a kill too."""
        self.turn()
        expected = [body.encode() for body in bodies]
        self.assertEqual(self.waits(), expected)
        self.assertEqual(self.engine.depth(KEPT)[0], len(bodies))
        stored = self.engine._lanes.get(KEPT)
        self.assertEqual(0 if stored is None else stored.depth()[0], len(bodies))
        self.assertEqual(check.check(self.path).problems, [])
        self.reopens()
        self.assertEqual(self.waits(), expected)

    def test_what_is_in_the_file_alone(self) -> None:
        self.reopens(window_length=3)
        self.put(*map(str, range(20)))
        self.turn()
        self.is_safe(self.empty("x"))
        self.is_well("x")

    def is_safe(self, safe: Any) -> None:
        self.turn()
        self.successResultOf(safe)

    def test_what_is_in_the_same_group_or_is_being_written(self) -> None:
        self.put("1")
        self.turn()
        self.worker.holds = True
        self.put("2")
        self.turn()  # it is being written
        self.put("3")
        safe = self.empty("4")
        self.put("5")
        self.assertNoResult(safe)
        self.assertEqual(self.waits(), [b"1"])
        self.worker.goes_on()
        self.is_safe(safe)
        self.is_well("4", "5")

    def test_what_does_not_persist_and_waits_for_a_group(self) -> None:
        self.put("1", persistent=False)
        self.worker.holds = True
        batch = Batch([self.message("p", "/queue/other"), self.message("2", KEPT, persistent=False)])
        self.engine.commit(batch)
        safe = self.empty()
        self.put("3", persistent=False)
        self.worker.goes_on()
        self.is_safe(safe)
        self.assertEqual(self.waits(), [b"3"])

    def test_what_comes_meanwhile_is_still_the_last_of_its_value(self) -> None:
        """Lanes are emptied one after the other; what stays in one of them is known afterwards, too."""
        self.put("1")
        self.turn()
        self.worker.holds = True
        safe = self.empty()
        for priority, value in ((7, "x"), (4, "y"), (1, "z")):
            self.put(f"old {value}", priority=priority, last_value=value, persistent=False)
        self.worker.goes_on()
        self.is_safe(safe)
        for value in "xyz":
            self.put(f"new {value}", last_value=value, persistent=False)
        self.assertEqual(self.waits(), [b"new x", b"new y", b"new z"])

    def test_what_touches_no_disk_is_done_at_once(self) -> None:
        self.put("1", persistent=False)
        self.assertIsNone(self.empty("2", persistent=False))
        self.assertEqual(self.waits(), [b"2"])
        self.assertIsNone(self.empty())
        self.assertEqual(self.engine.queues(), [])

    def test_one_that_is_withdrawn_meanwhile_is_counted_once(self) -> None:
        self.put("1", "2", "3")
        self.turn()
        one, two, three = [one for page in self.engine.browse(KEPT) for one in page]
        self.worker.holds = True
        self.engine.withdraw(one)
        self.empty("4")
        self.engine.withdraw(two)
        self.turn()  # that is being written
        self.engine.withdraw(three)
        self.put("5")
        self.worker.goes_on()
        self.is_well("4", "5")

    def busy(self, count: int) -> None:
        """So much is on its way to other queues, with a row and without."""
        self.reopens()
        self.put("1", "2")
        self.turn()
        self.worker.holds = True
        for _ in range(count):
            batch = [self.message("x", "/queue/b"), self.message("y", "/queue/c", persistent=False)]
            self.engine.commit(Batch(batch))

    def lines_to_empty(self, count: int) -> int:
        self.busy(count)
        return lines_run(self.empty)

    def test_it_costs_no_more_where_more_is_on_its_way_elsewhere(self) -> None:
        self.assertEqual(self.lines_to_empty(100), self.lines_to_empty(10))

    def test_what_is_on_its_way_there_is_looked_at_once(self) -> None:
        self.busy(1)
        self.put("3", persistent=False)
        for _ in range(100):
            self.engine.commit(
                Batch([self.message("p", "/queue/b"), self.message("x", KEPT, persistent=False)])
            )
        self.empty()
        self.put("4")
        self.assertLess(lines_run(self.empty), 200)  # many were looked at the first time
        self.worker.goes_on()
        self.turn()
        self.assertEqual(self.waits(), [])

    def lines_to_do(self, times: int, count: int) -> int:
        """The lines run when it was emptied so many times, while so much else was done with meanwhile."""
        self.reopens()
        self.append(*["x"] * count)
        taker = self.taker(count)
        self.put("1", "2")
        self.turn()
        one = next(one for page in self.engine.browse(KEPT) for one in page)
        self.worker.holds = True
        for _ in range(times):
            self.empty()
        self.turn()  # that is being written
        self.engine.withdraw(one)
        for message in taker.got:
            self.engine.settle(message, Outcome.ACCEPTED)
        return lines_run(self.worker.goes_on)

    def test_it_costs_no_more_where_more_is_done_with_meanwhile(self) -> None:
        few, many = (self.lines_to_do(50, count) - self.lines_to_do(1, count) for count in (10, 100))
        self.assertEqual(many, few)

    def test_where_it_can_t_be_written_nothing_has_happened(self) -> None:
        self.put("1", "2")
        self.put("3", persistent=False)
        self.turn()

        def full(*arguments: object) -> bool:
            raise sqlite3.OperationalError("database or disk is full")

        with_disk = row_writes.write
        self.patch(row_writes, "write", full)
        failures: list[Any] = []
        self.empty("4").addErrback(failures.append)
        self.turn()
        self.assertEqual(len(failures), 1)
        self.assertEqual(self.waits(), [b"1", b"2", b"3"])
        self.patch(row_writes, "write", with_disk)
        self.empty("5")
        self.is_well("5")


STEPS = st.one_of(
    st.tuples(st.just("put"), st.booleans(), st.integers(1, 3)),
    st.tuples(st.just("empty"), st.booleans(), st.integers(0, 2)),
    st.tuples(st.just("withdraw"), st.integers(0, 5), st.none()),
    st.tuples(st.sampled_from(["turn", "hold", "go on"]), st.none(), st.none()),
)


class AnyOrderTests(SynchronousTestCase):
    """Messages come, go and are emptied out, while the disk does one thing after the other."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(STEPS, max_size=25))
    def test_what_came_later_is_all_that_waits(self, steps: list[tuple[str, Any, Any]]) -> None:
        case = EmptiedTests("is_well")
        case.setUp()
        self.addCleanup(case.dies)
        case.reopens(window_length=2)
        expected: dict[bytes, bool] = {}  # and whether it outlives the process
        for what, choice, count in steps:
            if what in ("put", "empty"):
                if what == "empty":
                    expected.clear()
                bodies = [str(case.numbers + 1 + number) for number in range(count)]
                (case.put if what == "put" else case.empty)(*bodies, persistent=choice)
                expected.update(dict.fromkeys((body.encode() for body in bodies), choice))
            elif what == "withdraw":
                waiting = [one for page in case.engine.browse(KEPT) for one in page]
                if choice < len(waiting):
                    case.engine.withdraw(waiting[choice])
                    expected.pop(waiting[choice].body, None)
            elif what == "turn":
                case.turn()
            elif what == "hold":
                case.worker.holds = True
            else:
                case.worker.goes_on()
        case.worker.goes_on()
        case.turn()
        self.assertEqual(sorted(case.waits()), sorted(expected))
        queue = case.engine._lanes.get(KEPT)
        self.assertEqual(0 if queue is None else queue.depth()[0], len(expected))
        rest = sum(one.waiting.octets for one in case.engine._lanes.values())
        self.assertEqual(case.engine.octets, rest)
        self.assertEqual(check.check(case.path).problems, [])
        case.reopens()
        kept = [body for body, persistent in expected.items() if persistent]
        self.assertEqual(sorted(case.waits()), sorted(kept))
        case.dies()
