"""Overdraft: what a session may have kept beyond the room there is, so that its ACKs can make some."""

from __future__ import annotations

from stomp_tx.account import Account
from stomp_tx.address import is_topic
from stomp_tx.broker.broker import Held
from stomp_tx.broker.session.deliveries import Deliveries

EACH = 64 * 1024
"""Octets for each delivery, besides what it takes itself."""

TOGETHER = 0.1
"""Of the memory: all overdrafts are no more than that."""


class Overdraft:
    """A worker takes, sends what came of it, and acknowledges: the ACK that makes room is behind the SEND.

    So each delivery of a queue that is not acknowledged lends its session as much as it takes itself, and
    EACH.
    """

    __slots__ = ("_account", "_borrowers", "_deliveries", "_lent", "_most")

    def __init__(
        self, account: Account, memory: int, deliveries: Deliveries, borrowers: dict[Held, None]
    ) -> None:
        """``borrowers``: where it stands while it has something lent, to be told to ``look_again``."""
        self._borrowers = borrowers
        self._account = account
        self._deliveries = deliveries
        self._most = int(TOGETHER * memory)
        self._lent: dict[str, int] = {}  # by the name of the delivery

    @property
    def is_there(self) -> bool:
        """Is any delivery there that lends something?"""
        return any(not is_topic(message.address) for message, _ in self._deliveries.by_ack.values())

    def take(self, octets: int) -> bool:
        """Have so much lent.  False: there is not so much left."""
        self.look_again()
        if self._account.lent + octets > self._most:
            return False
        lent, left = self._lent, octets
        found: dict[str, int] = {}
        for name, (message, _) in reversed(self._deliveries.by_ack.items()):
            if left <= 0:
                break
            spare = message.size + EACH - lent.get(name, 0)
            if spare > 0 and not is_topic(message.address):
                found[name] = min(spare, left)
                left -= spare
        if left > 0:
            return False
        for name, part in found.items():
            lent[name] = lent.get(name, 0) + part
        self._account.lent += octets
        self._borrowers[self] = None
        return True

    def look_again(self) -> None:
        """What was acknowledged has made the room that it had lent."""
        by_ack = self._deliveries.by_ack
        for name in [name for name in self._lent if name not in by_ack]:
            self._account.lent -= self._lent.pop(name)
        if not self._lent:
            self._borrowers.pop(self, None)

    def end(self) -> None:
        """The session is over, and its deliveries go back."""
        self._account.lent -= sum(self._lent.values())
        self._lent.clear()
        self._borrowers.pop(self, None)
