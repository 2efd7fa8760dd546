"""Transactions: those that one session has open."""

from __future__ import annotations

from stomp_tx.account import Account, Owner
from stomp_tx.broker.session.transaction import Transaction
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.wire.frame import Frame


class Transactions:
    """The open transactions of one session, by the names that its client gave them.

    What they keep is charged to the session's owner.
    """

    __slots__ = ("_account", "_charged", "_open", "_owner", "_settings")

    def __init__(self, settings: BrokerSettings, account: Account, owner: Owner) -> None:
        self._account = account
        self._owner = owner
        self._charged = 0
        self._open: dict[str, Transaction] = {}
        self._settings = settings

    def begin(self, name: str | None) -> None:
        """Open one.  Raises ProtocolViolation for a name that is missing or in use, and LimitExceeded."""
        if not name:
            raise ProtocolViolation("transaction header missing", "BEGIN names the transaction")
        if len(name) > self._settings.name_length:
            raise ProtocolViolation(
                "transaction header too long", f"it may have {self._settings.name_length} characters"
            )
        if name in self._open:
            raise ProtocolViolation("transaction exists already", f"{name[:60]!a} has begun, and is open")
        if len(self._open) >= self._settings.transactions:
            raise LimitExceeded(
                "too many transactions", f"a connection may have {self._settings.transactions} open"
            )
        self._open[name] = Transaction()

    def named(self, frame: Frame) -> Transaction:
        """The one that this frame belongs to.  Raises ProtocolViolation when there is none."""
        name = frame.headers.get("transaction")
        if name is None:
            raise ProtocolViolation("transaction header missing", f"{frame.command} names its transaction")
        transaction = self._open.get(name)
        if transaction is None:
            raise ProtocolViolation("no such transaction", f"{name[:60]!a} has not begun")
        return transaction

    def end(self, frame: Frame) -> Transaction:
        """Take out the one that this COMMIT or ABORT names.  Raises ProtocolViolation."""
        transaction = self.named(frame)
        del self._open[frame.headers["transaction"]]
        self._charge()
        return transaction

    def end_all(self) -> list[Transaction]:
        """Take out all."""
        ended = list(self._open.values())
        self._open.clear()
        self._charge()
        return ended

    def access_changed(self) -> None:
        """What was allowed in those that are open may be so no more at their COMMIT."""
        for one in self._open.values():
            one.asks_again = True

    def room(self) -> tuple[int, int]:
        """How many frames more one may have at least, and how many octets."""
        settings = self._settings
        frames = settings.transaction_frames - max((one.frames for one in self._open.values()), default=0)
        return frames, settings.transaction_octets - sum(one.octets for one in self._open.values())

    def _charge(self) -> int:
        """What they keep is charged; gives the octets."""
        octets = sum([one.octets for one in self._open.values()])
        self._account.charge(self._owner, octets - self._charged)
        self._charged = octets
        return octets

    def check(self) -> None:
        """Raises LimitExceeded when they have grown too large."""
        settings = self._settings
        if self._charge() > settings.transaction_octets:
            raise LimitExceeded(
                "transactions too large",
                f"the open transactions of a connection may have {settings.transaction_octets} octets",
            )
        if any(one.frames > settings.transaction_frames for one in self._open.values()):
            raise LimitExceeded(
                "transaction too long", f"a transaction may have {settings.transaction_frames} frames"
            )
