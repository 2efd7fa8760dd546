"""SessionsService: the end of a broker's sessions."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.broker.factory import StompBrokerFactory


class SessionsService(Service):
    """The sessions of a broker: told when it stops, and gone ``timeout`` seconds later at the latest."""

    def __init__(self, factory: StompBrokerFactory, reactor: Any, timeout: float, log: Logger) -> None:
        self._factory = factory
        self._reactor = reactor
        self._timeout = timeout
        self._log = log

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self._log.info("the broker is stopping, connections: {count}", count=len(self._factory.sessions))
        return self._factory.stop().addTimeout(self._timeout, self._reactor).addErrback(self._cut)

    def _cut(self, failure: Failure) -> None:
        failure.trap(DeferredTimeout)
        self._log.warn("connections that did not end in time: {count}", count=len(self._factory.sessions))
