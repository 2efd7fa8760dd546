"""wire/parser.py: octets to frames.  Clauses are STOMP 1.2's unless another version is named."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import FrameError, FrameTooLarge, UnexpectedTLS
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from stomp_tx.wire.parser import FrameParser
from tests.counting import lines_run
from tests.wire.frames_of import cut, fault, frames, headers, one, parse, quick

VERSIONS = ("1.0", "1.1", "1.2")


class RoundTripTests(SynchronousTestCase):
    """What is encoded comes out again, however it is cut."""

    @quick
    @given(st.data(), st.sampled_from(VERSIONS), st.lists(st.integers(0, 10_000), max_size=8))
    def test_a_stream_of_frames_cut_anywhere(self, data, version, places) -> None:
        sent = data.draw(st.lists(frames(version), min_size=1, max_size=5))
        padding = data.draw(st.sampled_from([b"", b"\n", b"\r\n\n", b"\0\n"]))
        octets = padding.join(frame.encode(version) for frame in sent) + padding
        found, wrong = parse(cut(octets, places), version)
        self.assertIsNone(wrong)
        for before, after in zip(sent, found, strict=True):
            after.headers.pop("content-length", None)
            self.assertEqual(after, before)

    @quick
    @given(st.data(), st.sampled_from(VERSIONS))
    def test_every_cut_in_two_gives_the_same(self, data, version) -> None:
        octets = b"".join(frame.encode(version) for frame in data.draw(st.lists(frames(version), max_size=2)))
        whole = parse([octets], version)
        for place in range(len(octets)):
            self.assertEqual(parse([octets[:place], octets[place:]], version), whole)

    @quick
    @given(headers("1.2"), st.binary(max_size=20))
    def test_cr_lf_lines_mean_the_same(self, named, body) -> None:
        """STOMP Frames: EOL is an optional CR and a LF."""
        octets = Frame("SEND", named, body).encode("1.2")
        head, _, rest = octets.partition(b"\n\n")
        with_cr = head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + rest
        for version in ("1.2", "1.1") if b"\\r" not in head else ("1.2",):
            self.assertEqual(one(with_cr, version), one(octets, version))

    def test_repeated_headers_the_first_counts_and_order_is_kept(self) -> None:
        """Repeated Header Entries."""
        frame = one(b"MESSAGE\nfoo:World\nbar:1\nfoo:Hello\nalpha:2\n\n\0")
        self.assertEqual(list(frame.headers.items()), [("foo", "World"), ("bar", "1"), ("alpha", "2")])

    def test_size_is_the_octets_it_took(self) -> None:
        octets = b"SEND\na:b\n\nhello\0"
        self.assertEqual(one(b"\n\n" + octets).size, len(octets))


class LineEndTests(SynchronousTestCase):
    def test_padding_between_frames_is_skipped(self) -> None:
        """Augmented BNF: NULL *( EOL ); stray NULs as RabbitMQ and ActiveMQ skip them."""
        found, wrong = parse([b"\n\r\n\0BEGIN\ntransaction:1\n\n\0\r\n\n\0\n\n\n"])
        self.assertEqual((len(found), wrong), (1, None))

    def test_a_stranger_may_send_only_so_much_of_it(self) -> None:
        limits = Limits(connect_frame=100)
        one(b"\n" * 100 + b"CONNECT\n\n\0", None, limits)
        one(b"\n" * 1000 + b"SEND\n\n\0", "1.2", limits)
        for padding in (b"\n", b"\0", b"\r\n"):
            found, wrong = parse([padding] * 101, None, limits)
            self.assertEqual((found, wrong), ([], "too many octets before CONNECT"))

    def test_a_line_feed_inside_a_body_is_no_heart_beat(self) -> None:
        self.assertEqual(one(b"SEND\n\n\n\n\0").body, b"\n\n")

    def test_connect_may_have_either_line_end(self) -> None:
        for octets in (b"CONNECT\nhost:x\n\n\0", b"CONNECT\r\nhost:x\r\n\r\n\0", b"CONNECT\r\nhost:x\n\n\0"):
            self.assertEqual(one(octets, None).headers, {"host": "x"})

    def test_1_2_takes_mixed_line_ends(self) -> None:
        self.assertEqual(one(b"SEND\na:1\r\nb:2\n\r\nx\0").headers, {"a": "1", "b": "2"})
        self.assertEqual(one(b"SEND\r\na:1\n\nx\n\ny\0").body, b"x\n\ny")

    def test_in_1_1_and_1_0_a_cr_is_data(self) -> None:
        """STOMP 1.1, Augmented BNF: header values hold any octet but LF and colon."""
        for version in ("1.0", "1.1"):
            self.assertEqual(one(b"SEND\na:1\r2\n\nx\0", version).headers, {"a": "1\r2"})
        self.assertEqual(one(b"SEND\na:1\r\n\nx\0", "1.1").headers, {"a": "1\r"})

    def test_but_a_frame_whose_command_line_ends_in_cr_lf_uses_it_throughout(self) -> None:
        for version in ("1.0", "1.1"):
            self.assertEqual(one(b"SEND\r\na:1\r\n\r\nx\0", version), Frame("SEND", {"a": "1"}, b"x"))

    def test_a_lone_cr_is_fatal_in_1_2(self) -> None:
        for octets in (b"SEND\na:1\r2\n\n\0", b"SE\rND\n\n\0", b"SEND\na\r:1\n\n\0", b"SEND\na:1\r\r\n\n\0"):
            self.assertIn("carriage return", fault(octets))


class HeaderTests(SynchronousTestCase):
    def test_no_colon_and_no_name_are_fatal(self) -> None:
        for octets in (b"SEND\nabc\n\n\0", b"SEND\na:1\nb\n\n\0"):
            self.assertIn("no colon", fault(octets))
        self.assertIn("no name", fault(b"SEND\n:x\n\n\0"))

    def test_an_empty_value_is_a_value(self) -> None:
        self.assertEqual(one(b"SEND\na:\n\n\0").headers, {"a": ""})

    def test_the_first_colon_divides(self) -> None:
        self.assertEqual(one(b"SEND\nurl:tcp://x:1\n\n\0").headers, {"url": "tcp://x:1"})

    def test_octets_that_are_no_utf8_are_fatal(self) -> None:
        for octets in (b"SEND\na:\xff\n\n\0", b"SEND\na:\xc0\xaf\n\n\0", b"SEND\n\xed\xa0\x80:1\n\n\0"):
            self.assertIn("UTF-8", fault(octets))

    def test_blanks_are_kept_in_1_1_and_1_2_and_trimmed_in_1_0(self) -> None:
        """Value Encoding: "MUST never trim or pad"; 1.0's own examples pad."""
        for version in ("1.1", "1.2"):
            self.assertEqual(one(b"SEND\n a : b \n\n\0", version).headers, {" a ": " b "})
        self.assertEqual(one(b"SEND\na: b \t\n\n\0", "1.0").headers, {"a": "b"})

    def test_commands_are_exact(self) -> None:
        self.assertEqual(one(b"send\n\n\0").command, "send")
        self.assertEqual(one(b"SENDX\n\n\0").command, "SENDX")

    def test_nul_before_the_blank_line_is_fatal_at_once(self) -> None:
        """Or a frame that forgot its blank line would swallow the next one, or wait for ever."""
        for octets in (b"DISCONNECT\n\0", b"DISCONNECT\nreceipt:1\n\0", b"SEND\na:\0b\n\nx\0"):
            self.assertIn("NUL before the blank line", fault(octets))


