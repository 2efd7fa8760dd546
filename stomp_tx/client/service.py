"""StompClientService: a client that connects again, and goes on where it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from inspect import isawaitable
from random import Random, SystemRandom
from types import TracebackType
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.client.answer import Answer, answer_of, failed
from stomp_tx.client.client import StompClient
from stomp_tx.client.endpoint import endpoint_from_string
from stomp_tx.client.loops import default_reactor
from stomp_tx.client.opening import open_session
from stomp_tx.client.operations import Operations
from stomp_tx.client.replayed import ReplayedTransaction
from stomp_tx.client.resuming import Resuming
from stomp_tx.client.retry import Retry
from stomp_tx.client.session import ClientSession
from stomp_tx.client.settings import ClientSettings
from stomp_tx.client.subscription import Subscription
from stomp_tx.client.window import Send, Window
from stomp_tx.clock import MonotonicClock
from stomp_tx.errors import ConfigurationError, ConnectionLost, StompError

Endpoint = IStreamClientEndpoint | str

Credentials = Callable[[], "tuple[str | None, str | None] | Awaitable[tuple[str | None, str | None]]"]
"""Gives login and passcode, or a Deferred or coroutine of them."""


class StompClientService(Operations, Service):
    """A connection to a STOMP broker that is made again whenever it is lost.

    It is a Twisted service; by itself, ``async with`` starts and stops it::

        async with StompClientService(["tcp:a.example:61613", "tcp:b.example:61613"]) as client:
            await client.subscribe("/queue/a", handler, ack="client-individual")
            await client.send("/queue/b", "hello")

    Its operations outlive connections.  On the next one it **resumes**, in this order:

    - Subscriptions are made again, with their ids and headers.  Loops over them go on.  What was not
      acknowledged comes again (``message.redelivered``); an ACK of a message of the old connection fails with
      StaleMessage, and never reaches the new one.
    - What was sent and not receipted is sent again, in its order: every ``send`` asks for a receipt, and is
      kept until that has come.  This project's broker, and Artemis, know a message by a name that it is sent
      with (``message-dedupe-id``), and keep it once; others may have it twice.  Brokers remember names for a
      while (here: ten minutes, ``engine_limits.dedupe_window``).

    What is asked for before it is started waits for that.

    ``send`` fires when there is room in the window for more, or with ``receipt=True`` when the broker has
    the message safe; while there is no connection it waits there.  An open transaction is lost with its
    connection, and fails with TransactionLost (but see ``transaction``); so does a ``request``, with
    ConnectionLost.

    An ERROR that names the receipt of a SEND or SUBSCRIBE fails that one, and the rest goes on over the next
    connection.  After an ERROR that names none, what is outstanding is sent one by one, to find which it is.
    """

    log = Logger()

    _lasts = True

    def __init__(
        self,
        endpoints: Endpoint | Sequence[Endpoint],
        settings: ClientSettings | None = None,
        *,
        credentials: Credentials | None = None,
        ca_file: str | None = None,
        retry: Retry | None = None,
        shuffle: bool = False,
        window: int = 1000,
        window_octets: int = 16 * 1024 * 1024,
        connected: Callable[[StompClient], object] | None = None,
        lost: Callable[[StompError | None], object] | None = None,
        reactor: Any = None,
        random: Random | None = None,
    ) -> None:
        """
        endpoints -- one, or several that are tried in turn, the next one first after a loss; see ``connect``
        settings -- what ``connect`` takes as keyword arguments
        credentials -- asked for login and passcode before each attempt: tokens expire.  Instead of those in
            the settings
        ca_file -- for ``tls:``; see ``connect``
        retry -- how long it waits between attempts, and whether it ever gives up
        shuffle -- try the endpoints in a random order
        window -- so many messages may wait for their receipts before ``send`` waits
        window_octets -- the same for the octets of their bodies
        connected -- called each time that it has resumed, with the client of that connection
        lost -- called once for each of those connections when it is lost, with the reason
        reactor -- for connections and all timers; None: the one that is installed, with a monotonic clock
        random -- for jitter and shuffling

        Raises ConfigurationError.
        """
        self._clock: IReactorTime = reactor
        if reactor is None:
            reactor = default_reactor()
            self._clock = MonotonicClock(reactor)
        self._settings = settings or ClientSettings()
        self._credentials = credentials
        self._retry = retry or Retry()
        self._random = random or SystemRandom()
        if isinstance(endpoints, str) or not isinstance(endpoints, Sequence):
            endpoints = [endpoints]
        if not endpoints:
            raise ConfigurationError("there is no endpoint to connect to")
        if window < 1 or window_octets < 1:
            raise ConfigurationError("the window must have room for a message")
        self._endpoints = [self._endpoint(one, reactor, ca_file) for one in endpoints]
        if shuffle:
            self._random.shuffle(self._endpoints)
        self._told = connected
        self._told_lost = lost
        self._window = Window(window, window_octets)
        self._resuming = Resuming(self._window)
        self._prefix = f"{self._random.getrandbits(96):024x}"
        self._names = 0
        self._sent = 0
        self._waiting: list[tuple[Deferred[StompClient], int | None]] = []
        self._running: Deferred[None] | None = None
        self._is_over = False  # it was stopped, or gave up; before it starts, what is asked for waits
        self._client: StompClient | None = None
        self._session = ClientSession.closed(
            self._settings, self._clock, ConnectionLost("not connected", "the service has not been started")
        )

    @staticmethod
    def _endpoint(
        endpoint: Endpoint, reactor: Any, ca_file: str | None
    ) -> tuple[IStreamClientEndpoint, str | None]:
        if isinstance(endpoint, str):
            return endpoint_from_string(reactor, endpoint, ca_file)
        return endpoint, None

    # -- how it is ----------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Has it a connection, over which it has resumed?"""
        return self._client is not None

    @property
    def unconfirmed(self) -> int:
        """How many messages (and transactions) the broker has not receipted yet."""
        return len(self._window)

    def whenConnected(self, failAfterFailures: int | None = None) -> Deferred[StompClient]:
        """The client of the connection that there is, or of the next one; see StompClient.

        Its operations are that connection's alone; ``headers`` and ``version`` tell of the broker.

        Fails after so many failed attempts in a row, if that is asked for, with what the last one failed
        with; and with CancelledError when the service is stopped.
        """
        if self._client is not None:
            return succeed(self._client)
        waiting: Deferred[StompClient] = Answer(self._wait_no_more)
        if self._is_over:
            waiting.cancel()
        else:
            self._waiting.append((waiting, failAfterFailures))
        return waiting

    def _wait_no_more(self, waiting: Deferred[StompClient]) -> None:
        self._waiting = [one for one in self._waiting if one[0] is not waiting]

    # -- starting and stopping ----------------------------------------------------------------------------

    def startService(self) -> None:
        """Begin to connect."""
        if self.running:
            return
        super().startService()
        self._is_over = False
        self._running = Deferred.fromCoroutine(self._keep_connected())
        self._running.addErrback(self._gave_up)

    def stopService(self) -> Deferred[None]:
        """Leave in order, and connect no more; fires when the connection is gone.

        Subscriptions end, handlers that are at work finish, receipts come, then DISCONNECT: bounded by the
        settings' ``disconnect_timeout``, as ``StompClient.disconnect``.  What has not been confirmed by then
        fails with ConnectionLost.
        """
        if not self.running:
            return succeed(None)
        super().stopService()
        self._resuming.stop()
        leaving = succeed(None) if self._session.is_over else self._session.disconnect()
        return answer_of(leaving.addBoth(self._stopped))

    def _stopped(self, _: object) -> None:
        if self._running is not None:
            self._running.cancel()
        self._end(ConnectionLost("the client was stopped", "its service was told to stop"))

    def _end(self, error: ConnectionLost) -> None:
        self._is_over = True
        self._client = None
        if self._session.reason is None or not self._session.is_over:
            self._session = ClientSession.closed(self._settings, self._clock, error)
        self._window.end(error)
        self._resuming.end()
        waiting, self._waiting = self._waiting, []
        for one, _ in waiting:
            one.errback(Failure(CancelledError()))

    async def __aenter__(self) -> StompClientService:
        """Start; goes on when it is connected."""
        self.startService()
        await self.whenConnected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        leaving = self.stopService()
        if kind is None:
            await leaving

    # -- connecting ---------------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                session = await self._connect()
                await self._resume(session)
            except CancelledError:
                raise
            except Exception as error:
                failures += 1
                self._attempt_failed(failures, error)
                if failures == self._retry.attempts:
                    raise
            else:
                began = self._clock.seconds()
                self._lost(await session.when_over())
                # Who is thrown out as soon as it has come in must not come at once each time.
                lasted = self._clock.seconds() - began >= self._retry.maximum
                failures = 1 if lasted else failures + 1
            await deferLater(self._clock, self._retry.wait(failures, self._random), lambda: None)

    async def _connect(self) -> ClientSession:
        """A session with one of the brokers; raises what the last one failed with."""
        settings = await self._with_credentials()
        error: Exception = ConfigurationError("there is no endpoint to connect to")
        for _ in self._endpoints:
            endpoint, named = self._endpoints[0]
            self._endpoints.append(self._endpoints.pop(0))  # the next one's turn, whatever comes of this one
            try:
                return await open_session(endpoint, named, settings, self._clock)
            except CancelledError:
                raise
            except Exception as why:
                self.log.info("no connection to {endpoint}: {why}", endpoint=named or endpoint, why=why)
                error = why
        raise error

    async def _with_credentials(self) -> ClientSettings:
        if self._credentials is None:
            return self._settings
        given = self._credentials()
        login, passcode = await given if isawaitable(given) else given
        return replace(self._settings, login=login, passcode=passcode)

    async def _resume(self, session: ClientSession) -> None:
        self._session = session
        try:
            await self._resuming.resume(session)
        except BaseException:
            session.abort()
            self._window.pause()
            await session.when_over()  # its end must not be taken for that of the next one
            raise
        self._client = StompClient(session)
        waiting, self._waiting = self._waiting, []
        for one, _ in waiting:
            one.callback(self._client)
        self._tell(self._told, self._client)

    def _lost(self, reason: StompError | None) -> None:
        self._client = None
        self._window.pause()
        self._resuming.lost(reason)
        self._tell(self._told_lost, reason)

    def _attempt_failed(self, failures: int, error: Exception) -> None:
        self.log.warn("attempt {failures} to connect failed: {error}", failures=failures, error=error)
        waiting, self._waiting = self._waiting, []
        for one, most in waiting:
            if most is not None and failures >= most:
                one.errback(Failure(error))
            else:
                self._waiting.append((one, most))

    def _gave_up(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        self.log.error("the client gives up: {error}", error=failure.getErrorMessage())
        Service.stopService(self)
        lost = ConnectionLost("the client has given up", failure.getErrorMessage())
        lost.__cause__ = failure.value
        self._end(lost)

    def _tell(self, user: Callable[[Any], object] | None, what: object) -> None:
        if user is not None:
            try:
                user(what)
            except Exception:
                self.log.failure("the callback {user!r} failed", user=user)

    # -- operations ---------------------------------------------------------------------------------------

    def _send(
        self,
        destination: str,
        body: Any,
        content_type: str | None,
        headers: Mapping[str, str] | None,
        receipt: bool,
        content_length: bool,
    ) -> Deferred[None]:
        if self._is_over:
            return failed(self._session.lost())
        try:
            entry = self._new_send(destination, body, content_type, headers, content_length)
        except (TypeError, ValueError, StompError) as error:
            return failed(error)
        return self._window.add(entry, receipt)

    def _new_send(
        self,
        destination: str,
        body: Any,
        content_type: str | None,
        headers: Mapping[str, str] | None,
        content_length: bool,
    ) -> Send:
        """What is sent is encoded now: the user may change it afterwards."""
        if not isinstance(body, (bytes, str)):
            body, content_type = self._session.outgoing.encoded(body, content_type)
        headers = dict(headers) if headers else None
        return Send(
            self._message_name(), len(body), (destination, body, content_type, headers, content_length)
        )

    def _message_name(self) -> str:
        self._sent += 1
        return f"{self._prefix}-{self._sent}"

    @property
    def _current(self) -> ClientSession:
        return self._session

    def _new_name(self) -> str:
        self._names += 1
        return f"s{self._names}"

    def _subscribe(self, subscription: Subscription, receipt: bool) -> Deferred[Subscription]:
        if self._is_over or (not self.running and not self._session.is_over):
            return failed(self._session.lost())
        return self._resuming.subscribe(subscription, receipt, self._session)

    def _find(self) -> Deferred[ClientSession]:
        if self._client is not None and not self._session.is_over:
            return succeed(self._session)
        return answer_of(self.whenConnected().addCallback(lambda _: self._session))

    def replayed_transaction(self) -> ReplayedTransaction:
        """A transaction that outlives its connection: it is kept here, and sent whole by ``commit``.

        Sent again, whole, when the connection is lost before the broker has receipted COMMIT.  It can hold
        messages to send, but no acknowledgements: those are of one connection.
        """
        return ReplayedTransaction(self._new_send, self._message_name, self._window)
