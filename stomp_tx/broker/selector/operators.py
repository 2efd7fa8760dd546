"""The operators of selectors: arithmetic, comparisons, and logic, in which the unknown is a third truth."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from stomp_tx.broker.selector.values import Condition, Number, Quantity, in_range
from stomp_tx.message import Message


def _divide(dividend: Number, divisor: Number) -> Number | None:
    if not divisor:
        return None
    if isinstance(dividend, int) and isinstance(divisor, int):
        quotient = abs(dividend) // abs(divisor)
        return quotient if (dividend < 0) == (divisor < 0) else -quotient
    return dividend / divisor


Operation = Callable[[Any, Any], "Number | None"]
OPERATIONS: dict[str, Operation] = {
    "PLUS": operator.add,
    "MINUS": operator.sub,
    "STAR": operator.mul,
    "SLASH": _divide,
}
Comparison = Callable[[Any, Any], bool]
COMPARISONS: dict[str, Comparison] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The comparison that says the same when its two sides change places."""


def arithmetic(first: Quantity, steps: list[tuple[Operation, Quantity]]) -> Quantity:
    """A number to which one operation after the other is done."""

    def computed(message: Message) -> Number | None:
        result = first(message)
        for operation, quantity in steps:
            operand = quantity(message)
            if result is None or operand is None:
                return None
            result = operation(result, operand)
            if result is not None:
                result = in_range(result)
        return result

    return computed


def compared(
    left: Callable[[Message], Any], compare: Comparison, right: Callable[[Message], Any]
) -> Condition:
    """Does the comparison hold of the two?"""

    def holds(message: Message) -> bool | None:
        one, other = left(message), right(message)
        return None if one is None or other is None else compare(one, other)

    return holds


def compared_with(left: Quantity, compare: Comparison, number: Number) -> Condition:
    """The same with a number that is known."""

    def holds(message: Message) -> bool | None:
        value = left(message)
        return None if value is None else compare(value, number)

    return holds


def negated(condition: Condition) -> Condition:
    """NOT."""

    def holds(message: Message) -> bool | None:
        value = condition(message)
        return None if value is None else not value

    return holds


def all_of(conditions: list[Condition]) -> Condition:
    """AND."""

    def holds(message: Message) -> bool | None:
        result: bool | None = True
        for condition in conditions:
            value = condition(message)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return holds


def any_of(conditions: list[Condition]) -> Condition:
    """OR."""

    def holds(message: Message) -> bool | None:
        result: bool | None = False
        for condition in conditions:
            value = condition(message)
            if value is True:
                return True
            if value is None:
                result = None
        return result

    return holds
