"""LocalChecker: who says nothing, and is on this machine, is let in as nobody in particular."""

from __future__ import annotations

import ipaddress

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IAnonymous
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from stomp_tx.auth.credentials import AnonymousPeer
from stomp_tx.errors import LoginDenied

HOW_TO = (
    "there are no users here yet, so only clients of the broker's own machine may connect. Its owner makes "
    "users with `stomp-tx passwd add FILE NAME` and starts it with `--auth passwd:FILE`, or lets everybody "
    "in: `--allow-anonymous`"
)


@implementer(ICredentialsChecker)
class LocalChecker:
    """For a broker whose owner has said nothing of users."""

    credentialInterfaces = (IAnonymous,)

    def requestAvatarId(self, credentials: IAnonymous) -> Deferred[bytes | tuple[()]]:
        if not isinstance(credentials, AnonymousPeer):
            raise UnauthorizedLogin()
        if not is_local(credentials.address):
            raise LoginDenied(HOW_TO)
        return succeed(ANONYMOUS)


def is_local(address: IAddress) -> bool:
    """Is it on this machine: loopback, or a unix socket?"""
    if isinstance(address, UNIXAddress):
        return True
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return False
    try:
        host = ipaddress.ip_address(address.host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(host, "ipv4_mapped", None)
    return bool((mapped or host).is_loopback)
