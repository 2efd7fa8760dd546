"""StompClient, whose every operation is a Deferred, and how to get one: ``connect``."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from stomp_tx.client.arguments import no_transaction
from stomp_tx.client.default_logging import DEFAULT_LOGGING
from stomp_tx.client.deferred import ReportedDeferred, client_deferred, end_of_block, failed
from stomp_tx.client.endpoint import endpoint_of
from stomp_tx.client.event_loop import reactor_and_clock, runner
from stomp_tx.client.operations import Operations
from stomp_tx.client.session.consumer import Consumer
from stomp_tx.client.session.opening import open_session
from stomp_tx.client.session.session import ClientSession
from stomp_tx.client.session.transaction import Transaction
from stomp_tx.client.settings import settings_of
from stomp_tx.errors import NoConnection, StompError
from stomp_tx.wire.headers import Headers

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from stomp_tx.client.settings import ClientOptions


def connect(
    endpoint: IStreamClientEndpoint | str,
    *,
    reactor: Any = None,
    ca_file: str | None = None,
    **settings: Unpack[ClientOptions],
) -> Deferred[StompClient]:
    """A client whom the broker has answered with CONNECTED.

    endpoint -- ``"tcp:host:port"``, ``"tls:host:port"``, whatever else ``clientFromString`` takes, or an
        IStreamClientEndpoint.  ``tls:`` verifies the certificate and the host's name in it.
    reactor -- for the connection and all timers; None: the one that is installed, with a monotonic clock; in
        a running event loop of asyncio, one upon that loop
    ca_file -- for ``tls:``, a PEM file of the certificate authorities to believe instead of the platform's
    settings -- the fields of ClientSettings, and explained there: ``login="ann"``, ``passcode=...``

    Fails with LoginRefused when the broker answers with ERROR, NoConnection when nobody listens there,
    ConnectTimeout when it does not answer in time, TLSFailed when TLS is not agreed on (a certificate that is
    not trusted, for example), and ConnectionLost, which all but the first are, when the connection ends
    before for another reason.  ConfigurationError: a wrong argument.  Cancelling it cuts the connection.
    """
    try:
        reactor, clock = reactor_and_clock(reactor)
        DEFAULT_LOGGING.begin()
        checked = settings_of(settings, connect, "connect()")
        place = f" to {endpoint}" if isinstance(endpoint, str) else ""
        endpoint, named = endpoint_of(reactor, endpoint, ca_file)
        opening = open_session(endpoint, named, checked, clock, runner())
        return client_deferred(
            opening.addCallbacks(StompClient, _not_opened, errbackArgs=(place,)), ReportedDeferred
        )
    except StompError as error:
        return failed(error)


def _not_opened(failure: Failure, place: str) -> Failure:
    """Without the traceback of what goes on within: it is of no use to who has begun without a broker."""
    error = failure.value
    if not isinstance(error, StompError):
        return failure
    cause = error.__cause__
    if isinstance(error, NoConnection):
        error = NoConnection(f"no connection{place}: {error}")
        error.__cause__ = cause
    if cause is not None:
        cause.__traceback__ = None
    return Failure(error.with_traceback(None))


class StompClient(Operations):
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

    It is one connection: what connects again, and goes on, is a StompClientService.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    # -- what it is connected to --------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """The protocol version agreed on: "1.0", "1.1" or "1.2"."""
        return self._session.status.version

    @property
    def headers(self) -> Mapping[str, str]:
        """CONNECTED's headers: ``server``, ``session``, ``heart-beat``."""
        return self._session.status.headers

    @property
    def connected(self) -> bool:
        """Can something be sent?"""
        return not self._session.status.is_over

    def when_closed(self) -> Deferred[StompError | None]:
        """Fires once the connection is gone, with the reason: never fails, and may be asked for at any time.

        None: ``disconnect`` was called and the broker answered it.  Else ConnectionLost, ErrorReceived or
        ReceiptTimeout (of DISCONNECT), as a value.
        """
        return self._session.status.when_gone()

    def __repr__(self) -> str:
        session, status = self._session, self._session.status
        server = status.headers.get("server")
        broker = f"{status.peer} ({server!a})" if server else status.peer
        if not status.is_over:
            there = f"subscriptions: {len(session.subscriptions)}, receipts: {session.outgoing.receipts}"
            state = f"connected, {there}"
        elif status.reason is None:
            state = "disconnected"
        else:
            state = f"over: {status.reason}"
        return f"<StompClient {broker}, STOMP {status.version}, {state}>"

    # -- operations ---------------------------------------------------------------------------------------

    def send(
        self,
        destination: str,
        body: Any,
        *,
        content_type: str | None = None,
        headers: Headers | None = None,
        receipt: bool = False,
        transaction: Transaction | None = None,
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
        return self._session.outgoing.send(
            destination, body, content_type, headers, receipt=receipt, content_length=content_length
        )

    @property
    def _current(self) -> ClientSession:
        return self._session

    def _new_id(self) -> str:
        return self._session.subscriptions.new_id()

    def _subscribe(self, consumer: Consumer, receipt: bool) -> Deferred[None]:
        return self._session.subscriptions.subscribe(consumer, receipt)

    def _find(self) -> Deferred[ClientSession]:
        if self._session.status.is_over:
            return failed(self._session.status.lost())
        return succeed(self._session)

    # -- the end ------------------------------------------------------------------------------------------

    def disconnect(self) -> Deferred[None]:
        """Disconnect in order; fires when the connection is gone.

        Subscriptions end, handlers that are at work finish, outstanding receipts come; then DISCONNECT, whose
        RECEIPT says that the broker has got all that was sent.  Bounded by ``disconnect_timeout``: for what
        is under way, then for the RECEIPT; and a few seconds more for the broker to close.

        Fails with ConnectionLost or ReceiptTimeout when that RECEIPT did not come.  A client that is not
        connected any more has nothing to end: then it only waits for the connection to be gone.
        """
        return self._session.disconnect()

    async def __aenter__(self) -> StompClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await end_of_block(self.disconnect(), kind)
