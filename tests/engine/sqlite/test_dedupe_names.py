"""Names of messages outlive the broker, and no clock makes it forget one early."""

from __future__ import annotations

import os
import sqlite3

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.engine.sqlite.test_engine import Files

YEAR = 365 * 86400.0


class Named(Files):
    """Engines whose seconds go by as ``wait`` says; the time of day (``seconds``) may be anything."""

    def wait(self, seconds: float) -> None:
        """So much later; the time of day goes on as well."""
        self.seconds += seconds
        self.clock.advance(seconds)
        self.engine.expire(int(self.seconds * 1000), lambda message: [])
        self.turn()

    def takes(self, name: str, address: str = "/queue/a", persistent: bool = True) -> bool:
        """Send it: is it taken?"""
        before = self.engine.last_position
        self.append(name, address=address, dedupe=name, persistent=persistent)
        return bool(self.engine.last_position > before)

    def execute(self, statement: str, *values: object) -> None:
        """By an earlier program, while no broker runs."""
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(statement, values)
        connection.close()

    def in_file(self) -> list[str]:
        assert self.engine._file.reader is not None
        return [name for (name,) in self.engine._file.reader.execute("SELECT name FROM seen ORDER BY time")]


class NamesTests(Named):
    def test_a_clock_that_is_set_back_or_ahead_forgets_nothing(self) -> None:
        for jump in (-3600.0, YEAR, -YEAR, -2.0, 700.0):
            self.assertTrue(self.takes(f"{jump}"))
            self.seconds += jump
            self.wait(1)
            self.assertFalse(self.takes(f"{jump}"), jump)

    def test_nor_does_it_across_a_kill(self) -> None:
        for jump in (-3600.0, YEAR, -YEAR, -2.0, 700.0):
            self.assertTrue(self.takes(f"{jump}"))
            self.seconds += jump
            self.reopens()
            self.wait(1)
            self.reopens()
            self.assertFalse(self.takes(f"{jump}"), jump)

    def test_a_file_from_before_whose_clock_was_wrong_loses_none(self) -> None:
        self.takes("1")
        self.dies()
        for name, time in (("ahead", 1000 + YEAR), ("now", 1000.0), ("behind", 1000 - YEAR)):
            self.execute("INSERT INTO seen VALUES ('/queue/a', ?, ?)", name, time)
        self.open()
        self.wait(300)
        for name in ("ahead", "now", "behind", "1"):
            self.assertFalse(self.takes(name), name)

    def test_they_go_after_their_time_from_the_file_too(self) -> None:
        self.takes("1")
        self.wait(400)
        self.takes("2")
        self.wait(300)
        self.assertTrue(self.takes("1"))
        self.assertFalse(self.takes("2"))
        self.wait(1)
        self.assertEqual(self.in_file(), ["2", "1"])
        for _ in range(4):
            self.wait(400)
        self.assertEqual(self.in_file(), [])

    def test_restored_ones_stay_their_whole_time_again(self) -> None:
        self.takes("1")
        self.wait(500)
        self.reopens()
        self.wait(500)
        self.assertFalse(self.takes("1"))
        self.wait(102)
        self.assertEqual(self.in_file(), [])
        self.assertTrue(self.takes("1"))

    def test_what_can_t_be_forgotten_for_want_of_a_disk_is_forgotten_later(self) -> None:
        self.takes("1")
        assert self.engine._file.writer is not None
        self.engine._file.writer.execute("PRAGMA query_only = ON")
        self.wait(700)
        self.assertEqual(self.in_file(), ["1"])
        self.engine._file.writer.execute("PRAGMA query_only = OFF")
        self.wait(700)
        self.assertEqual(self.in_file(), [])

    def test_the_oldest_that_came_go_first_whatever_the_clock_said(self) -> None:
        self.reopens(dedupe_names=3)
        for name in "12345":
            self.takes(name)
            self.seconds -= 100
        self.reopens(dedupe_names=3)
        self.assertEqual(self.in_file(), ["3", "4", "5"])
        self.assertEqual([self.takes(name) for name in "345"], [False] * 3)

    def test_many_are_read_page_by_page_and_the_file_keeps_no_more_than_the_memory(self) -> None:
        names = [f"{number}" for number in range(3500)]
        self.append("x", dedupe="other", address="/queue/b")
        for name in names:
            self.engine.append(self.message(name, dedupe=name))
        self.turn()
        self.reopens(dedupe_total=2500)
        self.assertEqual(self.in_file(), ["other", *names[-2499:]])

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @example([("send", "a", "x"), ("set", -9.0), ("dies",), ("send", "a", "x")])
    @example([("send", "a", "x"), ("set", 9.0), ("wait", 1.0), ("send", "a", "x")])
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("send"), st.sampled_from("ab"), st.sampled_from("uvwxyz")),
                st.tuples(st.just("send"), st.sampled_from("ab"), st.sampled_from("uvwxyz")),
                st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 4.0, 12.0])),
                st.tuples(st.just("set"), st.sampled_from([-YEAR, -9.0, -0.5, 9.0, YEAR])),
                st.tuples(st.just("dies")),
            ),
            max_size=40,
        )
    )
    def test_none_is_forgotten_early_whatever_the_clock_says_and_whoever_is_killed(
        self, steps: list[tuple[str, ...] | tuple[str, float]]
    ) -> None:
        limits = {"dedupe_window": 10.0, "dedupe_names": 4}
        self.dies()
        os.unlink(self.path)
        self.seconds = 1000.0
        self.open(**limits)
        passed = 0.0
        taken: dict[str, list[tuple[str, float]]] = {"a": [], "b": []}
        for step, *what in steps:
            if step == "set":
                self.seconds += float(what[0])
            elif step == "wait":
                passed += float(what[0])
                self.wait(float(what[0]))
            elif step == "dies":
                self.reopens(**limits)
            else:
                address, name = map(str, what)
                # The last four that came, and no longer ago than the window.
                known = [one for one, time in taken[address][-4:] if time >= passed - 10.0]
                is_new = self.takes(name, f"/queue/{address}")
                self.assertFalse(is_new and name in known, (name, taken))
                if is_new:
                    taken[address].append((name, passed))
