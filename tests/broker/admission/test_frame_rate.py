"""frame_rate.py and rate.py: a connection is read no faster than it may be."""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Broker, Client

FRAME = b"SEND\ndestination:/queue/a\n\nx\0"


class ThrottleTests(SynchronousTestCase):
    def arrived(self, broker: Broker) -> int:
        length: int = broker.engine.depth("/queue/a")[0]
        return length

    def test_frames_a_second(self) -> None:
        broker = Broker(frames_per_second=10)
        ann = broker.connect()
        ann.sends(FRAME * 100)
        counts = []
        for _ in range(5):
            counts.append(self.arrived(broker))
            for _ in range(10):
                broker.clock.advance(0.1)
        self.assertLessEqual(counts[0], 11)
        for before, after in pairwise(counts):
            self.assertAlmostEqual(after - before, 10, delta=1)

    def test_octets_a_second(self) -> None:
        broker = Broker(octets_per_second=10 * len(FRAME))
        ann = broker.connect()
        ann.sends(FRAME * 100)
        first = self.arrived(broker)
        self.assertLessEqual(first, 11)
        for _ in range(30):
            broker.clock.advance(0.1)
        self.assertAlmostEqual(self.arrived(broker) - first, 30, delta=2)

    def test_line_feeds_are_octets(self) -> None:
        broker = Broker(octets_per_second=1000)
        ann = broker.connect()
        ann.sends(b"\n" * 10_000 + FRAME)
        self.assertEqual(ann.transport.producerState, "paused")
        broker.clock.pump([0.1] * 80)
        self.assertEqual(self.arrived(broker), 0)
        broker.clock.pump([0.1] * 20)
        self.assertEqual(self.arrived(broker), 1)
        self.assertEqual(ann.transport.producerState, "producing")

    def test_octets_count_before_connect(self) -> None:
        broker = Broker(octets_per_second=1000)
        eve = broker.dial()
        eve.sends(b"\n" * 3000)
        self.assertEqual(eve.transport.producerState, "paused")
        self.assertFalse(eve.is_closed)

    def test_octets_count_while_their_frame_is_under_way(self) -> None:
        broker = Broker(octets_per_second=1000)
        ann = broker.connect()
        ann.sends(b"SEND\ndestination:/queue/a\n\n" + b"x" * 10_000 + b"\0")
        kept = []
        for _ in range(5):
            kept.append(ann.protocol._parser.unfinished)
            broker.clock.pump([0.1] * 10)
        self.assertLess(kept[0], 1200)
        for before, after in pairwise(kept):
            self.assertAlmostEqual(after - before, 1000, delta=150)
        broker.clock.pump([0.1] * 60)
        self.assertEqual(self.arrived(broker), 1)

    def test_heart_beats_go_on_both_ways_while_nothing_is_read(self) -> None:
        broker = Broker(octets_per_second=100)
        ann = broker.connect(heart_beat="1000,1000")
        ann.sends(b"\n" * 2000)
        ann.hears_octets()
        broker.clock.pump([0.1] * 150)
        self.assertEqual(ann.transport.producerState, "paused")
        self.assertGreaterEqual(ann.hears_octets().count(b"\n"), 14)
        self.assertFalse(ann.is_closed)
        broker.clock.pump([0.1] * 100)  # all is read, and now it says nothing more
        ann.hears_the_end()

    def test_nothing_is_lost_and_order_is_kept(self) -> None:
        broker = Broker(frames_per_second=10)
        ann, bob = broker.connect(), broker.connect()
        bob.subscribes("/queue/b")
        ann.sends(b"".join(b"SEND\ndestination:/queue/b\n\n%d\0" % number for number in range(40)))
        for _ in range(60):
            broker.clock.advance(0.1)
        self.assertEqual(bob.hears_bodies(), [b"%d" % number for number in range(40)])

    def test_who_keeps_to_it_is_never_held_up(self) -> None:
        broker = Broker(frames_per_second=10)
        ann = broker.connect()
        for number in range(1, 50):
            broker.clock.advance(0.1)
            ann.sends(FRAME)
            self.assertEqual(self.arrived(broker), number)

    def test_silence_while_it_is_not_read_is_no_fault_of_the_client(self) -> None:
        broker = Broker(frames_per_second=1)
        ann = broker.connect(heart_beat="1000,0")
        ann.sends(FRAME * 10)
        for _ in range(50):
            broker.clock.advance(0.1)
        self.assertFalse(ann.is_closed)

    def test_the_others_are_not_held_up(self) -> None:
        broker = Broker(frames_per_second=1)
        ann, bob = broker.connect(), broker.connect()
        ann.sends(FRAME * 10)
        before = self.arrived(broker)
        bob.sends(FRAME)
        self.assertEqual(self.arrived(broker), before + 1)

    def test_when_it_is_cut_nothing_stays_behind(self) -> None:
        broker = Broker(octets_per_second=100, frames_per_second=1)
        ann = broker.connect()
        ann.sends(FRAME * 10)
        ann.hangs_up()
        self.assertEqual(broker.factory.sessions, {})
        self.assertEqual([call for call in broker.clock.getDelayedCalls() if call.getTime() > 100], [])

    def test_without_a_limit_there_is_nothing_in_between(self) -> None:
        broker = Broker()
        client: Client = broker.connect()
        self.assertIn(client.protocol.receiver, broker.factory.sessions)
