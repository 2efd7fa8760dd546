"""Credentials: what a client can show, beside twisted.cred's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.cred.credentials import Anonymous, IAnonymous, ICredentials, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.interfaces import IAddress
from zope.interface import Attribute, Interface, implementer

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


# Interface is said again: pydoctor, which reads no other package, would not know these for interfaces.
class GuessAbandoned(UnauthorizedLogin):
    """Whoever hangs up while what they have shown is compared has had a guess all the same."""

    def __init__(self) -> None:
        super().__init__("hung up before the answer")


class IBearerToken(ICredentials, Interface):
    """Whoever has the token is who it says."""

    token = Attribute("The token, as text.")


class IPeerCertificate(ICredentials, Interface):
    """A certificate, whose key the peer has, and which TLS has verified."""

    certificate = Attribute("The certificate: a cryptography.x509.Certificate.")


class Passcode(UsernamePassword):
    """Login and passcode, as they came from a place (admission/connection_limits.py)."""

    def __init__(self, login: str, passcode: str, place: str) -> None:
        super().__init__(login.encode(), passcode.encode())
        self.place = place


@implementer(IBearerToken)
class BearerToken:
    """A token, as a client has sent it."""

    def __init__(self, token: str) -> None:
        self.token = token


@implementer(IPeerCertificate)
class PeerCertificate:
    """The certificate that a client has shown."""

    def __init__(self, certificate: Certificate) -> None:
        self.certificate = certificate


@implementer(IAnonymous)
class AnonymousPeer(Anonymous):
    """Somebody who says nothing, at this address."""

    def __init__(self, address: IAddress) -> None:
        self.address = address
