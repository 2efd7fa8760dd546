"""Browsing: what a session looks at without taking anything."""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.address import is_topic, split
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.browsing import Browse
from stomp_tx.broker.headers.subscribe import View
from stomp_tx.broker.session.access import must_be_bound
from stomp_tx.errors import ProtocolViolation
from stomp_tx.wildcards import is_pattern


def viewed(address: str, bound: str | None, bindings: Mapping[str, str]) -> str:
    """What a browser looks at: a queue, or what waits for a subscription to a topic.

    bound -- the queue of such a subscription
    """
    if bound is not None:
        must_be_bound(bound, bindings)
        if bindings[bound] != address:
            raise ProtocolViolation("durable subscription to another topic", f"it is to {bindings[bound]}")
        return bound
    if "," in address or is_topic(address) or is_pattern(split(address)[2]):
        raise ProtocolViolation(
            "nothing to browse", "what waits in one queue can be browsed, or for one durable subscription"
        )
    return address


def browse_of(broker: Broker, address: str, destination: str, view: View) -> Browse:
    """The view of this queue; ``destination``: what its client calls it."""
    return Browse(
        address,
        destination,
        broker.engine,
        broker.clock,
        broker.settings,
        broker.dead_letters,
        view,
        broker.new_message_id,
    )
