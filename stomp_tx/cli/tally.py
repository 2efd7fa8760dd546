"""Tally: how many messages went out, for who interrupts a command that sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stomp_tx.cli.text import count

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class Tally:
    """Messages that were sent and, where there are receipts, those that the broker has receipted.

    total -- how many they would be in the end; None: nobody knows
    """

    def __init__(self, total: int | None, has_receipts: bool) -> None:
        self.total = total
        self.sent = 0
        self.receipted = 0
        self._has_receipts = has_receipts

    def add(self, sending: Deferred[None]) -> None:
        """One more is on its way; this fires when it is sent, or receipted."""
        self.sent += 1
        if self._has_receipts:
            sending.addCallback(self._receipted)

    def _receipted(self, result: None) -> None:
        self.receipted += 1

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        told = f"sent {count(self.sent, 'message')}{of}"
        return f"{told}, the broker has receipted {self.receipted:,}" if self._has_receipts else told
