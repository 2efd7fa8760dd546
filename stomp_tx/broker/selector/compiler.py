"""The compiler of selectors: from a tree to one function that says of a message whether it matches."""

from __future__ import annotations

import operator
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from stomp_tx.broker.selector.grammar import malformed
from stomp_tx.broker.selector.identifiers import IDENTIFIERS, header_of
from stomp_tx.broker.selector.like import like, pieces_of
from stomp_tx.broker.selector.operators import (
    COMPARISONS,
    MIRRORED,
    OPERATIONS,
    Comparison,
    all_of,
    any_of,
    arithmetic,
    compared,
    compared_with,
    negated,
)
from stomp_tx.broker.selector.values import (
    LARGEST,
    Condition,
    Number,
    Quantity,
    Text,
    constantly,
    converted,
    number_in,
)
from stomp_tx.wire.booleans import truth

if TYPE_CHECKING:
    from lark import Token, Tree

DEEPEST = 64
"""How deep NOT, signs, sums and conditions may be nested in each other; mere parentheses don't count."""


class Expression(NamedTuple):
    """One part of a selector, as whatever it can stand for: a header for all three, the others for one."""

    kind: str
    text: Text | None = None
    quantity: Quantity | None = None
    condition: Condition | None = None
    literal: Any = None
    """Its value, where that is known beforehand and is a number."""


