"""broker/selector/grammar.py, compiler.py: what is malformed, and where."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.selector.compiler import DEEPEST
from stomp_tx.broker.selector.selector import compiled
from stomp_tx.errors import ProtocolViolation
from tests.broker.selector.matching import matches, message


class MalformedTests(SynchronousTestCase):
    def refusal(self, text: str) -> ProtocolViolation:
        with self.assertRaises(ProtocolViolation) as caught:
            compiled(text)
        self.assertEqual(str(caught.exception), "malformed selector")
        return caught.exception

    def test_it_says_where_and_what_was_expected(self) -> None:
        for text, detail in {
            "a = ": "column 5, after 'a = ': expected a name or a value; found the end",
            "a = 'x": "column 5, after 'a = ', at \"'x\": "
            "expected a name or a value; found a quote that is never closed",
            "AND = 1": "column 1, at 'AND = 1': expected a name or a value; found 'AND'",
            "a = b = c": "column 7, after 'a = b ', at '= c': expected AND, OR, the end; found '='",
            "(a": "column 3, after '(a': expected ')'; found the end",
            "a IS 5": "column 6, after 'a IS ', at '5': expected NOT, NULL; found '5'",
            "a LIKE b": "column 8, after 'a LIKE ', at 'b': expected a string in single quotes; found 'b'",
            "a IN ('x' 'y')": "column 11, after \"a IN ('x' \", at \"'y')\": "
            "expected ')', ','; found \"'y'\"",
            "a NOT = 1": "column 7, after 'a NOT ', at '= 1': expected BETWEEN, IN, LIKE; found '='",
            "hyphenated_props:a-b ~": "column 22, after 'yphenated_props:a-b ', at '~': "
            "expected + - * /, AND, BETWEEN, IN, IS, LIKE, NOT, OR, a comparison, the end; found '~'",
            "a > 'x'": "column 5, after 'a > ', at \"'x'\": expected a number, found a string",
            "a BETWEEN 'a' AND 'b'": "column 11, after 'a BETWEEN ', at \"'a' AND 'b'\": "
            "expected a number, found a string",
            "5": "column 1, at '5': expected a condition, found a number",
            "(a = 1) + 1 = 2": "column 2, after '(', at 'a = 1) + 1 = 2': expected a number, found a truth",
            "1 = 'a'": "column 3, after '1 ', at \"= 'a'\": "
            "compares a number with a string, which is never true",
            "1 IN ('a')": "column 1, at \"1 IN ('a')\": expected a name before IN, found a number",
            "a = 08": "column 5, after 'a = ', at '08': "
            "a number that begins with 0 is octal, and has no 8 and no 9",
        }.items():
            self.assertEqual(self.refusal(text).detail, detail)

    def test_it_shows_no_more_than_a_little_of_it(self) -> None:
        for text in ("a = 'x' " + "y" * 4000, "~" * 4000, "a = " + "9" * 4000):
            self.assertLess(len(self.refusal(text).detail), 250)
        self.assertNotIn("\n", self.refusal("a = \n\n é é").detail)

    def test_what_is_malformed(self) -> None:
        for text in (
            "a b",
            "a ==  1",
            "a != 1",
            "= 1",
            "a = 1 AND",
            "NOT",
            "a IN ()",
            "a IN (1)",
            "a NOT NULL",
            "a LIKE 'x' ESCAPE 'xy'",
            "a LIKE 'x' ESCAPE ''",
            "a LIKE 'x!' ESCAPE '!'",
            "'a' LIKE 'a'",
            "a + 1",
            "'a'",
            "a + 'b' = 'ab'",
            "-'1' = 1",
            "TRUE > FALSE",
            "TRUE = 1",
            "'true' = TRUE",
            "1a = 1",
            "0x = 1",
            "a = 1.5L",
            "a. = 1",
            "a = 1e400",
            "a = 9223372036854775809",
            "a = 0xFFFFFFFFFFFFFFFFF",
            "XPATH '//a'",
            "a = 1 /* one */",
            'a = "x',
            "a = 1;",
            "\0",
            "a\xa0= 1",
        ):
            self.refusal(text)

    def test_what_is_nested_too_deep(self) -> None:
        self.assertTrue(matches("NOT " * (DEEPEST - DEEPEST % 2 - 2) + "TRUE"))
        long = 1_000_000
        for text in (
            "NOT " * 100_000 + "a",
            "-" * 100_000 + "1 = 1",
            "(1 + " * 1000 + "1" + ")" * 1000 + " = 1",
        ):
            with self.assertRaises(ProtocolViolation) as caught:
                compiled(text, long)
            self.assertIn("nested deeper than 64", caught.exception.detail)
        for text in ("(" * 10_000, "(" * 10_000 + "a", "NOT " * 10_000):
            with self.assertRaises(ProtocolViolation):
                compiled(text, long)
        # Parentheses alone, and what stands side by side, are no depth.
        self.assertTrue(compiled("(" * 10_000 + "TRUE" + ")" * 10_000, long).matches(message({})))
        for text in ("FALSE OR " * 2000 + "TRUE", "TRUE AND " * 2000 + "TRUE", "1 + " * 2000 + "1 = 2001"):
            self.assertTrue(compiled(text, long).matches(message({})))
