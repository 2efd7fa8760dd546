"""broker/selector/selector.py: which messages a selector wants."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.selector.grammar import AT_ONCE
from stomp_tx.broker.selector.selector import KEPT, LEAST, LONGEST, compiled, compiling, is_remembered
from stomp_tx.errors import ProtocolViolation
from tests.broker.selector.matching import SelectorTestCase, matches, message
from tests.counting import lines_run


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


class SelectorTests(SynchronousTestCase):
    def test_it_knows_its_text(self) -> None:
        self.assertEqual(compiled(" a = 'x' ").text, " a = 'x' ")
        self.assertEqual(repr(compiled("a = 'x'")), """<Selector "a = 'x'">""")

    def test_a_text_that_is_too_long(self) -> None:
        self.assertTrue(matches("a = '" + "x" * (LONGEST - 6) + "'", a="x" * (LONGEST - 6)))
        with self.assertRaises(ProtocolViolation) as caught:
            compiled("x" * (LONGEST + 1))
        self.assertEqual(str(caught.exception), "malformed selector")
        self.assertEqual(caught.exception.detail, "it may have 4096 characters")
        with self.assertRaises(ProtocolViolation):
            compiled("a = 1", 4)
        self.assertTrue(compiled("a IS NULL" + " " * 10_000, 20_000).matches(message({})))

    def test_the_same_text_is_compiled_once(self) -> None:
        self.assertIs(compiled("a = 'once'"), compiled("a = 'once'"))
        long = "a = '" + "x" * 4000 + "'"
        self.assertIs(compiled(long), compiled(long))
        first = compiled("a = 'forgotten'")
        for number in range(KEPT // LEAST):
            compiled(f"a = {number}")
        self.assertIsNot(compiled("a = 'forgotten'"), first)

    def test_what_is_remembered_is_bounded_in_characters(self) -> None:
        first = compiled("a = 'forgotten'")
        for number in range(KEPT // 4000 + 1):
            compiled(f"a = '{number}{'x' * 4000}'")
        self.assertIsNot(compiled("a = 'forgotten'"), first)

    def test_it_is_compiled_piece_by_piece(self) -> None:
        text = " OR ".join(f"a = {number}" for number in range(300))
        pieces = compiling(text)
        most = max(lines_run(lambda: next(pieces, None)) for _ in range(300 * 4 // AT_ONCE))
        self.assertLess(most, lines_run(lambda: compiled(text + " OR b = 1")) / 20)
        self.assertFalse(is_remembered(text))
        list(pieces)
        self.assertTrue(is_remembered(text))
        self.assertLess(lines_run(lambda: compiled(text)), 20)

    def test_what_is_wrong_with_it_is_remembered_as_well(self) -> None:
        list(compiling("a = = 1"))
        self.assertTrue(is_remembered("a = = 1"))
        for _ in range(2):
            with self.assertRaises(ProtocolViolation):
                compiled("a = = 1")

    def test_who_uses_no_selectors_loads_no_parser(self) -> None:
        program = "import sys, stomp_tx.broker.selector.selector; sys.exit('lark' in sys.modules)"
        paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run([sys.executable, "-c", program], env={**os.environ, **paths}, check=True)
