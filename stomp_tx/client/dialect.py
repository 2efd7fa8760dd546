"""Dialect: what brokers call differently, by what they say they are.  A broker is a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Dialect(NamedTuple):
    """How one kind of broker wants to be spoken to; the headers are names, or whole headers.

    server -- how its ``server`` header begins
    prefetch -- the headers of SUBSCRIBE that take a number of messages
    dedupe -- the header of SEND by which a message is known when it is sent again; "": it knows none
    durable -- the headers of SUBSCRIBE and UNSUBSCRIBE for a durable subscription; ``{}`` is its name
    subscribes_replies -- who sends a ``reply-to`` of ``/temp-queue/`` is subscribed to it, with its name as
        the id, and can't subscribe
    temporary -- whether it has ``/temp-queue/`` at all
    """

    server: str
    prefetch: tuple[str, ...] = ()
    dedupe: str = ""
    durable: Mapping[str, str] = {}
    subscribes_replies: bool = False
    temporary: bool = True


DIALECTS = (
    Dialect(
        "stomp-tx/",
        prefetch=("prefetch-count",),
        dedupe="message-dedupe-id",
        durable={"durable-subscription": "{}"},
    ),
    Dialect(
        "RabbitMQ/",
        prefetch=("prefetch-count",),
        durable={"durable": "true", "auto-delete": "false"},
        subscribes_replies=True,
    ),
    # Artemis takes activemq.prefetchSize for a number of octets.
    Dialect(
        "ActiveMQ-Artemis/",
        dedupe="_AMQ_DUPL_ID",
        durable={"durable-subscription-name": "{}"},
        temporary=False,
    ),
    Dialect("ActiveMQ/", prefetch=("activemq.prefetchSize",), durable={"activemq.subscriptionName": "{}"}),
)

UNKNOWN = Dialect(
    "",
    prefetch=("prefetch-count", "activemq.prefetchSize"),
    durable={"activemq.subscriptionName": "{}", "durable-subscription-name": "{}"},
)
"""What says nothing of itself, or is none of these: headers that it does not know it ignores."""


def dialect_of(server: str | None) -> Dialect:
    """The dialect of a broker that has this ``server`` header in CONNECTED."""
    for dialect in DIALECTS:
        if server is not None and server.startswith(dialect.server):
            return dialect
    return UNKNOWN
