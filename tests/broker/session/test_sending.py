"""broker/session/sending.py: what of a SEND is passed on."""

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Broker


class ForgeryTests(SynchronousTestCase):
    """Headers that are the broker's can't be written by a producer."""

    def test_what_the_producer_wrote_there_is_not_passed_on(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), broker.connect()
        bob.subscribes("/queue/a", ack="client")
        forged = {
            "message-id": "evil",
            "subscription": "evil",
            "ack": "evil",
            "redelivered": "true",
            "redelivery-count": "9",
            "receipt-id": "evil",
            "receipt": "mine",
        }
        ann.says("SEND", {"destination": "/queue/a", "colour": "red", **forged})
        message = bob.hears("MESSAGE")
        self.assertEqual(message.headers["colour"], "red")
        self.assertEqual(message.headers["subscription"], "1")
        self.assertNotIn("evil", message.headers.values())
        for name in ("redelivered", "redelivery-count", "receipt-id", "receipt", "transaction"):
            self.assertNotIn(name, message.headers)
        bob.acks(message, receipt="ok")
        bob.hears("RECEIPT")

    def test_a_line_end_for_1_2_is_no_header_for_1_0(self) -> None:
        broker = Broker()
        ann, old = broker.connect(), broker.connect("1.0")
        old.subscribes("/queue/a")
        ann.says("SEND", {"destination": "/queue/a", "x": "a\nevil:1", "y:z": "colon", "c\rr": "d\re"})
        message = old.hears("MESSAGE")
        self.assertEqual(message.headers["x"], "a evil:1")
        self.assertNotIn("evil", message.headers)
        self.assertNotIn("y", message.headers)

    def test_each_version_gets_its_own_escapes_of_one_message(self) -> None:
        broker = Broker()
        ann, v11, v12 = broker.connect(), broker.connect("1.1"), broker.connect("1.2")
        v11.subscribes("/topic/a")
        v12.subscribes("/topic/a")
        ann.says("SEND", {"destination": "/topic/a", "x": "a:b\nc\\d"}, b"1")
        for client in (v11, v12):
            self.assertEqual(client.hears("MESSAGE").headers["x"], "a:b\nc\\d")
            self.assertIn(b"x:a\\cb\\nc\\\\d", client.octets)
