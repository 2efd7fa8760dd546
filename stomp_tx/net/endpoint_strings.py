"""Descriptions: what is in Twisted's endpoint strings, which says ``description``, too."""

from __future__ import annotations

import re
from collections.abc import Sequence

_COLON = re.compile(r"(?<!\\):")
_ESCAPE = re.compile(r"\\(.)")
_NAMED = re.compile(r"([A-Za-z]+)=(.*)", re.DOTALL)


def kind_of(description: str) -> str:
    """``tcp`` of ``tcp:a:1``, and of ``TCP:a:1``: clientFromString tells them not apart."""
    return description.partition(":")[0].lower()


def arguments_of(description: str, positional: Sequence[str]) -> dict[str, str]:
    """``tcp:a:1:timeout=9`` as ``{"host": "a", "port": "1", "timeout": "9"}``.

    positional -- the names of those without one, in their order; what is more than these is called ""
    """
    names = iter(positional)
    found = {}
    for argument in _COLON.split(description)[1:]:
        match = _NAMED.fullmatch(argument)
        name, value = match.groups() if match else (next(names, ""), argument)
        found[name] = _ESCAPE.sub(r"\1", value)
    return found
