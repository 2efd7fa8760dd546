"""SUBSCRIBE and UNSUBSCRIBE: what a subscription is to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from stomp_tx.address import BOUND, TOPIC
from stomp_tx.broker.dialect.values import is_true, number
from stomp_tx.broker.policy import Policy, Redelivery
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ProtocolViolation

_PREFETCH = ("prefetch-count", "activemq.prefetchSize")
_DURABLE = (
    "durable-subscription",
    "durable-subscription-name",
    "durable-subscriber-name",
    "activemq.subscriptionName",
)


def prefetch(headers: Mapping[str, str], settings: BrokerSettings) -> int:
    """How many messages a subscription may hold unacknowledged, by SUBSCRIBE's headers.

    ``prefetch-count`` as RabbitMQ has it, ``activemq.prefetchSize`` as ActiveMQ has it; the first of them
    counts.  0 means the most there is.  Raises ProtocolViolation for what is no number.
    """
    for name in _PREFETCH:
        count = number(headers, name)
        if count is not None:
            return min(count or settings.prefetch_max, settings.prefetch_max)
    return settings.prefetch


def redelivery_of(headers: Mapping[str, str], policy: Policy) -> Redelivery:
    """How a subscription wants refused messages back: within the bounds of its destination's policy.

    ``redelivery-attempts``, ``redelivery-multiplier``, and in milliseconds ``redelivery-delay`` and
    ``redelivery-delay-max``.  Raises ProtocolViolation for what is no number.
    """
    bounds = policy.redelivery
    attempts = number(headers, "redelivery-attempts")
    delay = number(headers, "redelivery-delay")
    multiplier = number(headers, "redelivery-multiplier")
    delay_max = number(headers, "redelivery-delay-max")
    if attempts is None and delay is None and multiplier is None and delay_max is None:
        return bounds
    if attempts is None:
        attempts = bounds.attempts
    elif bounds.attempts:
        attempts = min(attempts or bounds.attempts, bounds.attempts)
    longest = bounds.delay_max if delay_max is None else min(delay_max / 1000, bounds.delay_max)
    first = bounds.delay if delay is None else delay / 1000
    return Redelivery(
        attempts,
        min(first, longest),
        bounds.multiplier if multiplier is None else float(min(max(multiplier, 1), 100)),
        longest,
        bounds.same_delay,
    )


class Durable(NamedTuple):
    """A subscription that outlives its connection: the queue where its messages wait, and its name."""

    queue: str
    name: str


def durable_of(
    headers: Mapping[str, str], address: str | None, subscription_id: str | None, client_id: str | None
) -> Durable | None:
    """The durable subscription that SUBSCRIBE or UNSUBSCRIBE is about; None: it is about no such.

    Its name is ``durable-subscription`` (ours; within the connection's ``client-id`` where it has one),
    ``durable-subscription-name`` or ``durable-subscriber-name`` (Artemis) and ``activemq.subscriptionName``,
    which need a ``client-id``; RabbitMQ's are named by subscription id and topic, where ``durable`` (or
    ``persistent``) is true and ``auto-delete`` is not.  ``address``: of the destination, where it is known.

    Raises ProtocolViolation when it can't be one.
    """
    header = next((name for name in _DURABLE if headers.get(name)), None)
    if header is not None:
        name = headers[header]
        if client_id is None and header != _DURABLE[0]:
            raise ProtocolViolation(
                "client-id missing", f"{header} needs a client-id header in CONNECT: the two make the name"
            )
        queue = f"{BOUND}of/{quote(client_id or '', safe='')}/{quote(name, safe='')}"
    elif is_true(headers, "durable") or is_true(headers, "persistent"):
        if is_true(headers, "auto-delete") or address is None or not address.startswith(TOPIC):
            return None  # (RabbitMQ: of a queue it says that the queue is durable, as all of ours are)
        if subscription_id is None:
            raise ProtocolViolation(
                "id header missing", "a durable subscription by durable:true is named by its id and its topic"
            )
        name = f"{subscription_id} of {address}"
        queue = f"{BOUND}to/{quote(address, safe='')}/{quote(subscription_id, safe='')}"
    else:
        return None
    if address is not None and not address.startswith(TOPIC):
        raise ProtocolViolation("durable subscriptions are to topics", f"{address[:60]!a} is a queue")
    return Durable(queue, name)
