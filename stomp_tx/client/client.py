"""StompClient, whose every operation is a Deferred, and how to get one: ``connect``."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from stomp_tx.client.answer import failed
from stomp_tx.client.endpoint import endpoint_from_string
from stomp_tx.client.message import Message
from stomp_tx.client.session import ClientSession
from stomp_tx.client.settings import ClientSettings
from stomp_tx.client.subscription import Handler, Subscription
from stomp_tx.client.transaction import Transaction
from stomp_tx.clock import MonotonicClock
from stomp_tx.errors import ConfigurationError, ConnectTimeout, StompError
from stomp_tx.protocol import StompFrameProtocol
from stomp_tx.wire.limits import Limits

_DEFAULT = ClientSettings()


def connect(
    endpoint: IStreamClientEndpoint | str,
    *,
    reactor: Any = None,
    ca_file: str | None = None,
    login: str | None = None,
    passcode: str | None = None,
    host: str | None = None,
    versions: tuple[str, ...] = _DEFAULT.versions,
    heart_beat_ms: tuple[int, int] = _DEFAULT.heart_beat_ms,
    heart_beat_grace: float = _DEFAULT.heart_beat_grace,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = _DEFAULT.timeout,
    receipt_timeout: float | None = _DEFAULT.receipt_timeout,
    disconnect_timeout: float = _DEFAULT.disconnect_timeout,
    limits: Limits = _DEFAULT.limits,
) -> Deferred[StompClient]:
    """A client whom the broker has answered with CONNECTED.

    endpoint -- ``"tcp:host:port"``, ``"tls:host:port"``, whatever else ``clientFromString`` takes, or an
        IStreamClientEndpoint.  ``tls:`` verifies the certificate and the host's name in it.
    reactor -- for the connection and all timers; None: the one that is installed, with a monotonic clock
    ca_file -- for ``tls:``, a PEM file of the certificate authorities to believe instead of the platform's

    The other arguments are the fields of ClientSettings, and explained there.

    Fails with LoginRefused when the broker answers with ERROR, ConnectTimeout when it does not answer in
    time, ConnectionLost when the connection ends before (a certificate that is not believed, for example),
    and with Twisted's ConnectError when there can be no connection at all.  ConfigurationError: a wrong
    argument.  Cancelling it cuts the connection.
    """
    clock: IReactorTime = reactor
    if reactor is None:
        from twisted.internet import reactor

        clock = MonotonicClock(reactor)
    try:
        settings = ClientSettings(
            login=login,
            passcode=passcode,
            host=host,
            versions=versions,
            heart_beat_ms=heart_beat_ms,
            heart_beat_grace=heart_beat_grace,
            headers=headers or {},
            timeout=timeout,
            receipt_timeout=receipt_timeout,
            disconnect_timeout=disconnect_timeout,
            limits=limits,
        )
        named = None
        if isinstance(endpoint, str):
            endpoint, named = endpoint_from_string(reactor, endpoint, ca_file)
        elif ca_file is not None:
            raise ConfigurationError(
                "ca_file is for tls:host:port", "an endpoint object has its own authorities"
            )
        session = ClientSession(settings, clock, named)
        session.connect_frame("").encode()  # what can't be sent is known before there is a connection
    except StompError as error:
        return failed(error)
    connecting = Deferred.fromCoroutine(_open(endpoint, session, settings, clock))
    if timeout is not None:
        too_late = ConnectTimeout(f"no CONNECTED within {timeout:g} seconds")
        connecting.addTimeout(timeout, reactor, lambda failure, seconds: Failure(too_late))
    return connecting


async def _open(
    endpoint: IStreamClientEndpoint, session: ClientSession, settings: ClientSettings, clock: IReactorTime
) -> StompClient:
    await endpoint.connect(_OneConnection(session, settings, clock))
    await session.ready
    return StompClient(session)


class _OneConnection(Factory):
    """Builds the protocol of one session."""

    noisy = False

    def __init__(self, session: ClientSession, settings: ClientSettings, clock: IReactorTime) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock

    def buildProtocol(self, addr: IAddress | None) -> StompFrameProtocol:
        settings = self._settings
        protocol = StompFrameProtocol(
            self._session, clock=self._clock, limits=settings.limits, grace=settings.heart_beat_grace
        )
        protocol.factory = self
        return protocol


class StompClient:
    """A connection to a STOMP broker.

    Every operation gives a Deferred, to be awaited or yielded.  Without a receipt it fires when the
    transport takes more: awaiting each ``send`` is all that a producer needs for not outrunning the network.
    With ``receipt=True`` it fires when the broker's RECEIPT has come, and fails with ErrorReceived when an
    ERROR frame has come instead.

    When the connection is lost everything outstanding fails with ConnectionLost, and so does at once every
    operation after that; ``when_closed`` tells why.  An ERROR frame ends the connection too.

    As ``async with``, it disconnects at the end::

        async with await connect("tcp:127.0.0.1:61613") as client:
            await client.send("/queue/a", "hello", receipt=True)

    A client speaks through one ClientSession.  What will reconnect belongs between the two: it makes a new
    ClientSession, lets its ``ready`` fire, replays ``subscription.frame()`` for each subscription of the old
    one, and gives it to this client.  Messages and transactions keep the session they came from, so that an
    ACK of the old connection never reaches the new one.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    # -- what it is connected to --------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """The protocol version agreed on: "1.0", "1.1" or "1.2"."""
        return self._session.version

    @property
    def headers(self) -> Mapping[str, str]:
        """CONNECTED's headers: ``server``, ``session``, ``heart-beat``."""
        return self._session.headers

    @property
    def connected(self) -> bool:
        """Can something be sent?"""
        return not self._session.is_over

    def when_closed(self) -> Deferred[StompError | None]:
        """Fires once the connection is gone, with the reason: never fails, and may be asked for at any time.

        None: ``disconnect`` was called and the broker answered it.  Else ConnectionLost, ErrorReceived or
        ReceiptTimeout (of DISCONNECT), as a value.
        """
        return self._session.when_over()

    # -- sending ------------------------------------------------------------------------------------------

    def send(
        self,
        destination: str,
        body: bytes | str,
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        receipt: bool = False,
        transaction: Transaction | None = None,
        content_length: bool = True,
    ) -> Deferred[None]:
        """Send a message.

        body -- text is encoded as UTF-8, and its content-type is text/plain where none is given
        receipt -- wait for the broker to say that it has the message safe
        content_length -- False leaves that header out: ActiveMQ makes a TextMessage of it then, not a
            BytesMessage.  A body with NUL can't be sent so.

        Fails with FrameError for what can't be sent in this protocol version; nothing was sent then.
        """
        if transaction is not None:
            return transaction.send(
                destination,
                body,
                content_type=content_type,
                headers=headers,
                receipt=receipt,
                content_length=content_length,
            )
        return self._session.outgoing.send(
            destination, body, content_type, headers, receipt, None, content_length
        )

    # -- receiving ----------------------------------------------------------------------------------------

    def subscribe(
        self,
        destination: str,
        handler: Handler | None = None,
        *,
        ack: str = "auto",
        id: str | None = None,
        prefetch: int | None = None,
        headers: Mapping[str, str] | None = None,
        receipt: bool = True,
    ) -> Deferred[Subscription]:
        """Subscribe; fires with the Subscription when the broker says that it is in force.

        handler -- called with each Message; it may be ``async def`` or return a Deferred.  One that raises is
            logged, and where ack is not auto the message is NACKed (in 1.0, which has no NACK, it stays
            unacknowledged).
            None: the Subscription is iterated (``async for``), or asked for its ``next`` message.
        ack -- auto: nothing to acknowledge.  client-individual: each message is.  client: each ACK or NACK
            covers all messages of the subscription that came before, too.
        id -- None: one is made up
        prefetch -- how many messages may be here unacknowledged; None: 100, but no limit for a handler with
            ack="auto"; 0: no limit.  With ack="client" acknowledge before there are that many.  Subscription
            says what it means for ack="auto".
        receipt -- False for a broker that sends no RECEIPT: fires when SUBSCRIBE has been sent
        """
        if ack not in ("auto", "client", "client-individual"):
            return failed(ValueError(f"ack is auto, client or client-individual, not {ack!r}"))
        session = self._session
        name = session.new_name() if id is None else id
        subscription = Subscription(session, name, destination, ack, handler, prefetch, headers)
        return session.subscribe(subscription, receipt)

    def unsubscribe(
        self,
        subscription: Subscription,
        *,
        receipt: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Deferred[None]:
        """End a subscription: no message reaches its handler, or its loop, from now on.

        What has not been acknowledged goes to others, and can't be acknowledged any more.
        """
        return subscription.unsubscribe(receipt=receipt, headers=headers)

    def ack(
        self,
        message: Message,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Deferred[None]:
        """Acknowledge a message: the broker forgets it.

        Fails with ProtocolViolation, and sends nothing, for a message that has been acknowledged already, or
        whose subscription has ended or has ack="auto".  Fails with ConnectionLost for one that came over a
        connection that has ended: the broker gives it to somebody else.
        """
        return message.ack(receipt=receipt, transaction=transaction, headers=headers)

    def nack(
        self,
        message: Message,
        *,
        receipt: bool = False,
        transaction: Transaction | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Deferred[None]:
        """Refuse a message: what becomes of it is the broker's rule.  1.0 has no NACK.  Fails as ``ack``."""
        return message.nack(receipt=receipt, transaction=transaction, headers=headers)

    # -- transactions, the end ----------------------------------------------------------------------------

    def transaction(self) -> Transaction:
        """A new transaction: for ``async with``, or to ``begin``."""
        return Transaction(self._session, self._session.new_name())

    def disconnect(self) -> Deferred[None]:
        """Leave in order; fires when the connection is gone.

        Subscriptions end, handlers that are at work finish, outstanding receipts come; then DISCONNECT, whose
        RECEIPT says that the broker has got all that was sent.  Bounded by ``disconnect_timeout``: for what
        is under way, then for the RECEIPT; and a few seconds more for the broker to close.

        Fails with ConnectionLost or ReceiptTimeout when that RECEIPT did not come.  A client that is not
        connected any more has nothing to leave: then it only waits for the connection to be gone.
        """
        return self._session.disconnect()

    async def __aenter__(self) -> StompClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        leaving = self.disconnect()
        if kind is None:
            await leaving
        else:
            leaving.addErrback(lambda _: None)  # the error that is under way is what matters
