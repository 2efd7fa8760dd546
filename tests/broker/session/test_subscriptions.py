"""broker/session/subscriptions.py: each subscription costs the same, however many a connection has."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.broker.destinations.test_destination import send
from tests.conversation import Broker, Client
from tests.counting import lines_run


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
