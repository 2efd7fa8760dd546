"""engine/sqlite/dedupe_stamps.py: they go on, and each is higher than those before."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite.dedupe_stamps import DedupeStamps


class StampsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(50)

    def test_they_go_on_from_where_they_were(self) -> None:
        stamps = DedupeStamps(self.clock.seconds, 1.7e9)
        first = stamps.new()
        self.assertAlmostEqual(first, 1.7e9, places=5)
        self.clock.advance(3)
        self.assertAlmostEqual(stamps.new() - first, 3, places=5)

    def test_those_of_one_moment_are_in_their_order(self) -> None:
        stamps = DedupeStamps(self.clock.seconds, 1.7e9)
        found = [stamps.new() for _ in range(1000)]
        self.assertEqual(sorted(set(found)), found)
        self.assertGreater(found[0], 1.7e9)
        self.assertLess(found[-1], 1.7e9 + 0.01)

    def test_what_was_stamped_by_then_is_below(self) -> None:
        stamps = DedupeStamps(self.clock.seconds, 1000.0)
        old = stamps.new()
        self.clock.advance(10)
        young = stamps.new()
        self.clock.advance(5)
        self.assertTrue(old < stamps.ago(6) < young)
