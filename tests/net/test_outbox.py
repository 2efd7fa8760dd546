"""net/outbox.py: who has something to send is written once, at the end of a turn."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.net.outbox import Outbox


class Connection:
    """Notes what it is asked; a flush may bring ``more`` to send, or break."""

    def __init__(self, outbox: Outbox, more: int = 0, breaks: bool = False) -> None:
        self.outbox = outbox
        self.more = more
        self.breaks = breaks
        self.happened: list[object] = []

    def flush(self) -> None:
        self.happened.append("flush")
        if self.breaks:
            raise ZeroDivisionError
        if self.more:
            self.more -= 1
            self.outbox.add(self)

    def fail(self, error: BaseException) -> None:
        self.happened.append(type(error))


class OutboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.outbox = Outbox(self.clock)

    def test_all_are_written_once_in_the_next_turn(self) -> None:
        connections = [Connection(self.outbox) for _ in range(3)]
        for one in connections:
            self.outbox.add(one)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual([one.happened for one in connections], [[]] * 3)
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual([one.happened for one in connections], [["flush"]] * 3)

    def test_in_a_turn_whoever_runs_it_will_flush(self) -> None:
        self.outbox.in_turn = True
        self.outbox.add(Connection(self.outbox))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_always_has_more_gets_two_writes_in_a_turn(self) -> None:
        greedy = Connection(self.outbox, more=4)
        self.outbox.add(greedy)
        self.outbox.flush()
        self.assertEqual(len(greedy.happened), 2)
        self.clock.advance(0)
        self.assertEqual(len(greedy.happened), 5)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_breaks_is_told_and_the_others_are_written(self) -> None:
        broken, fine = Connection(self.outbox, breaks=True), Connection(self.outbox)
        for one in (broken, fine):
            self.outbox.add(one)
        self.outbox.flush()
        self.assertEqual((broken.happened, fine.happened), (["flush", ZeroDivisionError], ["flush"]))
        self.assertFalse(self.outbox.in_turn)
