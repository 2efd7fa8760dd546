"""Sending: what the SENDs of one session do."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from stomp_tx.address import TOPIC, split
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.expiry import Late
from stomp_tx.broker.destinations.retained import RETAIN
from stomp_tx.broker.destinations.scheduler_commands import Command, manages
from stomp_tx.broker.dialects import Dialect
from stomp_tx.broker.events import address_text
from stomp_tx.broker.headers.scheduling import SCHEDULING, schedule_of
from stomp_tx.broker.headers.send import OURS, UNUSUAL, keeping_of, stamp, tell_keeping, without_ours
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.session.access import Access
from stomp_tx.broker.session.backpressure import Backpressure
from stomp_tx.broker.session.header_warnings import HeaderWarnings
from stomp_tx.broker.session.login import RENEWAL, Login
from stomp_tx.broker.session.overdraft import EACH
from stomp_tx.broker.session.put_steps import sign
from stomp_tx.broker.session.reading_on import ReadOn
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.session.reply_to import ReplyTo
from stomp_tx.broker.session.routes import Routes
from stomp_tx.broker.session.transaction import Transaction
from stomp_tx.broker.session.transactions import Transactions
from stomp_tx.errors import ProtocolViolation
from stomp_tx.interfaces import IFrameSender, Put
from stomp_tx.message import PERSISTENT, Batch, Message
from stomp_tx.wire.frame import Frame


class Sending:
    """Makes messages of one open session's SENDs, and puts them where they are to go.

    ``send`` is the hot path: what is usual goes straight through it.  A message that asks for more than to be
    passed on, or to be persistent, is *unusual*.
    """

    __slots__ = (
        "_access",
        "_backpressure",
        "_broker",
        "_dialect",
        "_full",
        "_header_warnings",
        "_id_prefix",
        "_is_next",
        "_known_routes",
        "_login",
        "_now",
        "_numbers",
        "_owner",
        "_read_on",
        "_receipts",
        "_reply_to",
        "_routes",
        "_sender",
        "_session_id",
        "_transactions",
    )

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        sender: IFrameSender,
        dialect: Dialect,
        login: Login,
        access: Access,
        routes: Routes,
        reply_to: ReplyTo,
        transactions: Transactions,
        receipts: Receipts,
        backpressure: Backpressure,
        header_warnings: HeaderWarnings,
        read_on: ReadOn,
    ) -> None:
        self._broker = broker
        self._session_id = session_id
        self._sender = sender
        self._dialect = dialect
        self._login = login
        self._owner = login.owner
        self._access = access
        self._routes = routes
        self._known_routes = routes.known
        self._reply_to = reply_to
        self._transactions = transactions
        self._receipts = receipts
        self._backpressure = backpressure
        self._header_warnings = header_warnings
        self._read_on = read_on
        self._full = broker.engine.full
        self._is_next = False  # it was the turn of this SEND
        self._now = broker.now
        self._id_prefix = broker.message_id_prefix
        self._numbers = broker.message_numbers

    def send(self, frame: Frame) -> Deferred[None] | None:
        headers = frame.headers
        destination = headers.get("destination")
        route = self._known_routes.get(destination)
        if route is None:
            if destination == RENEWAL:
                return self._renew(frame)
            route = self._routes.of(headers)
            if manages(route[1]):
                return self._manage(frame, route[1])
        put, address, policy = route
        if self._full:
            waiting = self._wait_for_room(frame, address)
            if waiting is not None:
                return waiting
        new_id = f"{self._id_prefix}{next(self._numbers)}"
        message = Message(new_id, destination or "", address, headers, frame.body, frame.size, self._owner)
        if not UNUSUAL.isdisjoint(headers):
            keeping = message.keeping = keeping_of(headers, policy, self._now)
            if keeping is not PERSISTENT:
                return self._send_unusual(frame, message, put, policy)
        safe = put(message)
        if safe is not None or "receipt" in headers:
            self._receipts.done(frame, safe)
            if safe is not None:
                return self._backpressure.after_one(message)
        return None

    def _wait_for_room(self, frame: Frame, address: str) -> Deferred[None] | None:
        """Something is full: None: not where this is to go, or not before COMMIT, or before it is due."""
        headers = frame.headers
        if "transaction" in headers or not SCHEDULING.isdisjoint(headers):
            return None
        if "destination-type" in headers:
            address = self._routes.of(headers)[1]
        message = Message("", "", address, headers, frame.body, frame.size, self._owner)
        room = self._backpressure.before((message,), self._is_next)
        return None if room is None else self._read_on(room, frame, self._send_now)

    def _send_now(self, frame: Frame, _: None) -> Deferred[None] | None:
        """It is its turn."""
        self._is_next = True
        try:
            return self.send(frame)
        finally:
            self._is_next = False

    def _send_unusual(
        self, frame: Frame, message: Message, put: Put, policy: Policy
    ) -> Deferred[None] | None:
        """Each to one of four ways: it is over already, in a transaction, for later, or goes on as others."""
        self._header_warnings.look_at(frame)
        headers = frame.headers
        for name in self._dialect.refused_on_send.intersection(headers):
            raise ProtocolViolation("header not allowed on SEND", f"{name} is the broker's to give")
        if "destination-type" in headers:
            put, message.address, policy = self._routes.of(headers)
            message.keeping = keeping_of(headers, policy, self._now)
        if self._broker.settings.user_id:
            sign(message, self._login.user.name)
        if not OURS.isdisjoint(headers):
            message.headers = without_ours(message.headers)
        if message.keeping == PERSISTENT:
            message.keeping = PERSISTENT
        if "reply-to" in headers:
            self._reply_to.translate(message)
        if RETAIN in headers and "," not in message.address and split(message.address)[1] == TOPIC:
            put = self._routes.retaining(headers[RETAIN]) or put
        schedule = None if SCHEDULING.isdisjoint(headers) else schedule_of(headers, self._now())
        late = self._broker.expiry.found(message, headers, policy, schedule)
        if late is not None:
            return self._is_late(frame, message, late)
        if schedule is None:
            tell_keeping(message, policy)
        else:
            if self._dialect.stamps:
                stamp(message, self._dialect, self._now)
            message = self._broker.scheduler.later(message, schedule)
        if "transaction" in headers:
            self._send_in_transaction(frame, message, policy)
            return None
        if schedule is not None:
            return self._send_later(frame, message)
        safe = put(message)
        self._receipts.done(frame, safe)
        return None if safe is None else self._backpressure.after_one(message)

    def _is_late(self, frame: Frame, message: Message, late: Late) -> Deferred[None] | None:
        """It had expired when it came: nobody gets it.  What it says of others counts all the same."""
        emptied = [] if late.scheduled else self._broker.retained.emptied_by(message)
        if "transaction" in frame.headers:
            transaction = self._transactions.named(frame)
            transaction.empty(emptied)
            transaction.send_late(late)
            self._accept(transaction, frame)
            return None
        letters = self._broker.expiry.letters_of(late)
        if self._full:
            room = self._backpressure.before(letters, self._is_next)
            if room is not None:
                return self._read_on(room, frame, self._send_now)
        self._broker.expiry.tell(late, letters, self._session_id, address_text(self._sender.peer()))
        safe = self._broker.engine.commit(Batch(letters, emptied=emptied)) if letters or emptied else None
        self._receipts.done(frame, safe)
        return None if safe is None else self._backpressure.after(letters)

    def _send_in_transaction(self, frame: Frame, message: Message, policy: Policy) -> None:
        transaction = self._transactions.named(frame)
        if self._full:
            lent = transaction.settled + EACH * len(transaction.taken)
            self._backpressure.in_transaction(message, lent - transaction.octets)
        transaction.empty(self._broker.retained.emptied_by(message))
        for one in self._routes.in_transaction(message, policy):
            transaction.send(one)
        self._accept(transaction, frame)

    def _accept(self, transaction: Transaction, frame: Frame) -> None:
        """A SEND in a transaction; the rest is COMMIT's."""
        self._transactions.check()
        if self._dialect.receipts_at_commit:
            transaction.owes(frame)
        else:
            self._receipts.done(frame)

    def _send_later(self, frame: Frame, waiting: Message) -> Deferred[None] | None:
        """It waits in the scheduler's queue, where nobody consumes: room there comes with time."""
        safe = self._broker.scheduler.append(waiting)
        self._receipts.done(frame, safe)
        return None if safe is None else self._backpressure.after(())

    # -- to the broker itself -----------------------------------------------------------------------------

    def _renew(self, frame: Frame) -> Deferred[None]:
        """What is sent to RENEWAL is a token, whatever its headers ask for: it goes nowhere."""
        if "transaction" in frame.headers:
            raise ProtocolViolation("a token can't be sent in a transaction", "SEND it by itself")
        return self._read_on(self._login.renew(frame.body), frame, self._is_done)

    def _manage(self, frame: Frame, address: str) -> Deferred[None] | None:
        """What is sent to the scheduler."""
        destination = frame.headers["destination"]
        message = Message("", destination, address, frame.headers, frame.body, frame.size, self._owner)
        if "reply-to" in frame.headers:
            self._reply_to.translate(message)
        command = Command(message, self._access.may_manage)
        reply = self._routes.way_to(command.reply_to) if command.reply_to else None
        if "transaction" in frame.headers:
            transaction = self._transactions.named(frame)
            transaction.manage(command, reply[0] if reply else "")
            self._accept(transaction, frame)
            return None
        working = self._broker.scheduler_commands.carry_out(command, reply, self._receipts.last)
        return self._read_on(Deferred.fromCoroutine(working), frame, self._is_done)

    def _is_done(self, frame: Frame, _: None) -> None:
        self._receipts.done(frame)
