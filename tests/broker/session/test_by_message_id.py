"""broker/session/by_message_id.py: clients of 1.2 that ACK by message-id, as they may with RabbitMQ."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.session.by_message_id import ByMessageId
from stomp_tx.message import Message
from stomp_tx.wire.frame import Frame
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker
from tests.counting import lines_run


def message_id(message: Frame) -> str:
    return message.headers["message-id"]


class AckByMessageIdTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = Broker()
        self.ann, self.bob = self.broker.connect(), self.broker.connect()

    def sends(self, *bodies: str) -> None:
        for body in bodies:
            send(self.ann, "/queue/a", body)

    def bob_hears(self, count: int) -> list[Frame]:
        return [self.bob.hears("MESSAGE") for _ in range(count)]

    def left(self) -> list[bytes]:
        """What waits once bob has gone."""
        self.bob.hangs_up()
        self.ann.subscribes("/queue/a", id="left")
        return self.ann.hears_bodies()

    def test_ack_settles_the_message_of_that_id(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.sends("one", "two", "three")
        _, two, _ = self.bob_hears(3)
        self.bob.says("ACK", id=message_id(two), receipt="1")
        self.assertEqual(self.bob.hears("RECEIPT").headers["receipt-id"], "1")
        self.assertEqual(self.left(), [b"one", b"three"])

    def test_mode_client_settles_those_before_it_and_a_late_one_is_innocent(self) -> None:
        self.bob.subscribes("/queue/a", ack="client")
        self.sends("one", "two", "three")
        one, two, _ = self.bob_hears(3)
        self.bob.says("ACK", id=message_id(two))
        self.bob.says("ACK", id=message_id(one), receipt="1")
        self.bob.hears("RECEIPT")
        self.assertEqual(self.left(), [b"three"])

    def test_nack_puts_it_back(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.sends("one")
        [one] = self.bob_hears(1)
        self.bob.says("NACK", id=message_id(one))
        self.assertEqual(self.left(), [b"one"])

    def test_what_comes_after_the_first_such_ack_is_found_as_well(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.sends("one")
        self.bob.says("ACK", id=message_id(*self.bob_hears(1)))
        self.bob.subscribes("/queue/b", id="2", ack="client-individual")
        self.sends("two")
        send(self.ann, "/queue/b", "three")
        for message in self.bob_hears(2):
            self.bob.says("ACK", id=message_id(message), receipt="1")
            self.bob.hears("RECEIPT")
        self.assertEqual(self.left(), [])

    def test_two_deliveries_of_one_message_are_too_many(self) -> None:
        self.bob.subscribes("/topic/a", id="1", ack="client-individual")
        self.bob.subscribes("/topic/a", id="2", ack="client-individual")
        send(self.ann, "/topic/a", "to both")
        first, second = self.bob_hears(2)
        self.assertEqual(message_id(first), message_id(second))
        self.bob.says("ACK", id=message_id(first))
        self.assertIn(b"2 deliveries", self.bob.fails("message-id is not enough").body)

    def test_once_the_ack_header_has_told_them_apart_the_other_one_is_found(self) -> None:
        self.bob.subscribes("/topic/a", id="1", ack="client-individual")
        self.bob.subscribes("/topic/a", id="2", ack="client-individual")
        send(self.ann, "/topic/a", "to both")
        first, second = self.bob_hears(2)
        self.bob.acks(first)
        self.bob.says("ACK", id=message_id(second), receipt="1")
        self.bob.hears("RECEIPT")

    def test_a_late_ack_that_names_the_old_subscription_leaves_the_redelivery(self) -> None:
        self.bob.subscribes("/queue/a", id="old", ack="client-individual")
        self.sends("one")
        [one] = self.bob_hears(1)
        self.bob.says("UNSUBSCRIBE", id="old")
        self.bob.subscribes("/queue/a", id="new", ack="client-individual")
        self.bob_hears(1)
        self.bob.says("ACK", id=message_id(one), subscription="old", receipt="1")
        self.bob.hears("RECEIPT")
        self.assertEqual(self.left(), [b"one"])

    def test_an_aborted_ack_can_be_said_again(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.sends("one")
        [one] = self.bob_hears(1)
        for end in ("ABORT", "COMMIT"):
            self.bob.says("BEGIN", transaction="t")
            self.bob.says("ACK", id=message_id(one), transaction="t")
            self.bob.says(end, transaction="t", receipt=end)
            self.bob.hears("RECEIPT")
        self.assertEqual(self.left(), [])

    def test_an_id_of_nobody_is_refused(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.bob.says("ACK", id="nobody's")
        self.bob.fails("no such message")


class ByMessageIdTests(SynchronousTestCase):
    def in_flight(self, count: int) -> ByMessageId:
        owner = object()
        return ByMessageId(
            {f"1-{n}": (Message(f"m-{n}", "/queue/a", "/queue/a", {}, b"", 1), owner) for n in range(count)}  # type: ignore[misc]
        )

    def test_finding_and_settling_cost_the_same_among_190_000(self) -> None:
        def settle(deliveries: ByMessageId) -> None:
            for number in (7, 5, 3):
                [name] = deliveries.names_of(f"m-{number}")
                del deliveries[name]

        few, many = self.in_flight(10), self.in_flight(190_000)
        self.assertEqual(lines_run(lambda: settle(many)), lines_run(lambda: settle(few)))

    def test_nothing_is_left_of_what_was_settled(self) -> None:
        deliveries = self.in_flight(100)
        for name in list(deliveries)[:50]:
            deliveries.pop(name)
        self.assertEqual(len(deliveries._names), 50)
        self.assertIsNone(deliveries.pop("1-0", None))
        deliveries.clear()
        self.assertEqual((len(deliveries), len(deliveries._names)), (0, 0))
