"""ConnectionLimits: how many may come in, in all, from one address and as one user, and wait to be known."""

from __future__ import annotations

import ipaddress
from collections import Counter

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from stomp_tx.broker.admission.lockout import UNIX, Lockout
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import TooManyConnections
from stomp_tx.interfaces import IFrameSender

TURNED_AWAY = 32
"""Connections at a time that are told why they may not come in; more are cut at once.

Until it has read that, each needs a file descriptor that others could use.
"""


class ConnectionLimits:
    """Counts connections by place and by user.

    lockout -- keeps places outside
    inside -- how many have come in
    """

    def __init__(self, settings: BrokerSettings, lockout: Lockout) -> None:
        self._settings = settings
        self._lockout = lockout
        self.inside = 0
        self._silent: dict[IFrameSender, str] = {}  # where those come from who have not said CONNECT
        self._asking: dict[IFrameSender, str] = {}  # and those of whom it is being found out who they are
        self._strangers_from: Counter[str] = Counter()
        self._from: Counter[str] = Counter()
        self._of: Counter[str] = Counter()

    def enter(self, place: str, sender: IFrameSender) -> None:
        """One more connection from there.  Raises StompError when it may not come in.

        Where too many have come in that have not said CONNECT, the one that has been silent longest is cut.
        """
        settings = self._settings
        self._lockout.must_be_open(place)
        if settings.connections and self.inside >= settings.connections:
            raise TooManyConnections("the broker has as many as it takes: come later")
        if settings.connections_per_address and self._from[place] >= settings.connections_per_address:
            raise TooManyConnections(f"an address may have {settings.connections_per_address}")
        most = settings.strangers_per_address
        if most and self._strangers_from[place] >= most:
            raise TooManyConnections(f"an address may have {most} that have not logged in yet")
        if settings.strangers and len(self._silent) >= settings.strangers:
            longest = next(iter(self._silent))
            self._is_no_stranger(longest)
            longest.abort()
        self._silent[sender] = place
        self._strangers_from[place] += 1
        self.inside += 1
        self._from[place] += 1

    def leave(self, place: str, sender: IFrameSender) -> None:
        """One that has come in is gone."""
        self._is_no_stranger(sender)
        self.inside -= 1
        _one_less(self._from, place)

    def logs_in(self, sender: IFrameSender) -> None:
        """This one has said who it is."""
        if sender in self._silent:
            self._asking[sender] = self._silent.pop(sender)

    def _is_no_stranger(self, sender: IFrameSender) -> None:
        place = self._silent.pop(sender, None) or self._asking.pop(sender, None)
        if place is not None:
            _one_less(self._strangers_from, place)

    def enter_as(self, user: str, sender: IFrameSender) -> None:
        """A connection is this user's.  Raises TooManyConnections."""
        most = self._settings.connections_per_user
        if most and self._of[user] >= most:
            raise TooManyConnections(f"a user may have {most}")
        self._is_no_stranger(sender)
        self._of[user] += 1

    def leave_as(self, user: str) -> None:
        """It is no more."""
        _one_less(self._of, user)


def place_of(address: IAddress) -> str:
    """What connections are counted by: an IPv4 address; the first half of an IPv6 one; or its kind."""
    if isinstance(address, IPv4Address):
        return address.host
    if not isinstance(address, IPv6Address):
        return UNIX
    try:
        host = ipaddress.IPv6Address(address.host.partition("%")[0])
    except ValueError:
        return address.host
    if host.ipv4_mapped is not None:
        return str(host.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(host) >> 64 << 64, 64)))


def _one_less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
