"""heartbeat.py (STOMP 1.2, "Heart-beating")."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.net.heartbeat import Beat, Monitor


class BeatTests(SynchronousTestCase):
    """The sender must send something at least every n milliseconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.beats: list[float] = []
        self.beat = Beat(self.clock, 1.0, lambda: self.beats.append(self.clock.seconds()))
        self.addCleanup(self.beat.stop)

    def test_it_beats_a_little_early_and_then_regularly(self) -> None:
        self.clock.pump([0.05] * 100)
        self.assertEqual(len(self.beats), 5)
        self.assertTrue(all(0.9 < b - a <= 1.0 for a, b in zip([0.0, *self.beats], self.beats, strict=False)))

    def test_what_is_said_puts_it_off_from_the_last_word(self) -> None:
        """Not from a fixed tick, which could leave twice the interval between two words."""
        self.clock.advance(0.5)
        self.beat.said()
        self.clock.advance(0.9)
        self.assertEqual(self.beats, [])
        self.clock.advance(0.06)
        self.assertEqual(len(self.beats), 1)

    def test_stopped_it_leaves_no_timer_and_may_be_stopped_again(self) -> None:
        self.beat.stop()
        self.beat.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class MonitorTests(SynchronousTestCase):
    """A receiver may give up after silence, and is tolerant."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.silent: list[float] = []
        self.monitor = Monitor(self.clock, 2.0, lambda: self.silent.append(self.clock.seconds()))
        self.addCleanup(self.monitor.stop)

    def test_silence_is_noticed_once(self) -> None:
        self.clock.pump([0.1] * 19)
        self.assertEqual(self.silent, [])
        self.clock.pump([0.1] * 30)
        self.assertEqual(len(self.silent), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hearing_something_puts_it_off(self) -> None:
        for _ in range(10):
            self.clock.advance(1.9)
            self.monitor.heard()
        self.assertEqual(self.silent, [])
        self.clock.advance(1.0)
        self.clock.advance(1.1)
        self.assertEqual(len(self.silent), 1)

    def test_when_our_own_loop_was_late_the_peer_has_its_time_anew(self) -> None:
        self.clock.advance(60)  # what it said may wait in the socket, unread
        self.assertEqual(self.silent, [])
        self.clock.advance(1.9)
        self.assertEqual(self.silent, [])
        self.clock.advance(0.2)
        self.assertEqual(len(self.silent), 1)

    def test_what_waits_to_be_read_is_heard(self) -> None:
        """Timers run before what has come is read: a loop that was a little late looks there first."""
        self.clock.callLater(2.2, self.monitor.heard)  # in the same turn, after the monitor's own timer
        self.clock.rightNow = 2.2
        self.clock.advance(0)
        self.assertEqual(self.silent, [])

    def test_suspended_it_notices_nothing_and_resumed_it_begins_anew(self) -> None:
        self.clock.advance(1.9)
        self.monitor.suspend()
        self.clock.advance(100)
        self.monitor.resume()
        self.clock.advance(1.9)
        self.assertEqual(self.silent, [])
        self.clock.advance(0.2)
        self.assertEqual(len(self.silent), 1)
