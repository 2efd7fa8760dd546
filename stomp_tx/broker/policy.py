"""Rules that are pure arithmetic: how long, how many."""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ProtocolViolation

_PREFETCH_HEADERS = ("prefetch-count", "activemq.prefetchSize")


def prefetch(headers: Mapping[str, str], settings: BrokerSettings) -> int:
    """How many messages a subscription may hold unacknowledged, by SUBSCRIBE's headers.

    ``prefetch-count`` as RabbitMQ has it, ``activemq.prefetchSize`` as ActiveMQ has it; the first of them
    counts.  0 means the most there is.  Raises ProtocolViolation for what is no number.
    """
    for name in _PREFETCH_HEADERS:
        text = headers.get(name)
        if text is not None:
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                raise ProtocolViolation(f"malformed {name} header", f"{text[:40]!a} is no number of messages")
            return min(int(text) or settings.prefetch_max, settings.prefetch_max)
    return settings.prefetch


def nack_delay(attempts: int, settings: BrokerSettings) -> float:
    """Seconds before a message goes again to a consumer that refused it, after so many attempts."""
    doublings = min(max(attempts - 1, 0), 30)
    return min(settings.nack_delay * 2.0**doublings, settings.nack_delay_max)
