"""ClientSession: one connection's conversation with a broker, as a table of state x command -> handler."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from stomp_tx.client.deferred import ClientDeferred, failed
from stomp_tx.client.dialect import UNKNOWN, dialect_of, is_temporary
from stomp_tx.client.event_loop import Run
from stomp_tx.client.session import connection_loss
from stomp_tx.client.session.disconnecting import Disconnecting
from stomp_tx.client.session.outgoing import Outgoing
from stomp_tx.client.session.receipts import Receipts
from stomp_tx.client.session.requests import Requests
from stomp_tx.client.session.subscription import Subscription
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import (
    ConfigurationError,
    ConnectionLost,
    ErrorReceived,
    FrameError,
    LoginRefused,
    ProtocolViolation,
    ReceiptTimeout,
    StompError,
    VersionMismatch,
)
from stomp_tx.interfaces import IFrameReceiver, IFrameSender
from stomp_tx.wire import frames
from stomp_tx.wire.booleans import odd_boolean
from stomp_tx.wire.commands import SERVER_COMMANDS, V10
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers
from stomp_tx.wire.negotiation import heart_beat_interval, parse_heart_beat

ENDED = 1000
"""Subscriptions that have ended, of which it is remembered."""


class State(enum.Enum):
    """Where the conversation is."""

    CONNECTING = "waiting for CONNECTED"
    CONNECTED = "open"
    DISCONNECTING = "waiting for the RECEIPT of DISCONNECT"
    CLOSED = "over"


@implementer(IFrameReceiver)
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
        self.is_over = False
        """Can nothing be said any more?"""
        self.version: str = V10
        self.headers: Mapping[str, str] = {}
        """CONNECTED's headers."""
        self.dialect = UNKNOWN
        self.codecs = settings.codecs
        self.requests = Requests(self)
        self.reason: StompError | None = None
        self.names_receipt = False
        """Is the reason an ERROR about something that asked for a receipt, and which one is known?"""
        """Why it ended; None while it has not, and when disconnect() was called and answered."""
        self.subscriptions: dict[str, Subscription] = {}
        self.calls: dict[object, None] = {}
        """Calls of handlers that have not finished."""
        self.ready: Deferred[None] = ClientDeferred(self._give_up)
        self._settings = settings
        self.clock = clock
        self.run = run
        self._host = settings.host if settings.host is not None else host
        self._handlers = HANDLERS[State.CONNECTING]
        self._receipts = Receipts(clock, settings.receipt_timeout)
        self.outgoing = Outgoing(self, self._receipts)
        self._is_gone = False
        self._has_told = False  # of a header that is ignored
        self._wait_for_end: list[Deferred[StompError | None]] = []
        self._disconnecting = Disconnecting(self, settings.disconnect_timeout)
        self._names = 0
        self._ended: dict[str, None] = {}  # subscriptions that are over, where late messages are errors
        self._held: list[Frame] = []  # messages that nobody is given yet

    def _become(self, state: State) -> None:
        self.state = state
        self._handlers = HANDLERS[state]
        self.is_over = state in (State.CLOSED, State.DISCONNECTING)

    @property
    def is_waiting(self) -> bool:
        """Is a RECEIPT outstanding?"""
        return len(self._receipts) > 0

    def new_name(self) -> str:
        """A name for a subscription or a transaction: no other one of this session has it."""
        while True:
            self._names += 1
            name = f"{self._names}"
            if name not in self.subscriptions:  # users may have names like these
                return name

    def connect_frame(self, peer: str = "") -> Frame:
        """The CONNECT frame.

        peer -- the ``host``, where none is known
        """
        settings = self._settings
        return frames.connect(
            peer if self._host is None else self._host,
            accept_version=",".join(settings.versions),
            login=settings.login,
            passcode=settings.passcode,
            heart_beat=settings.heart_beat_ms,
            headers=settings.headers,
        )

    # -- what the protocol calls --------------------------------------------------------------------------

    def connected(self, sender: IFrameSender) -> None:
        self._sender = self.outgoing.sender = sender
        if self.state is State.CLOSED:
            sender.abort()  # given up meanwhile
        else:
            sender.send_frame(self.connect_frame(getattr(sender.peer(), "host", None) or "/"))

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
        self._is_gone = True
        while self._wait_for_end:
            self._wait_for_end.pop(0).callback(self.reason)

    def _lose(self, reason: Failure) -> None:
        has_tls = self._sender.peer_certificate() is not None
        self._end(connection_loss.ended(reason, self.state is State.CONNECTING, has_tls))

    # -- CONNECTED, MESSAGE, RECEIPT, ERROR ---------------------------------------------------------------

    def _unexpected(self, frame: Frame) -> ProtocolViolation:
        if frame.command not in SERVER_COMMANDS:
            return ProtocolViolation("unknown command", f"{frame.command[:20]!a} is no command of a broker")
        return ProtocolViolation(f"unexpected {frame.command}", f"the session is {self.state.value}")

    def _connected(self, frame: Frame) -> None:
        headers = frame.headers
        version = headers.get("version", V10).strip()
        if version not in self._settings.versions:
            offered = ", ".join(self._settings.versions)
            raise VersionMismatch(f"the broker chose version {version[:20]!a}", f"offered were {offered}")
        we_send, we_want = self._settings.heart_beat_ms
        it_sends, it_wants = parse_heart_beat(headers.get("heart-beat"))
        self._sender.version = self.version = version
        self.headers = headers
        self.dialect = dialect = dialect_of(headers.get("server"))
        self._sender.start_heart_beat(
            heart_beat_interval(we_send, it_wants), heart_beat_interval(it_sends, we_want) * dialect.silence
        )
        self._become(State.CONNECTED)
        self.ready.callback(None)

    def _refused(self, frame: Frame) -> None:
        refusal = LoginRefused(_text_of(frame), frame.headers, frame.body)
        refusal.is_temporary = is_temporary(refusal)
        self._end(refusal)
        self._sender.disconnect()

    def _message(self, frame: Frame) -> None:
        name = frame.headers.get("subscription")
        subscription = self.subscriptions.get(name) if name is not None else self._subscribed_to(frame)
        if subscription is not None:
            subscription.received(frame)

    def tell_of_odd(self, frame: Frame) -> None:
        """A boolean header is neither true nor false, and counts as absent: log the first one."""
        odd = odd_boolean(frame)
        if odd is not None and not self._has_told:
            self._has_told = True
            name, value = odd
            self.log.warn(
                "{peer} sends {header}:{value!r}, which is neither true nor false: it is ignored",
                peer=self._peer,
                header=name,
                value=value[:40],
            )

    def hold(self) -> None:
        """Give no message to who would acknowledge it, until ``release``: nothing is said by that."""
        self._held = []
        if self.state is State.CONNECTED:
            self._handlers = {**HANDLERS[self.state], "MESSAGE": ClientSession._hold}

    def _hold(self, frame: Frame) -> None:
        subscription = self.subscriptions.get(frame.headers.get("subscription", ""))
        if subscription is not None and subscription.is_acknowledged and not subscription.ended:
            self._held.append(frame)
        else:
            self._message(frame)

    def release(self) -> None:
        """The messages that were held, and those that come, are given to whom they are for."""
        held, self._held = self._held, []
        if self.state is State.CONNECTED:
            self._handlers = HANDLERS[self.state]
            for frame in held:
                self._message(frame)

    def _subscribed_to(self, frame: Frame) -> Subscription | None:
        """A broker of 1.0 may name no subscription: the first one to that destination."""
        destination = frame.headers.get("destination")
        for subscription in self.subscriptions.values():
            if subscription.destination == destination:
                return subscription
        return None

    def _receipt(self, frame: Frame) -> None:
        answer = self._receipts.forget(frame.headers.get("receipt-id", ""))
        if answer is not None:
            answer.callback(None)
            self._disconnecting.go_on()

    def _error(self, frame: Frame) -> None:
        """STOMP 1.2, "ERROR": the broker closes the connection; one that does not is left all the same."""
        if self._ended and self._is_late(frame):
            return
        error = ErrorReceived(_text_of(frame), frame.headers, frame.body)
        answer = self._receipts.forget(frame.headers.get("receipt-id", ""))
        self._end(error, answer)
        self._sender.disconnect()

    def _is_late(self, error: Frame) -> bool:
        """Is it about a message that came too late for its subscription, and that nobody has to acknowledge?

        One that is to be acknowledged stays with the connection: its end brings that to others.
        """
        late = re.match(self.dialect.late, error.body.decode("utf-8", "replace"))
        return late is not None and late[1] in self._ended

    @property
    def _peer(self) -> str:
        """Where the broker is, for the log."""
        peer = self._sender.peer()
        host, port = getattr(peer, "host", None), getattr(peer, "port", "")
        return f"{host}:{port}" if host else str(peer)

    # -- the end ------------------------------------------------------------------------------------------

    def lost(self) -> ConnectionLost:
        """A new ConnectionLost that says why the session is over."""
        return connection_loss.lost(self.reason)

    def _end(self, reason: StompError | None, answer: Deferred[None] | None = None) -> None:
        """The conversation is over.  ``answer`` waits for what ``reason``, an ERROR, is about."""
        if self.state is State.CLOSED:
            return
        connecting = self.state is State.CONNECTING
        self._become(State.CLOSED)
        self.reason = reason
        self.names_receipt = answer is not None
        self._disconnecting.stop()
        subscriptions = list(self.subscriptions.values())
        self.subscriptions.clear()
        if reason is not None:
            for subscription in subscriptions:
                subscription.goes_stale()  # before anybody is told of anything
        if connecting:
            self.ready.errback(Failure(reason if isinstance(reason, LoginRefused) else self.lost()))
        elif reason is not None:
            self.log.warn("the connection to {peer} ended: {reason}", peer=self._peer, reason=reason)
        if answer is not None and reason is not None:
            answer.errback(Failure(reason))
        self.outgoing.end()
        self.requests.end()
        for subscription in subscriptions:
            subscription.end(reason)

    @classmethod
    def closed(cls, settings: ClientSettings, clock: IReactorTime, reason: StompError) -> ClientSession:
        """One that is over, and never was."""
        session = cls(settings, clock)
        session._become(State.CLOSED)
        session.reason = reason
        session._is_gone = True
        return session

    def _give_up(self, ready: Deferred[None]) -> None:
        """``ready`` was cancelled; nothing else is outstanding yet."""
        self._become(State.CLOSED)
        self.reason = ConnectionLost("connecting was given up")
        if hasattr(self, "_sender"):
            self._sender.abort()

    def abort(self) -> None:
        """Cut the connection, unless it is over."""
        if not self.is_over:
            self._sender.abort()

    def when_over(self) -> Deferred[StompError | None]:
        """Fires when the connection is gone, with ``reason``.  It never fails."""
        if self._is_gone:
            return succeed(self.reason)
        waiting: Deferred[StompError | None] = ClientDeferred(self._wait_for_end.remove)
        self._wait_for_end.append(waiting)
        return waiting

    # -- SUBSCRIBE, UNSUBSCRIBE ---------------------------------------------------------------------------

    def subscribe(self, subscription: Subscription, receipt: bool) -> Deferred[Subscription]:
        """SUBSCRIBE; fires with the subscription."""
        if self.is_over or self._disconnecting.has_begun:
            return failed(self.lost())
        if (
            subscription.durable
            and self.dialect.wants_client_id
            and "client-id" not in self._settings.headers
        ):
            return failed(
                ConfigurationError("a durable subscription needs a client-id", "it is a header of CONNECT")
            )
        name = subscription.id
        if name in self.subscriptions:
            return failed(ProtocolViolation("subscription exists already", f"its id is {name!a}"))
        self._ended.pop(name, None)
        self.subscriptions[name] = subscription
        asked = self.outgoing.perform(subscription.frame(), receipt)

        def refused(failure: Failure) -> Failure:
            # Nobody got the Subscription: nobody shall get its messages.
            if failure.check(FrameError):  # it was not said
                self.subscriptions.pop(name, None)
            elif not self.is_over:
                self.unsubscribe(subscription, False, None)
            return failure

        return asked.addCallbacks(lambda _: subscription, refused)

    def unsubscribe(
        self,
        subscription: Subscription,
        receipt: bool,
        headers: Headers | None,
        forget: bool = False,
    ) -> Deferred[None]:
        """UNSUBSCRIBE.  Its id stays taken until the broker's RECEIPT: messages may be on their way."""
        if subscription.ended:
            return succeed(None)
        if self._held:
            self.release()  # it may have to give some back
        name = subscription.id
        try:
            unsubscribing = subscription.unsubscribe_frames(headers, forget)
            for frame in unsubscribing:
                frame.encode(self.version)
        except FrameError as error:
            return failed(error)
        must_return = self.dialect.keeps_unsettled and subscription.is_acknowledged and self.version != V10
        if must_return and not forget and not self.is_over:
            asked = subscription.return_unsettled(unsubscribing, receipt)
        else:
            if self.dialect.late and not subscription.is_acknowledged:
                self._ended.pop(name, None)
                self._ended[name] = None
                if len(self._ended) > ENDED:
                    del self._ended[next(iter(self._ended))]
            subscription.end(None)
            for frame in unsubscribing[:-1]:
                self.outgoing.perform(frame)
            asked = self.outgoing.perform(unsubscribing[-1], receipt)

        def done(result: Any) -> Any:
            self.subscriptions.pop(name, None)
            return result

        return asked.addBoth(done)

    # -- DISCONNECT ---------------------------------------------------------------------------------------

    def disconnect(self) -> Deferred[None]:
        """See StompClient.disconnect."""
        if self.state is State.CLOSED:
            return self.when_over().addCallback(lambda _: None)
        self._disconnecting.begin()

        def over(reason: StompError | None) -> None:
            if reason is not None:
                raise reason if isinstance(reason, ReceiptTimeout) else self.lost()

        answer: Deferred[None] = ClientDeferred()
        self.when_over().addCallback(over).chainDeferred(answer)
        return answer

    def call_finished(self) -> None:
        """A handler is done with a message."""
        self._disconnecting.go_on()

    def says_no_more(self) -> None:
        """DISCONNECT was said."""
        self._become(State.DISCONNECTING)

    def end(self, reason: StompError | None) -> None:
        """It is over; None: as it should be.  What was said goes out, unless it went wrong."""
        self._end(reason)
        if reason is None:
            self._sender.disconnect()
        else:
            self._sender.abort()


def _text_of(error: Frame) -> str:
    """An ERROR frame in one line: its ``message``, and what the first line of its body adds to that."""
    message = error.headers.get("message", "").strip()
    first, *_ = error.body.decode("utf-8", "replace").strip().splitlines() or [""]
    if first and first not in message:
        return f"{message}: {first[:200]}" if message else first[:200]
    return message or "the broker sent an ERROR frame"


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
