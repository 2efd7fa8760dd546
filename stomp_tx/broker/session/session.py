"""BrokerSession: one connection's conversation, as a table of state x command -> handler."""

from __future__ import annotations

import enum
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from stomp_tx.address import TEMP_QUEUE, TEMP_TOPIC, TOPIC, split
from stomp_tx.broker.admission.connection_limits import TURNED_AWAY
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations import rendering
from stomp_tx.broker.destinations.ack_modes import Delivery
from stomp_tx.broker.destinations.retained import RETAIN
from stomp_tx.broker.destinations.scheduler_commands import NOTHING, Command, Found, manages
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.dialects import AUTO, Dialect
from stomp_tx.broker.events import (
    Connected,
    Denied,
    Disconnected,
    Failed,
    HeaderIgnored,
    HeaderUnknown,
    Refused,
    address_text,
)
from stomp_tx.broker.headers.scheduling import SCHEDULING, schedule_of
from stomp_tx.broker.headers.send import OURS, UNUSUAL, keeping_of, stamp, tell_keeping, without_ours
from stomp_tx.broker.headers.values import is_false
from stomp_tx.broker.names import Names, name_for_others
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.session.access import Access
from stomp_tx.broker.session.backpressure import Backpressure
from stomp_tx.broker.session.commit import Commit
from stomp_tx.broker.session.deliveries import Named
from stomp_tx.broker.session.handshake import Agreement, agree, connected
from stomp_tx.broker.session.login import RENEWAL, Login
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.session.routes import Route, Routes, key_of, sign
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.broker.session.transaction import Transaction, Transactions
from stomp_tx.errors import (
    AccessDenied,
    BrokerStopping,
    FrameError,
    LimitExceeded,
    LoginDenied,
    NoHeartBeat,
    ProtocolViolation,
    StompError,
    TooManyConnections,
    UnexpectedTLS,
    VersionMismatch,
)
from stomp_tx.interfaces import IFrameReceiver, IFrameSender, IStompUser, Put, Safe
from stomp_tx.message import PERSISTENT, Batch, Message, Outcome
from stomp_tx.wire.booleans import odd_boolean
from stomp_tx.wire.commands import CLIENT_COMMANDS, V10, V11, V12
from stomp_tx.wire.frame import Frame


class State(enum.Enum):
    """Where the conversation is."""

    CONNECTING = "waiting for CONNECT"
    LOGGING_IN = "finding out who it is"
    CONNECTED = "open"
    CLOSED = "over"


