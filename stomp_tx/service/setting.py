"""Setting: one thing that can be set."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import Any, get_type_hints

from stomp_tx.broker.dialects import AUTO
from stomp_tx.errors import ConfigurationError
from stomp_tx.service.configuration import NO_SETTINGS, Configuration
from stomp_tx.service.size import size_of, written_size

_WANTED: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    tuple[str, ...]: "a list of strings",
}


@dataclass(frozen=True)
class Setting:
    """One thing that can be set.

    default -- what it is where nobody has set it
    is_dialects -- the dialect says what that is: ``default`` is what auto says
    """

    name: str
    """As it is written after ``--set``: ``limits.frame``."""

    kind: object
    """bool, int, float, str or tuple[str, ...]."""

    default: object
    meaning: str
    is_dialects: bool = False

    @property
    def section(self) -> str:
        """The table of the TOML file that it stands in; empty: none."""
        return self.name.rpartition(".")[0]

    @property
    def key(self) -> str:
        """The name within the section."""
        return self.name.rpartition(".")[2]

    @property
    def is_size(self) -> bool:
        """Does it count octets?"""
        return self.kind is int and "octets" in self.meaning.lower()

    def written(self, value: object) -> str:
        """This value as TOML writes it."""
        if self.is_size and isinstance(value, int):
            return written_size(value)
        return json.dumps(value, ensure_ascii=False)  # for these kinds the same as TOML

    def checked(self, value: object, where: str) -> object:
        """The value, if it is of the setting's type: TOML's types are taken as they are, but for sizes."""
        kind = self.kind
        wanted = _WANTED[kind]
        if self.is_size:
            wanted += ', or a size like "64 MiB"'
            value = size_of(value) if isinstance(value, str) else value
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = tuple(value)
        right = type(value) is (tuple if kind == tuple[str, ...] else kind)
        if not right or (isinstance(value, float) and not math.isfinite(value)):
            raise ConfigurationError(f"{self.name}{where} must be {wanted}, not {called(value)}")
        return value

    def from_text(self, text: str) -> object:
        """What this text on a command line says; ``checked`` tells whether it is of the setting's type."""
        if self.kind is bool:
            return {"true": True, "false": False}.get(text, text)
        if self.kind is float:
            return float(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]*)?", text) else text
        if self.kind is int:
            return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
        if self.kind is str:
            return text
        return [part.strip() for part in text.split(",")]


@cache
def settings() -> Mapping[str, Setting]:
    """Every setting by its name."""
    return {setting.name: setting for setting in _settings(Configuration(), "")}


def setting_named(name: str, where: str) -> Setting:
    """The setting of this name.  Raises ConfigurationError, which guesses what was meant."""
    known = settings()
    if name not in known:
        raise ConfigurationError(f"unknown setting {name}{where}{did_you_mean(name, known)}")
    return known[name]


def did_you_mean(name: str, known: Iterable[str], shape: str = "{}") -> str:
    """The end of an error about a name that is none of these."""
    known = list(known)
    key = name.rpartition(".")[2]
    elsewhere = [one for one in known if one.rpartition(".")[2] == key]  # in another section
    close = elsewhere or get_close_matches(name, known, 1, 0.7)
    return f"; did you mean {shape.format(close[0])}?" if close else ""


def called(value: object) -> str:
    """The value, in an error."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (bool, int, float, list, tuple)):
        return f"{json.dumps(value, default=str):.60}"
    kind = "string" if isinstance(value, str) else type(value).__name__
    return f"the {kind} {json.dumps(value, default=str):.60}"


def _settings(holder: Any, prefix: str) -> Iterator[Setting]:
    kinds = get_type_hints(type(holder))
    meanings = _meanings(type(holder))
    for one in fields(holder):
        default = getattr(holder, one.name)
        if one.name in NO_SETTINGS:
            continue
        if is_dataclass(default):
            yield from _settings(default, f"{one.name}.")
        elif default is None:
            yield Setting(prefix + one.name, str, getattr(AUTO, one.name), meanings.get(one.name, ""), True)
        else:
            yield Setting(prefix + one.name, kinds[one.name], default, meanings.get(one.name, ""))


def _meanings(cls: type) -> dict[str, str]:
    """What the strings below the fields of a class say; empty where its source is not at hand."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # type: ignore[attr-defined]
    except OSError:
        return {}
    found = {}
    for one, below in pairwise(body):
        if isinstance(one, ast.AnnAssign) and isinstance(below, ast.Expr):
            found[one.target.id] = " ".join(ast.literal_eval(below.value).split())  # type: ignore[union-attr]
    return found
