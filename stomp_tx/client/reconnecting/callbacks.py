"""Callbacks: what a program wants to be told of its connections."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from stomp_tx.client.arguments import must_be_callable
from stomp_tx.client.client import StompClient
from stomp_tx.client.event_loop import Run
from stomp_tx.errors import StompError


class Callbacks:
    """``on_connected``, ``on_lost`` and ``on_failed`` of a StompClientService; what they raise is logged.

    Raises ConfigurationError for one that can't be called.

    run -- runs their coroutines
    """

    log = Logger()

    def __init__(
        self,
        on_connected: Callable[[StompClient], object] | None,
        on_lost: Callable[[StompError | None], object] | None,
        on_failed: Callable[[Exception, int], object] | None,
    ) -> None:
        named = {"on_connected": on_connected, "on_lost": on_lost, "on_failed": on_failed}
        for name, function in named.items():
            must_be_callable(name, function)
        self.run: Run = Deferred.fromCoroutine
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_failed = on_failed

    def connected(self, client: StompClient) -> None:
        """There is a connection, and it has resumed."""
        self._tell(self._on_connected, client)

    def lost(self, reason: StompError | None) -> None:
        """That connection is gone; None: it was left in order."""
        self._tell(self._on_lost, reason)

    def failed(self, error: Exception, failures: int) -> None:
        """An attempt to connect has failed; ``failures``: so many have in a row."""
        self._tell(self._on_failed, error, failures)

    def _tell(self, user: Callable[..., object] | None, *what: object) -> None:
        if user is None:
            return
        try:
            result = user(*what)
        except Exception:
            self.log.failure("the callback {user!r} failed", user=user)
            return
        if iscoroutine(result):
            result = self.run(result)
        if isinstance(result, Deferred):
            result.addErrback(
                lambda failure: self.log.failure("the callback {user!r} failed", failure, user=user)
            )