@implementer(IFrameReceiver)
class BrokerSession:
    """One client's session: what its frames do, and what it is owed.

    Every fault ends as an ERROR frame and the connection's close, and reaches no other session.
    """

    log = Logger()

    __slots__ = (
        "_access",
        "_broker",
        "_deliveries",
        "_dialect",
        "_engine",
        "_handlers",
        "_has_told",
        "_id_prefix",
        "_known_routes",
        "_login",
        "_names",
        "_numbers",
        "_receipts",
        "_room",
        "_routes",
        "_sender",
        "_subscriptions",
        "_timeout",
        "_transactions",
        "_why_over",
        "id",
        "state",
        "version",
    )

    _room: Backpressure  # once it is open
    _sender: IFrameSender

    def __init__(self, broker: Broker, session_id: str, dialect: Dialect = AUTO) -> None:
        self.id = session_id
        self.state = State.CONNECTING
        self.version: str = V10
        self._broker = broker
        self._dialect = dialect
        self._engine = broker.engine
        self._id_prefix = broker.message_id_prefix
        self._numbers = broker.message_numbers
        self._handlers = CONNECTING
        self._routes: Routes | None = None  # once it is open
        self._known_routes: dict[str | None, Route] = {}
        self._login = Login(broker, session_id, self._end_for, self.access_changed)
        self._access = Access(broker, self._login)
        self._subscriptions = Subscriptions(session_id, broker, self._access)
        self._deliveries = self._subscriptions.deliveries
        self._transactions = Transactions(broker.settings)
        self._receipts = Receipts(self._work_failed)
        self._timeout: IDelayedCall | None = None
        self._names: Names | None = None  # once it is open
        self._has_told = False  # of a header that is ignored
        self._why_over = ""  # it ends for this, and its client gets no ERROR

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
            if handler is None:
                self._unknown(frame)
            else:
                return handler(self, frame)
        except StompError as error:
            self._fail(error, frame)
        except Exception:
            self.log.failure("{session} could not handle {frame}", session=self.id, frame=frame.command)
            self._fail(_internal_error(), frame)
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
        for subscription in self._subscriptions:
            subscription.paused = True
            subscription.destination.pause(subscription)

    def resumed(self) -> None:
        for subscription in self._subscriptions:
            subscription.paused = False
            subscription.destination.resume(subscription)
        self.flushed()

    def flushed(self) -> None:
        if self._subscriptions.exhausted:
            exhausted = self._subscriptions.exhausted[:]
            self._subscriptions.exhausted.clear()
            for subscription in exhausted:
                subscription.destination.replenish(subscription)

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
        self._login.leave()
        self._broker.remove(self)
        why = self._why_over or reason.getErrorMessage()
        self._broker.events.emit(Disconnected, self.id, self._peer, why)

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
        return str(self._login.login if self._names is None else self.user.name)

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
            receipt = error.receipt if isinstance(error, FrameError) and self._names is not None else None
        else:
            receipt = None if frame.command in ("CONNECT", "STOMP") else frame.headers.get("receipt")
        more = {}
        if isinstance(error, VersionMismatch):
            more["version"] = ",".join(self._broker.settings.versions)
        self._sender.send_frame(rendering.error(error, self._sender.version, receipt, **more))
        self._broker.events.emit(Failed, self.id, self._peer, error)
        if isinstance(error, LoginDenied):
            self._broker.events.emit(Refused, self.id, self._peer, self._called, error.why)
        elif isinstance(error, TooManyConnections):
            self._broker.events.emit(Refused, self.id, self._peer, self._called, error.line)
        elif isinstance(error, AccessDenied):
            self._broker.events.emit(
                Denied, self.id, self._peer, error.user, error.permission, error.destination
            )
        if not goes_on:
            self._sender.disconnect()

    def _unknown(self, frame: Frame) -> None:
        command = frame.command
        if self.state is State.CONNECTING:
            raise ProtocolViolation(
                "not connected", f"the first frame is CONNECT or STOMP, not {command[:20]!a}"
            )
        if command in ("CONNECT", "STOMP"):
            raise ProtocolViolation("already connected", "a session has one CONNECT frame, its first")
        if command == "NACK":
            raise ProtocolViolation("STOMP 1.0 has no NACK", "agree on version 1.1 or 1.2 to use NACK")
        known = ", ".join(sorted(CLIENT_COMMANDS))
        raise ProtocolViolation("unknown command", f"{command[:20]!a} is no command of a client: {known}")

    def _look_at(self, frame: Frame) -> None:
        """Tell of a boolean header that counts as absent, whatever it was meant to be: of the first one."""
        odd = None if self._has_told else odd_boolean(frame)
        if odd is not None:
            self._has_told = True
            self._broker.events.emit(HeaderIgnored, self.id, self._peer, frame.command, *odd)

    def _look_for_foreign(self, frame: Frame) -> None:
        """Tell of headers that other brokers have, or nobody, and that do nothing here."""
        for name in self._broker.foreign_headers.new_among(frame.command, frame.headers):
            self._broker.events.emit(HeaderUnknown, self.id, self._peer, frame.command, name)

    def _connect_timed_out(self) -> None:
        self._timeout = None
        seconds = self._broker.settings.connect_timeout
        self._end_for(
            ProtocolViolation("no CONNECT in time", f"CONNECT must come within {seconds:g} seconds")
        )

    def shut_down(self) -> None:
        """The broker stops: handle what has been read, send what is owed, and close.

        An open session has done nothing wrong, and gets no ERROR: clients take that for a fault of theirs.
        Others wait for an answer to CONNECT.
        """
        if self.state is not State.CONNECTED or self._broker.settings.farewell_error:
            self._fail(BrokerStopping(), None)
        else:
            self._why_over = str(BrokerStopping())
            # Nobody makes room in a queue any more.
            self._sender.finish(at_once=self._room.is_waited_for)

    def _end_for(self, error: StompError) -> None:
        """Something that is about no frame."""
        self._fail(error, None)

    def _is_bare_topic(self, topic: str) -> bool:
        """Does its name without a prefix mean this topic?  Not to who may do nothing there."""
        return self._broker.is_bare_topic(topic) and any(
            self.user.may(permission, topic) for permission in ("send", "subscribe")
        )

    def access_changed(self) -> None:
        """Who may do what is different now: a session ends that has what it may not any more."""
        self.forget_routes()
        self._transactions.access_changed()
        if self.state is State.CONNECTED:
            try:
                self._login.recheck()
                self._subscriptions.check_access()
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

    def _end(self) -> None:
        """Give back all that the session holds, once."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._handlers = CLOSED
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        self._timeout = None
        self._subscriptions.end_all()
        held = list(self._deliveries.by_ack.values())
        self._deliveries.by_ack.clear()
        self.forget_routes()
        for transaction in self._transactions.end_all():
            held.extend(transaction.held())
        self._give_back(held)
        if self._names is not None:
            self._broker.temporary_destinations.end(self._names)
            self._broker.producers.remove(self.id)
        self._login.end()

    def _give_back(self, held: list[Delivery]) -> None:
        batch = Batch()
        for message, subscription in held:
            subscription.destination.give_back(message, subscription, batch)
        if batch.settled:
            self._receipts.watch(self._engine.commit(batch))

    def _work_failed(self, failure: Failure, frame: Frame | None) -> None:
        error = failure.value
        if not isinstance(error, StompError):
            self.log.failure("{session}: the engine failed", failure, session=self.id)
            error = _internal_error()
        if self._receipts.is_last:
            self._tell(error, frame)  # the end waits to know
        else:
            self._fail(error, frame)

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
        return self._read_on(trying.addCallback(lambda _: self._open(agreement)), frame)

    def _read_on(self, trying: Deferred[None], frame: Frame) -> Deferred[None]:
        """Once it has fired; what it fails with is the frame's ERROR."""

        def failed(failure: Failure) -> None:
            if isinstance(failure.value, StompError):
                self._fail(failure.value, frame)
            elif not failure.check(CancelledError):  # else the connection has ended meanwhile
                self.log.failure(
                    "{session} could not handle {frame}", failure, session=self.id, frame=frame.command
                )
                self._fail(_internal_error(), frame)

        return trying.addErrback(failed)

    def _open(self, agreement: Agreement) -> None:
        self.state = State.CONNECTED
        user = self._login.user
        self.version = self._receipts.version = agreement.version
        self._handlers = handlers_of(agreement)
        sender = self._sender
        sender.version = agreement.version
        self._dialect = agreement.dialect
        self._names = Names(
            self._broker.settings, agreement.host, self.id, agreement.dialect, self._is_bare_topic
        )
        client_id = agreement.headers.get("client-id") or None
        self._subscriptions.open(
            sender, agreement.version, self._names, client_id, agreement.dialect, agreement.host
        )
        self._routes = Routes(
            self._broker,
            self.id,
            self._names,
            self._login,
            self._access,
            agreement.dialect,
            self._subscriptions,
        )
        self._known_routes = self._routes.known
        self._room = Backpressure(self._engine, self._subscriptions, self._known_routes, sender)
        sender.send_frame(connected(agreement, self.id, self._broker.settings))
        sender.start_heart_beat(agreement.sending, agreement.receiving)
        self._broker.events.emit(Connected, self.id, user.name, agreement.version, self._peer)

    # -- SEND ---------------------------------------------------------------------------------------------

    def _send(self, frame: Frame) -> Deferred[None] | None:
        headers = frame.headers
        destination = headers.get("destination")
        route = self._known_routes.get(destination)
        if route is None:
            if destination == RENEWAL:
                return self._renew(frame)
            route = self._routes.of(headers)  # type: ignore[union-attr]  # SEND comes to open sessions only
            if manages(route[1]):
                return self._manage(frame, route[1])
        put, address, policy = route
        message_id = f"{self._id_prefix}{next(self._numbers)}"
        message = Message(message_id, destination or "", address, headers, frame.body, frame.size)
        if not UNUSUAL.isdisjoint(headers):
            keeping = message.keeping = keeping_of(headers, policy, self._broker.now)
            if keeping is not PERSISTENT:
                return self._send_unusual(frame, message, put, policy)
        safe = put(message)
        if safe is not None or "receipt" in headers:
            self._receipts.done(frame, safe)
            if safe is not None:
                return self._room.wait(destination, message)
        return None

    def _renew(self, frame: Frame) -> Deferred[None]:
        """What is sent to RENEWAL is a token, whatever its headers ask for: it goes nowhere."""
        if "transaction" in frame.headers:
            raise ProtocolViolation("a token can't be sent in a transaction", "SEND it by itself")

        return self._when_done(self._login.renew(frame.body), frame)

    def _when_done(self, work: Deferred[None], frame: Frame) -> Deferred[None]:
        """Read on when all of a frame's work is done and safe."""

        def done(_: None) -> None:
            if self.state is State.CONNECTED:
                self._receipts.done(frame)

        return self._read_on(work.addCallback(done), frame)

    def _manage(self, frame: Frame, address: str) -> Deferred[None] | None:
        """What is sent to the scheduler itself."""
        assert self._routes is not None
        management = self._broker.scheduler_commands
        destination = frame.headers["destination"]
        message = Message("", destination, address, frame.headers, frame.body, frame.size)
        if "reply-to" in frame.headers:
            self._translate_reply_to(message)
        command = Command(message, self._access.may_manage)
        reply = self._routes.way_to(command.reply_to) if command.reply_to else None
        if "transaction" in frame.headers:
            transaction = self._transactions.named(frame)
            transaction.manage(command, reply[0] if reply else "")
            self._accept(transaction, frame)
            return None
        work = Deferred.fromCoroutine(management.carry_out(command, reply, self._receipts.last))
        return self._when_done(work, frame)

    def _send_unusual(
        self, frame: Frame, message: Message, put: Put, policy: Policy
    ) -> Deferred[None] | None:
        """One that asks for more than to be passed on, or to be persistent."""
        self._look_at(frame)
        headers = frame.headers
        assert self._routes is not None
        for name in self._dialect.refused_on_send.intersection(headers):
            raise ProtocolViolation("header not allowed on SEND", f"{name} is the broker's to give")
        if "destination-type" in headers:
            put, message.address, policy = self._routes.of(headers)
            message.keeping = keeping_of(headers, policy, self._broker.now)
        if self._broker.settings.user_id:
            sign(message, self._login.user.name)
        if not OURS.isdisjoint(headers):
            message.headers = without_ours(message.headers)
        if message.keeping == PERSISTENT:
            message.keeping = PERSISTENT
        if "reply-to" in headers:
            self._translate_reply_to(message)
        if RETAIN in headers and "," not in message.address and split(message.address)[1] == TOPIC:
            put = self._routes.retaining(headers[RETAIN]) or put
        schedule = None
        if not SCHEDULING.isdisjoint(headers):
            schedule = schedule_of(headers, self._broker.now())
        late = self._broker.expiry.found(message, headers, policy, schedule)
        if late is None and schedule is not None:
            if self._dialect.stamps:
                stamp(message, self._dialect, self._broker.now)
            message, put = self._broker.scheduler.later(message, schedule), self._broker.scheduler.append
        elif late is None:
            tell_keeping(message, policy)
        if "transaction" in frame.headers:
            transaction = self._transactions.named(frame)
            if late is None or not late.scheduled:
                transaction.empty(self._broker.retained.emptied_by(message))
            if late is not None:
                transaction.send_late(late)
            else:
                for one in self._routes.in_transaction(message, policy):
                    transaction.send(one)
            self._accept(transaction, frame)
            return None
        if late is not None:
            letters = self._broker.expiry.dead_letters_of(late, self.id, self._peer)
            # What it says of others counts all the same.
            emptied = [] if late.scheduled else self._broker.retained.emptied_by(message)
            safe = self._engine.commit(Batch(letters, emptied=emptied)) if letters or emptied else None
            self._receipts.done(frame, safe)
            return None if safe is None else self._room.after(letters)
        safe = put(message)
        self._receipts.done(frame, safe)
        if safe is None:
            return None
        if self._broker.scheduler.is_waiting(message):
            return self._engine.caught_up() or self._engine.room(message.address)
        return self._room.wait(key_of(headers), message)

    def _accept(self, transaction: Transaction, frame: Frame) -> None:
        """A SEND in a transaction; the rest is COMMIT's."""
        self._transactions.check()
        if self._dialect.receipts_at_commit:
            transaction.owes(frame)
        else:
            self._receipts.done(frame)

    def _translate_reply_to(self, message: Message) -> None:
        """The name of a temporary destination is this session's own: others get one that leads here."""
        name = message.headers["reply-to"]
        if not name.startswith((TEMP_QUEUE, TEMP_TOPIC)):
            return
        assert self._names is not None
        addresses = self._names.addresses_of(name)
        if len(addresses) != 1:
            return
        address = addresses[0]
        self._broker.temporary_destinations.make(address, self._names)
        message.headers = {**message.headers, "reply-to": name_for_others(address)}
        if self._dialect.replies_subscribe and name.startswith(TEMP_QUEUE):
            self._subscriptions.subscribe_replies(name)

    def forget_routes(self) -> None:
        """Ask anew where destinations lead: what was remembered has changed."""
        if self._routes is not None:
            self._routes.forget()

    def meanings_changed(self) -> None:
        """A topic has its first durable subscription, or none any more: some names lead elsewhere."""
        if self._names is not None and self._names.have_bare_topics:
            self.forget_routes()

    # -- SUBSCRIBE, UNSUBSCRIBE ---------------------------------------------------------------------------

    def _subscribe(self, frame: Frame) -> None:
        self._look_at(frame)
        self._look_for_foreign(frame)
        had_own = self._subscriptions.own is not None
        subscription, place, safe = self._subscriptions.make(frame)
        if not had_own and self._subscriptions.own is not None:
            self.forget_routes()  # what is sent is remembered from now on
        self._receipts.done(frame, safe)  # clients expect its RECEIPT before the first MESSAGE
        self._subscriptions.start(subscription, place, safe)

    def _unsubscribe(self, frame: Frame) -> None:
        self._look_at(frame)
        self._look_for_foreign(frame)
        held, safe = self._subscriptions.end(frame)
        self._give_back(held)
        self._receipts.done(frame, safe)

    # -- ACK, NACK ----------------------------------------------------------------------------------------

    def _ack(self, frame: Frame) -> None:
        headers = frame.headers
        ack = headers.get("id")
        delivery = self._deliveries.by_ack.get(ack)  # type: ignore[arg-type]
        if delivery is None or "transaction" in headers or delivery[1].is_counted:
            self._acknowledge(frame, Outcome.ACCEPTED)
            return
        # client-individual, outside a transaction: the short road.
        del self._deliveries.by_ack[ack]  # type: ignore[arg-type]
        message, subscription = delivery
        destination = subscription.destination
        safe = destination.settle(message, Outcome.ACCEPTED)
        destination.give_credit(subscription, 1)
        if safe is not None or "receipt" in headers:
            self._receipts.done(frame, safe)

    def _ack_named(self, frame: Frame) -> None:
        self._acknowledge(frame, Outcome.ACCEPTED)

    def _nack(self, frame: Frame) -> None:
        self._look_at(frame)
        self._acknowledge(frame, Outcome.REJECTED)

    def _acknowledge(self, frame: Frame, outcome: Outcome) -> None:
        """ACK and NACK in every version and ack mode, in a transaction or not."""
        transaction = self._transactions.named(frame) if "transaction" in frame.headers else None
        ack = self._deliveries.find(frame, self._subscriptions.count)
        if ack is None:
            self._receipts.done(frame)  # innocently late
            return
        taken = self._deliveries.take(ack)
        if outcome is Outcome.REJECTED and is_false(frame.headers, "requeue"):
            outcome = Outcome.ENDED  # RabbitMQ's: refused, and nobody else shall have it
        subscription = taken[0][2]
        safe: Safe = None
        if transaction is not None:
            transaction.settle(taken, outcome)
        else:
            safe = self._settle(taken, outcome)
        subscription.destination.give_credit(subscription, len(taken))
        subscription.acknowledged(message for _, message, _, _ in taken)
        if transaction is not None:
            self._transactions.check()
        self._receipts.done(frame, safe)

    def _settle(self, settled: list[Named], outcome: Outcome) -> Safe:
        """All of it, or nothing."""
        batch = Batch()
        for _, message, subscription, _ in settled:
            subscription.destination.conclude(message, subscription, outcome, batch)
        if not batch.settled and not batch.appended:
            return None  # of a topic
        return self._engine.commit(batch)

    # -- BEGIN, COMMIT, ABORT -----------------------------------------------------------------------------

    def _begin(self, frame: Frame) -> None:
        self._transactions.begin(frame.headers.get("transaction"))
        self._receipts.done(frame)

    def _commit(self, frame: Frame) -> Deferred[None] | None:
        transaction = self._transactions.named(frame)
        if not transaction.commands:
            return self._commit_found(frame, NOTHING)
        found = Deferred.fromCoroutine(
            self._broker.scheduler_commands.find(
                transaction.commands, transaction.messages, self._receipts.last, *self._transactions.room()
            )
        )
        return self._read_on(found.addCallback(lambda found: self._commit_found(frame, found)), frame)

    def _commit_found(self, frame: Frame, found: Found) -> Deferred[None] | None:
        """COMMIT, when it is known what the transaction's commands are about."""
        if self.state is not State.CONNECTED:
            return None  # it has ended meanwhile
        assert self._routes is not None
        transaction = self._transactions.named(frame)
        commit = Commit(transaction, found, self._routes, self._broker)
        commit.must_be_possible(self._room)  # else it ends with the session, which gives back what it took
        self._transactions.end(frame)
        safe = commit.perform(self.id, self._peer if transaction.late else "")
        self._receipts.committed(transaction.owed, frame, safe)
        return None if safe is None else self._room.after(commit.appended)

    def _abort(self, frame: Frame) -> None:
        transaction = self._transactions.end(frame)
        live = set(self._subscriptions)
        still_owed = [named for named, _ in transaction.taken if named[2] in live]
        self._deliveries.restore(still_owed)
        for _, message, subscription, _ in still_owed:
            subscription.destination.take_credit(subscription, 1)
            if subscription.window:
                subscription.holds(message)
        # The subscription has ended since: nobody here will acknowledge it.
        self._give_back([delivery for delivery in transaction.held() if delivery[1] not in live])
        self._receipts.done(frame)

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


