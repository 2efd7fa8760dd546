"""engine/sqlite/delivery_mark.py: what may have been handed out, as the file says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite.delivery_mark import DeliveryMark
from stomp_tx.message import Message


class DeliveryMarkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mark = DeliveryMark()

    def message(self, position: int, attempts: int = 0) -> Message:
        message = Message("1", "/queue/a", "/queue/a", {}, b"", 1)
        message.position, message.attempts = position, attempts
        return message

    def test_what_could_not_be_written_is_wanted_anew(self) -> None:
        self.mark.restore(5)
        self.mark.wanted = 9
        self.mark.written = 7
        self.mark.not_written()
        self.assertEqual((self.mark.safe, self.mark.written, self.mark.wanted), (5, 5, 5))

    def test_it_is_lowered_to_what_the_rows_don_t_say_and_no_further(self) -> None:
        self.mark.restore(5)
        self.mark.safe = self.mark.wanted = 9
        self.mark.lower()
        self.assertEqual(self.mark.wanted, 5)

    def test_what_was_read_counts_an_attempt_once(self) -> None:
        messages = [self.message(4), self.message(5, 3), self.message(6)]
        self.mark.count_attempts(messages)
        self.assertEqual([one.attempts for one in messages], [0, 3, 0])
        self.mark.restore(5)
        self.mark.count_attempts(messages)
        self.assertEqual([one.attempts for one in messages], [1, 3, 0])
