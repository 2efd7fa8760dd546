"""Access: what a user must be allowed to do, before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stomp_tx.address import QUEUE, is_bound, split
from stomp_tx.errors import AccessDenied
from stomp_tx.interfaces import IStompUser
from stomp_tx.wildcards import is_pattern

if TYPE_CHECKING:
    from stomp_tx.broker.factory import StompBrokerFactory


def must_be_allowed(user: IStompUser, permission: str, address: str, bindings: Mapping[str, str]) -> None:
    """Raises AccessDenied.  What is bound to topics is as open as all of these together."""
    where = bindings[address].split(",") if address in bindings else []
    if not is_bound(address):
        where.append(address)
    for one in where:
        if not user.may(permission, one):
            raise AccessDenied(user.name, permission, one)


def may_create(user: IStompUser, address: str, factory: StompBrokerFactory) -> None:
    """Raises AccessDenied when the queue isn't there, and this user may not make it.

    It is there when somebody consumes from it, something waits in it, or it has a policy of its own.
    """
    if user.may("create", address) or split(address)[1] != QUEUE or is_pattern(split(address)[2]):
        return
    if factory.registry.is_consumed(address) or address in factory.engine.bindings:
        return
    if any(factory.engine.depth(address)) or factory.policies.names(address):
        return
    raise AccessDenied(user.name, "create", address)
