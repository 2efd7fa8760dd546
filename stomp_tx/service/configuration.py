"""Configuration: what a broker's owner may set, from a TOML file and from ``--set NAME=VALUE``.

Settings, their types, defaults and meanings are the fields of dataclasses, each where it belongs: nothing
lists them a second time.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import Any, get_type_hints

from stomp_tx.auth.acl import AccessList
from stomp_tx.auth.roles_file import access_list
from stomp_tx.broker.dialects import AUTO
from stomp_tx.broker.policy import Policies, Policy, compiled
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.errors import ConfigurationError
from stomp_tx.wire.limits import Limits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


Patterns = tuple[tuple[str, Policy], ...]

_NO_SETTINGS = ("patterns", "access", "sources")
"""Fields of a Configuration that are none, or have those of ``[policy]``."""


@dataclass(frozen=True)
class Configuration:
    """Everything that can be set.  A field whose value is a dataclass is a section: ``[limits]``."""

    port: tuple[str, ...] = ("tcp:61613:interface=127.0.0.1",)
    """Where to listen: Twisted server endpoint strings."""

    auth: tuple[str, ...] = ()
    """What finds out who connects, as after ``--auth``: ``passwd:FILE``, ``jwt:FILE``, ``certificate`` and
    what else ``--help-auth`` lists; asked in this order.
    """

    allow_anonymous: bool = False
    """May everybody connect who does not say who they are?  Without ``auth``, those of this machine may."""

    engine: str = "sqlite:"
    """Where messages are kept: ``sqlite:PATH`` is a file that outlives the process, ``stomp.db`` in the
    folder that the broker runs in where there is no PATH; ``memory:`` is in this process, until it ends.
    """

    broker: BrokerSettings = field(default_factory=BrokerSettings)
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    engine_limits: EngineLimits = field(default_factory=EngineLimits)

    access: AccessList = field(default_factory=AccessList)
    """Who may do what: ``[groups]`` and ``[roles.NAME]``."""

    patterns: Patterns = ()
    """Policies of some destinations: what ``[policy."/queue/orders.*"]`` says, the rest is ``[policy]``'s."""

    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where each setting that was given comes from, by its name: the file's, or the option's."""

    def __post_init__(self) -> None:
        if not self.port:
            raise ConfigurationError("port must name at least one place to listen")
        hosts = [host.lower() for host in self.broker.hosts]
        for host, role in self.access.hosts.items():
            if host not in hosts:  # what it denies would be allowed, and nobody would know
                raise ConfigurationError(
                    f"unknown virtual host {host!r} in [roles.{role}]",
                    f"hosts in [broker] are: {', '.join(self.broker.hosts) or 'none'}",
                )

    @property
    def policies(self) -> Policies:
        """The policy of each destination."""
        return Policies(self.policy, self.patterns)


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
            return _written_size(value)
        return json.dumps(value, ensure_ascii=False)  # for these kinds the same as TOML


@cache
def settings() -> Mapping[str, Setting]:
    """Every setting by its name."""
    return {setting.name: setting for setting in _settings(Configuration(), "")}


def read(file: str | None = None, assignments: Iterable[str] = (), **wins: object) -> Configuration:
    """The configuration that this TOML file and these ``NAME=VALUE`` make; what comes later wins.

    Raises ConfigurationError, naming the setting, for what is unknown or has a wrong type or value.
    """
    values = _from_file(file) if file is not None else {}
    sources = dict.fromkeys(values, file or "")
    for assignment in assignments:
        setting, value = _from_assignment(assignment)
        values[setting.name] = value
        sources[setting.name] = "--set"
    sources |= {name: f"--{name.replace('_', '-')}" for name in wins}
    return _configured(values | wins, sources)


def _settings(holder: Any, prefix: str) -> Iterator[Setting]:
    kinds = get_type_hints(type(holder))
    meanings = _meanings(type(holder))
    for one in fields(holder):
        default = getattr(holder, one.name)
        if one.name in _NO_SETTINGS:
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


# -- the file ---------------------------------------------------------------------------------------------


def _from_file(file: str) -> dict[str, object]:
    try:
        with open(file, "rb") as stream:
            tables = tomllib.load(stream)
    except OSError as error:
        raise ConfigurationError(f"can't read {file}: {error.strerror}") from None
    except ValueError as error:  # TOMLDecodeError, and what is not UTF-8
        raise ConfigurationError(f"{file} is not TOML: {error}") from None
    access = access_list(tables.pop("groups", None), tables.pop("roles", None), file)
    known = settings()
    sections = {setting.section for setting in known.values()} - {""}
    given: dict[str, object] = {}
    patterns: dict[str, dict[str, object]] = {}
    for name, value in tables.items():
        if name in sections:
            if not isinstance(value, dict):
                raise ConfigurationError(
                    f"{name} in {file} must be a section, not {_called(value)}",
                    f"write [{name}] on a line of its own, and its settings below",
                )
            for key, one in value.items():
                if isinstance(one, dict) and name == "policy":
                    patterns[key] = one
                else:
                    given[f"{name}.{key}"] = one
        elif isinstance(value, dict) and name not in known:
            guess = _did_you_mean(name, {*sections, "groups", "roles"}, "[{}]")
            raise ConfigurationError(f"unknown section [{name}] in {file}{guess}")
        else:
            given[name] = value
    where = f" in {file}"
    checked = {name: _checked(_known(name, where), value, where) for name, value in given.items()}
    for pattern, table in patterns.items():
        where = f' for "{pattern}" in {file}'
        for key, value in table.items():
            setting = _known(f"policy.{key}", where)
            checked[f"patterns.{pattern}\n{key}"] = _checked(setting, value, where)
    return checked | {"access": access}


def _known(name: str, where: str) -> Setting:
    known = settings()
    if name not in known:
        raise ConfigurationError(f"unknown setting {name}{where}{_did_you_mean(name, known)}")
    return known[name]


def _did_you_mean(name: str, known: Iterable[str], shape: str = "{}") -> str:
    known = list(known)
    key = name.rpartition(".")[2]
    elsewhere = [one for one in known if one.rpartition(".")[2] == key]  # in another section
    close = elsewhere or get_close_matches(name, known, 1, 0.7)
    return f"; did you mean {shape.format(close[0])}?" if close else ""


_WANTED: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    tuple[str, ...]: "a list of strings",
}


def _checked(setting: Setting, value: object, where: str) -> object:
    """The value, if it is of the setting's type: TOML's types are taken as they are, but for sizes."""
    kind = setting.kind
    wanted = _WANTED[kind]
    if setting.is_size:
        wanted += ', or a size like "64 MiB"'
        value = _size(value) if isinstance(value, str) else value
    if kind is float and type(value) is int and abs(value) < 2**53:
        value = float(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = tuple(value)
    right = type(value) is (tuple if kind == tuple[str, ...] else kind)
    if not right or (isinstance(value, float) and not math.isfinite(value)):
        raise ConfigurationError(f"{setting.name}{where} must be {wanted}, not {_called(value)}")
    return value


def _called(value: object) -> str:
    """The value, in an error."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (bool, int, float, list, tuple)):
        return f"{json.dumps(value, default=str):.60}"
    kind = "string" if isinstance(value, str) else type(value).__name__
    return f"the {kind} {json.dumps(value, default=str):.60}"


