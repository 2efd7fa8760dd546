"""broker/selector/operators.py: arithmetic, comparisons, and truths of which the third is the unknown."""

from tests.broker.selector.matching import SelectorTestCase


class ArithmeticTests(SelectorTestCase):
    def test_arithmetic_has_the_usual_order(self) -> None:
        self.assertMatches(
            "1 + 2 * 3 = 7",
            "(1 + 2) * 3 = 9",
            "10 - 4 - 3 = 3",
            "100 / 10 / 5 = 2",
            "-2 * -3 = 6",
            "- - 2 = +2",
            "2 - -3 = 5",
            "-n = -5",
            "+n = 5",
            "-(n + 1) = -6",
            "n * n + n / 5 = 26",
            n="5",
        )

    def test_quotients_of_exact_numbers_are_exact(self) -> None:
        self.assertMatches(
            "7 / 2 = 3", "-7 / 2 = -3", "7 / -2 = -3", "-7 / -2 = 3", "7 / 2. = 3.5", "n / 2 = 3", n="7"
        )

    def test_hostile_arithmetic(self) -> None:
        self.assertEnds("n" + "*n" * 2000 + " > 1", n="9" * 18)
        self.assertEnds("n" + "*n" * 2000 + " > 1", n="1e300")
        self.assertEnds("1 + n > 1", n="9" * 65_000)


class UnknownTests(SelectorTestCase):
    """Three values: what is not known is neither true nor false."""

    def test_and_or_not(self) -> None:
        for text, expected in {
            "u AND TRUE": None,
            "TRUE AND u": None,
            "u AND FALSE": False,
            "FALSE AND u": False,
            "u AND u": None,
            "u OR TRUE": True,
            "TRUE OR u": True,
            "u OR FALSE": None,
            "FALSE OR u": None,
            "u OR u": None,
            "u OR FALSE OR TRUE": True,
            "u AND TRUE AND FALSE": False,
            "NOT u": None,
        }.items():
            check = {None: self.assertUnknown, True: self.assertMatches, False: self.assertFalsehoods}[
                expected
            ]
            check(text)

    def test_between_with_one_bound_known(self) -> None:
        self.assertFalsehoods("n BETWEEN 5 AND u", "n BETWEEN u AND 3", n="4")
        self.assertUnknown("n BETWEEN 3 AND u", "n BETWEEN u AND 5", n="4")

    def test_division_by_zero(self) -> None:
        self.assertUnknown(
            "1 / 0 = 1", "1 / n > 0", "1. / n > 0", "n / 0.0 = n / 0.0", "-1 / -0.0 < 0", n="0"
        )

    def test_numbers_that_are_too_large(self) -> None:
        for text in ("9" * 19, "9" * 20, "-" + "9" * 19, "9" * 10_000, "1e999999", "1e" + "9" * 60_000):
            self.assertUnknown("n > 0", "n <> 1", "n * 0 = 0", n=text)
        self.assertUnknown("n * n > 0", "n * n * n <> 1", n=str(2**62))
        self.assertUnknown("n * n > 0", "n * n - n * n = 0", n="1e300")
        self.assertMatches("n > 9223372036854775806", n=str(2**63 - 1))
