"""Brokers: those of a client's endpoints, which are tried in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from inspect import isawaitable, iscoroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.endpoint import endpoint_from_string
from stomp_tx.client.loops import Run
from stomp_tx.client.opening import open_session
from stomp_tx.client.session import ClientSession
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import ConfigurationError, ConnectTimeout

Endpoint = IStreamClientEndpoint | str

Credentials = Callable[[], "tuple[str | None, str | None] | Awaitable[tuple[str | None, str | None]]"]
"""Gives login and passcode, or a Deferred or coroutine of them."""


class Brokers:
    """Where a client may find one.

    endpoints -- at least one; the next one's turn comes with each attempt
    credentials -- asked before each attempt; None: those of the settings

    Raises ConfigurationError.
    """

    log = Logger()

    def __init__(
        self,
        endpoints: Endpoint | Sequence[Endpoint],
        reactor: Any,
        clock: IReactorTime,
        ca_file: str | None,
        settings: ClientSettings,
        credentials: Credentials | None,
    ) -> None:
        if isinstance(endpoints, str) or not isinstance(endpoints, Sequence):
            endpoints = [endpoints]
        if not endpoints:
            raise ConfigurationError("there is no endpoint to connect to")
        self.endpoints = [
            endpoint_from_string(reactor, one, ca_file) if isinstance(one, str) else (one, None)
            for one in endpoints
        ]
        self._clock = clock
        self._settings = settings
        self._credentials = credentials

    async def connect(self, run: Run) -> ClientSession:
        """A session with the first of them that answers.  Raises what the last one failed with.

        run -- runs coroutines of users
        """
        settings = await self._with_credentials(run)
        for left in reversed(range(len(self.endpoints))):
            endpoint, named = self.endpoints[0]
            self.endpoints.append(self.endpoints.pop(0))  # the next one's turn, whatever comes of this one
            try:
                return await open_session(endpoint, named, settings, self._clock, run)
            except CancelledError:
                raise
            except Exception as why:
                if not left:
                    raise
                self.log.info("no connection to {endpoint}: {why}", endpoint=named or endpoint, why=why)
        raise AssertionError("there is an endpoint")

    async def _with_credentials(self, run: Run) -> ClientSettings:
        settings = self._settings
        if self._credentials is None:
            return settings
        given: Any = self._credentials()
        if iscoroutine(given):
            given = run(given)
        if isinstance(given, Deferred):
            if settings.connect_timeout is not None:
                late = ConnectTimeout(f"no credentials within {settings.connect_timeout:g} seconds")
                given.addTimeout(settings.connect_timeout, self._clock, lambda *_: Failure(late))
            given = await given
        elif isawaitable(given):
            given = await given
        login, passcode = given
        return replace(settings, login=login, passcode=passcode)
