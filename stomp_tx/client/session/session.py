"""ClientSession: one connection's conversation with a broker, as a table of state x command -> handler."""

from __future__ import annotations

import enum
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from stomp_tx.client.deferred import ClientDeferred
from stomp_tx.client.dialect import is_temporary
from stomp_tx.client.event_loop import Run
from stomp_tx.client.session import connection_loss
from stomp_tx.client.session.consumer import Consumer
from stomp_tx.client.session.disconnecting import Disconnecting
from stomp_tx.client.session.handshake import Handshake
from stomp_tx.client.session.outgoing import Outgoing
from stomp_tx.client.session.receipts import Receipts
from stomp_tx.client.session.requests import Requests
from stomp_tx.client.session.status import Status
from stomp_tx.client.session.subscriptions import Subscriptions
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import (
    ConnectionLost,
    ErrorReceived,
    LoginRefused,
    ProtocolViolation,
    ReceiptTimeout,
    StompError,
)
from stomp_tx.interfaces import IFrameReceiver, IFrameSender
from stomp_tx.wire import frames
from stomp_tx.wire.commands import SERVER_COMMANDS
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers


class State(enum.Enum):
    """Where the conversation is."""

    CONNECTING = "waiting for CONNECTED"
    CONNECTED = "open"
    DISCONNECTING = "waiting for the RECEIPT of DISCONNECT"
    CLOSED = "over"


