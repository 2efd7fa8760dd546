"""What the queues of durable subscriptions are called, and what their names say of them."""

from __future__ import annotations

from urllib.parse import quote, unquote

from stomp_tx.address import BOUND, split
from stomp_tx.errors import ProtocolViolation


def fully_qualified(topic: str, name: str) -> str:
    """Artemis' ``topic::name``: the queue of that name, bound to the topic, for all who use it."""
    if not name or "::" in name:
        raise ProtocolViolation("malformed destination", "a queue of a topic is written /topic/NAME::QUEUE")
    return f"{BOUND}at/{quote(topic, safe='')}/{quote(name, safe='')}"


def owner_and_name(queue: str) -> tuple[str, str]:
    """Whose durable subscription this queue is of (empty: nobody's), and what people know it by."""
    _, _, rest = split(queue)
    parts = [unquote(part) for part in rest.split("/")]
    owner = ""
    if parts[0] == "by":
        _, owner, *parts = parts
    within_what, name = parts[-2:]
    return owner, f"{name} of {within_what}" if within_what else name
