"""For tests that wait: in pytest's functions, with a bound for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater

from stomp_tx.client import Message, Subscription

Test = Callable[..., Awaitable[None]]


def awaited(seconds: float = 60.0) -> Callable[[Test], Callable[..., Deferred[None]]]:
    """An ``async def`` test as pytest-twisted waits for it; fails when it is not over in time.

    The time is for a machine that has other things to do: most tests take less than a second.
    """

    def decorate(test: Test) -> Callable[..., Deferred[None]]:
        @wraps(test)
        def run(**fixtures: Any) -> Deferred[None]:
            from twisted.internet import reactor

            return Deferred.fromCoroutine(test(**fixtures)).addTimeout(seconds, reactor)

        return run

    return decorate


def pause(seconds: float) -> Deferred[None]:
    from twisted.internet import reactor

    return deferLater(reactor, seconds, lambda: None)


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Go on once ``true()`` is."""
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await pause(0.02)
    raise AssertionError("not in time")


async def coming(subscription: Subscription, seconds: float = 20.0) -> Message:
    """The next message, which comes."""
    message = await within(subscription, seconds)
    assert message is not None, f"nothing came to {subscription.destination}"
    return message


async def within(subscription: Subscription, seconds: float) -> Message | None:
    """The next message; None where none comes in that time."""
    from twisted.internet import reactor

    try:
        return await subscription.next().addTimeout(seconds, reactor)
    except TimeoutError:
        return None
