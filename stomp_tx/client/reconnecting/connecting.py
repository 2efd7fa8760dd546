"""Connecting: one connection after the other, until it is told to stop.

Twisted's ClientService makes connections, too.  It takes each that was accepted for a success, and knows no
CONNECTED: who is refused there comes again at once, each time, and for ever.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable
from random import Random

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from stomp_tx.client.client import StompClient
from stomp_tx.client.deferred import failed
from stomp_tx.client.event_loop import Run, runner
from stomp_tx.client.reconnecting.back_off import BackOff
from stomp_tx.client.reconnecting.brokers import Brokers, is_final
from stomp_tx.client.reconnecting.callbacks import Callbacks
from stomp_tx.client.reconnecting.retry import Retry
from stomp_tx.client.reconnecting.waiting import Waiting
from stomp_tx.client.session.session import ClientSession
from stomp_tx.errors import ConfigurationError, LoginRefused, StompError

NOT_YET = "the broker has not answered yet"

_NUMBER = re.compile(r"\d+")


class State(enum.Enum):
    """Where it is between start and stop."""

    NEW = "has not been started"
    RUNNING = "connects, and connects again"
    STOPPING = "is being stopped"
    OVER = "was stopped, or has given up"


class Connecting:
    """Keeps a connection: waits between attempts, and tells of each that is made and lost.

    resume -- takes up a session; raises when that can't be
    lost -- told once of each session that was taken up, with the reason
    over -- told that there will be no more, with what the last attempt failed with

    run -- runs coroutines of users
    """

    log = Logger()

    def __init__(
        self,
        brokers: Brokers,
        retry: Retry,
        clock: IReactorTime,
        random: Random,
        resume: Callable[[ClientSession], Awaitable[None]],
        lost: Callable[[StompError | None], object],
        over: Callable[[Exception], object],
        callbacks: Callbacks,
    ) -> None:
        self.state = State.NEW
        self.failure: Exception | None = None
        """What the last attempt has failed with, if one has."""
        self.why = NOT_YET
        """The same in words."""
        self.run: Run = Deferred.fromCoroutine
        self._client: StompClient | None = None
        self._brokers = brokers
        self._retry = retry
        self._clock = clock
        self._random = random
        self._resume = resume
        self._lost = lost
        self._over = over
        self._callbacks = callbacks
        self._was_let_in = False  # since it began
        self._told = ""  # why the last attempt failed
        self._waiting = Waiting()
        self._running: Deferred[None] = succeed(None)
        self._start = object()  # which one it is; an earlier one's loop must not go on
        self._reason: Exception = CancelledError()

    @property
    def client(self) -> StompClient | None:
        """Of the connection that there is, and over which something can be said."""
        return self._client if self._client is not None and self._client.connected else None

    @property
    def places(self) -> str:
        """Where the brokers may be, for people."""
        return " or ".join(place.shown for place in self._brokers.places)

    def when_connected(self, most: int | None) -> Deferred[StompClient]:
        """The client, once there is one; fails after so many failed attempts, and when it is over."""
        client = self.client
        if client is not None:
            return succeed(client)
        if self.state is State.OVER:
            return failed(self._reason)
        return self._waiting.wait(most)

    # -- starting and stopping ----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect."""
        self.state = State.RUNNING
        self._was_let_in = False
        self._told = ""
        self.failure, self.why = None, NOT_YET
        self._callbacks.run = self.run = runner()
        self._start = start = object()
        running = Deferred.fromCoroutine(self._run(start))
        running.addErrback(self._gave_up, start)
        if start is self._start:  # who was told of a failed attempt may have started it again
            self._running = running

    def begin_to_stop(self) -> None:
        """Make no further connection; the one that there is may stay."""
        self.state = State.STOPPING

    def stop(self, reason: Exception) -> None:
        """It is over, for this reason."""
        self.state = State.OVER
        self._running.cancel()
        self._end(reason)

    def _goes_on(self, start: object) -> bool:
        """Is it still the same start, and nobody has stopped it?

        To be asked after everything that users are told: they may stop it, and start it again.
        """
        return start is self._start and self.state is State.RUNNING

    def _gave_up(self, failure: Failure, start: object) -> None:
        error = failure.value
        if not isinstance(error, Exception):
            self.log.failure("a callback of the client ended it", failure)
            ended = StompError("a callback of the client ended it", repr(error))
            ended.__cause__ = error
            error = ended
            if self._goes_on(start):
                self.failure, self.why = error, str(error)
        if not self._goes_on(start):
            return
        refused = isinstance(error, LoginRefused) and is_final(error)
        hint = "; check login, passcode and host" if refused else ""
        self.log.error("the client gives up: {why}{hint}", why=self.why, hint=hint)
        self._end(error)

    def _end(self, reason: Exception) -> None:
        self.state = State.OVER
        self._client = None
        self._reason = reason
        waiting = self._waiting.take_all()  # without those who ask again, and those of the next start
        self._over(reason)
        for one in waiting:
            if not one.called:
                one.errback(Failure(reason))

    # -- while it lasts -----------------------------------------------------------------------------------

    async def _run(self, start: object) -> None:
        back_off = BackOff(self._retry, self._random)
        while self._goes_on(start):
            try:
                session = await self._brokers.connect(self.run)
                if not self._goes_on(start):
                    session.abort()
                    return
                self._was_let_in = True
                await self._resume(session)
            except Exception as error:
                if not self._goes_on(start):
                    return  # it was cancelled, or its connection was
                refused = is_final(error)
                wait = back_off.failed(refused and not self._brokers.may_be_back)
                over = (
                    (refused and not self._was_let_in)
                    or isinstance(error, ConfigurationError)  # it is the program that is wrong
                    or back_off.is_enough
                )
                self._attempt_failed(back_off.failures, error, None if over else wait)
                if over:
                    raise
            else:
                back_off.connected()
                began = self._clock.seconds()
                try:
                    self._is_up(session)
                except BaseException:
                    session.abort()
                    raise
                self._is_down(await session.status.when_gone())
                wait = back_off.lost(self._clock.seconds() - began)
            if self._goes_on(start):
                await deferLater(self._clock, wait)

    def _is_up(self, session: ClientSession) -> None:
        self._client = client = StompClient(session)
        for one in self._waiting.take_all():
            if not one.called:
                one.callback(client)
        self._callbacks.connected(client)

    def _is_down(self, reason: StompError | None) -> None:
        self._client = None
        self._lost(reason)
        self._callbacks.lost(reason)

    def _attempt_failed(self, failures: int, error: Exception, wait: float | None) -> None:
        """``wait`` -- seconds until the next one; None: there is none."""
        self.failure = error
        self.why = why = self._brokers.why(error)
        if wait is not None:
            # The first ones are told, and any other reason; of those that go on the same, fewer and fewer.
            same = _NUMBER.sub("", why)
            warns = same != self._told or failures & (failures - 1) == 0
            self._told = same
            self.log.emit(
                LogLevel.warn if warns else LogLevel.debug,
                "attempt {attempt} to connect failed: {why}; the next one follows in {wait:.3g} seconds",
                attempt=failures,
                why=why,
                wait=wait,
            )
        impatient = self._waiting.impatient(failures)  # not those of the next start
        self._callbacks.failed(error, failures)
        self._waiting.fail(impatient, error)
