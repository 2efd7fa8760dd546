"""Transacting: what BEGIN, COMMIT and ABORT of one session do."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.scheduler_commands import NOTHING, Found
from stomp_tx.broker.events import address_text
from stomp_tx.broker.session.backpressure import Backpressure
from stomp_tx.broker.session.commit import Commit
from stomp_tx.broker.session.giving_back import GivingBack
from stomp_tx.broker.session.overdraft import EACH
from stomp_tx.broker.session.reading_on import ReadOn
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.session.routes import Routes
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.broker.session.transactions import Transactions
from stomp_tx.interfaces import IFrameSender
from stomp_tx.wire.frame import Frame


class Transacting:
    """Opens and ends the transactions of one open session."""

    __slots__ = (
        "_backpressure",
        "_broker",
        "_giving_back",
        "_is_next",
        "_read_on",
        "_receipts",
        "_routes",
        "_sender",
        "_session_id",
        "_subscriptions",
        "_transactions",
    )

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        sender: IFrameSender,
        transactions: Transactions,
        routes: Routes,
        subscriptions: Subscriptions,
        receipts: Receipts,
        backpressure: Backpressure,
        giving_back: GivingBack,
        read_on: ReadOn,
    ) -> None:
        self._broker = broker
        self._session_id = session_id
        self._sender = sender
        self._transactions = transactions
        self._routes = routes
        self._subscriptions = subscriptions
        self._receipts = receipts
        self._backpressure = backpressure
        self._giving_back = giving_back
        self._read_on = read_on
        self._is_next = False  # it was the turn of this COMMIT

    def begin(self, frame: Frame) -> None:
        self._transactions.begin(frame.headers.get("transaction"))
        self._receipts.done(frame)

    def commit(self, frame: Frame) -> Deferred[None] | None:
        transaction = self._transactions.named(frame)
        if not transaction.commands:
            return self._commit_found(frame, NOTHING)
        finding = self._broker.scheduler_commands.find(
            transaction.commands, transaction.messages, self._receipts.last, *self._transactions.room()
        )
        return self._read_on(Deferred.fromCoroutine(finding), frame, self._commit_found)

    def _commit_found(self, frame: Frame, found: Found) -> Deferred[None] | None:
        """COMMIT, when it is known what the transaction's commands are about."""
        transaction = self._transactions.named(frame)
        commit = Commit(transaction, found, self._routes, self._broker)
        # Else it ends with the session, which gives back what it took.
        commit.must_be_possible(self._backpressure)
        if self._broker.engine.full:
            # What was sent in it is in memory already; and what it takes lends something, as deliveries do.
            freed = transaction.settled + EACH * len(transaction.taken)
            room = self._backpressure.before(commit.appended, self._is_next, freed)
            if room is not None:
                return self._read_on(room, frame, self._commit_now)
        self._transactions.end(frame)
        safe = commit.perform(self._session_id, address_text(self._sender.peer()) if transaction.late else "")
        self._receipts.committed(transaction.owed, frame, safe)
        return None if safe is None else self._backpressure.after(commit.appended)

    def _commit_now(self, frame: Frame, _: None) -> Deferred[None] | None:
        """It is its turn: with what is there now."""
        self._is_next = True
        try:
            return self.commit(frame)
        finally:
            self._is_next = False

    def abort(self, frame: Frame) -> None:
        transaction = self._transactions.end(frame)
        live = set(self._subscriptions)
        still_owed = [named for named, _ in transaction.taken if named[2] in live]
        self._subscriptions.deliveries.restore(still_owed)
        for _, message, subscription, _ in still_owed:
            subscription.destination.take_credit(subscription, 1)
            if subscription.window:
                subscription.holds(message)
        # The subscription has ended since: nobody here will acknowledge it.
        gone = [delivery for delivery in transaction.held() if delivery[1] not in live]
        self._giving_back.give_back_now(gone)
        self._receipts.done(frame)
