"""engine/sqlite/salvage.py: every row that can be read, and where those are that can't."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite import salvage
from stomp_tx.engine.sqlite.salvage import HIGHEST, Gap, Salvage, joined, numbers
from tests.engine.sqlite.damaged import GARBAGE, PAGE, damage

SELECT = "SELECT position, body FROM message WHERE queue = ? AND"


class Tables(SynchronousTestCase):
    """A file with a table like the broker's."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.rows: dict[int, list[int]] = {}

    def make(self, size: int = 300, **queues: Callable[[int], int]) -> None:
        """Each queue has 200 messages, at the positions that its function gives."""
        connection = sqlite3.connect(self.path)
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.execute(
            "CREATE TABLE message (queue INTEGER, position INTEGER, body BLOB, PRIMARY KEY (queue, position))"
            " WITHOUT ROWID"
        )
        for number, position in enumerate(queues.values(), 1):
            self.rows[number] = [position(one) for one in range(1, 201)]
            bodies = [(number, one, f"{number}-{one}-".encode().ljust(size)) for one in self.rows[number]]
            connection.executemany("INSERT INTO message VALUES (?, ?, ?)", bodies)
        connection.commit()
        connection.close()

    def hit(self, *rows: tuple[int, int], how: str = "noise") -> None:
        """Damage the leaf where this row is, or the next one: some are on pages between."""
        whole = Path(self.path).read_bytes()
        for queue, position in rows:
            page = whole.find(b"%d-%d-" % (queue, position)) // PAGE
            if whole[page * PAGE] == 0x0A:
                damage(self.path, page, how)
            else:
                step = 1 if position < max(self.rows[queue]) else -1
                self.hit((queue, position + step), how=how)

    def open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA cell_size_check = ON")
        self.addCleanup(connection.close)
        return connection

    def saved(self, number: int = 1) -> tuple[list[int], list[Gap]]:
        found = Salvage(self.open(), SELECT, "position", number)
        return sorted(position for position, _ in found), found.gaps


class SalvageTests(Tables):
    def test_of_a_good_table_all(self) -> None:
        self.make(a=lambda one: one, b=lambda one: 2 * one)
        self.assertEqual(self.saved(1), (self.rows[1], []))
        self.assertEqual(self.saved(2), (self.rows[2], []))
        self.assertEqual(self.saved(3), ([], []))

    def test_around_pages_that_are_damaged(self) -> None:
        self.make(a=lambda one: one, b=lambda one: one)
        self.hit((1, 50), (1, 150))
        found, (first, second) = self.saved()
        missing = [one for one in self.rows[1] if one not in found]
        self.assertEqual(
            missing, [*range(first.first, first.last + 1), *range(second.first, second.last + 1)]
        )
        self.assertTrue(first.first <= 50 <= first.last and second.first <= 150 <= second.last)
        self.assertEqual(self.saved(2), (self.rows[2], []))

    def test_what_is_good_between_two_of_them_is_found_at_once(self) -> None:
        self.make(a=lambda one: one)
        self.hit((1, 100), (1, 126))
        found, gaps = self.saved()
        self.assertEqual(len(gaps), 2)
        self.assertIn(113, found)

    def test_from_the_first_and_to_the_last(self) -> None:
        self.make(a=lambda one: one)
        self.hit((1, 1), (1, 200))
        found, (first, second) = self.saved()
        self.assertEqual((first.first, second.last), (1, HIGHEST))
        self.assertEqual(found, list(range(first.last + 1, second.first)))

    def test_positions_far_from_each_other_take_no_longer(self) -> None:
        self.make(a=lambda one: one * 10**9)
        self.hit((1, 50 * 10**9))
        steps: list[int] = []
        found = Salvage(self.open(), SELECT, "position", 1)
        found._connection.set_trace_callback(lambda statement: steps.append(1))
        got = [position for position, _ in found]
        self.assertTrue(150 < len(got) < 200)
        self.assertTrue(len(steps) < 10 * salvage.FRUITLESS, len(steps))
        self.assertTrue(any(gap.first <= 50 * 10**9 <= gap.last for gap in found.gaps))

    def test_a_row_whose_body_is_elsewhere(self) -> None:
        self.make(size=9000, a=lambda one: one)
        whole = Path(self.path).read_bytes()
        page = whole.find(b"1-77-") // PAGE  # where its key is; next it says where the rest of it is
        end = whole.rfind(b" ", page * PAGE, (page + 1) * PAGE)
        with open(self.path, "r+b") as stream:
            stream.seek(end + 1)
            stream.write(b"\x7f\xff\xff\xff")
        found, (gap,) = self.saved()
        self.assertTrue(gap.last - gap.first < 4, gap)  # SQLite needs it to tell its neighbours apart
        self.assertEqual([*found, *range(gap.first, gap.last + 1)].sort(), self.rows[1].sort())

    def test_numbers_of_queues(self) -> None:
        self.make(a=lambda one: one, b=lambda one: one, c=lambda one: one)
        self.assertEqual(numbers(self.open()), {1, 2, 3})
        self.hit((1, 1), (2, 100), (3, 200))
        self.assertEqual(numbers(self.open()), {1, 2, 3})

    def test_what_is_no_damage_is_raised(self) -> None:
        self.make(a=lambda one: one)
        with self.assertRaises(sqlite3.OperationalError):
            list(Salvage(self.open(), "SELECT nothing FROM message WHERE", "position"))

    def test_places_as_people_read_them(self) -> None:
        self.assertEqual(
            [str(gap) for gap in (Gap(3, 3), Gap(3, 5), Gap(3, HIGHEST), Gap(1, HIGHEST))],
            ["position 3", "positions 3 to 5", "positions from 3 on", "all positions"],
        )
        self.assertEqual(joined([Gap(7, 9), Gap(1, 2), Gap(3, 4), Gap(4, 5)]), [Gap(1, 5), Gap(7, 9)])


class AnyDamageTests(Tables):
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(list(GARBAGE))), max_size=6))
    def test_no_row_twice_none_that_never_was_and_every_other_in_a_gap(
        self, hits: list[tuple[int, str]]
    ) -> None:
        self.path = self.mktemp()
        self.rows.clear()
        self.make(a=lambda one: 3 * one, b=lambda one: one)
        pages = len(Path(self.path).read_bytes()) // PAGE
        for page, how in hits:
            damage(self.path, 2 + page % (pages - 2), how)
        for number, positions in self.rows.items():
            found, gaps = self.saved(number)
            self.assertEqual(len(set(found)), len(found))
            self.assertTrue(set(found) <= set(positions) or any(how == "half noise" for _, how in hits))
            if not {"fewer rows", "half noise"} & {how for _, how in hits}:
                for lost in set(positions) - set(found):
                    self.assertTrue(any(gap.first <= lost <= gap.last for gap in gaps), (lost, gaps))
