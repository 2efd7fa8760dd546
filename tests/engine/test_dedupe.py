"""engine/dedupe.py: the names of messages, for a while, and so many."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.dedupe import DedupeNames
from stomp_tx.engine.limits import EngineLimits


class SeenTests(SynchronousTestCase):
    now = 1000.0

    def make(self, **limits: float) -> DedupeNames:
        return DedupeNames(EngineLimits(**limits), lambda: self.now)  # type: ignore[arg-type]

    def test_a_name_is_new_once_for_each_address(self) -> None:
        seen = self.make()
        self.assertEqual([seen.add("a", "x"), seen.add("a", "x"), seen.add("b", "x")], [True, False, True])

    def test_until_its_window_is_over(self) -> None:
        seen = self.make(dedupe_window=10.0)
        seen.add("a", "x")
        self.now += 10
        self.assertFalse(seen.add("a", "x"))
        self.now += 0.1
        self.assertTrue(seen.add("a", "x"))

    def test_no_window_at_all_remembers_nothing_for_later(self) -> None:
        seen = self.make(dedupe_window=0.0)
        seen.add("a", "x")
        self.now += 0.001
        self.assertTrue(seen.add("a", "x"))

    def test_what_was_not_taken_after_all_is_new(self) -> None:
        seen = self.make()
        seen.add("a", "x")
        seen.discard("a", "x")
        seen.discard("a", "y")
        seen.discard("b", "x")
        self.assertTrue(seen.add("a", "x"))

    def test_the_oldest_of_an_address_is_forgotten_first(self) -> None:
        seen = self.make(dedupe_names=2)
        for name in ("1", "2", "3"):
            seen.add("a", name)
        self.assertEqual([seen.add("a", name) for name in ("3", "2")], [False, False])
        self.assertTrue(seen.add("a", "1"))

    def test_so_many_in_all_and_the_newest_is_always_remembered(self) -> None:
        seen = self.make(dedupe_total=3)
        for number in range(50):
            self.assertTrue(seen.add(str(number), "x"))
            self.assertFalse(seen.add(str(number), "x"))
        self.assertEqual(sum(seen.add(str(number), "x") for number in range(47, 50)), 0)

    def test_tidied_up_old_names_take_no_room(self) -> None:
        seen = self.make(dedupe_window=10.0)
        for number in range(100):
            seen.add(str(number), "x")
        self.now += 5
        seen.add("new", "x")
        self.now += 6
        seen.tidy()
        self.assertEqual((list(seen._names), seen._count), (["new"], 1))

    def test_restored_they_are_known_as_if_they_had_come_now(self) -> None:
        seen = self.make(dedupe_window=10.0, dedupe_names=2)
        forgotten = seen.restore([("a", "0"), ("a", "1"), ("b", "1"), ("a", "2")])
        self.assertEqual(forgotten, [("a", "0")])
        self.now += 10
        self.assertEqual([seen.add("a", "1"), seen.add("b", "1"), seen.add("a", "2")], [False] * 3)
        self.now += 0.1
        self.assertEqual([seen.add("a", "1"), seen.add("b", "1"), seen.add("a", "2")], [True] * 3)

    def test_of_very_many_destinations_the_first_is_forgotten(self) -> None:
        seen = self.make(dedupe_total=2)
        self.assertEqual(seen.restore([("a", "1"), ("b", "1"), ("c", "1")]), [("a", "1")])

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.sampled_from("ab"), st.sampled_from("vwxyz")),
                st.floats(0, 4).map(lambda seconds: (None, seconds)),
            )
        )
    )
    def test_like_a_list_of_the_last_names(self, steps: list[tuple[str | None, str | float]]) -> None:
        seen = self.make(dedupe_window=5.0, dedupe_names=3)
        self.now = 1000.0
        known: dict[str, deque[tuple[str, float]]] = {"a": deque(maxlen=3), "b": deque(maxlen=3)}
        for address, name in steps:
            if address is None:
                self.now += float(name)
                seen.tidy()
                continue
            fresh = [other for other, time in known[address] if time >= self.now - 5.0]
            self.assertEqual(seen.add(address, str(name)), name not in fresh)
            if name not in fresh:
                known[address].append((str(name), self.now))
        self.assertEqual(seen._count, sum(len(names) for names in seen._names.values()))
