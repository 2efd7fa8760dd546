"""Demand: how many messages a queue asks its engine for."""

from __future__ import annotations

from stomp_tx.interfaces import IClaim

HELD = 10_000
"""Messages that one queue holds back at a time, refused ones and those of groups; others wait behind them."""


class Demand:
    """As many as its consumers have credit together, and another one for each that is held back meanwhile.

    held -- how many are
    """

    __slots__ = ("_claim", "_overdrawn", "held")

    def __init__(self, claim: IClaim) -> None:
        self._claim = claim
        self._overdrawn = 0  # of those that are held, the ones for which no other was asked
        self.held = 0

    def hold(self) -> None:
        """One that has come is held back: nobody's credit was used for it."""
        self.held += 1
        if self.held > HELD:
            self._overdrawn += 1
        else:
            self._claim.request(1)

    def release(self, count: int, used: int = 0) -> None:
        """So many are held no more; ``used``: credit that was used for them, and had been asked for."""
        self.held -= count
        if self._overdrawn:
            due = min(self._overdrawn, count)
            self._overdrawn -= due
            used -= due
        if used:
            self._claim.request(-used)
