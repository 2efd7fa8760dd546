"""broker/selector/like.py: patterns of texts."""

from tests.broker.selector.matching import SelectorTestCase


class LikeTests(SelectorTestCase):
    def test_patterns(self) -> None:
        for pattern, yes, no in (
            ("", ("",), ("a",)),
            ("%", ("", "a", "a\nb"), ()),
            ("_", ("a", "\n", "%"), ("", "ab")),
            ("%%", ("", "a"), ()),
            ("_%", ("a", "ab"), ("",)),
            ("%_", ("a", "ab"), ("",)),
            ("a%", ("a", "ab"), ("", "ba")),
            ("%a", ("a", "ba"), ("", "ab")),
            ("%a%", ("a", "bab"), ("", "b")),
            ("a%a", ("aa", "aba"), ("a", "ab")),
            ("%ab%bc%", ("abbc", "xabxbcx"), ("abc", "bcab")),
            ("%a_c%", ("abc", "xaacac", "aabc"), ("ac", "acb")),
            ("%a_%_b%", ("axxb", "aabb"), ("axb", "ab")),
            ("a_c", ("abc", "a.c"), ("ac", "abbc")),
            (".*[a]", (".*[a]",), ("xa", "a")),
            ("A%", ("Ab",), ("ab",)),
        ):
            for text in yes:
                self.assertMatches(f"a LIKE '{pattern}'", a=text)
            for text in no:
                self.assertFalsehoods(f"a LIKE '{pattern}'", a=text)

    def test_what_is_escaped_is_itself(self) -> None:
        self.assertMatches("a LIKE '10!%' ESCAPE '!'", a="10%")
        self.assertFalsehoods("a LIKE '10!%' ESCAPE '!'", a="100")
        self.assertMatches("a LIKE '!!!_!a%' ESCAPE '!'", a="!_abc")
        self.assertMatches("a LIKE '%%_' ESCAPE '%'", a="%x")
        self.assertMatches("a LIKE 'x''''y' ESCAPE ''''", a="x'y")

    def test_a_header_that_is_not_there_is_like_nothing_known(self) -> None:
        self.assertUnknown("a LIKE '%'", "a NOT LIKE 'b'")

    def test_hostile_patterns(self) -> None:
        """With backtracking these would take years: the test would not end."""
        header = "a" * 64_000
        for pattern in (
            "%a" * 10 + "%b",
            "%a" * 1000 + "%b",
            "%a%b" * 500,
            "%_a" * 500 + "%b%",
            "%_" * 1000 + "b",
            "%" * 4000 + "b",
            "%" + "a" * 2000 + "_" + "a" * 2000 + "b%",
            "%" + "a_" * 1000 + "b%",
            "%" + "_" * 4000 + "b%",
            "%" + "a" * 4000 + "b",
        ):
            self.assertEnds(f"a LIKE '{pattern}'", a=header)
            self.assertEnds(f"a NOT LIKE '{pattern}'", a=header + "b")
