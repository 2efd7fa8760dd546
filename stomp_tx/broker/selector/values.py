"""What the parts of a selector say of one message: a text, a number, or a truth; None: it is unknown."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, TypeVar

from stomp_tx.message import Message

Number = int | float
Text = Callable[[Message], str | None]
Quantity = Callable[[Message], Number | None]
Condition = Callable[[Message], bool | None]


def constantly(value: Any) -> Callable[[Message], Any]:
    """The same of every message."""
    return lambda message: value


_T = TypeVar("_T")


def converted(text: Text, convert: Callable[[str], _T | None]) -> Callable[[Message], _T | None]:
    """What is made of a text; it is unknown where the text is."""

    def made(message: Message) -> _T | None:
        found = text(message)
        return None if found is None else convert(found)

    return made


LARGEST = 2**63
"""The most that a number may be, either way."""

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMERAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def number_in(text: str) -> Number | None:
    """The number that a text looks like; None: it looks like none."""
    length = len(text)
    if length < 19 and text.isdigit() and text.isascii():
        return int(text)
    # Not by int() and float() alone: they take spaces, underscores, any alphabet's digits, "nan" and "inf".
    if length > 64 or _NUMERAL.fullmatch(text) is None:
        return None
    return in_range(int(text) if _WHOLE.fullmatch(text) else float(text))


def in_range(value: Number) -> Number | None:
    """The number; None where 64 bits can't hold it."""
    if isinstance(value, int):
        return value if -LARGEST <= value <= LARGEST else None
    return value if isfinite(value) else None
