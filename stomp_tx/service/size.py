"""Sizes, as people write them: ``64 MiB``."""

from __future__ import annotations

import re

_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def size_of(text: str) -> int | str:
    """``64 MiB`` as a number; what is no such thing stays as it is."""
    found = re.fullmatch(r"([0-9]{1,12}) ?(KiB|MiB|GiB)", text)
    return int(found[1]) * _UNITS[found[2]] if found else text


def written_size(octets: int) -> str:
    """A number of octets as TOML writes it: a number, or a size in quotes where it is a whole one."""
    for unit in ("GiB", "MiB", "KiB"):
        if octets and octets % _UNITS[unit] == 0:
            return f'"{octets // _UNITS[unit]} {unit}"'
    return str(octets)
