"""The dialects: what differs where the other brokers' clients mean different things by the same words."""

from __future__ import annotations

from typing import NamedTuple

from stomp_tx import __version__
from stomp_tx.errors import ProtocolViolation

US = f"stomp-tx/{__version__}"
"""How CONNECTED's ``server`` names this broker: where it names another one first, as a comment."""


class Dialect(NamedTuple):
    """How one connection's frames are understood, and what is added to what it sends and gets.

    persistent_subscribes -- ``persistent:true`` on SUBSCRIBE to a topic makes a durable subscription
    replies_subscribe -- a ``reply-to`` with a temporary queue subscribes its sender to that queue
    prefetch_in_octets -- ``activemq.prefetchSize`` counts octets, not messages
    tells_redelivered -- each MESSAGE says ``redelivered``, also that it is not
    stamps -- headers that each message it sends gets where it has none: the time, and what it asked for
    nacks_in_1_0 -- there is NACK in 1.0 as well
    acks_by_message_id -- ACK and NACK of 1.1 may leave their ``subscription`` out, as in 1.0
    makes_ids -- a SUBSCRIBE of 1.1 or 1.2 without ``id`` has one: see ``made_id``
    has_escaped_slashes -- names of queues and topics have no slashes: ``%2F`` stands for one
    refused_on_send -- headers that a SEND may not have
    bare_durables -- a durable subscription to a name without a prefix is to a topic, and where there is one
        all mean that topic by that name: unless ``unprefixed`` is set
    receipts_at_commit -- a SEND in a transaction is receipted when that is committed, and else never

    The others are what the settings of the same name are where nobody has set them.
    """

    name: str
    persistent_subscribes: bool = True
    replies_subscribe: bool = True
    prefetch_in_octets: bool = False
    tells_redelivered: bool = False
    stamps: tuple[tuple[str, str], ...] = ()
    nacks_in_1_0: bool = False
    acks_by_message_id: bool = False
    makes_ids: bool = False
    has_escaped_slashes: bool = False
    refused_on_send: frozenset[str] = frozenset()
    bare_durables: bool = False
    receipts_at_commit: bool = False
    server: str = US
    unprefixed: str = "queue"
    unknown_host: str = "default"
    nack: str = "redeliver"
    dead_letter: str = "/queue/DLQ.*"


NOW = "now"
"""Stands in ``stamps`` for the milliseconds since 1970."""

_JMS = (("timestamp", NOW), ("priority", "4"), ("expires", "0"))

AUTO: Dialect = Dialect("auto")
"""Understands all of them; where they collide, as the others' most usual clients expect."""

DIALECTS = {
    one.name: one
    for one in (
        AUTO,
        Dialect(
            "activemq",
            server=f"ActiveMQ/5.17.2 {US}",
            persistent_subscribes=False,
            replies_subscribe=False,
            bare_durables=True,
            stamps=_JMS,
            nack="dead-letter",
            dead_letter="/queue/ActiveMQ.DLQ",
        ),
        Dialect(
            "artemis",
            server=f"ActiveMQ-Artemis/2.44.0 ActiveMQ Artemis Messaging Engine {US}",
            persistent_subscribes=False,
            replies_subscribe=False,
            bare_durables=True,
            prefetch_in_octets=True,
            tells_redelivered=True,
            stamps=(*_JMS, ("persistent", "false")),
            nack="dead-letter",
            dead_letter="/queue/DLQ",
        ),
        Dialect(
            "rabbitmq",
            server=f"RabbitMQ/3.10.8 {US}",
            tells_redelivered=True,
            nacks_in_1_0=True,
            acks_by_message_id=True,
            makes_ids=True,
            has_escaped_slashes=True,
            refused_on_send=frozenset({"message-id"}),
            receipts_at_commit=True,
            unprefixed="refuse",
            unknown_host="refuse",
        ),
    )
}


def dialect_named(name: str) -> Dialect:
    """The dialect of this name.  Raises ProtocolViolation."""
    found = DIALECTS.get(name)
    if found is None:
        raise ProtocolViolation("unknown dialect", f"{name[:40]!a} is none of {', '.join(DIALECTS)}")
    return found


def made_id(destination: str) -> str:
    """The id of a subscription whose client gave it none: what RabbitMQ itself calls it."""
    return f"Q_{destination}"
