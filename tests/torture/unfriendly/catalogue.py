"""Catalogue: all cases, and those whose bars are known to be missed."""

from __future__ import annotations

from tests.torture.unfriendly import (
    durables,
    full,
    mix,
    one_shots,
    patterns,
    scheduled,
    selectors,
    subscribers,
    unacknowledged,
    workers,
)
from tests.torture.unfriendly.case import Case

CASES: tuple[type[Case], ...] = (
    one_shots.Length,
    one_shots.Total,
    one_shots.Memory,
    workers.Total,
    workers.Stored,
    workers.Transactions,
    durables.Durables,
    subscribers.NoAcks,
    subscribers.ManySubscriptions,
    scheduled.Browse,
    scheduled.Store,
    scheduled.Length,
    scheduled.Repeats,
    full.Transactions,
    full.Queues,
    subscribers.Deaf,
    unacknowledged.Holding,
    unacknowledged.Leaving,
    selectors.Selectors,
    patterns.Patterns,
    mix.Mix,
)

ACCOUNT = "one account of memory, asked before a message is kept"
OVERDRAFT = "an overdraft for who holds what it will ACK"
BODY = "one body, many references"
SLICES = "turns bounded in time"
DUE = "bounds asked again when a message is due"
TURNS = "queues of a pattern that wait their turn"

OPEN: dict[tuple[str, str], str] = {
    ("1-memory", "defaults"): ACCOUNT,
    ("1-memory", "internet"): ACCOUNT,
    ("2-total", "internet"): OVERDRAFT,
    ("2-stored", "defaults"): OVERDRAFT,
    ("2-stored", "internet"): OVERDRAFT,
    ("2-transactions", "internet"): OVERDRAFT,
    ("3", "defaults"): BODY,
    ("3", "internet"): BODY,
    ("4a", "defaults"): ACCOUNT,
    ("4a", "internet"): ACCOUNT,
    ("4b", "defaults"): SLICES,
    ("4b", "internet"): SLICES,
    ("4c", "defaults"): SLICES,
    ("4d-length", "defaults"): DUE,
    ("4d-length", "internet"): DUE,
    ("4d-repeats", "defaults"): DUE,
    ("4d-repeats", "internet"): DUE,
    ("4e-transactions", "internet"): ACCOUNT,
    ("4e-queues", "defaults"): ACCOUNT,
    ("4e-queues", "internet"): ACCOUNT,
    ("4e-readers", "defaults"): ACCOUNT,
    ("4f-holding", "defaults"): SLICES,
    ("4f-holding", "internet"): SLICES,
    ("4f-leaving", "defaults"): SLICES,
    ("4f-leaving", "internet"): SLICES,
    ("4f-selectors", "defaults"): SLICES,
    ("4f-selectors", "internet"): SLICES,
    ("4g", "defaults"): TURNS,
    ("4g", "internet"): TURNS,
    ("mix", "defaults"): SLICES,
    ("mix", "internet"): SLICES,
}
"""What has to be built before a case can pass, by case and settings: take a line out when it does."""


def named(names: list[str]) -> list[type[Case]]:
    """Those of these names, or whose names begin so (``4e`` for ``4e-queues``).  Raises KeyError."""
    found = [
        case for case in CASES if any(case.name == one or case.name.startswith(f"{one}-") for one in names)
    ]
    for one in names:
        if not any(case.name == one or case.name.startswith(f"{one}-") for case in found):
            raise KeyError(one)
    return found


def why_open(case: str, settings: str) -> str:
    """Empty: it is expected to pass."""
    return OPEN.get((case, settings), "")
