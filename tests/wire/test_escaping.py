"""wire/escaping.py (STOMP 1.2, "Value Encoding")."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import FrameError
from stomp_tx.wire.escaping import escape, unescape
from tests.wire.frames_of import interesting, quick, text


class EscapingTests(SynchronousTestCase):
    @quick
    @given(st.lists(st.one_of(text, interesting), max_size=4).map("".join), st.sampled_from(["1.1", "1.2"]))
    def test_what_is_escaped_comes_back_and_holds_no_delimiter(self, plain, version) -> None:
        escaped = escape(plain, version)
        self.assertEqual(unescape(escaped, version), plain)
        self.assertFalse({"\n", ":"} & set(escaped))
        if version == "1.2":
            self.assertNotIn("\r", escaped)

    @quick
    @given(st.text(alphabet="\\ncr:x\n", max_size=8))
    def test_any_text_unescapes_or_is_a_frame_error(self, octets) -> None:
        for version in ("1.1", "1.2"):
            try:
                unescape(octets, version)
            except FrameError:
                pass

    def test_1_0_has_none(self) -> None:
        self.assertEqual(escape("a\\b:c", "1.0"), "a\\b:c")
        self.assertEqual(unescape("a\\t", "1.0"), "a\\t")
        with self.assertRaises(FrameError):
            escape("a\nb", "1.0")
