"""broker/session/subscriptions.py: each subscription costs the same, however many a connection has."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations.ack_modes import FEW, MUCH
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker, Client
from tests.counting import Ticking, lines_run


def subscribed(times: int, destination: str, **headers: str) -> Client:
    """A client with so many subscriptions to one destination."""
    client = Broker(selectors=100_000).connect()
    for number in range(times):
        client.subscribes(destination, id=str(number), **headers)
    return client


class CostTests(SynchronousTestCase):
    def lines(self, times: int, destination: str, **headers: str) -> list[int]:
        """What one more costs, its end, a late ACK, and the end of the connection for each that it has."""
        client = subscribed(times, destination, **headers)
        client.subscribes(destination, id="late", ack="client-individual")
        client.says("UNSUBSCRIBE", id="late")
        return [
            lines_run(lambda: client.subscribes(destination, id="one more", **headers)),
            lines_run(lambda: client.says("ACK", id=f"{times + 1}-1")),
            lines_run(lambda: client.says("UNSUBSCRIBE", id="one more")),
            lines_run(client.hangs_up) // times,
        ]

    def test_to_a_topic(self) -> None:
        self.assertEqual(self.lines(1000, "/topic/a")[:3], self.lines(50, "/topic/a")[:3])
        self.assertLess(self.lines(1000, "/topic/a")[3], 60)

    def test_with_a_selector(self) -> None:
        few, many = (self.lines(times, "/topic/a", selector="x = 1") for times in (50, 1000))
        self.assertEqual(many[:3], few[:3])

    def test_to_a_queue(self) -> None:
        few, many = (self.lines(times, "/queue/a") for times in (50, 1000))
        self.assertEqual(many[:3], few[:3])

    def test_nobody_is_missed_and_nobody_hears_twice(self) -> None:
        client = subscribed(3, "/topic/a")
        client.subscribes("/topic/a", id="reds", selector="colour = 'red'")
        send(client, "/topic/a", "1", colour="red")
        self.assertEqual(client.hears_bodies(), [b"1"] * 4)
        client.says("UNSUBSCRIBE", id="1")
        client.says("UNSUBSCRIBE", id="reds")
        send(client, "/topic/a", "2", colour="red")
        self.assertEqual(client.hears_bodies(), [b"2"] * 2)


class OutputTests(SynchronousTestCase):
    """What one message makes for the many subscriptions of a connection is sent as far as there is room."""

    def setUp(self) -> None:
        self.clock = Ticking()
        self.broker = Broker(clock=self.clock)
        self.ann, self.bob = self.broker.connect(), self.broker.connect()
        self.bob.transport.room = 100_000

    def heard(self, most: int) -> list[tuple[str, bytes]]:
        """Subscription and first octet of all that bob hears, who reads once in each turn."""
        found = []
        while self.bob.transport.value():
            octets = self.bob.transport.value()
            self.assertLess(len(octets), most)
            self.bob.octets = b""
            self.bob._parser.feed(octets)
            while (frame := self.bob._parser.next_frame()) is not None:
                found.append((frame.headers["subscription"], frame.body[:1]))
            self.bob.transport.take()
            for _ in range(10):
                self.clock.turn()
        return found

    def subscribe(self, ack: str, destination: str) -> None:
        for number in range(200):
            self.bob.subscribes(destination.format(number), id=str(number), ack=ack)

    def test_it_is_bounded_and_in_order_for_each(self) -> None:
        for ack in ("auto", "client", "client-individual"):
            for destination in ("/topic/a", "/topic/a,/topic/b{}"):
                self.setUp()
                self.subscribe(ack, destination)
                for body in ("1", "2"):
                    send(self.ann, "/topic/a", body * 60_000)
                heard = self.heard(60_500 * (2 * FEW + 1) + MUCH)
                for number in range(200):
                    mine = [body for one, body in heard if one == str(number)]
                    self.assertEqual(mine, [b"1", b"2"], (ack, destination, number))

    def test_the_body_is_kept_once(self) -> None:
        self.subscribe("auto", "/topic/a")
        send(self.ann, "/topic/a", "1" * 60_000)
        topic = self.broker.factory.registry.get("/topic/a")
        assert topic is not None
        waiting = [one.backlog[0] for one in topic.subscriptions if one.backlog]
        self.assertGreater(len(waiting), 100)
        self.assertEqual(len({id(message) for message in waiting}), 1)

    def test_of_a_queue(self) -> None:
        send(self.ann, "/queue/a", *["1" * 60_000] * 200)
        self.subscribe("auto", "/queue/a")
        self.assertEqual(len(self.heard(60_500 * (2 * FEW + 1) + MUCH)), 200)
