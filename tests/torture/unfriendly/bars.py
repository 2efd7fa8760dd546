"""Bars: what is measured of a case, and whether it is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stomp_tx.broker.settings import BrokerSettings
from tests.torture.unfriendly.settings import MEMORY

WAIT = 0.25
"""Seconds that the innocent may wait, on a quiet machine with two processors."""

RESIDENT = MEMORY + MEMORY // 4
"""Octets of memory of the broker."""

STOP = BrokerSettings().stop_timeout + 2
"""Seconds from SIGTERM to the end: its time-out, and what an interpreter takes to end."""


@dataclass
class Claim:
    """Something that must be so, in a word or two, and what was found."""

    name: str
    holds: bool
    found: str


@dataclass
class Measured:
    """Of one case under one kind of settings.

    Seconds: idle, wait, stored (the worst waits: before the load; during it; for a RECEIPT of what is kept),
    stop (None: it did not end).  Octets: start, peak, end.

    holds_others -- the innocent may wait
    ended -- why the load ended before it was done; empty: it was done
    open -- why its bars are known to be missed; empty: they are to be reached
    """

    case: str
    settings: str
    seed: int
    open: str = ""
    idle: float = 0.0
    wait: float = 0.0
    stored: float = 0.0
    start: int = 0
    peak: int = 0
    end: int = 0
    stop: float | None = None
    ended: str = ""
    holds_others: bool = False
    claims: list[Claim] = field(default_factory=list)

    def missed(self) -> list[str]:
        """The bars that are."""
        found = []
        if self.wait > WAIT and not self.holds_others:
            found.append("wait")
        if self.stored > WAIT and not self.holds_others:
            found.append("stored wait")
        if self.peak > RESIDENT:
            found.append("memory")
        if self.stop is None or self.stop > STOP:
            found.append("stop")
        return found + [claim.name for claim in self.claims if not claim.holds]

    @property
    def verdict(self) -> str:
        missed = self.missed()
        if not missed:
            return "pass (marked open)" if self.open else "pass"
        return f"{'open' if self.open else 'FAIL'}: {', '.join(missed)}"

    @property
    def counts(self) -> bool:
        """Does it make the verdict of all a bad one?"""
        return bool(self.missed()) and not self.open

    def lines(self) -> list[str]:
        stop = "no end" if self.stop is None else f"{self.stop:.1f} s"
        bar = "no bar: the limit is for all" if self.holds_others else f"bar {WAIT} s"
        return [
            f"  worst wait      {self.wait:8.3f} s    {bar} (before the load {self.idle:.3f} s)",
            f"  worst RECEIPT   {self.stored:8.3f} s    {bar}",
            f"  memory          {_mib(self.start)}, at most {_mib(self.peak)}, then {_mib(self.end)}"
            f" MiB    bar {_mib(RESIDENT)} MiB",
            f"  SIGTERM to end  {stop:>10}    bar {STOP:.0f} s",
            *(f"  {claim.name}: {claim.found}{'' if claim.holds else '    MISSED'}" for claim in self.claims),
            *([f"  the load ended early: {self.ended}"] if self.ended else []),
            f"  {self.verdict}" + (f" ({self.open})" if self.open else ""),
        ]


def table(found: Sequence[Measured]) -> str:
    """A line for each."""
    lines = [
        f"{'case':18}{'settings':10}{'idle':>7}{'wait':>8}{'stored':>8}  "
        f"{'start':>6}{'peak':>6}{'end':>6} MiB{'stop':>8}  verdict",
    ]
    for one in found:
        stop = "never" if one.stop is None else f"{one.stop:.1f}"
        lines.append(
            f"{one.case:18}{one.settings:10}{one.idle:7.3f}{one.wait:8.2f}{one.stored:8.2f}  "
            f"{_mib(one.start):>6}{_mib(one.peak):>6}{_mib(one.end):>6}    {stop:>8}  {one.verdict}"
        )
    return "\n".join(lines)


def _mib(octets: int) -> str:
    return str(octets >> 20)
