"""SEND: how a message is to be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from stomp_tx.broker.dialects import NOW, Dialect
from stomp_tx.broker.headers.scheduling import SCHEDULING
from stomp_tx.broker.headers.values import number
from stomp_tx.broker.message_headers import REASON, TIMES
from stomp_tx.broker.policy import Policy
from stomp_tx.errors import ProtocolViolation
from stomp_tx.interfaces import Put, Safe
from stomp_tx.message import GROUP, LAST_VALUE, PERSISTENT, USUAL_PRIORITY, Keeping, Message
from stomp_tx.wire.booleans import truth

_DEDUPE = ("message-dedupe-id", "_AMQ_DUPL_ID")

_GROUPS = (GROUP, "message_group")  # the latter is Apollo's

OURS = frozenset({REASON, "browser", "retained"})
"""Headers by which the broker tells subscribers something: what a producer writes there is not passed on.

Nor is it in those that any MESSAGE may have, see rendering.py."""

_RARE = frozenset(
    {
        *TIMES,
        "priority",
        *("transaction", "reply-to", "destination-type", "retain", "message-id"),
        *OURS,
        *_DEDUPE,
        *_GROUPS,
        *SCHEDULING,
    }
)

_LONGEST = 1024
"""Characters of a name for de-duplication, of a group, and of what a last value is of."""

UNUSUAL = frozenset({"persistent", *_RARE})
"""Headers of a SEND that ask for more than to be passed on."""


def keeping_of(headers: Mapping[str, str], policy: Policy, clock: Callable[[], int]) -> Keeping | None:
    """How a message with these headers is to be kept; None: as usual.

    It is PERSISTENT itself only where the headers ask for nothing else, whatever it is about.  ``clock``
    gives the milliseconds since 1970; it is asked only where the headers or the policy name a time.

    Raises ProtocolViolation for times that are no numbers.
    """
    persistent = truth(headers.get("persistent")) is True
    if _RARE.isdisjoint(headers) and not policy.stamps:
        return PERSISTENT if persistent else None
    now = clock()
    expires = expires_of(headers, now)
    if not expires and policy.ttl:
        expires = now + int(1000 * policy.ttl)
    if policy.ttl_max:
        latest = now + int(1000 * policy.ttl_max)
        expires = min(expires or latest, latest)
    keeping = Keeping(
        persistent,
        expires,
        _first(headers, _DEDUPE),
        _priority(headers),
        _first(headers, _GROUPS),
        _first(headers, (policy.last_value,)),
    )
    return None if keeping == _USUAL else keeping


_USUAL = Keeping()


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """What the first of these headers says that says anything."""
    for name in names:
        value = headers.get(name)
        if value:
            if len(value) > _LONGEST:
                raise ProtocolViolation(f"{name} too long", f"it may have {_LONGEST} characters")
            return value
    return None


def _priority(headers: Mapping[str, str]) -> int:
    """From 0 to 9 (ActiveMQ, Artemis); what is above (RabbitMQ's go up to 255) counts as the highest."""
    priority = number(headers, "priority")
    return USUAL_PRIORITY if priority is None else min(priority, 9)


def stamped(put: Put, dialect: Dialect, now: Callable[[], int]) -> Put:
    """``put``, of messages that say what a dialect's clients expect them to; ``now`` gives milliseconds."""
    return partial(_stamp_and_put, put, dialect, now)


def _stamp_and_put(put: Put, dialect: Dialect, now: Callable[[], int], message: Message) -> Safe:
    stamp(message, dialect, now)
    return put(message)


def stamp(message: Message, dialect: Dialect, now: Callable[[], int]) -> None:
    """The same of one message."""
    time = str(now())
    told = {name: time if value == NOW else value for name, value in dialect.stamps}
    message.headers = {**told, **message.headers}


def without_ours(headers: dict[str, str]) -> dict[str, str]:
    """The headers of a message of the broker's that somebody sends again: it is one like any other."""
    return {name: value for name, value in headers.items() if name not in OURS}


def tell_keeping(message: Message, policy: Policy) -> None:
    """Its receivers may want to know, however it was said or decided; and so do those that read a file."""
    keeping = message.keeping
    if policy.last_value and LAST_VALUE in message.headers:
        # Where the broker says of what it is the last value, nobody else does.
        message.headers = {name: value for name, value in message.headers.items() if name != LAST_VALUE}
    if keeping is None:
        return
    told = {}
    if keeping.expires:
        told["expires"] = str(keeping.expires)
    if keeping.group is not None:
        told[GROUP] = keeping.group
    if keeping.last_value is not None:
        told[LAST_VALUE] = keeping.last_value
    if told:
        message.headers = {**message.headers, **told}


def expires_of(headers: Mapping[str, str], now: int) -> int:
    """When a message with these headers expires: milliseconds since 1970; 0: never.

    ``expires`` (ActiveMQ, Artemis, Apollo) is a time; ``ttl`` (Apollo) and ``expiration`` (RabbitMQ) are
    milliseconds from now.  The first of them counts; 0 is never, but for ``expiration``: at once.
    """
    expires = number(headers, "expires")
    if expires is None:
        ttl = number(headers, "ttl")
        if ttl is not None:
            return now + ttl if ttl else 0
        expiration = number(headers, "expiration")
        return 0 if expiration is None else now + expiration
    return expires
