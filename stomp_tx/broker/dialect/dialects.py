"""The dialects: what differs where the other brokers' clients mean different things by the same words."""

from __future__ import annotations

from typing import NamedTuple

from stomp_tx.errors import ProtocolViolation


class Dialect(NamedTuple):
    """How one connection's frames are understood, and what is added to what it sends and gets.

    persistent_subscribes -- ``persistent:true`` on SUBSCRIBE to a topic makes a durable subscription
    replies_subscribe -- a ``reply-to`` with a temporary queue subscribes its sender to that queue
    prefetch_in_octets -- ``activemq.prefetchSize`` counts octets, not messages
    tells_redelivered -- each MESSAGE says ``redelivered``, also that it is not
    stamps -- headers that each message it sends gets where it has none: the time, and what it asked for
    """

    name: str
    persistent_subscribes: bool = True
    replies_subscribe: bool = True
    prefetch_in_octets: bool = False
    tells_redelivered: bool = False
    stamps: tuple[tuple[str, str], ...] = ()


NOW = "now"
"""Stands in ``stamps`` for the milliseconds since 1970."""

_JMS = (("timestamp", NOW), ("priority", "4"), ("expires", "0"))

AUTO = Dialect("auto")
"""Understands all of them; where they collide, as the others' most usual clients expect."""

DIALECTS = {
    one.name: one
    for one in (
        AUTO,
        Dialect("activemq", persistent_subscribes=False, replies_subscribe=False, stamps=_JMS),
        Dialect(
            "artemis",
            persistent_subscribes=False,
            replies_subscribe=False,
            prefetch_in_octets=True,
            tells_redelivered=True,
            stamps=(*_JMS, ("persistent", "false")),
        ),
        Dialect("rabbitmq", tells_redelivered=True),
    )
}


def dialect_named(name: str) -> Dialect:
    """The dialect of this name.  Raises ProtocolViolation."""
    found = DIALECTS.get(name)
    if found is None:
        raise ProtocolViolation("unknown dialect", f"{name[:40]!a} is none of {', '.join(DIALECTS)}")
    return found
