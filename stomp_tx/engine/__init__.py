"""Engines keep messages.  ``engineFromString`` makes one from its description."""

from __future__ import annotations

from stomp_tx.engine.memory import EngineLimits, MemoryEngine
from stomp_tx.errors import ConfigurationError
from stomp_tx.interfaces import IEngine


def engineFromString(description: str, limits: EngineLimits | None = None) -> IEngine:
    """The engine that a description like ``memory:`` names.  Raises ConfigurationError for an unknown one."""
    name, _, rest = description.partition(":")
    if name != "memory":
        raise ConfigurationError(f"unknown engine {description!r}", "the engines are: memory:")
    if rest:
        raise ConfigurationError(f"the memory engine takes no arguments: {description!r}", "write memory:")
    return MemoryEngine(limits)
