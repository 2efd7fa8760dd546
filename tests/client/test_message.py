from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import Message
from stomp_tx.wire.frame import Frame


def message(body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message(Frame("MESSAGE", named, body), None, 1)


class MessageTests(SynchronousTestCase):
    def test_headers_are_attributes(self):
        one = message(message_id="7", destination="/queue/a", ack="1-7", redelivered="true")
        self.assertEqual(
            (one.id, one.destination, one.ack_id, one.redelivered), ("7", "/queue/a", "1-7", True)
        )
        self.assertIn("/queue/a", repr(one))

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
        self.assertRaises(LookupError, message(b"a", content_type="text/plain;charset=klingon").text)
