"""What an editor offers a user is what the reference explains."""

from __future__ import annotations

import inspect
import re
from typing import Any

from twisted.application.service import Service

from tests.client.serving import QUEUE, ServiceCase

OPERATIONS = {"ack", "nack", "request", "respond", "send", "subscribe", "transaction", "unsubscribe"}

OFFERED = {
    "Message": {
        *("ack", "ack_id", "body", "destination", "frame", "headers", "id", "is_stale", "nack", "number"),
        *("redelivered", "subscription", "text", "value"),
    },
    "ReplayedTransaction": {"abort", "commit", "send"},
    "StompClient": {*OPERATIONS, "connected", "disconnect", "headers", "version", "when_closed"},
    "StompClientService": {
        *OPERATIONS,
        *("connected", "replayed_transaction", "startService", "stopService", "unconfirmed", "whenConnected"),
    },
    "Subscription": {
        *("ack", "concurrency", "destination", "durable", "ended", "handler", "headers", "id", "next"),
        *("prefetch", "unsubscribe"),
    },
    "Transaction": {"abort", "ack", "begin", "commit", "id", "nack", "send"},
}
"""What others in the package use beside is in parts, or has an underscore."""


def explained(one: object) -> set[str]:
    """Attributes by ``name -- meaning`` in docstrings of its classes, the rest by docstrings of their own."""
    names: set[str] = set()
    for kind in type(one).__mro__:
        for line in re.findall(r"^ *(\w+(?:, \w+)*) -- ", kind.__doc__ or "", re.MULTILINE):
            names.update(line.split(", "))
        for name, member in vars(kind).items():
            if inspect.isfunction(member) or isinstance(member, property):
                names.update([name] if inspect.getdoc(getattr(kind, name)) else [])
    return names


class PublicNamesTests(ServiceCase):
    def test_all_that_has_no_underscore_is_for_users_and_is_explained(self) -> None:
        service = self.starts()
        client: Any = self.got(service.whenConnected())
        subscription: Any = self.got(service.subscribe(QUEUE))
        service.send(QUEUE, "hello")
        message = self.got(subscription.next())
        for one in (
            client,
            service,
            subscription,
            message,
            client.transaction(),
            service.replayed_transaction(),
        ):
            offered = {name for name in dir(one) if not name.startswith("_")}
            if isinstance(one, Service):
                offered -= {name for name in dir(Service) if name not in vars(type(one))}
            self.assertEqual(offered, OFFERED[type(one).__name__])
            self.assertEqual(offered - explained(one), set())
