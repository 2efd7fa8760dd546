"""Selectors at random: those that are well-formed mean what they say, and no text does any harm.

``value`` says what a selector means as plainly as it can be said, a second time: over a tree of tuples, which
``written`` makes a text of.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.selector.selector import compiled
from stomp_tx.errors import ProtocolViolation
from stomp_tx.message import Message

LARGEST = 2**63
TAKE_NOT = ("between", "in", "like", "null")
NAMES = ["a", "b", "app.c", "content-type", "JMSPriority"]
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "a%b",
    "it's",
    "true",
    "FALSE",
    "0",
    "1",
    "-2",
    "2.5",
    "1e3",
    "9" * 18,
    "1e999",
    " 1",
]


# -- What a tree means ------------------------------------------------------------------------------------


def value(tree: Any, headers: dict[str, str], want: str) -> Any:
    """Of this kind: "text", "number" or "truth"; None: unknown."""
    kind, *parts = tree
    if kind == "not" or (kind in TAKE_NOT and parts[-1] == "not"):
        operand = value(parts[0] if kind == "not" else tree[:-1], headers, "truth")
        return None if operand is None else not operand
    if kind == "header":
        text = headers.get(parts[0])
        if parts[0] == "JMSPriority":
            text = headers.get("priority", "4")
        return (
            text
            if text is None or want == "text"
            else as_number(text)
            if want == "number"
            else as_truth(text)
        )
    if kind in ("string", "number", "truth"):
        return parts[0]
    if kind == "sign":
        operand = value(parts[1], headers, "number")
        return None if operand is None else -operand if parts[0] == "-" else operand
    if kind in "+-*/":
        return calculated(kind, value(parts[0], headers, "number"), value(parts[1], headers, "number"))
    if kind == "compare":
        sign, common, left, right = parts
        return compared(sign, value(left, headers, common), value(right, headers, common))
    if kind == "between":
        middle, low, high = (value(part, headers, "number") for part in parts)
        return conjunction(compared(">=", middle, low), compared("<=", middle, high))
    if kind == "and":
        return conjunction(*(value(part, headers, "truth") for part in parts))
    if kind == "or":
        truths = [value(part, headers, "truth") for part in parts]
        return True if True in truths else None if None in truths else False
    text = value(parts[0], headers, "text")
    if kind == "null":
        return text is None
    if text is None:
        return None
    return text in parts[1] if kind == "in" else is_like(text, parts[1])


def as_number(text: str) -> int | float | None:
    if not text or set(text) - set("0123456789+-.eE"):
        return None
    try:
        number: int | float = int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            return None
    return in_range(number)


def as_truth(text: str) -> bool | None:
    return True if text.upper() == "TRUE" else False if text.upper() == "FALSE" else None


def in_range(number: int | float) -> int | float | None:
    if isinstance(number, float):
        return number if abs(number) < float("inf") else None
    return number if abs(number) <= LARGEST else None


def calculated(sign: str, left: int | float | None, right: int | float | None) -> int | float | None:
    if left is None or right is None or (sign == "/" and right == 0):
        return None
    if sign == "+":
        return in_range(left + right)
    if sign == "-":
        return in_range(left - right)
    if sign == "*":
        return in_range(left * right)
    if isinstance(left, float) or isinstance(right, float):
        return in_range(left / right)
    return in_range((left - (abs(left) % abs(right)) * (1 if left > 0 else -1)) // right)


def compared(sign: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    return {
        "=": lambda: left == right,
        "<>": lambda: left != right,
        "<": lambda: left < right,
        "<=": lambda: left <= right,
        ">": lambda: left > right,
        ">=": lambda: left >= right,
    }[sign]()


def conjunction(*truths: bool | None) -> bool | None:
    return False if False in truths else None if None in truths else True


def is_like(text: str, pattern: tuple[str, ...]) -> bool:
    """``pattern``: "%", "_" or a backslash and a character, each."""

    @cache
    def rest(at: int, place: int) -> bool:
        if place == len(pattern):
            return at == len(text)
        if pattern[place] == "%":
            return rest(at, place + 1) or (at < len(text) and rest(at + 1, place))
        return at < len(text) and pattern[place] in ("_", "\\" + text[at]) and rest(at + 1, place + 1)

    return rest(0, 0)


# -- What it is written as --------------------------------------------------------------------------------

LEVELS = {"or": 0, "and": 1, "not": 2, "compare": 3, "between": 3, "in": 3, "like": 3, "null": 3}
LEVELS |= {"+": 4, "-": 4, "*": 5, "/": 5, "sign": 6}


class Writer:
    """Writes a tree with as few parentheses as there must be, or some more, and spaces as it likes."""

    def __init__(self, choose: Any) -> None:
        self.choose = choose  # gives one of the things it is given

    def text(self, tree: Any, level: int = 0) -> str:
        kind, *parts = tree
        text = getattr(self, "leaf" if kind in ("header", "string", "number", "truth") else "node")(
            kind, parts
        )
        if LEVELS.get(kind, 7) < level or self.choose([False] * 9 + [True]):
            text = f"({self.gap()}{text}{self.gap()})"
        return text

    def leaf(self, kind: str, parts: list[Any]) -> str:
        (it,) = parts
        if kind == "header":
            return f'"{it}"' if "-" in it or ("JMS" not in it and self.choose([True, False])) else it
        if kind == "string":
            return quoted(it)
        if kind == "truth":
            return self.word(str(it))
        if isinstance(it, float):
            return self.choose([repr(it), repr(it).upper(), repr(it) + "d"])
        return self.choose([str(it), hex(it), f"{it:#X}L", f"0{it:o}", f"{it}l"])

    def node(self, kind: str, parts: list[Any]) -> str:
        level, space, no = LEVELS[kind], self.space, ""
        if kind in TAKE_NOT and parts[-1] == "not":
            parts, no = parts[:-1], self.word("NOT") + space()
        if kind in ("and", "or"):
            return (space() + self.word(kind) + space()).join(self.text(part, level + 1) for part in parts)
        if kind == "not":
            return self.word("NOT") + space() + self.text(parts[0], level)
        if kind == "sign":
            return parts[0] + space() + self.text(parts[1], level)
        if kind == "compare":
            sign, _, left, right = parts
            return self.text(left, 4) + self.gap() + sign + self.gap() + self.text(right, 4)
        if kind in "+-*/":
            left, right = parts
            return self.text(left, level) + self.gap() + kind + self.gap() + self.text(right, level + 1)
        left = self.text(parts[0], 4) + space()
        if kind == "between":
            low, high = (self.text(part, 4) for part in parts[1:])
            return f"{left}{no}{self.word('BETWEEN')} {low}{space()}{self.word('AND')} {high}"
        if kind == "null":
            return f"{left}{self.word('IS')}{space()}{no}{self.word('NULL')}"
        if kind == "in":
            return f"{left}{no}{self.word('IN')}{self.gap()}({','.join(map(quoted, parts[1]))})"
        pattern = quoted("".join(parts[1]))
        return f"{left}{no}{self.word('LIKE')}{self.gap()}{pattern}{space()}{self.word('ESCAPE')} '\\'"

    def word(self, word: str) -> str:
        return self.choose([word.upper(), word.lower(), word.title()])

    def space(self) -> str:
        return self.choose([" ", " ", "\t", " \r\n "])

    def gap(self) -> str:
        return self.choose(["", " ", "  "])


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# -- Trees ------------------------------------------------------------------------------------------------

header = st.tuples(st.just("header"), st.sampled_from(NAMES))
string = st.tuples(st.just("string"), st.sampled_from(TEXTS) | st.text(max_size=4))
whole = st.integers(0, 5) | st.integers(0, LARGEST)
approximate = st.sampled_from([0.0, 0.5, 2.5, 1e300]) | st.floats(0, 1e308)
number = st.tuples(st.just("number"), whole | approximate)
truth = st.tuples(st.just("truth"), st.booleans())
orders = st.sampled_from(["<", "<=", ">", ">="])
equalities = st.sampled_from(["=", "<>"])
unit = st.sampled_from(["%", "_", "\\a", "\\b", "\\'", "\\%", "\\_", "\\\\"])
maybe_not = st.sampled_from([(), ("not",)])


def joined(*strategies: Any) -> Any:
    """Tuples of all of them, the last one's own parts at the end."""
    return st.tuples(*strategies).map(lambda parts: (*parts[:-1], *parts[-1]))


