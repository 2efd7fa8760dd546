"""Faults: what a network does to a connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Faults:
    """What goes wrong on one connection.  Octets are counted from its beginning, CONNECT among them."""

    delay: float = 0.0
    """Seconds that octets take, each way."""

    cut_after_sent: int | None = None
    """The connection is lost when so many octets of the client have reached the broker; the rest are gone."""

    cut_after_received: int | None = None
    """The same for octets of the broker that have reached the client."""

    drop_after_sent: int | None = None
    """From then on the client's octets go nowhere, and nobody is told: a cable was pulled."""

    drop_after_received: int | None = None
    """The same for the broker's octets."""


NONE = Faults()
