"""wire/frame.py: a frame and its octets."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import FrameError
from stomp_tx.wire.frame import Frame


class EncodeTests(SynchronousTestCase):
    def test_headers_come_in_their_order_and_the_body_is_counted(self) -> None:
        octets = Frame("SEND", {"b": "2", "a": "1"}, b"x\0y").encode()
        self.assertEqual(octets, b"SEND\nb:2\na:1\ncontent-length:3\n\nx\0y\0")

    def test_without_a_body_there_is_no_content_length(self) -> None:
        self.assertEqual(Frame("BEGIN", {"transaction": "1"}).encode(), b"BEGIN\ntransaction:1\n\n\0")

    def test_names_and_values_are_escaped_as_the_version_has_it(self) -> None:
        """STOMP 1.2, "Value Encoding": header keys and values."""
        frame = Frame("SEND", {"a:b": "c\nd\\e"})
        for version in ("1.1", "1.2"):
            self.assertEqual(frame.encode(version), b"SEND\na\\cb:c\\nd\\\\e\n\n\0")
        self.assertEqual(Frame("SEND", {"a": "\r"}).encode("1.2"), b"SEND\na:\\r\n\n\0")
        self.assertEqual(Frame("SEND", {"a": "x\\y:z"}).encode("1.0"), b"SEND\na:x\\y:z\n\n\0")

    def test_connect_is_never_escaped(self) -> None:
        frame = Frame("CONNECT", {"passcode": "a\\b:c"})
        self.assertEqual(frame.encode("1.2"), b"CONNECT\npasscode:a\\b:c\n\n\0")

    def test_what_can_not_be_said_is_refused(self) -> None:
        for frame, version in (
            (Frame("CONNECT", {"a": "b\nc"}), "1.2"),
            (Frame("CONNECT", {"a:b": "c"}), "1.2"),
            (Frame("CONNECTED", {"a": "b\r"}), "1.1"),
            (Frame("SEND", {"a": "b\nc"}), "1.0"),
            (Frame("SEND", {"a:b": "c"}), "1.0"),
            (Frame("SEND", {"": "c"}), "1.2"),
            (Frame("SEND", {"content-length": "7"}, b"hello"), "1.2"),
        ):
            with self.assertRaises(FrameError):
                frame.encode(version)

    def test_the_header_that_can_not_be_said_is_named_and_its_value_is_not(self) -> None:
        for command, headers, said in (
            (
                "SEND",
                {"good": "1", "priority": 9},
                "the header 'priority' can't be sent: it is text, not int",
            ),
            ("SEND", {5: "x"}, "the name of a header is text, not int: 5"),
            ("SEND", {"x": "secret\udc80"}, "the header 'x' can't be sent: UTF-8 has no half surrogates"),
            ("SEND", {"x\ud800": ""}, "the header 'x\\ud800' can't be sent: UTF-8 has no half surrogates"),
            ("SEND", {"a": "1", "x": "secret\0"}, "the header 'x' can't be sent: NUL ends a frame"),
            ("SEND", {"x\0": ""}, "the header 'x\\x00' can't be sent: NUL ends a frame"),
            ("CONNECT", {"passcode": "secret\n"}, "the header 'passcode' can't be sent: it holds a line end"),
            ("CONNECT", {"passcode": None}, "the header 'passcode' can't be sent: it is text, not NoneType"),
        ):
            wrong: Any = headers
            with self.assertRaises(FrameError) as raised:
                Frame(command, wrong).encode()
            self.assertIn(said, str(raised.exception))
            self.assertNotIn("secret", f"{raised.exception} {raised.exception.detail}")

    def test_a_body_that_is_none_is_named(self) -> None:
        wrong: Any = 5
        with self.assertRaisesRegex(FrameError, "a body is bytes, not int"):
            Frame("SEND", {}, wrong).encode()


SECRETS = (
    "passcode",
    "PassCode",
    "password",
    "Authorization",
    "proxy-authorization",
    "access_token",
    "x-auth-token",
    "id-token",
    "client-secret",
    "x-api-key",
    "apikey",
    "jwt",
    "credentials",
)


class FrameTests(SynchronousTestCase):
    def test_equal_by_value(self) -> None:
        self.assertEqual(Frame("SEND", {"a": "1"}, b"x"), Frame("SEND", {"a": "1"}, b"x", size=9))
        self.assertNotEqual(Frame("SEND"), Frame("SEND", {}, b"x"))

    def test_its_repr_is_short_and_keeps_the_passcode_to_itself(self) -> None:
        shown = repr(Frame("CONNECT", {"login": "ann", "passcode": "hunter2", "x": "y" * 5000}, b"z" * 5000))
        self.assertIn("ann", shown)
        self.assertNotIn("hunter2", shown)
        self.assertLess(len(shown), 300)
        for name in SECRETS:
            shown = repr(Frame("SEND", {"destination": "/queue/a", name: "hunter2"}))
            self.assertIn(f"destination:'/queue/a' {name}:'***'", shown)
        self.assertLess(len(repr(Frame("SEND", {str(n): "x" for n in range(1000)}))), 300)
