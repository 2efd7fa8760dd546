"""broker/selector/values.py: what a header is depends on what it stands beside."""

from tests.broker.selector.matching import SelectorTestCase


class ConversionTests(SelectorTestCase):
    """All headers are strings; what they are compared with decides."""

    def test_beside_a_number_they_are_numbers(self) -> None:
        for text in ("5", "+5", "5.0", "5.", "05", "50e-1", ".5e1"):
            self.assertMatches("n = 5", "5 = n", "n < 6", "6 > n", "n + 1 = 6", "n BETWEEN 5 AND 5", n=text)
            self.assertFalsehoods("n <> 5", "n > 5", "5 < n", "n NOT BETWEEN 4 AND 6", n=text)
        self.assertMatches("n < 0", n="-0.5")

    def test_what_looks_like_no_number_is_unknown_there(self) -> None:
        for text in (
            "",
            " 5",
            "5 ",
            "abc",
            "0x5",
            "5L",
            "1_0",
            "nan",
            "inf",
            "-Infinity",
            "\N{ARABIC-INDIC DIGIT FIVE}",
            "²",
            "1e",
            "--5",
            ".",
        ):
            self.assertUnknown(
                "n = 5", "n <> 5", "n < 5", "n + 1 <> 7", "-n = 5", "n BETWEEN 1 AND 9", n=text
            )

    def test_beside_a_string_they_are_strings(self) -> None:
        self.assertMatches("n = '5'", "'5' = n", "n <> '5.0'", "n IN ('4', '5')", "n LIKE '_'", n="5")

    def test_beside_each_other_they_are_strings_and_in_order_numbers(self) -> None:
        self.assertMatches("a <> b", "a <= b", "a < c", "a = a", a="5", b="5.0", c="10")
        self.assertUnknown("a < b", "b < a", a="5", b="x")
        self.assertUnknown("a = b", "a <> b", a="5")

    def test_beside_a_truth_they_are_truths(self) -> None:
        for text in ("true", "TRUE", "True"):
            self.assertMatches("f = TRUE", "FALSE <> f", "f", "f AND TRUE", "(n > 1) = f", f=text, n="2")
            self.assertFalsehoods("f = FALSE", "NOT f", f=text)
        self.assertFalsehoods("f", "f OR FALSE", f="false")
        self.assertUnknown("f", "f = TRUE", "f = FALSE", f="yes")
        self.assertMatches("f = 'yes'", f="yes")

    def test_a_header_that_is_not_there_is_unknown(self) -> None:
        self.assertUnknown(
            "a = 'x'",
            "a <> 'x'",
            "a > 1",
            "a",
            "a = TRUE",
            "a + 1 = 1",
            "a = b",
            "a NOT BETWEEN 1 AND 2",
            "1 > a",
        )