sums = st.recursive(
    number | number | header,
    lambda inner: (
        st.tuples(st.sampled_from("+-*/"), inner, inner)
        | st.tuples(st.just("sign"), st.sampled_from("+-"), inner)
    ),
    max_leaves=5,
)
computed = sums.filter(lambda tree: tree[0] != "header")
tests = st.one_of(
    st.tuples(st.just("compare"), equalities, st.just("text"), header, string),
    st.tuples(st.just("compare"), equalities, st.just("text"), header | string, header),
    st.tuples(st.just("compare"), equalities, st.just("number"), header, number),
    st.tuples(st.just("compare"), equalities, st.just("number"), computed, sums),
    st.tuples(st.just("compare"), orders, st.just("number"), sums, sums),
    st.tuples(st.just("compare"), equalities, st.just("truth"), header, truth),
    joined(st.just("between"), sums, sums, sums, maybe_not),
    joined(st.just("in"), header, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3), maybe_not),
    joined(st.just("like"), header, st.lists(unit, max_size=5).map(tuple), maybe_not),
    joined(st.just("null"), header, maybe_not),
    header,
    truth,
)
conditions = st.recursive(
    tests,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), inner, inner)
        | st.tuples(st.sampled_from(["and", "or"]), inner, inner, inner)
        | st.tuples(st.just("not"), inner)
        | st.tuples(
            st.just("compare"),
            equalities,
            st.just("truth"),
            inner.filter(lambda it: it[0] != "header"),
            truth,
        )
    ),
    max_leaves=8,
)
header_texts = st.integers(-5, 5).map(str) | st.sampled_from(TEXTS) | st.text("ab%_'\\", max_size=6)
all_headers = st.dictionaries(st.sampled_from([*NAMES, "priority"]), header_texts, min_size=3)


