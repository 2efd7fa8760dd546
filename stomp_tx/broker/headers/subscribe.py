"""SUBSCRIBE and UNSUBSCRIBE: what a subscription is to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from stomp_tx.address import BOUND, SHARED, TOPIC, split, within
from stomp_tx.broker.dialects import AUTO, Dialect
from stomp_tx.broker.durable_names import fully_qualified
from stomp_tx.broker.headers.values import is_false, is_true, number
from stomp_tx.broker.message_headers import OWNED
from stomp_tx.broker.policy import Policy, Redelivery
from stomp_tx.broker.selector.selector import Selector, compiled
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ProtocolViolation
from stomp_tx.wire.booleans import truth

PREFETCH = ("prefetch-count", "activemq.prefetchSize")
"""How many messages it may hold; the first that is there counts."""

DURABLE = (
    "durable-subscription",
    "durable-subscription-name",
    "durable-subscriber-name",
    "activemq.subscriptionName",
)
"""What a durable subscription is called; so does, of a topic, what ``MAKES_DURABLE`` has besides."""

MAKES_DURABLE = frozenset((*DURABLE, "durable", "persistent"))

SHARES = ("shared-subscription", "x-queue-name")
"""The name of what several share."""

RANK = ("activemq.priority", "x-priority")
"""A consumer's priority."""

EXCLUSIVE = ("activemq.exclusive", "exclusive")
"""All messages of its queue are for it."""

DEAF_TO_OWN = ("no-local", "activemq.noLocal")
"""Nothing that its own connection sends is for it; the first that says something counts."""

STREAMS = ("x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered", "from-seq")
"""Where to begin, and what to leave out, in a stream."""

QUEUE_TYPE = "x-queue-type"


class View(NamedTuple):
    """What a browser wants to see.

    after -- positions up to this one are left out
    goes_on -- it wants to see what comes, and no end
    position_header -- the header that shows each message's position in the queue; empty: none
    """

    after: int = 0
    goes_on: bool = False
    position_header: str = ""


def must_be_possible(headers: Mapping[str, str]) -> None:
    """Raises ProtocolViolation for what can't be done, where to ignore it would leave messages out."""
    for name in STREAMS:
        if name in headers and not is_true(headers, "browser"):
            raise ProtocolViolation(
                f"{name} is not supported", "there are no streams: what waits in a queue can be browsed"
            )
    if headers.get(QUEUE_TYPE) == "stream":
        raise ProtocolViolation(f"{QUEUE_TYPE} is not supported", "there are queues, and no streams")


def prefetch(
    headers: Mapping[str, str],
    settings: BrokerSettings,
    policy: Policy | None = None,
    dialect: Dialect = AUTO,
) -> int:
    """How many messages a subscription may hold unacknowledged, by SUBSCRIBE's headers.

    ``prefetch-count`` as RabbitMQ has it, ``activemq.prefetchSize`` as ActiveMQ has it, the first number of
    Apollo's ``credit``; the first of them counts.
    0 means the most there is.  Raises ProtocolViolation for what is no number.
    """
    usual = (policy and policy.prefetch) or settings.prefetch
    most = (policy and policy.prefetch_max) or settings.prefetch_max
    for name in PREFETCH:
        if name == "activemq.prefetchSize" and dialect.prefetch_in_octets:
            continue
        count = number(headers, name)
        if count is not None:
            return min(count or most, most)
    return min(_credit(headers)[0] or usual, most)


def window_of(headers: Mapping[str, str], dialect: Dialect, policy: Policy) -> int:
    """How many octets a subscription may hold unacknowledged; 0: any number.

    ``consumer-window-size`` (Artemis; -1 is any number, 0 is one message at a time), the second number of
    ``credit`` (Apollo), and in Artemis' dialect ``activemq.prefetchSize``.  Raises ProtocolViolation.
    """
    names = ["consumer-window-size"]
    if dialect.prefetch_in_octets:
        names.append("activemq.prefetchSize")
    for name in names:
        if headers.get(name) == "-1":
            return 0
        octets = number(headers, name)
        if octets is not None:
            return max(octets, 1)
    return _credit(headers)[1] or policy.prefetch_octets


def _credit(headers: Mapping[str, str]) -> tuple[int, int]:
    """Apollo's ``credit:COUNT,OCTETS``; 0: it does not say."""
    text = headers.get("credit")
    if text is None:
        return 0, 0
    found = re.fullmatch(r"([0-9]{1,15})(?:,([0-9]{1,15})(?:,[a-z]{0,10})?)?", text, re.ASCII)
    if found is None:
        raise ProtocolViolation("malformed credit header", f"{text[:40]!a} is not COUNT,OCTETS")
    return int(found[1]), int(found[2] or 0)


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
        is_asked_for=True,
    )


def rank_of(headers: Mapping[str, str]) -> int:
    """A consumer's priority: ``activemq.priority`` (-128 to 127), or RabbitMQ's ``x-priority``; usually 0."""
    for name in RANK:
        text = headers.get(name)
        if text is not None:
            if re.fullmatch(r"[+-]?[0-9]{1,4}", text, re.ASCII) is None:
                raise ProtocolViolation(f"malformed {name} header", f"{text[:40]!a} is no small whole number")
            return int(text)
    return 0