class EscapeTests(SynchronousTestCase):
    """Value Encoding."""

    def test_each_version_undoes_its_own(self) -> None:
        octets = b"SEND\nna\\cme:a\\n\\c\\\\\n\n\0"
        for version in ("1.1", "1.2"):
            self.assertEqual(one(octets, version).headers, {"na:me": "a\n:\\"})
        self.assertEqual(one(octets, "1.0").headers, {"na\\cme": "a\\n\\c\\\\"})
        self.assertEqual(one(b"SEND\na:\\r\n\n\0", "1.2").headers, {"a": "\r"})

    def test_one_pass(self) -> None:
        self.assertEqual(one(b"SEND\na:\\\\n\\\\\\\\c\n\n\0").headers, {"a": "\\n\\\\c"})

    def test_undefined_ones_are_fatal(self) -> None:
        for octets in (
            b"SEND\na:\\t\n\n\0",
            b"SEND\na:x\\\n\n\0",
            b"SEND\n\\x:1\n\n\0",
            b"SEND\na:\\\xc3\xa9\n\n\0",
        ):
            for version in ("1.1", "1.2"):
                self.assertIn("undefined escape", fault(octets, version))
        self.assertIn("undefined escape", fault(b"SEND\na:\\r\n\n\0", "1.1"))

    def test_connect_and_connected_have_none(self) -> None:
        for version in (None, "1.1", "1.2"):
            for command in (b"CONNECT", b"STOMP", b"CONNECTED"):
                octets = command + b"\npasscode:a\\tb\\:c\n\n\0"
                self.assertEqual(one(octets, version).headers, {"passcode": "a\\tb\\:c"})

    def test_a_backslash_elsewhere_in_the_read_changes_nothing(self) -> None:
        plain, escaped = b"SEND\na:1\n\n{\\}\0", b"SEND\nb:\\c\n\n\0"
        found, _ = parse([plain + escaped + plain])
        self.assertEqual([frame.headers for frame in found], [{"a": "1"}, {"b": ":"}, {"a": "1"}])


