"""The listing of all settings: a TOML file that makes a configuration, and tells where each value is from."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from stomp_tx.auth.roles_file import written_access
from stomp_tx.broker.dialects import DIALECTS
from stomp_tx.printable import printable
from stomp_tx.service.configuration import Configuration
from stomp_tx.service.setting import Setting, settings


def written(configuration: Configuration) -> str:
    """A TOML file that makes this configuration, with the meaning of each setting, and where it is set.

    What nobody has set is a comment, so that a later version's better default is not held back.
    """
    lines = []
    section = ""
    for setting in settings().values():
        if setting.section != section:
            section = setting.section
            lines += [f"[{section}]", ""]
        lines += textwrap.wrap(setting.meaning, 100, initial_indent="# ", subsequent_indent="# ")
        lines += [*_at_ports(configuration, setting), _line(configuration, setting), ""]
    lines += ["# Destinations may have settings of [policy] of their own, in a section for each pattern.", ""]
    if not configuration.patterns:
        lines += ['#[policy."/queue/orders.*"]', "#attempts = 3", ""]
    for pattern, policy in configuration.patterns:
        lines += [f"[policy.{json.dumps(pattern, ensure_ascii=False)}]"]
        for setting in settings().values():
            value = getattr(policy, setting.key) if setting.section == "policy" else None
            if setting.section == "policy" and value != getattr(configuration.policy, setting.key):
                source = configuration.sources.get(f"patterns.{pattern}\n{setting.key}")
                lines += [f"{setting.key} = {setting.written(value)}{_from(source)}"]
        lines += [""]
    return "\n".join([*lines, written_access(configuration.access)])


def _line(configuration: Configuration, setting: Setting) -> str:
    """The line that sets it, with its source; a comment where nobody has set it."""
    value = _value(configuration, setting)
    source = configuration.sources.get(setting.name)
    is_set = source is not None or value not in (None, setting.default)
    if value is None:
        dialect = configuration.broker.dialect
        value = getattr(DIALECTS[dialect], setting.key)
        source = "default" if value == setting.default else f"dialect {dialect}"
    elif not is_set:
        source = "default"
    return f"{'' if is_set else '#'}{setting.key} = {setting.written(value)}{_from(source)}"


def _value(configuration: Configuration, setting: Setting) -> object:
    return getattr(getattr(configuration, setting.section) if setting.section else configuration, setting.key)


def _from(source: str | None) -> str:
    return "" if source is None else f"  # {printable(source)}"


def _at_ports(configuration: Configuration, setting: Setting) -> Iterator[str]:
    """What it is at ports with a dialect of their own, where that is something else."""
    if _value(configuration, setting) is not None:
        return
    usual = getattr(DIALECTS[configuration.broker.dialect], setting.key)
    for port in configuration.port:
        dialect = DIALECTS.get(port.partition(":")[0])
        if dialect is not None and getattr(dialect, setting.key) != usual:
            yield f"# At port {printable(port)}: {setting.written(getattr(dialect, setting.key))}"
