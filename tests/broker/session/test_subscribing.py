"""broker/session/subscribing.py: a long selector makes its own connection wait, and no other."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.broker.destinations.test_destination import send
from tests.conversation import Broker
from tests.counting import Ticking


def selector(name: str) -> str:
    """A long one, of 800 tokens, that wants ``x = 1``."""
    return "x = 1" + "".join(f" OR {name} = {number}" for number in range(200))


class SelectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Ticking()
        self.broker = Broker(clock=self.clock)

    def subscribe(self, name: str) -> bytes:
        headers = f"id:{name}\ndestination:/topic/a\nselector:{selector(name)}\nreceipt:{name}"
        return f"SUBSCRIBE\n{headers}\n\n\0".encode()

    def test_many_are_compiled_in_slices_and_in_order(self) -> None:
        bob, cid = self.broker.connect(), self.broker.connect()
        turns = 0
        for client, letter in ((bob, "b"), (cid, "c")):
            client.sends(b"".join(self.subscribe(f"{letter}{number}") for number in range(4)))
        heard: dict[str, list[str]] = {"b": [], "c": []}
        while len(heard["b"]) + len(heard["c"]) < 8:
            self.assertTrue(self.clock.turn())
            turns += 1
            now = [frame.headers["receipt-id"] for one in (bob, cid) for frame in one.everything()]
            self.assertLessEqual(len(now), 1)  # ten milliseconds are not enough for two
            for name in now:
                heard[name[0]].append(name)
        self.assertGreater(turns, 8 * 200 * 4 // 16 // 11)
        self.assertEqual(heard, {one: [f"{one}{number}" for number in range(4)] for one in "bc"})
        send(self.broker.connect(), "/topic/a", "hi", x="1")
        self.assertEqual(len(bob.hears_bodies()), 4)

    def test_one_that_is_known_costs_nothing(self) -> None:
        bob, cid = self.broker.connect(), self.broker.connect()
        bob.sends(self.subscribe("known"))
        while bob.hears_nothing():
            self.clock.turn()
        cid.sends(self.subscribe("known"))
        cid.hears("RECEIPT")

    def test_a_connection_that_ends_meanwhile(self) -> None:
        bob = self.broker.connect()
        bob.sends(self.subscribe("ends"))
        self.assertTrue(bob.hears_nothing())
        bob.hangs_up()
        while self.clock.turn():
            pass
        self.assertIsNone(self.broker.factory.registry.get("/topic/a"))

    def test_one_that_is_malformed(self) -> None:
        bob = self.broker.connect()
        bob.sends(self.subscribe("bad").replace(b"\nreceipt", b" OR\nreceipt"))
        while bob.hears_nothing():
            self.assertTrue(self.clock.turn())
        bob.fails("malformed selector")