class Compiler:
    """Makes closures of one text's tree, from the leaves up."""

    def __init__(self, text: str, start: int) -> None:
        """``start``: index where the tree's text begins."""
        self._text = text
        self._start = start
        self._depth = 0
        self._headers: dict[str, Expression] = {}

    def condition(self, tree: Tree[Token]) -> Condition:
        """What a tree says of a message.  Raises ProtocolViolation when that can't be true or false."""
        return self._as_condition(tree, self._expression(tree))

    def _as_condition(self, tree: Tree[Token], expression: Expression) -> Condition:
        if expression.condition is None:
            self._refuse(tree, f"expected a condition, found a {expression.kind}")
        return expression.condition

    def _quantity(self, tree: Tree[Token]) -> Quantity:
        return self._as_quantity(tree, self._expression(tree))

    def _as_quantity(self, tree: Tree[Token], expression: Expression) -> Quantity:
        if expression.quantity is None:
            self._refuse(tree, f"expected a number, found a {expression.kind}")
        return expression.quantity

    def _header_text(self, tree: Tree[Token], verb: str) -> Text:
        expression = self._expression(tree)
        if expression.kind != "header" or expression.text is None:
            self._refuse(tree, f"expected a name before {verb}, found a {expression.kind}")
        return expression.text

    def _expression(self, tree: Tree[Token]) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            self._refuse(tree, f"nested deeper than {DEEPEST}")
        expression: Expression = getattr(self, f"_{tree.data}")(*tree.children)
        self._depth -= 1
        return expression

    def _refuse(self, place: Tree[Token] | Token, why: str) -> NoReturn:
        leaf: Any = place
        while hasattr(leaf, "children"):
            leaf = leaf.children[0]
        raise malformed(self._text, self._start + leaf.start_pos, why)

    # The following have the grammar's names, and get its parts: None for an optional one that is not there.

    def _name(self, token: Token) -> Expression:
        # The same closures wherever the name comes: a long selector takes half the memory.
        name = str(token)
        if name not in self._headers:
            self._headers[name] = _header(IDENTIFIERS.get(name) or header_of(name))
        return self._headers[name]

    def _quoted(self, token: Token) -> Expression:
        return _header(header_of(_unquoted(token)))

    def _string(self, text: Token) -> Expression:
        return Expression("string", text=constantly(_unquoted(text)))

    def _truth(self, word: Token) -> Expression:
        return _condition(constantly(word.type == "TRUE"))

    def _exact(self, token: Token) -> Expression:
        digits, base = token.lower().removesuffix("l"), 10
        if digits.startswith("0x"):
            digits, base = digits[2:], 16
        elif digits.startswith("0"):
            base = 8
            if "8" in digits or "9" in digits:
                self._refuse(token, "a number that begins with 0 is octal, and has no 8 and no 9")
        digits = digits.lstrip("0") or "0"
        value = int(digits, base) if len(digits) < 24 else None
        if value is None or value > LARGEST:
            self._refuse(token, "a number of more than 64 bits")
        return _constant(value)

    def _approximate(self, token: Token) -> Expression:
        value = float(token.lower().rstrip("df"))
        if not isfinite(value):
            self._refuse(token, "a number of more than 64 bits")
        return _constant(value)

    def _signed(self, sign: Token, tree: Tree[Token]) -> Expression:
        expression = self._expression(tree)
        quantity = self._as_quantity(tree, expression)
        if expression.literal is not None:
            return _constant(-expression.literal if sign.type == "MINUS" else expression.literal)
        return Expression("number", quantity=arithmetic(constantly(0), [(OPERATIONS[sign.type], quantity)]))

    def _sum(self, first: Tree[Token], *rest: Any) -> Expression:
        # The rest is an operator and an operand by turns.
        signs, operands = rest[::2], map(self._quantity, rest[1::2])
        steps = [(OPERATIONS[sign.type], operand) for sign, operand in zip(signs, operands, strict=True)]
        return Expression("number", quantity=arithmetic(self._quantity(first), steps))

    _product = _sum

    def _comparison(self, left: Tree[Token], token: Token, right: Tree[Token]) -> Expression:
        sign, one, other = str(token), self._expression(left), self._expression(right)
        if one.literal is not None:
            sign, left, one, right, other = MIRRORED.get(sign, sign), right, other, left, one
        compare = COMPARISONS[sign]
        if sign in ("=", "<>"):
            kinds = sorted({one.kind, other.kind} - {"header"}) or ["string"]
            if len(kinds) == 2:
                self._refuse(token, f"compares a {kinds[0]} with a {kinds[1]}, which is never true")
            if one.text is not None and other.text is not None:
                return _condition(compared(one.text, compare, other.text))
            if kinds == ["truth"]:
                truths = self._as_condition(left, one), self._as_condition(right, other)
                return _condition(compared(truths[0], compare, truths[1]))
        return _condition(self._ordered(self._as_quantity(left, one), compare, right, other))

    def _between(
        self, middle: Tree[Token], no: Token | None, low: Tree[Token], high: Tree[Token]
    ) -> Expression:
        quantity = self._quantity(middle)
        above = self._ordered(quantity, operator.ge, low, self._expression(low))
        below = self._ordered(quantity, operator.le, high, self._expression(high))
        return _perhaps_not(no, all_of([above, below]))

    def _ordered(
        self, left: Quantity, compare: Comparison, tree: Tree[Token], right: Expression
    ) -> Condition:
        if right.literal is not None:
            return compared_with(left, compare, right.literal)
        return compared(left, compare, self._as_quantity(tree, right))

    def _membership(self, name: Tree[Token], no: Token | None, *strings: Token) -> Expression:
        chosen = frozenset(map(_unquoted, strings))
        return _perhaps_not(no, converted(self._header_text(name, "IN"), chosen.__contains__))

    def _likeness(
        self, name: Tree[Token], no: Token | None, pattern: Token, escape: Token | None
    ) -> Expression:
        text, mark = self._header_text(name, "LIKE"), None
        if escape is not None:
            mark = _unquoted(escape)
            if len(mark) != 1:
                self._refuse(escape, "expected one character after ESCAPE")
        pieces = pieces_of(_unquoted(pattern), mark)
        if pieces is None:
            self._refuse(pattern, "the pattern's escape character has nothing to escape")
        return _perhaps_not(no, converted(text, like(pieces)))

    def _nullness(self, name: Tree[Token], no: Token | None) -> Expression:
        text = self._header_text(name, "IS")
        if no is None:
            return _condition(lambda message: text(message) is None)
        return _condition(lambda message: text(message) is not None)

    def _negation(self, no: Token, condition: Tree[Token]) -> Expression:
        return _condition(negated(self.condition(condition)))

    def _conjunction(self, *conditions: Tree[Token]) -> Expression:
        return _condition(all_of([self.condition(condition) for condition in conditions]))

    def _disjunction(self, *conditions: Tree[Token]) -> Expression:
        return _condition(any_of([self.condition(condition) for condition in conditions]))


def _condition(condition: Condition) -> Expression:
    return Expression("truth", condition=condition)


def _perhaps_not(no: Token | None, condition: Condition) -> Expression:
    return _condition(condition if no is None else negated(condition))


def _constant(value: Number) -> Expression:
    return Expression("number", quantity=constantly(value), literal=value)


def _header(text: Text) -> Expression:
    return Expression(
        "header", text=text, quantity=converted(text, number_in), condition=converted(text, truth)
    )


def _unquoted(token: Token) -> str:
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)