class BodyTests(SynchronousTestCase):
    """Body, Header content-length."""

    def test_content_length_counts_octets_nul_included(self) -> None:
        self.assertEqual(one(b"SEND\ncontent-length:5\n\na\0b\0\n\0").body, b"a\0b\0\n")
        self.assertEqual(one("SEND\ncontent-length:2\n\né\0".encode()).body, "é".encode())
        self.assertEqual(one(b"SEND\ncontent-length:0\n\n\0").body, b"")

    def test_the_body_must_be_followed_by_nul(self) -> None:
        """Else what is one frame here is two elsewhere: smuggling."""
        for octets in (b"SEND\ncontent-length:1\n\nxx\0", b"SEND\ncontent-length:0\n\nx\0"):
            self.assertIn("no NUL", fault(octets))

    def test_only_digits_are_a_number(self) -> None:
        for text in ("-1", "+5", " 5", "5 ", "0x5", "1_000", "\u0665", "²", "", "1e3", "5.0"):
            self.assertIn("not a number", fault(f"SEND\ncontent-length:{text}\n\nhello\0".encode()))

    def test_a_huge_number_is_too_large(self) -> None:
        for text in ("9" * 17, "9" * 30, "9" * 5000):
            self.assertEqual(fault(f"SEND\ncontent-length:{text}\n\nx".encode()), "frame too large")

    def test_of_two_the_first_counts(self) -> None:
        frame = one(b"SEND\ncontent-length:3\ncontent-length:1\n\na\0b\0")
        self.assertEqual(frame.body, b"a\0b")

    def test_blanks_around_it_are_trimmed_in_1_0(self) -> None:
        self.assertEqual(one(b"SEND\ncontent-length: 3 \n\na\0b\0", "1.0").body, b"a\0b")

    def test_frames_without_a_body_may_have_none(self) -> None:
        for version in ("1.1", "1.2"):
            for octets in (b"ACK\nid:1\n\nx\0", b"ACK\nid:1\ncontent-length:8511\n\n\0", b"SUBSCRIBE\n\nx\0"):
                self.assertIn("may not have a body", fault(octets, version))
            self.assertEqual(one(b"ACK\nid:1\ncontent-length:0\n\n\0", version).body, b"")

    def test_line_ends_behind_connect_are_ignored(self) -> None:
        """Clients of 1.0 write them; RabbitMQ and ActiveMQ take them."""
        for body in (b"\n", b"\r\n", b"\n\n\n"):
            for length in (b"", b"content-length:%d\n" % len(body)):
                frame = one(b"CONNECT\nlogin:ann\n%b\n%b\0" % (length, body), None)
                self.assertEqual(frame.body, b"")

    def test_anything_else_behind_connect_is_a_frame_that_lost_its_nul(self) -> None:
        for octets in (b"CONNECT\n\n\nSEND\ndestination:/queue/a\n\nx\0", b"CONNECT\n\n \0", b"STOMP\n\nx"):
            self.assertIn("may not have a body", fault(octets, None))

    def test_1_0_ignores_their_body_and_its_length(self) -> None:
        """STOMP 1.0, SUBSCRIBE: "The body of the SUBSCRIBE command is ignored"."""
        self.assertEqual(one(b"SUBSCRIBE\ndestination:/queue/a\n\nignored\0", "1.0").body, b"")
        self.assertEqual(one(b"ACK\nmessage-id:1\ncontent-length:8511\n\n\0", "1.0").body, b"")


