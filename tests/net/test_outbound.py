"""net/outbound.py: what is written to a transport, and how full that is.

What it does over a real socket: tests/test_protocol.py.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from stomp_tx.net.outbound import Outbound
from tests.conversation import Transport


class OutboundTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.happened: list[str] = []
        self.outbound = self.make()

    def make(self, end: bytes = b"") -> Outbound:
        self.transport = Transport()
        outbound = Outbound(
            10,
            100,
            end,
            lambda: self.happened.append("full"),
            lambda: self.happened.append("room"),
            lambda: self.happened.append("behind"),
        )
        outbound.connect(self.transport)
        return outbound

    def test_it_is_its_transports_producer(self) -> None:
        verifyObject(IPushProducer, self.outbound)
        self.assertIs(self.transport.producer, self.outbound)

    def test_frames_are_one_write_and_are_taken_from_the_list(self) -> None:
        writes: list[bytes] = []
        self.patch(self.transport, "write", writes.append)
        for given in ([b"a"], [b"a", b"b"]):
            self.outbound.write(given)
            self.assertEqual(given, [])
        self.assertEqual(writes, [b"a", b"ab"])

    def test_an_end_is_behind_each(self) -> None:
        outbound = self.make(end=b"\n")
        outbound.write([b"a"])
        outbound.write([b"b", b"c"])
        self.assertEqual(self.transport.value(), b"a\nb\nc\n")

    def test_each_change_is_told_once(self) -> None:
        for call in (
            self.outbound.resumeProducing,
            self.outbound.pauseProducing,
            self.outbound.resumeProducing,
        ):
            call()
            call()
        self.assertEqual(self.happened, ["full", "room"])

    def test_so_much_behind_a_full_transport_is_too_much(self) -> None:
        self.outbound.write([b"x" * 1000])
        self.assertFalse(self.outbound.is_far_behind)
        self.outbound.pauseProducing()
        self.outbound.write([b"x" * 100])
        self.assertFalse(self.outbound.is_far_behind)
        self.outbound.write([b"x"])
        self.assertTrue(self.outbound.is_far_behind)
        self.outbound.resumeProducing()
        self.assertFalse(self.outbound.is_far_behind)
        self.assertEqual(self.happened, ["full", "behind", "room"])
