"""SEND: how a message is to be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stomp_tx.broker.deadletter import REASON
from stomp_tx.broker.dialect.values import number
from stomp_tx.broker.policy import Policy
from stomp_tx.errors import ProtocolViolation
from stomp_tx.message import PERSISTENT, Keeping

_DEDUPE = ("message-dedupe-id", "_AMQ_DUPL_ID")

_RARE = frozenset({"expires", "ttl", "expiration", *_DEDUPE})

UNUSUAL = frozenset({"transaction", "persistent", REASON, *_RARE})
"""Headers of a SEND that ask for more than to be passed on."""


def keeping_of(headers: Mapping[str, str], policy: Policy, clock: Callable[[], int]) -> Keeping | None:
    """How a message with these headers is to be kept; None: as usual.

    ``clock`` gives the milliseconds since 1970; it is asked only where the headers or the policy name a time.

    Raises ProtocolViolation for times that are no numbers.
    """
    persistent = headers.get("persistent") == "true"
    if _RARE.isdisjoint(headers) and not policy.stamps:
        return PERSISTENT if persistent else None
    now = clock()
    expires = _expires(headers, now)
    if not expires and policy.ttl:
        expires = now + int(1000 * policy.ttl)
    if policy.ttl_max:
        latest = now + int(1000 * policy.ttl_max)
        expires = min(expires or latest, latest)
    dedupe = next((headers[name] for name in _DEDUPE if headers.get(name)), None)
    if dedupe is not None and len(dedupe) > 1024:
        raise ProtocolViolation("message-dedupe-id too long", "it may have 1024 characters")
    if persistent or expires or dedupe is not None:
        return Keeping(persistent, expires, dedupe)
    return None


def _expires(headers: Mapping[str, str], now: int) -> int:
    """``expires`` (ActiveMQ, Artemis, Apollo) is a time; ``ttl`` (Apollo) and ``expiration`` (RabbitMQ) are
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
