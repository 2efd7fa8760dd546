"""throttle.py: a connection is read no faster than it may be."""

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
        broker = Broker(octets_per_second=1)
        ann = broker.connect()
        ann.sends(FRAME * 10)
        ann.hangs_up()
        self.assertEqual(broker.factory.sessions, {})
        self.assertEqual([call for call in broker.clock.getDelayedCalls() if call.getTime() > 100], [])

    def test_without_a_limit_there_is_nothing_in_between(self) -> None:
        broker = Broker()
        client: Client = broker.connect()
        self.assertIn(client.protocol.receiver, broker.factory.sessions)
