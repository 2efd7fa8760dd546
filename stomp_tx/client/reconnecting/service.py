"""StompClientService: a client that connects again, and goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from stomp_tx.client.arguments import NOTHING, must_be, must_be_callable, no_transaction
from stomp_tx.client.client import StompClient
from stomp_tx.client.default_logging import DEFAULT_LOGGING
from stomp_tx.client.deferred import ClientDeferred, LoggedDeferred, client_deferred, end_of_block, failed
from stomp_tx.client.event_loop import default_reactor, reactor_and_clock
from stomp_tx.client.operations import Operations
from stomp_tx.client.reconnecting.brokers import Brokers, Credentials, Endpoint
from stomp_tx.client.reconnecting.callbacks import Callbacks
from stomp_tx.client.reconnecting.connecting import Connecting, State
from stomp_tx.client.reconnecting.replayed import ReplayedTransaction
from stomp_tx.client.reconnecting.resuming import Resuming
from stomp_tx.client.reconnecting.retry import Retry
from stomp_tx.client.reconnecting.sends import SendFactory
from stomp_tx.client.reconnecting.unconfirmed import UnconfirmedSends
from stomp_tx.client.session.consumer import Consumer
from stomp_tx.client.session.session import ClientSession
from stomp_tx.client.session.transaction import Transaction
from stomp_tx.client.settings import settings_of
from stomp_tx.errors import ConfigurationError, ConnectionLost, ConnectTimeout, StompError
from stomp_tx.wire.headers import Headers

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from stomp_tx.client.settings import ClientOptions


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

    What is asked for before it is started waits for that.  After it was stopped, or has given up, all fails
    with ConnectionLost.

    ``send`` fires when there is room in the window for more, or with ``receipt=True`` when the broker has
    the message safe; while there is no connection it waits there.  It fails with
    LimitExceeded when ten times as much waits as the window has room for: await each ``send``.

    An open transaction is lost with its connection, and fails with TransactionLost (but see
    ``replayed_transaction``); so does a ``request``, with ConnectionLost.

    An ERROR that names the receipt of a SEND or SUBSCRIBE fails that one, and the rest goes on over the next
    connection.  This project's broker names it always, where there is one.  After an ERROR of another broker
    that names none, what is outstanding is sent one by one, and only what ends connections that live without
    it is failed for that.  An end that is about no frame fails nothing.
    """

    _lasts = True

    def __init__(
        self,
        endpoints: Endpoint | Sequence[Endpoint],
        *,
        credentials: Credentials | None = None,
        ca_file: str | None = None,
        retry: Retry | None = None,
        shuffle: bool = False,
        window: int = 1000,
        window_octets: int = 16 * 1024 * 1024,
        connect_within: float | None = 90.0,
        on_connected: Callable[[StompClient], object] | None = None,
        on_lost: Callable[[StompError | None], object] | None = None,
        on_failed: Callable[[Exception, int], object] | None = None,
        reactor: Any = None,
        random: Random | None = None,
        **settings: Unpack[ClientOptions],
    ) -> None:
        """
        endpoints -- one, or several that are tried in turn, the next one first after a loss; see ``connect``
        credentials -- asked for login and passcode before each attempt: tokens expire.  Instead of those in
            the settings
        ca_file -- for ``tls:``; see ``connect``
        retry -- how long it waits between attempts, and whether it ever gives up
        connect_within -- seconds after which ``async with`` fails with ConnectTimeout when there was no
            connection yet, which says what the last attempt failed with; None: it waits as long as it takes
        shuffle -- try the endpoints in a random order
        window -- so many messages may wait for their receipts before ``send`` waits
        window_octets -- the same for the octets of their bodies
        on_connected -- called each time that it has resumed, with the client of that connection; may be
            ``async def``
        on_lost -- called once for each of those connections when it is lost, with the reason (None: it was
            left in order); may be ``async def``
        on_failed -- called for each attempt to connect that failed, with what it failed with, and the number
            of those that failed in a row; may be ``async def``
        reactor -- for connections and all timers; None: the one that is installed, with a monotonic clock
        random -- for jitter and shuffling
        settings -- the fields of ClientSettings, and explained there

        Raises ConfigurationError.
        """
        for name, number in (("window", window), ("window_octets", window_octets)):
            must_be(name, number, (int,), "a whole number")
        must_be("connect_within", connect_within, (int, float, NOTHING), "a number of seconds, or None")
        must_be("retry", retry, (Retry, NOTHING), "a Retry, or None")
        must_be_callable("credentials", credentials)
        callbacks = Callbacks(on_connected, on_lost, on_failed)
        if window < 1 or window_octets < 1:
            raise ConfigurationError("the window must have room for a message")
        if connect_within is not None and connect_within <= 0:
            raise ConfigurationError("connect_within must be more than 0, or None for no limit")
        self._connect_within = connect_within
        self._is_default = reactor is None
        reactor, self._clock = reactor_and_clock(reactor)
        self._settings = settings_of(settings, StompClientService.__init__, "StompClientService")
        random = random or SystemRandom()
        brokers = Brokers(endpoints, reactor, self._clock, ca_file, self._settings, credentials)
        if shuffle:
            random.shuffle(brokers.places)
        self._connecting = Connecting(
            brokers,
            retry or Retry(),
            self._clock,
            random,
            self._resume,
            self._lost,
            self._over,
            callbacks,
        )
        self._unconfirmed = UnconfirmedSends(window, window_octets)
        self._resuming = Resuming(self._unconfirmed, self._clock, self._settings.connect_timeout)
        self._send_factory = SendFactory(self._settings.codecs, random)
        self._ids = 0
        self._stoppers: list[Deferred[None]] = []
        self._starters: list[Deferred[StompClient]] = []
        self._session = self._no_session(ConnectionLost("not connected", "the service has not been started"))

    def _no_session(self, why: ConnectionLost) -> ClientSession:
        return ClientSession.closed(self._settings, self._clock, why)

    # -- how it is ----------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Has it a connection, over which it has resumed?"""
        return self._connecting.client is not None

    @property
    def unconfirmed(self) -> int:
        """How many messages (and transactions) the broker has not receipted yet."""
        return len(self._unconfirmed)

    def whenConnected(self, failAfterFailures: int | None = None) -> Deferred[StompClient]:
        """The client of the connection that there is, or of the next one; see StompClient.

        Its operations are that connection's alone; ``headers`` and ``version`` tell of the broker.

        Fails after so many failed attempts in a row, if that is asked for, or when the service gives up, with
        what the last one failed with: with LoginRefused when the login was refused before there was any
        connection, by one broker at least, and all others were tried.  And with ConnectionLost when the
        service is stopped.
        """
        return self._connecting.when_connected(failAfterFailures)

    def __repr__(self) -> str:
        connecting = self._connecting
        if self.connected:
            state = f"connected to {self._session.status.peer}"
        elif connecting.state is State.RUNNING:
            state = f"connecting: {connecting.why}"
        else:
            state = connecting.state.value
        counts = f"subscriptions: {len(self._resuming)}, unconfirmed: {self.unconfirmed}"
        return f"<StompClientService {connecting.places}, {state}, {counts}>"

    # -- starting and stopping ----------------------------------------------------------------------------

    def startService(self) -> Deferred[StompClient]:
        """Begin to connect; while it is still being stopped, once it is.

        Fires when it is connected, and fails as ``whenConnected``.  Nobody has to look: that the service
        gives up is logged, and ``on_failed`` is told why.  Raises ConfigurationError in an event loop
        of asyncio that is not the reactor's.
        """
        if not self.running:
            if self._is_default:
                default_reactor()  # raises when it is not the one of the event loop that runs now
            DEFAULT_LOGGING.begin()
            super().startService()
            if self._connecting.state is not State.STOPPING:
                self._begin()
        starting: Deferred[StompClient] = LoggedDeferred()
        if self._connecting.state is State.STOPPING:
            self._starters.append(starting)
        else:
            self.whenConnected().chainDeferred(starting)
        return starting

    def _begin(self) -> None:
        self._unconfirmed.begin()
        self._connecting.start()

    def stopService(self) -> Deferred[None]:
        """Disconnect in order, and connect no more; fires when the connection is gone.

        Subscriptions end, handlers that are at work finish, receipts come, then DISCONNECT: bounded by the
        settings' ``disconnect_timeout``, as ``StompClient.disconnect``.  What has not been confirmed by then
        fails with ConnectionLost.  The Deferred itself never fails.
        """
        if self.running:
            super().stopService()
        if self._connecting.state not in (State.RUNNING, State.STOPPING):
            return succeed(None)
        stopped: Deferred[None] = ClientDeferred()
        self._stoppers.append(stopped)
        if self._connecting.state is State.RUNNING:
            self._connecting.begin_to_stop()
            self._resuming.stop()
            disconnecting = succeed(None) if self._session.status.is_over else self._session.disconnect()
            disconnecting.addBoth(self._disconnected)
        return stopped

    def _disconnected(self, _: object) -> None:
        self._connecting.stop(ConnectionLost("the client was stopped", "its service was told to stop"))
        stoppers, self._stoppers = self._stoppers, []
        starters, self._starters = self._starters, []
        # It may have been started again: while it was being stopped, or by who was told that it is over.
        if self.running and self._connecting.state is State.OVER:
            self._begin()
        for starting in starters:
            self.whenConnected().chainDeferred(starting)
        for stopped in stoppers:
            stopped.callback(None)

    def _over(self, reason: Exception) -> None:
        lost = reason if isinstance(reason, ConnectionLost) and self._stoppers else None
        if lost is None:
            lost = ConnectionLost(f"the client has given up: {self._connecting.why}")
            lost.__cause__ = reason
        if not self._stoppers:
            Service.stopService(self)
        self._session = self._no_session(lost)
        self._unconfirmed.end(lost)
        self._resuming.end(None if self._stoppers else lost)

    async def __aenter__(self) -> StompClientService:
        """Start; goes on when it is connected.

        Raises what ``whenConnected`` fails with, and ConnectTimeout when there is no connection within
        ``connect_within`` seconds.
        """
        self.startService()
        connected = self.whenConnected()
        if self._connect_within is not None:
            connected.addTimeout(self._connect_within, self._clock, self._too_late)
        try:
            await connected
        except BaseException:
            self.stopService()
            raise
        return self

    def _too_late(self, _: object, seconds: float) -> Failure:
        late = ConnectTimeout(f"not connected within {seconds:g} seconds: {self._connecting.why}")
        late.__cause__ = self._connecting.failure
        return Failure(late)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await end_of_block(self.stopService(), kind)

    # -- what the connecting part tells -------------------------------------------------------------------

    async def _resume(self, session: ClientSession) -> None:
        self._session = session
        try:
            await self._resuming.resume(session)
        except Exception:
            session.abort()
            self._unconfirmed.pause()
            await session.status.when_gone()  # its end must not be taken for that of the next one
            raise

    def _lost(self, reason: StompError | None) -> None:
        self._unconfirmed.pause()
        self._resuming.lost(self._session)

    # -- operations ---------------------------------------------------------------------------------------

    def send(
        self,
        destination: str,
        body: Any,
        *,
        content_type: str | None = None,
        headers: Headers | None = None,
        receipt: bool = False,
        transaction: Transaction | ReplayedTransaction | None = None,
        content_length: bool = True,
    ) -> Deferred[None]:
        if transaction is not None:
            if (wrong := no_transaction(transaction)) is not None:
                return failed(wrong)
            return transaction.send(
                destination,
                body,
                content_type=content_type,
                headers=headers,
                receipt=receipt,
                content_length=content_length,
            )
        try:
            entry = self._send_factory.new(destination, body, content_type, headers, content_length)
        except Exception as error:  # it is made of what a user gave
            return failed(error)
        return self._unconfirmed.add(entry, receipt)

    @property
    def _current(self) -> ClientSession:
        return self._session

    def _new_id(self) -> str:
        while True:
            self._ids += 1
            id = f"s{self._ids}"
            if not self._resuming.is_known(id):  # users may have ids like these
                return id

    def _subscribe(self, consumer: Consumer, receipt: bool) -> Deferred[None]:
        if self._connecting.state in (State.STOPPING, State.OVER):
            return failed(self._session.status.lost())
        return self._resuming.subscribe(consumer, receipt, self._session)

    def _find(self) -> Deferred[ClientSession]:
        if self.connected and not self._session.status.is_over:
            return succeed(self._session)

        def none(failure: Failure) -> Failure:
            return failure if failure.check(CancelledError) else Failure(self._session.status.lost())

        return client_deferred(self.whenConnected().addCallbacks(lambda _: self._session, none))

    def replayed_transaction(self) -> ReplayedTransaction:
        """A transaction that outlives its connection: it is kept here, and sent whole by ``commit``.

        Sent again, whole, when the connection is lost before the broker has receipted COMMIT.  It can hold
        messages to send, but no acknowledgements: those are of one connection.
        """
        return ReplayedTransaction(self._send_factory, self._unconfirmed)
