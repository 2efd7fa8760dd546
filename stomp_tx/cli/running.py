"""A command's run: the reactor turns until its story with a broker is over."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from stomp_tx.cli.interrupts import INTERRUPTS
from stomp_tx.cli.target import Target
from stomp_tx.errors import ConnectionLost, LoginRefused, NoConnection, StompError
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from stomp_tx.client import StompClient, StompClientService


def run(target: Target, story: Callable[[StompClient], Awaitable[int]]) -> int:
    """The exit status of the story, with a client of that broker.  Ctrl-C ends it in order.

    Raises StompError for what goes wrong, and KeyboardInterrupt.
    """
    return _run(target, lambda: _tell(target, story))


def run_lasting(target: Target, story: Callable[[StompClientService], Awaitable[int]]) -> int:
    """The same with a client that connects again."""
    return _run(target, lambda: _tell_lasting(target, story))


def _run(target: Target, tell: Callable[[], Coroutine[Any, Any, int]]) -> int:
    from twisted.internet import reactor
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.python.failure import Failure

    from stomp_tx.client.default_logging import DEFAULT_LOGGING

    DEFAULT_LOGGING.is_silent = True  # all that goes wrong is told here
    results: list[Any] = []

    def stop() -> None:
        if reactor.running and not results:
            reactor.stop()

    def done(result: Any) -> None:
        results.append(result)
        if reactor.running:
            reactor.stop()

    def interrupted() -> Deferred[None] | None:
        if results:
            return None
        leaving: Deferred[None] = Deferred()
        running.addBoth(lambda _: leaving.callback(None))
        running.cancel()
        return leaving

    from_thread: Any = reactor  # whose module says nothing of callFromThread
    with INTERRUPTS.ended_by(lambda: from_thread.callFromThread(stop)):
        running = Deferred.fromCoroutine(tell())
        running.addBoth(done)
        if not results:
            reactor.addSystemEventTrigger("before", "shutdown", interrupted)
            reactor.callWhenRunning(INTERRUPTS.take_again)
            reactor.run()
    DEFAULT_LOGGING.is_silent = False
    (result,) = results
    if isinstance(result, Failure):
        if result.check(CancelledError):
            raise KeyboardInterrupt
        error = result.value
        if isinstance(error, NoConnection):
            raise ConnectionLost(f"no connection to {target.endpoint}", str(error.__cause__))
        result.raiseException()
    return int(result)


async def _tell(target: Target, story: Callable[[StompClient], Awaitable[int]]) -> int:
    client = await target.connect()
    try:
        status = await story(client)
    except BaseException:
        was_connected = client.connected  # it says that it is not as soon as DISCONNECT is on its way
        leaving = client.disconnect().addErrback(lambda _: None)
        if was_connected:
            await leaving
        raise
    await client.disconnect()
    return status


async def _tell_lasting(target: Target, story: Callable[[StompClientService], Awaitable[int]]) -> int:
    from stomp_tx.client import StompClientService

    telling = _Telling(target.endpoint)
    endpoint, settings = target.arguments()
    async with StompClientService(
        endpoint,
        connect_within=target.options["connect_timeout"],
        on_connected=telling.connected,
        on_lost=telling.lost,
        on_failed=telling.failed,
        **settings,
    ) as service:
        return await story(service)


class _Telling:
    """Says on stderr why there is no connection, unless there can't be one: that is the end's to say."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._was_connected = False

    def connected(self, _: object) -> None:
        self._was_connected = True

    def lost(self, reason: StompError | None) -> None:
        if reason is not None:
            print(f"stomp-tx: {printable(reason.summary)}; connecting again", file=sys.stderr)

    def failed(self, reason: Exception, attempt: int) -> None:
        is_the_end = isinstance(reason, LoginRefused) and not reason.is_temporary and not self._was_connected
        if not is_the_end and attempt & (attempt - 1) == 0:  # the first one, and then fewer and fewer
            why = printable(str(reason)).rstrip(".")
            print(f"stomp-tx: no connection to {self._endpoint}: {why}; trying again", file=sys.stderr)
