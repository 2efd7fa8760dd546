"""Engines keep messages.  ``engineFromString`` makes one from its description."""

from __future__ import annotations

from typing import Any

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.errors import ConfigurationError
from stomp_tx.interfaces import IEngine

__all__ = ["engineFromString"]

FILE = "stomp.db"
"""Where ``sqlite:`` alone keeps its messages: in the folder that the process runs in."""


def engineFromString(description: str, reactor: Any, limits: EngineLimits | None = None) -> IEngine:
    """The engine that a description names: ``memory:``, ``sqlite:PATH``, or ``sqlite:`` for the usual path.

    Raises ConfigurationError for any other.
    """
    name, colon, rest = description.partition(":")
    if not colon or name not in ("memory", "sqlite"):
        raise ConfigurationError(f"unknown engine {description!r}", "the engines are: sqlite:PATH, memory:")
    if name == "memory":
        if rest:
            raise ConfigurationError(f"memory: takes no arguments: {description!r}", "write memory:")
        return MemoryEngine(limits)
    if "\0" in rest:
        raise ConfigurationError(f"no file can have the name {rest!r}", "leave out the NUL")
    from stomp_tx.clock import MonotonicClock
    from stomp_tx.engine.sqlite.engine import SQLiteEngine
    from stomp_tx.engine.sqlite.writer import WriterThread

    return SQLiteEngine(rest or FILE, MonotonicClock(reactor), WriterThread(reactor), limits)
