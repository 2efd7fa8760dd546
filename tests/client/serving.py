"""A StompClientService and a broker in memory, for tests of what it does."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import (
    StompClientService,
)
from stomp_tx.testing import MemoryBroker

QUEUE = "/queue/a"


class ServiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.happened: list[Any] = []

    def starts(self, **more: Any) -> StompClientService:
        """A service that has connected."""
        service = self.broker.service(
            on_connected=lambda client: self.happened.append(client.version),
            on_lost=self.happened.append,
            **more,
        )
        service.startService()
        self.broker.settle()
        return service

    def got(self, deferred: Deferred[Any]) -> Any:
        self.broker.settle()
        return self.successResultOf(deferred)

    def fails(self, deferred: Deferred[Any], *errors: type[Exception]) -> Any:
        self.broker.settle()
        return self.failureResultOf(deferred, *errors).value

    def cut(self, seconds: float = 1.0) -> None:
        """The connection is lost; then there is time to connect again."""
        self.broker.cut()
        self.broker.advance(seconds)
