"""Roles and groups, as a TOML file has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

from stomp_tx.auth.acl import AccessList, Role
from stomp_tx.errors import ConfigurationError

EXAMPLE = """\
# Who may do what.  While nothing is said of roles, everybody who is let in may do everything.

#[groups]
#office = ["ann", "bob"]

#[roles.clerk]
#users = ["carol"]
#groups = ["office"]
#allow = ["send,subscribe,create /queue/orders.>", "all /queue/notes.{user}"]
#deny = ["send /queue/orders.audit"]
"""

_KEYS = tuple(one.name for one in fields(Role) if one.name != "name")


def access_list(groups: object, roles: object, file: str) -> AccessList:
    """What ``[groups]`` and ``[roles.NAME]`` of this file say; None: nothing.  Raises ConfigurationError.

    A ``[roles]`` without any role lets nobody do anything.
    """
    closed = roles is not None
    groups, roles = {} if groups is None else groups, {} if roles is None else roles
    members = _table(groups, f"groups in {file}", 'write [groups] and NAME = ["ann", "bob"] below')
    found = []
    for name, table in _table(roles, f"roles in {file}", "write [roles.NAME] for each of them").items():
        where = f"in [roles.{name}] of {file}"
        given = _table(table, f"roles.{name} in {file}", f"write [roles.{name}] on a line of its own")
        for key in given:
            if key not in _KEYS:
                raise ConfigurationError(f"unknown setting {key} {where}", f"a role has {', '.join(_KEYS)}")
        texts = {key: _strings(value, f"{key} {where}") for key, value in given.items()}
        try:
            role = Role(name, **texts)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}", error.hint) from None
        for group in role.groups:
            if not group:
                raise ConfigurationError(f"a group {where} has no name")
        found.append(role)
    return AccessList(
        tuple(found),
        {name: _strings(some, f"{name} in [groups] of {file}") for name, some in members.items()},
        closed,
    )


def written_access(access: AccessList) -> str:
    """The lines of a TOML file that make it; an example in comments where it says nothing."""
    if access.is_open and not access.groups:
        return EXAMPLE
    lines = ["# Who may do what.", ""]
    if access.closed and not access.roles:
        lines += ["[roles]", ""]
    if access.groups:
        lines += ["[groups]", *(f"{_text(name)} = {_list(some)}" for name, some in access.groups.items()), ""]
    for role in access.roles:
        lines += [f"[roles.{_text(role.name)}]"]
        lines += [f"{key} = {_list(getattr(role, key))}" for key in _KEYS if getattr(role, key)]
        lines += [""]
    return "\n".join(lines)


def _table(value: object, what: str, advice: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{what} must be a section", advice)
    return value


def _strings(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigurationError(f"{what} must be a list of strings")
    return tuple(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
