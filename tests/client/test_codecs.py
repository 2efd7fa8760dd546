"""What a body means, by its content-type."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import Codecs
from stomp_tx.client.codecs import charset_of
from stomp_tx.testing import MemoryBroker

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_json_is_what_it_was(value: Any) -> None:
    codecs = Codecs()
    try:
        body, content_type = codecs.encode(value, None)
    except UnicodeEncodeError:
        return  # half a surrogate has no encoding
    assert content_type == "application/json"
    assert codecs.decode(body, content_type) == value


@given(st.binary(), st.text())
def test_whatever_comes_is_a_value_or_a_value_error(body: bytes, content_type: str) -> None:
    for one in (content_type, f"text/plain;charset={content_type}", f"application/json;{content_type}"):
        try:
            Codecs().decode(body, one)
        except ValueError:
            pass


class CodecTests(SynchronousTestCase):
    def test_octets_stay_octets_where_nothing_is_known(self) -> None:
        for content_type in (None, "", "application/octet-stream", "image/png", "nonsense", "/", ";"):
            self.assertEqual(Codecs().decode(b"x", content_type), b"x")

    def test_text_has_the_charset_that_it_names(self) -> None:
        decode = Codecs().decode
        self.assertEqual(decode("é".encode(), "text/plain"), "é")
        self.assertEqual(decode("é".encode("latin-1"), 'Text/HTML; charset="ISO-8859-1"'), "é")
        for wrong in ("text/plain; charset=utf-8", "text/plain; charset=no-such", "text/plain; charset=hex"):
            with self.assertRaises(ValueError):
                decode(b"\xff", wrong)

    def test_json_may_have_a_byte_order_mark(self) -> None:
        for charset, mark in (("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16", b"")):
            body = mark + '{"a": "é"}'.encode(charset)
            decoded = Codecs().decode(body, f"application/json; charset={charset}")
            self.assertEqual(decoded, {"a": "é"}, charset)
        self.assertEqual(Codecs().decode(b"\xef\xbb\xbf[1]", "application/json"), [1])

    def test_what_is_json_by_its_suffix(self) -> None:
        codecs = Codecs()
        for content_type in ("application/vnd.api+json", "Application/Problem+JSON; charset=utf-8"):
            self.assertEqual(codecs.decode(b"[1]", content_type), [1])
            self.assertEqual(codecs.encode([1], content_type), (b"[1]", content_type))
        self.assertEqual(codecs.decode(b"[1]", "application/json+x"), b"[1]")
        self.assertEqual(codecs.decode(b"[1]", "text/x+json"), "[1]")
        with self.assertRaises(ValueError):
            codecs.decode(b"[", "application/vnd.api+json")

    def test_suffixes_of_users(self) -> None:
        codecs = Codecs()
        codecs.add("application/*+upper", lambda value: value.upper().encode(), lambda body, _: "suffix")
        codecs.add("application/x+upper", lambda value: b"", lambda body, _: "its own")
        codecs.add("application/*", lambda value: b"", lambda body, _: "any")
        self.assertEqual(codecs.decode(b"", "application/y+upper"), "suffix")
        self.assertEqual(codecs.decode(b"", "application/x+upper"), "its own")
        self.assertEqual(codecs.decode(b"", "application/y+lower"), "any")

    def test_a_content_type_is_text(self) -> None:
        wrong: Any = 5
        with self.assertRaisesRegex(TypeError, "content_type is text, not 5"):
            Codecs().encode({}, wrong)

    def test_charset_of(self) -> None:
        self.assertEqual(charset_of("text/plain; format=flowed; CHARSET=utf-16"), "utf-16")
        for none in ("", "text/plain", "text/plain; charset=", "text/plain; charset"):
            self.assertIsNone(charset_of(none))

    def test_the_charset_of_a_content_type_that_takes_seconds_to_read_is_not_looked_for(self) -> None:
        for length, charset in ((900, "latin-1"), (60_000, None)):
            self.assertEqual(charset_of(f'text/plain;x="{";" * length}";charset=latin-1'), charset)

    def test_users_have_their_own(self) -> None:
        codecs = Codecs()
        codecs.add(
            "Application/Csv", lambda rows: ",".join(rows).encode(), lambda body, _: body.decode().split(",")
        )
        self.assertEqual(codecs.encode(["a", "b"], "application/csv; x=y"), (b"a,b", "application/csv; x=y"))
        self.assertEqual(codecs.decode(b"a,b", "application/csv"), ["a", "b"])
        codecs.add("text/csv", lambda rows: b"", lambda body, charset: "its own")
        self.assertEqual(codecs.decode(b"", "text/csv"), "its own")
        self.assertEqual(codecs.decode(b"x", "text/plain"), "x")

    def test_what_has_no_encoding(self) -> None:
        for value, content_type in (
            (1, "image/png"),
            (object(), None),
            (float("nan"), None),
            (1, "text/plain"),
        ):
            with self.assertRaises((TypeError, ValueError)):
                Codecs().encode(value, content_type)

    def test_over_a_broker(self) -> None:
        broker = MemoryBroker()
        codecs = Codecs()
        codecs.add(
            "application/upper", lambda value: value["x"].upper().encode(), lambda body, _: body.decode()
        )
        client = broker.client(codecs=codecs)
        subscription = broker.run(client.subscribe("/queue/a"))
        for body, content_type, value in (
            ({"a": [1, None]}, None, {"a": [1, None]}),
            ({"x": "y"}, "application/upper", "Y"),
            ("text", None, "text"),
            ("[1]", "application/json", [1]),
            (b"\0\xff", None, b"\0\xff"),
            (bytearray(b"a"), None, b"a"),
            (memoryview(b"b"), "text/plain", "b"),
        ):
            client.send("/queue/a", body, content_type=content_type)
            self.assertEqual(broker.run(subscription.next()).value(), value)
