"""EngineService: the engine, from the process's start to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from stomp_tx.errors import StompError
from stomp_tx.interfaces import IEngine
from stomp_tx.service.process import must_succeed


class EngineService(Service):
    """An engine that starts and stops with the process."""

    def __init__(self, engine: IEngine, reactor: Any) -> None:
        self._engine = engine
        self._reactor = reactor

    def startService(self) -> None:
        super().startService()
        must_succeed(_deferred(self._engine.start), self._reactor, _engine_error)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return _deferred(self._engine.stop)


def _deferred(work: Callable[[], Deferred[None] | None]) -> Deferred[None]:
    done: Deferred[None] = maybeDeferred(work)  # type: ignore[call-overload]
    return done


def _engine_error(failure: Failure) -> StompError:
    if isinstance(failure.value, StompError):
        return failure.value
    return StompError("the engine can't start", failure.getErrorMessage())
