"""The settings in a TOML file, by their names."""

from __future__ import annotations

import sys

from stomp_tx.auth.roles_file import access_list
from stomp_tx.errors import ConfigurationError
from stomp_tx.service.setting import called, did_you_mean, setting_named, settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def values_in(file: str) -> dict[str, object]:
    """What the file sets.  ``patterns.PATTERN\\nNAME`` is of a policy for some destinations.

    Raises ConfigurationError, which names what is wrong and where.
    """
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
                    f"{name} in {file} must be a section, not {called(value)}",
                    f"write [{name}] on a line of its own, and its settings below",
                )
            for key, one in value.items():
                if isinstance(one, dict) and name == "policy":
                    patterns[key] = one
                else:
                    given[f"{name}.{key}"] = one
        elif isinstance(value, dict) and name not in known:
            guess = did_you_mean(name, {*sections, "groups", "roles"}, "[{}]")
            raise ConfigurationError(f"unknown section [{name}] in {file}{guess}")
        else:
            given[name] = value
    where = f" in {file}"
    checked = {name: setting_named(name, where).checked(value, where) for name, value in given.items()}
    for pattern, table in patterns.items():
        where = f' for "{pattern}" in {file}'
        for key, value in table.items():
            setting = setting_named(f"policy.{key}", where)
            checked[f"patterns.{pattern}\n{key}"] = setting.checked(value, where)
    return checked | {"access": access}
