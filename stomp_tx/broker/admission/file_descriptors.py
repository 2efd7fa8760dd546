"""Descriptors: how many connections there can be, by the files that the process may have open."""

from __future__ import annotations

from dataclasses import replace

from stomp_tx.broker.admission.connection_limits import TURNED_AWAY
from stomp_tx.broker.settings import BrokerSettings

OWN = 48
"""Descriptors at least for the broker's own files: the log, the engine's file, ports, the reactor."""

ENDLESS = 1_000_000
"""Descriptors that are counted on where the system names no bound."""


def descriptors() -> int:
    """How many this process may have."""
    try:
        import resource
    except ImportError:  # Windows, which bounds handles otherwise
        return ENDLESS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENDLESS if soft == resource.RLIM_INFINITY else soft


def fitted(settings: BrokerSettings, files: int) -> BrokerSettings:
    """The settings, with limits on connections for which so many descriptors suffice.

    One address never has all connections, and those that have not logged in never are all: else whoever
    holds them keeps everybody else outside.
    """
    room = max(files // 2, files - max(OWN, files // 16) - TURNED_AWAY)
    connections = _at_most(room, settings.connections)
    strangers = _at_most(connections // 2, settings.strangers)
    return replace(
        settings,
        connections=connections,
        connections_per_address=_at_most(connections * 3 // 4, settings.connections_per_address),
        strangers=strangers,
        strangers_per_address=_at_most(strangers // 4, settings.strangers_per_address),
    )


def _at_most(bound: int, wanted: int) -> int:
    """What is wanted (0: any number), and no more than the bound."""
    return max(1, min(wanted or bound, bound))