def _internal_error() -> StompError:
    return StompError("internal error", "the broker could not handle this frame; its log says more")


Handler = Callable[[BrokerSession, Frame], "Deferred[None] | None"]

CONNECTING: dict[str, Handler] = {"CONNECT": BrokerSession._connect, "STOMP": BrokerSession._connect}
"""What may come first (STOMP 1.2, "CONNECT or STOMP Frame")."""

CONNECTED: dict[str, dict[str, Handler]] = {
    V12: {
        "SEND": BrokerSession._send,
        "SUBSCRIBE": BrokerSession._subscribe,
        "UNSUBSCRIBE": BrokerSession._unsubscribe,
        "ACK": BrokerSession._ack,
        "NACK": BrokerSession._nack,
        "BEGIN": BrokerSession._begin,
        "COMMIT": BrokerSession._commit,
        "ABORT": BrokerSession._abort,
        "DISCONNECT": BrokerSession._disconnect,
    }
}
"""What may come in an open session, by version: what is absent is an error."""
CONNECTED[V11] = {**CONNECTED[V12], "ACK": BrokerSession._ack_named}
CONNECTED[V10] = {command: handler for command, handler in CONNECTED[V11].items() if command != "NACK"}

NACK_IN_1_0 = {**CONNECTED[V10], "NACK": BrokerSession._nack}
"""The same of 1.0, in a dialect that has NACK there."""


def handlers_of(agreement: Agreement) -> dict[str, Handler]:
    """What may come in a session that goes by this."""
    if agreement.version == V10 and agreement.dialect.nacks_in_1_0:
        return NACK_IN_1_0
    return CONNECTED[agreement.version]


CLOSED: dict[str, Handler] = {}
"""A closed session is read no further; nothing may come."""
