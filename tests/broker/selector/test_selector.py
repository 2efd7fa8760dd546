"""broker/selector/selector.py: which messages a selector wants."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.selector.selector import DEEPEST, KEPT, KEPT_LENGTH, LONGEST, compiled
from stomp_tx.errors import ProtocolViolation
from stomp_tx.message import OVERHEAD, PERSISTENT, Keeping, Message


def message(headers: dict[str, str]) -> Message:
    return Message("7-1", "/queue/shown", "/queue/a", headers, b"", 100)


def matches(text: str, **headers: str) -> bool:
    return compiled(text).matches(message(headers))


class SelectorTestCase(SynchronousTestCase):
    def assertMatches(self, *texts: str, **headers: str) -> None:
        for text in texts:
            self.assertTrue(matches(text, **headers), f"{text} of {headers}")

    def assertFalsehoods(self, *texts: str, **headers: str) -> None:
        """No match, and their negation is one."""
        for text in texts:
            self.assertFalse(matches(text, **headers), f"{text} of {headers}")
            self.assertTrue(matches(f"NOT ({text})", **headers), f"NOT ({text}) of {headers}")

    def assertUnknown(self, *texts: str, **headers: str) -> None:
        """No match, and neither is their negation."""
        for text in texts:
            self.assertFalse(matches(text, **headers), f"{text} of {headers}")
            self.assertFalse(matches(f"NOT ({text})", **headers), f"NOT ({text}) of {headers}")


class LanguageTests(SelectorTestCase):
    """Jakarta Messaging, "Message selector syntax"."""

    def test_its_own_examples(self) -> None:
        text = "JMSType = 'car' AND color = 'blue' AND weight > 2500"
        self.assertMatches(text, type="car", color="blue", weight="2501")
        self.assertFalsehoods(text, type="car", color="blue", weight="2500")
        self.assertMatches("age BETWEEN 15 AND 19", "age >= 15 AND age <= 19", age="15")
        self.assertFalsehoods("age NOT BETWEEN 15 AND 19", "age < 15 OR age > 19", age="19")
        self.assertMatches("Country IN (' UK', 'US', 'France')", Country="US")
        self.assertFalsehoods("Country IN (' UK', 'US', 'France')", Country="Peru")
        self.assertUnknown("Country IN ('UK', 'US')", "Country NOT IN ('UK', 'US')")
        self.assertMatches("phone LIKE '12%3'", phone="123")
        self.assertMatches("phone LIKE '12%3'", phone="12993")
        self.assertFalsehoods("phone LIKE '12%3'", phone="1234")
        self.assertMatches("word LIKE 'l_se'", word="lose")
        self.assertFalsehoods("word LIKE 'l_se'", word="loose")
        self.assertMatches(r"underscored LIKE '\_%' ESCAPE '\'", underscored="_foo")
        self.assertFalsehoods(r"underscored LIKE '\_%' ESCAPE '\'", underscored="bar")
        self.assertFalsehoods("phone NOT LIKE '12%3'", phone="123")
        self.assertMatches("prop_name IS NULL")
        self.assertMatches("prop_name IS NOT NULL", prop_name="")

    def test_and_comes_before_or_and_not_before_both(self) -> None:
        self.assertMatches("TRUE OR TRUE AND FALSE", "NOT FALSE AND TRUE", "NOT FALSE OR FALSE AND FALSE")
        self.assertFalsehoods("(TRUE OR TRUE) AND FALSE", "NOT (FALSE OR TRUE)", "NOT TRUE OR FALSE")
        self.assertMatches("NOT a = 'y'", "NOT a IN ('y')", "NOT NOT a = 'x'", a="x")

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

    def test_literals(self) -> None:
        self.assertMatches("s = 'it''s'", """"s" = 'it''s'""", s="it's")
        self.assertMatches("s = ''", "s <> ' '", s="")
        self.assertMatches(
            "255 = 0xFF",
            "0Xff = 0377",
            "5L = 5l",
            "0 = 00",
            "0x1FL = 31",
            "1e3 = 1000",
            ".5 = 5E-1",
            "2. = 2",
            "1.5f = 1.5D",
            "2d = 2",
            "1e+2 = 100",
            "-9223372036854775808 < 9223372036854775807",
        )
        self.assertMatches("s = 'é☃'", s="é☃")

    def test_keywords_are_of_any_case_and_names_are_not(self) -> None:
        self.assertMatches("a = 'x' and Not b iS nUlL Or tRuE", a="x", b="")
        self.assertMatches("Name = 'a' AND name = 'b'", Name="a", name="b")

    def test_names_that_begin_or_end_as_keywords_do_are_names(self) -> None:
        names = {"order": "1", "android": "2", "notable": "3", "isnull": "4", "between_": "5", "in$": "6"}
        self.assertMatches(" AND ".join(f"{name} = {value}" for name, value in names.items()), **names)

    def test_names(self) -> None:
        headers = {
            "_a$1": "1",
            "app.weight": "2",
            "content-type": "3",
            'a "b" c': "4",
            "größe": "5",
            "and": "6",
        }
        self.assertMatches(
            "_a$1 = 1",
            "app.weight = 2",
            '"content-type" = 3',
            '"a ""b"" c" = 4',
            "größe = 5",
            '"and" = 6',
            '"app.weight"=2',
            **headers,
        )

    def test_hyphens_belong_to_names_where_it_says_so(self) -> None:
        headers = {"content-type": "x", "a": "5", "b": "3"}
        self.assertMatches("hyphenated_props:content-type = 'x'", **headers)
        self.assertMatches(
            "hyphenated_props:a - b = 2", "a-b = 2", "hyphenated_props:\"content-type\"='x'", **headers
        )
        self.assertUnknown("content-type = 'x'".replace("'x'", "2"), "a-c = 2", **headers)
        self.assertFalse(matches("hyphenated_props:a-b = 2", **headers))

    def test_the_other_prefix_asks_for_what_there_always_is(self) -> None:
        for prefix in ("", "convert_string_expressions:", "convert_string_expressions:hyphenated_props: "):
            self.assertMatches(prefix + "age > 18", age="21")
        self.assertMatches("hyphenated_props:convert_string_expressions:my-age > 18", **{"my-age": "21"})

    def test_white_space_is_anywhere_between(self) -> None:
        self.assertMatches(" \r\n\ta\f=\n'x'\t", "a='x'AND(a)='x'", a="x")

    def test_the_empty_selector_wants_everything(self) -> None:
        self.assertMatches("", "  ", "hyphenated_props:")


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


class HeaderTests(SelectorTestCase):
    def test_names_that_are_jms(self) -> None:
        headers = {"priority": "9", "timestamp": "1700000000000", "correlation-id": "c", "type": "t"}
        self.assertMatches(
            "JMSPriority = 9",
            "JMSTimestamp > 1.6e12",
            "JMSCorrelationID = 'c'",
            "JMSType = 't'",
            "JMSMessageID = '7-1'",
            "JMSDeliveryMode = 'NON_PERSISTENT'",
            **headers,
        )
        self.assertMatches("JMSPriority = 4 AND priority IS NULL AND JMSType IS NULL")

    def test_names_that_are_artemis(self) -> None:
        sent = message({"timestamp": "1700000000000", "JMSXGroupID": "g", "priority": "9"})
        sent.keeping = Keeping(persistent=True, expires=1_800_000_000_000, priority=9)
        for text in (
            "AMQPriority = 9",
            "AMQTimestamp > 1.6e12",
            "AMQExpiration = 1800000000000",
            "AMQDurable = 'DURABLE'",
            f"AMQSize = {sent.size - OVERHEAD}",
            "AMQUserID = '7-1'",
            "AMQAddress = '/queue/shown'",
            "AMQGroupID = 'g'",
        ):
            self.assertTrue(compiled(text).matches(sent), text)
        self.assertMatches("AMQPriority = 4 AND AMQExpiration = 0 AND AMQDurable = 'NON_DURABLE'")

    def test_the_delivery_mode_is_what_is_done(self) -> None:
        kept = message({})
        kept.keeping = PERSISTENT
        self.assertTrue(compiled("JMSDeliveryMode = 'PERSISTENT'").matches(kept))

    def test_quoted_they_are_headers(self) -> None:
        self.assertMatches('"AMQPriority" = 1 AND AMQPriority = 2', AMQPriority="1", priority="2")
        self.assertMatches('"JMSPriority" = 1 AND JMSPriority = 2', JMSPriority="1", priority="2")

    def test_headers_are_those_of_the_message_frame(self) -> None:
        headers = {"message-id": "mine", "destination": "mine", "redelivered": "mine", "receipt": "mine"}
        self.assertMatches(
            """ "message-id" = '7-1' """,
            "destination = '/queue/shown'",
            "redelivered IS NULL",
            "receipt IS NULL",
            **headers,
        )


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

    def test_a_text_that_is_too_long(self) -> None:
        self.assertTrue(matches("a = '" + "x" * (LONGEST - 6) + "'", a="x" * (LONGEST - 6)))
        self.assertEqual(self.refusal("x" * (LONGEST + 1)).detail, "it may have 4096 characters")
        with self.assertRaises(ProtocolViolation):
            compiled("a = 1", 4)
        self.assertTrue(compiled("a IS NULL" + " " * 10_000, 20_000).matches(message({})))

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


class CostTests(SynchronousTestCase):
    """Nobody's selector costs the others their time or the broker its memory."""

    def assertEnds(self, text: str, **headers: str) -> None:
        compiled(text).matches(message(headers))

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

    def test_hostile_arithmetic(self) -> None:
        self.assertEnds("n" + "*n" * 2000 + " > 1", n="9" * 18)
        self.assertEnds("n" + "*n" * 2000 + " > 1", n="1e300")
        self.assertEnds("1 + n > 1", n="9" * 65_000)

    def test_the_same_text_is_compiled_once(self) -> None:
        self.assertIs(compiled("a = 'once'"), compiled("a = 'once'"))
        first = compiled("a = 'forgotten'")
        for number in range(KEPT + 1):
            compiled(f"a = {number}")
        self.assertIsNot(compiled("a = 'forgotten'"), first)
        long = "a = '" + "x" * KEPT_LENGTH + "'"
        self.assertIsNot(compiled(long), compiled(long))

    def test_who_uses_no_selectors_loads_no_parser(self) -> None:
        program = "import sys, stomp_tx.broker.selector.selector; sys.exit('lark' in sys.modules)"
        paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run([sys.executable, "-c", program], env={**os.environ, **paths}, check=True)


class SelectorTests(SynchronousTestCase):
    def test_it_knows_its_text(self) -> None:
        self.assertEqual(compiled(" a = 'x' ").text, " a = 'x' ")
        self.assertEqual(repr(compiled("a = 'x'")), """<Selector "a = 'x'">""")
