"""wire/negotiation.py: the arithmetic of CONNECT and CONNECTED."""

from itertools import combinations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import ProtocolViolation, VersionMismatch
from stomp_tx.wire.negotiation import choose_version, heart_beat_interval, parse_heart_beat


class VersionTests(SynchronousTestCase):
    """STOMP 1.2, "Protocol Negotiation"."""

    def test_every_combination_gives_the_highest_in_common(self) -> None:
        ours = ("1.0", "1.1", "1.2")
        for count in range(1, 6):
            for offered in combinations(("0.9", "1.0", "1.1", "1.2", "2.0"), count):
                common = [version for version in ours if version in offered]
                for text in (",".join(offered), ", ".join(reversed(offered))):
                    if common:
                        self.assertEqual(choose_version(text), common[-1])
                    else:
                        with self.assertRaises(VersionMismatch):
                            choose_version(text)

    def test_no_header_means_1_0(self) -> None:
        self.assertEqual(choose_version(None), "1.0")

    def test_versions_are_no_numbers(self) -> None:
        for text in ("1.20", "01.2", "1.2.0", "10.1", "", ",", "1,2"):
            with self.assertRaises(VersionMismatch):
                choose_version(text)

    def test_only_what_is_supported(self) -> None:
        self.assertEqual(choose_version("1.0,1.1,1.2", ("1.0", "1.1")), "1.1")
        with self.assertRaises(VersionMismatch):
            choose_version(None, ("1.1", "1.2"))


class HeartBeatTests(SynchronousTestCase):
    """STOMP 1.2, "Heart-beating"."""

    def test_the_header(self) -> None:
        self.assertEqual(parse_heart_beat(None), (0, 0))
        self.assertEqual(parse_heart_beat("0,0"), (0, 0))
        self.assertEqual(parse_heart_beat("100, 2000"), (100, 2000))

    def test_anything_else_is_a_violation(self) -> None:
        for text in (
            "",
            "0",
            "T,0",
            "100,10,50",
            "-1,0",
            "+1,0",
            "1.5,0",
            "1_0,0",
            "٣,0",
            "9" * 11 + ",0",
            "a,b",
        ):
            with self.assertRaisesRegex(ProtocolViolation, "heart-beat"):
                parse_heart_beat(text)

    def test_the_slower_side_decides_and_either_may_decline(self) -> None:
        self.assertEqual(heart_beat_interval(500, 1000), 1.0)
        self.assertEqual(heart_beat_interval(1000, 500), 1.0)
        self.assertEqual(heart_beat_interval(0, 500), 0.0)
        self.assertEqual(heart_beat_interval(500, 0), 0.0)
