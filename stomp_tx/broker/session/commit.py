"""Commit: what COMMIT makes of a transaction."""

from __future__ import annotations

from twisted.internet.defer import succeed

from stomp_tx.address import is_bound
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.scheduler_commands import Found
from stomp_tx.broker.events import Sent
from stomp_tx.broker.session.access import must_be_bound
from stomp_tx.broker.session.backpressure import Backpressure, queue_full
from stomp_tx.broker.session.routes import Routes
from stomp_tx.broker.session.transaction import Transaction
from stomp_tx.interfaces import Safe
from stomp_tx.message import Batch, Message


class Commit:
    """One of them: all of it happens, or nothing.

    appended -- what it appends
    """

    __slots__ = (
        "_broker",
        "_copies",
        "_dropped",
        "_found",
        "_messages",
        "_routes",
        "_transaction",
        "appended",
    )

    def __init__(self, transaction: Transaction, found: Found, routes: Routes, broker: Broker) -> None:
        """``found``: what the transaction's commands are about."""
        self._transaction = transaction
        self._found = found
        self._routes = routes
        self._broker = broker
        self._messages = transaction.kept(found)
        self._copies: list[Message] = []
        for copy in found.copies:
            self._copies += routes.appended(copy, broker.policies.of(copy.address))
        self._dropped: list[Message] = []
        gone = set(
            filter(broker.temporary_destinations.is_gone, {message.address for message in self._messages})
        )
        if gone:
            self._dropped = [one for one in self._messages if one.address in gone]
            self._messages = [one for one in self._messages if one.address not in gone]
        self.appended = [*self._messages, *self._copies]

    def must_be_possible(self, backpressure: Backpressure) -> None:
        """Raises AccessDenied where who may do what has changed, LimitExceeded where there is no room.

        And ProtocolViolation where something was sent to a durable subscription that has ended.
        """
        transaction, routes = self._transaction, self._routes
        if transaction.asks_again:
            for message in (*self._messages, *(late.message for late in transaction.late)):
                routes.must_still_be_open(message)
            for planned in transaction.commands:
                routes.must_still_manage(planned)
        for address in filter(is_bound, {message.address for message in self.appended}):
            must_be_bound(address, self._broker.engine.bindings)
        full = backpressure.stuck_at(self.appended)
        if full is not None:
            raise queue_full(full)
        self._broker.scheduler.must_have_room(self._messages)
        self._broker.overflow.check(self.appended)

    def perform(self, session: str, peer: str) -> Safe:
        """Do it, and tell of it by this session's events: when it is safe."""
        transaction, broker = self._transaction, self._broker
        letters = [
            letter
            for late in transaction.late
            for letter in broker.expiry.dead_letters_of(late, session, peer)
        ]
        self.appended += letters
        addresses = {message.address for message in self.appended}
        batch = Batch(list(self.appended), withdrawn=self._found.withdrawn, emptied=list(transaction.emptied))
        for (_, message, subscription, _), outcome in transaction.taken:
            subscription.destination.conclude(message, subscription, outcome, batch)
        safe: Safe = broker.engine.commit(batch)
        if safe is None and broker.overflow.are_reached(batch.appended):
            safe = succeed(None)  # ask for room, that says
        broker.scheduler.are_appended(self._messages, safe)
        broker.retained.were_appended(addresses)
        for message in self._dropped:
            broker.temporary_destinations.drop(message)
        for message in self._messages:
            broker.events.emit(Sent, session, message)
        return safe
