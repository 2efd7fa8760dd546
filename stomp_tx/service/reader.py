"""The configuration that a TOML file and ``--set NAME=VALUE`` make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from stomp_tx.broker.policy import Policy, compiled
from stomp_tx.errors import ConfigurationError
from stomp_tx.service.configuration import NO_SETTINGS, Configuration, Patterns
from stomp_tx.service.setting import Setting, setting_named
from stomp_tx.service.toml_file import values_in


def read(file: str | None = None, assignments: Iterable[str] = (), **wins: object) -> Configuration:
    """The configuration that this TOML file and these ``NAME=VALUE`` make; what comes later wins.

    Raises ConfigurationError, naming the setting, for what is unknown or has a wrong type or value.
    """
    values = values_in(file) if file is not None else {}
    sources = dict.fromkeys(values, file or "")
    for assignment in assignments:
        setting, value = _from_assignment(assignment)
        values[setting.name] = value
        sources[setting.name] = "--set"
    sources |= {name: f"--{name.replace('_', '-')}" for name in wins}
    return _configured(values | wins, sources)


def _from_assignment(assignment: str) -> tuple[Setting, object]:
    """``limits.frame=64MiB``: the text is read as the setting's type wants it."""
    name, equals, text = assignment.partition("=")
    if not equals:
        raise ConfigurationError(f"--set {assignment} has no value", "write --set NAME=VALUE")
    setting = setting_named(name.strip(), " after --set")
    return setting, setting.checked(setting.from_text(text.strip()), " after --set")


def _configured(values: Mapping[str, object], sources: Mapping[str, str]) -> Configuration:
    """The configuration with these values and, for the rest, the defaults."""
    defaults = Configuration()
    own: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for one in fields(Configuration):
        if one.name in NO_SETTINGS:
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