class RestTests(SynchronousTestCase):
    def test_it_is_empty_when_nothing_is_left_but_padding(self) -> None:
        for rest, is_empty in (
            (b"", True),
            (b"\n\r\n\0\n", True),
            (b"\nS", False),
            (b"SEND\n\nhello", False),
            (b"SEND\ncontent-length:9\n\n", False),
        ):
            parser = FrameParser()
            parser.feed(b"CONNECT\n\n\0" + rest)
            self.assertIsNotNone(parser.next_frame())
            self.assertEqual(parser.is_empty, is_empty, rest)
            self.assertIsNone(parser.next_frame())
            self.assertEqual(parser.is_empty, is_empty, rest)


class LimitTests(SynchronousTestCase):
    """Size Limits: each noticed while it arrives."""

    def test_the_whole_frame(self) -> None:
        limits = Limits(frame=100)
        self.assertEqual(len(one(b"SEND\n\n" + b"x" * 93 + b"\0", "1.2", limits).body), 93)
        self.assertEqual(fault(b"SEND\n\n" + b"x" * 94 + b"\0", "1.2", limits), "frame too large")
        self.assertEqual(fault(b"SEND\n\n" + b"x" * 94, "1.2", limits), "frame too large")
        self.assertEqual(fault(b"SEND\ncontent-length:99\n\n", "1.2", limits), "frame too large")

    def test_headers_and_their_lines(self) -> None:
        limits = Limits(headers=3, header_line=20)
        one(b"SEND\na:1\nb:2\nc:3\n\n\0", "1.2", limits)
        self.assertEqual(fault(b"SEND\na:1\nb:2\nc:3\nd:4\n\n\0", "1.2", limits), "too many headers")
        self.assertEqual(fault(b"SEND\na:1\na:1\na:1\na:1\n\n\0", "1.2", limits), "too many headers")
        one(b"SEND\na:" + b"x" * 18 + b"\n\n\0", "1.2", limits)
        self.assertEqual(fault(b"SEND\na:" + b"x" * 19 + b"\n\n\0", "1.2", limits), "header line too long")
        self.assertEqual(fault(b"S" * 21 + b"\n\n\0", "1.2", limits), "header line too long")

    def test_the_block_and_a_line_without_an_end(self) -> None:
        limits = Limits(header_block=50, header_line=40)
        self.assertEqual(fault(b"SEND\n" + b"a:1\n" * 20, "1.2", limits), "header block too long")
        self.assertIn("too long", fault(b"x" * 200, "1.2", limits))

    def test_a_stranger_gets_less(self) -> None:
        limits = Limits(connect_frame=100, frame=1000)
        self.assertIn("too long", fault(b"CONNECT\na:" + b"x" * 200 + b"\n\n\0", None, limits))
        self.assertEqual(fault(b"SEND\ncontent-length:200\n\n", None, limits), "frame too large")
        one(b"SEND\na:" + b"x" * 200 + b"\n\n\0", "1.2", limits)

    def test_the_defaults_take_what_peers_take(self) -> None:
        many = b"".join(b"h%d:v\n" % number for number in range(1000))
        self.assertEqual(len(one(b"SEND\n" + many + b"\n\0").headers), 1000)
        self.assertEqual(len(one(b"SEND\na:" + b"x" * 60_000 + b"\n\n\0").headers["a"]), 60_000)

    def test_limits_that_make_no_sense_are_refused(self) -> None:
        for name in ("frame", "headers", "header_line", "header_block", "connect_frame"):
            with self.assertRaisesRegex(Exception, name):
                Limits(**{name: 0})


