"""ClientDeferred: the Deferred that a client's operations return, which tasks of asyncio can await, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.errors import ConnectionLost, SubscriptionEnded

T = TypeVar("T")


class ClientDeferred(Deferred[T]):
    """A Deferred that may fail with ConnectionLost unseen, and that a task of asyncio may await.

    One lost connection may fail thousands of them, and not everybody waits for each SEND: nobody having
    looked is no "Unhandled error in Deferred" then.  The loss itself is logged once, and told by
    ``when_closed``.  So it is with SubscriptionEnded.  Any other failure is reported as usual.
    """

    unseen: tuple[type[BaseException], ...] = (ConnectionLost, SubscriptionEnded)
    """What it may fail with though nobody looks."""

    def __del__(self) -> None:
        result = getattr(self, "result", None)
        if isinstance(result, Failure) and isinstance(result.value, self.unseen):
            self.addErrback(lambda _: None)

    is_awaited = False
    """Does a coroutine wait for it?"""

    def __iter__(self) -> Generator[Deferred[T], None, T]:
        self.is_awaited = True
        while not self.called or self.paused:
            try:
                yield Wait(self)
            except BaseException:
                self.went_elsewhere()
                raise
        self.went_on()
        return (yield from super().__iter__())

    __await__ = __iter__

    def went_on(self) -> None:
        """The coroutine that awaits it goes on with its result."""

    def went_elsewhere(self) -> None:
        """The coroutine that awaits it was thrown an exception: what has come reaches nobody."""


class LoggedDeferred(ClientDeferred[T]):
    """A ClientDeferred that may fail with anything unseen: what it fails with is logged by itself."""

    unseen = (BaseException,)


class ReportedDeferred(ClientDeferred[T]):
    """A ClientDeferred whose every failure somebody must look at."""

    unseen = ()


class Wait(Deferred[Any]):
    """What a ClientDeferred without a result gives to who runs the coroutine that awaits it.

    Twisted takes it for the Deferred to add callbacks to, and asyncio for a future of its own kind
    (``_asyncio_future_blocking``).  Nobody can know beforehand which of them it will be: a coroutine of
    Twisted may begin in the midst of a task of asyncio.
    """

    _asyncio_future_blocking = True

    def __init__(self, answer: ClientDeferred[Any]) -> None:
        super().__init__()
        self._answer = answer
        self._is_asyncio_s = False

    # -- for Twisted --------------------------------------------------------------------------------------

    def addBoth(self, *arguments: Any, **named: Any) -> Deferred[Any]:
        return self._answer.addBoth(*arguments, **named)

    def cancel(self, msg: object = None) -> bool:  # type: ignore[override]
        self._answer.cancel()
        if self._is_asyncio_s:
            # False: the task is to raise its own CancelledError then; nobody will look for this one.
            self._answer.addErrback(lambda _: None)
        return False

    # -- for asyncio --------------------------------------------------------------------------------------

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def add_done_callback(self, fn: Callable[[Any], object], *, context: Context | None = None) -> None:
        def tell(result: Any) -> Any:
            self.get_loop().call_soon(fn, self, context=context)
            return result

        self._is_asyncio_s = True
        self._answer.addBoth(tell)

    def result(self) -> None:  # type: ignore[override]
        """Nothing: the coroutine looks for itself."""


async def end_of_block(ending: Deferred[None], kind: type[BaseException] | None) -> None:
    """The end of an ``async with``: the error that is under way, if there is one, is what matters."""
    if kind is not None:
        ending.addErrback(lambda _: None)
    if kind is not GeneratorExit:  # a coroutine that was dropped can't wait
        await ending


def failed(error: Exception) -> Deferred[Any]:
    """A Deferred that has failed already."""
    answer: ClientDeferred[Any] = ClientDeferred()
    answer.errback(Failure(error))
    return answer


def client_deferred(
    deferred: Deferred[T], kind: type[ClientDeferred[Any]] = ClientDeferred
) -> ClientDeferred[T]:
    """A ClientDeferred that fires as this one does."""
    answer: ClientDeferred[T] = kind(lambda _: deferred.cancel())
    deferred.chainDeferred(answer)
    return answer
