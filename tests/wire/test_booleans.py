"""booleans.py: what a header that is true or false says."""

import ast
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import stomp_tx
from stomp_tx.wire.booleans import BOOLEANS, odd_boolean, truth
from stomp_tx.wire.frame import Frame

SOURCES = Path(stomp_tx.__file__).parent


def in_any_case(word: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from([one, one.upper()]) for one in word)).map("".join)


class TruthTests(SynchronousTestCase):
    @given(in_any_case("true"), in_any_case("false"))
    def test_case_does_not_matter(self, true: str, false: str) -> None:
        self.assertEqual((truth(true), truth(false)), (True, False))

    @given(st.text(max_size=6))
    def test_anything_else_says_nothing(self, text: str) -> None:
        said = re.fullmatch("(true)|false", text, re.ASCII | re.IGNORECASE)
        self.assertEqual(truth(text), None if said is None else bool(said[1]))

    def test_no_header_says_nothing(self) -> None:
        self.assertIsNone(truth(None))


class OddTests(SynchronousTestCase):
    def test_the_first_header_that_is_neither(self) -> None:
        headers = {"durable": "True", "exclusive": "FALSE", "retained": "", "browser": "1", "x": "maybe"}
        self.assertIn(odd_boolean(Frame("SUBSCRIBE", headers)), [("retained", ""), ("browser", "1")])
        self.assertEqual(odd_boolean(Frame("SEND", {"persistent": "y", "durable": "y"})), ("persistent", "y"))

    def test_there_may_be_none(self) -> None:
        self.assertIsNone(odd_boolean(Frame("SEND", {"durable": "y"})))  # of SEND it says nothing
        self.assertIsNone(odd_boolean(Frame("BEGIN", {"persistent": "y"})))


class OneReaderTests(SynchronousTestCase):
    """No code but this compares a header with "true" or "false"."""

    def test_it_is_the_only_one(self) -> None:
        words = {"true", "True", "false", "False"}
        found = []
        for path in SOURCES.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Compare):
                    texts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
                    if words & {one for one in texts if isinstance(one, str)}:
                        found.append(f"{path.relative_to(SOURCES)}: {ast.unparse(node)}")
        self.assertEqual(found, ["wire/booleans.py: text == 'true'"])

    def test_every_header_in_the_table_is_read_somewhere(self) -> None:
        sources = "".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
        for name in {name for names in BOOLEANS.values() for name in names}:
            self.assertGreater(sources.count(f'"{name}"'), 1, name)
