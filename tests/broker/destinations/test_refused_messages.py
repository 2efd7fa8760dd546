"""broker/destinations/refused_messages.py: who may have a refused message, and when."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations.refused_messages import RefusedMessages
from stomp_tx.message import Message
from tests.counting import lines_run


class RefusedMessagesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.messages = RefusedMessages()
        self.ann: Any = object()
        self.bob: Any = object()
        self.numbers = 0

    def refused(self, by: Any, until: float = 0, until_same: float = 0, position: int = 0) -> Message:
        """One that came back from the engine at once."""
        self.numbers += 1
        message = Message(f"m-{self.numbers}", "/queue/a", "/queue/a", {}, b"", 1)
        message.position = position or self.numbers
        self.messages.refuse(message, by, until, until_same, 0)
        self.messages.hold(message, 0)
        return message

    def test_another_has_it_at_once_and_the_same_later(self) -> None:
        first = self.refused(self.ann, 0, 5)
        second = self.refused(self.ann, 0, 5)
        self.assertIsNone(self.messages.next_for(self.ann, 4))
        self.assertIs(self.messages.next_for(self.bob, 4), first)
        self.assertEqual(self.messages.next_time(4), 5)
        self.assertIs(self.messages.next_for(self.ann, 5), second)
        self.assertIsNone(self.messages.next_time(5))
        self.assertEqual((self.messages.held, first.id in self.messages), (0, False))

    def test_nobody_has_it_before_its_delay_is_over(self) -> None:
        message = self.refused(self.ann, 3, 5)
        self.assertIsNone(self.messages.next_for(self.bob, 2))
        self.assertEqual((self.messages.next_time(2), self.messages.latest()), (3, 3))
        self.assertIsNone(self.messages.next_for(self.ann, 3))
        self.assertEqual(self.messages.next_time(3), 5)
        self.assertIs(self.messages.next_for(self.bob, 3), message)

    def test_the_first_in_the_queue_goes_first_whoever_refused_it(self) -> None:
        carl: Any = object()
        third, first, second = (
            self.refused(self.ann, 0, 9, 3),
            self.refused(self.bob, 0, 9, 1),
            self.refused(self.bob, 0, 0, 2),
        )
        self.assertEqual([self.messages.next_for(carl, 1) for _ in range(4)], [first, second, third, None])

    def test_what_one_refused_who_has_left_is_anybody_s(self) -> None:
        message = self.refused(self.ann, 0, 9)
        late = self.refused(self.ann, 2, 9)
        self.messages.forget(self.ann)
        self.assertIs(self.messages.next_for(self.ann, 1), message)
        self.assertIs(self.messages.next_for(self.ann, 2), late)

    def test_one_that_is_no_more_is_passed_over(self) -> None:
        gone = self.refused(self.ann)
        message = self.refused(self.ann)
        self.messages.discard(gone.id)
        self.assertEqual(self.messages.held, 1)
        self.assertIs(self.messages.next_for(self.bob, 1), message)

    def test_cleared_it_gives_back_the_last_first(self) -> None:
        first, second = self.refused(self.ann, 5, 9), self.refused(self.bob)
        self.assertEqual(list(self.messages.clear()), [second, first])
        self.assertIsNone(self.messages.next_for(self.bob, 99))

    def test_many_cost_little_each(self) -> None:
        self.assertLess(self.lines_for(10_000), 15 * self.lines_for(1000))

    def lines_for(self, count: int) -> int:
        """What it costs to refuse so many, to ask for them in vain, and to hand them out."""

        def refuse_and_hand_out() -> None:
            for _ in range(count):
                self.refused(self.ann, 0, 5)
            for now in (1, 2, 3, 4):
                for _ in range(count // 20):
                    self.assertIsNone(self.messages.next_for(self.ann, now))
            while self.messages.next_for(self.ann, 6) is not None:
                pass

        lines = lines_run(refuse_and_hand_out)
        self.assertEqual(self.messages.held, 0)
        return lines
