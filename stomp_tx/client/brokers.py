"""Brokers: those of a client's endpoints, which are tried in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger

from stomp_tx.client.endpoint import endpoint_from_string
from stomp_tx.client.opening import open_session
from stomp_tx.client.session import ClientSession
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import ConfigurationError

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

    async def connect(self) -> ClientSession:
        """A session with the first of them that answers.  Raises what the last one failed with."""
        settings = await self._with_credentials()
        for left in reversed(range(len(self.endpoints))):
            endpoint, named = self.endpoints[0]
            self.endpoints.append(self.endpoints.pop(0))  # the next one's turn, whatever comes of this one
            try:
                return await open_session(endpoint, named, settings, self._clock)
            except CancelledError:
                raise
            except Exception as why:
                if not left:
                    raise
                self.log.info("no connection to {endpoint}: {why}", endpoint=named or endpoint, why=why)
        raise AssertionError("there is an endpoint")

    async def _with_credentials(self) -> ClientSettings:
        if self._credentials is None:
            return self._settings
        given = self._credentials()
        login, passcode = await given if isawaitable(given) else given
        return replace(self._settings, login=login, passcode=passcode)
