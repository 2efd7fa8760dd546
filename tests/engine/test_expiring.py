"""engine/expiring.py: which of the waiting messages are over."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.expiring import Expiring
from stomp_tx.message import Message


def at(position: int) -> Message:
    """A message in this place."""
    message = Message(str(position), "/queue/a", "/queue/a", {}, b"", 1)
    message.position = position
    return message


class ExpiringTests(SynchronousTestCase):
    def positions(self, expiring: Expiring, now: int, most: int = 100) -> list[int]:
        return [message.position for message in expiring.over(now, most)]

    def test_first_the_one_that_expired_first_each_once(self) -> None:
        expiring = Expiring()
        for position, expires in ((1, 30), (2, 10), (3, 20), (4, 40)):
            expiring.add(at(position), expires)
        self.assertEqual(self.positions(expiring, 9), [])
        self.assertEqual(self.positions(expiring, 30), [2, 3, 1])
        self.assertEqual(self.positions(expiring, 30), [])
        self.assertEqual(len(expiring), 1)

    def test_no_more_than_so_many(self) -> None:
        expiring = Expiring()
        for position in range(10):
            expiring.add(at(position), 10)
        self.assertEqual(self.positions(expiring, 10, 4), [0, 1, 2, 3])
        self.assertEqual(len(expiring), 6)

    def test_what_waits_no_more_is_not_found(self) -> None:
        expiring = Expiring()
        for position in (1, 2):
            expiring.add(at(position), 10)
        expiring.discard(1)
        expiring.discard(7)
        self.assertEqual(self.positions(expiring, 10), [2])

    def test_put_back_it_is_found_again_once(self) -> None:
        expiring = Expiring()
        for _ in range(3):
            expiring.add(at(1), 10)
            expiring.discard(1)
        expiring.add(at(1), 10)
        self.assertEqual(self.positions(expiring, 10), [1])
        self.assertEqual(self.positions(expiring, 10), [])

    def test_what_came_and_went_takes_no_room(self) -> None:
        expiring = Expiring()
        for position in range(10_000):
            expiring.add(at(position), position + 1_000_000)
            expiring.discard(position)
        self.assertLess(len(expiring._due), 200)

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("add"), st.integers(0, 9), st.integers(1, 20)),
                st.tuples(st.just("discard"), st.integers(0, 9), st.just(0)),
                st.tuples(st.just("over"), st.integers(0, 20), st.integers(1, 4)),
            )
        )
    )
    def test_like_a_plain_table(self, steps: list[tuple[str, int, int]]) -> None:
        expiring = Expiring()
        waiting: dict[int, int] = {}
        when: dict[int, int] = {}  # a message's own time never changes
        for step, one, other in steps:
            if step == "add":
                if one not in waiting:
                    waiting[one] = when.setdefault(one, other)
                    expiring.add(at(one), waiting[one])
            elif step == "discard":
                waiting.pop(one, None)
                expiring.discard(one)
            else:
                found = self.positions(expiring, one, other)
                due = sorted((expires, position) for position, expires in waiting.items() if expires <= one)
                self.assertEqual(found, [position for _, position in due[:other]])
                for position in found:
                    del waiting[position]
            self.assertEqual(len(expiring), len(waiting))