class ClientSession:
    """One conversation, from CONNECT to its end; it is not used again.

    settings, clock -- see there
    run -- runs users' coroutines: as Twisted does, or as tasks of asyncio
    host -- CONNECT's ``host`` where the settings have none; None: the peer's address

    ``ready`` fires when the broker has answered with CONNECTED; it fails with LoginRefused when it answered
    with ERROR, and with ConnectionLost for everything else.  Cancelling it cuts the connection.

    However it ends, it ends once: first the state is CLOSED and nothing is outstanding any more, then those
    are told who waited.  What was outstanding fails with ConnectionLost; where an ERROR frame named a
    receipt, the one who waits for that gets ErrorReceived.
    """

    log = Logger()

    _sender: IFrameSender

    def __init__(
        self,
        settings: ClientSettings,
        clock: IReactorTime,
        run: Run = Deferred.fromCoroutine,
        host: str | None = None,
    ) -> None:
        self.state = State.CONNECTING
        self.status = Status()
        self.clock = clock
        self.run = run
        self.ready: Deferred[None] = ClientDeferred(self._give_up)
        self.handshake = Handshake(settings, host)
        self._handlers = HANDLERS[State.CONNECTING]
        self._receipts = Receipts(clock, settings.receipt_timeout)
        self.outgoing = Outgoing(self.status, settings.codecs, self._receipts)
        self.subscriptions = Subscriptions(self.outgoing, "client-id" in settings.headers)
        self._disconnecting = Disconnecting(
            clock,
            settings.disconnect_timeout,
            self._receipts,
            self.subscriptions.stop,
            self._say_disconnect,
            self._end_by_ourselves,
        )
        self.active_work = self._disconnecting.active_work
        self.requests = Requests(self, self.subscriptions)

    def _become(self, state: State) -> None:
        self.state = state
        self._handlers = HANDLERS[state]
        self.status.is_over = state in (State.CLOSED, State.DISCONNECTING)

    # -- what the protocol calls --------------------------------------------------------------------------

    def connected(self, sender: IFrameSender) -> None:
        self._sender = self.outgoing.sender = sender
        peer = sender.peer()
        host, port = getattr(peer, "host", None), getattr(peer, "port", "")
        self.status.peer = f"{host}:{port}" if host else str(peer)
        if self.state is State.CLOSED:
            sender.abort()  # given up meanwhile
        else:
            sender.send_frame(self.handshake.connect_frame(host or "/"))

    def frame_received(self, frame: Frame) -> None:
        try:
            handler = self._handlers.get(frame.command)
            if handler is not None:
                handler(self, frame)
            elif self.state is not State.CLOSED:
                raise self._unexpected(frame)
        except StompError as error:
            self.frame_failed(error)
            self._sender.disconnect()
        except Exception:
            failure = Failure()
            self.log.failure("could not handle {frame}", failure, frame=frame.command)
            self.frame_failed(StompError("internal error", failure.getErrorMessage()))
            self._sender.disconnect()

    def frame_failed(self, error: StompError) -> None:
        self._end(connection_loss.given_up(error))

    def paused(self) -> None:
        pass  # who sends sees sender.full

    def resumed(self) -> None:
        self.outgoing.resumed()

    def flushed(self) -> None:
        self.outgoing.flushed()

    def input_ended(self, error: StompError | None) -> None:
        self._lose(Failure(error or ConnectionDone()))  # without the broker's word nothing more can be known
        self._sender.disconnect()

    def disconnected(self, reason: Failure) -> None:
        self._lose(reason)
        self.status.gone()

    def _lose(self, reason: Failure) -> None:
        has_tls = self._sender.peer_certificate() is not None
        self._end(connection_loss.ended(reason, self.state is State.CONNECTING, has_tls))

    # -- CONNECTED, MESSAGE, RECEIPT, ERROR ---------------------------------------------------------------

    def _unexpected(self, frame: Frame) -> ProtocolViolation:
        if frame.command not in SERVER_COMMANDS:
            return ProtocolViolation("unknown command", f"{frame.command[:20]!a} is no command of a broker")
        return ProtocolViolation(f"unexpected {frame.command}", f"the session is {self.state.value}")

    def _connected(self, frame: Frame) -> None:
        self.handshake.agree(frame, self.status, self._sender)
        self._become(State.CONNECTED)
        self.ready.callback(None)

    def _refused(self, frame: Frame) -> None:
        refusal = LoginRefused(connection_loss.words_of(frame), frame.headers, frame.body)
        refusal.is_temporary = is_temporary(refusal)
        self._end(refusal)
        self._sender.disconnect()

    def _message(self, frame: Frame) -> None:
        self.subscriptions.received(frame)

    def _receipt(self, frame: Frame) -> None:
        answer = self._receipts.forget(frame.headers.get("receipt-id", ""))
        if answer is not None:
            answer.callback(None)
            self._disconnecting.go_on()

    def _error(self, frame: Frame) -> None:
        """STOMP 1.2, "ERROR": the broker closes the connection; one that does not is left all the same."""
        if self.subscriptions.is_late(frame):
            return
        error = ErrorReceived(connection_loss.words_of(frame), frame.headers, frame.body)
        answer = self._receipts.forget(frame.headers.get("receipt-id", ""))
        self._end(error, answer)
        self._sender.disconnect()

    # -- the end ------------------------------------------------------------------------------------------

    def _end(self, reason: StompError | None, answer: Deferred[None] | None = None) -> None:
        """The conversation is over.  ``answer`` waits for what ``reason``, an ERROR, is about."""
        if self.state is State.CLOSED:
            return
        connecting = self.state is State.CONNECTING
        self._become(State.CLOSED)
        status = self.status
        status.reason = reason
        status.names_receipt = answer is not None
        self._disconnecting.stop()
        consumers = self.subscriptions.take_all()
        if reason is not None:
            for consumer in consumers:
                consumer.goes_stale()  # before anybody is told of anything
        if connecting:
            self.ready.errback(Failure(reason if isinstance(reason, LoginRefused) else status.lost()))
        elif reason is not None:
            self.log.warn("the connection to {peer} ended: {reason}", peer=status.peer, reason=reason)
        if answer is not None and reason is not None:
            answer.errback(Failure(reason))
        self.outgoing.end()
        self.requests.end()
        for consumer in consumers:
            consumer.end(reason)

    @classmethod
    def closed(cls, settings: ClientSettings, clock: IReactorTime, reason: StompError) -> ClientSession:
        """One that is over, and never was."""
        session = cls(settings, clock)
        session._become(State.CLOSED)
        session.status.reason = reason
        session.status.gone()
        return session

    def _give_up(self, ready: Deferred[None]) -> None:
        """``ready`` was cancelled; nothing else is outstanding yet."""
        self._become(State.CLOSED)
        self.status.reason = ConnectionLost("connecting was given up")
        if hasattr(self, "_sender"):
            self._sender.abort()

    def abort(self) -> None:
        """Cut the connection, unless it is over."""
        if not self.status.is_over:
            self._sender.abort()

    def unsubscribe(
        self, consumer: Consumer, receipt: bool, forget: bool, headers: Headers | None
    ) -> Deferred[None]:
        """End a subscription."""
        return self.subscriptions.unsubscribe(consumer, receipt, forget, headers)

    # -- DISCONNECT ---------------------------------------------------------------------------------------

    def disconnect(self) -> Deferred[None]:
        """See StompClient.disconnect."""
        if self.state is State.CLOSED:
            return self.status.when_gone().addCallback(lambda _: None)
        self._disconnecting.begin()

        def over(reason: StompError | None) -> None:
            if reason is not None:
                raise reason if isinstance(reason, ReceiptTimeout) else self.status.lost()

        answer: Deferred[None] = ClientDeferred()
        self.status.when_gone().addCallback(over).chainDeferred(answer)
        return answer

    def _say_disconnect(self) -> Deferred[None]:
        said = self.outgoing.perform(frames.disconnect(), True)
        self._become(State.DISCONNECTING)
        return said

    def _end_by_ourselves(self, reason: StompError | None) -> None:
        """It is over; None: as it should be.  What was said goes out, unless it went wrong."""
        self._end(reason)
        if reason is None:
            self._sender.disconnect()
        else:
            self._sender.abort()


classImplements(ClientSession, IFrameReceiver)

Handler = Callable[[ClientSession, Frame], None]

_OPEN: dict[str, Handler] = {
    "MESSAGE": ClientSession._message,
    "RECEIPT": ClientSession._receipt,
    "ERROR": ClientSession._error,
}

HANDLERS: dict[State, dict[str, Handler]] = {
    State.CONNECTING: {"CONNECTED": ClientSession._connected, "ERROR": ClientSession._refused},
    State.CONNECTED: _OPEN,
    State.DISCONNECTING: _OPEN,
    State.CLOSED: {},
}
"""What may come in each state; what is absent ends the session, and a closed one is read no further."""
