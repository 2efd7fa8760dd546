"""Credentials: what a client can show, beside twisted.cred's own."""

from __future__ import annotations

from twisted.cred.credentials import Anonymous, IAnonymous, ICredentials
from twisted.internet.interfaces import IAddress
from zope.interface import Attribute, implementer


class IBearerToken(ICredentials):
    """Whoever has the token is who it says."""

    token = Attribute("The token, as text.")


class IPeerCertificate(ICredentials):
    """A certificate, whose key the peer has, and which TLS has verified."""

    certificate = Attribute("The certificate: a cryptography.x509.Certificate.")


@implementer(IBearerToken)
class BearerToken:
    def __init__(self, token: str) -> None:
        self.token = token


@implementer(IPeerCertificate)
class PeerCertificate:
    def __init__(self, certificate: object) -> None:
        self.certificate = certificate


@implementer(IAnonymous)
class AnonymousPeer(Anonymous):
    """Somebody who says nothing, at this address."""

    def __init__(self, address: IAddress) -> None:
        self.address = address
