"""engine/waiting.py: messages that wait, by position, whatever is taken out of their middle."""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.waiting import WaitingMessages
from stomp_tx.message import Keeping, Message

LANE = "/queue/a"


def message(position: int, expires: int = 0) -> Message:
    found = Message(str(position), LANE, LANE, {}, b"", 1)
    found.position = position
    found.keeping = Keeping(expires=expires) if expires else None
    return found


class Counting(deque[Message]):
    """How often something is done in its middle, which takes as long as the way there from an end."""

    looked_into = 0

    def __getitem__(self, index: Any) -> Any:
        self.looked_into += index not in (0, -1)
        return super().__getitem__(index)

    def insert(self, *arguments: Any) -> None:
        self.looked_into += 1000
        super().insert(*arguments)


class WaitingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.will_expire: dict[str, None] = {}
        self.waiting = WaitingMessages(LANE, self.will_expire)

    def positions(self) -> list[int]:
        page = self.waiting.present(self.waiting.page(0))
        return [one.position for one in page]

    def test_what_comes_back_is_in_its_place(self) -> None:
        for position in (1, 3, 5):
            self.waiting.append(message(position))
        for position in (4, 2, 0):
            self.waiting.put_back(message(position))
        self.waiting.merge()
        self.assertEqual([one.position for one in self.waiting.messages], [0, 1, 2, 3, 4, 5])

    def test_many_that_come_back_are_put_between_others_in_one_go(self) -> None:
        waiting = self.waiting
        counting = waiting.messages = waiting.tail = Counting()
        for position in range(0, 4000, 2):
            waiting.append(message(position))
        for position in range(2001, 1, -2):
            waiting.put_back(message(position))
        waiting.merge()
        expected = sorted([*range(0, 4000, 2), *range(3, 2002, 2)])
        self.assertEqual([one.position for one in waiting.messages], expected)
        self.assertLess(counting.looked_into, 50)  # and not for each of them

    def test_one_that_was_taken_out_may_come_back(self) -> None:
        for position in (1, 2, 3, 4):
            self.waiting.append(message(position))
        self.assertTrue(self.waiting.take_out(message(2)))
        self.assertFalse(self.waiting.take_out(message(2)))
        self.waiting.put_back(message(2))
        self.waiting.merge()
        self.assertEqual(self.positions(), [1, 2, 3, 4])
        self.assertEqual(len(self.waiting), 4)

    def test_who_will_expire_is_known_by_the_lane_s_name(self) -> None:
        self.waiting.append(message(1))
        self.assertEqual(self.will_expire, {})
        self.waiting.append(message(2, expires=10))
        self.waiting.append(message(3, expires=20))
        self.assertEqual((self.will_expire, self.waiting.next_expiry()), ({LANE: None}, 10))
        self.assertEqual([one.position for one in self.waiting.expire(15, 100)], [2])
        self.assertEqual([one.position for one in self.waiting.expire(25, 100)], [3])
        self.assertEqual((self.will_expire, self.waiting.next_expiry()), ({}, 0))
        self.assertEqual(self.positions(), [1])

    def test_where_it_is_not_wanted_nothing_expires(self) -> None:
        self.waiting.may_expire = False
        self.waiting.append(message(1, expires=10))
        self.assertEqual(self.waiting.expire(20, 100), [])

    def test_what_was_read_joins_in_the_order_of_positions(self) -> None:
        self.waiting.append(message(1))
        self.waiting.tail = type(self.waiting.messages)([message(4), message(8)])
        self.waiting.join([message(2), message(5)], 6)
        self.assertEqual([one.position for one in self.waiting.messages], [1, 2, 4, 5])
        self.waiting.join([message(7)], None)
        self.assertEqual([one.position for one in self.waiting.messages], [1, 2, 4, 5, 7, 8])
        self.assertIs(self.waiting.tail, self.waiting.messages)

    @given(
        st.lists(st.tuples(st.sampled_from(["append", "take", "expire", "head", "back"]), st.integers(1, 30)))
    )
    def test_the_books_agree(self, steps: list[tuple[str, int]]) -> None:
        waiting = WaitingMessages(LANE, {})
        there: dict[int, Message] = {}
        out: list[Message] = []
        last = 0
        for what, number in steps:
            if what == "append":
                last += 1
                there[last] = message(last, number if number > 10 else 0)
                waiting.append(there[last])
            elif what == "take":
                self.assertEqual(waiting.take_out(message(number)), number in there)
                if number in there:
                    out.append(there.pop(number))
            elif what == "expire":
                for one in waiting.expire(number, 3):
                    self.assertTrue(10 < one.keeping.expires <= number)  # type: ignore[union-attr]
                    del there[one.position]
            elif what == "head" and waiting.messages:
                one = waiting.messages.popleft()
                if not waiting.patchy or waiting.leaves(one):
                    waiting.octets -= one.size
                    out.append(there.pop(one.position))
            elif what == "back" and out:
                one = out.pop()
                there[one.position] = one
                waiting.put_back(one)
                if waiting.returned:
                    waiting.merge()
            page = waiting.present(waiting.page(0))
            self.assertEqual([one.position for one in page], sorted(there))
            octets = sum(one.size for one in there.values())
            self.assertEqual((len(waiting), waiting.octets), (len(there), octets))
