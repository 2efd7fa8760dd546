"""One group at a time; what comes meanwhile goes together, and what failed is undone."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite.damage import Unwritable
from stomp_tx.engine.sqlite.journal import Journal
from stomp_tx.errors import EngineError
from stomp_tx.message import Message
from tests.broker.on_file import Disk


class Queue:
    """What a journal knows of a queue: it writes down what it is told."""

    number = 1
    stands = False

    def __init__(self) -> None:
        self.told: list[str] = []

    def arrives(self, message: Message) -> None:
        self.told.append(f"arrives {message.id}")

    def row(self, rows: int, octets: int) -> str:
        return f"{rows} rows more"

    def committed(self, part: Any) -> None:
        self.told.append(f"committed {part.rows}")

    def not_committed(self) -> None:
        self.told.append("not committed")

    def go_on(self) -> None:
        self.told.append("goes on")


class JournalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.disk = Disk(self.clock)
        self.disk.held = True
        self.written: list[list[str]] = []
        self.undone: list[str] = []
        self.damaged: list[Unwritable] = []
        self.is_writing = False
        fault = EngineError("full"), EngineError("full, at /path")
        self.journal = Journal(
            self.clock,
            self.disk,
            self.write,
            lambda error: fault,
            lambda message: self.undone.append(message.id),
            lambda message: True,
            self.damaged.append,
            5000,
        )
        self.queue: Any = Queue()

    def write(self, changes: Any) -> bool:
        self.written.append([message.id for part in changes.parts for message in part.added])
        return False

    def message(self, id: str) -> Message:
        return Message(id, "/queue/a", "/queue/a", {}, b"", 50)

    def add(self, *ids: str) -> Deferred[None]:
        group = self.journal.group()
        for id in ids:
            group.add(self.queue, self.message(id), self.queue.arrives)
        return group.when_safe()

    def turn(self) -> None:
        self.clock.advance(0)

    def told(self, safe: Deferred[None]) -> list[type]:
        """What those who wait for it are told: the types of errors, or of None."""
        found: list[type] = []

        def tell(result: Any) -> Any:
            found.append(type(getattr(result, "value", result)))
            return result

        safe.addBoth(tell)
        return found

    def test_one_turn_is_one_group_with_one_deferred(self) -> None:
        safe = self.add("1")
        self.assertIs(self.add("2", "3"), safe)
        self.assertEqual(len(self.disk.work), 0)
        self.turn()
        self.assertNoResult(safe)
        self.disk.step()
        self.successResultOf(safe)
        self.assertEqual(self.written, [["1", "2", "3"]])
        self.assertEqual(self.queue.told, ["committed 3", "arrives 1", "arrives 2", "arrives 3", "goes on"])

    def test_what_comes_meanwhile_is_the_next_and_is_begun_at_once(self) -> None:
        first = self.add("1")
        self.turn()
        second = self.add("2")
        self.turn()
        self.assertIs(self.add("3"), second)
        self.assertEqual(len(self.disk.work), 1)
        self.disk.step()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.assertEqual(len(self.disk.work), 1)
        self.disk.step()
        self.successResultOf(second)
        self.assertEqual(self.written, [["1"], ["2", "3"]])

    def test_what_an_effect_adds_is_written_once_and_alone(self) -> None:
        """A delivery is the first thing that the next group has: it must not be begun twice."""
        later: list[Deferred[None]] = []
        group = self.journal.group()
        group.effects.append((lambda message: later.append(self.add("2")), self.message("1")))
        self.turn()
        self.disk.step()
        third = self.add("3")
        self.turn()
        self.assertEqual(len(self.disk.work), 1)
        self.disk.step()
        self.turn()
        while self.disk.work:
            self.assertEqual(len(self.disk.work), 1)
            self.disk.step()
            self.turn()
        self.successResultOf(later[0])
        self.successResultOf(third)
        self.assertEqual([id for ids in self.written for id in ids], ["2", "3"])

    def test_so_it_is_with_what_is_added_when_it_is_safe(self) -> None:
        first = self.add("1")
        later: list[Deferred[None]] = []
        first.addCallback(lambda _: later.append(self.add("2")))
        self.turn()
        self.disk.step()
        self.turn()
        self.assertEqual(len(self.disk.work), 1)
        self.assertNoResult(later[0])
        self.disk.step()
        self.successResultOf(later[0])
        self.assertEqual(self.written, [["1"], ["2"]])

    def test_an_effect_that_breaks_is_logged_and_the_others_happen(self) -> None:
        group = self.journal.group()
        group.effects.append((lambda message: 1 / 0, self.message("1")))  # type: ignore[arg-type,return-value]
        safe = self.add("2")
        self.turn()
        self.disk.step()
        self.successResultOf(safe)
        self.assertIn("arrives 2", self.queue.told)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_failed_is_undone_and_everybody_is_told(self) -> None:
        self.disk.full = True
        group = self.journal.group()
        undone: list[int] = []
        group.failed.append(lambda: undone.append(1))
        group.remove(self.queue, self.message("old"))
        group.accepted.append(self.message("old"))
        safe = self.add("1")
        told = [self.told(safe), self.told(safe)]
        self.turn()
        self.disk.step()
        self.assertEqual(told, [[EngineError], [EngineError]])
        self.assertEqual((undone, self.undone), ([1], ["old"]))
        self.assertEqual(self.queue.told, ["not committed"])

    def test_the_next_group_is_written_all_the_same(self) -> None:
        first = self.told(self.add("1"))
        self.turn()
        second = self.add("2")
        self.disk.full = True
        self.disk.step()
        self.assertEqual(first, [EngineError])
        self.disk.full = False
        self.disk.step()
        self.successResultOf(second)
        self.assertEqual(self.written, [["2"]])

    def test_what_is_refused_fails_at_the_end_of_the_turn_and_nothing_else_does(self) -> None:
        group = self.journal.refused()
        group.add(self.queue, self.message("1"), self.queue.arrives)
        group.accepted.append(self.message("old"))
        told = self.told(group.when_safe())
        safe = self.add("2")
        self.assertIs(self.journal.refused(), group)
        self.turn()
        self.assertEqual((told, self.undone), ([EngineError], ["old"]))
        self.disk.step()
        self.successResultOf(safe)
        self.assertEqual(self.written, [["2"]])
        self.assertFalse(self.journal.fails)
        self.assertIsNot(self.journal.refused(), group)

    def test_nothing_refused_is_left_when_it_is_flushed(self) -> None:
        told = self.told(self.journal.refused().when_safe())
        flushed = self.journal.flush()
        self.assertEqual(told, [EngineError])
        self.turn()
        self.disk.goes_on()
        self.successResultOf(flushed)

    def test_an_error_that_is_not_sqlite_s_is_logged(self) -> None:
        self.patch(self.journal, "_write", lambda changes: 1 / 0)
        told = self.told(self.add("1"))
        self.turn()
        self.disk.step()
        self.assertEqual(told, [ZeroDivisionError])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_caught_up_waits_while_too_much_is_on_its_way(self) -> None:
        self.assertIsNone(self.journal.caught_up())
        for number in range(6):
            self.add(str(number))
        waits = self.journal.caught_up()
        assert waits is not None
        gone = self.journal.caught_up()
        assert gone is not None
        gone.addErrback(lambda _: None)
        gone.cancel()
        self.turn()
        self.assertNoResult(waits)
        self.assertIsNotNone(self.journal.caught_up())
        self.disk.step()
        self.successResultOf(waits)
        self.assertIsNone(self.journal.caught_up())

    def test_who_waits_goes_on_after_a_failure_too(self) -> None:
        told = self.told(self.add(*"123456"))
        waits = self.journal.caught_up()
        assert waits is not None
        self.turn()
        self.disk.full = True
        self.disk.step()
        self.successResultOf(waits)
        self.assertEqual(told, [EngineError])

    def test_pending_is_all_that_was_added_so_far(self) -> None:
        self.assertIsNone(self.journal.pending())
        first = self.add("1")
        self.assertIs(self.journal.pending(), first)
        self.turn()
        self.assertIs(self.journal.pending(), first)
        second = self.add("2")
        self.assertIs(self.journal.pending(), second)
        self.disk.goes_on()
        self.turn()
        self.assertIsNone(self.journal.pending())

    def test_flushed_nothing_is_left(self) -> None:
        self.successResultOf(self.journal.flush())
        self.add("1")
        flushed = self.journal.flush()
        self.turn()
        self.add("2")
        self.disk.step()
        self.assertNoResult(flushed)
        self.disk.step()
        self.turn()
        self.successResultOf(flushed)
        self.assertEqual(self.written, [["1"], ["2"]])

    def test_a_write_that_has_more_to_tidy_up_is_called_again(self) -> None:
        left = 3

        def write(changes: Any) -> bool:
            nonlocal left
            left -= 1
            self.assertEqual(changes.doomed, left < 2)
            return left > 0

        self.patch(self.journal, "_write", write)
        self.add("1")
        for _ in range(10):
            self.turn()
            self.disk.step()
        self.assertEqual(left, 0)
        self.assertEqual(len(self.disk.work), 0)

    def test_only_what_has_one_says_that_it_changes(self) -> None:
        other: Any = Queue()
        self.add("1")
        self.assertTrue(self.journal.changes(self.queue))
        self.assertFalse(self.journal.changes(other))
        self.turn()
        self.assertTrue(self.journal.changes(self.queue))
        self.disk.step()
        self.assertFalse(self.journal.changes(self.queue))

    def test_the_operator_is_told_once_and_again_when_it_is_over(self) -> None:
        said: list[str] = []
        self.patch(self.journal, "log", Said(said))
        self.disk.full = True
        for _ in range(3):
            self.add("1")
            self.turn()
            self.disk.step()
        self.assertEqual(said, ["full, at /path"])
        self.assertTrue(self.journal.fails)
        self.disk.full = False
        for _ in range(3):
            self.add("1")
            self.turn()
            self.disk.step()
        self.assertEqual(said, ["full, at /path", "the file can be written again"])
        self.assertFalse(self.journal.fails)


class Said:
    """A log that is a list."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def critical(self, format: str, **fields: Any) -> None:
        self._said.append(str(fields["error"]))

    def info(self, format: str, **fields: Any) -> None:
        self._said.append(format)
