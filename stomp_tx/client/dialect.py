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
    wants_client_id -- without CONNECT's ``client-id`` it makes a durable subscription that nobody finds again
    subscribes_replies -- who sends a ``reply-to`` of ``/temp-queue/`` is subscribed to it, with its name as
        the id, and can't subscribe
    temporary -- whether it has ``/temp-queue/`` at all
    forgets_unused -- a durable subscription can't be forgotten while it is in use: it is ended before
    keeps_unsettled -- what was not acknowledged when a subscription ends stays with the connection, and goes
        to others when that ends: it is given back before
    late -- how an ERROR begins that is about a message for a subscription that has ended; the connection
        goes on, and the subscription's id is the group in it
    silence -- so many of the agreed intervals may lie between two of its heart-beats
    """

    server: str
    prefetch: tuple[str, ...] = ()
    dedupe: str = ""
    durable: Mapping[str, str] = {}
    wants_client_id: bool = False
    subscribes_replies: bool = False
    temporary: bool = True
    forgets_unused: bool = False
    keeps_unsettled: bool = False
    late: str = ""
    silence: float = 1.0


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
        durable={"durable": "true", "auto-delete": "false"},  # its name is the subscription's id
        subscribes_replies=True,
        keeps_unsettled=True,
        late=r"There is no current subscription with tag 'T_(.*)'",
    ),
    # Artemis takes activemq.prefetchSize for a number of octets.
    Dialect(
        "ActiveMQ-Artemis/",
        dedupe="_AMQ_DUPL_ID",
        durable={"durable-subscription-name": "{}"},
        temporary=False,
    ),
    # It looks once in an interval whether it has said something since it looked last, and beats if not.
    Dialect(
        "ActiveMQ/",
        prefetch=("activemq.prefetchSize",),
        durable={"activemq.subscriptionName": "{}"},
        wants_client_id=True,
        forgets_unused=True,
        silence=2.0,
    ),
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
