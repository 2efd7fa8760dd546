"""Available memory: how much of it the process may have, by the machine and by its control group."""

from __future__ import annotations

import os
from functools import cache

PART = 0.4
"""Of the memory there is, what messages may take where nobody has said how much."""

LEAST = 256 * 1024 * 1024
"""The same in octets, at least."""

UNKNOWN = 2 * 1024 * 1024 * 1024
"""Octets that are counted on where the system does not say."""


@cache
def default_memory(root: str = "/") -> int:
    """Octets for messages, where nobody has said how many: whole MiB."""
    return max(LEAST, int(PART * available_memory(root)) >> 20 << 20)


def available_memory(root: str = "/") -> int:
    """Octets of the machine, or as many as the control group of this process may have, if those are fewer.

    root -- where the system's files are
    """
    return min([_physical(), *_limits(root)])


def _physical() -> int:
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return UNKNOWN
    return found if found > 0 else UNKNOWN


def _limits(root: str) -> list[int]:
    """Of the control groups that the process is in, and of those around them."""
    found = []
    for line in _read(root, "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            folder, name = "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        # A container may see its own group as the root, whatever its path outside is.
        for count in range(len(parts), -1, -1):
            said = _read(root, os.path.join(folder, *parts[:count], name)).strip()
            if said.isascii() and said.isdigit():
                found.append(int(said))
    return found


def _read(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
