"""BrokerSession: one connection's session, as its protocol and its broker see it: a table of states."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from stomp_tx.broker.admission.connection_limits import TURNED_AWAY
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.dialects import AUTO, Dialect
from stomp_tx.broker.events import Connected, Disconnected, address_text
from stomp_tx.broker.session.commands import CONNECTING, unknown_command
from stomp_tx.broker.session.conversation import Conversation, Handler
from stomp_tx.broker.session.faults import internal_error, tell
from stomp_tx.broker.session.handshake import Agreement, agree, connected
from stomp_tx.broker.session.login import Login
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.errors import (
    BrokerStopping,
    FrameError,
    LimitExceeded,
    NoHeartBeat,
    ProtocolViolation,
    StompError,
    UnexpectedTLS,
)
from stomp_tx.interfaces import IFrameReceiver, IFrameSender, IStompUser, Safe
from stomp_tx.printable import printable
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame

T = TypeVar("T")


class State(enum.Enum):
    """Where the conversation is."""

    CONNECTING = "waiting for CONNECT"
    LOGGING_IN = "finding out who it is"
    CONNECTED = "open"
    CLOSED = "over"


class BrokerSession:
    """One client's session: what its frames do, and what it is owed.

    Every fault ends as an ERROR frame and the connection's close, and reaches no other session.
    """

    log = Logger()

    __slots__ = (
        "_broker",
        "_conversation",
        "_dialect",
        "_giving_back",
        "_handlers",
        "_login",
        "_receipts",
        "_sender",
        "_subscriptions",
        "_timeout",
        "_why_over",
        "id",
        "state",
        "version",
    )

    _sender: IFrameSender

    def __init__(self, broker: Broker, session_id: str, dialect: Dialect = AUTO) -> None:
        self.id = session_id
        self.state = State.CONNECTING
        self.version: str = V10
        self._broker = broker
        self._dialect = dialect
        self._handlers: dict[str, Handler] = dict.fromkeys(CONNECTING, self._connect)
        self._login = Login(broker, session_id, self._end_for, self.access_changed)
        self._subscriptions = Subscriptions(broker, session_id)
        self._receipts = Receipts(self._work_failed)
        self._timeout: IDelayedCall | None = None
        self._conversation: Conversation | None = None  # once it is open
        self._giving_back: Safe = None  # once it is over: fires when all that it held is given back
        self._why_over = ""  # it ends for this, and its client gets no ERROR

    def __repr__(self) -> str:
        user = getattr(self._login, "user", None)  # not who it says it is: that may be a secret
        name = "" if user is None else printable(user.name)
        peer = self._peer if hasattr(self, "_sender") else ""
        return f"<BrokerSession {' '.join(filter(None, (self.id, name, self.state.name, peer)))}>"

    # -- what the protocol calls --------------------------------------------------------------------------

    def connected(self, sender: IFrameSender) -> None:
        self._sender = self._receipts.sender = sender
        self._broker.add(self)
        self._timeout = self._broker.clock.callLater(
            self._broker.settings.connect_timeout, self._connect_timed_out
        )
        if self._broker.is_stopping:
            self._fail(BrokerStopping(), None)
            return
        try:
            self._login.enter(sender)
        except StompError as error:
            if len(self._broker.sessions) - self._broker.connection_limits.inside > TURNED_AWAY:
                sender.abort()
            else:
                self._fail(error, None)

    def frame_received(self, frame: Frame) -> Deferred[None] | None:
        try:
            handler = self._handlers.get(frame.command)
            if handler is not None:
                return handler(frame)
            raise unknown_command(frame.command, self.state is not State.CONNECTING)
        except StompError as error:
            self._fail(error, frame)
        except Exception:
            self.log.failure("{session} could not handle {frame}", session=self.id, frame=frame.command)
            self._fail(internal_error(), frame)
        return None

    def frame_failed(self, error: StompError) -> None:
        """The connection is closed whatever we do."""
        if isinstance(error, UnexpectedTLS):
            self._why_over = f"a client spoke TLS to a plain port: {error.line}"
        elif isinstance(error, NoHeartBeat) and not self._broker.settings.farewell_error:
            self._why_over = str(error)
        else:
            self._fail(error, None)
            return
        self._end()

    def paused(self) -> None:
        self._subscriptions.pause()

    def resumed(self) -> None:
        self._subscriptions.resume(self._sender)
        self.flushed()

    def flushed(self) -> None:
        if self._subscriptions.exhausted:
            self._subscriptions.replenish(self._sender)

    def input_ended(self, error: StompError | None) -> None:
        are_owed = self._receipts.are_owed  # what is given back now is nobody's business
        self._end()
        all_safe = self._receipts.when_all_safe() if are_owed else None
        if all_safe is None:
            self._say_last(error)
        else:
            all_safe.addCallback(lambda _: self._say_last(error))

    def _say_last(self, error: StompError | None) -> None:
        if error is not None and self in self._broker.sessions:  # else it is gone meanwhile
            self._tell(error, None)
        self._sender.disconnect()

    def disconnected(self, reason: Failure) -> None:
        self._end()
        if self._giving_back is None:
            self._leave()
        else:
            self._giving_back.addBoth(lambda _: self._leave())
        why = self._why_over or reason.getErrorMessage()
        self._broker.events.emit(Disconnected, self.id, self._peer, why)

    def _leave(self) -> None:
        # Until all is given back it counts as a connection: who comes and goes can't leave work behind.
        self._login.leave()
        self._broker.remove(self)

    @property
    def _peer(self) -> str:
        return address_text(self._sender.peer())

    @property
    def user(self) -> IStompUser:
        """Who it is, in an open session."""
        return self._login.user

    @property
    def _called(self) -> str:
        """Who it is, or says that it is."""
        return str(self._login.login if self._conversation is None else self.user.name)

    # -- what the broker asks -----------------------------------------------------------------------------

    def forget_routes(self) -> None:
        """Ask anew where destinations lead: what was remembered has changed."""
        if self._conversation is not None:
            self._conversation.forget_routes()

    def meanings_changed(self) -> None:
        """A topic has its first durable subscription, or none any more: some names lead elsewhere."""
        if self._conversation is not None and self._conversation.names.have_bare_topics:
            self.forget_routes()

    def access_changed(self) -> None:
        """Who may do what is different now: a session ends that has what it may not any more."""
        if self._conversation is not None and self.state is State.CONNECTED:
            self._conversation.access_changed()
            try:
                self._login.recheck()
                self._conversation.check_access()
            except StompError as error:
                self._end_for(error)

    def too_slow(self, subscription: Subscription) -> None:
        """A topic's subscription has more waiting than it may have, and the settings say to end it."""
        self._end_for(
            LimitExceeded(
                "subscription too slow",
                f"more waits for subscription {subscription.name!a} than is kept for it, or in more queues",
            )
        )

    def owns(self, subscription: Subscription) -> bool:
        """Is it one of this session's?"""
        return subscription in self._subscriptions

    def shut_down(self) -> None:
        """The broker stops: handle what has been read, send what is owed, and close.

        An open session has done nothing wrong, and gets no ERROR: clients take that for a fault of theirs.
        Others wait for an answer to CONNECT.
        """
        if self._conversation is None or self._broker.settings.farewell_error:
            self._fail(BrokerStopping(), None)
        elif self.state is State.CONNECTED:
            self._why_over = str(BrokerStopping())
            # Nobody makes room in a queue any more.
            self._sender.finish(at_once=self._conversation.waits_for_room)

    # -- faults -------------------------------------------------------------------------------------------

    def _fail(self, error: StompError, frame: Frame | None) -> None:
        """Tell the client what was wrong, then close (STOMP 1.2, "ERROR")."""
        if self.state is not State.CLOSED:
            self._tell(error, frame)

    def _tell(self, error: StompError, frame: Frame | None) -> None:
        """The same for a session that may be over already: its last frame has not been sent."""
        lenient = self._broker.settings.lenient and isinstance(error, ProtocolViolation)
        goes_on = lenient and frame is not None and frame.command in ("ACK", "NACK", "UNSUBSCRIBE")
        if not goes_on:
            self._end()
        if frame is None:
            # What is no frame may have asked for a receipt all the same: then its client knows which it was.
            is_open = self._conversation is not None
            receipt = error.receipt if is_open and isinstance(error, FrameError) else None
        else:
            receipt = None if frame.command in ("CONNECT", "STOMP") else frame.headers.get("receipt")
        tell(error, receipt, self._broker, self.id, self._sender, self._called)
        if not goes_on:
            self._sender.disconnect()

    def _connect_timed_out(self) -> None:
        self._timeout = None
        seconds = self._broker.settings.connect_timeout
        self._end_for(
            ProtocolViolation("no CONNECT in time", f"CONNECT must come within {seconds:g} seconds")
        )

    def _end_for(self, error: StompError) -> None:
        """Something that is about no frame."""
        self._fail(error, None)

    def _end(self) -> None:
        """Give back all that the session holds, once."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._handlers = {}
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        self._timeout = None
        if self._conversation is not None:
            self._giving_back = self._conversation.end()
            self._receipts.watch(self._giving_back)
        self._login.end()

    def _work_failed(self, failure: Failure, frame: Frame | None) -> None:
        error = failure.value
        if not isinstance(error, StompError):
            self.log.failure("{session}: the engine failed", failure, session=self.id)
            error = internal_error()
        if self._receipts.is_last:
            self._tell(error, frame)  # the end waits to know
        else:
            self._fail(error, frame)

    # -- what takes a while -------------------------------------------------------------------------------

    def _read_on(
        self, work: Deferred[T], frame: Frame, then: Callable[[Frame, T], Deferred[None] | None]
    ) -> Deferred[None]:
        """See ReadOn."""
        return work.addCallback(self._go_on, frame, then).addErrback(self._frame_failed, frame)

    def _go_on(self, result: T, frame: Frame, then: Callable[[Frame, T], Deferred[None] | None]) -> Any:
        return None if self.state is State.CLOSED else then(frame, result)

    def _frame_failed(self, failure: Failure, frame: Frame) -> None:
        if isinstance(failure.value, StompError):
            self._fail(failure.value, frame)
        elif not failure.check(CancelledError):  # else the connection has ended meanwhile
            self.log.failure(
                "{session} could not handle {frame}", failure, session=self.id, frame=frame.command
            )
            self._fail(internal_error(), frame)

    # -- CONNECT ------------------------------------------------------------------------------------------

    def _connect(self, frame: Frame) -> Deferred[None] | None:
        agreement = agree(frame, self._broker.settings, self._dialect)
        self.state = State.LOGGING_IN
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        login, passcode = agreement.headers.get("login", ""), agreement.headers.pop("passcode", "")
        frame.headers.pop("passcode", None)
        trying = self._login.begin(login, passcode, self._sender)
        if trying is None:
            self._open(agreement)
            return None
        self._sender.watch_for_end()
        return self._read_on(trying, frame, partial(self._logged_in, agreement))

    def _logged_in(self, agreement: Agreement, frame: Frame, _: None) -> None:
        self._open(agreement)

    def _open(self, agreement: Agreement) -> None:
        self.state = State.CONNECTED
        self.version = self._receipts.version = agreement.version
        sender = self._sender
        sender.version = agreement.version
        self._dialect = agreement.dialect
        self._conversation = Conversation(
            self._broker,
            self.id,
            sender,
            agreement,
            self._login,
            self._subscriptions,
            self._receipts,
            self._read_on,
            self._disconnect,
        )
        self._handlers = self._conversation.handlers
        sender.send_frame(connected(agreement, self.id, self._broker.settings))
        sender.start_heart_beat(agreement.sending, agreement.receiving)
        self._broker.events.emit(Connected, self.id, self.user.name, agreement.version, self._peer)

    # -- DISCONNECT ---------------------------------------------------------------------------------------

    def _disconnect(self, frame: Frame) -> Deferred[None] | None:
        """Whatever is not safe yet becomes so; then the RECEIPT, then the end (STOMP 1.2, "DISCONNECT")."""
        self._end()
        all_safe = self._receipts.when_all_safe()
        if all_safe is None:
            self._finish(frame)
            return None
        return all_safe.addCallback(lambda _: self._finish(frame))

    def _finish(self, frame: Frame) -> None:
        self._receipts.done(frame)
        self._sender.disconnect()


classImplements(BrokerSession, IFrameReceiver)
