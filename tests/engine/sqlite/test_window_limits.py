"""engine/sqlite/window_limits.py: how much of a lane stays in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.room import Room
from stomp_tx.engine.sqlite.window_limits import NARROW, WindowLimits
from stomp_tx.engine.waiting import WaitingMessages
from stomp_tx.message import Message

TOTAL = 400_000_000


class WindowLimitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.limits = EngineLimits(total_octets=TOTAL)
        self.room = Room(self.limits, lambda name: None)
        self.window = WindowLimits(self.limits, self.room)
        self.waiting = WaitingMessages("/queue/a", {})

    def holds(self, count: int) -> None:
        for _ in range(count):
            self.waiting.append(Message("1", "/queue/a", "/queue/a", {}, b"", 50))

    def test_its_length_and_its_octets(self) -> None:
        self.holds(self.limits.window_length - 1)
        self.assertFalse(self.window.is_full(self.waiting))
        self.holds(1)
        self.assertTrue(self.window.is_full(self.waiting))
        self.waiting.clear()
        self.waiting.octets = self.limits.window_octets
        self.assertTrue(self.window.is_full(self.waiting))

    def test_it_leaves_room_for_what_does_not_persist(self) -> None:
        window = WindowLimits(EngineLimits(queue_length=10), self.room)
        self.holds(4)
        self.assertFalse(window.is_full(self.waiting))
        self.holds(1)
        self.assertTrue(window.is_full(self.waiting))

    def test_it_is_narrow_while_memory_is_short(self) -> None:
        self.holds(NARROW - 1)
        self.room.octets = TOTAL // 2
        self.assertFalse(self.window.is_full(self.waiting))
        self.holds(1)
        self.assertTrue(self.window.is_full(self.waiting))
        self.waiting.clear()
        self.holds(1)
        self.assertFalse(self.window.is_full(self.waiting))
        self.room.octets = TOTAL // 4 * 3
        self.assertTrue(self.window.is_full(self.waiting))
        self.waiting.clear()
        self.assertFalse(self.window.is_full(self.waiting))  # one at least: it goes on
