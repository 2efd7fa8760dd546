"""ByMessageId: a session's deliveries, for clients of 1.2 that name a message by its message-id in ACK."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from stomp_tx.broker.destinations.ack_modes import Delivery


class ByMessageId(dict[str, Delivery]):
    """Deliveries by the name that an ACK gives, which can be found by their message's id as well.

    A message may be in flight several times: a topic's once for each subscription.  Everything takes
    constant time but making one: a session does that once, if its client ever needs it.
    """

    def __init__(self, deliveries: dict[str, Delivery]) -> None:
        super().__init__()
        self._names: dict[str, dict[str, None]] = {}  # by message id
        for name, delivery in deliveries.items():
            self[name] = delivery

    def names_of(self, message_id: str) -> Collection[str]:
        """What the deliveries in flight of this message go by."""
        return self._names.get(message_id, ())

    def __setitem__(self, name: str, delivery: Delivery) -> None:
        super().__setitem__(name, delivery)
        self._names.setdefault(delivery[0].id, {})[name] = None

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str, *default: Any) -> Any:
        """The delivery of this name, which is in flight no more."""
        delivery = super().pop(name, *default)
        if not default or delivery is not default[0]:
            message_id = delivery[0].id
            names = self._names[message_id]
            del names[name]
            if not names:
                del self._names[message_id]
        return delivery

    def clear(self) -> None:
        """None is in flight any more."""
        super().clear()
        self._names.clear()