class LanguageTests(SynchronousTestCase):
    """What is not STOMP is called by its name, before the session is open."""

    def test_tls_and_http(self) -> None:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        for octets in (hello, hello[:1], hello + b"\n\n", hello[:3] + b"\xff\n\n"):
            self.assertIn("TLS handshake", fault(octets, None))
            with self.assertRaises(UnexpectedTLS):
                parser = FrameParser()
                parser.feed(octets)
                parser.next_frame()
        self.assertIn("TLS alert", fault(b"\x15\x03\x03\x00\x02\x02\x16", None))
        self.assertIn("HTTP request", fault(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None))
        self.assertIn("HTTP answer", fault(b"HTTP/1.1 400 Bad Request\r\n\r\n", None))

    def test_in_an_open_session_it_is_a_frame_like_any_other(self) -> None:
        self.assertEqual(one(b"GET / HTTP/1.1\nHost: x\n\n\0", "1.1").command, "GET / HTTP/1.1")

    def test_no_word_of_connect_is_repeated_whenever_it_comes(self) -> None:
        for version in (None, "1.0", "1.1", "1.2"):
            for command in (b"CONNECT", b"STOMP", b"connect", b"CONNECT\r"):
                for line in (b"passcode=hunter2", b"hunter2", b"passcode hunter2\\c"):
                    parser = FrameParser()
                    parser.version = version
                    parser.feed(command + b"\nlogin:ann\n" + line + b"\n\n\0")
                    with self.assertRaises(FrameError) as caught:
                        parser.next_frame()
                    self.assertNotIn("hunter2", str(caught.exception) + caught.exception.detail)

    def test_that_of_another_frame_is(self) -> None:
        parser = FrameParser()
        parser.version = "1.2"
        parser.feed(b"SEND\ndestination\n\n\0")
        with self.assertRaises(FrameError) as caught:
            parser.next_frame()
        self.assertIn("'destination' is not NAME:VALUE", caught.exception.detail)


class CostTests(SynchronousTestCase):
    """The cost is linear in the octets, and so is the memory.  tests/timed/ has what only a clock shows."""

    def test_a_body_in_tiny_pieces_takes_little_more_than_its_octets(self) -> None:
        parser = FrameParser()
        parser.version = "1.2"
        tracemalloc.start()
        try:
            parser.feed(b"SEND\ncontent-length:1000000\n\n")
            for _ in range(333_333):
                parser.feed(b"xyz")
                parser.next_frame()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(peak, 3_000_000)

    def test_padding_takes_no_loop_of_ours(self) -> None:
        for octets in (b"\n", b"\r\n", b"\0"):
            parser = FrameParser()
            parser.version = "1.2"
            parser.feed(octets * (4_000_000 // len(octets)))
            self.assertLess(lines_run(lambda parser=parser: self.assertIsNone(parser.next_frame())), 100)

    def test_what_is_forgotten_is_not_kept(self) -> None:
        parser = FrameParser()
        parser.version = "1.2"
        for octets, kept in ((b"SEN", 3), (b"D\n\n" + b"x" * 1000, 1000), (b"y", 1001)):
            parser.feed(octets)
            self.assertIsNone(parser.next_frame())
            self.assertEqual(parser.unfinished, kept)
        parser.forget()
        self.assertEqual(parser.unfinished, 0)

    def test_a_header_block_that_trickles_in_is_bounded(self) -> None:
        parser = FrameParser(Limits(header_block=4096))
        parser.version = "1.2"
        with self.assertRaises(FrameTooLarge):
            for _ in range(5000):
                parser.feed(b"a")
                parser.next_frame()


class AnyOctetsTests(SynchronousTestCase):
    """Octets of any kind are frames or a FrameError, never another exception; see also tests/fuzz."""

    @quick
    @given(st.binary(max_size=200), st.sampled_from([None, *VERSIONS]))
    def test_random_octets(self, octets, version) -> None:
        parse([octets], version)
        parse([octets[i : i + 1] for i in range(len(octets))], version)
