"""From the name that a client uses to the address inside the broker."""

from __future__ import annotations

import re

from stomp_tx.address import QUEUE, TOPIC
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ProtocolViolation

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Names:
    """What the names that one session uses stand for."""

    __slots__ = ("_settings",)

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings

    def address_of(self, destination: str | None) -> str:
        """The address of a destination: "/queue/a" or "/topic/a".  Raises ProtocolViolation.

        ``None`` is a frame without the header, which is REQUIRED (STOMP 1.2, "SEND" and "SUBSCRIBE").
        """
        settings = self._settings
        if not destination:
            raise ProtocolViolation(
                "destination header missing",
                "SEND and SUBSCRIBE name their destination, as in destination:/queue/a",
            )
        if len(destination) > settings.name_length:
            raise ProtocolViolation(
                "destination too long", f"a destination may have {settings.name_length} characters"
            )
        if _CONTROL.search(destination) is not None:
            raise ProtocolViolation("control characters in a destination", f"in {destination[:60]!a}")
        for prefix in (QUEUE, TOPIC):
            if destination.startswith(prefix):
                if destination == prefix:
                    raise ProtocolViolation("destination has no name", f"{prefix}NAME is a destination")
                return destination
        if settings.unprefixed == "refuse":
            raise ProtocolViolation(
                "unknown destination", f"{destination[:60]!a} begins with neither {QUEUE} nor {TOPIC}"
            )
        return (QUEUE if settings.unprefixed == "queue" else TOPIC) + destination
