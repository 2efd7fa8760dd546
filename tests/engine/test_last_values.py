"""engine/last_values.py: the last message of each value."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.last_values import LastValues
from stomp_tx.message import Keeping, Message


def message(position: int, value: str | None = None, address: str = "/queue/a") -> Message:
    found = Message(str(position), address, address, {}, b"body", 1)
    found.position = position
    found.keeping = None if value is None else Keeping(last_value=value)
    return found


class LastValuesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.values = LastValues()

    def test_each_takes_the_place_of_the_one_before(self) -> None:
        self.assertIsNone(self.values.add(message(1, "x")))
        self.assertIsNone(self.values.add(message(2, "y")))
        before = self.values.add(message(3, "x"))
        assert before is not None
        self.assertEqual((before.position, before.address, before.body), (1, "/queue/a", b""))

    def test_one_that_comes_back_takes_nobody_s_place(self) -> None:
        self.values.add(message(1, "x"))
        self.assertIsNone(self.values.add(message(1, "x")))

    def test_who_has_left_is_not_replaced(self) -> None:
        self.values.add(message(1, "x"))
        self.values.discard(message(1, "x"))
        self.assertIsNone(self.values.add(message(2, "x")))

    def test_one_that_is_not_the_last_may_leave(self) -> None:
        self.values.add(message(1, "x"))
        self.values.add(message(2, "x"))
        for other in (message(1, "x"), message(3), message(4, "y")):
            self.values.discard(other)
        before = self.values.add(message(5, "x"))
        assert before is not None
        self.assertEqual(before.position, 2)

    def test_a_lane_that_is_empty_takes_nothing_from_others(self) -> None:
        self.values.add(message(1, "x"))
        self.values.add(message(2, "y", "/queue/a high"))
        self.values.clear_lane("/queue/a high")
        self.assertIsNotNone(self.values.add(message(3, "x")))
        self.assertIsNone(self.values.add(message(4, "y")))