def is_exclusive(headers: Mapping[str, str]) -> bool:
    """Does it want all messages of its queue for itself?  (RabbitMQ: a queue is this connection's alone.)"""
    return any(is_true(headers, name) for name in EXCLUSIVE)


def is_deaf_to_own(headers: Mapping[str, str]) -> bool:
    """Does it not want what its own connection sends?  Artemis' word counts before ActiveMQ's."""
    said = (truth(headers.get(name)) for name in DEAF_TO_OWN)
    return next((word for word in said if word is not None), False)


def selector_of(headers: Mapping[str, str], longest: int) -> Selector | None:
    """Which messages it wants; None: all.  Raises ProtocolViolation, saying where it is malformed."""
    text = headers.get("selector")
    if text is None:
        return None
    if not text.strip():
        raise ProtocolViolation("empty selector", "leave the selector header out to get every message")
    return compiled(text, longest)


def view_of(headers: Mapping[str, str], last: int) -> View | None:
    """What a browser wants to see (``browser:true``); None: it is no browser.

    ``browser-end:false`` goes on with what comes, ``include-seq:NAME`` has each message's position shown in a
    header of that name, ``from-seq:NUMBER`` begins there; -1: after ``last``, the position that came last.
    """
    if not is_true(headers, "browser"):
        return None
    name = headers.get("include-seq", "")
    if name and (name in OWNED or len(name) > 100 or re.search(r"[\x00-\x1f:]", name)):
        raise ProtocolViolation("malformed include-seq header", f"{name[:40]!a} can't be a header of ours")
    after = 0
    if headers.get("from-seq") == "-1":
        after = last
    else:
        after = max((number(headers, "from-seq") or 0) - 1, 0)
    return View(after, is_false(headers, "browser-end"), name)


class Durable(NamedTuple):
    """A subscription that outlives its connection.

    queue -- where its messages wait
    name -- what its client calls it
    shared -- it is for all who know its name, whoever they are
    """

    queue: str
    name: str
    shared: bool = False


def shared_of(headers: Mapping[str, str], topic: str) -> str | None:
    """The queue of a subscription that several share as long as one of them is there; None: it is no such.

    ``shared-subscription`` (ours) names it; so does RabbitMQ's ``x-queue-name`` where it is not durable.
    """
    name = next((headers[name] for name in SHARES if headers.get(name)), None)
    if not name:
        return None
    host, kind, rest = split(topic.partition(",")[0])
    if kind != TOPIC:
        raise ProtocolViolation(
            "shared subscriptions are to topics", f"{rest[:60]!a} is none; queues are shared"
        )
    return within(host, f"{SHARED}{quote(topic, safe='')}/{quote(name, safe='')}")


def names_durable(headers: Mapping[str, str]) -> bool:
    """Does it name a durable subscription?"""
    return any(headers.get(name) for name in DURABLE)


def durable_of(
    headers: Mapping[str, str],
    address: str | None,
    subscription_id: str | None,
    client_id: str | None,
    dialect: Dialect = AUTO,
    host: str = "",
    owner: str = "",
) -> Durable | None:
    """The durable subscription that SUBSCRIBE or UNSUBSCRIBE is about; None: it is about no such.

    Its name is ``durable-subscription`` (ours; within the connection's ``client-id`` where it has one),
    ``durable-subscription-name`` or ``durable-subscriber-name`` (Artemis) and ``activemq.subscriptionName``,
    which need a ``client-id``; RabbitMQ's are named by subscription id and topic, where ``durable`` (or
    ``persistent``) is true and ``auto-delete`` is not, or by ``x-queue-name`` and topic.  ``address``: of the
    destination, where it is known; ``host``: the session's virtual host; ``owner``: the user, who has all but
    the last of these alone, as clients choose their ``client-id`` and ids themselves; empty: it is nobody's.

    Raises ProtocolViolation when it can't be one.
    """
    mine = f"{BOUND}by/{quote(owner, safe='')}/" if owner else BOUND
    shared = False
    header = next((name for name in DURABLE if headers.get(name)), None)
    if header is not None:
        name = headers[header]
        if client_id is None and header != DURABLE[0]:
            raise ProtocolViolation(
                "client-id missing", f"{header} needs a client-id header in CONNECT: the two make the name"
            )
        queue = f"{mine}of/{quote(client_id or '', safe='')}/{quote(name, safe='')}"
    elif is_true(headers, "durable") or (dialect.persistent_subscribes and is_true(headers, "persistent")):
        if is_true(headers, "auto-delete") or address is None or not _is_topics(address):
            return None  # (RabbitMQ: of a queue it says that the queue is durable, as all of ours are)
        if subscription_id is None:
            raise ProtocolViolation(
                "id header missing", "a durable subscription by durable:true is named by its id and its topic"
            )
        named = headers.get("x-queue-name")
        name = f"{named or subscription_id} of {address}"
        if named:
            shared, queue = True, fully_qualified(address, named)
        else:
            queue = f"{mine}to/{quote(address, safe='')}/{quote(subscription_id, safe='')}"
    else:
        return None
    if address is not None and not _is_topics(address):
        raise ProtocolViolation("durable subscriptions are to topics", f"{address[:60]!a} is a queue")
    return Durable(within(host, queue), name, shared)


def _is_topics(address: str) -> bool:
    """Is it a topic, or several?"""
    return all(split(part)[1] == TOPIC for part in address.split(","))
