"""Brokers: those of a client's endpoints, which are tried in turn."""

from __future__ import annotations

from asyncio import isfuture
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from inspect import isawaitable, iscoroutine
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.endpoint import endpoint_of
from stomp_tx.client.event_loop import Run
from stomp_tx.client.session.opening import open_session
from stomp_tx.client.session.session import ClientSession
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import ConfigurationError, ConnectTimeout, FrameError, LoginRefused, TLSFailed

Endpoint = IStreamClientEndpoint | str

Credentials = Callable[[], "tuple[str | None, str | None] | Awaitable[tuple[str | None, str | None]]"]
"""Gives login and passcode, or a Deferred, coroutine or Future of them."""


class Place(NamedTuple):
    """Where a broker may be.

    host -- that it is to, if that is known
    shown -- what it is called in a log
    """

    endpoint: IStreamClientEndpoint
    host: str | None
    shown: str


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
        if isinstance(endpoints, (str, bytes)) or not isinstance(endpoints, Sequence):
            endpoints = [endpoints]
        if not endpoints:
            raise ConfigurationError("there is no endpoint to connect to")
        self.places = [
            Place(*endpoint_of(reactor, one, ca_file), one if isinstance(one, str) else repr(one))
            for one in endpoints
        ]
        self._clock = clock
        self._settings = settings
        self._credentials = credentials
        self._failed: list[tuple[str, Exception]] = []  # in the last attempt

    async def connect(self, run: Run) -> ClientSession:
        """A session with the first of them that answers.

        run -- runs coroutines of users

        When none does, raises what the last one failed with; but a refused login, if there was one, sooner
        than that another was not there.  ``why`` tells of all of them.
        """
        self._failed = []
        settings = await self._with_credentials(run)
        for _ in range(len(self.places)):
            place = self.places[0]
            self.places.append(self.places.pop(0))  # the next one's turn, whatever comes of this one
            try:
                return await open_session(place.endpoint, place.host, settings, self._clock, run)
            except CancelledError:
                raise
            except Exception as error:
                self._failed.append((place.shown, error))
                self.log.debug("no connection to {place}: {why}", place=place.shown, why=error)
        errors = [error for _, error in self._failed]
        raise next(filter(is_final, errors), errors[-1])

    @property
    def may_be_back(self) -> bool:
        """Was there one in the last attempt which may well answer the next time?"""
        return not all(is_final(error) for _, error in self._failed)

    def why(self, error: Exception) -> str:
        """In words, why the last attempt has failed: with that error, of this or later."""
        if any(error is one for _, one in self._failed):
            return "; ".join(sorted(f"{shown}: {_words(why)}" for shown, why in self._failed))
        return _words(error)

    async def _with_credentials(self, run: Run) -> ClientSettings:
        settings = self._settings
        if self._credentials is None:
            return settings
        given: Any = self._credentials()
        if isfuture(given):  # Twisted's coroutines can't await it
            given = Deferred.fromFuture(given)
        elif isawaitable(given) and not isinstance(given, Deferred):
            given = run(given if iscoroutine(given) else _result_of(given))
        if isinstance(given, Deferred):
            if settings.connect_timeout is not None:
                late = ConnectTimeout(f"no credentials within {settings.connect_timeout:g} seconds")
                given.addTimeout(settings.connect_timeout, self._clock, lambda *_: Failure(late))
            given = await given
        login, passcode = _login_and_passcode(given)
        return replace(settings, login=login, passcode=passcode)


async def _result_of(given: Awaitable[Any]) -> Any:
    return await given


def _login_and_passcode(given: Any) -> tuple[str | None, str | None]:
    """What users gave, if it is that; the error shows nothing of it."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        kind = type(given).__name__
        raise ConfigurationError(f"credentials must give two, a login and a passcode, not {kind}")
    login, passcode = given
    for one in given:
        if one is not None and not isinstance(one, str):
            raise ConfigurationError(f"credentials must give strings (or None), not {type(one).__name__}")
    return login, passcode


def is_final(error: Exception) -> bool:
    """Will it be the same the next time, as far as anybody can tell?"""
    return isinstance(error, FrameError) or (isinstance(error, LoginRefused) and not error.is_temporary)


def _words(error: Exception) -> str:
    words = str(error).rstrip(".") or type(error).__name__
    return error.line if isinstance(error, TLSFailed) else words
