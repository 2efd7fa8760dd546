from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import Message
from stomp_tx.client.session.status import Status
from stomp_tx.wire.frame import Frame
from tests.client.session.test_subscription import SubscriptionTests
from tests.client.test_client import Refused
from tests.client.wiring import Script


def message(body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message(Frame("MESSAGE", named, body), None, 1)


class MessageTests(SynchronousTestCase):
    def test_headers_are_attributes(self):
        one = message(message_id="7", destination="/queue/a", ack="1-7", redelivered="true")
        self.assertEqual(
            (one.id, one.destination, one.ack_id, one.redelivered), ("7", "/queue/a", "1-7", True)
        )

    def test_it_tells_its_id_its_destination_and_its_size_but_not_what_is_in_it(self):
        one = message(b"secret", message_id="7", destination="/queue/a", passcode="open-sesame")
        self.assertEqual(repr(one), "<Message '7' of '/queue/a', 6 bytes>")
        again = message(message_id="7", destination="/queue/a", redelivered="true")
        self.assertEqual(repr(again), "<Message '7' of '/queue/a', 0 bytes, redelivered>")

    def test_headers_may_be_absent(self):
        one = message()
        self.assertEqual((one.id, one.destination, one.ack_id, one.redelivered), ("", "", None, False))

    def test_text_is_in_the_charset_that_is_named(self):
        latin = "Grüße".encode("latin-1")
        for content_type in ("text/plain;charset=latin-1", 'text/plain; x=y; Charset="ISO-8859-1"'):
            self.assertEqual(message(latin, content_type=content_type).text(), "Grüße")
        self.assertEqual(message(latin).text("latin-1"), "Grüße")
        self.assertEqual(message("Grüße".encode(), content_type="text/plain").text(), "Grüße")

    def test_text_that_is_none_raises(self):
        self.assertRaises(UnicodeDecodeError, message(b"\xff").text)
        for charset in ("klingon", "hex", '"a\0b"'):
            wrong = message(b"a", content_type=f"text/plain;charset={charset}")
            self.assertRaises(ValueError, wrong.text)
        error = self.assertRaises(ValueError, message(b"a").text, "klingon")
        self.assertEqual(str(error), "there is no charset 'klingon'")


class RedeliveredTests(SynchronousTestCase):
    def test_true_and_false_are_in_any_case(self):
        for text in ("true", "True", "TRUE"):
            self.assertTrue(message(redelivered=text).redelivered, text)
        for text in ("false", "False"):
            self.assertFalse(message(redelivered=text).redelivered, text)

    def test_anything_else_counts_as_absent_and_is_logged_once_for_each_connection(self):
        logged = []
        self.patch(Status, "log", Logger(namespace="test", observer=logged.append))
        for _ in range(2):
            broker, got = Script(), []
            broker.connects().subscribe("/queue/a", got.append)
            broker.answers(broker.hears("SUBSCRIBE"))
            for _ in range(3):
                broker.message("1", redelivered="yes\u2028")
            self.assertEqual([one.redelivered for one in got], [False] * 3)
        lines = [formatEvent(event) for event in logged]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertIn("redelivered:'yes\\u2028', which is neither true nor false", line)


class MessageAsBlockTests(SubscriptionTests):
    async def work_on(self, message, error=None):
        async with message as same:
            assert same is message
            if error is not None:
                raise error

    def takes(self, subscription):
        return self.got(subscription.next())

    def test_its_end_acknowledges(self):
        subscription = self.subscribes(ack="client-individual")
        self.sends(b"1")
        self.does(self.work_on(self.takes(subscription)))
        self.assertIn(b"ACK\n", self.world.said)
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.waiting(), [])

    def test_an_exception_refuses_and_goes_on(self):
        subscription = self.subscribes(ack="client-individual")
        self.sends(b"1")
        self.failureResultOf(self.world.does(self.work_on(self.takes(subscription), Refused())), Refused)
        self.assertIn(b"NACK\n", self.world.said)

    def test_where_there_is_nothing_to_acknowledge_it_says_nothing(self):
        automatic = self.subscribes()
        self.sends(b"1")
        self.does(self.work_on(self.takes(automatic)))
        self.got(automatic.unsubscribe())
        subscription = self.subscribes(ack="client-individual")
        self.sends(b"2")
        message = self.takes(subscription)
        self.got(message.ack())
        before = self.world.said
        self.does(self.work_on(message))
        self.failureResultOf(self.world.does(self.work_on(message, Refused())), Refused)
        self.assertEqual(self.world.said, before)
