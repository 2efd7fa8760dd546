"""net/read_share.py: how much a connection reads at a time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.net.read_share import LEAST, MOST, TURN, ReadShare


class ShareTests(SynchronousTestCase):
    def turns(self, share: ReadShare, readers: int) -> int:
        """What one of so many gets after some turns."""
        size = 0
        for _ in range(3):
            for number in range(readers):
                size = share.of(number)
        return size

    def test_one_that_reads_much_has_all_that_there_is_at_a_time(self) -> None:
        self.assertEqual(self.turns(ReadShare(), 1), MOST)

    def test_many_share_a_turn(self) -> None:
        self.assertEqual(self.turns(ReadShare(), 8), TURN // 8)

    def test_however_many_there_are_each_gets_on(self) -> None:
        self.assertEqual(self.turns(ReadShare(), 1000), LEAST)

    def test_when_the_others_have_stopped_one_has_all_again(self) -> None:
        share = ReadShare()
        self.turns(share, 8)
        share.of("who is cut")
        share.forget("who is cut")
        self.assertEqual(self.turns(share, 1), MOST)