def message(headers: dict[str, str]) -> Message:
    return Message("1", "/queue/a", "/queue/a", headers, b"", 1)


fragments = st.sampled_from(
    [
        *"()=<>+-*/,.'\"%_\\ \t;~\0é",
        *(
            "a",
            "b ",
            "'x'",
            "'",
            "''",
            '"a-b"',
            "1",
            " 08",
            "1e999999",
            ".5",
            "9" * 300,
            "0x",
            "5L",
            "1.",
            "TRUE",
            "FALSE",
        ),
        *(
            " AND ",
            " OR ",
            "NOT ",
            " BETWEEN ",
            " IN (",
            " LIKE ",
            " ESCAPE ",
            " IS ",
            "NULL",
            "JMSType",
            "x" * 2000,
        ),
        *(
            "hyphenated_props:",
            "convert_string_expressions:",
            "NOT " * 500,
            "(" * 1000,
            "- " * 1000,
            "a OR " * 400,
        ),
        *("a LIKE '" + "%a" * 300 + "%b'", "a LIKE '%" + "a_" * 300 + "b%'", "a" + "*a" * 500, "a = 1 AND "),
    ]
)


class SelectorTests(SynchronousTestCase):
    @settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
    @given(conditions, all_headers, st.randoms(use_true_random=False))
    def test_it_means_what_it_says(self, tree, headers, random) -> None:
        text = Writer(random.choice).text(tree)
        expected = value(tree, headers, "truth")
        self.assertEqual(compiled(text).matches(message(headers)), expected is True, text)
        self.assertEqual(compiled(f"NOT ({text})").matches(message(headers)), expected is False, text)

    @settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(fragments, max_size=12).map("".join) | st.text(max_size=30))
    def test_whatever_the_text_it_is_refused_or_answers(self, text) -> None:
        try:
            selector = compiled(text)
        except ProtocolViolation as refused:
            self.assertEqual(refused.summary, "malformed selector")
            self.assertLess(len(refused.detail), 400)
        else:
            self.assertIsInstance(selector.matches(message({})), bool)
            self.assertIsInstance(selector.matches(message({"a": "a" * 65_000, "b": "9" * 17})), bool)
            self.assertIsInstance(selector.matches(message({"a": "9" * 17, "b": "true"})), bool)
