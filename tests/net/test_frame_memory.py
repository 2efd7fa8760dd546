"""frame_memory.py: what all connections together keep of frames that have not come whole."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.net.frame_memory import FREE
from tests.conversation import Broker, Client

HEAD = b"SEND\ndestination:/queue/a\n\n"
MIB = 1024 * 1024


class UnfinishedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = Broker(unfinished_octets=4 * MIB)

    def begins(self, octets: int, host: str = "127.0.0.1") -> Client:
        """A client with so much of a frame under way."""
        client = self.broker.knocks(IPv4Address("TCP", host, 1))
        client.hears("CONNECTED")
        client.sends(HEAD + b"x" * octets)
        return client

    def test_who_keeps_most_is_told_and_what_it_kept_is_free_again(self) -> None:
        ann, eve = self.begins(MIB), self.begins(2 * MIB)
        bob = self.begins(MIB + 1000)
        eve.fails("too much under way")
        self.assertEqual(eve.protocol._parser.unfinished, 0)
        for client in (ann, bob):
            client.sends(b"\0")
            self.assertFalse(client.is_closed)
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], 2)
        self.assertEqual(self.broker.factory._frame_memory.octets, 0)

    def test_of_many_small_ones_of_one_place_and_a_large_one_it_is_a_small_one(self) -> None:
        ann = self.begins(int(1.5 * MIB), "192.0.2.1")
        eves = [self.begins(MIB // 2, "192.0.2.66") for _ in range(10)]
        self.assertFalse(ann.is_closed)
        self.assertTrue(any(eve.is_closed for eve in eves))

    def test_what_is_small_is_not_counted(self) -> None:
        clients = [self.begins(FREE) for _ in range(100)]
        self.assertFalse(any(client.is_closed for client in clients))

    def test_it_is_not_counted_any_more_when_the_connection_is_gone(self) -> None:
        for _ in range(10):
            self.begins(MIB).hangs_up()
            whole = self.begins(MIB)
            whole.sends(b"\0")
        self.assertEqual(self.broker.factory._frame_memory.octets, 0)

    def test_any_number(self) -> None:
        self.broker = Broker(unfinished_octets=0)
        clients = [self.begins(MIB) for _ in range(10)]
        self.assertFalse(any(client.is_closed for client in clients))
