"""Acknowledging: what the ACKs and NACKs of one session do."""

from __future__ import annotations

from stomp_tx.broker.headers.values import is_false
from stomp_tx.broker.session.deliveries import Named
from stomp_tx.broker.session.header_warnings import HeaderWarnings
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.broker.session.transactions import Transactions
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import Batch, Outcome
from stomp_tx.wire.frame import Frame


class Acknowledging:
    """Settles the deliveries of one open session."""

    __slots__ = ("_deliveries", "_engine", "_header_warnings", "_receipts", "_subscriptions", "_transactions")

    def __init__(
        self,
        engine: IEngine,
        subscriptions: Subscriptions,
        transactions: Transactions,
        receipts: Receipts,
        header_warnings: HeaderWarnings,
    ) -> None:
        self._engine = engine
        self._subscriptions = subscriptions
        self._deliveries = subscriptions.deliveries
        self._transactions = transactions
        self._receipts = receipts
        self._header_warnings = header_warnings

    def ack(self, frame: Frame) -> None:
        """ACK in 1.2."""
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

    def ack_named(self, frame: Frame) -> None:
        """ACK in 1.0 and 1.1."""
        self._acknowledge(frame, Outcome.ACCEPTED)

    def nack(self, frame: Frame) -> None:
        """NACK in every version."""
        self._header_warnings.look_at(frame)
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
