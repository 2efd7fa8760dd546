"""Headers of a MESSAGE that the broker writes, or reads wherever they stand."""

from __future__ import annotations

OWNED = frozenset(
    {
        "destination",
        "message-id",
        "subscription",
        "ack",
        "redelivered",
        "redelivery-count",
        "content-length",
        "receipt",
        "receipt-id",
        "transaction",
    }
)
"""Headers of a MESSAGE that are the broker's alone: what a producer wrote there is not passed on."""

REASON = "dead-letter-reason"
"""The header that makes a message a dead letter: it is never made one again."""

TIMES = ("expires", "ttl", "expiration")
"""The headers that say how long a message lives; the first of them counts."""