# -- the command line -------------------------------------------------------------------------------------


def _from_assignment(assignment: str) -> tuple[Setting, object]:
    """``limits.frame=64MiB``: the text is read as the setting's type wants it."""
    name, equals, text = assignment.partition("=")
    if not equals:
        raise ConfigurationError(f"--set {assignment} has no value", "write --set NAME=VALUE")
    setting = _known(name.strip(), " after --set")
    return setting, _checked(setting, _from_text(setting, text.strip()), " after --set")


def _from_text(setting: Setting, text: str) -> object:
    if setting.kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if setting.kind is float:
        return float(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]*)?", text) else text
    if setting.kind is int:
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
    if setting.kind is str:
        return text
    return [part.strip() for part in text.split(",")]


# -- sizes ------------------------------------------------------------------------------------------------

_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _size(text: str) -> int | str:
    """``64 MiB`` as a number; what is no such thing stays as it is."""
    found = re.fullmatch(r"([0-9]{1,12}) ?(KiB|MiB|GiB)", text)
    return int(found[1]) * _UNITS[found[2]] if found else text


def _written_size(octets: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if octets and octets % _UNITS[unit] == 0:
            return f'"{octets // _UNITS[unit]} {unit}"'
    return str(octets)


# -- together ---------------------------------------------------------------------------------------------


def _configured(values: Mapping[str, object], sources: Mapping[str, str]) -> Configuration:
    """The configuration with these values and, for the rest, the defaults."""
    defaults = Configuration()
    own: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for one in fields(Configuration):
        if one.name in _NO_SETTINGS:
            continue
        prefix = f"{one.name}."
        section = {name.removeprefix(prefix): values[name] for name in values if name.startswith(prefix)}
        if section:
            try:
                own[one.name] = replace(getattr(defaults, one.name), **section)
            except ConfigurationError as error:
                raise ConfigurationError(f"in section {one.name}: {error}", error.hint) from None
    default = own.get("policy", defaults.policy)
    return Configuration(**own, patterns=_patterns(values, default), sources=sources)


def _patterns(values: Mapping[str, object], default: Policy) -> Patterns:
    """The policies of destinations, each like the default but for what it says itself."""
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name.startswith("patterns."):
            pattern, _, key = name.removeprefix("patterns.").partition("\n")
            tables.setdefault(pattern, {})[key] = value
    found = []
    for pattern, table in tables.items():
        try:
            compiled(pattern)
            found.append((pattern, replace(default, **table)))
        except ConfigurationError as error:
            raise ConfigurationError(f'in section policy."{pattern}": {error}', error.hint) from None
    return tuple(found)
